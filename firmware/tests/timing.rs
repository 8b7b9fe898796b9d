//! Clocks of small layers, each counted by hand, and of drawn ones, each counted by a machine of two counters that is stepped
//! clock by clock.

use bitline_firmware::isa::Instruction;
use bitline_firmware::text::assemble;
use bitline_firmware::timing::{
    Clocks, FREE_TO_GATHER, GATHER_CYCLES, GATHER_TO_READ, RANKING_CYCLES, READ_TO_STORE, READ_TO_SUMS, predict,
};
use bitline_firmware::verify::Limits;
use bitline_golden::deep_machine::DeepMachine;
use proptest::prelude::*;

/// Tiles of 8 rows and 8 columns, 4 codes gathered, 2 planes read and 2 outputs leaving a clock.
fn clocks(text: &str) -> Clocks {
    let program: Vec<Instruction> = assemble(text).unwrap();
    let limits = Limits::of(&DeepMachine::named("tiny-deep").unwrap());
    *predict(&program, &limits).last().unwrap()
}

/// Clocks before a layer's first read could come, were its first chunk a whole row group, and the fetch and end of a layer
/// whose codes are stored.
const FILL: u64 = GATHER_CYCLES + GATHER_TO_READ;
const ENDS: u64 = 2 + READ_TO_STORE;

#[test]
fn instructions_that_run_no_layer_take_two_clocks_and_those_that_move_codes_one_more_a_chunk() {
    let fixed = Clocks { latency: 2, ..Clocks::default() };
    for line in ["halt", "window codes=9", "tiles", "thresholds", "pool", "output", "count"] {
        assert_eq!(clocks(line), fixed, "{line}");
    }
    // Nine codes are three chunks.
    let moved = Clocks { latency: 2, moving: 3 + 2, ..Clocks::default() };
    assert_eq!(clocks("fill to=0 codes=9"), moved);
    assert_eq!(clocks("copy from=3 to=0 codes=9"), moved);
    assert_eq!(moved.cycles(), 7);
}

#[test]
fn a_window_of_one_chunk_is_read_once_its_codes_are_there() {
    let layer = "window codes=4\ntiles columns=4 planes=2\npool\nread";
    assert_eq!(clocks(layer), Clocks { busy: 1, feeding: FILL, latency: ENDS, ..Clocks::default() });
}

#[test]
fn sums_leave_one_by_one_and_are_ranked_one_by_one() {
    // Three row groups: chunks 0 and 1, 2 and 3, 4; the bias row is the seventeenth row, in a chunk of its own. Two plane
    // groups of four planes. Reads at FILL + 1, + 2 (row group 0), + 3, + 4, and + 5, + 6 (the bias row came with chunk 4):
    // no clock lost between them. Then the second output group, 6 more.
    let layer = "window codes=16 bias=3\ntiles row_groups=3 output_groups=2 outputs=4 columns=4 planes=4\nclassify";
    let latency = 2 + READ_TO_SUMS + 4 + RANKING_CYCLES;
    assert_eq!(clocks(layer), Clocks { busy: 12, feeding: FILL + 1, latency, ..Clocks::default() });
}

#[test]
fn a_dense_layer_of_one_plane_group_waits_for_each_row_group_the_first_time() {
    // Row groups are whole after chunks 1, 3, 5; each is read one clock after the other is waited for, then at once.
    let layer = "window codes=24\ntiles row_groups=3 output_groups=5 outputs=10 columns=4 planes=2\npool\nread";
    assert_eq!(clocks(layer), Clocks { busy: 15, feeding: FILL + 1 + 1 + 1, latency: ENDS, ..Clocks::default() });
}

#[test]
fn the_gatherer_is_the_limit_where_windows_are_many_segments() {
    // Three segments of three codes: three chunks a window, two row groups of one plane group: two reads. Row group 0 (8
    // rows) is whole with the last chunk, as is row group 1. Window w is whole after chunk 3 w + 2, w = 0..=3.
    let layer = "window segments=3 codes=3 pitch=9\ntiles row_groups=2 columns=4 planes=2\npool\nread wide=2 high=2";
    assert_eq!(clocks(layer), Clocks { busy: 8, feeding: FILL + 2 + 3, latency: ENDS, ..Clocks::default() });
}

#[test]
fn the_reader_is_the_limit_where_a_window_is_read_often() {
    // One chunk a window and four output groups of two plane groups: nothing but the first window is waited for.
    let layer = "window codes=4\ntiles output_groups=4 outputs=8 columns=4 planes=4\npool size=2\nread wide=3 high=1";
    assert_eq!(clocks(layer), Clocks { busy: 12 * 8, feeding: FILL, latency: ENDS, ..Clocks::default() });
}

#[test]
fn a_window_is_gathered_while_the_one_before_it_is_read_but_not_two() {
    // Four chunks a window of four row groups' halves: chunks 1 and 3 make row groups 0 and 1 whole. Three output groups of
    // two reads: 6 reads a window. Window 0: chunks 1..=4, reads 4, 6, then 7..=10. Window 1: chunks 5..=8, reads 11..=16.
    // Window 2 waits for window 0's last read, 10: chunks 11..=14, reads from 17.
    let layer = "window codes=16\ntiles row_groups=2 output_groups=3 outputs=6 columns=4 planes=2\npool\nread wide=3";
    assert_eq!(clocks(layer), Clocks { busy: 18, feeding: FILL + 1 + 1, latency: ENDS, ..Clocks::default() });
    // Eight chunks a window and four reads: the gatherer never waits, the reader always.
    // Window 0: chunks 1..=8, row groups whole after 2, 4, 6, 8: reads 4, 6, 8, 10. Window 1: chunks 9..=16, reads 12, 14,
    // 16, 18. Window 2: buffer free since 10, chunks 17..=24.
    let layer = "window codes=32\ntiles row_groups=4 outputs=2 columns=4 planes=2\npool\nread wide=3";
    assert_eq!(clocks(layer), Clocks { busy: 12, feeding: 26 - 11, latency: ENDS, ..Clocks::default() });
}

#[test]
fn a_short_window_waits_for_its_buffer() {
    // Two chunks and two reads a window. Window 0: chunks 1, 2, reads 4, 5. Window 1: chunks 3, 4, reads 6, 7. Window 2:
    // buffer free since 5, chunks 6, 7, reads 9, 10. Window 3: free since 7, chunks 8, 9, reads 11, 12. Window 4: free since
    // 10, chunks 11, 12, reads 14, 15.
    let layer = "window codes=8\ntiles columns=4 planes=4\npool\nread wide=5";
    assert_eq!(clocks(layer), Clocks { busy: 10, feeding: 16 - 10, latency: ENDS, ..Clocks::default() });
}

#[test]
fn outputs_of_one_column_leave_a_tile_over_several_clocks() {
    // Eight outputs, two a clock: four clocks, one read. Two windows of two groups: three pauses of three clocks before the
    // last read, and three clocks until the last outputs have left. A window takes two groups of four clocks.
    let layer = "window codes=4\ntiles output_groups=2 outputs=16 columns=1 planes=1\npool\nread wide=2";
    assert_eq!(clocks(layer), Clocks { busy: 4, feeding: FILL, leaving: 9, latency: ENDS + 3, ..Clocks::default() });
    // With as many reads as clocks, none is lost.
    let layer = "window codes=16\ntiles row_groups=2 output_groups=2 outputs=16 columns=1 planes=4\npool\nread";
    assert_eq!(
        clocks(layer),
        Clocks { busy: 8, feeding: FILL + 1, leaving: 0, latency: ENDS + 3, ..Clocks::default() }
    );
}

/// What a layer is, for both counts.
#[derive(Debug, Clone)]
struct Drawn {
    segments: usize,
    codes: usize,
    bias: usize,
    outputs: usize,
    columns: usize,
    planes: usize,
    windows: usize,
    limits: Limits,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let window = (1usize..5, 1usize..30, 0usize..2);
    let tiles = (1usize..20, prop::sample::select(vec![1usize, 4, 8]), 1usize..=8, 1usize..40);
    let machine = (0u32..4, prop::sample::select(vec![1usize, 2, 4, 8]), 1usize..=4);
    (window, tiles, machine).prop_map(|((segments, codes, bias), (outputs, columns, planes, windows), machine)| {
        let (gather, plane_lanes, output_lanes) = machine;
        let limits = Limits::of(&DeepMachine::named("tiny-deep").unwrap());
        let limits = Limits { gather_lanes: 1 << gather, plane_lanes, output_lanes, ..limits };
        Drawn { segments, codes, bias, outputs, columns, planes, windows, limits }
    })
}

impl Drawn {
    fn row_groups(&self) -> usize {
        (self.segments * self.codes + self.bias).div_ceil(self.limits.tile_rows)
    }

    fn output_groups(&self) -> usize {
        self.outputs.div_ceil(self.limits.tile_columns / self.columns)
    }

    fn text(&self) -> String {
        let Self { segments, codes, bias, outputs, columns, planes, windows, .. } = self;
        format!(
            "window segments={segments} codes={codes} bias={bias}\ntiles row_groups={} output_groups={} outputs={outputs} \
             columns={columns} planes={planes}\npool\nread wide={windows}",
            self.row_groups(),
            self.output_groups()
        )
    }

    /// For each row of a window the chunk it comes in, from 0.
    fn chunks(&self) -> Vec<usize> {
        let (mut chunks, mut chunk) = (Vec::new(), 0);
        for _ in 0..self.segments {
            for code in 0..self.codes {
                chunk += usize::from(code > 0 && code % self.limits.gather_lanes == 0);
                chunks.push(chunk);
            }
            chunk += 1;
        }
        chunks.extend((self.bias > 0).then_some(chunk));
        chunks
    }

    /// Clock after clock: what gatherer and reader do in it, by what was done in earlier clocks.
    fn step_through(&self) -> Clocks {
        let chunks = self.chunks();
        let in_window = chunks.last().unwrap() + 1;
        let planes = self.planes.div_ceil(self.limits.plane_lanes);
        let leave = (self.limits.tile_columns / self.columns).div_ceil(self.limits.output_lanes);
        let pause = leave.saturating_sub(self.row_groups() * planes);
        // Clocks in which chunks were gathered and windows last read, window after window.
        let (mut gathered, mut done): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut clocks = Clocks { latency: ENDS + leave as u64 - 1, ..Clocks::default() };
        let (mut group, mut row_group, mut plane, mut pausing) = (0, 0, 0, 0);
        for now in 0.. {
            let window = gathered.len() / in_window;
            let begins = gathered.len() % in_window == 0;
            let free = window < 2 || done.get(window - 2).is_some_and(|read| now >= read + FREE_TO_GATHER);
            // What is gathered in this clock is seen by the reader in later ones only.
            let gathers = now >= GATHER_CYCLES && window < self.windows && (!begins || free);
            let rows = ((row_group + 1) * self.limits.tile_rows).min(chunks.len());
            let needed = done.len() * in_window + chunks[rows - 1];
            if pausing > 0 {
                (pausing, clocks.leaving) = (pausing - 1, clocks.leaving + 1);
            } else if gathered.get(needed).is_some_and(|at| now >= at + GATHER_TO_READ) {
                clocks.busy += 1;
                plane += 1;
                if plane == planes {
                    (plane, row_group) = (0, row_group + 1);
                }
                if row_group == self.row_groups() {
                    (row_group, group, pausing) = (0, group + 1, pause);
                }
                if group == self.output_groups() {
                    group = 0;
                    done.push(now);
                }
                if done.len() == self.windows {
                    break;
                }
            } else {
                clocks.feeding += 1;
            }
            if gathers {
                gathered.push(now);
            }
        }
        clocks
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn clocks_are_those_of_a_machine_stepped_through(layer in drawn()) {
        let program = assemble(&layer.text()).unwrap();
        prop_assert_eq!(*predict(&program, &layer.limits).last().unwrap(), layer.step_through());
    }
}

#[test]
fn a_layer_of_very_many_windows_is_predicted_at_once() {
    let layer = "window codes=13\ntiles row_groups=2 columns=4 planes=4\npool size=15\nread wide=65535 high=65535";
    let windows = 15 * 15 * 65_535 * 65_535;
    let clocks = clocks(layer);
    assert_eq!(clocks.busy, windows * 4);
    assert_eq!(clocks.cycles() / windows, 4);
}
