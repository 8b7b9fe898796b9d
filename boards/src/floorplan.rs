//! Where on a part the registers go that feed the columns of each output.
//!
//! Left alone, nextpnr packs a design that fills half of a part into a corner of it, three quarters full, and cannot
//! route it there. A machine that reads one image a clock has a copy of the image for each output (the feeder's); pinned
//! down in a grid over the whole part, these registers draw their columns after them. Its block RAMs, which all share an
//! address, are pinned side by side in the middle, or they and what drives them lie wherever the columns leave room.

use crate::board::Floorplan;
use crate::error::BoardError;
use crate::stage::write;
use bitline_golden::machine::Machine;
use bitline_golden::timing::feeder_cycles;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Flip-flops of a tile of logic.
const PLACES: [&str; 8] =
    ["SLICEA.FF0", "SLICEA.FF1", "SLICEB.FF0", "SLICEB.FF1", "SLICEC.FF0", "SLICEC.FF1", "SLICED.FF0", "SLICED.FF1"];

/// Whether a machine has registers that a floor plan pins: copies of the image.
pub fn is_pinned(machine: &Machine) -> bool {
    feeder_cycles(machine) != 0
}

impl Floorplan {
    /// A place for every bit of every copy of the image, by the name that the bit's module has in a flat netlist whose
    /// gateware is the cell `gateware`; none for a machine without copies.
    ///
    /// The part is divided into as many fields as there are outputs, side by side in a few strips; in a field, planes lie
    /// beside each other and rows below each other, as the columns that add them up need them.
    pub fn places(&self, machine: &Machine) -> BTreeMap<String, String> {
        let mut places = BTreeMap::new();
        if !is_pinned(machine) {
            return places;
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
                        let register = format!("gateware.accelerator.feeder.image_{copy}_{bit}");
                        places.insert(register, format!("X{x}/Y{y}/{name}"));
                    }
                    *place += 1;
                }
            }
        }
        places
    }
}

/// Give registers of a netlist in Yosys' JSON their places, and its block RAMs, by name, those of a list, as far as it goes.
///
/// # Errors
/// [`BoardError::Io`]; [`BoardError::Floorplan`] for a netlist that has not one flip-flop for each place.
pub fn pin(
    netlist: &Path,
    module: &str,
    places: &BTreeMap<String, String>,
    block_rams: &[String],
) -> Result<(), BoardError> {
    let wrong = |reason: String| BoardError::Floorplan { netlist: netlist.to_path_buf(), reason };
    let text = std::fs::read(netlist).map_err(|e| BoardError::io(netlist, "read", &e))?;
    let mut design: Value = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
    drop(text);
    let cells =
        design["modules"][module]["cells"].as_object_mut().ok_or_else(|| wrong(format!("no module {module}")))?;
    let mut pinned = 0;
    for (name, cell) in cells.iter_mut() {
        let register = name.rsplit_once('.').and_then(|(register, _)| places.get(register));
        if let Some(place) = register
            && cell["type"] == "TRELLIS_FF"
        {
            cell["attributes"]["BEL"] = Value::from(place.as_str());
            pinned += 1;
        }
    }
    let memories: BTreeMap<&String, &mut Value> =
        cells.iter_mut().filter(|(_, cell)| cell["type"] == "DP16KD").collect();
    for (memory, site) in memories.into_values().zip(block_rams) {
        memory["attributes"]["BEL"] = Value::from(site.as_str());
    }
    if pinned != places.len() {
        return Err(wrong(format!("{pinned} flip-flops for {} places", places.len())));
    }
    write(netlist, design.to_string().as_bytes())
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
    use super::*;
    use crate::board::Board;
    use std::collections::HashSet;

    #[test]
    fn every_bit_has_a_place_of_its_own_where_there_is_logic() {
        let plan = Board::named("ulx3s").unwrap().floorplan.unwrap();
        let machine = Machine::named("digits-turbo").unwrap();
        let places = plan.places(&machine);
        let sites: HashSet<&String> = places.values().collect();
        assert_eq!(places.len(), 10 * 64 * 5);
        assert_eq!(sites.len(), 10 * 64 * 5, "a place twice");
        for row in &plan.without_logic {
            assert!(sites.iter().all(|site| !site.contains(&format!("/Y{row}/"))), "row {row} has no logic");
        }
        assert!(places.contains_key("gateware.accelerator.feeder.image_9_319"));
    }

    #[test]
    fn pin_wants_one_flip_flop_for_each_place() {
        let folder = std::env::temp_dir().join(format!("bitline-floorplan-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("netlist.json");
        let cell = |kind: &str| format!(r#"{{"type": "{kind}", "attributes": {{}}}}"#);
        let netlist = |kind| {
            let (registers, memory) = (cell(kind), cell("DP16KD"));
            format!(
                r#"{{"modules": {{"top": {{"cells": {{
                    "a.b.q": {registers}, "c.q": {registers}, "m.1": {memory}, "m.0": {memory}}}}}}}}}"#
            )
        };
        let sites = ["X60/Y46/EBR1".to_string()];
        let places = BTreeMap::from([("a.b".to_string(), "X3/Y4/SLICEA.FF0".to_string())]);
        std::fs::write(&file, netlist("TRELLIS_FF")).unwrap();
        pin(&file, "top", &places, &sites).unwrap();
        let pinned: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let cells = &pinned["modules"]["top"]["cells"];
        assert_eq!(cells["a.b.q"]["attributes"]["BEL"], "X3/Y4/SLICEA.FF0");
        assert_eq!(cells["m.0"]["attributes"]["BEL"], "X60/Y46/EBR1");
        for without in ["c.q", "m.1"] {
            assert_eq!(cells[without]["attributes"].get("BEL"), None, "{without}");
        }
        for (text, reason) in [(netlist("LUT4"), "0 flip-flops for 1 places"), ("{}".into(), "no module top")] {
            std::fs::write(&file, text).unwrap();
            let error = pin(&file, "top", &places, &sites).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
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
        assert!(plan.places(&Machine::named("digits").unwrap()).is_empty());
    }
}
