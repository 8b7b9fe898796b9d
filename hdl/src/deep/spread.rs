//! Brings every plane to every column.

use crate::bus::{ROW_WORDS, WideBus};
use bitline_golden::deep_machine::DeepMachine;
use rust_hdl::prelude::*;

/// Gives each pair of column and plane its devices and its rows.
///
/// A leaf in Verilog: RustHDL's loops cannot say k * P + p.
///
/// **Ports** `devices[k]`, `rows[p]` in; `column_devices[k * plane_lanes + p]`, `column_rows[k * plane_lanes + p]` out.
/// **Timing** wires.
#[derive(LogicBlock, Clone, Debug)]
pub struct Spread {
    /// Devices of each column.
    pub devices: Vec<WideBus<In, ROW_WORDS>>,
    /// Rows of each plane.
    pub rows: Vec<WideBus<In, ROW_WORDS>>,
    /// Devices of each pair.
    pub column_devices: Vec<WideBus<Out, ROW_WORDS>>,
    /// Rows of each pair.
    pub column_rows: Vec<WideBus<Out, ROW_WORDS>>,
}

impl Spread {
    /// The wires of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        let (columns, planes, rows) = (machine.tile_columns, machine.plane_lanes, machine.tile_rows);
        Self {
            devices: (0..columns).map(|_| WideBus::new(rows)).collect(),
            rows: (0..planes).map(|_| WideBus::new(rows)).collect(),
            column_devices: (0..columns * planes).map(|_| WideBus::new(rows)).collect(),
            column_rows: (0..columns * planes).map(|_| WideBus::new(rows)).collect(),
        }
    }
}

impl Logic for Spread {
    fn update(&mut self) {
        let planes = self.rows.len();
        for (i, (devices, rows)) in self.column_devices.iter_mut().zip(&mut self.column_rows).enumerate() {
            devices.next = self.devices[i / planes].val();
            rows.next = self.rows[i % planes].val();
        }
    }
    fn connect(&mut self) {
        self.column_devices.iter_mut().chain(&mut self.column_rows).for_each(|bus| bus.connect());
    }
    fn hdl(&self) -> Verilog {
        let planes = self.rows.len();
        let wires = (0..self.column_rows.len()).map(|i| {
            format!(
                "always @(*) column_devices${i} = devices${};\nalways @(*) column_rows${i} = rows${};\n",
                i / planes,
                i % planes
            )
        });
        Verilog::Custom(wires.collect())
    }
}
