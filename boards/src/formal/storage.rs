//! Blocks that keep: registers, delay lines, memories.
//!
//! A memory is watched at one address that the solver chooses, so that the claim is about every address.

use super::proof::{Method, Proof};
use super::{Claim, Design, INSIDE};
use bitline_golden::machine::{Machine, bits_to_index};
use bitline_golden::timing;

/// The claims about a design's storage.
pub fn proofs(design: &Design) -> Vec<Proof> {
    vec![
        registers_and_delays(design),
        memory(design, "frame_buffer", 256),
        memory(design, "labels", design.machine.slots),
        slot_memory(design),
        image_register(design),
        device_array(design),
    ]
}

/// Modules that take `d` and give `q`: registers, RustHDL's flip-flops, delay lines.
pub fn is_register(design: &Design, module: &str) -> bool {
    let mut names: Vec<String> = design.modules.ports(module).into_iter().map(|port| port.name).collect();
    names.sort();
    names == ["clock", "d", "q"]
}

/// Clocks of a delay line of the accelerator; every other register takes one.
fn clocks(machine: &Machine, module: &str) -> u64 {
    let memory = timing::MEMORY_CYCLES;
    let image = memory + timing::image_register_cycles(machine);
    let rows = image + timing::feeder_cycles(machine);
    let count = rows + timing::column_counter_cycles(machine);
    // Where lanes are counted one a clock, a selector stands between memory and counter.
    let pulses = if machine.input_words() <= machine.steps_per_image() && machine.input_words() > 1 {
        memory + 1
    } else {
        image
    };
    match module.strip_prefix(INSIDE).unwrap_or_default() {
        "row_group_line" | "plane_group_line" => image,
        "row_first_line" => rows,
        "pulse_group_line" | "pulse_enable_line" => pulses,
        "lane_group_line" | "read_lane_line" => memory,
        "count_valid_line" | "output_first_line" | "subgroup_line" | "count_plane_group_line" => count,
        "sum_valid_line" => count + timing::SHIFT_ADD_CYCLES,
        _ => 1,
    }
}

/// What a register holds at power-on.
fn at_power_on(design: &Design, module: &str) -> u64 {
    match module.strip_prefix(INSIDE).unwrap_or_default() {
        "link_crc$crc" => 0xFFFF_FFFF,
        "registers$image_count_register" => design.contents.images.len() as u64,
        _ => 0,
    }
}

/// Every register and delay line of a machine, side by side in one module.
fn registers_and_delays(design: &Design) -> Proof {
    let (mut text, mut body, mut count, mut longest, mut bits) = (String::new(), String::new(), 0, 1, 0);
    for module in design.modules.names().filter(|module| is_register(design, module)) {
        let (width, clocks) =
            (design.modules.width(module, "d").unwrap_or(1), clocks(&design.machine, module) as usize);
        let start = at_power_on(design, module);
        text += design.modules.text(module).unwrap_or_default();
        body += &format!(
            "wire [{high}:0] f_q_{count};\n{module} leaf_{count}(.clock(clock), .d(d[{to}:{bits}]), .q(f_q_{count}));\n\
             reg [{line}:0] f_line_{count} = {{{clocks}{{{width}'d{start}}}}};\n\
             always @(posedge clock) f_line_{count} <= {{f_line_{count}, d[{to}:{bits}]}};\n\
             always @(*) {label}: assert (f_q_{count} == f_line_{count}[{line}:{low}]);\n",
            high = width - 1,
            to = bits + width - 1,
            line = width * clocks - 1,
            low = width * (clocks - 1),
            label = module.replace('$', "_"),
        );
        (count, longest, bits) = (count + 1, longest.max(clocks), bits + width);
    }
    let text = format!(
        "{text}module register_and_delay(input clock, input [{}:0] d);\n{body}\
         always @(*) cover (f_q_0 != {{f_line_0, d}});\nendmodule\n",
        bits - 1
    );
    Proof {
        block: "register_and_delay",
        machine: design.machine.name.clone(),
        instances: count,
        property: format!("q = d as many clocks ago as golden's timing says, at most {longest}, from power-on"),
        method: Method::Induction { depth: longest + 2 },
        cover_depth: longest + 2,
        verilog: text,
        quick: false,
        number: 0,
    }
}

/// Labels at power-on, those of images without one marked so.
fn label_words(design: &Design) -> Vec<u64> {
    let none = u64::from(bitline_golden::registers::NO_LABEL);
    let mut words: Vec<u64> = design.contents.labels.iter().map(|l| l.map_or(none, u64::from)).collect();
    words.resize(words.len().max(design.contents.images.len()), none);
    words
}

/// The words that each memory holds at power-on are those given: images and labels.
pub fn contents(design: &Design) -> Vec<Proof> {
    let machine = &design.machine;
    let images: Vec<Vec<u16>> =
        design.contents.images.iter().map(|codes| bitline_golden::registers::pack_image(machine, codes)).collect();
    let address = bits_to_index(machine.slots);
    let start = format!(
        "(* anyconst *) wire [{}:0] f_at;\nalways @(*) assume (f_at < {});\nreg f_running = 0;\n\
         always @(posedge clock) f_running <= 1;\n",
        address - 1,
        machine.slots
    );
    let mut text = start.clone();
    for lane in 0..machine.slot_words() {
        let words: Vec<u64> = images.iter().map(|words| words.get(lane).map_or(0, |word| u64::from(*word))).collect();
        text += &words_function(&format!("f_given_{lane}"), 16, address, &words);
        text += &format!(
            "always @(*) if (!f_running) starts_as_given_{lane}: assert (lane_{lane}[f_at] == f_given_{lane}(f_at));\n"
        );
    }
    text += "always @(*) cover (!f_running && lane_0[f_at] != 0);\n";
    let slots = Claim::new("slots hold the images at power-on", Method::PowerOn, 1, text);
    let text = start
        + &words_function("f_given", 16, address, &label_words(design))
        + "always @(*) if (!f_running) starts_as_given: assert (word[f_at] == f_given(f_at));\n\
           always @(*) cover (!f_running && word[f_at] != 0);\n";
    let labels = Claim::new("labels are those given at power-on", Method::PowerOn, 1, text);
    vec![
        design.proof("slot_memory", &Design::path("slots"), slots),
        design.proof("memory", &Design::path("labels"), labels),
        device_array(design),
        registers_and_delays(design),
    ]
}

/// Verilog: a function that gives the word at an address, 0 where none is given.
fn words_function(name: &str, width: usize, address_bits: usize, words: &[u64]) -> String {
    let cases: String = words.iter().enumerate().map(|(at, word)| format!("    {at}: {name} = {word};\n")).collect();
    format!(
        "function [{}:0] {name};\n  input [{}:0] f_of;\n  case (f_of)\n{cases}    default: {name} = 0;\n  endcase\n\
         endfunction\n",
        width - 1,
        address_bits - 1
    )
}

/// A word read is the word stored last, and at power-on the one given.
fn memory(design: &Design, name: &str, depth: usize) -> Proof {
    let module = Design::path(name);
    let width = design.modules.width(&module, "read_data").unwrap_or(1);
    let address = bits_to_index(depth);
    let text = format!(
        "(* anyconst *) wire [{a}:0] f_at;\nreg f_running = 0, f_read = 0;\nreg [{w}:0] f_word, f_given_back;\n\
             always @(posedge clock) begin\n  f_running <= 1;\n  f_read <= read_address == f_at;\n  \
             f_given_back <= f_word;\n  if (write_enable && write_address == f_at) f_word <= write_data;\nend\n\
             always @(*) assume (f_at < {depth});\n\
             always @(*) if (!f_running) assume (word[f_at] == f_word);\n\
             always @(*) is_kept: assert (word[f_at] == f_word);\n\
             always @(*) if (f_running && f_read) is_given_back: assert (read_data == f_given_back);\n\
             always @(*) cover (f_running && f_read && f_given_back == 5 && f_word == 6);\n",
        a = address - 1,
        w = width - 1
    );
    let property = format!("{name}: a word read is the word last stored, {depth} of {width} bits");
    design.proof("memory", &module, Claim::new(property, Method::InductionFromAnyState { depth: 2 }, 5, text))
}

/// Every lane of every slot holds what the link, the sums or the verdict stored last, and a read shows it until the next.
fn slot_memory(design: &Design) -> Proof {
    let machine = &design.machine;
    let (lanes, outputs, group) = (machine.slot_words(), machine.outputs, machine.output_lanes());
    let (slot, depth) = (bits_to_index(machine.slots), machine.slots);
    let mut text = format!(
        "(* anyconst *) wire [{}:0] f_at;\nreg f_running = 0, f_shown = 0;\n\
         always @(posedge clock) begin\n  f_running <= 1;\n  if (read_enable) f_shown <= read_slot == f_at;\nend\n\
         always @(*) assume (f_at < {depth});\n\
         always @(*) assume (!(write_enable && (sum_enable || verdict_enable)));\n",
        slot - 1
    );
    for lane in 0..lanes {
        let own = if lane < outputs {
            format!(
                "if (sum_enable && sum_slot == f_at && sum_group == {}) f_word_{lane} <= sums${};\n  ",
                lane / group,
                lane % group
            )
        } else if lane < outputs + 2 {
            let verdict = if lane == outputs { "verdict_class" } else { "verdict_margin" };
            format!("if (verdict_enable && verdict_slot == f_at) f_word_{lane} <= {verdict};\n  ")
        } else {
            String::new()
        };
        text += &format!(
            "reg [15:0] f_word_{lane}, f_read_{lane};\nalways @(posedge clock) begin\n  \
             if (read_enable) f_read_{lane} <= f_word_{lane};\n  {own}\
             if (write_enable && write_slot == f_at && write_lane == {lane}) f_word_{lane} <= write_data;\nend\n\
             always @(*) if (!f_running) assume (lane_{lane}[f_at] == f_word_{lane});\n\
             always @(*) is_kept_{lane}: assert (lane_{lane}[f_at] == f_word_{lane});\n\
             always @(*) if (f_shown) is_shown_{lane}: assert (data[{}:{}] == f_read_{lane});\n",
            16 * lane + 15,
            16 * lane
        );
    }
    let (class, margin) = (outputs, outputs + 1);
    text += &format!(
        "always @(*) cover (f_shown && data[15:0] == 7 && data[{}:{}] == 1 && data[{}:{}] == 9);\n",
        16 * class + 15,
        16 * class,
        16 * margin + 15,
        16 * margin
    );
    let property = format!(
        "a lane shows what was last stored, {depth} slots of {lanes} lanes; link and run never store in the same clock (run_and_link)"
    );
    let claim = Claim::new(property, Method::InductionFromAnyState { depth: 2 }, 6, text);
    design.proof("slot_memory", &Design::path("slots"), claim)
}

/// The image is the data, now or a clock ago.
fn image_register(design: &Design) -> Proof {
    let clocks = timing::image_register_cycles(&design.machine) as usize;
    let bits = design.machine.slot_words() * 16;
    let text = format!("wire [{}:0] f_data = data;\n", bits - 1)
        + &super::line("f_data", bits, clocks)
        + &super::age(clocks)
        + &format!(
            "always @(*) if (f_age >= {clocks}) is_the_data: assert (image == {});\n\
             always @(*) cover (f_age >= {clocks} && &image);\n",
            super::ago("f_data", clocks)
        );
    let property = format!("image = data, {clocks} clocks ago");
    let claim = Claim::new(property, Method::AnyState { depth: clocks + 1 }, clocks + 1, text);
    design.proof("image_register", &Design::path("image_register"), claim)
}

/// Every device holds what was stored last, devices of rows that do not exist stay HRS, and a read shows it.
fn device_array(design: &Design) -> Proof {
    let machine = &design.machine;
    let (rows, lanes, groups) = (machine.row_lanes, machine.column_lanes, machine.row_groups());
    let depth = machine.column_groups() * groups;
    let (address, row, lane) = (bits_to_index(depth), bits_to_index(rows), bits_to_index(lanes));
    // A single address is not looked at, and its stores land two clocks later.
    let (address_is_right, store) = if depth == 1 {
        let store = "  f_waits <= f_stored;\n  f_waiting <= write_data[f_row % 16];\n  f_due <= f_waits;\n  \
                     f_value <= f_waiting;\n  if (f_due) f_state <= f_value;\n";
        ("1", format!("reg f_waits = 0, f_waiting, f_due = 0, f_value;\nalways @(posedge clock) begin\n{store}end\n"))
    } else {
        let store = "  if (f_stored) f_state <= f_exists && write_data[f_row % 16];\n";
        ("write_address == f_at", format!("always @(posedge clock) begin\n{store}end\n"))
    };
    // One device of one lane at one address, all three the solver's choice.
    let mut text = format!(
        "(* anyconst *) wire [{}:0] f_at;\n(* anyconst *) wire [{}:0] f_lane;\n(* anyconst *) wire [{}:0] f_row;\n\
         always @(*) assume (f_at < {depth} && f_lane < {lanes} && f_row < {rows});\n\
         {}reg f_running = 0, f_state, f_read = 0, f_shown;\n\
         wire f_exists = (f_at % {groups}) * {rows} + f_row < {};\n\
         wire f_stored = write_enable && {address_is_right} && write_lane == f_lane && write_word == f_row / 16;\n\
         always @(posedge clock) begin\n  f_running <= 1;\n  f_read <= read_address == f_at;\n  f_shown <= f_state;\nend\n\
         {store}",
        address - 1,
        lane - 1,
        row - 1,
        if depth == 1 {
            String::new()
        } else {
            format!("always @(*) if (write_enable) assume (write_address < {depth});\n")
        },
        machine.rows,
    );
    if depth == 1 {
        text += "wire f_held = enable_held && lane_held == f_lane && word_held == f_row / 16;\n\
                 always @(*) is_held: assert (f_waits == f_held && (!f_waits || f_waiting == data_held[f_row % 16]));\n";
        for group in 0..lanes.div_ceil(4) {
            text += &format!(
                "wire f_copy_{group} = enable_copy_{group} && lane_copy_{group} == f_lane && word_copy_{group} == f_row / 16;\n\
                 always @(*) if (f_lane / 4 == {group}) is_copied_{group}: \
                 assert (f_due == f_copy_{group} && (!f_due || f_value == data_copy_{group}[f_row % 16]));\n"
            );
        }
    }
    let mut given = String::new();
    for (r, columns) in design.contents.devices.iter().enumerate() {
        for column in (0..columns.len()).filter(|column| columns[*column]) {
            let at = column / lanes * groups + r / rows;
            given += &format!(" || (f_at == {at} && f_lane == {} && f_row == {})", column % lanes, r % rows);
        }
    }
    text += &format!("always @(*) if (!f_running) assume (f_state == (1'b0{given}));\n");
    for c in 0..lanes {
        let mut kept = String::new();
        for word in 0..rows.div_ceil(16) {
            let index = if depth == 1 { String::new() } else { "[f_at]".into() };
            let width = (rows - 16 * word).min(16);
            kept += &format!(
                "wire [{}:0] f_kept_{c}_{word} = lane_{c}_{word}{index};\n\
                 always @(*) if (f_lane == {c} && f_row / 16 == {word}) is_kept_{c}_{word}: \
                 assert (f_kept_{c}_{word}[f_row % 16] == f_state);\n",
                width - 1
            );
        }
        text += &kept;
        let guard = if depth == 1 { "1" } else { "f_running && f_read" };
        let state = if depth == 1 { "f_state" } else { "f_shown" };
        for p in 0..machine.plane_lanes {
            let at = c * machine.plane_lanes + p;
            text += &format!(
                "always @(*) if ({guard} && f_lane == {c}) is_shown_{at}: assert (devices${at}[f_row] == {state});\n"
            );
        }
    }
    text += "always @(*) cover (f_running && f_read && f_shown && !f_state);\n";
    let property = format!(
        "a device shows the state last stored, {depth} addresses of {lanes} x {rows}; rows beyond the last are HRS"
    );
    let claim = Claim::new(property, Method::Induction { depth: 2 }, 5, text);
    design.proof("device_array", &Design::path("devices"), claim)
}
