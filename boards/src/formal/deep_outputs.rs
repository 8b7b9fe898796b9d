//! Leaf blocks of machines that run programs, behind the columns' sums: outputs, codes, the verdict.

use super::proof::Method;
use super::{Claim, ago, line};
use bitline_golden::deep_machine::{DeepMachine, MOST_COLUMNS, MOST_THRESHOLD_BITS};
use bitline_golden::deep_registers::threshold_node;
use bitline_golden::machine::bits_to_index;

/// Clocks from the columns that leave the captured sums to the outputs.
const RECOMBINATION_CLOCKS: usize = 3;

/// y of one lane in every emission of a group, and which emissions there are, from the columns' sums at `take`.
pub(super) fn recombination(machine: &DeepMachine, lane: usize) -> Claim {
    let (columns, lanes) = (machine.tile_columns, machine.output_lanes);
    let clocks = RECOMBINATION_CLOCKS;
    // What was captured, and which emission leaves it now.
    let mut text =
        "reg f_running = 0, f_odd = 0;\nreg [7:0] f_at = 0, f_columns = 1;\nreg [31:0] f_active = 0;\n".to_string();
    let mut captured = String::new();
    for k in 0..columns {
        text += &format!("reg [31:0] f_sum_{k} = 0;\nalways @(*) holds_{k}: assert (held_{k} == f_sum_{k});\n");
        captured += &format!("    f_sum_{k} <= column_sums${k};\n");
    }
    let emissions = |of: usize| machine.tile_outputs(of).div_ceil(lanes);
    text += &format!(
        "wire [7:0] f_emissions = f_columns == 8 ? {} : f_columns == 4 ? {} : {};\n\
         always @(posedge clock)\n  if (take) begin\n    f_running <= 1;\n    f_at <= 0;\n    f_odd <= group_low;\n    \
         f_columns <= columns == 8 ? 8 : columns == 4 ? 4 : 1;\n    f_active <= active_sum;\n{captured}  end else if (f_running) begin\n    \
         f_running <= f_at + 1 < f_emissions;\n    f_at <= f_at + 1;\n  end\n\
         always @(*) runs: assert (running == f_running && (!f_running || index == f_at && f_at < f_emissions));\n\
         always @(*) in_kind: assert (odd == f_odd && active == f_active && is_eight == (f_columns == 8) && is_four == (f_columns == 4));\n",
        emissions(8),
        emissions(4),
        emissions(1),
    );
    // y of output o of the tile, whose columns are those from o * columns up.
    let mut y = "0".to_string();
    let mut there = "0".to_string();
    for of in [1, 4, MOST_COLUMNS] {
        let outputs = machine.tile_outputs(of);
        for odd in [0, 1] {
            // Outputs that do not fill the last word of lanes: the next group's go on behind them.
            let before = if odd == 1 { outputs % lanes } else { 0 };
            for emission in 0..emissions(of) {
                let Some(output) = (emission * lanes + lane).checked_sub(before).filter(|o| *o < outputs) else {
                    continue;
                };
                let term = |j: usize| format!("(f_sum_{} <<< {j})", output * of + j);
                let sum = match of {
                    1 => format!("({} + {} - f_active)", term(0), term(0)),
                    4 => format!("(({} + {}) + ({} - {}))", term(0), term(1), term(2), term(3)),
                    _ => {
                        let low = format!("(({} + {}) + ({} + {}))", term(0), term(1), term(2), term(3));
                        format!("({low} + (({} + {}) + ({} - {})))", term(4), term(5), term(6), term(7))
                    }
                };
                let here = format!("f_columns == {of} && f_odd == {odd} && f_at == {emission}");
                y = format!("({here}) ? {sum} : {y}");
                there = format!("({here}) || {there}");
            }
        }
    }
    text += &format!("wire signed [31:0] f_y = {y};\nwire f_there = f_running && ({there});\n");
    text += &["f_running", "f_there"].map(|flag| line(flag, 1, clocks)).concat();
    text += &["f_at", "f_columns"].map(|number| line(number, 8, clocks)).concat();
    text += &line("f_y", 32, clocks);
    let (y, there) = (ago("f_y", clocks), ago("f_there", clocks));
    let (running, at) = (ago("f_running", clocks), ago("f_at", clocks));
    let bits = machine.sum_bits();
    text += &format!(
        "always @(*) leaves: assert (valid == {running}[0]);\n\
         always @(*) if (valid) begin\n  is_numbered: assert (emission == $unsigned({at}));\n  \
         is_there: assert (lane_valid[{lane}] == {there}[0]);\n  \
         if (lane_valid[{lane}]) is_y: assert (sums${lane} == {y}[{}:0]);\nend\n",
        bits - 1
    );
    for of in [1, 4, MOST_COLUMNS] {
        // Where eight columns make fewer outputs than lanes, the lane is reached in every other group.
        text += &format!(
            "always @(*) cover (valid && lane_valid[{lane}] && $unsigned({columns}) == {of} && $signed(sums${lane}) == -3);\n",
            columns = ago("f_columns", clocks)
        );
    }
    let property =
        format!("y of output lane {lane} of {lanes}, of 1, 4 and 8 columns; which emissions leave, and in which lanes");
    Claim::new(property, Method::Induction { depth: clocks + 2 }, clocks + 4, text)
}

/// Verilog: the first `known` bits of a code of `width` bits lie between the thresholds that the sum exceeds and those that it
/// does not, `clock` clocks after it came; of thresholds in any order.
fn between(label: &str, clock: usize, width: usize, known: usize, code: &str) -> String {
    let span = 1 << (width - known);
    let mut text = String::new();
    for so_far in 0..1 << known {
        let below = (so_far > 0).then(|| format!("f_above_{clock}_{}", threshold_node(width, so_far * span - 1)));
        let next = (so_far + 1) * span - 1;
        let above = (next + 1 < 1 << width).then(|| format!("!f_above_{clock}_{}", threshold_node(width, next)));
        let holds: Vec<String> = below.into_iter().chain(above).collect();
        if !holds.is_empty() {
            text += &format!("  if ({code} == {so_far}) lies_{label}_{so_far}: assert ({});\n", holds.join(" && "));
        }
    }
    format!(
        "always @(*) if (f_told_{clock} && f_bits_of_{clock} == {width}) begin\n  has_bits_{label}: assert ({{1'b0, {code}}} < {});\n{text}end\n",
        1 << known
    )
}

/// The sum exceeds the threshold before the one that the code names, and not that one: of sorted thresholds the code is the number
/// exceeded. For one lane and codes of every width.
pub(super) fn threshold(machine: &DeepMachine, lane: usize) -> Claim {
    let (lanes, bits) = (machine.output_lanes, machine.sum_bits());
    let (stages, clocks) = (MOST_THRESHOLD_BITS, 2 * MOST_THRESHOLD_BITS);
    let (entries, nodes) = (machine.thresholds / lanes, 1usize << MOST_THRESHOLD_BITS);
    let halves = [(0, bits.min(16)), (16, bits.saturating_sub(16))];
    let own = if lanes > 1 { format!("[{lane}]") } else { String::new() };
    // One entry of the lane, the solver's choice; its thresholds as they were last stored.
    let mut text = format!(
        "(* anyconst *) wire [{}:0] f_at;\nalways @(*) assume (f_at < {entries});\nalways @(*) if (valid) assume (bits >= 1 && bits <= {stages});\nreg f_started = 0;\n\
         always @(posedge clock) f_started <= 1;\nwire [31:0] f_entry = write_entry;\n\
         wire f_stored = write_enable && f_entry % {lanes} == {lane} && f_entry / {lanes} == f_at;\n\
         reg [3:0] f_still = 0;\nalways @(posedge clock) f_still <= f_stored ? 0 : f_still < 15 ? f_still + 1 : 15;\n",
        bits_to_index(entries) - 1,
    );
    for node in 1..nodes {
        let stage = node.ilog2() as usize;
        let at = if stage == 0 { "f_at".to_string() } else { format!("{{f_at, {stage}'d{}}}", node - (1 << stage)) };
        text += &format!("reg signed [{}:0] f_t_{node};\n", bits - 1);
        for (half, (low, width)) in halves.into_iter().enumerate().filter(|(_, (_, width))| *width > 0) {
            let (part, stored) =
                (format!("f_t_{node}[{low} +: {width}]"), format!("t_{lane}_{stage}_half_{half}[{at}]"));
            text += &format!(
                "always @(posedge clock) if (f_stored && write_node == {node} && write_half == {half}) {part} <= write_data;\n\
                 always @(*) if (!f_started) assume ({stored} == {part});\n\
                 always @(*) is_kept_{node}_{half}: assert ({stored} == {part});\n"
            );
        }
    }
    text += &format!("wire signed [{}:0] f_y = sums${lane};\n", bits - 1);
    text += "wire [3:0] f_bits = bits;\nwire f_comes = valid && entry == f_at;\nwire f_lane = ";
    text += &format!("lane_valid{};\n", if lanes > 1 { format!("[{lane}]") } else { String::new() });
    text += &[("f_y", bits), ("f_bits", 4), ("f_comes", 1), ("f_lane", 1)]
        .map(|(name, width)| line(name, width, clocks))
        .concat();
    // Which thresholds the sum that came so many clocks ago exceeds, if they stayed as they are.
    for clock in 0..=clocks {
        for node in 1..nodes {
            text += &format!("wire f_above_{clock}_{node} = $signed({}) > f_t_{node};\n", ago("f_y", clock));
        }
        text += &format!(
            "wire [3:0] f_bits_of_{clock} = {};\nwire f_told_{clock} = {}[0] && f_still >= {clock};\n",
            ago("f_bits", clock),
            ago("f_comes", clock)
        );
    }
    // What stands in each stage: the sum, its entry, and the code so far, of so many bits of all that it will have.
    for stage in 0..stages {
        for (clock, held) in [(2 * stage, ""), (2 * stage + 1, "_held")] {
            let (y, of) = (ago("f_y", clock), format!("f_bits_of_{clock}"));
            let code = if stage == 0 { "4'd0".to_string() } else { format!("code_{lane}_{stage}{held}") };
            text += &format!(
                "always @(*) if ({comes}[0]) travels_{clock}: assert (valid_{stage}{held} && entry_{stage}{held} == f_at && \
                 bits_{stage}{held} == {of} && y_{lane}_{stage}{held} == $unsigned({y}) && lane_valid_{stage}{held}{own} == {lane_valid}[0]);\n",
                comes = ago("f_comes", clock),
                lane_valid = ago("f_lane", clock),
            );
            for width in 1..=stages {
                text += &between(&format!("{clock}_{width}"), clock, width, stage.min(width), &code);
            }
            for node in (1 << stage..2 << stage).filter(|_| !held.is_empty()) {
                text += &format!(
                    "always @(*) if (f_told_{clock} && {of} > {stage} && {code} == {least}) reads_{node}: \
                     assert (t_{lane}_{stage} == $unsigned(f_t_{node}));\n",
                    least = node - (1 << stage)
                );
            }
        }
    }
    text += &format!(
        "always @(*) if ({comes}[0]) comes_with_its_lane: assert (code_valid && code_lane_valid{own} == {of_lane}[0]);\n",
        comes = ago("f_comes", clocks),
        of_lane = ago("f_lane", clocks),
    );
    for width in 1..=stages {
        text += &between(&format!("{clocks}_{width}"), clocks, width, width, &format!("codes${lane}"));
    }
    for width in 1..=stages {
        text += &format!(
            "always @(*) cover (f_told_{clocks} && f_bits_of_{clocks} == {width} && codes${lane} == {});\n",
            (1 << width) - 1
        );
    }
    let property = format!(
        "lane {lane} of {lanes}: threshold code - 1 is exceeded and threshold code is not, codes of 1 to {stages} bits; none stored meanwhile"
    );
    Claim::new(property, Method::InductionFromAnyState { depth: 2 }, clocks + 3, text)
}

/// What leaves with a square's last window is the largest code of its windows, of every lane of a word that the solver chooses.
pub(super) fn pool(machine: &DeepMachine) -> Claim {
    let (lanes, words) = (machine.output_lanes, machine.thresholds / machine.output_lanes);
    let bits = MOST_THRESHOLD_BITS;
    let lane_of = |net: &str, lane: usize| if lanes > 1 { format!("{net}[{lane}]") } else { net.to_string() };
    let mut text = format!(
        "(* anyconst *) wire [{}:0] f_at;\nalways @(*) assume (f_at < {words} && word < {words});\n\
         wire f_comes = valid && word == f_at;\nwire f_whole = valid && last;\nwire [31:0] f_word = word;\n\
         wire [63:0] f_tag = tag;\nwire f_here = held_valid && held_word == f_at;\n",
        bits_to_index(words) - 1
    );
    text += &[("f_comes", 1), ("f_whole", 1), ("f_word", 32), ("f_tag", 64)]
        .map(|(name, width)| line(name, width, 2))
        .concat();
    text += "always @(*) is_held: assert (f_here == f_comes_1[0]);\n\
             always @(*) leaves: assert (pooled_valid == f_whole_2[0]);\n\
             always @(*) if (pooled_valid) is_its_word: assert (pooled_word == $unsigned(f_word_2) && pooled_tag == f_tag_2[$bits(tag)-1:0]);\n";
    for lane in 0..lanes {
        let part = format!("[{} +: {bits}]", lane * bits);
        let own = format!("f_lane_{lane}");
        text += &format!(
            "wire {own} = {valid};\n{of_lane}reg [{high}:0] f_most_{lane} = 0;\n\
             always @(posedge clock) if (f_comes && {own}) f_most_{lane} <= first || codes${lane} > f_most_{lane} ? codes${lane} : f_most_{lane};\n\
             {most}always @(*) is_kept_{lane}: assert ((f_here ? merged_now{part} : kept[f_at]{part}) == f_most_{lane});\n\
             always @(*) if (f_comes_2[0] && pooled_valid) begin\n  is_its_lane_{lane}: assert ({out} == {own}_2[0]);\n  \
             is_the_largest_{lane}: assert (pooled_codes${lane} == f_most_{lane}_1[{high}:0]);\nend\n",
            valid = lane_of("lane_valid", lane),
            out = lane_of("pooled_lane_valid", lane),
            of_lane = line(&own, 1, 2),
            most = line(&format!("f_most_{lane}"), bits, 1),
            high = bits - 1,
        );
    }
    // Stored and read in neighbouring clocks, and with a clock between.
    text += "always @(*) if (f_comes_1[0] && f_comes_2[0]) is_forwarded: assert (forward);\n\
             always @(*) cover (f_comes_2[0] && f_comes_1[0] && pooled_valid && pooled_codes$0 == 9 && f_most_0 == 9 && !held_first);\n\
             always @(*) cover (f_comes_2[0] && pooled_valid && pooled_codes$0 == 3 && f_lane_0_2[0]);\n";
    let property = format!(
        "pooled code = largest of the square's windows, {words} words of {lanes} lanes; word, lanes and tag of the last"
    );
    Claim::new(property, Method::Induction { depth: 4 }, 8, text)
}

/// The verdict of a ranking: the first index of the largest sum, and what the largest of the others lacks; when it comes.
///
/// What holds of every sum is claimed of one, `f_i`, that the solver chooses; that the second best is a sum is shown by its
/// index, `f_other`.
pub(super) fn sum_rank(machine: &DeepMachine) -> Claim {
    let (sums, bits) = (machine.sums, machine.sum_bits());
    let latency = bitline_hdl::deep::sum_rank::SumRank::LATENCY_CYCLES as usize;
    let high = bits - 1;
    let mut text = format!(
        "(* anyconst *) wire [31:0] f_i;\nreg f_busy = 0, f_finished = 0;\nreg signed [{high}:0] f_of_i, f_of_other, f_of_best, f_of_winner, f_of_read, f_of_chosen;\n"
    );
    let mut choices = String::new();
    for sum in 0..sums {
        // Any sum, which stays as long as it is ranked.
        text += &format!(
            "(* anyseq *) wire signed [{high}:0] f_any_{sum};\nreg signed [{high}:0] f_sum_{sum} = 0;\n\
             always @(posedge clock) if (!f_busy && !rank) f_sum_{sum} <= f_any_{sum};\n"
        );
        for (name, index) in [
            ("f_of_i", "f_i"),
            ("f_of_other", "f_other"),
            ("f_of_best", "best_index"),
            ("f_of_winner", "winner"),
            ("f_of_read", "f_since - 1"),
            ("f_of_chosen", "f_since - 2"),
        ] {
            choices += &format!("  if ({index} == {sum}) {name} = f_sum_{sum};\n");
        }
    }
    // `f_since` counts from the clock after `rank`; a sum is read, chosen and ranked in the clocks after that.
    text += &format!(
        "reg [31:0] f_since = 0, f_count = 1, f_other = 0;\n\
         wire [31:0] f_ranked = f_since < 2 ? 0 : f_since - 2 < f_count ? f_since - 2 : f_count;\n\
         always @(*) begin\n  f_of_i = 0;\n  f_of_other = 0;\n  f_of_best = 0;\n  f_of_winner = 0;\n  f_of_read = 0;\n  f_of_chosen = 0;\n{choices}end\n\
         always @(*) if (f_busy) assume (!rank);\nalways @(*) if (rank) assume (count <= {sums});\n\
         always @(*) assume (f_i < {sums});\nalways @(*) if (read_valid) assume (read_data == f_of_read);\n\
         always @(posedge clock) begin\n  f_finished <= f_busy && f_since == f_count + {end} && !clear;\n  \
         if (rank && !clear) begin\n    f_busy <= 1;\n    f_since <= 0;\n    f_count <= count == 0 ? 1 : count;\n  end else if (f_busy) begin\n    \
         f_busy <= f_since != f_count + {end} && !clear;\n    f_since <= f_since + 1;\n  end\n  \
         if (chosen_valid && chosen_index != 0) begin\n    if (chosen > best) f_other <= best_index;\n    \
         else if (chosen > second || chosen_index == 1) f_other <= chosen_index;\n  end\nend\n\
         always @(*) begin\n  in_bounds: assert (f_count >= 1 && f_count <= {sums} && (!f_busy || f_since <= f_count + {end}));\n  \
         scans: assert (reading == (f_busy && f_since < f_count));\n  \
         if (reading) scans_on: assert (read_index == f_since && (count_held == f_count || count_held == 0 && f_count == 1));\n  \
         reads: assert (read_valid == (f_busy && f_since >= 1 && f_since <= f_count));\n  \
         if (read_valid) reads_on: assert (asked_index == f_since - 1 && read_last == (f_since == f_count));\n  \
         chooses: assert (chosen_valid == (f_busy && f_since >= 2 && f_since <= f_count + 1));\n  \
         if (chosen_valid) chooses_on: assert (chosen_index == f_since - 2 && chosen == f_of_chosen && chosen_last == (f_since == f_count + 1));\n  \
         ends: assert (ranked_last == (f_busy && f_since == f_count + {end}));\n\
         end\n\
         always @(*) if ((f_busy || f_finished) && f_ranked > 0) begin\n  \
         best_is_a_sum: assert (best_index < f_ranked && best == f_of_best);\n  \
         if (f_i < f_ranked) best_is_the_first: assert (f_i < best_index ? f_of_i < best : f_of_i <= best);\n  \
         if (f_i < f_ranked && f_i != best_index) second_is_next: assert (f_of_i <= second);\n  \
         if (f_ranked == 1) second_of_one: assert (second == best);\n  \
         else second_is_a_sum: assert (f_other < f_ranked && f_other != best_index && second == f_of_other);\nend\n",
        end = latency - 2,
    );
    text += &format!(
        "always @(*) comes_then: assert (done == f_finished);\nwire [{high}:0] f_lacks = f_of_winner - f_of_other;\n\
         always @(*) if (done) begin\n  since_rank: assert (f_since == f_count + {});\n  \
         is_a_class: assert (winner < f_count);\n  \
         if (f_i < f_count) is_the_class: assert (f_i < winner ? f_of_i < f_of_winner : f_of_i <= f_of_winner);\n  \
         if (f_count == 1) is_no_margin: assert (margin == 0);\n  \
         else begin\n    is_the_margin: assert (f_other < f_count && f_other != winner && \
         margin == f_lacks);\n    \
         if (f_i < f_count && f_i != winner) is_the_runner_up: assert (f_of_i <= f_of_other);\n  end\nend\n\
         always @(*) cover (done && f_count == {sums} && winner == {last} && margin == 7);\n\
         always @(*) cover (done && f_count == 3 && winner == 1 && margin == 0);\n\
         always @(*) cover (done && f_count == 1);\n",
        latency - 1,
        last = sums - 1
    );
    let property = format!(
        "class = first of the largest of up to {sums} sums, margin = what the largest other lacks; count + {latency} clocks after `rank`; no other `rank` meanwhile, sums that stay"
    );
    Claim::new(property, Method::Induction { depth: 2 }, sums + latency + 6, text)
}
