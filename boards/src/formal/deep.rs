//! Leaf blocks of machines that run programs: which there are, and the claims about wiring, counts and sums.
//!
//! Outputs, codes and the verdict are in `deep_outputs.rs`, decisions in `deep_control.rs`, memories in `deep_storage.rs`.

use super::arithmetic::ones;
use super::modules::Modules;
use super::proof::{Method, Proof};
use super::{Claim, age, ago, arithmetic, deep_control, deep_outputs, deep_storage, line};
use crate::error::BoardError;
use bitline_golden::deep_machine::DeepMachine;
use bitline_hdl::deep::core::DeepContents;
use bitline_hdl::export::deep_verilog;

/// Every proof of these machines' leaves; the quick form is of the first machine. Equal proofs come once.
///
/// # Errors
/// [`BoardError::Export`] if a machine has no Verilog, [`BoardError::Unproved`] if its export has a block that no proof speaks of.
pub fn proofs(machines: &[DeepMachine]) -> Result<Vec<Proof>, BoardError> {
    let mut found = Vec::new();
    for (at, machine) in machines.iter().enumerate() {
        let text = deep_verilog(machine, &DeepContents::default(), None, true)
            .map_err(|e| BoardError::Export { machine: machine.name.clone(), reason: e.to_string() })?;
        let more = checked(machine, &text)?;
        super::add(
            &mut found,
            more.into_iter().map(|proof| Proof { quick: at == 0 && is_quick(&proof), ..proof }).collect(),
        );
    }
    super::number(&mut found);
    Ok(found)
}

/// Blocks that RustHDL's translator writes, and the register map's reader, which is proved of the machines of one layer.
const TRANSLATED: [&str; 20] = [
    "receiver",
    "executor",
    "transmitter",
    "link_crc",
    "region_check",
    "registers",
    "registers$reader",
    "checksum",
    "frames",
    "run_counter",
    "core",
    "core$control",
    "core$feed",
    "core$feed$walk",
    "core$feed$gatherer",
    "core$reader",
    "core$crossbar",
    "core$activation",
    "core$activation$results",
    "core$counters",
];

/// Leaves that have a proof in [`of_text`].
const LEAVES: [&str; 22] = [
    "frame_buffer",
    "labels",
    "core$decoder",
    "core$program_memory",
    "core$feed$code_memory",
    "core$feed$rotator",
    "core$feed$write_select",
    "core$feed$window_memory",
    "core$crossbar$tile_memory",
    "core$crossbar$spread",
    "core$crossbar$column",
    "core$crossbar$quantizer",
    "core$crossbar$saturation_counter",
    "core$crossbar$row_counter",
    "core$crossbar$mac_counter",
    "core$crossbar$plane_sum",
    "core$crossbar$recombination",
    "core$activation$threshold",
    "core$activation$pool",
    "core$activation$sum_rank",
    "core$activation$results$bank",
    "core$counters$memory",
];

/// A module of an export that no proof speaks of.
fn unspoken_of(text: &str) -> Option<String> {
    let modules = Modules::parse(text);
    let known = |module: &str| {
        let name = module.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('$');
        let mut ports: Vec<String> = modules.ports(module).into_iter().map(|port| port.name).collect();
        ports.sort();
        name == "top"
            || module.starts_with("count_")
            || name
                .strip_prefix("top$")
                .is_some_and(|name| [&TRANSLATED[..], &LEAVES].iter().any(|known| known.contains(&name)))
            || ports == ["clock", "d", "q"]
    };
    modules.names().find(|module| !known(module)).map(str::to_string)
}

/// Of proofs that are alike (columns, lanes) the first is in the quick form; what takes long is not.
fn is_quick(proof: &Proof) -> bool {
    match proof.block {
        "plane_sum" => !proof.property.starts_with("S of column") || proof.property.starts_with("S of column 0 "),
        "tile_memory" => proof.property.starts_with("devices of column 0 "),
        "recombination" | "threshold" | "sum_rank" => false,
        _ => true,
    }
}

/// The proofs of a machine's export.
///
/// # Errors
/// [`BoardError::Unproved`] if it has a block that no proof speaks of.
pub fn checked(machine: &DeepMachine, text: &str) -> Result<Vec<Proof>, BoardError> {
    match unspoken_of(text) {
        Some(module) => Err(BoardError::Unproved { machine: machine.name.clone(), module }),
        None => Ok(of_text(machine, text)),
    }
}

/// The proofs of a machine with Verilog of any origin, such as one that was damaged.
pub fn of_text(machine: &DeepMachine, text: &str) -> Vec<Proof> {
    let modules = Modules::parse(text);
    let proof = |block: &'static str, path: &str, instances: usize, claim: Claim| {
        let Claim { property, method, cover_depth, text, free: _ } = claim;
        let verilog = modules.with_properties(&format!("top${path}"), block, &text, &[]);
        let machine = machine.name.clone();
        Proof { block, machine, instances, property, method, cover_depth, verilog, quick: false, number: 0 }
    };
    let (columns, planes, lanes) = (machine.tile_columns, machine.plane_lanes, machine.output_lanes);
    let (face, result_bits) = (machine.face(), bitline_golden::deep_registers::result_bits(machine));
    let mut proofs = vec![
        proof("spread", "core$crossbar$spread", 1, spread(machine)),
        proof("column_counter", "core$crossbar$column$0", columns * planes, arithmetic::column_counter(&face)),
        proof("column_quantizer", "core$crossbar$quantizer$0", columns * planes, arithmetic::column_quantizer(&face)),
        proof("saturation_counter", "core$crossbar$saturation_counter", 1, arithmetic::saturation_counter(&face)),
        proof("row_counter", "core$crossbar$row_counter$0", planes, row_counter(machine)),
        proof("mac_counter", "core$crossbar$mac_counter", 1, mac_counter(machine)),
        proof("code_rotator", "core$feed$rotator", 1, code_rotator(machine)),
        proof("write_select", "core$feed$write_select", 1, write_select(machine)),
        proof("plane_sum", "core$crossbar$plane_sum", 1, active_sum(machine)),
        proof("memory", "frame_buffer", 1, deep_storage::memory(256, 8, "frame_buffer")),
        proof("memory", "labels", 1, deep_storage::memory(machine.slots, 16, "labels")),
        proof("memory", "core$counters$memory", 1, deep_storage::memory((machine.layers + 2) << 3, 32, "counters")),
        proof(
            "memory",
            "core$activation$results$bank$0",
            lanes,
            deep_storage::memory(
                (machine.slots << result_bits) / lanes,
                machine.sum_bits().max(bitline_golden::machine::bits_to_index(machine.sums)),
                "results",
            ),
        ),
    ];
    for lane in 0..machine.output_lanes {
        proofs.push(proof(
            "recombination",
            "core$crossbar$recombination",
            1,
            deep_outputs::recombination(machine, lane),
        ));
        proofs.push(proof("threshold", "core$activation$threshold", 1, deep_outputs::threshold(machine, lane)));
    }
    proofs.extend([
        proof("pool", "core$activation$pool", 1, deep_outputs::pool(machine)),
        proof("sum_rank", "core$activation$sum_rank", 1, deep_outputs::sum_rank(machine)),
        proof("region_check", "region_check", 1, deep_control::region_check(machine)),
        proof("instruction_decoder", "core$decoder", 1, deep_control::instruction_decoder()),
        proof("window_walk", "core$feed$walk", 1, deep_control::window_walk()),
        proof("program_memory", "core$program_memory", 1, deep_storage::program_memory(machine)),
        proof("code_memory", "core$feed$code_memory", 1, deep_storage::code_memory(machine)),
    ]);
    // Of more codes the solver does not end in the minutes that a proof has.
    if machine.tile_rows * machine.row_groups <= 256 {
        proofs.push(proof("window_memory", "core$feed$window_memory", 1, deep_storage::window_memory(machine)));
    }
    for column in 0..machine.tile_columns {
        proofs.push(proof("tile_memory", "core$crossbar$tile_memory", 1, deep_storage::tile_memory(machine, column)));
    }
    proofs.extend(
        (0..machine.tile_columns)
            .map(|column| proof("plane_sum", "core$crossbar$plane_sum", 1, column_sum(machine, column))),
    );
    proofs
}

/// Each pair of column k and plane p, at k * planes + p, has the column's devices and the plane's rows.
fn spread(machine: &DeepMachine) -> Claim {
    let planes = machine.plane_lanes;
    let mut text = String::new();
    for at in 0..machine.tile_columns * planes {
        text += &format!(
            "always @(*) devices_of_{at}: assert (column_devices${at} == devices${});\n\
             always @(*) rows_of_{at}: assert (column_rows${at} == rows${});\n",
            at / planes,
            at % planes
        );
    }
    let last = machine.tile_columns * planes - 1;
    text += &format!("always @(*) cover (|column_devices${last} && |column_rows${last} && !column_devices$0);\n");
    let property =
        format!("pair k * {planes} + p has column k's devices and plane p's rows, {} columns", machine.tile_columns);
    Claim::new(property, Method::AnyState { depth: 1 }, 1, text)
}

/// a = popcount(p), as many clocks later as a column's count takes.
fn row_counter(machine: &DeepMachine) -> Claim {
    let (rows, clocks) =
        (machine.tile_rows, bitline_hdl::deep::row_counter::RowCounter::latency_cycles(machine.tile_rows) as usize);
    let driven: Vec<String> = (0..rows).map(|i| format!("rows[{i}]")).collect();
    let text = format!("wire [15:0] f_ones = {};\n", ones(&driven))
        + &line("f_ones", 16, clocks)
        + &age(clocks)
        + &format!(
            "always @(*) if (f_age >= {clocks}) is_the_count: assert (count == {});\n\
             always @(*) cover (f_age >= {clocks} && count == {rows});\n\
             always @(*) cover (f_age >= {clocks} && count == {});\n",
            ago("f_ones", clocks),
            rows / 2
        );
    let property = format!("count = popcount(rows) {clocks} clocks ago, {rows} rows");
    Claim::new(property, Method::AnyState { depth: clocks + 1 }, clocks + 1, text)
}

/// Rows times outputs of two clocks ago, 0 where they do not count.
fn mac_counter(machine: &DeepMachine) -> Claim {
    let (rows, outputs) = (machine.tile_rows, machine.tile_columns);
    let text = format!(
        "always @(*) assume (rows <= {rows} && outputs <= {outputs});\n\
         wire [31:0] f_rows = rows, f_outputs = outputs;\nwire [31:0] f_macs = enable ? f_rows * f_outputs : 0;\n"
    ) + &line("f_macs", 32, 2)
        + &age(2)
        + &format!(
            "always @(*) if (f_age >= 2) is_the_product: assert (macs == f_macs_2);\n\
             always @(*) cover (f_age >= 2 && macs == {});\nalways @(*) cover (f_age >= 2 && macs == 6);\n",
            rows * outputs
        );
    let property =
        format!("macs = rows * outputs two clocks ago if they count, rows in 0..={rows}, outputs in 0..={outputs}");
    Claim::new(property, Method::AnyState { depth: 3 }, 3, text)
}

/// Lane l of `rotated` is lane (l + amount) mod lanes of the codes a clock ago.
fn code_rotator(machine: &DeepMachine) -> Claim {
    let (lanes, bits) = (machine.gather_lanes, machine.code_bits);
    let mut text = line("codes", lanes * bits, 1)
        + "reg [15:0] f_amount_1 = 0;\nalways @(posedge clock) f_amount_1 <= amount;\n"
        + &age(1);
    text += &format!("always @(*) assume (amount < {lanes});\n");
    for l in 0..lanes {
        text += &format!(
            "wire [{high}:0] f_lane_{l} = codes_1 >> ({bits} * ((f_amount_1 + {l}) % {lanes}));\n\
             always @(*) if (f_age >= 1) is_lane_{l}: assert (rotated[{first} +: {bits}] == f_lane_{l});\n",
            high = bits - 1,
            first = l * bits,
        );
    }
    text += &format!("always @(*) cover (f_age >= 1 && rotated[0 +: {bits}] == 1 && f_amount_1 == {});\n", lanes - 1);
    let property = format!("lane l = lane (l + amount) mod {lanes} of a clock ago, {bits} bits a code");
    Claim::new(property, Method::AnyState { depth: 2 }, 2, text)
}

/// What is stored a clock later, lane by lane: the link's two codes, so many of a move, or the marked ones of the thresholds.
fn write_select(machine: &DeepMachine) -> Claim {
    let (lanes, bits, made) = (machine.gather_lanes, machine.code_bits, machine.output_lanes);
    // Codes come as bytes over the link, in as many bits as they have otherwise.
    let mut text = format!(
        "always @(*) assume (link_enable + move_enable + made_enable <= 2'd1);\nalways @(*) assume (move_count <= {lanes});\n\
         reg f_link = 0, f_move = 0, f_made = 0;\nreg [31:0] f_at = 0, f_count = 0, f_marked = 0;\nreg [15:0] f_word = 0;\n\
         always @(posedge clock) begin\n  f_link <= link_enable;\n  f_move <= move_enable;\n  f_made <= made_enable;\n  \
         f_at <= link_enable ? link_address : move_enable ? move_address : made_address;\n  f_count <= move_count;\n  \
         f_marked <= made_lanes;\n  f_word <= link_word;\nend\n"
    );
    text += &age(1);
    text += "always @(*) if (f_age >= 1) stores: assert (write_enable == (f_link || f_move || f_made));\n\
             always @(*) if (f_age >= 1 && write_enable) there: assert (write_address == f_at);\n";
    for l in 0..lanes {
        let slice = format!("[{} +: {bits}]", l * bits);
        text += &format!(
            "always @(*) window_{l}: assert (window_codes{slice} == (constant ? constant_code[{high}:0] : gathered{slice}));\n\
             reg [{high}:0] f_window_{l} = 0, f_made_{l} = 0;\n\
             always @(posedge clock) f_window_{l} <= constant ? constant_code[{high}:0] : gathered{slice};\n",
            high = bits - 1
        );
        if l < made {
            text += &format!("always @(posedge clock) f_made_{l} <= made${l};\n");
        }
        let of_link = if l < 2 { format!("f_word[{} +: {bits}]", 8 * l) } else { "0".into() };
        let marked = if l < made { format!("f_marked[{l}]") } else { "1'b0".into() };
        text += &format!(
            "always @(*) if (f_age >= 1 && write_enable) begin\n  \
             which_{l}: assert (write_mask[{l}] == (f_link ? {} : f_move ? {l} < f_count : {marked}));\n  \
             if (write_mask[{l}]) code_{l}: assert (write_codes{slice} == (f_link ? {of_link} : f_move ? f_window_{l} : f_made_{l}));\nend\n",
            u8::from(l < 2)
        );
    }
    text += &format!(
        "always @(*) cover (f_age >= 1 && f_move && f_count == {lanes} && write_mask[{last}] && write_codes[{top} +: {bits}] == 1);\n\
         always @(*) cover (f_age >= 1 && f_made && write_mask[{lane}] && !write_mask[{last}]);\n\
         always @(*) cover (f_age >= 1 && f_link && write_codes[{bits} +: {bits}] == 1);\n",
        last = lanes - 1,
        top = (lanes - 1) * bits,
        lane = made.min(lanes - 1) - 1,
    );
    let property =
        format!("what is stored a clock later: link, move or thresholds, {lanes} lanes; window codes at once");
    Claim::new(property, Method::AnyState { depth: 2 }, 2, text)
}

/// Verilog: `f_step`, one step's `terms` with the powers of its planes; two clocks later `f_sum`, over steps from `first` on.
fn steps(machine: &DeepMachine, terms: &[String], width: usize) -> String {
    let (planes, groups) = (machine.plane_lanes, machine.code_bits / machine.plane_lanes);
    let powers: Vec<String> = terms.iter().enumerate().map(|(p, term)| format!("({{32'd0, {term}}} << {p})")).collect();
    // A plane group that does not exist stands for the lowest.
    format!(
        "wire [31:0] f_group = plane_group < {groups} ? plane_group : 0;\n\
         wire [31:0] f_step = ({}) << (f_group * {planes});\n\
         reg [31:0] f_step_1 = 0, f_sum = 0;\nreg f_valid_1 = 0, f_first_1 = 0, f_known = 0;\n\
         always @(posedge clock) begin\n  f_step_1 <= f_step;\n  f_valid_1 <= valid;\n  f_first_1 <= first;\n  \
         if (f_valid_1) begin\n    f_sum <= ((f_first_1 ? 0 : f_sum) + f_step_1) & {{{width}{{1'b1}}}};\n    \
         if (f_first_1) f_known <= 1;\n  end\nend\n",
        powers.join(" + ")
    )
}

/// S of one column: sum over the steps since `first` of 2^i q, in as many bits as the port has.
fn column_sum(machine: &DeepMachine, column: usize) -> Claim {
    let planes = machine.plane_lanes;
    let terms: Vec<String> = (0..planes).map(|p| format!("codes${}", column * planes + p)).collect();
    let all = terms.iter().map(|term| format!("{term} <= {}", machine.code_max())).collect::<Vec<_>>().join(" && ");
    let text = format!("always @(*) assume ({all});\n")
        + &steps(machine, &terms, machine.column_sum_bits())
        + &format!(
            "always @(*) if (f_known) is_the_sum: assert (sums${column} == f_sum);\n\
             always @(*) cover (f_known && sums${column} == {});\n",
            2 * machine.code_max()
        );
    let property = format!("S of column {column} = sum of 2^i q since `first`, modulo 2^{}", machine.column_sum_bits());
    Claim::new(property, Method::InductionFromAnyState { depth: 3 }, 6, text)
}

/// A, the same of active rows; `done` two clocks after the last step; `pulses`, the rows of a step, one clock after it.
fn active_sum(machine: &DeepMachine) -> Claim {
    let (planes, rows) = (machine.plane_lanes, machine.tile_rows);
    let terms: Vec<String> = (0..planes).map(|p| format!("active${p}")).collect();
    let all = terms.iter().map(|term| format!("{term} <= {rows}")).collect::<Vec<_>>().join(" && ");
    let added = terms.iter().map(|term| format!("{{32'd0, {term}}}")).collect::<Vec<_>>().join(" + ");
    let text = format!("always @(*) assume ({all});\n")
        + &steps(machine, &terms, 32)
        + &format!("wire f_last = valid && last;\nwire [31:0] f_pulses = valid ? {added} : 0;\n")
        + &line("f_last", 1, 2)
        + &line("f_pulses", 32, 1)
        + &age(2)
        + &format!(
            "always @(*) if (f_known) is_the_sum: assert (active_sum == f_sum[$bits(active_sum)-1:0]);\n\
             always @(*) if (f_age >= 2) is_done: assert (done == f_last_2[0]);\n\
             always @(*) if (f_age >= 1) are_the_pulses: assert (pulses == f_pulses_1);\n\
             always @(*) cover (f_known && active_sum == {} && done);\nalways @(*) cover (pulses == {});\n",
            2 * rows,
            planes * rows
        );
    Claim::new("A = sum of 2^i a since `first`; done; rows driven", Method::InductionFromAnyState { depth: 3 }, 6, text)
}
