//! Blocks that steer and count: the sequencer and the saturating counters.

use super::proof::{Method, Proof};
use super::{Claim, Design};
use crate::formal::modules::Port;
use bitline_golden::machine::Machine;
use bitline_golden::timing;

/// The claims about a design's control.
pub fn proofs(design: &Design) -> Vec<Proof> {
    let mut proofs = vec![design.proof("sequencer", &Design::path("sequencer"), sequencer(&design.machine))];
    for name in ["run_counter", "frames"] {
        for (module, instances) in design.distinct(name) {
            let claim = counter(&design.modules.ports(&module));
            proofs.push(Proof { instances, ..design.proof("counter", &module, claim) });
        }
    }
    proofs
}

/// The steps of a run are those of five nested loops, and the run lasts exactly as long as golden says.
fn sequencer(machine: &Machine) -> Claim {
    let (rows, planes) = (machine.row_groups(), machine.plane_groups());
    let subgroups = (machine.weight_bits / machine.column_lanes).max(1);
    let steps = machine.steps_per_image();
    let pulses = if machine.input_words() <= steps { machine.input_words() } else { 1 };
    // From an image's last step to its verdict; one clock later the run's end is seen.
    let verdict = timing::pipeline_cycles(machine) as usize - 1;
    let text = format!(
        "reg [31:0] f_step = 0, f_left = 0, f_remaining = 0, f_slot = 0;\nreg [{line_high}:0] f_line = 0;\n\
         reg f_aborted = 0;\n\
         wire f_last = f_left != 0 && f_step == {steps} - 1;\nwire f_begin = start && f_remaining == 0;\n\
         always @(*) assume (f_aborted || finished == f_line[{line_high}]);\n\
         always @(posedge clock) begin\n  f_line <= {{f_line, f_last}};\n  \
         if (f_remaining != 0) f_remaining <= f_remaining - 1;\n  if (f_left != 0) f_step <= f_last ? 0 : f_step + 1;\n  \
         if (f_last) begin\n    f_left <= f_left - 1;\n    f_slot <= f_slot + 1;\n  end\n  \
         if (f_remaining == 1) f_aborted <= 0;\n  \
         if (f_begin) begin\n    f_remaining <= image_count == 0 ? 1 : image_count * {steps} + {verdict} + 1;\n    \
         f_left <= image_count;\n    f_step <= 0;\n    f_slot <= first_slot;\n  end\n  \
         if (abort && f_remaining != 0) begin\n    f_remaining <= {verdict} + 1;\n    f_left <= 0;\n    \
         f_line <= 0;\n    f_aborted <= 1;\n  end\nend\n\
         integer f_i, f_youngest;\nreg [31:0] f_under_way, f_ones;\nalways @(*) begin\n  f_under_way = 0;\n  f_youngest = -1;\n  \
         for (f_i = {line_high}; f_i >= 0; f_i = f_i - 1) if (f_line[f_i]) begin\n    \
         f_under_way = f_under_way + 1;\n    f_youngest = f_i;\n  end\n  f_ones = 0;\n  \
         for (f_i = 0; f_i < {verdict}; f_i = f_i + 1) f_ones = f_ones + under_way$q[f_i];\nend\n\
         wire [31:0] f_row = f_step % {rows}, f_plane = (f_step / {rows}) % {planes};\n\
         wire [31:0] f_columns = f_step / ({rows} * {planes}), f_subgroup = f_columns % {subgroups};\n\
         always @(*) runs_as_long_as_predicted: assert (running == (f_remaining != 0));\n\
         always @(*) one_step_a_clock: assert (step == (f_left != 0));\n\
         always @(*) tells_an_aborted_run: assert (aborted == f_aborted);\n\
         always @(*) if (running && finished && !aborted) no_underflow: assert (under_way$q != 0);\n\
         always @(*) if (step) no_underflow_of_images: assert (images_left$q != 0);\n\
         always @(*) if (step) begin\n  is_the_row_group: assert (row_group == f_row);\n  \
         is_the_plane_group: assert (plane_group == f_plane);\n  is_the_subgroup: assert (subgroup == f_subgroup);\n  \
         is_the_address: assert (address == f_columns * {rows} + f_row);\n  \
         is_the_slot: assert (slot == (f_slot & {slot_mask}));\n  is_first_of_image: assert (slot_read == (f_step == 0));\n  \
         is_row_first: assert (row_first == (f_row == 0));\n  is_row_last: assert (row_last == (f_row == {rows} - 1));\n  \
         is_output_first: assert (output_first == (f_plane == 0 && f_subgroup == 0));\n  \
         is_output_last: assert (output_last == (f_plane == {planes} - 1 && f_subgroup == {subgroups} - 1));\n  \
         counts_pulses: assert (pulse_enable == (f_step < {pulses}));\n  \
         if (f_step < {pulses}) is_the_pulse_group: assert (pulse_group == f_step);\n  \
         assert (f_step < {steps});\n  assert (images_left$q == f_left);\n  \
         assert (output_group_register$q == f_columns / {subgroups});\n  \
         assert (base_address$q == f_columns * {rows});\n  assert (at_image_start$q == (f_step == 0));\n  \
         assert (pulses_left$q == (f_step < {pulses}));\n  assert (!f_aborted);\n  \
         assert (f_remaining == f_left * {steps} - f_step + {verdict} + 1);\nend else begin\n  \
         assert (pulse_enable == 0 && slot_read == 0);\n  \
         if (running) assert (f_remaining == (f_aborted ? f_ones + 1 : f_youngest < 0 ? 1 : {verdict} + 1 - f_youngest));\nend\n\
         always @(*) are_the_lowest: assert ((under_way$q & (under_way$q + 1)) == 0);\n\
         always @(*) if (!f_aborted) assert (f_ones == f_under_way);\n\
         always @(*) if (!running) assert (f_left == 0 && !f_aborted);\n\
         always @(*) if (!running || f_aborted) nothing_is_under_way_at_the_end: assert (f_line == 0);\n\
         always @(*) assert (f_left <= {most} && f_remaining <= {most} * {steps} + {verdict} + 1);\n\
         always @(*) cover (running && f_remaining == 1 && f_slot == first_slot + 2);\n\
         always @(*) cover (running && f_remaining == 1 && f_aborted);\n",
        line_high = verdict - 1,
        slot_mask = (1u64 << bitline_golden::machine::bits_to_index(machine.slots)) - 1,
        most = (1u64 << bitline_golden::machine::bits_to_hold(machine.slots)) - 1,
    );
    let property = format!(
        "steps of nested loops, {steps} an image, and images x {steps} + {drain} clocks; {drain} clocks after an abort, whatever the \
         verdicts then; verdicts of other runs come {verdict} clocks after their image's last step",
        drain = verdict + 1
    );
    Claim::new(property, Method::Induction { depth: 2 }, 2 * steps + verdict + 6, text)
}

/// The count is the sum of the amounts, and all ones for ever once the sum is larger, from the clock after on.
fn counter(ports: &[Port]) -> Claim {
    let width = |name: &str| ports.iter().find(|port| port.name == name).map_or(1, |port| port.width);
    let (bits, amount) = (width("value"), width("amount"));
    let text = format!(
        "reg [63:0] f_sum = 0;\nreg f_over = 0;\n\
         wire [63:0] f_next = f_sum + (enable ? amount : 0);\n\
         always @(posedge clock) begin\n  f_over <= f_sum >> {bits} != 0 && !clear;\n  \
         f_sum <= clear ? 0 : f_next >> {bits} != 0 || f_sum >> {bits} != 0 ? 64'd1 << {bits} : f_next;\nend\n\
         always @(*) if (f_sum >> {bits} == 0) is_the_sum: assert (value == f_sum);\n\
         always @(*) if (f_over) stays_at_its_largest: assert (&value);\n\
         always @(*) assert (f_sum <= 64'd1 << {bits});\n\
         always @(*) assert (total$q[{bits}] == (f_sum >> {bits} != 0) && (f_over == 0 || f_sum >> {bits} != 0));\n\
         always @(*) cover (value != 0 && enable && clear);\n"
    );
    let property = format!(
        "value of {bits} bits = sum of amounts of {amount}, and stays at its largest, a clock after it is passed"
    );
    Claim::new(property, Method::Induction { depth: 2 }, 4, text)
}
