//! Memories of machines that run programs: a read gives what was stored last, at an address that the solver chooses.

use super::proof::Method;
use super::{Claim, age, line};
use bitline_firmware::isa::WORDS;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::bits_to_index;

/// Verilog: what a shadow of a stored value starts from, and that it stays equal to it.
fn shadow(name: &str, bits: usize, stored: &str, update: &str) -> String {
    format!(
        "reg [{}:0] {name};\nalways @(posedge clock) begin\n  {update}\nend\nalways @(*) if (!f_started) assume ({stored} == {name});\n\
         always @(*) is_kept_{name}: assert ({stored} == {name});\n",
        bits - 1
    )
}

/// Verilog: an address of `depth` that the solver chooses, and `f_started`, which is not set in the first clock.
fn chosen(name: &str, depth: usize) -> String {
    format!(
        "(* anyconst *) wire [{}:0] {name};\nalways @(*) assume ({name} < {depth});\n",
        bits_to_index(depth).max(1) - 1
    )
}

const STARTED: &str = "reg f_started = 0;\nalways @(posedge clock) f_started <= 1;\n";

/// A word of a [`bitline_hdl::memory::Memory`] read is the word last stored.
pub(super) fn memory(depth: usize, bits: usize, what: &str) -> Claim {
    let update = "if (write_enable && write_address == f_at) f_word <= write_data;\n  f_given_back <= f_word;\n  f_read <= read_address == f_at;";
    let text = chosen("f_at", depth)
        + STARTED
        + &format!("reg f_read = 0;\nreg [{}:0] f_given_back;\n", bits - 1)
        + &shadow("f_word", bits, "word[f_at]", update)
        + "always @(*) if (f_started && f_read) is_given_back: assert (read_data == f_given_back);\n\
           always @(*) cover (f_started && f_read && f_given_back == 5 && f_word == 6);\n";
    let property = format!("{what}: a word read is the word last stored, {depth} of {bits} bits");
    Claim::new(property, Method::InductionFromAnyState { depth: 2 }, 5, text)
}

/// An instruction read is its words as they were last stored; so is the word for the link, a clock later.
pub(super) fn program_memory(machine: &DeepMachine) -> Claim {
    let depth = machine.instructions;
    let mut text = chosen("f_at", depth)
        + STARTED
        + "wire f_read = read_address == f_at;\n"
        + &format!("wire [{}:0] f_number = read_word;\n", bits_to_index(WORDS) - 1)
        + &line("f_read", 1, 2)
        + &line("f_number", bits_to_index(WORDS), 2)
        + &age(2)
        + &format!("always @(*) if (write_enable) assume (write_address < {depth});\n");
    let mut words = vec![];
    for word in 0..WORDS {
        let update =
            format!("if (write_enable && write_address == f_at && write_word == {word}) f_word_{word} <= write_data;");
        text += &shadow(&format!("f_word_{word}"), 16, &format!("word_{word}[f_at]"), &update);
        words.insert(0, format!("f_word_{word}"));
    }
    text += &format!("wire [{}:0] f_all = {{{}}};\n", 16 * WORDS - 1, words.join(", "));
    text += &line("f_all", 16 * WORDS, 2);
    text += "always @(*) if (f_age >= 1 && f_read_1[0]) is_the_instruction: assert (instruction == $unsigned(f_all_1));\n\
             wire [15:0] f_back = $unsigned(f_all_2) >> (16 * $unsigned(f_number_2));\n\
             always @(*) if (f_age >= 2 && f_read_2[0]) is_the_word: assert (read_data == f_back);\n\
             always @(*) cover (f_age >= 2 && f_read_2[0] && read_data == 7 && $unsigned(f_number_2) == 3);\n\
             always @(*) cover (f_age >= 2 && f_read_1[0] && f_word_0 != instruction[15:0] && f_word_7 == 9);\n";
    let property = format!(
        "an instruction read is its words last stored, {depth} of {WORDS} words; a word for the link a clock later"
    );
    Claim::new(property, Method::InductionFromAnyState { depth: 3 }, 6, text)
}

/// The devices of one word of a column, as they were last stored; read with their tile, and alone by the link.
pub(super) fn tile_memory(machine: &DeepMachine, column: usize) -> Claim {
    let (rows, tiles) = (machine.tile_rows, machine.tiles);
    let words = rows.div_ceil(16);
    let mut text = chosen("f_at", tiles)
        + STARTED
        + "wire f_read = read_address == f_at;\nwire [31:0] f_column = read_column, f_number = read_word;\n"
        + &line("f_read", 1, 2)
        + &line("f_column", 32, 2)
        + &line("f_number", 32, 2)
        + &age(2)
        + &format!("always @(*) if (write_enable) assume (write_tile < {tiles});\n");
    let mut states = vec![];
    for word in 0..words {
        let width = (rows - 16 * word).min(16);
        let name = format!("f_word_{word}");
        let update = format!(
            "if (write_enable && write_tile == f_at && write_column == {column} && write_word == {word}) {name} <= write_data;"
        );
        text += &shadow(&name, width, &format!("column_{column}_{word}[f_at]"), &update);
        states.insert(0, name);
    }
    text += &format!("wire [{}:0] f_states = {{{}}};\n", rows - 1, states.join(", "));
    text += &line("f_states", rows, 2);
    text += &format!(
        "always @(*) if (f_age >= 1 && f_read_1[0]) are_the_devices: assert (devices${column} == $unsigned(f_states_1));\n\
         wire [{high}:0] f_before = f_states_2;\nwire [15:0] f_back = f_before >> (16 * $unsigned(f_number_2));\n\
         always @(*) if (f_age >= 2 && f_read_2[0] && $unsigned(f_column_2) == {column}) is_the_word: assert (read_data == f_back);\n\
         always @(*) cover (f_age >= 2 && f_read_2[0] && $unsigned(f_column_2) == {column} && read_data == 6 && $unsigned(f_number_2) == {last});\n\
         always @(*) cover (f_age >= 2 && f_read_1[0] && f_states != devices${column} && devices${column} == 5);\n",
        high = rows - 1,
        last = words - 1
    );
    let property = format!(
        "devices of column {column} are those last stored, {tiles} tiles of {rows} rows; a word for the link a clock later"
    );
    Claim::new(property, Method::InductionFromAnyState { depth: 3 }, 6, text)
}

/// A code read is the code last stored at its address, wherever the word that was stored, or is read, begins.
pub(super) fn code_memory(machine: &DeepMachine) -> Claim {
    let (lanes, bits, places) = (machine.gather_lanes, machine.code_bits, machine.memory_codes());
    let mut text = chosen("f_at", places)
        + STARTED
        + &format!(
            "wire [31:0] f_place = f_at, f_first = write_address, f_from = read_address;\nwire [31:0] f_bank = f_place % {lanes};\n"
        )
        + "wire [31:0] f_lane = f_place - f_first;\n"
        + &format!("wire f_stored = write_enable && f_lane < {lanes} && ({{32'd0, write_mask}} >> f_lane) % 2 == 1;\n")
        + &format!("wire [{}:0] f_new = write_codes >> ({bits} * f_lane);\n", bits - 1)
        + &format!(
            "wire f_read = f_place - f_from < {lanes};\nreg [{0}:0] f_code;\nalways @(posedge clock) if (f_stored) f_code <= f_new;\n",
            bits - 1
        )
        + &line("f_read", 1, 1)
        + &line("f_code", bits, 1)
        + &line("f_from", 32, 1)
        + &age(1);
    for bank in 0..lanes {
        let stored = format!("bank_{bank}[f_at / {lanes}]");
        text += &format!(
            "always @(*) if (!f_started && f_bank == {bank}) assume ({stored} == f_code);\n\
             always @(*) if (f_bank == {bank}) is_kept_{bank}: assert ({stored} == f_code);\n\
             always @(*) if (f_age >= 1 && f_read_1[0] && f_bank == {bank}) is_given_back_{bank}: \
             assert (codes[{low} +: {bits}] == $unsigned(f_code_1));\n\
             always @(*) if (f_age >= 1 && $unsigned(f_from_1) + ({bank} - $unsigned(f_from_1)) % {lanes} >= {places}) is_nothing_{bank}: \
             assert (codes[{low} +: {bits}] == 0);\n",
            low = bank * bits
        );
    }
    text += &format!(
        "always @(*) cover (f_age >= 1 && f_read_1[0] && f_bank == 0 && codes[0 +: {bits}] == 1 && f_code != 1 && f_from_1[0]);\n\
         always @(*) cover (f_stored && f_lane == {});\n",
        lanes - 1
    );
    let property =
        format!("a code read is the code last stored at its address, {places} codes in {lanes} banks; 0 past the end");
    Claim::new(property, Method::InductionFromAnyState { depth: 2 }, 5, text)
}

/// A plane of a row read is that bit of the code last stored at its position, 0 beyond the rows and planes asked for.
pub(super) fn window_memory(machine: &DeepMachine) -> Claim {
    let (rows, groups, lanes, bits) = (machine.tile_rows, machine.row_groups, machine.gather_lanes, machine.code_bits);
    let (planes, positions) = (machine.plane_lanes, machine.tile_rows * machine.row_groups);
    let slices = rows / lanes;
    let mut text = chosen("f_at", positions)
        + "(* anyconst *) wire f_half;\n"
        + STARTED
        + &format!(
            "wire [31:0] f_position = f_at, f_first = write_position;\nwire [31:0] f_group = f_position / {rows}, f_row = f_position % {rows};\n\
             wire [31:0] f_lane = f_position % {lanes}, f_slice = f_row / {lanes};\n\
             always @(*) assume (write_count <= {lanes});\nalways @(*) assume (read_row_group < {groups});\n\
             wire f_stored = write_enable && write_window == f_half && f_position >= f_first && f_position < f_first + write_count;\n\
             wire [{high}:0] f_new = write_codes >> ({bits} * f_lane);\nreg [{high}:0] f_code;\n\
             always @(posedge clock) if (f_stored) f_code <= f_new;\n\
             wire f_read = read_window == f_half && read_row_group == f_group;\n\
             wire [31:0] f_planes = f_row < read_rows ? {{32'd0, read_planes}} : 0;\nwire [31:0] f_from = read_plane_group * {planes};\n",
            high = bits - 1
        )
        + &[("f_read", 1), ("f_code", bits), ("f_planes", 32), ("f_from", 32)]
            .map(|(name, width)| line(name, width, 2))
            .concat()
        + &age(2);
    for slice in 0..slices {
        let place = format!("{{f_half, f_group[{}:0]}}", bits_to_index(groups) - 1);
        for lane in 0..lanes {
            let stored = if slices == 1 {
                format!("lane_{lane}[{place}]")
            } else {
                format!("f_word_{slice}[{} +: {bits}]", lane * bits)
            };
            if slices > 1 && lane == 0 {
                text += &format!("wire [{}:0] f_word_{slice} = slice_{slice}[{place}];\n", lanes * bits - 1);
            }
            text += &format!(
                "always @(*) if (!f_started && f_slice == {slice} && f_lane == {lane}) assume ({stored} == f_code);\n\
                 always @(*) if (f_slice == {slice} && f_lane == {lane}) is_kept_{slice}_{lane}: assert ({stored} == f_code);\n"
            );
        }
    }
    for plane in 0..planes {
        text += &format!(
            "wire [{row_high}:0] f_shown_{plane} = rows${plane} >> f_row;\n\
             always @(*) if (f_age >= 2 && f_read_2[0] && $unsigned(f_from_2) < {bits}) is_the_plane_{plane}: assert (f_shown_{plane}[0] == \
             ({plane} < $unsigned(f_planes_2) && (($unsigned(f_code_2) >> ($unsigned(f_from_2) + {plane})) % 2 == 1)));\n",
            row_high = rows - 1
        );
    }
    text += &format!(
        "always @(*) cover (f_age >= 2 && f_read_2[0] && f_row == {last} && f_shown_0[0] && $unsigned(f_from_2) == {from});\n\
         always @(*) cover (f_age >= 2 && f_read_2[0] && !f_shown_0[0] && &f_code_2);\n\
         always @(*) cover (f_stored && f_lane == 0 && f_position != f_first);\n",
        last = rows - 1,
        from = bits - planes
    );
    let property = format!(
        "planes read are bits of the codes last stored, two windows of {groups} row groups of {rows} rows, masked"
    );
    Claim::new(property, Method::InductionFromAnyState { depth: 3 }, 6, text)
}
