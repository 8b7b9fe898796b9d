//! Blocks of machines that run programs that decide: which instruction is legal, which word exists, which window is next.

use super::proof::Method;
use super::{Claim, age, line};
use bitline_firmware::isa::{Field, OPERATIONS, Operation, WORDS};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::deep_registers::DeepRegion;
use bitline_golden::registers::find;

/// A field's value among an instruction's `words`.
fn value(words: &str, field: &Field) -> String {
    format!("{words}[{} +: {}]", 16 * field.word + field.low as usize, field.bits)
}

/// Verilog: `words` are an instruction of that operation, as the table has it.
fn is_legal(operation: &Operation) -> String {
    let mut owned = 0xFFFFu128;
    let mut ranges = String::new();
    for field in operation.fields {
        owned |= ((1u128 << field.bits) - 1) << (16 * field.word + field.low as usize);
        let value = value("words", field);
        // One more bit, so that no largest value is a comparison that cannot fail.
        ranges += &format!(" && {{1'b0, {value}}} >= {} && {{1'b0, {value}}} <= {}", field.min, field.max);
        if field.name == "columns" {
            ranges += &format!(" && {value} != 2 && {value} != 3 && {value} != 5 && {value} != 6 && {value} != 7");
        }
    }
    let stray = !owned;
    format!("(words[15:0] == {} && (words & 128'h{stray:x}) == 0{ranges})", operation.opcode as u16)
}

/// An instruction is legal if and only if firmware's table says so; its fields are shown from when it is applied until the
/// operation is applied again.
pub(super) fn instruction_decoder() -> Claim {
    let legal: Vec<String> = OPERATIONS.iter().map(is_legal).collect();
    let high = 16 * WORDS - 1;
    let mut text = format!(
        "wire f_legal = {};\nreg [{high}:0] f_words = 0;\nreg f_is_legal = 0;\n\
         always @(posedge clock) if (load) begin\n  f_words <= words;\n  f_is_legal <= f_legal;\nend\n\
         always @(*) is_shown: assert (shown == f_words);\nalways @(*) is_legal: assert (legal == f_is_legal);\n\
         always @(*) is_its_code: assert (opcode == f_words[15:0]);\n",
        legal.join("\n    || ")
    );
    let count =
        OPERATIONS.iter().flat_map(|o| o.fields).find(|field| field.name == "layer").expect("`count` names a layer");
    // A port that is narrower than its field shows what does not fit as its largest number.
    let shown = |port: &str, whole: &str| {
        let most = format!("((32'd1 << $bits({port})) - 32'd1)");
        format!("{port} == ({whole} > {most} ? {most} : {whole})")
    };
    text += &format!(
        "wire [31:0] f_layer = {};\nalways @(*) is_its_record: assert ({});\n",
        value("f_words", count),
        shown("shown_layer", "f_layer")
    );
    for operation in &OPERATIONS {
        for field in operation.fields {
            let name = format!("{}_{}", operation.name, field.name);
            text += &format!(
                "reg [{}:0] f_{name} = 0;\n\
                 always @(posedge clock) if (apply && f_words[15:0] == {}) f_{name} <= {};\n\
                 always @(*) keeps_{name}: assert ({});\n",
                field.bits - 1,
                operation.opcode as u16,
                value("f_words", field),
                shown(&name, &format!("f_{name}"))
            );
        }
        text += &format!("always @(*) cover (legal && opcode == {});\n", operation.opcode as u16);
    }
    text += &format!("always @(*) cover (!legal && opcode == {} && f_words != 0);\n", OPERATIONS.len() - 1);
    text += "always @(*) cover (!legal && tiles_columns == 3);\n";
    let property =
        format!("legal = the table of {} operations says so; fields kept from when they are applied", OPERATIONS.len());
    Claim::new(property, Method::Induction { depth: 2 }, 4, text)
}

/// A range of words exists if and only if it lies inside its region, and may be written where the register map says so.
pub(super) fn region_check(machine: &DeepMachine) -> Claim {
    let (first, end) = (find("mode").offset, find("checksum").offset);
    let mut text = "reg [31:0] f_most, f_sum_most;\nreg f_may;\nalways @(*) begin\n  f_most = 0;\n  f_may = 0;\n  f_sum_most = 0;\n".to_string();
    for region in DeepRegion::ALL {
        let (code, words) = (region as u8, region.words(machine));
        text += &format!(
            "  if (region == {code}) begin\n    f_most = {words};\n    f_may = {};\n  end\n",
            u8::from(region.is_writable())
        );
        text += &format!("  if (sum_region == {code}) f_sum_most = {words};\n");
    }
    // Of the registers the host writes those from `mode` up to the checksum.
    text += &format!(
        "  if (region == {registers}) f_may = offset >= {first} && {{16'd0, offset}} + words <= {end};\nend\n\
         wire f_exists = {{16'd0, offset}} + words <= f_most && region < {regions};\nwire f_writable = f_may;\n",
        registers = DeepRegion::Registers as u8,
        regions = DeepRegion::ALL.len()
    );
    text += "wire [31:0] f_sum_words = f_sum_most;\nwire f_sums = sum_region != 0;\n";
    text += &[("f_exists", 1, 2), ("f_writable", 1, 2), ("f_sum_words", 32, 1), ("f_sums", 1, 1)]
        .map(|(name, width, clocks)| line(name, width, clocks))
        .concat();
    text += &age(2);
    let results = DeepRegion::Results.words(machine);
    text += &format!(
        "always @(*) if (f_age >= 2) exists_inside: assert (exists == f_exists_2[0]);\n\
         always @(*) if (f_age >= 2 && exists) may_be_written: assert (writable == f_writable_2[0]);\n\
         always @(*) if (f_age >= 1 && f_sums_1[0]) is_as_long: assert (sum_words == f_sum_words_1);\n\
         always @(*) cover (f_age >= 2 && exists && !writable);\nalways @(*) cover (f_age >= 2 && exists && writable);\n\
         always @(*) cover (f_age >= 2 && !exists);\nalways @(*) cover (f_age >= 1 && sum_words == {results});\n"
    );
    let property = format!(
        "a range exists if it lies in one of the {} regions; may be written; words of a region",
        DeepRegion::ALL.len()
    );
    Claim::new(property, Method::AnyState { depth: 3 }, 3, text)
}

/// The windows of a layer are those of four loops: squares row by row, in each its windows row by row; then the walk ends.
///
/// x `pool_step_x` and its like are sums of their own here, that grow by one step at a time.
pub(super) fn window_walk() -> Claim {
    let mut text = String::new();
    let set_up = [
        "base",
        "step_x",
        "step_y",
        "pool_step_x",
        "pool_step_y",
        "wide",
        "high",
        "size",
        "place_base",
        "place_step_x",
        "place_step_y",
    ];
    // Addresses are as wide as the machine's; what goes beyond them has no address there.
    text += "reg f_single = 0;\nwire [17:0] f_mask = (18'd1 << $bits(window)) - 18'd1;\n";
    let (mut kept, mut same) = ("      f_single <= single;\n".to_string(), "single == f_single".to_string());
    for name in set_up {
        let start = u8::from(["wide", "high", "size"].contains(&name));
        text += &format!("reg [17:0] f_{name} = {start};\n");
        kept += &format!("      f_{name} <= {name};\n");
        same += &format!(" && {name} == f_{name}");
    }
    for (name, width) in [("x", 16), ("y", 16), ("dx", 4), ("dy", 4)] {
        text += &format!("reg [{}:0] f_{name} = 0;\nreg [17:0] f_{name}_codes = 0;\n", width - 1);
    }
    text += "reg [17:0] f_place_x = 0, f_place_y = 0;\nreg f_walking = 0;\n";
    let next = |name: &str, step: &str| {
        format!("f_{name} <= f_{name} + 1;\n        f_{name}_codes <= f_{name}_codes + f_{step};\n")
    };
    let zero = |name: &str| format!("        f_{name} <= 0;\n        f_{name}_codes <= 0;\n");
    text += &format!(
        "wire f_dx_end = f_single || f_dx + 1 == f_size, f_dy_end = f_single || f_dy + 1 == f_size;\n\
         wire f_x_end = f_single || f_x + 1 == f_wide, f_y_end = f_single || f_y + 1 == f_high;\n\
         always @(*) if (start && !single) assume (wide != 0 && high != 0 && size != 0);\n\
         always @(*) if (f_walking && !start) assume ({same});\n\
         always @(posedge clock) begin\n  if (start) begin\n{kept}      f_walking <= !abort;\n{zeros}      f_place_x <= 0;\n      f_place_y <= 0;\n  \
         end else if (abort) f_walking <= 0;\n  else if (f_walking && take) begin\n    \
         if (!f_dx_end) begin\n        {dx}    end else begin\n{no_dx}      if (!f_dy_end) begin\n        {dy}      end else begin\n{no_dy}        \
         if (!f_x_end) begin\n        {x}        f_place_x <= f_place_x + f_place_step_x;\n        end else begin\n{no_x}        f_place_x <= 0;\n        {y}        \
         f_place_y <= f_place_y + f_place_step_y;\n        if (f_y_end) f_walking <= 0;\n        end\n      end\n    end\n  end\nend\n",
        zeros = ["x", "y", "dx", "dy"].map(zero).concat(),
        dx = next("dx", "step_x"),
        dy = next("dy", "step_y"),
        x = next("x", "pool_step_x"),
        y = next("y", "pool_step_y"),
        no_dx = zero("dx"),
        no_dy = zero("dy"),
        no_x = zero("x"),
    );
    text += "always @(*) walks: assert (valid == f_walking);\n\
             always @(*) if (valid) begin\n  \
             is_the_window: assert (window == ((f_base + f_y_codes + f_x_codes + f_dy_codes + f_dx_codes) & f_mask));\n  \
             is_the_place: assert (place == ((f_place_base + f_place_y + f_place_x) & f_mask));\n  \
             if (!start) is_first: assert (first == (f_single || f_dx == 0 && f_dy == 0));\n  \
             if (!start) is_last: assert (last == (f_single || f_dx + 1 == f_size && f_dy + 1 == f_size));\n  \
             if (!start) is_final: assert (final_window == (f_dx_end && f_dy_end && f_x_end && f_y_end));\n  \
             is_inside: assert (f_single || f_dx < f_size && f_dy < f_size && f_x < f_wide && f_y < f_high);\n  \
             counts_down: assert (f_single || dx$q == f_size - f_dx && dy$q == f_size - f_dy && x$q == f_wide - f_x && y$q == f_high - f_y);\n  \
             begins_squares: assert (row_of_squares$q == ((f_base + f_y_codes) & f_mask) && square$q == ((f_base + f_y_codes + f_x_codes) & f_mask));\n  \
             begins_windows: assert (row_of_windows$q == ((f_base + f_y_codes + f_x_codes + f_dy_codes) & f_mask));\n  \
             begins_places: assert (row_of_places$q == ((f_place_base + f_place_y) & f_mask));\n  \
             fits: assert (f_size < 16 && f_wide < 65536 && f_high < 65536);\n\
             end\n\
             always @(*) cover (valid && final_window && f_y == 1 && f_x == 1 && f_dy == 1 && f_dx == 1 && window == 1000 && place == 9);\n\
             always @(*) cover (valid && f_single && final_window);\n\
             reg f_was_final = 0;\nalways @(posedge clock) f_was_final <= valid && final_window && take && !start;\n\
             always @(*) if (f_was_final) ends: assert (!valid);\nalways @(*) cover (f_was_final && !f_single);\n";
    let property = "windows and places of four nested loops, each once and in order, then no more; what is set up stays, sizes of at least 1";
    Claim::new(property, Method::Induction { depth: 2 }, 20, text)
}
