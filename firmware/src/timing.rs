//! Clocks of a program, predicted exactly: what the gateware's `cycles` and `busy_cycles` count, layer by layer.
//!
//! No clock depends on codes or weights, so that a program alone says how long an image takes. A layer is followed event by
//! event, by the rules that the gateware keeps:
//!
//! - The *gatherer* takes the windows of a layer in order: squares row by row, within a square row by row. It moves a chunk
//!   of up to `gather_lanes` codes of one segment a clock, one segment right after another, then the bias row in a chunk of
//!   its own. It has two window buffers: window w begins right after window w - 1, but not before the reader is through
//!   with window w - 2.
//! - The *reader* reads a tile a clock: of each window each output group, of that each row group, of that each plane group.
//!   A row group is read once all its codes, the bias row included, have been gathered.
//! - The outputs of a tile leave it `output_lanes` a clock. Where that takes longer than the reads of an output group, the
//!   reader pauses after each group for the difference.
//! - The layer ends when its last code, or the verdict, is stored.

use crate::isa::{Cycles, INSTRUCTION_CYCLES, Instruction, MOVE_CYCLES, Opcode};
use crate::verify::Limits;

/// Clocks from a layer's decoding to its first chunk.
pub const GATHER_CYCLES: u64 = 1;
/// Clocks from the last read of a window to the first chunk that goes into its buffer.
pub const FREE_TO_GATHER: u64 = 1;
/// Clocks from the last chunk of a row group to its first read.
pub const GATHER_TO_READ: u64 = 2;
/// Clocks from the last read of `read` to the next instruction's fetch, if all outputs of a tile left it in one clock:
/// counts, quantizers, sums, signs, thresholds, pool, store.
pub const READ_TO_STORE: u64 = 10;
/// Clocks from the last read of `classify` to its first sum, if all outputs of a tile left it in one clock.
pub const READ_TO_SUMS: u64 = 6;
/// Clocks that ranking takes beyond one a sum.
pub const RANKING_CYCLES: u64 = 2;

/// Where the clocks of an instruction, a layer or an image go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clocks {
    /// A tile is read.
    pub busy: u64,
    /// The reader waits for the gatherer.
    pub feeding: u64,
    /// The reader waits until the outputs of a group have left their tile.
    pub leaving: u64,
    /// `fill` and `copy` move codes.
    pub moving: u64,
    /// Instructions are fetched, and the last outputs are on their way.
    pub latency: u64,
}

impl Clocks {
    /// All clocks.
    pub fn cycles(&self) -> u64 {
        self.busy + self.feeding + self.leaving + self.moving + self.latency
    }

    /// The clocks of both.
    pub fn and(&self, more: &Self) -> Self {
        Self {
            busy: self.busy + more.busy,
            feeding: self.feeding + more.feeding,
            leaving: self.leaving + more.leaving,
            moving: self.moving + more.moving,
            latency: self.latency + more.latency,
        }
    }
}

/// The instructions that set a layer up; `pool` is none for `classify`.
#[derive(Debug, Clone, Copy)]
pub struct LayerSetUp {
    /// The last `window`.
    pub window: Instruction,
    /// The last `tiles`.
    pub tiles: Instruction,
    /// The last `pool`.
    pub pool: Option<Instruction>,
}

/// Clocks of an instruction that runs no layer, or those of one that does before the layer begins.
pub fn instruction_clocks(instruction: &Instruction, limits: &Limits) -> Clocks {
    let latency = u64::from(INSTRUCTION_CYCLES);
    match instruction.operation().cycles {
        Cycles::Fixed(clocks) => Clocks { latency: u64::from(clocks), ..Clocks::default() },
        Cycles::Layer => Clocks { latency, ..Clocks::default() },
        Cycles::Codes => {
            let chunks = instruction.get("codes").div_ceil(limits.gather_lanes) as u64;
            Clocks { moving: chunks + u64::from(MOVE_CYCLES), latency, ..Clocks::default() }
        }
    }
}

/// Clocks of a layer that `read` or `classify` runs, those of the instruction included.
pub fn layer_clocks(run: &Instruction, set_up: &LayerSetUp, limits: &Limits) -> Clocks {
    let LayerSetUp { window, tiles, pool } = set_up;
    let field = |name| tiles.get(name) as u64;
    let windows = match pool {
        Some(pool) if run.opcode() == Opcode::Read => run.get("wide") * run.get("high") * pool.get("size").pow(2),
        _ => 1,
    };
    let gathering = Gathering::new(window, limits);
    let planes = tiles.get("planes").div_ceil(limits.plane_lanes) as u64;
    let (row_groups, output_groups) = (field("row_groups"), field("output_groups"));
    let leave = (limits.tile_columns / tiles.get("columns")).div_ceil(limits.output_lanes) as u64;
    let pause = leave.saturating_sub(row_groups * planes);

    let mut clocks = instruction_clocks(run, limits);
    // Clocks of the layer, from 0: when the gatherer is through with a window, when buffers are free, when the reader goes on.
    let (mut gathered, mut free, mut next) = (GATHER_CYCLES, [0; 2], 0);
    let mut before = None;
    let mut window = 0;
    while window < windows {
        if window.is_multiple_of(2) {
            // Two windows that begin as the two before them did take as long, and so do all that follow.
            let since = |clock: u64| i128::from(clock) - i128::from(next);
            let state = (since(gathered), free.map(since));
            if let Some((same, then, fed)) = before.replace((state, next, clocks.feeding))
                && same == state
            {
                let (step, pairs) = (next - then, ((windows - window) / 2) as u64);
                clocks.feeding += pairs * (clocks.feeding - fed);
                (gathered, free, next) =
                    (gathered + pairs * step, free.map(|at| at + pairs * step), next + pairs * step);
                window += 2 * pairs as usize;
                before = None;
                continue;
            }
        }
        let start = gathered.max(free[window % 2]);
        gathered = start + gathering.chunks;
        for row_group in 0..row_groups {
            let ready = start + gathering.last_chunk(row_group as usize) + GATHER_TO_READ;
            clocks.feeding += ready.saturating_sub(next);
            next = next.max(ready) + planes;
        }
        // All row groups are there for the further output groups.
        next += pause + (output_groups - 1) * (row_groups * planes + pause);
        free[window % 2] = next - pause - 1 + FREE_TO_GATHER;
        window += 1;
    }
    clocks.busy = windows as u64 * output_groups * row_groups * planes;
    // Nothing waits for the outputs of the last group but the end of the layer.
    clocks.leaving = (windows as u64 * output_groups - 1) * pause;
    clocks.latency += leave - 1;
    clocks.latency += match run.opcode() {
        Opcode::Classify => READ_TO_SUMS + field("outputs") + RANKING_CYCLES,
        _ => READ_TO_STORE,
    };
    clocks
}

/// How the codes of a window come, the same for every window of a layer.
struct Gathering {
    /// Clocks that a window takes.
    chunks: u64,
    /// For each row group that has codes, the chunk, from 0, after which it is whole.
    last_chunks: Vec<u64>,
}

impl Gathering {
    fn new(window: &Instruction, limits: &Limits) -> Self {
        let (segments, codes) = (window.get("segments"), window.get("codes"));
        let chunks_of_segment = codes.div_ceil(limits.gather_lanes);
        let has_bias = window.get("bias") != 0;
        let gathered = segments * codes;
        let rows = gathered + usize::from(has_bias);
        let last = |row_group: usize| {
            let row = ((row_group + 1) * limits.tile_rows).min(rows) - 1;
            if row == gathered {
                return segments * chunks_of_segment;
            }
            row / codes * chunks_of_segment + row % codes / limits.gather_lanes
        };
        Self {
            chunks: (segments * chunks_of_segment + usize::from(has_bias)) as u64,
            last_chunks: (0..rows.div_ceil(limits.tile_rows)).map(|row_group| last(row_group) as u64).collect(),
        }
    }

    /// The chunk after which a row group is whole; a row group without codes waits for the whole window.
    fn last_chunk(&self, row_group: usize) -> u64 {
        self.last_chunks.get(row_group).copied().unwrap_or(self.chunks - 1)
    }
}

/// Clocks of each instruction of a program that passes [`crate::verify::verify`], for one image.
pub fn predict(program: &[Instruction], limits: &Limits) -> Vec<Clocks> {
    let (mut window, mut tiles, mut pool) = (None, None, None);
    let clocks = program.iter().map(|instruction| {
        match instruction.opcode() {
            Opcode::Window => window = Some(*instruction),
            Opcode::Tiles => tiles = Some(*instruction),
            Opcode::Pool => pool = Some(*instruction),
            Opcode::Read | Opcode::Classify => {
                if let (Some(window), Some(tiles)) = (window, tiles) {
                    return layer_clocks(instruction, &LayerSetUp { window, tiles, pool }, limits);
                }
            }
            _ => {}
        }
        instruction_clocks(instruction, limits)
    });
    clocks.collect()
}
