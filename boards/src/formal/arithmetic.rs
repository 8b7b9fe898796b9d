//! Blocks that compute: counts, codes, sums, the verdict.
//!
//! Each claim computes the same in loops over plain integers, as many bits wide as nothing can overflow.

use super::proof::{Method, Proof};
use super::{Claim, Design, age, ago, line};
use bitline_golden::machine::Machine;
use bitline_golden::timing;

/// The claims about a design's arithmetic.
pub fn proofs(design: &Design) -> Vec<Proof> {
    let mut proofs = Vec::new();
    for (name, block, claim) in [
        ("column", "column_counter", column_counter as fn(&Machine) -> Claim),
        ("quantizer", "column_quantizer", column_quantizer),
    ] {
        for (module, instances) in design.distinct(name) {
            proofs.push(Proof { instances, ..design.proof(block, &module, claim(&design.machine)) });
        }
    }
    for lane in 0..design.machine.output_lanes() {
        proofs.push(design.proof("shift_add", &Design::path("shift_add"), shift_add(&design.machine, lane)));
    }
    for (block, claim) in [
        ("saturation_counter", saturation_counter as fn(&Machine) -> Claim),
        ("pulse_counter", pulse_counter),
        ("argmax", argmax),
    ] {
        proofs.push(design.proof(block, &Design::path(block), claim(&design.machine)));
    }
    proofs
}

/// count = sum over the row groups since `first` of popcount(rows AND devices).
pub(super) fn column_counter(machine: &Machine) -> Claim {
    let (rows, latency) = (machine.row_lanes, timing::column_counter_cycles(machine) as usize);
    let driven: Vec<String> = (0..rows).map(|i| format!("rows[{i}] && devices[{i}]")).collect();
    let ones = format!("wire [15:0] f_ones = {};\n", ones(&driven));
    let property = format!("count = popcount(rows AND devices), {rows} rows");
    if machine.row_groups() == 1 {
        let text = ones
            + &line("f_ones", 16, latency)
            + &age(latency)
            + &format!(
                "always @(*) if (f_age >= {latency}) is_the_count: assert (count == {});\n\
                 always @(*) cover (f_age >= {latency} && count == {rows});\n\
                 always @(*) cover (f_age >= {latency} && count == {});\n",
                ago("f_ones", latency),
                rows / 2
            );
        return Claim::new(property, Method::AnyState { depth: latency + 1 }, latency + 1, text);
    }
    let tree = latency - 1;
    // Equal in as many bits as the count has; a column has no more devices than those bits hold.
    let (high, groups) = (machine.count_bits() - 1, machine.row_groups());
    let text = ones
        + "reg f_known = 0;\nreg [15:0] f_sum = 0;\nalways @(posedge clock) begin\n  \
           f_sum <= (first ? 16'd0 : f_sum) + f_ones;\n  if (first) f_known <= 1;\nend\n"
        + &line("f_sum", 16, tree)
        + &line("f_known", 1, tree)
        + &format!(
            "always @(*) if ({known}) is_the_count: assert (count == {sum}[{high}:0]);\n\
             always @(*) cover ({known} && count == {all} && {sum} == {all});\n",
            known = ago("f_known", tree),
            sum = ago("f_sum", tree),
            all = machine.rows
        );
    let method = Method::InductionFromAnyState { depth: tree + 3 };
    Claim::new(format!("{property}, summed over {groups} row groups"), method, latency + groups + 2, text)
}

/// code = clamp((I m + half) >> s, 0, 2^Ba - 1) with I = (g - 1) n.
pub(super) fn column_quantizer(machine: &Machine) -> Claim {
    let (gain, quantizer) = (u64::from(machine.conductance.ratio()) - 1, machine.quantizer);
    let (rows, largest) = (machine.rows, machine.code_max());
    // Where no count is clamped, that cover is of the largest count instead.
    let half = (1u64 << quantizer.shift) >> 1;
    let scaled = |n: u64| (gain * n * u64::from(quantizer.multiplier) + half) >> quantizer.shift;
    let clamps = scaled(rows as u64) > u64::from(largest);
    let text = format!(
        "wire [63:0] f_current = 64'd{gain} * count;\n\
         wire [63:0] f_scaled = (f_current * 64'd{} + ((64'd1 << {shift}) >> 1)) >> {shift};\n\
         always @(*) assume (count <= {rows});\n\
         always @(*) is_the_code: assert (code == (f_scaled > {largest} ? {largest} : f_scaled));\n\
         always @(*) counts_a_clamp: assert (saturated == (f_scaled > {largest}));\n\
         always @(*) cover (count == {rows} && saturated == {});\nalways @(*) cover (count == 1 && code == {});\n",
        quantizer.multiplier,
        u8::from(clamps),
        scaled(1).min(u64::from(largest)),
        shift = quantizer.shift,
    );
    let property = format!(
        "code = clamp(({gain} n {} + half) >> {}, 0, {largest}), n in 0..={rows}",
        quantizer.multiplier, quantizer.shift
    );
    Claim::new(property, Method::AnyState { depth: 1 }, 1, text)
}

/// y = sum over planes i of 2^i times sum over columns j of s_j 2^j q_ij, for steps in the sequencer's order.
fn shift_add(machine: &Machine, lane: usize) -> Claim {
    let columns = machine.column_lanes.min(machine.weight_bits);
    let (planes, lanes) = (machine.plane_lanes, machine.output_lanes());
    let (subgroups, plane_groups) = (machine.weight_bits / columns, machine.plane_groups());
    let steps = subgroups * plane_groups;
    let code_max = if machine.is_lossless() { machine.rows as i64 } else { i64::from(machine.code_max()) };
    let mut text = format!(
        "reg [7:0] f_step = 0;\nreg f_known = 0;\nalways @(posedge clock) if (valid) begin\n  \
         f_step <= f_step == {last} ? 0 : f_step + 1;\n  if (first) f_known <= 1;\nend\n\
         always @(*) if (valid) begin\n  assume (first == (f_step == 0));\n  assume (subgroup == f_step / {plane_groups});\n  \
         assume (plane_group == f_step % {plane_groups});\nend\n\
         reg [7:0] f_done = 0;\nalways @(posedge clock) if (valid) f_done <= f_step;\n\
         always @(*) assert (f_step < {steps} && f_done < {steps});\n\
         always @(*) assert (f_step == (f_known ? (f_done == {last} ? 0 : f_done + 1) : 0));\n",
        last = steps - 1
    ) + &line("f_known", 1, 2)
        + &line("f_done", 8, 2);
    // Smallest and largest y after each step: all codes that count one way at their largest.
    let (mut low, mut high, mut bounds) = (0i64, 0i64, vec![]);
    for step in 0..steps {
        let (subgroup, plane_group) = (step / plane_groups, step % plane_groups);
        for (p, c) in (0..planes).flat_map(|p| (0..columns).map(move |c| (p, c))) {
            let (plane, column) = (plane_group * planes + p, subgroup * columns + c);
            let most = code_max << (plane + column);
            if column + 1 == machine.weight_bits { low -= most } else { high += most }
        }
        bounds.push((low, high));
    }
    let code = |c: usize, p: usize| format!("codes${}", (lane * columns + c) * planes + p);
    let zeros = 32 - machine.quantizer.bits;
    let small: Vec<String> =
        (0..columns * planes).map(|i| format!("{} <= {code_max}", code(i / planes, i % planes))).collect();
    let column = |c: usize| {
        let shifted = (0..planes).map(|p| format!("($signed({{{zeros}'d0, {}}}) <<< {p})", code(c, p))).collect();
        format!("({} <<< {c})", pairwise(shifted))
    };
    // The last column of a step is the one that may count negatively.
    let sign = format!("(subgroup == {} ? -1 : 1)", subgroups - 1);
    let mut terms = vec![format!("({sign} * {})", column(columns - 1))];
    if columns > 1 {
        terms.insert(0, pairwise((0..columns - 1).map(column).collect()));
    }
    let terms = terms.join(" + ");
    text += &format!(
        "always @(*) assume ({});\nwire signed [31:0] f_part_{lane} = {terms};\nreg signed [31:0] f_y_{lane} = 0;\n\
         always @(posedge clock) if (valid) f_y_{lane} <= (first ? 0 : f_y_{lane}) +\n    \
         (f_part_{lane} <<< (plane_group * {planes} + subgroup * {columns}));\n",
        small.join(" && ")
    );
    text += &line(&format!("f_y_{lane}"), 32, 2);
    for (step, (low, high)) in bounds.iter().enumerate() {
        text += &format!(
            "always @(*) if (f_known && f_done == {step}) in_range_{lane}_{step}: \
             assert (f_y_{lane} >= {low} && f_y_{lane} <= {high});\n"
        );
        // Where every step has every plane, the sum moves right, and its low bits are whole with the last step.
        let moves = if plane_groups == 1 { (subgroups - 1 - step) * columns } else { 0 };
        text += &format!(
            "always @(*) if (f_known_2 && f_done_2 == {step}) is_the_sum_{lane}_{step}: \
             assert (($signed(sums${lane}) >>> {moves}) == f_y_{lane}_2);\n"
        );
    }
    text += &format!(
        "always @(*) cover (f_known_2 && f_done_2 == {0} && $signed(sums${lane}) < -1);\n\
         always @(*) cover (f_known_2 && f_done_2 == {0} && $signed(sums${lane}) > 1);\n",
        steps - 1
    );
    let property = format!(
        "y = sum of s 2^j 2^i q, output lane {lane} of {lanes}, {steps} steps; codes 0..={code_max}, steps in the sequencer's order"
    );
    Claim::new(property, Method::InductionFromAnyState { depth: 4 }, steps + 4, text)
}

/// saturations = flags that are set, in the clock before, if it was enabled.
pub(super) fn saturation_counter(machine: &Machine) -> Claim {
    let flags = machine.column_lanes * machine.plane_lanes;
    let set: Vec<String> = (0..flags).map(|i| format!("saturated${i}")).collect();
    let sum = halves(&set);
    let text = format!("wire [15:0] f_set = enable ? {sum} : 16'd0;\n")
        + &line("f_set", 16, 1)
        + &age(1)
        + &format!(
            "always @(*) if (f_age >= 1) is_the_number: assert (saturations == f_set_1);\n\
             always @(*) cover (f_age >= 1 && saturations == {flags});\n"
        );
    Claim::new(format!("saturations = flags set, {flags} flags"), Method::AnyState { depth: 2 }, 2, text)
}

/// pulses = set bits of the image's codes (or of one lane of it), and the bias rows' pulses with the first.
fn pulse_counter(machine: &Machine) -> Claim {
    let bits = machine.inputs() * machine.input_bits;
    let lanes = machine.input_words();
    let serial = lanes <= machine.steps_per_image();
    let counted = if serial { 16 } else { bits };
    let bias = machine.bias_rows * machine.bias_code.count_ones() as usize;
    // A machine of one image a clock counts seven rows in the first clock and makes four counts one, others more.
    let (mut reach, joined) = if machine.steps_per_image() == 1 { (7, 4) } else { (15, 8) };
    let mut latency = 1;
    while reach < counted + bias {
        reach = joined * reach + joined - 1;
        latency += 1;
    }
    let bit = |i| if serial { format!("lane[{i}] && 16 * group + {i} < {bits}") } else { format!("data[{i}]") };
    let first = std::iter::repeat_n("group == 0".to_string(), bias);
    let set: Vec<String> = (0..counted).map(bit).chain(first).collect();
    let text = format!(
        "wire [15:0] f_ones = enable ? {} : 16'd0;\nalways @(*) assume (group < {});\n",
        ones(&set),
        if serial { lanes } else { 1 },
    ) + &line("f_ones", 16, latency)
        + &age(latency)
        + &format!(
            "always @(*) if (f_age >= {latency}) is_the_number: assert (pulses == {});\n\
             always @(*) cover (f_age >= {latency} && pulses == {});\n",
            ago("f_ones", latency),
            counted.min(bits) + bias
        );
    let property = format!("pulses = popcount of {counted} bits, and {bias} of the bias rows with the first");
    Claim::new(property, Method::AnyState { depth: latency + 1 }, latency + 1, text)
}

/// winner and margin of all outputs of an image, ties to the lowest index.
fn argmax(machine: &Machine) -> Claim {
    let (lanes, outputs) = (machine.output_lanes(), machine.outputs);
    let (groups, levels) = (outputs.div_ceil(lanes), timing::argmax_levels(machine) as usize);
    let step = |lane: usize| {
        format!(
            "  if (f_group * {lanes} + {lane} < {outputs}) begin\n    \
             if (f_none || $signed(sums${lane}) > f_best) begin\n      f_second = f_best;\n      f_only = f_none;\n      \
             f_best = $signed(sums${lane});\n      f_winner = f_group * {lanes} + {lane};\n      f_none = 0;\n    \
             end else if (f_only || $signed(sums${lane}) > f_second) begin\n      \
             f_second = $signed(sums${lane});\n      f_only = 0;\n    end\n  end\n"
        )
    };
    let loops: String = (0..lanes).map(step).collect();
    let least: Vec<String> = (0..lanes).map(|lane| format!("sums${lane} != 16'h8000")).collect();
    // The running values of the claim stand in f_..._held; a second best that does not exist yet has no value.
    let text = format!(
        "reg [7:0] f_group = 0;\nreg f_known = 0;\n\
         always @(*) if (valid) begin\n  assume (first == (f_group == 0));\n  assume (last == (f_group == {end}));\nend\n\
         always @(*) assume ({});\n\
         always @(posedge clock) if (valid) begin\n  f_group <= f_group == {end} ? 0 : f_group + 1;\n  \
         if (first) f_known <= 1;\nend\nalways @(*) assert (f_group < {groups});\n\
         always @(*) if (!f_known) assert (f_group == 0);\n\
         reg signed [31:0] f_best, f_second;\nreg [15:0] f_winner;\nreg f_none, f_only;\n\
         reg signed [31:0] f_best_held = 0, f_second_held = 0;\nreg [15:0] f_winner_held = 0;\nreg f_only_held = 0;\n\
         always @(*) if (f_known) assert (f_only_held == ({lanes} == 1 && f_group == {second_group}));\n\
         always @(*) if (f_known && !f_only_held) assert (f_best_held >= f_second_held);\n\
         always @(*) begin\n  f_best = f_best_held;\n  f_second = f_second_held;\n  f_winner = f_winner_held;\n  \
         f_only = f_only_held;\n  f_none = first;\n{loops}end\n\
         always @(posedge clock) if (valid) begin\n  f_best_held <= f_best;\n  f_second_held <= f_second;\n  \
         f_winner_held <= f_winner;\n  f_only_held <= f_only;\nend\n\
         wire f_end = valid && last;\nwire [7:0] f_base = f_group;\n",
        least.join(" && "),
        end = groups - 1,
        second_group = 1 % groups,
    ) + &line("f_best_held", 32, levels)
        + &line("f_second_held", 32, levels)
        + &line("f_winner_held", 16, levels)
        + &line("f_only_held", 1, levels)
        + &line("f_known", 1, levels)
        + &line("f_end", 1, levels + 1)
        + &line("f_base", 8, levels)
        + &age(levels + 1)
        + &format!(
            "always @(*) if (f_age >= {done_at}) done_with_the_last: assert (done == {end});\n\
             always @(*) if (f_age >= {levels}) almost_done_before: assert (almost_done == {end_before});\n\
             always @(*) if ({known}) begin\n  is_the_winner: assert (winner == {winner});\n  \
             is_the_best: assert ($signed({{16'd0, best}}) - 32768 == {best});\n  \
             if (!{only}) assert ({best} >= {second});\n  is_the_second: assert ({only} ? second == 0 : $signed({{16'd0, second}}) - 32768 == {second});\n  \
             base_is_next: assert ({base} == 0 || base == (({base} * {lanes}) & {base_mask}));\nend\n\
             always @(*) if ({known} && f_age >= {done_at} && done && {outputs} > 1) \
             is_the_margin: assert (margin == {best} - {second} && !{only});\n\
             always @(*) cover ({known} && done && winner == {outputs} - 1 && margin == 7);\n\
             always @(*) cover ({known} && done && winner == 0 && margin == 0);\n",
            done_at = levels + 1,
            end = ago("f_end", levels + 1),
            end_before = ago("f_end", levels),
            known = ago("f_known", levels),
            winner = ago("f_winner_held", levels),
            best = ago("f_best_held", levels),
            second = ago("f_second_held", levels),
            only = ago("f_only_held", levels),
            base = ago("f_base", levels),
            base_mask = (1u64 << bitline_golden::machine::bits_to_index(outputs)) - 1,
        );
    let property =
        format!("winner and margin of {outputs} outputs, {lanes} at a time; groups in order, no y is -32768");
    Claim::new(property, Method::InductionFromAnyState { depth: levels + 3 }, groups + levels + 4, text)
}

/// Verilog: how many of the flags are set. A long list is added in parts, in an order like the block's own: with integers
/// the order does not matter, and the solver has less to find out.
pub(super) fn ones(flags: &[String]) -> String {
    let one = |flag: &String| format!("({flag} ? 16'd1 : 16'd0)");
    let count = flags.len();
    if count <= 7 {
        return format!("({})", flags.iter().map(one).collect::<Vec<_>>().join(" + "));
    }
    let (left, rest) = flags.split_at((1 << count.ilog2()) - 1);
    let (last, right) = rest.split_last().expect("a power of two less one leaves one");
    let right = if right.is_empty() { "16'd0".into() } else { ones(right) };
    format!("({} + {right} + {})", ones(left), one(last))
}

/// Verilog: how many of the flags are set, one half and the other.
fn halves(flags: &[String]) -> String {
    match flags {
        [] => "16'd0".into(),
        [one] => format!("({one} ? 16'd1 : 16'd0)"),
        _ => {
            let (left, right) = flags.split_at(flags.len().div_ceil(2));
            format!("({} + {})", halves(left), halves(right))
        }
    }
}

/// Verilog: the sum of terms, neighbours first.
fn pairwise(mut terms: Vec<String>) -> String {
    while terms.len() > 1 {
        terms = terms.chunks(2).map(|pair| format!("({})", pair.join(" + "))).collect();
    }
    terms.pop().unwrap_or_else(|| "0".into())
}
