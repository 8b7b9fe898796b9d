//! From a network to a program: layers on tiles, maps in the activation memory, everything multiplied out.

use crate::isa::{Instruction, IsaError, Opcode};
use crate::program::{ImageLayout, Program, Target, Tile};
use crate::timing::{Clocks, predict};
use crate::verify::{VerifyError, verify};
use bitline_golden::array::weight_bit;
use bitline_golden::network::{Geometry, Layer, MapShape, Network, NetworkError, Pool};

/// Why a network cannot be made a program for a machine.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CompileError {
    /// The network is not sound.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The machine has too little of something.
    #[error("network {network} needs {needed} {what}, machine {machine} has {limit}: {over} too many; {remedy}")]
    Fit {
        /// The network.
        network: String,
        /// The machine.
        machine: String,
        /// What there is too little of.
        what: String,
        /// How many the network needs.
        needed: usize,
        /// How many there are.
        limit: usize,
        /// The difference.
        over: usize,
        /// What to do.
        remedy: &'static str,
    },
    /// A number does not fit its field.
    #[error("network {network} layer {layer} does not fit an instruction: {reason}")]
    Field {
        /// The network.
        network: String,
        /// The layer, from 0.
        layer: usize,
        /// What does not fit.
        reason: IsaError,
    },
    /// The program does not pass the checks: a fault of the compiler.
    #[error(
        "the program made of network {network} does not pass its checks, which is a fault of the compiler: {reason}"
    )]
    Check {
        /// The network.
        network: String,
        /// What is wrong with it.
        reason: VerifyError,
    },
}

/// Where a layer went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// First tile.
    pub first_tile: usize,
    /// Tiles under each other.
    pub row_groups: usize,
    /// Tiles side by side.
    pub output_groups: usize,
    /// Columns of an output.
    pub columns: usize,
    /// Rows of a window, the bias row included.
    pub rows: usize,
    /// Outputs.
    pub outputs: usize,
    /// Windows that are read: as many as squares of the pool have, though squares overlap, or leave some out.
    pub windows: usize,
    /// Codes that it reads from.
    pub input: MapPlace,
    /// Where its codes go; the last layer has none.
    pub output: Option<OutputPlace>,
}

/// A map in memory, its border included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapPlace {
    /// Whether it is the image in its slot, and not a map of the activation memory.
    pub image: bool,
    /// Address of its first code, border or not.
    pub base: usize,
    /// Codes, with the border.
    pub codes: usize,
}

/// Where a layer's map of codes lies in the activation memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputPlace {
    /// Height, width and channels.
    pub shape: MapShape,
    /// Address of the first code that is not border.
    pub first: usize,
    /// Codes from one row to the next.
    pub pitch: usize,
    /// The map with its border.
    pub map: MapPlace,
}

impl OutputPlace {
    /// The map's codes in an activation memory, without border, in the order of the layer that reads them.
    pub fn codes_in(&self, memory: &[u8]) -> Vec<u8> {
        let row_codes = self.shape.width * self.shape.channels;
        let row = |y: usize| &memory[self.first + y * self.pitch..][..row_codes];
        (0..self.shape.height).flat_map(row).copied().collect()
    }
}

impl Placement {
    /// Tiles of the layer.
    pub fn tiles(&self) -> usize {
        self.row_groups * self.output_groups
    }
}

/// A program and where each layer went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// What is loaded.
    pub program: Program,
    /// One a layer.
    pub placements: Vec<Placement>,
}

/// A map in memory, with the border that the layer reading it pads with.
#[derive(Clone, Copy)]
struct Placed {
    shape: MapShape,
    padding: usize,
    base: usize,
    image: bool,
}

impl Placed {
    fn pitch(&self) -> usize {
        (self.shape.width + 2 * self.padding) * self.shape.channels
    }

    fn codes(&self) -> usize {
        (self.shape.height + 2 * self.padding) * self.pitch()
    }

    fn place(&self) -> MapPlace {
        MapPlace { image: self.image, base: self.base, codes: self.codes() }
    }

    /// Address of the first code that is not border.
    fn first(&self) -> usize {
        self.base + self.padding * (self.pitch() + self.shape.channels)
    }
}

/// Columns that an output of so many weight bits takes: signs make wider weights of narrow ones.
pub fn columns_of(weight_bits: usize) -> usize {
    match weight_bits {
        1 => 1,
        2..=4 => 4,
        _ => 8,
    }
}

fn padding_of(layer: Option<&Layer>) -> usize {
    match layer.map(|layer| layer.geometry) {
        Some(Geometry::Convolution(convolution)) => convolution.padding,
        _ => 0,
    }
}

/// Make a program of a network.
///
/// # Errors
/// [`CompileError`]: with the numbers, if the network does not fit.
pub fn compile(network: &Network, target: &Target) -> Result<Compiled, CompileError> {
    network.check()?;
    let mut compiler = Compiler {
        network,
        target,
        program: Program {
            instructions: Vec::new(),
            tiles: Vec::new(),
            thresholds: Vec::new(),
            image: ImageLayout { height: 0, row_codes: 0, pitch: 0, first: 0, codes: 0 },
        },
        placements: Vec::new(),
    };
    compiler.layers()?;
    let Compiler { program, placements, .. } = compiler;
    let limits = &target.limits;
    fit(network, target, "records of layer counters", network.layers.len(), limits.layers)?;
    fit(network, target, "tiles", program.tiles.len(), limits.tiles)?;
    fit(network, target, "thresholds", program.thresholds.len(), limits.thresholds)?;
    fit(network, target, "instructions", program.instructions.len(), limits.instructions)?;
    verify(&program.instructions, limits)
        .map_err(|reason| CompileError::Check { network: network.name.clone(), reason })?;
    let cycles: u64 = predict(&program.instructions, limits).iter().map(Clocks::cycles).sum();
    fit(network, target, "clocks an image", cycles as usize, limits.cycles as usize)?;
    Ok(Compiled { program, placements })
}

fn fit(
    network: &Network,
    target: &Target,
    what: impl Into<String>,
    needed: usize,
    limit: usize,
) -> Result<(), CompileError> {
    if needed <= limit {
        return Ok(());
    }
    Err(CompileError::Fit {
        network: network.name.clone(),
        machine: target.name.clone(),
        what: what.into(),
        needed,
        limit,
        over: needed - limit,
        remedy: "choose a larger machine or a smaller network",
    })
}

struct Compiler<'a> {
    network: &'a Network,
    target: &'a Target,
    program: Program,
    placements: Vec<Placement>,
}

impl Compiler<'_> {
    fn layers(&mut self) -> Result<(), CompileError> {
        let layers = &self.network.layers;
        let mut input = self.image()?;
        for (n, layer) in layers.iter().enumerate() {
            let output = match &layer.activation {
                None => None,
                Some(_) => Some(self.place_output(n, layer, &input)?),
            };
            self.layer(n, layer, &input, output.as_ref())?;
            if let Some(output) = output {
                input = output;
            }
        }
        self.emit(layers.len() - 1, Opcode::Halt, &[])
    }

    fn fit(&self, what: String, needed: usize, limit: usize) -> Result<(), CompileError> {
        fit(self.network, self.target, what, needed, limit)
    }

    /// The image: in its own slot, with the first layer's border around it.
    fn image(&mut self) -> Result<Placed, CompileError> {
        let first = &self.network.layers[0];
        let shape = match first.geometry {
            Geometry::Dense => MapShape::flat(first.inputs()),
            Geometry::Convolution(convolution) => convolution.input,
        };
        let placed = Placed { shape, padding: padding_of(Some(first)), base: 0, image: true };
        self.fit("codes an image".into(), placed.codes(), self.target.limits.image_codes)?;
        self.program.image = ImageLayout {
            height: shape.height,
            row_codes: shape.width * shape.channels,
            pitch: placed.pitch(),
            first: placed.first(),
            codes: placed.codes(),
        };
        Ok(placed)
    }

    /// Maps take turns: one from the memory's start, the next up to its end.
    fn place_output(&self, n: usize, layer: &Layer, input: &Placed) -> Result<Placed, CompileError> {
        let limit = self.target.limits.codes;
        let padding = padding_of(self.network.layers.get(n + 1));
        let mut placed = Placed { shape: layer.output_map(), padding, base: 0, image: false };
        let beside = if input.image { 0 } else { input.codes() };
        self.fit(format!("codes for the maps of layer {n}"), beside + placed.codes(), limit)?;
        if n % 2 == 1 {
            placed.base = limit - placed.codes();
        }
        Ok(placed)
    }

    fn layer(&mut self, n: usize, layer: &Layer, input: &Placed, output: Option<&Placed>) -> Result<(), CompileError> {
        let limits = self.target.limits;
        self.fit(format!("bits for the inputs of layer {n}"), layer.input_bits, limits.code_bits)?;
        let bias = if layer.has_no_biases() { 0 } else { layer.bias_code as usize };
        let (pitch, channels) = (input.pitch(), input.shape.channels);
        let (segments, codes, stride) = match layer.geometry {
            Geometry::Dense => (1, layer.inputs(), 0),
            Geometry::Convolution(c) => (c.kernel_height, c.kernel_width * channels, c.stride),
        };
        let rows = segments * codes + usize::from(bias != 0);
        let columns = columns_of(layer.weight_bits);
        self.fit(format!("columns for an output of layer {n}"), columns, limits.weight_bits)?;
        let row_groups = rows.div_ceil(limits.tile_rows);
        self.fit(format!("row groups for a window of layer {n}"), row_groups, limits.row_groups)?;
        let output_groups = layer.outputs().div_ceil(limits.tile_columns / columns);
        let squares = layer.output_map();
        let pool = layer.pool.unwrap_or(Pool::NONE);
        self.placements.push(Placement {
            first_tile: self.program.tiles.len(),
            row_groups,
            output_groups,
            columns,
            rows,
            outputs: layer.outputs(),
            windows: squares.height * squares.width * pool.size.pow(2),
            input: input.place(),
            output: output.map(|placed| OutputPlace {
                shape: placed.shape,
                first: placed.first(),
                pitch: placed.pitch(),
                map: placed.place(),
            }),
        });
        self.emit(
            n,
            Opcode::Window,
            &[
                ("base", input.base),
                ("image", usize::from(input.image)),
                ("pitch", pitch),
                ("segments", segments),
                ("codes", codes),
                ("step_x", stride * channels),
                ("step_y", stride * pitch),
                ("bias", bias),
            ],
        )?;
        self.emit(
            n,
            Opcode::Tiles,
            &[
                ("first", self.program.tiles.len()),
                ("row_groups", row_groups),
                ("output_groups", output_groups),
                ("outputs", layer.outputs()),
                ("columns", columns),
                ("planes", layer.input_bits),
            ],
        )?;
        self.fill_tiles(layer, columns, row_groups, output_groups);
        let (Some(output), Some(activation)) = (output, &layer.activation) else {
            self.fit("sums of the last layer".into(), layer.outputs(), limits.sums)?;
            self.emit(n, Opcode::Classify, &[])?;
            return self.emit(n, Opcode::Count, &[("layer", n)]);
        };
        self.fit(format!("bits for the codes of layer {n}"), activation.bits, limits.code_bits)?;
        let first = self.program.thresholds.len().next_multiple_of(limits.output_lanes);
        self.program.thresholds.resize(first, Vec::new());
        self.emit(n, Opcode::Thresholds, &[("first", first), ("bits", activation.bits)])?;
        self.program.thresholds.extend(activation.thresholds.rows().into_iter().map(|row| row.to_vec()));
        let steps = [("step_x", pool.stride * stride * channels), ("step_y", pool.stride * stride * pitch)];
        self.emit(n, Opcode::Pool, &[&[("size", pool.size)], &steps[..]].concat())?;
        if output.padding > 0 {
            self.emit(n, Opcode::Fill, &[("to", output.base), ("codes", output.codes())])?;
        }
        let steps = [("step_x", output.shape.channels), ("step_y", output.pitch())];
        self.emit(n, Opcode::Output, &[&[("base", output.first())], &steps[..]].concat())?;
        self.emit(n, Opcode::Read, &[("wide", output.shape.width), ("high", output.shape.height)])?;
        self.emit(n, Opcode::Count, &[("layer", n)])
    }

    fn emit(&mut self, layer: usize, opcode: Opcode, fields: &[(&str, usize)]) -> Result<(), CompileError> {
        let instruction: Result<Instruction, IsaError> = opcode.with(fields);
        let network = || self.network.name.clone();
        let made = instruction.map_err(|reason| CompileError::Field { network: network(), layer, reason })?;
        self.program.instructions.push(made);
        Ok(())
    }

    /// Bits of the weights, output group by output group; narrower weights are widened by their sign.
    fn fill_tiles(&mut self, layer: &Layer, columns: usize, row_groups: usize, output_groups: usize) {
        let limits = self.target.limits;
        let tile_outputs = limits.tile_columns / columns;
        let weight = |output: usize, row: usize| match layer.weights.get((output, row)) {
            Some(weight) => Some(*weight),
            None if row == layer.inputs() && !layer.has_no_biases() => layer.biases.get(output).copied(),
            None => None,
        };
        for (group, row_group) in (0..output_groups).flat_map(|g| (0..row_groups).map(move |r| (g, r))) {
            let mut tile = Tile::new(&limits);
            for (c, column) in tile.columns.iter_mut().enumerate().take(tile_outputs * columns) {
                let (output, bit) = (group * tile_outputs + c / columns, c % columns);
                for (r, device) in column.iter_mut().enumerate() {
                    let stored = weight(output, row_group * limits.tile_rows + r);
                    *device = stored.is_some_and(|weight| weight_bit(weight, bit, columns));
                }
            }
            self.program.tiles.push(tile);
        }
    }
}
