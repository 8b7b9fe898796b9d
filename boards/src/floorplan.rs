//! Where on a part the registers go that feed the columns of each output.
//!
//! Left alone, nextpnr packs a design that fills half of a part into a corner of it, three quarters full, and cannot
//! route it there. A machine that reads one image a clock has a copy of the image for each output (the feeder's); pinned
//! down in a grid over the whole part, these registers draw their columns after them.

use crate::board::Floorplan;
use bitline_golden::machine::Machine;
use bitline_golden::timing::feeder_cycles;
use std::collections::HashMap;
use std::fmt::Write as _;

/// Flip-flops of a tile of logic.
const PLACES: [&str; 8] =
    ["SLICEA.FF0", "SLICEA.FF1", "SLICEB.FF0", "SLICEB.FF1", "SLICEC.FF0", "SLICEC.FF1", "SLICED.FF0", "SLICED.FF1"];

impl Floorplan {
    /// Yosys commands that give every bit of every copy of the image its place, in a flat netlist whose gateware is the
    /// cell `gateware`; none for a machine without copies.
    ///
    /// The part is divided into as many fields as there are outputs, side by side in a few strips; in a field, planes lie beside each other and
    /// rows below each other, as the columns that add them up need them.
    pub fn commands(&self, machine: &Machine) -> String {
        let mut text = String::new();
        if feeder_cycles(machine) == 0 {
            return text;
        }
        let columns: Vec<u32> = (self.columns.0..=self.columns.1).collect();
        let rows: Vec<u32> = (self.rows.0..=self.rows.1).filter(|row| !self.without_logic.contains(row)).collect();
        let copies = machine.output_lanes();
        let strips = strips(copies, columns.len(), rows.len());
        let mut taken: HashMap<(u32, u32), usize> = HashMap::new();
        for copy in 0..copies {
            let strip =
                (0..strips).rfind(|strip| strip * copies / strips <= copy).expect("the first strip starts at 0");
            let first = strip * copies / strips;
            let beside = (strip + 1) * copies / strips - first;
            for row in 0..machine.inputs() {
                for plane in 0..machine.input_bits {
                    let across = share(copy - first, beside, plane, machine.input_bits);
                    let down = share(strip, strips, row, machine.inputs());
                    let (x, y) = (columns[at(across, columns.len())], rows[at(down, rows.len())]);
                    let place = taken.entry((x, y)).or_default();
                    let bit = row * machine.input_bits + plane;
                    // A tile that is full takes no more: nextpnr then chooses.
                    if let Some(name) = PLACES.get(*place) {
                        let cell = format!("c:gateware.accelerator.feeder.image_{copy}_{bit}.*");
                        writeln!(text, "setattr -set BEL \"X{x}/Y{y}/{name}\" {cell}")
                            .expect("a string takes everything");
                    }
                    *place += 1;
                }
            }
        }
        text
    }
}

/// Into how many strips, one below the other, the part is cut, so that the fields in them are about square.
fn strips(fields: usize, columns: usize, rows: usize) -> usize {
    (1..=fields).take_while(|strips| strips * strips * columns <= fields * rows).last().unwrap_or(1)
}

/// The middle of part `part` of `parts` of field `field` of `fields`, between 0 and 1.
fn share(field: usize, fields: usize, part: usize, parts: usize) -> f64 {
    (field as f64 + (part as f64 + 0.5) / parts as f64) / fields as f64
}

fn at(share: f64, count: usize) -> usize {
    ((share * count as f64) as usize).min(count - 1)
}

#[cfg(test)]
mod tests {
    use crate::board::Board;
    use bitline_golden::machine::Machine;
    use std::collections::HashSet;

    #[test]
    fn every_bit_has_a_place_of_its_own_where_there_is_logic() {
        let plan = Board::named("ulx3s").unwrap().floorplan.unwrap();
        let machine = Machine::named("digits-turbo").unwrap();
        let text = plan.commands(&machine);
        let places: HashSet<&str> = text.lines().map(|line| line.split_whitespace().nth(3).unwrap()).collect();
        assert_eq!(text.lines().count(), 10 * 64 * 5);
        assert_eq!(places.len(), 10 * 64 * 5, "a place twice");
        for row in &plan.without_logic {
            assert!(!text.contains(&format!("/Y{row}/")), "row {row} has no logic");
        }
        assert!(text.contains("c:gateware.accelerator.feeder.image_9_319.*\n"));
    }

    #[test]
    fn strips_hold_fields_that_are_about_square() {
        assert_eq!(super::strips(10, 120, 80), 2, "five of 24 by 40 in each");
        assert_eq!(super::strips(6, 120, 80), 2);
        assert_eq!(super::strips(1, 120, 80), 1);
        assert_eq!(super::strips(100, 50, 50), 10);
    }

    #[test]
    fn folded_machines_need_no_floor_plan() {
        let plan = Board::named("ulx3s").unwrap().floorplan.unwrap();
        assert_eq!(plan.commands(&Machine::named("digits").unwrap()), "");
    }
}
