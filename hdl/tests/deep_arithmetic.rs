//! Leaf blocks of machines that run programs that compute, each against a plain model of its own.

#[path = "support/deep.rs"]
mod deep;
mod support;

use bitline_golden::{argmax, recombination};
use bitline_hdl::deep::plane_sum::PlaneSum;
use bitline_hdl::deep::pool::Pool;
use bitline_hdl::deep::recombination::Recombination;
use bitline_hdl::deep::sum_rank::SumRank;
use bitline_hdl::deep::threshold::Threshold;
use deep::{Driver, Leaf, TAG_BITS, connected, machines, named, tick};
use std::collections::{HashMap, VecDeque};

/// Clocks of a simulation with random stimulus.
const CLOCKS: usize = 1500;

#[test]
fn plane_sum_adds_planes_and_row_groups_with_their_powers() {
    for machine in machines() {
        let planes = machine.plane_lanes;
        let mut block = connected(PlaneSum::new(&machine));
        let mut driver = Driver::new(5);
        // Totals of the steps so far, of the step that entered a clock ago too, and whether it was a last one.
        let mut totals = vec![0u64; machine.tile_columns + 1];
        let (mut shown, mut done, mut wholes) = (totals.clone(), false, 0);
        for _ in 0..CLOCKS {
            block.drive(&machine, &mut driver);
            let (before, was_last) = (totals.clone(), done);
            if block.valid.next {
                if block.first.next {
                    totals.fill(0);
                }
                let all = block.codes.iter().chain(&block.active);
                for (at, bus) in all.enumerate() {
                    let plane = block.plane_group.next as usize * planes + at % planes;
                    totals[at / planes] += bus.next << plane;
                }
            }
            done = block.valid.next && block.last.next;
            let pulses: u64 = if block.valid.next { block.active.iter().map(|bus| bus.next).sum() } else { 0 };
            tick(&mut block);
            assert_eq!(block.pulses.val(), pulses, "{}", machine.name);
            assert_eq!(block.done.val(), was_last, "{}", machine.name);
            shown.copy_from_slice(&before);
            let sums: Vec<u64> = block.sums.iter().map(|bus| bus.val()).chain([block.active_sum.val()]).collect();
            assert_eq!(sums, shown, "{}", machine.name);
            wholes += usize::from(was_last);
        }
        assert!(wholes > 5, "{}", machine.name);
    }
}

#[test]
fn recombination_sends_golden_s_sums_to_the_lanes_of_the_layer() {
    for machine in machines() {
        let (lanes, sum_bits) = (machine.output_lanes, machine.sum_bits());
        let mut block = connected(Recombination::new(&machine));
        let mut driver = Driver::new(6);
        // Of each clock to come: the emission's number, and what each lane holds.
        let mut to_come: VecDeque<Option<(usize, Vec<Option<u64>>)>> =
            VecDeque::from(vec![None; Recombination::LATENCY_CYCLES as usize - 1]);
        let mut groups = 0;
        for _ in 0..CLOCKS {
            block.drive(&machine, &mut driver);
            if block.take.next {
                groups += 1;
                let columns = block.columns.next as usize;
                let s: Vec<i64> = block.column_sums.iter().map(|bus| bus.next as i64).collect();
                let active = block.active_sum.next as i64;
                let outputs = s.chunks_exact(columns).map(|s| match columns {
                    1 => 2 * s[0] - active,
                    4 => s[0] + 2 * s[1] + 4 * s[2] - 8 * s[3],
                    _ => (0..7).map(|j| s[j] << j).sum::<i64>() - (s[7] << 7),
                });
                // The group's first output of the layer: its group is 6 or 7 of those.
                let group = 6 + usize::from(block.group_low.next);
                let first = group * machine.tile_outputs(columns);
                let mut words: Vec<Vec<Option<u64>>> = vec![];
                for (i, y) in outputs.enumerate() {
                    let word = (first + i) / lanes - first / lanes;
                    words.resize(words.len().max(word + 1), vec![None; lanes]);
                    words[word][(first + i) % lanes] = Some(y as u64 & (u64::MAX >> (64 - sum_bits)));
                }
                assert_eq!(words.len(), Recombination::emissions(&machine, columns), "{}", machine.name);
                to_come.extend(words.into_iter().enumerate().map(Some));
            } else if to_come.len() < Recombination::LATENCY_CYCLES as usize {
                to_come.push_back(None);
            }
            tick(&mut block);
            let expected = to_come.pop_front().unwrap();
            let found = block.valid.val().then(|| {
                let lane = |e: usize| (block.lane_valid.val() >> e & 1 == 1).then(|| block.sums[e].val());
                (block.emission.val() as usize, (0..lanes).map(lane).collect())
            });
            assert_eq!(found, expected, "{}", machine.name);
        }
        assert!(groups > CLOCKS / 100, "{}", machine.name);
    }
}

#[test]
fn recombination_of_four_columns_is_golden_s() {
    let machine = named("mnist");
    let mut block = connected(Recombination::new(&machine));
    let s = [3u32, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3];
    block.column_sums.iter_mut().zip(s).for_each(|(bus, s)| bus.next = u64::from(s));
    (block.take.next, block.columns.next) = (true, 4);
    (0..Recombination::LATENCY_CYCLES).for_each(|_| tick(&mut block));
    for (bus, s) in block.sums.iter().zip(s.chunks(4)) {
        let expected = recombination::plane_sum(s, 0);
        assert_eq!(bus.val(), expected as u64 & (u64::MAX >> (64 - machine.sum_bits())));
    }
}

/// Store a threshold through the write port, low half first.
fn store(block: &mut Threshold, entry: usize, node: usize, threshold: i64) {
    for half in [false, true] {
        block.write_enable.next = true;
        (block.write_entry.next, block.write_node.next) = (entry as u64, node as u64);
        block.write_half.next = half;
        block.write_data.next = (threshold >> if half { 16 } else { 0 }) as u64 & 0xFFFF;
        tick(block);
    }
    block.write_enable.next = false;
}

#[test]
fn threshold_counts_the_thresholds_exceeded() {
    for machine in machines() {
        let (lanes, sum_bits) = (machine.output_lanes, machine.sum_bits());
        let (low, high) = (-(1i64 << (sum_bits - 1)), (1i64 << (sum_bits - 1)) - 1);
        let mut block = connected(Threshold::new(&machine, TAG_BITS));
        let mut driver = Driver::new(7);
        // The entries of some words: all lanes of a word are of one layer, so of as many bits.
        let words = machine.thresholds / lanes;
        let mut entries: HashMap<usize, (u64, Vec<Vec<i64>>)> = HashMap::new();
        for word in [0, 1, words / 2, words - 1].into_iter().filter(|word| *word < words) {
            let bits = 1 + driver.below(4);
            let mut lists = vec![];
            for lane in 0..lanes {
                let near = driver.once_in(2);
                let mut draw = || if near { driver.below(40) as i64 - 20 } else { low + driver.bits(sum_bits) as i64 };
                let mut list: Vec<i64> = (1..1 << bits).map(|_| draw().clamp(low, high)).collect();
                list.sort();
                for stage in 0..bits {
                    for code in 0..1usize << stage {
                        let at = (code << (bits - stage)) + (1 << (bits - stage - 1)) - 1;
                        store(&mut block, word * lanes + lane, (1 << stage) + code, list[at]);
                    }
                }
                lists.push(list);
            }
            entries.insert(word, (bits, lists));
        }
        let words: Vec<usize> = entries.keys().copied().collect();
        let mut to_come = VecDeque::from(vec![None; Threshold::LATENCY_CYCLES as usize - 1]);
        for _ in 0..CLOCKS {
            block.drive(&machine, &mut driver);
            block.write_enable.next = false;
            let word = words[driver.below(words.len()) as usize];
            let (bits, lists) = &entries[&word];
            (block.entry.next, block.bits.next) = (word as u64, *bits);
            let mut codes = vec![];
            for (bus, list) in block.sums.iter_mut().zip(lists) {
                let at = list[driver.below(list.len()) as usize] + driver.below(3) as i64 - 1;
                let y = if driver.once_in(4) { low + driver.bits(sum_bits) as i64 } else { at.clamp(low, high) };
                bus.next = y as u64 & (u64::MAX >> (64 - sum_bits));
                codes.push(list.iter().filter(|t| y > **t).count() as u64);
            }
            to_come.push_back(block.valid.next.then_some((codes, block.lane_valid.next, block.tag.next)));
            tick(&mut block);
            let found = block.code_valid.val().then(|| {
                let codes = block.codes.iter().map(|bus| bus.val()).collect();
                (codes, block.code_lane_valid.val(), block.code_tag.val())
            });
            assert_eq!(found, to_come.pop_front().unwrap(), "{}", machine.name);
        }
    }
}

#[test]
fn threshold_reads_back_what_was_written_with_its_sign() {
    for machine in machines() {
        let sum_bits = machine.sum_bits();
        let mut block = connected(Threshold::new(&machine, TAG_BITS));
        let mut driver = Driver::new(8);
        let mut stored = HashMap::new();
        for _ in 0..60 {
            let (entry, node) = (driver.below(machine.thresholds) as usize, 1 + driver.below(15) as usize);
            let threshold = driver.bits(sum_bits) as i64 - (1 << (sum_bits - 1));
            store(&mut block, entry, node, threshold);
            stored.insert((entry, node), threshold);
        }
        stored.insert((0, 0), 0);
        for ((entry, node), threshold) in stored {
            for half in [false, true] {
                (block.read_entry.next, block.read_node.next) = (entry as u64, node as u64);
                block.read_half.next = half;
                (0..Threshold::READ_BACK_CYCLES).for_each(|_| tick(&mut block));
                let expected = (threshold >> if half { 16 } else { 0 }) as u16;
                assert_eq!(block.read_data.val(), u64::from(expected), "{} entry {entry} node {node}", machine.name);
            }
        }
    }
}

#[test]
fn pool_keeps_the_largest_code_of_each_output() {
    for machine in machines() {
        let mut block = connected(Pool::new(&machine, TAG_BITS));
        let mut driver = Driver::new(9);
        let mut largest: HashMap<(u64, usize), u64> = HashMap::new();
        let mut to_come = VecDeque::from(vec![None; Pool::LATENCY_CYCLES as usize - 1]);
        for _ in 0..CLOCKS {
            block.drive(&machine, &mut driver);
            let (word, lanes) = (block.word.next, block.lane_valid.next);
            let mut codes = vec![];
            for (lane, bus) in block.codes.iter().enumerate().filter(|(lane, _)| lanes >> lane & 1 == 1) {
                if !block.valid.next {
                    break;
                }
                let before = if block.first.next { 0 } else { largest.get(&(word, lane)).copied().unwrap_or(0) };
                largest.insert((word, lane), before.max(bus.next));
                codes.push((lane, before.max(bus.next)));
            }
            let whole = block.valid.next && block.last.next;
            to_come.push_back(whole.then_some((codes, lanes, word, block.tag.next)));
            tick(&mut block);
            let found = block.pooled_valid.val().then(|| {
                let lanes = block.pooled_lane_valid.val();
                let codes = block.pooled_codes.iter().map(|bus| bus.val()).enumerate();
                let codes = codes.filter(|(lane, _)| lanes >> lane & 1 == 1).collect();
                (codes, lanes, block.pooled_word.val(), block.pooled_tag.val())
            });
            assert_eq!(found, to_come.pop_front().unwrap(), "{}", machine.name);
        }
    }
}

#[test]
fn sum_rank_ranks_as_golden() {
    for machine in machines() {
        let sum_bits = machine.sum_bits();
        let mut block = connected(SumRank::new(&machine));
        let mut driver = Driver::new(10);
        for case in 0..30 {
            let count = if case % 2 == 0 { machine.sums } else { 1 + driver.below(machine.sums) as usize };
            let span = [2, 7, 1 << (sum_bits - 1)][case % 3];
            let lowest = -(1i64 << (sum_bits - 1));
            let draw = |driver: &mut Driver| match case {
                0 => lowest,
                1 => -lowest - 1,
                2 => [lowest, -lowest - 1][driver.below(2) as usize],
                _ => driver.below(span) as i64 - span as i64 / 2,
            };
            let sums: Vec<i64> = (0..count).map(|_| draw(&mut driver)).collect();
            (block.rank.next, block.count.next) = (true, count as u64);
            tick(&mut block);
            block.rank.next = false;
            for clock in 1..=count as u64 + SumRank::LATENCY_CYCLES {
                assert_eq!(block.done.val(), clock == count as u64 + SumRank::LATENCY_CYCLES, "{}", machine.name);
                if block.done.val() {
                    break;
                }
                assert_eq!(block.reading.val(), clock <= count as u64, "{}", machine.name);
                let asked = block.reading.val().then(|| sums[block.read_index.val() as usize]);
                tick(&mut block);
                // What was not asked for is anything, here the largest.
                block.read_data.next = asked.unwrap_or(-lowest - 1) as u64 & (u64::MAX >> (64 - sum_bits));
            }
            let found = (block.winner.val() as u16, block.margin.val() as u32);
            if count > 1 {
                let narrow: Vec<i32> = sums.iter().map(|sum| *sum as i32).collect();
                let verdict = argmax::argmax(&narrow);
                assert_eq!(found, (verdict.class, verdict.margin), "{}: {sums:?}", machine.name);
            } else {
                assert_eq!(found, (0, 0), "{}", machine.name);
            }
            tick(&mut block);
            assert!(!block.done.val());
        }
        block.clear.next = true;
        tick(&mut block);
        assert_eq!((block.winner.val(), block.margin.val()), (0, 0));
    }
}

#[test]
fn sum_rank_cleared_while_it_ranks_gives_no_verdict() {
    let machine = named("tiny-deep");
    for clocks in 0..12 {
        let mut block = connected(SumRank::new(&machine));
        (block.rank.next, block.count.next) = (true, 8);
        tick(&mut block);
        (block.rank.next, block.read_data.next) = (false, 9);
        (0..clocks).for_each(|_| tick(&mut block));
        assert_eq!(block.done.val(), clocks + 1 == 8 + SumRank::LATENCY_CYCLES);
        block.clear.next = true;
        tick(&mut block);
        block.clear.next = false;
        for _ in 0..20 {
            assert!(!block.done.val() && block.winner.val() == 0 && block.margin.val() == 0, "{clocks}");
            tick(&mut block);
        }
    }
}
