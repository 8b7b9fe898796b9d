//! Clocks of small layers, each counted by hand, and of drawn ones, each counted by a machine of two counters that is stepped
//! clock by clock. `hdl/tests/deep_core.rs` holds the prediction to the gateware.

use bitline_firmware::isa::Instruction;
use bitline_firmware::text::assemble;
use bitline_firmware::timing::{Clocks, FREE_TO_GATHER, GATHER_CYCLES, GATHER_TO_READ, count_cycles, predict};
use bitline_firmware::verify::Limits;
use bitline_golden::deep_machine::DeepMachine;
use proptest::prelude::*;

/// Tiles of 8 rows and 8 columns, 4 codes gathered, 2 planes read and 2 outputs leaving a clock.
fn limits() -> Limits {
    Limits::of(&DeepMachine::named("tiny-deep").unwrap())
}

fn all_clocks(text: &str) -> Vec<Clocks> {
    let program: Vec<Instruction> = assemble(text).unwrap();
    predict(&program, &limits())
}

/// Of the last instruction, which may not be the first.
fn clocks(text: &str) -> Clocks {
    let all = all_clocks(text);
    assert!(all.len() > 1);
    *all.last().unwrap()
}

/// Clocks before a layer's first read could come, were its first chunk a whole row group: it comes in clock 2 after the
/// instruction, counted from 0, and is read in clock 5.
const FILL: u64 = 5;

/// The clock of an instruction, and those after a layer's last read until its codes are stored, where all outputs of a tile
/// leave it in one: rows and counts come 3 clocks after the read, sums 5 after these, and the end 12 after the sums.
const ENDS: u64 = 1 + 3 + 5 + 12;

#[test]
fn instructions_that_run_no_layer_take_a_clock_and_those_that_move_codes_two_more_and_one_a_chunk() {
    let fixed = Clocks { latency: 1, ..Clocks::default() };
    for line in ["halt", "window codes=9", "tiles", "thresholds", "pool", "output"] {
        assert_eq!(clocks(&format!("pool\n{line}")), fixed, "{line}");
    }
    assert_eq!(clocks("fill to=0 codes=1000\ncount"), fixed, "count");
    // Nine codes are three chunks.
    let moved = Clocks { latency: 1, moving: 3 + 2, ..Clocks::default() };
    assert_eq!(clocks("pool\nfill to=0 codes=9"), moved);
    assert_eq!(clocks("pool\ncopy from=30 to=0 codes=9"), moved);
    assert_eq!(moved.cycles(), 6);
}

#[test]
fn the_first_instruction_is_fetched_and_decoded_and_nothing_follows_a_halt() {
    let cycles = |text: &str| all_clocks(text).iter().map(Clocks::cycles).collect::<Vec<_>>();
    assert_eq!(cycles("pool\noutput\nhalt\npool"), [3, 1, 1, 0]);
    assert_eq!(cycles("halt"), [3]);
    assert_eq!(cycles("fill to=0 codes=4\nhalt"), [6, 1]);
    assert_eq!(cycles("classify\nhalt"), [3, 1], "a layer that is not set up takes no more");
}

#[test]
fn a_halt_comes_three_clocks_after_a_count_and_the_next_count_twenty_eight() {
    let cycles = |text: &str| all_clocks(text).iter().map(Clocks::cycles).collect::<Vec<_>>();
    // Counts in clocks 27 and 55, `halt` in clock 58.
    assert_eq!(cycles("count\ncount\nhalt"), [28, 28, 3]);
    // `pool` in clock 28, so that two are left; `output` in clock 29; then none.
    assert_eq!(cycles("count\npool\nhalt"), [28, 1, 2]);
    assert_eq!(cycles("count\npool\noutput\nhalt"), [28, 1, 1, 1]);
    // What comes between is taken off; after 27 clocks nothing is left.
    assert_eq!(cycles("count\npool\noutput\ntiles\ncount"), [28, 1, 1, 1, 25]);
    let limits = limits();
    let move_of = |chunks: usize| format!("fill to=0 codes={}", chunks * limits.gather_lanes);
    assert_eq!(cycles(&format!("count\n{}\ncount", move_of(23))), [28, 26, 2]);
    assert_eq!(cycles(&format!("count\n{}\ncount", move_of(24))), [28, 27, 1]);
    assert_eq!(cycles(&format!("{}\ncount", move_of(22))), [27, 1]);
    assert_eq!(cycles(&format!("{}\ncount", move_of(21))), [26, 2]);
}

#[test]
fn a_population_count_takes_a_clock_and_one_more_for_each_factor_of_eight() {
    // Fifteen rows; eight such counts and seven rows more; eight of these and seven more.
    let last_rows = [(1, 15), (2, 8 * 15 + 7), (3, 8 * 127 + 7)];
    for (clocks, rows) in last_rows {
        assert_eq!((count_cycles(rows), count_cycles(rows + 1)), (clocks, clocks + 1), "{rows} rows");
    }
    assert_eq!(count_cycles(1), 1);
}

#[test]
fn a_window_of_one_chunk_is_read_once_its_codes_are_there() {
    let layer = "window codes=4\ntiles columns=4 planes=2\npool\nread";
    assert_eq!(clocks(layer), Clocks { busy: 1, feeding: FILL, latency: ENDS, ..Clocks::default() });
    assert_eq!(clocks(layer).cycles(), 27);
}

#[test]
fn counting_more_rows_takes_longer() {
    let program = assemble("window codes=4\ntiles columns=4 planes=2\npool\nread").unwrap();
    let latency = |tile_rows| predict(&program, &Limits { tile_rows, ..limits() }).last().unwrap().latency;
    assert_eq!((latency(15), latency(16), latency(128)), (ENDS, ENDS + 1, ENDS + 2));
}

#[test]
fn sums_leave_one_by_one_and_are_ranked_one_by_one() {
    // Chunks in clocks 2 to 5, the bias row's in 6. Row groups are whole after chunks 1, 3 and 4, in clocks 3, 5, 6: read from
    // 6, 8, 9 on. Two plane groups of four planes: reads in 6, 7; 8, 9; 10, 11, and the second output group's in 12 to 17.
    let layer = "window codes=16 bias=3\ntiles row_groups=3 output_groups=2 outputs=4 columns=4 planes=4\nclassify";
    // Sums come 8 clocks after the last read; four are ranked, in 7 clocks more.
    let latency = 1 + 8 + 4 + 7;
    assert_eq!(clocks(layer), Clocks { busy: 12, feeding: 6, latency, ..Clocks::default() });
}

#[test]
fn a_dense_layer_of_one_plane_group_waits_for_each_row_group_the_first_time() {
    // Chunks in clocks 2 to 7. Row groups are whole in 3, 5, 7: read in 6, 8, 10, then four times three in 11 to 22.
    let layer = "window codes=24\ntiles row_groups=3 output_groups=5 outputs=10 columns=4 planes=2\npool\nread";
    assert_eq!(clocks(layer), Clocks { busy: 15, feeding: 6 + 1 + 1, latency: ENDS, ..Clocks::default() });
}

#[test]
fn the_gatherer_is_the_limit_where_windows_are_many_segments() {
    // Three segments of three codes: three chunks a window, two row groups, both whole with the last: two reads.
    // Window 0: chunks in 2, 3, 4, reads in 7, 8. Window 1: chunks in 5, 6, 7, reads in 10, 11. Window 2: its buffer is free
    // from 9 on, chunks in 9, 10, 11, reads in 14, 15. Window 3: free from 12 on, chunks in 12, 13, 14, reads in 17, 18.
    let layer = "window segments=3 codes=3 pitch=9\ntiles row_groups=2 columns=4 planes=2\npool\nread wide=2 high=2";
    assert_eq!(clocks(layer), Clocks { busy: 8, feeding: 7 + 1 + 2 + 1, latency: ENDS, ..Clocks::default() });
}

#[test]
fn the_reader_is_the_limit_where_a_window_is_read_often() {
    // One chunk a window and four output groups of two plane groups. Window 0: chunk in 2, reads in 5 to 12. Window 1: chunk
    // in 3, reads in 13 to 20. Window 2: chunk in 13, reads from 21 on: nothing but the first window is waited for.
    let layer = "window codes=4\ntiles output_groups=4 outputs=8 columns=4 planes=4\npool size=2\nread wide=3 high=1";
    assert_eq!(clocks(layer), Clocks { busy: 12 * 8, feeding: FILL, latency: ENDS, ..Clocks::default() });
}

#[test]
fn a_window_is_gathered_while_the_one_before_it_is_read_but_not_two() {
    // Four chunks and two row groups a window, whole after its chunks 1 and 3; three output groups of two reads.
    // Window 0: chunks in 2 to 5, reads in 6, 8, then 9 to 12. Window 1: chunks in 6 to 9, reads in 13 to 18. Window 2: its
    // buffer is free from 13 on, chunks in 13 to 16, row groups to be read from 17 and 19 on, reads in 19 to 24.
    let layer = "window codes=16\ntiles row_groups=2 output_groups=3 outputs=6 columns=4 planes=2\npool\nread wide=3";
    assert_eq!(clocks(layer), Clocks { busy: 18, feeding: 6 + 1, latency: ENDS, ..Clocks::default() });
    // Eight chunks a window and four reads: the gatherer never waits, the reader always.
    // Window 0: chunks in 2 to 9, row groups whole in 3, 5, 7, 9, reads in 6, 8, 10, 12. Window 1: chunks in 10 to 17, reads
    // in 14, 16, 18, 20. Window 2: its buffer is free from 13 on, chunks in 18 to 25, reads in 22, 24, 26, 28.
    let layer = "window codes=32\ntiles row_groups=4 outputs=2 columns=4 planes=2\npool\nread wide=3";
    assert_eq!(clocks(layer), Clocks { busy: 12, feeding: 29 - 12, latency: ENDS, ..Clocks::default() });
}

#[test]
fn a_short_window_waits_for_its_buffer() {
    // Two chunks and two reads a window. Window 0: chunks in 2, 3, reads in 6, 7. Window 1: chunks in 4, 5, reads in 8, 9.
    // Window 2: its buffer is free from 8 on, chunks in 8, 9, reads in 12, 13. Window 3: free from 10 on, chunks in 10, 11,
    // reads in 14, 15. Window 4: free from 14 on, chunks in 14, 15, reads in 18, 19.
    let layer = "window codes=8\ntiles columns=4 planes=4\npool\nread wide=5";
    assert_eq!(clocks(layer), Clocks { busy: 10, feeding: 20 - 10, latency: ENDS, ..Clocks::default() });
}

#[test]
fn outputs_of_one_column_leave_a_tile_over_several_clocks() {
    // Eight outputs, two a clock: four clocks, one read a group. Two windows of two groups: reads in 5, 9, 13, 17, and three
    // clocks more until the last outputs have left.
    let layer = "window codes=4\ntiles output_groups=2 outputs=16 columns=1 planes=1\npool\nread wide=2";
    assert_eq!(
        clocks(layer),
        Clocks { busy: 4, feeding: FILL, leaving: 3 * 3, latency: ENDS + 3, ..Clocks::default() }
    );
    // With as many reads as clocks, none is lost: reads in 6, 7, 8, 9, the next group's in 10 to 13.
    let layer = "window codes=16\ntiles row_groups=2 output_groups=2 outputs=16 columns=1 planes=4\npool\nread";
    assert_eq!(clocks(layer), Clocks { busy: 8, feeding: 6, leaving: 0, latency: ENDS + 3, ..Clocks::default() });
}

#[test]
fn only_the_last_read_of_a_group_waits_for_outputs_and_from_the_last_read_before_it() {
    // Two reads a group. Window 0: chunks in 2 to 5, reads in 6 and 8; the next group's in 9 and, four after 8, in 12. Window
    // 1: row groups may be read from 10 and 12 on: reads in 13 and 16, 17 and 20.
    let layer = "window codes=16\ntiles row_groups=2 output_groups=2 outputs=16 columns=1 planes=2\npool\nread wide=2";
    let expected = Clocks { busy: 8, feeding: 6 + 1, leaving: 3 * 2, latency: ENDS + 3, ..Clocks::default() };
    assert_eq!(clocks(layer), expected);
    // Where codes are waited for longer than outputs take to leave, these cost nothing. Five chunks of one code a window.
    // Window 0: chunks in 2 to 6, read in 9. Window 1: chunks in 7 to 11, read in 14: the outputs have left since 13.
    let layer = "window segments=5 codes=1\ntiles outputs=8 columns=1 planes=1\npool\nread wide=2";
    assert_eq!(clocks(layer), Clocks { busy: 2, feeding: 9 + 4, latency: ENDS + 3, ..Clocks::default() });
    // Of three chunks: window 0 in 2 to 4, read in 7. Window 1: chunks in 5 to 7, to be read from 10 on, read in 11.
    let layer = "window segments=3 codes=1\ntiles outputs=8 columns=1 planes=1\npool\nread wide=2";
    assert_eq!(clocks(layer), Clocks { busy: 2, feeding: 7 + 2, leaving: 1, latency: ENDS + 3, ..Clocks::default() });
}

#[test]
fn a_layer_of_very_many_windows_is_predicted_at_once() {
    // Four chunks and four reads a window. Window 0: chunks in 2 to 5, reads in 6 to 9. Window 1: chunks in 6 to 9, reads in
    // 10 to 13. Window 2: its buffer is free from 10 on: chunks in 10 to 13, reads in 14 to 17, and so on.
    let layer = "window codes=13\ntiles row_groups=2 columns=4 planes=4\npool size=15\nread wide=65535 high=65535";
    let windows = 15 * 15 * 65_535 * 65_535;
    assert_eq!(clocks(layer), Clocks { busy: 4 * windows, feeding: 6, latency: ENDS, ..Clocks::default() });
    // Three chunks and two reads a window, as above: reads in 7, 8, 10, 11, each further four seven clocks after the
    // four before them, which are three of waiting; the last window's two come seven clocks after those before it but one.
    let layer = "window segments=3 codes=3\ntiles row_groups=2 columns=4 planes=2\npool\nread wide=65535 high=65535";
    let pairs = (65_535 * 65_535 - 1) / 2;
    let expected = Clocks { busy: 4 * pairs + 2, feeding: 3 * pairs + 7, latency: ENDS, ..Clocks::default() };
    assert_eq!(clocks(layer), expected);
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
    /// None: the sums are ranked.
    windows: Option<usize>,
    limits: Limits,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let window = (1usize..5, 1usize..30, 0usize..2);
    let windows = prop::option::weighted(0.8, 1usize..120);
    let tiles = (1usize..20, prop::sample::select(vec![1usize, 4, 8]), 1usize..=8, windows);
    let machine = (0u32..4, prop::sample::select(vec![1usize, 2, 4, 8]), 1usize..=4, 2u32..6);
    (window, tiles, machine).prop_map(|((segments, codes, bias), (outputs, columns, planes, windows), machine)| {
        let (gather, plane_lanes, output_lanes, rows) = machine;
        let limits = Limits { gather_lanes: 1 << gather, plane_lanes, output_lanes, tile_rows: 1 << rows, ..limits() };
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
        let Self { segments, codes, bias, outputs, columns, planes, .. } = self;
        let run = self.windows.map_or("classify".to_string(), |windows| format!("pool\nread wide={windows}"));
        format!(
            "window segments={segments} codes={codes} bias={bias}\ntiles row_groups={} output_groups={} outputs={outputs} \
             columns={columns} planes={planes}\n{run}",
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
        let (chunks, windows) = (self.chunks(), self.windows.unwrap_or(1));
        let in_window = chunks.last().unwrap() + 1;
        let planes = self.planes.div_ceil(self.limits.plane_lanes);
        let emissions = (self.limits.tile_columns / self.columns).div_ceil(self.limits.output_lanes) as u64;
        // Clocks in which chunks were gathered and windows last read, window after window.
        let (mut gathered, mut done): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut clocks = Clocks::default();
        let (mut group, mut row_group, mut plane) = (0, 0, 0);
        // The last read of the group before: its outputs leave as long after it as those of any other.
        let mut leave: Option<u64> = None;
        for now in 0.. {
            let window = gathered.len() / in_window;
            let begins = gathered.len() % in_window == 0;
            let free = window < 2 || done.get(window - 2).is_some_and(|read| now >= read + FREE_TO_GATHER);
            // What is gathered in this clock is seen by the reader in later ones only.
            let gathers = now >= GATHER_CYCLES && window < windows && (!begins || free);
            let rows = ((row_group + 1) * self.limits.tile_rows).min(chunks.len());
            let needed = done.len() * in_window + chunks[rows - 1];
            let ends_group = row_group + 1 == self.row_groups() && plane + 1 == planes;
            if gathered.get(needed).is_none_or(|at| now < at + GATHER_TO_READ) {
                clocks.feeding += 1;
            } else if ends_group && leave.is_some_and(|began| now < began + emissions) {
                clocks.leaving += 1;
            } else {
                clocks.busy += 1;
                plane += 1;
                if plane == planes {
                    (plane, row_group) = (0, row_group + 1);
                }
                if ends_group {
                    (row_group, group, leave) = (0, group + 1, Some(now));
                }
                if group == self.output_groups() {
                    group = 0;
                    done.push(now);
                }
                if done.len() == windows {
                    break;
                }
            }
            if gathers {
                gathered.push(now);
            }
        }
        // The first sums of the last group come two clocks of the window memory, the count and five of the sums after the
        // last read; the others one by one, then what they become.
        let counting = if self.limits.tile_rows < 16 { 1 } else { 2 };
        let becoming = if self.windows.is_some() { 12 } else { self.outputs as u64 + 7 };
        clocks.latency = 1 + 2 + counting + 5 + (emissions - 1) + becoming;
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
