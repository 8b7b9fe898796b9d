//! The mapping report: where a network's layers went on a machine, what they leave unused, how long they take, and what
//! each of them waits for.

use std::fmt::{self, Write as _};

use bitline_firmware::compile::{MapPlace, Placement};
use bitline_firmware::execute::LayerCounters;
use bitline_firmware::isa::{Instruction, Opcode};
use bitline_firmware::program::Program;
use bitline_firmware::timing::{Clocks, predict};
use bitline_firmware::verify::Limits;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::network::{Geometry, Layer, Network};
use serde::Serialize;

use super::DeepProblem;

/// How many there are of something, and how many the network uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Used.
    pub used: usize,
    /// There are.
    pub total: usize,
}

impl Share {
    fn per_cent(&self) -> f64 {
        100.0 * self.used as f64 / self.total.max(1) as f64
    }
}

/// What most of a layer's clocks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// A tile is read: no layer of this size can be faster on these tiles.
    ArrayReads,
    /// The reader waits for the gatherer.
    Feeding,
    /// The reader waits until outputs have left their tile.
    Outputs,
    /// Codes are moved in the activation memory.
    Memory,
    /// Instructions are fetched, or the last outputs are on their way.
    Latency,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ArrayReads => "array reads",
            Self::Feeding => "feeding",
            Self::Outputs => "outputs leaving",
            Self::Memory => "memory",
            Self::Latency => "latency",
        })
    }
}

/// Where clocks go; see [`Clocks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClockShares {
    /// A tile is read.
    pub busy: u64,
    /// The reader waits for the gatherer.
    pub feeding: u64,
    /// The reader waits until outputs have left their tile.
    pub outputs: u64,
    /// Codes are moved.
    pub memory: u64,
    /// Instructions, and the way of the last outputs.
    pub latency: u64,
}

impl ClockShares {
    fn new(clocks: &Clocks) -> Self {
        let Clocks { busy, feeding, leaving, moving, latency } = *clocks;
        Self { busy, feeding, outputs: leaving, memory: moving, latency }
    }

    fn limit(&self) -> Limit {
        let shares = [
            (self.busy, Limit::ArrayReads),
            (self.feeding, Limit::Feeding),
            (self.outputs, Limit::Outputs),
            (self.memory, Limit::Memory),
            (self.latency, Limit::Latency),
        ];
        // The first of equals: more reads than waits is what a layer should have.
        shares.iter().rev().max_by_key(|(clocks, _)| *clocks).expect("five shares").1
    }
}

/// Where a map of codes lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MapAt {
    /// Whether it is the image.
    pub image: bool,
    /// First address.
    pub base: usize,
    /// Codes, with the border.
    pub codes: usize,
}

impl From<MapPlace> for MapAt {
    fn from(place: MapPlace) -> Self {
        Self { image: place.image, base: place.base, codes: place.codes }
    }
}

impl fmt::Display for MapAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, base, codes } = self;
        f.pad(&if *image { format!("{codes} image") } else { format!("{codes} @{base}") })
    }
}

/// A layer on the machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerMapping {
    /// Which, from 0.
    pub layer: usize,
    /// `dense`, or a convolution with its kernel.
    pub kind: String,
    /// Rows of a window, the bias row included.
    pub rows: usize,
    /// Outputs.
    pub outputs: usize,
    /// Columns of an output.
    pub columns: usize,
    /// First tile.
    pub first_tile: usize,
    /// Tiles under each other.
    pub row_groups: usize,
    /// Tiles side by side.
    pub output_groups: usize,
    /// Tiles.
    pub tiles: usize,
    /// Devices that hold a weight, of those of the tiles.
    pub devices: Share,
    /// Rows of the last row group that hold none.
    pub rows_wasted: usize,
    /// Columns of the last output group that hold none.
    pub columns_wasted: usize,
    /// Windows that are read.
    pub windows: usize,
    /// Codes it reads.
    pub input: MapAt,
    /// Codes it gives; none of the last layer.
    pub output: Option<MapAt>,
    /// Threshold entries.
    pub thresholds: usize,
    /// Clocks from the first of its instructions to the `count` that ends it.
    pub cycles: u64,
    /// Where they go.
    pub clocks: ClockShares,
    /// Share of the clocks in which a tile is read, 0..=1.
    pub busy_share: f64,
    /// Planes applied to a tile.
    pub array_reads: u64,
    /// Whole weights times inputs.
    pub macs: u64,
    /// Their number a clock.
    pub macs_per_clock: f64,
    /// What most of the clocks are.
    pub limit: Limit,
    /// Columns converted by an array read.
    #[serde(skip)]
    tile_columns: usize,
}

impl LayerMapping {
    /// What the layer's record counts for one image; row pulses and saturations, which depend on the codes, are 0.
    pub fn counters(&self) -> LayerCounters {
        LayerCounters {
            cycles: self.cycles,
            busy_cycles: self.clocks.busy,
            array_reads: self.array_reads,
            conversions: self.array_reads * self.tile_columns as u64,
            macs: self.macs,
            ..LayerCounters::default()
        }
    }
}

/// A network on a machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mapping {
    /// The network's name.
    pub network: String,
    /// The machine's name.
    pub machine: String,
    /// Layer by layer.
    pub layers: Vec<LayerMapping>,
    /// Tiles.
    pub tiles: Share,
    /// Devices.
    pub devices: Share,
    /// Codes of the activation memory that are in use at once, at most.
    pub memory: Share,
    /// Codes of an image, its border included.
    pub image: Share,
    /// Threshold entries.
    pub thresholds: Share,
    /// Instructions.
    pub instructions: Share,
    /// Clocks of an image, from the fetch of the first instruction to the end of `halt`.
    pub cycles: u64,
    /// Share of them in which a tile is read, 0..=1.
    pub busy_share: f64,
    /// Whole weights times inputs of an image.
    pub macs: u64,
    /// Their number a clock.
    pub macs_per_clock: f64,
    /// The machine's clock, in hertz.
    pub clock_hz: u32,
    /// Images a second at that clock.
    pub images_per_second: f64,
}

impl Mapping {
    /// Report on a compiled problem.
    pub fn new(network: &Network, problem: &DeepProblem) -> Self {
        Self::of(network, &problem.machine, &problem.program, &problem.placements, &problem.target.limits)
    }

    /// Report on what the compiler made.
    pub fn of(
        network: &Network,
        machine: &DeepMachine,
        program: &Program,
        placements: &[Placement],
        limits: &Limits,
    ) -> Self {
        let clocks = predict(&program.instructions, limits);
        let per_layer = by_layer(&program.instructions, &clocks);
        let layers: Vec<LayerMapping> = (network.layers.iter().zip(placements).enumerate())
            .map(|(n, (layer, placement))| mapped(n, layer, placement, &per_layer[n], limits))
            .collect();
        let all = clocks.iter().fold(Clocks::default(), |all, more| all.and(more));
        let macs = layers.iter().map(|layer| layer.macs).sum();
        let in_memory = |map: &MapAt| if map.image { 0 } else { map.codes };
        let beside = |layer: &LayerMapping| in_memory(&layer.input) + layer.output.as_ref().map_or(0, in_memory);
        Self {
            network: network.name.clone(),
            machine: machine.name.clone(),
            tiles: Share { used: program.tiles.len(), total: limits.tiles },
            devices: Share {
                used: layers.iter().map(|layer| layer.devices.used).sum(),
                total: limits.tiles * limits.tile_rows * limits.tile_columns,
            },
            memory: Share { used: layers.iter().map(beside).max().unwrap_or(0), total: limits.codes },
            image: Share { used: program.image.codes, total: limits.image_codes },
            thresholds: Share { used: program.thresholds.len(), total: limits.thresholds },
            instructions: Share { used: program.instructions.len(), total: limits.instructions },
            cycles: all.cycles(),
            busy_share: all.busy as f64 / all.cycles().max(1) as f64,
            macs,
            macs_per_clock: macs as f64 / all.cycles().max(1) as f64,
            clock_hz: machine.link.clock_hz,
            images_per_second: f64::from(machine.link.clock_hz) / all.cycles().max(1) as f64,
            layers,
        }
    }
}

/// Clocks of each layer: of its instructions, `count` the last.
fn by_layer(program: &[Instruction], clocks: &[Clocks]) -> Vec<Clocks> {
    let mut layers = vec![Clocks::default()];
    for (instruction, clocks) in program.iter().zip(clocks) {
        let layer = layers.last_mut().expect("never empty");
        *layer = layer.and(clocks);
        if instruction.opcode() == Opcode::Count {
            layers.push(Clocks::default());
        }
    }
    layers
}

fn mapped(n: usize, layer: &Layer, placement: &Placement, clocks: &Clocks, limits: &Limits) -> LayerMapping {
    let Placement { first_tile, row_groups, output_groups, columns, rows, outputs, windows, .. } = *placement;
    let tiles = placement.tiles();
    let shares = ClockShares::new(clocks);
    let cycles = clocks.cycles();
    let macs = (windows * rows * outputs) as u64;
    let kind = match layer.geometry {
        Geometry::Dense => "dense".to_string(),
        Geometry::Convolution(convolution) => {
            let pool = layer.pool.map_or(String::new(), |pool| format!(", pool {0}x{0}", pool.size));
            format!("convolution {}x{}{pool}", convolution.kernel_height, convolution.kernel_width)
        }
    };
    LayerMapping {
        layer: n,
        kind,
        rows,
        outputs,
        columns,
        first_tile,
        row_groups,
        output_groups,
        tiles,
        devices: Share { used: rows * outputs * columns, total: tiles * limits.tile_rows * limits.tile_columns },
        rows_wasted: row_groups * limits.tile_rows - rows,
        columns_wasted: output_groups * limits.tile_columns - outputs * columns,
        windows,
        input: placement.input.into(),
        output: placement.output.map(|output| output.map.into()),
        thresholds: if layer.activation.is_some() { outputs } else { 0 },
        cycles,
        clocks: shares,
        busy_share: clocks.busy as f64 / cycles.max(1) as f64,
        array_reads: (windows * tiles * layer.input_bits) as u64,
        macs,
        macs_per_clock: macs as f64 / cycles.max(1) as f64,
        limit: shares.limit(),
        tile_columns: limits.tile_columns,
    }
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "network {} on machine {}\n", self.network, self.machine)?;
        let kinds = self.layers.iter().map(|layer| layer.kind.len()).max().unwrap_or(0).max(4);
        writeln!(
            f,
            "layer  {:<kinds$} {:>11} {:>8} {:>12} {:>16} {:>11} {:>8} {:>13} {:>13} {:>10}",
            "kind",
            "rows x outs",
            "columns",
            "tiles",
            "devices",
            "wasted r, c",
            "windows",
            "codes in",
            "codes out",
            "thresholds"
        )?;
        for layer in &self.layers {
            writeln!(
                f,
                "{:<6} {:<kinds$} {:>11} {:>8} {:>12} {:>16} {:>11} {:>8} {:>13} {:>13} {:>10}",
                layer.layer,
                layer.kind,
                format!("{} x {}", layer.rows, layer.outputs),
                layer.columns,
                format!("{}..{}", layer.first_tile, layer.first_tile + layer.tiles),
                format!("{} ({:.0} %)", layer.devices.used, layer.devices.per_cent()),
                format!("{}, {}", layer.rows_wasted, layer.columns_wasted),
                layer.windows,
                layer.input,
                layer.output.map_or("-".to_string(), |map| map.to_string()),
                layer.thresholds,
            )?;
        }
        writeln!(
            f,
            "\nlayer  {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>12} {:>11}  limited by",
            "cycles", "busy", "feeding", "outputs", "memory", "latency", "busy %", "macs", "macs/clock"
        )?;
        for layer in &self.layers {
            let ClockShares { busy, feeding, outputs, memory, latency } = layer.clocks;
            writeln!(
                f,
                "{:<6} {:>9} {busy:>9} {feeding:>9} {outputs:>9} {memory:>9} {latency:>9} {:>7.1} {:>12} {:>11.1}  {}",
                layer.layer,
                layer.cycles,
                100.0 * layer.busy_share,
                layer.macs,
                layer.macs_per_clock,
                layer.limit,
            )?;
        }
        let mut totals = String::new();
        for (what, share) in [
            ("tiles", self.tiles),
            ("devices", self.devices),
            ("activation memory", self.memory),
            ("image", self.image),
            ("thresholds", self.thresholds),
            ("instructions", self.instructions),
        ] {
            let Share { used, total } = share;
            writeln!(totals, "{what:<18} {used:>9} of {total:>9} ({:.1} %)", share.per_cent())?;
        }
        writeln!(f, "\n{totals}")?;
        write!(
            f,
            "an image   {} cycles, {:.1} % of them busy; {} macs, {:.1} a clock\nat {} MHz  {:.0} images a second, {:.3} ms each, \
             {:.2} billion macs a second",
            self.cycles,
            100.0 * self.busy_share,
            self.macs,
            self.macs_per_clock,
            f64::from(self.clock_hz) / 1e6,
            self.images_per_second,
            1e3 / self.images_per_second,
            self.macs_per_clock * f64::from(self.clock_hz) / 1e9,
        )
    }
}
