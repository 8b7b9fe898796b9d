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
//!   group's last read waits until those of the group before have left.
//! - The layer ends when its last code, or the verdict, is stored.

use crate::isa::{
    COUNT_CYCLES, COUNT_SPACING_CYCLES, Cycles, IMAGE_CYCLES, INSTRUCTION_CYCLES, Instruction, MOVE_CYCLES, Opcode,
};
use crate::verify::Limits;

/// Clocks from a layer's instruction to its first chunk, those two not counted.
pub const GATHER_CYCLES: u64 = 2;
/// Clocks from the last read of a window to the first chunk that goes into its buffer.
pub const FREE_TO_GATHER: u64 = 1;
/// Clocks from the last chunk of a row group to its first read: memory, rotation, window memory.
pub const GATHER_TO_READ: u64 = 3;
/// Clocks from a read to its column counts at the counters.
pub const READ_TO_ROWS: u64 = 2;
/// Clocks from column counts to the first sums of an output group: powers, sum, signs in four clocks.
pub const COUNTS_TO_SUMS: u64 = 6;
/// Clocks from the last sums to the next instruction, if they become codes: thresholds, pool, store.
pub const SUMS_TO_END: u64 = 12;
/// The same if they are ranked, beyond one a sum.
pub const RANKING_CYCLES: u64 = 7;

/// Clocks of the population count of so many rows: the first counts up to fifteen, each further one joins eight counts.
pub fn count_cycles(rows: usize) -> u64 {
    std::iter::successors(Some(15), |counted| Some(8 * counted + 7)).position(|counted| rows <= counted).unwrap_or(0)
        as u64
        + 1
}

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
        let parts = [self.busy, self.feeding, self.leaving, self.moving, self.latency];
        parts.into_iter().fold(0, u64::saturating_add)
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
    let planes = tiles.get("planes").div_ceil(limits.plane_lanes) as u64;
    let (row_groups, output_groups) = (field("row_groups"), field("output_groups"));
    let gathering = Gathering::new(window, limits, row_groups as usize);
    let leave = (limits.tile_columns / tiles.get("columns")).div_ceil(limits.output_lanes) as u64;

    let mut clocks = instruction_clocks(run, limits);
    let mut walk = Walk { gathered: GATHER_CYCLES, ..Walk::default() };
    let mut before: Option<Walk> = None;
    let mut window = 0;
    while window < windows {
        if window % 2 == 0 {
            match before {
                // Two windows that begin as the two before them did take as long, and so do all that follow.
                Some(before) if walk.begins_as(&before) => {
                    let pairs = (windows - window) / 2;
                    walk.go_on(&before, pairs as u64);
                    window += 2 * pairs;
                    if window == windows {
                        break;
                    }
                }
                // The watchdog ends the image long before: however many clocks follow, they are too many.
                Some(_) if walk.next > limits.cycles => break,
                _ => {}
            }
            before = Some(walk);
        }
        let start = walk.gathered.max(walk.free[window % 2]);
        walk.gathered = start + gathering.chunks;
        for group in 0..output_groups {
            if group == 0 {
                for row_group in 0..row_groups {
                    let ready = start + gathering.last_chunk(row_group as usize) + GATHER_TO_READ;
                    walk.feeding += ready.saturating_sub(walk.next);
                    walk.next = walk.next.max(ready) + planes;
                }
            } else {
                // All row groups are there for the further output groups.
                walk.next += row_groups * planes;
            }
            if group + 1 == output_groups {
                // A window's last read waits for its last code, also where the tiles leave rows of it out.
                let whole = start + gathering.chunks - 1 + GATHER_TO_READ;
                walk.feeding += whole.saturating_sub(walk.next - 1);
                walk.next = walk.next.max(whole + 1);
            }
            // The group's last read waits until the outputs before it have left.
            walk.leaving += walk.leaves.saturating_sub(walk.next - 1);
            walk.next = walk.next.max(walk.leaves + 1);
            walk.leaves = walk.next - 1 + leave;
        }
        walk.free[window % 2] = walk.next - 1 + FREE_TO_GATHER;
        window += 1;
    }
    (clocks.feeding, clocks.leaving) = (walk.feeding, walk.leaving);
    clocks.busy = (output_groups * row_groups * planes).saturating_mul(windows as u64);
    clocks.latency += READ_TO_ROWS + count_cycles(limits.tile_rows) + COUNTS_TO_SUMS + leave - 2;
    clocks.latency += match run.opcode() {
        Opcode::Classify => field("outputs") + RANKING_CYCLES,
        _ => SUMS_TO_END,
    };
    clocks
}

/// How far a layer is. Clocks count from 0, the one after the layer's instruction.
#[derive(Clone, Copy, Default)]
struct Walk {
    /// The gatherer is through with its window.
    gathered: u64,
    /// A buffer is free.
    free: [u64; 2],
    /// The reader goes on.
    next: u64,
    /// The outputs of the next group may leave.
    leaves: u64,
    /// Clocks so far that the reader waited for the gatherer.
    feeding: u64,
    /// Clocks so far that it waited for outputs.
    leaving: u64,
}

impl Walk {
    /// Whether everything lies around the next read as it did before: what follows is then the same, only later.
    fn begins_as(&self, before: &Self) -> bool {
        let later = self.next - before.next;
        let clocks = |walk: &Self| [walk.gathered, walk.free[0], walk.free[1], walk.leaves];
        clocks(self).into_iter().zip(clocks(before)).all(|(now, then)| now - then == later)
    }

    /// What came since `before`, so many times more.
    fn go_on(&mut self, before: &Self, times: u64) {
        let more = |now: &mut u64, then: u64| *now = now.saturating_add((*now - then).saturating_mul(times));
        more(&mut self.gathered, before.gathered);
        more(&mut self.free[0], before.free[0]);
        more(&mut self.free[1], before.free[1]);
        more(&mut self.next, before.next);
        more(&mut self.leaves, before.leaves);
        more(&mut self.feeding, before.feeding);
        more(&mut self.leaving, before.leaving);
    }
}

/// How the codes of a window come, the same for every window of a layer.
struct Gathering {
    /// Clocks that a window takes.
    chunks: u64,
    /// For each row group that has codes and is read, the chunk, from 0, after which it is whole.
    last_chunks: Vec<u64>,
}

impl Gathering {
    fn new(window: &Instruction, limits: &Limits, row_groups: usize) -> Self {
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
            last_chunks: (0..rows.div_ceil(limits.tile_rows).min(row_groups))
                .map(|row_group| last(row_group) as u64)
                .collect(),
        }
    }

    /// The chunk after which a row group is whole; a row group without codes waits for the whole window.
    fn last_chunk(&self, row_group: usize) -> u64 {
        self.last_chunks.get(row_group).copied().unwrap_or(self.chunks - 1)
    }
}

/// Clocks of each instruction of a program, for one image; the first one's include those before it. A layer that is not set
/// up, and what comes after a `halt`, takes none.
pub fn predict(program: &[Instruction], limits: &Limits) -> Vec<Clocks> {
    let (mut window, mut tiles, mut pool) = (None, None, None);
    // Clocks since the last `count` was done, and since that or the image's begin.
    let (mut counted, mut spaced) = (u64::MAX, u64::from(IMAGE_CYCLES));
    let mut before = u64::from(IMAGE_CYCLES);
    let mut ended = false;
    let clocks = program.iter().map(|instruction| {
        if ended {
            return Clocks::default();
        }
        let mut clocks = instruction_clocks(instruction, limits);
        match instruction.opcode() {
            Opcode::Window => window = Some(*instruction),
            Opcode::Tiles => tiles = Some(*instruction),
            Opcode::Pool => pool = Some(*instruction),
            Opcode::Read | Opcode::Classify => {
                if let (Some(window), Some(tiles)) = (window, tiles) {
                    clocks = layer_clocks(instruction, &LayerSetUp { window, tiles, pool }, limits);
                }
            }
            Opcode::Count => clocks.latency += u64::from(COUNT_SPACING_CYCLES).saturating_sub(spaced.saturating_add(1)),
            Opcode::Halt => {
                clocks.latency += u64::from(COUNT_CYCLES).saturating_sub(counted.saturating_add(1));
                ended = true;
            }
            _ => {}
        }
        (counted, spaced) = match instruction.opcode() {
            Opcode::Count => (0, 0),
            _ => (counted.saturating_add(clocks.cycles()), spaced.saturating_add(clocks.cycles())),
        };
        clocks.latency += std::mem::take(&mut before);
        clocks
    });
    clocks.collect()
}
