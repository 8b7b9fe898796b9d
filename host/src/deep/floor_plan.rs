//! The floor plan: every tile of a machine by bank, as an SVG picture, filled as far as its layer uses its rows and columns.

use std::fmt::Write as _;

use bitline_golden::deep_machine::DeepMachine;

use super::mapping::{LayerMapping, Mapping};

/// Side of a tile, and the gap to the next.
const TILE: usize = 14;
const GAP: usize = 2;
/// Tiles a row of a bank.
const WIDE: usize = 16;
/// Space around banks and text.
const MARGIN: usize = 16;
/// Height of a line of text.
const LINE: usize = 18;
/// Colours of the layers in turn (Okabe and Ito's, told apart by all eyes).
const COLOURS: [&str; 7] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442"];

fn colour(layer: usize) -> &'static str {
    COLOURS[layer % COLOURS.len()]
}

/// Draw the floor plan of a network on a machine.
pub fn floor_plan(mapping: &Mapping, machine: &DeepMachine) -> String {
    let per_bank = machine.tiles.div_ceil(machine.banks);
    let step = TILE + GAP;
    let (bank_width, bank_height) = (WIDE.min(per_bank) * step - GAP, per_bank.div_ceil(WIDE) * step - GAP);
    let banks_wide = machine.banks.min(2);
    let banks_high = machine.banks.div_ceil(banks_wide);
    let width = (MARGIN + banks_wide * (bank_width + MARGIN)).max(560);
    let plan_height = banks_high * (LINE + bank_height + MARGIN);
    let height = MARGIN + LINE + plan_height + (mapping.layers.len() + 1) * LINE + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n<title>Floor plan of {} on {}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        escaped(&mapping.network),
        escaped(&mapping.machine),
    );
    let mut text = |x: usize, y: usize, words: &str| {
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" fill=\"#222222\">{}</text>", escaped(words));
    };
    let tiles = format!("{} of {} tiles", mapping.tiles.used, mapping.tiles.total);
    text(MARGIN, MARGIN + LINE - 6, &format!("{} on {}: {tiles}", mapping.network, mapping.machine));
    let corner = |bank: usize| {
        let (x, y) = (bank % banks_wide, bank / banks_wide);
        (MARGIN + x * (bank_width + MARGIN), MARGIN + LINE + y * (LINE + bank_height + MARGIN))
    };
    for bank in 0..machine.banks {
        let (x, y) = corner(bank);
        text(x, y + LINE - 6, &format!("bank {bank}"));
    }
    let key = MARGIN + LINE + plan_height;
    for (n, layer) in mapping.layers.iter().enumerate() {
        let words = format!(
            "layer {}, {}: {} tiles, {} under and {} beside each other",
            layer.layer, layer.kind, layer.tiles, layer.row_groups, layer.output_groups
        );
        text(MARGIN + TILE + 6, key + n * LINE + TILE - 2, &words);
    }
    text(MARGIN + TILE + 6, key + mapping.layers.len() * LINE + TILE - 2, "unused");
    for n in 0..=mapping.layers.len() {
        let fill = if n < mapping.layers.len() { colour(n) } else { UNUSED };
        rectangle(&mut svg, (MARGIN, key + n * LINE), (TILE as f64, TILE as f64), fill);
    }
    for tile in 0..machine.tiles {
        let (x, y) = corner(tile / per_bank);
        let at = tile % per_bank;
        let place = (x + at % WIDE * step, y + LINE + at / WIDE * step);
        rectangle(&mut svg, place, (TILE as f64, TILE as f64), UNUSED);
        let holds = |layer: &&LayerMapping| (layer.first_tile..layer.first_tile + layer.tiles).contains(&tile);
        if let Some(layer) = mapping.layers.iter().find(holds) {
            let (rows, columns) = used(layer, tile - layer.first_tile, machine);
            let size = |share: usize, of: usize| TILE as f64 * share as f64 / of as f64;
            let size = (size(columns, machine.tile_columns), size(rows, machine.tile_rows));
            rectangle(&mut svg, place, size, colour(layer.layer));
        }
    }
    svg + "</svg>\n"
}

const UNUSED: &str = "#e4e4e4";

/// Rows and columns of a layer's tile that hold weights.
fn used(layer: &LayerMapping, tile: usize, machine: &DeepMachine) -> (usize, usize) {
    let (output_group, row_group) = (tile / layer.row_groups, tile % layer.row_groups);
    let outputs = machine.tile_outputs(layer.columns);
    let rows = layer.rows - row_group * machine.tile_rows;
    let columns = (layer.outputs - output_group * outputs).min(outputs) * layer.columns;
    (rows.min(machine.tile_rows), columns)
}

fn rectangle(svg: &mut String, (x, y): (usize, usize), (width, height): (f64, f64), fill: &str) {
    let _ = writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{fill}\"/>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
