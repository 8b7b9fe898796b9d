//! Blocks that pick: feeder, selectors, the register map.

use super::proof::{Method, Proof};
use super::{Claim, Design, age, ago, line};
use bitline_golden::machine::Machine;
use bitline_golden::registers::{REGISTERS, Region};
use bitline_golden::timing;

/// The claims about a design's selectors.
pub fn proofs(design: &Design) -> Vec<Proof> {
    let machine = &design.machine;
    vec![
        design.proof("feeder", &Design::path("feeder"), feeder(machine)),
        design.proof("lane_select", &Design::path("lane_select"), lane_select(machine)),
        design.proof("read_select", &Design::path("read_select"), read_select(machine)),
        design.proof("register_reader", &Design::path("registers$reader"), register_reader(design)),
    ]
}

/// Row r of plane p is that bit of the row's code; bias rows have the bias code, rows and planes beyond the last are 0;
/// as many clocks later as the machine's feeder takes.
fn feeder(machine: &Machine) -> Claim {
    let (rows, planes, inputs) = (machine.row_lanes, machine.plane_lanes, machine.inputs());
    let mut text = format!(
        "always @(*) assume (row_group < {} && plane_group < {});\n",
        machine.row_groups(),
        machine.plane_groups()
    );
    let clocks = timing::feeder_cycles(machine) as usize;
    text += &age(clocks);
    for p in 0..planes {
        text += &format!(
            "reg [{high}:0] f_rows_{p};\ninteger f_r_{p}, f_rg_{p}, f_pg_{p}, f_row_{p}, f_plane_{p};\nalways @(*) begin\n  \
             f_rows_{p} = 0;\n  for (f_rg_{p} = 0; f_rg_{p} < {groups}; f_rg_{p} = f_rg_{p} + 1)\n  \
             for (f_pg_{p} = 0; f_pg_{p} < {plane_groups}; f_pg_{p} = f_pg_{p} + 1)\n  \
             for (f_r_{p} = 0; f_r_{p} < {rows}; f_r_{p} = f_r_{p} + 1) begin\n    \
             f_row_{p} = f_rg_{p} * {rows} + f_r_{p};\n    f_plane_{p} = f_pg_{p} * {planes} + {p};\n    \
             if (row_group == f_rg_{p} && plane_group == f_pg_{p}) begin\n      \
             if (f_plane_{p} >= {bits} || f_row_{p} >= {all}) f_rows_{p}[f_r_{p}] = 0;\n      \
             else if (f_row_{p} >= {inputs}) f_rows_{p}[f_r_{p}] = ({bias} >> f_plane_{p}) & 1;\n      \
             else f_rows_{p}[f_r_{p}] = data[f_row_{p} * {bits} + f_plane_{p}];\n    end\n  end\nend\n",
            high = rows - 1,
            groups = machine.row_groups(),
            plane_groups = machine.plane_groups(),
            bits = machine.input_bits,
            all = machine.rows,
            bias = machine.bias_code,
        );
        text += &line(&format!("f_rows_{p}"), rows, clocks);
        for c in 0..machine.column_lanes {
            let at = c * planes + p;
            text += &format!(
                "always @(*) if (f_age >= {clocks}) is_the_plane_{at}: assert ($signed(rows${at}) == $signed({}));\n",
                ago(&format!("f_rows_{p}"), clocks)
            );
        }
    }
    text += &format!("always @(*) cover (f_age >= {clocks} && |rows$0 && row_group == 0);\n");
    text += &format!("always @(*) cover (row_group == {} && rows$0[0]);\n", machine.row_groups() - 1);
    let property = format!(
        "drives = planes of the codes {clocks} clocks ago, {} rows, {planes} planes; groups that exist",
        machine.rows
    );
    Claim::new(property, Method::AnyState { depth: clocks + 1 }, clocks + 1, text)
}

/// The lane asked for a clock ago, 0 beyond the last, of the slot then; of the slot now where the image is registered before.
fn lane_select(machine: &Machine) -> Claim {
    let (lanes, clocks) = (machine.slot_words(), 1 - timing::image_register_cycles(machine) as usize);
    let text = line("lane", 16, 1)
        + &line("data", lanes * 16, clocks)
        + &format!(
            "wire [15:0] f_word = $unsigned(lane_1) < {lanes} ? {} >> (16 * $unsigned(lane_1)) : 0;\n",
            ago("data", clocks)
        )
        + &age(1)
        + &format!(
            "always @(*) if (f_age >= 1) is_the_lane: assert (word == f_word);\n\
             always @(*) cover (f_age >= 1 && word == 16'h1234);\nalways @(*) cover (lane == {});\n",
            lanes - 1
        );
    let property = format!("word = lane asked for a clock ago of the slot {clocks} clocks ago, {lanes} lanes");
    Claim::new(property, Method::AnyState { depth: 2 }, 2, text)
}

/// The word of the region asked for: devices and label of two clocks ago, the slot's lane of one clock ago.
fn read_select(machine: &Machine) -> Claim {
    let (lanes, rows, words) = (machine.column_lanes, machine.row_lanes, machine.array_words());
    let (array, slots, labels) = (Region::Array as u8, Region::Slots as u8, Region::Labels as u8);
    let mut text = "reg [15:0] f_lane_1 = 0, f_word_1 = 0, f_region_1 = 0;\nalways @(posedge clock) begin\n  \
                    f_lane_1 <= lane;\n  f_word_1 <= word;\n  f_region_1 <= region;\nend\n"
        .to_string();
    text += &format!("reg [{}:0] f_column;\nalways @(*) begin\n  f_column = 0;\n", rows.max(16) - 1);
    for lane in 0..lanes {
        text += &format!("  if (f_lane_1 == {lane}) f_column = devices${};\n", lane * machine.plane_lanes);
    }
    text += &format!(
        "end\nwire [15:0] f_held = f_region_1 == {array} ? (f_word_1 < {words} ? f_column >> (16 * f_word_1) : 0) : \
         f_region_1 == {labels} ? label : 0;\nwire f_of_slot = f_region_1 == {slots};\nwire [15:0] f_slot = slot_word;\n"
    );
    text += &line("f_held", 16, 2);
    text += &line("f_of_slot", 1, 2);
    text += &line("f_slot", 16, 1);
    text += &age(3);
    text += "always @(*) if (f_age >= 3) is_the_word: assert (read_data == (f_of_slot_2 ? f_slot_1 : f_held_2));\n\
             always @(*) cover (f_age >= 3 && f_of_slot_2 && read_data == 9);\n\
             always @(*) cover (f_age >= 3 && !f_of_slot_2 && read_data == 10);\n";
    let property = "read_data = the word of devices, slot or label, three clocks after its address";
    Claim::new(property, Method::AnyState { depth: 4 }, 4, text)
}

/// Every word of the register map, a clock later: constants as the machine has them, values as they are given.
fn register_reader(design: &Design) -> Claim {
    let machine = &design.machine;
    // Values in the order in which the register file gives them.
    let mut values =
        vec!["frames_ok", "frames_bad", "frames_resent", "status", "mode", "first_slot", "image_count", "result_slot"];
    values.extend(["checksum_region", "checksum"]);
    values.extend(bitline_golden::registers::RUN_COUNTERS);
    let hash = bitline_hdl::simulation::build_hash(machine);
    let mut cases = String::new();
    for register in REGISTERS {
        let constant: Option<u128> = match register.name {
            "protocol" => Some(u128::from(bitline_golden::registers::PROTOCOL_VERSION)),
            "name" => Some(machine.name.bytes().rev().fold(0, |text, byte| text << 8 | u128::from(byte))),
            "rows" => Some(machine.rows as u128),
            "outputs" => Some(machine.outputs as u128),
            "word_bits" => Some((machine.weight_bits + 256 * machine.input_bits) as u128),
            "row_lanes" => Some(machine.row_lanes as u128),
            "plane_lanes" => Some(machine.plane_lanes as u128),
            "column_lanes" => Some(machine.column_lanes as u128),
            "slots" => Some(machine.slots as u128),
            "quantizer_bits" => Some(u128::from(machine.quantizer.bits)),
            "build_hash" => Some(u128::from(hash)),
            _ => None,
        };
        let value = values.iter().position(|name| *name == register.name);
        for k in 0..register.words {
            let word = match (constant, value) {
                (Some(constant), _) => format!("{}", constant >> (16 * u32::from(k)) & 0xFFFF),
                (None, Some(index)) => format!("values${index} >> {}", 16 * k),
                (None, None) => "0".into(),
            };
            cases += &format!("    {}: f_word = {word};\n", register.offset + k);
        }
    }
    let text = format!(
        "reg [15:0] f_word;\nalways @(*) begin\n  case (offset)\n{cases}    default: f_word = 0;\n  endcase\nend\n"
    ) + &line("f_word", 16, 1)
        + &age(1)
        + &format!(
            "always @(*) if (f_age >= 1) is_the_word: assert ($signed(word) == {});\n\
             always @(*) cover (f_age >= 1 && word == 16'hffff);\nalways @(*) cover (f_age >= 1 && word == {});\n",
            ago("f_word", 1),
            machine.rows
        );
    Claim::new("word = register at the offset, a clock later", Method::AnyState { depth: 2 }, 2, text)
}
