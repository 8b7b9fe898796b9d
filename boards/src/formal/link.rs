//! The link: checks, frames, resynchronisation, and that it never stops for good.
//!
//! The claims stand in the accelerator's own text, so that its wiring is part of them; blocks that have no say in a claim are replaced by
//! ones that do anything.

use super::proof::{Method, Proof};
use super::{Claim, Design, INSIDE};
use bitline_golden::link::{END, ESC, ESC_END, ESC_ESC, MAX_PAYLOAD, OVERHEAD};
use bitline_golden::timing;

/// The claims about a design's link.
pub fn proofs(design: &Design) -> Vec<Proof> {
    let accelerator = "top$accelerator";
    vec![
        design.proof("link_crc", &Design::path("link_crc"), link_crc()),
        design.proof("link_receiver", accelerator, link_receiver(design)),
        design.proof("link_resynchronisation", accelerator, resynchronisation(design)),
        design.proof("link_order", accelerator, order(design)),
        design.proof("link_progress", accelerator, progress(design)),
        design.proof("run_and_link", accelerator, run_and_link(design)),
        design.proof("uart_transmitter", "top$transmitter", uart_transmitter(design)),
        design.proof("uart_receiver", "top$receiver", uart_receiver(design)),
    ]
}

/// Blocks right inside the accelerator, but for those named.
fn all_but(design: &Design, kept: &[&str]) -> Vec<String> {
    let inside = |module: &&str| {
        module.strip_prefix(INSIDE).is_some_and(|name| {
            let mut parts = name.split('$');
            let first = parts.next().unwrap_or_default();
            !kept.contains(&first) && parts.all(|part| part.bytes().all(|b| b.is_ascii_digit()))
        })
    };
    design.modules.names().filter(inside).map(str::to_string).collect()
}

/// A net inside a block of the accelerator.
fn inner(block: &str, net: &str, width: usize) -> String {
    format!("(* hierconn *) wire [{}:0] \\{block}.{net} ;\n", width - 1)
}

/// CRC-32 as IEEE 802.3 writes it: highest power first, each byte's lowest bit first. The gateware's register is the
/// mirror image of this one.
const CRC_FUNCTIONS: &str = "\
function [31:0] f_crc;
  input [31:0] f_before;
  input [7:0] f_byte_in;
  integer f_b;
  begin
    f_crc = f_before;
    for (f_b = 0; f_b < 8; f_b = f_b + 1)
      f_crc = {f_crc[30:0], 1'b0} ^ (f_crc[31] ^ f_byte_in[f_b] ? 32'h04C11DB7 : 32'h0);
  end
endfunction
function [31:0] f_mirror;
  input [31:0] f_word_in;
  integer f_b;
  for (f_b = 0; f_b < 32; f_b = f_b + 1) f_mirror[f_b] = f_word_in[31 - f_b];
endfunction
function [31:0] f_finish;
  input [31:0] f_before;
  input [7:0] f_bits_in;
  input [3:0] f_left_in;
  integer f_b;
  begin
    f_finish = f_before;
    for (f_b = 0; f_b < 8; f_b = f_b + 1) if (f_b < f_left_in)
      f_finish = {1'b0, f_finish[31:1]} ^ (f_finish[0] ^ f_bits_in[f_b] ? 32'hEDB88320 : 32'h0);
  end
endfunction
";

/// The register holds the CRC of the bytes since the last restart.
fn link_crc() -> Claim {
    let text = format!(
        "{CRC_FUNCTIONS}reg [31:0] f_now = 32'hFFFFFFFF;\n\
         always @(*) if (!ready) assume (!data_valid && !shift && !restart);\n\
         always @(*) assume (data_valid + shift + restart <= 1);\n\
         always @(posedge clock) begin\n  if (data_valid) f_now <= f_crc(f_now, data);\n  \
         if (shift) f_now <= {{f_now[23:0], 8'h0}};\n  if (restart) f_now <= 32'hFFFFFFFF;\nend\n\
         always @(*) will_be_the_crc: assert (f_finish(crc$q, bits$q, bits_left$q) == f_mirror(f_now));\n\
         always @(*) at_most_eight_clocks: assert (bits_left$q <= 8);\n\
         always @(*) if (ready) begin\n  is_the_crc: assert (crc$q == f_mirror(f_now));\n  \
         low_byte_goes_first: assert (low_byte == ~{{f_now[24], f_now[25], f_now[26], f_now[27], f_now[28], f_now[29], \
         f_now[30], f_now[31]}});\nend\nreg f_had = 0;\nalways @(posedge clock) if (data_valid) f_had <= 1;\n\
         always @(*) cover (f_had && ready && low_byte == 8'h8D);\n"
    );
    let property = "the CRC-32 of the bytes; a byte, shift or restart only where ready (link_order)";
    Claim::new(property, Method::Induction { depth: 2 }, 12, text)
}

/// The claim's own decoder of frames, byte by byte, in the accelerator.
fn decoder() -> String {
    let (longest, overhead) = (MAX_PAYLOAD + OVERHEAD, OVERHEAD);
    format!(
        "{CRC_FUNCTIONS}wire f_byte = receive_valid && receive_ready;\nwire f_end = f_byte && receive_data == {END};\n\
         reg f_escaped = 0, f_broken = 0, f_waiting = 0, f_length_bad = 0, f_crc_good = 0;\nreg [15:0] f_length = 0;\n\
         reg [7:0] f_declared, f_b1, f_b2, f_b3, f_b4;\n\
         reg [31:0] f_c0 = 32'hFFFFFFFF, f_c1, f_c2, f_c3, f_c4;\nreg f_plain;\nreg [7:0] f_value;\n\
         always @(*) begin\n  f_plain = f_byte && !f_end && (f_escaped ? receive_data == {ESC_END} || receive_data == {ESC_ESC} \
         : receive_data != {ESC});\n  f_value = !f_escaped ? receive_data : receive_data == {ESC_END} ? {END} : {ESC};\nend\n\
         wire f_store = f_plain && f_length < {longest};\n\
         always @(posedge clock) begin\n  if (f_byte && !f_end) begin\n    \
         f_escaped <= !f_escaped && receive_data == {ESC};\n    \
         if (f_escaped && !f_plain || f_plain && !f_store) f_broken <= 1;\n  end\n  \
         if (f_store) begin\n    f_length <= f_length + 1;\n    if (f_length == 0) f_declared <= f_value;\n    \
         {{f_b4, f_b3, f_b2, f_b1}} <= {{f_b3, f_b2, f_b1, f_value}};\n    \
         {{f_c4, f_c3, f_c2, f_c1}} <= {{f_c3, f_c2, f_c1, f_c0}};\n    f_c0 <= f_crc(f_c0, f_value);\n  end\n  \
         if (f_end && (f_length != 0 || f_escaped || f_broken)) begin\n    f_waiting <= 1;\n    \
         f_length_bad <= f_escaped || f_broken || f_length < {overhead} || f_length != f_declared + {overhead};\n    \
         f_crc_good <= {{f_b1, f_b2, f_b3, f_b4}} == ~f_mirror(f_c4);\n  end\n  \
         if (receiver$taken) begin\n    {{f_escaped, f_broken, f_waiting}} <= 0;\n    f_length <= 0;\n    \
         f_c0 <= 32'hFFFFFFFF;\n  end\nend\n"
    )
}

/// What [`order`] proves of executor and transmitter, assumed where they are replaced.
const ORDER: &str = "always @(*) begin
  if (receiver$taken) assume (receiver$frame_ready && link_crc$ready && !transmitter$crc_byte_valid && !transmitter$crc_shift);
  if (transmitter$crc_byte_valid || transmitter$crc_shift || transmitter$crc_restart)
    assume (receiver$frame_ready && link_crc$ready);
end
";

/// A frame is reported good exactly if its length is right and its last four bytes are the CRC-32 of those before.
fn link_receiver(design: &Design) -> Claim {
    let longest = MAX_PAYLOAD + OVERHEAD;
    let mut text = inner("receiver", "count$q", 8) + &inner("receiver", "escaped$q", 1);
    text += &(inner("receiver", "broken$q", 1) + &inner("receiver", "declared$q", 8));
    text += &(inner("link_crc", "crc$q", 32) + &inner("link_crc", "bits$q", 8) + &inner("link_crc", "bits_left$q", 4));
    text += &decoder();
    text += ORDER;
    text += &format!(
        "always @(*) waits_for_its_executor: assert (receiver$frame_ready == f_waiting);\n\
         always @(*) if (f_waiting) begin\n  never_accepts_a_bad_crc: assert (!receiver$frame_good || f_crc_good);\n  \
         good_if_length_and_crc_are: assert (receiver$frame_good == (!f_length_bad && f_crc_good));\n  \
         tells_a_bad_length: assert (receiver$length_bad == f_length_bad);\n  \
         if (!f_length_bad) is_the_length: assert (receiver$payload_length == f_declared);\nend\n\
         always @(*) stores_each_byte: assert (receiver$buffer_write == f_store);\n\
         always @(*) if (f_store) stores_it_in_order: \
         assert (receiver$buffer_address == f_length && receiver$buffer_data == f_value);\n\
         always @(*) buffer_never_overflows: assert (f_length <= {longest} && (!f_store || f_length < {longest}));\n\
         always @(*) begin\n  assert (\\receiver.count$q == f_length);\n  assert (\\receiver.escaped$q == f_escaped);\n  \
         assert (\\receiver.broken$q == f_broken);\n  if (f_length > 0) assert (\\receiver.declared$q == f_declared);\n  \
         assert (\\link_crc.bits_left$q <= 8);\n  if (!f_waiting) begin\n    \
         assert (f_finish(\\link_crc.crc$q , \\link_crc.bits$q , \\link_crc.bits_left$q ) == f_mirror(f_c0));\n    \
         if (f_length >= 1) assert (f_c0 == f_crc(f_c1, f_b1));\n    if (f_length >= 2) assert (f_c1 == f_crc(f_c2, f_b2));\n    \
         if (f_length >= 3) assert (f_c2 == f_crc(f_c3, f_b3));\n    if (f_length >= 4) assert (f_c3 == f_crc(f_c4, f_b4));\n  \
         end\nend\nalways @(*) cover (f_waiting && f_length_bad && f_length == 2);\n\
         always @(*) cover (f_store && f_value == {END} && f_length == 1);\n"
    );
    let property = format!(
        "good = length right and CRC-32 right; bytes stored in order, at most {longest}; taken and CRC used as in link_order"
    );
    let free = all_but(design, &["receiver", "link_crc"]);
    Claim { free, ..Claim::new(property, Method::Induction { depth: 2 }, 32, text) }
}

/// From any state: END, a byte, END gives a frame to be dealt with, and then all is as at power-on.
fn resynchronisation(design: &Design) -> Claim {
    let mut text = inner("receiver", "count$q", 8) + &inner("receiver", "escaped$q", 1);
    text +=
        &(inner("receiver", "broken$q", 1) + &inner("link_crc", "crc$q", 32) + &inner("link_crc", "bits_left$q", 4));
    text += ORDER;
    text += &format!(
        "wire f_byte = receive_valid && receive_ready;\nwire f_end = f_byte && receive_data == {END};\n\
         reg f_running = 0, f_ended = 0, f_something = 0, f_closed = 0, f_taken = 0, f_fed = 0;\nreg [3:0] f_left = 0;\n\
         always @(posedge clock) begin\n  f_running <= 1;\n  f_taken <= receiver$taken;\n  \
         f_closed <= f_end && f_ended && f_something;\n  f_fed <= link_crc$data_valid;\n  f_left <= \\link_crc.bits_left$q ;\n  \
         if (f_end) f_ended <= 1;\n  if (f_byte && f_ended) f_something <= !f_end;\nend\n\
         wire f_fresh = \\receiver.count$q == 0 && !\\receiver.escaped$q && !\\receiver.broken$q ;\n\
         always @(*) if (f_closed) second_end_gives_a_frame: assert (receiver$frame_ready);\n\
         always @(*) if (f_taken) then_all_is_as_at_power_on: assert (f_fresh && !receiver$frame_ready && \
         \\link_crc.crc$q == 32'hFFFFFFFF && \\link_crc.bits_left$q == 0);\n\
         always @(*) if (f_running && !f_fed && f_left != 0) crc_ends: assert (\\link_crc.bits_left$q < f_left);\n\
         always @(*) if (f_ended && !receiver$frame_ready) assert ((f_something ? !f_fresh : f_fresh) && \\receiver.count$q <= {longest});\n\
         always @(*) if (f_ended && receiver$frame_ready) assert (!f_something);\n\
         always @(*) if (f_something) assert (f_ended);\n\
         always @(*) cover (f_closed);\nreg f_was_closed = 0;\nalways @(posedge clock) if (f_closed) f_was_closed <= 1;\n\
         always @(*) cover (f_was_closed && f_taken);\n",
        longest = MAX_PAYLOAD + OVERHEAD
    );
    let property = "resynchronised by END, a byte, END from any state; taken and CRC used as in link_order";
    let free = all_but(design, &["receiver", "link_crc"]);
    Claim { free, ..Claim::new(property, Method::InductionFromAnyState { depth: 3 }, 24, text) }
}

/// The link stores only while no run is under way, and a run stores only while it is.
///
/// Of the sequencer it takes what [`super::control`] proves: a run is under way for the pipeline's clocks after its last
/// step, and begins in the clock after its start.
fn run_and_link(design: &Design) -> Claim {
    let pipeline = timing::pipeline_cycles(&design.machine) as usize;
    let text = inner("executor", "state$q", 5)
        + &inner("executor", "words_left$q", 8)
        + &inner("transmitter", "state$q", 2)
        + STATES
        + &format!(
            "reg [{high}:0] f_steps = 0;\nreg f_ran = 0, f_started = 0;\n\
             always @(posedge clock) begin\n  f_steps <= {{f_steps, sequencer$step}};\n  f_ran <= sequencer$running;\n  \
             f_started <= sequencer$start;\nend\n\
             always @(*) begin\n  if (sequencer$step || f_steps != 0) assume (sequencer$running);\n  \
             if (sequencer$running && !f_ran) assume (f_started);\nend\n\
             wire f_storing = f_executor == f_WriteWait || f_executor == f_WriteLow || f_executor == f_WriteHigh;\n\
             always @(*) if (f_executor != f_Idle) assume (receiver$frame_ready);\n\
             always @(*) assert (f_executor <= f_Drain);\n\
             always @(*) if (executor$write_enable) assert (f_executor == f_WriteHigh);\n\
             always @(*) if (f_storing) begin\n  \
             link_stores_without_a_run: assert (!sequencer$running && !registers$start);\n  \
             assert (\\executor.words_left$q >= 1 && \\executor.words_left$q <= {most});\n  \
             if (executor$region == 0) control_is_stored_last: \
             assert (executor$offset + \\executor.words_left$q <= {past});\nend\n\
             always @(*) if (slots$sum_enable || slots$verdict_enable) run_stores_within_its_clocks: \
             assert (sequencer$running);\n\
             always @(*) never_both: assert (!(executor$write_enable && (slots$sum_enable || slots$verdict_enable)));\n\
             always @(*) cover (executor$write_enable);\nalways @(*) cover (argmax$done);\n\
             always @(*) cover (f_steps != 0 && !sequencer$step && sequencer$aborted);\n",
            high = pipeline - 1,
            most = bitline_golden::link::MAX_WORDS,
            past = bitline_golden::registers::find("control").offset + 1,
        );
    let kept = ["executor", "address_check", "registers", "sum_valid_line", "argmax", "switch_stage"];
    let free = all_but(design, &[&kept[..], &["switch_served", "button_stage"]].concat());
    let depth = pipeline + 2;
    // A WRITE of the number of images, its reply, and a run of one.
    let cover = 28 + design.machine.steps_per_image() + depth;
    let property = "the link never stores in a clock in which a run is under way, a run only in such; a frame is held until it is taken";
    Claim { free, ..Claim::new(property, Method::Induction { depth }, cover, text) }
}

/// Nets of the executor and the transmitter that [`order`] and [`progress`] speak of.
fn sender_nets() -> String {
    [("state$q", 5), ("words_left$q", 8), ("index$q", 8), ("clocks_left$q", 2), ("reply_bytes$q", 8), ("refuse$q", 1)]
        .iter()
        .map(|(net, width)| inner("executor", net, *width))
        .chain(
            [("state$q", 2), ("holding$q", 1), ("in_crc$q", 1), ("crc_bytes$q", 3)]
                .iter()
                .map(|(net, width)| inner("transmitter", net, *width)),
        )
        .chain([inner("link_crc", "bits_left$q", 4)])
        .collect()
}

/// Names that [`order`] and [`progress`] give the states of executor and transmitter.
const STATES: &str = "\
localparam f_Idle = 0, f_Fetch = 1, f_Check = 2, f_Judge = 3, f_WriteWait = 4, f_WriteLow = 5, f_WriteHigh = 6, f_Begin = 7,
  f_Length = 8, f_Sequence = 9, f_Operation = 10, f_Reason = 11, f_ReadStart = 12, f_ReadWait = 13, f_ReadLow = 14,
  f_ReadHigh = 15, f_Finish = 16, f_Drain = 17;
localparam f_Escape = 1, f_Crc = 2;
wire [4:0] f_executor = \\executor.state$q ;
wire [1:0] f_transmitter = \\transmitter.state$q ;
";

/// One at a time uses the CRC, and only when it is ready; a frame waits for as long as it is dealt with.
fn order(design: &Design) -> Claim {
    let text = sender_nets()
        + STATES
        + "wire f_used = receiver$buffer_write || transmitter$crc_byte_valid || transmitter$crc_shift || \
           transmitter$crc_restart || receiver$taken;\n\
           always @(*) if (f_used) only_where_ready: assert (link_crc$ready);\n\
           always @(*) one_at_a_time: assert (receiver$buffer_write + transmitter$crc_byte_valid + transmitter$crc_shift + \
           transmitter$crc_restart + receiver$taken <= 1);\n\
           always @(*) if (receiver$taken) takes_a_frame: assert (receiver$frame_ready);\n\
           always @(*) if (transmitter$crc_byte_valid || transmitter$crc_shift || transmitter$crc_restart) \
           sends_while_it_waits: assert (receiver$frame_ready);\n\
           always @(*) if (f_executor != f_Idle) held_until_taken: assert (receiver$frame_ready);\n\
           always @(*) begin\n  assert (f_executor <= f_Drain);\n  assert (f_transmitter <= f_Crc);\n  \
           if (f_transmitter != 0) assert (f_executor > f_Begin);\n  \
           if (\\transmitter.in_crc$q ) assert (f_executor == f_Drain && f_transmitter != 0);\n  \
           if (f_transmitter == f_Crc) assert (\\transmitter.in_crc$q );\n  assert (\\link_crc.bits_left$q <= 8);\nend\n\
           always @(*) cover (transmitter$crc_byte_valid);\n";
    let property = "one block at a time uses the CRC, only where it is ready; a frame is held until it is taken";
    let free = all_but(design, &["receiver", "executor", "transmitter", "link_crc"]);
    Claim { free, ..Claim::new(property, Method::Induction { depth: 3 }, 30, text) }
}

/// A number that falls in every clock in which a frame is dealt with, but for those in which the UART is waited for.
fn progress(design: &Design) -> Claim {
    let text = sender_nets()
        + STATES
        // What the transmitter still has to do: 1 a byte held, 2 an escape, 4 a byte of the CRC, 2 the END, 1 each bit of the CRC.
        + "wire [31:0] f_to_send = \\link_crc.bits_left$q + \\transmitter.holding$q + (f_transmitter == f_Escape ? 2 : 0) + \
           (f_transmitter == 3 ? 1 : 0) + (\\transmitter.in_crc$q || f_transmitter == f_Crc ? 2 + 4 * \\transmitter.crc_bytes$q : 0);\n\
           wire [31:0] f_words = \\executor.words_left$q == 0 ? 256 : \\executor.words_left$q ;\n\
           wire [31:0] f_read = \\executor.reply_bytes$q == 0 || \\executor.refuse$q ? 0 : 29 * f_words;\n\
           localparam f_reply = 73 + 29 * 256, f_judge = f_reply + 2 * 256 + 3;\n\
           reg [31:0] f_to_do;\nalways @(*) case (f_executor)\n  f_Idle: f_to_do = 0;\n  \
           f_Fetch: f_to_do = f_judge + 6 + ((7 - \\executor.index$q ) & 255);\n  \
           f_Check: f_to_do = f_judge + 1 + \\executor.clocks_left$q ;\n  f_Judge: f_to_do = f_judge;\n  \
           f_WriteWait: f_to_do = f_reply + 2 * f_words + 2;\n  f_WriteLow: f_to_do = f_reply + 2 * f_words + 1;\n  \
           f_WriteHigh: f_to_do = f_reply + 2 * f_words;\n  f_Begin: f_to_do = f_read + 72;\n  \
           f_Length: f_to_do = f_read + 70;\n  f_Sequence: f_to_do = f_read + 58;\n  f_Operation: f_to_do = f_read + 46;\n  \
           f_Reason: f_to_do = 32;\n  f_ReadStart: f_to_do = 20 + 29 * f_words;\n  \
           f_ReadWait: f_to_do = 16 + 29 * f_words + \\executor.clocks_left$q ;\n  f_ReadLow: f_to_do = 15 + 29 * f_words;\n  \
           f_ReadHigh: f_to_do = 3 + 29 * f_words;\n  f_Finish: f_to_do = 20;\n  default: f_to_do = 1;\nendcase\n\
           wire [31:0] f_measure = f_to_do + f_to_send;\nreg f_running = 0, f_busy, f_waits;\nreg [31:0] f_before;\n\
           always @(posedge clock) begin\n  f_running <= 1;\n  f_before <= f_measure;\n  f_busy <= f_executor != f_Idle;\n  \
           f_waits <= \\transmitter.holding$q && !transmit_ready;\nend\n\
           always @(*) if (f_executor != f_Idle) assume (receiver$frame_ready);\n\
           always @(*) if (f_running && f_busy && !f_waits) comes_nearer_its_end: assert (f_measure < f_before);\n\
           always @(*) if (f_running && f_busy && f_waits) and_never_farther: assert (f_measure <= f_before);\n\
           always @(*) within_bounds: assert (f_measure <= 8400);\nreg f_idle_frame = 0;\n\
           always @(posedge clock) f_idle_frame <= f_executor == f_Idle && receiver$frame_ready;\n\
           always @(*) if (f_idle_frame) takes_the_next: assert (f_executor != f_Idle);\n\
           always @(*) cover (f_running && f_busy && f_executor == f_Idle);\n\
           always @(*) cover (f_running && f_waits && f_busy);\nalways @(*) cover (f_idle_frame);\n";
    let property = "a frame is answered within 8400 clocks and those the UART takes, from any state whose frame is held (link_order)";
    let free = all_but(design, &["receiver", "executor", "transmitter", "link_crc"]);
    Claim { free, ..Claim::new(property, Method::AnyState { depth: 3 }, 3, text) }
}

/// The line carries start bit, data and stop bit, each as long as it must be; from any state it is ready again.
fn uart_transmitter(design: &Design) -> Claim {
    let bit = design.machine.link.clocks_per_bit();
    let width = design.modules.width("top$transmitter$clocks_left", "q").unwrap_or(1);
    let longest = 15 * u64::from(bit) + (1 << width);
    let text = format!(
        "reg [31:0] f_since = {idle};\nreg [9:0] f_bits = 10'h3FF;\nreg f_known = 0, f_running = 0, f_busy;\nreg [31:0] f_before;\n\
         wire [31:0] f_left = bits_left$q * {bit} + clocks_left$q;\n\
         always @(posedge clock) begin\n  f_running <= 1;\n  f_before <= f_left;\n  f_busy <= !data_ready;\n  \
         if (f_since < {idle}) f_since <= f_since + 1;\n  \
         if (data_valid && data_ready) begin\n    f_since <= 0;\n    f_bits <= {{1'b1, data, 1'b0}};\n    f_known <= 1;\n  end\nend\n\
         always @(*) if (f_known) sends_each_bit: assert (line == (f_since < {idle} ? (f_bits >> (f_since / {bit})) & 1 : 1));\n\
         always @(*) if (f_known) is_busy_as_long: assert (data_ready == (f_since >= {idle}));\n\
         always @(*) if (f_known) assert (f_bits[9] && !f_bits[0]);\n\
         always @(*) if (f_known && f_since < {idle}) begin\n  assert (bits_left$q == 10 - f_since / {bit});\n  \
         assert (clocks_left$q == {bit} - 1 - f_since % {bit});\n  \
         assert (low_bits$q == ((~f_bits & 10'h1FF) >> (f_since / {bit})));\nend\n\
         always @(*) if (f_known && f_since == {idle}) assert (low_bits$q[0] == 0 && bits_left$q == 0);\n\
         always @(*) if (f_running && f_busy && !data_ready) comes_nearer_its_end: assert (f_left < f_before);\n\
         always @(*) within_bounds: assert (f_left <= {longest});\n\
         always @(*) cover (f_known && f_since == {bit} && line != f_bits[0]);\n",
        idle = 10 * bit
    );
    let property = format!("ten bits of {bit} clocks a byte; ready within {longest} clocks from any state");
    Claim::new(property, Method::InductionFromAnyState { depth: 2 }, bit as usize + 6, text)
}

/// From any state a byte under way ends, and then the next start bit is waited for.
fn uart_receiver(design: &Design) -> Claim {
    let bit = design.machine.link.clocks_per_bit();
    let width = design.modules.width("top$receiver$clocks_left", "q").unwrap_or(1);
    let longest = 15 * u64::from(bit) + (1 << width);
    let text = format!(
        "reg f_running = 0, f_active;\nreg [31:0] f_before;\n\
         wire [31:0] f_left = bits_left$q * {bit} + clocks_left$q;\n\
         always @(posedge clock) begin\n  f_running <= 1;\n  f_before <= f_left;\n  f_active <= active$q;\nend\n\
         always @(*) if (f_running && f_active && active$q) comes_nearer_its_end: assert (f_left < f_before);\n\
         always @(*) within_bounds: assert (f_left <= {longest});\n\
         always @(*) cover (f_running && f_active && !active$q && data_valid);\n"
    );
    let property = format!("waits for a start bit within {longest} clocks from any state");
    Claim::new(property, Method::AnyState { depth: 2 }, 2, text)
}
