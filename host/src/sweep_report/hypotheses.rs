//! S003's five hypotheses (its section 4.3; its own verdicts in 6.1), two findings beside them and its conclusion (6.2), each
//! measured in the records by a rule that stands on the page.

use super::finding::{Finding, Verdict, mean, pair_sheet, share, sheet};
use super::grid::{Grid, Place};
use super::runs::{Cell, Group, Weights, name};
use super::s003::{self, ARCHITECTURES, BITS, QUANTIZERS, RANGES, full_precision, letters};
use super::statistics::{LEAST_PERCENT, NEAR_POINTS, Needed, Pairs, USABLE_POINTS, median, needed};
use super::tables::{percent, points};
use bitline_train::lab::{Algorithm, Hidden, Quantizer, Range, Storage};

/// All of them, in S003's order.
pub fn findings(grid: &Grid, groups: &[Group]) -> Vec<Finding> {
    vec![h1(grid), h2(grid), h3(grid), h4(grid), h5(grid), local(grid), three_bits(grid, groups)]
}

fn h1(grid: &Grid) -> Finding {
    let (mut lines, mut all) = (Vec::new(), Pairs::default());
    for set in &grid.judged() {
        for algorithm in &Algorithm::ALL[1..] {
            let pairs = Pairs::of(grid.architectures(*set).iter().map(|hidden| {
                (grid.full(*set, *hidden, *algorithm), grid.full(*set, *hidden, Algorithm::Backpropagation))
            }));
            let mut published = Pairs::default();
            for hidden in ARCHITECTURES {
                let both = full_precision(*set, hidden, *algorithm).zip(full_precision(
                    *set,
                    hidden,
                    Algorithm::Backpropagation,
                ));
                if let Some((own, best)) = both {
                    published.add(Some(own), Some(best));
                }
            }
            all.near += pairs.near;
            all.better += pairs.count();
            let compared = format!("{} less BP", letters(*algorithm));
            lines.push((vec![name(set), compared.clone(), "here".into()], pairs));
            if published.count() > 0 {
                lines.push((vec![name(set), compared, "S003".into()], published));
            }
        }
    }
    lines.retain(|(words, pairs)| words[2] == "S003" || pairs.count() > 0);
    Finding {
        name: "h1",
        statement: "H1: without quantization the algorithms reach the same accuracy",
        s003: "refuted: backpropagation is best, HSIC and feedback alignment are near, synthetic gradients fail",
        rule: format!(
            "Holds if every algorithm is within {NEAR_POINTS} point of backpropagation for every architecture and set."
        ),
        measured: format!("{} of {} cells are.", all.near, all.better),
        verdict: Verdict::of((all.better > 0).then_some(all.near == all.better)),
        table: pair_sheet("h1", &["set", "compared", "whose"], lines),
    }
}

fn h2(grid: &Grid) -> Finding {
    let (mut rows, mut of_range) = (Vec::new(), [Vec::new(), Vec::new()]);
    let mut architectures: Vec<Hidden> = Vec::new();
    for hidden in grid.judged().iter().flat_map(|set| grid.architectures(*set)) {
        if !architectures.contains(&hidden) {
            architectures.push(hidden);
        }
    }
    for set in &grid.judged() {
        for algorithm in Algorithm::ALL {
            for (range, all) in RANGES.into_iter().zip(&mut of_range) {
                for quantizer in QUANTIZERS {
                    let of = |hidden: &Hidden| {
                        let bits = BITS[0];
                        needed(grid, &Place { data_set: *set, hidden: *hidden, algorithm, quantizer, range, bits })
                    };
                    let needed: Vec<Needed> = architectures.iter().map(of).collect();
                    if needed.iter().all(|n| *n == Needed::Missing) {
                        continue;
                    }
                    let word = |needed: &Needed| match needed {
                        Needed::Bits(bits) => bits.to_string(),
                        Needed::More => "> 8".into(),
                        Needed::NoResult => "no result in full precision".into(),
                        Needed::Missing => "missing".into(),
                    };
                    let mut row = vec![name(set), letters(algorithm).into(), name(&range), name(&quantizer)];
                    row.extend(needed.iter().map(word));
                    rows.push(row);
                    all.extend(needed);
                }
            }
        }
    }
    let word = |all: &[Needed]| match median(all) {
        None => "not recorded".to_string(),
        Some(9) => "more than 8".into(),
        Some(bits) => bits.to_string(),
    };
    let architectures: Vec<String> = architectures.iter().map(Hidden::to_string).collect();
    let mut head = vec!["set", "algorithm", "range", "quantizer"];
    head.extend(architectures.iter().map(String::as_str));
    let [global, local] = &of_range;
    Finding {
        name: "h2",
        statement: "H2: 6 or 7 bits are the limit of quantization",
        s003: "confirmed: 7 or 8 bits with a global range, which it judges by; fewer with a local one",
        rule: format!(
            "Bits needed: the fewest from which on, up to 8, a network loses at most {USABLE_POINTS} points to its own full precision. Holds if \
             their median is 6 to 8 with a global range: fewer would be no limit there, and more would leave nothing to quantize to."
        ),
        measured: format!("The median is {} with a global range and {} with a local one.", word(global), word(local)),
        verdict: Verdict::of(median(global).map(|bits| (6..=8).contains(&bits))),
        table: sheet("h2", &head, rows),
    }
}

/// Two cells to be compared, as far as they are recorded.
type CellPair<'a> = (Option<&'a Cell>, Option<&'a Cell>);

/// Pairs of quantized cells, a line for each key, and all together; `twin` gives a place's other.
fn quantized_pairs(
    grid: &Grid,
    key: impl Fn(&Place) -> Vec<String>,
    twin: impl Fn(&Place) -> Option<Place>,
) -> (Vec<(Vec<String>, Pairs)>, Pairs) {
    let mut lines: Vec<(Vec<String>, Vec<CellPair>)> = Vec::new();
    for set in &grid.judged() {
        for place in grid.places(*set) {
            let Some(other) = twin(&place) else { continue };
            let pair = (grid.quantized(&place), grid.quantized(&other));
            let key = key(&place);
            match lines.iter_mut().find(|(known, _)| *known == key) {
                Some((_, pairs)) => pairs.push(pair),
                None => lines.push((key, vec![pair])),
            }
        }
    }
    let all = Pairs::of(lines.iter().flat_map(|(_, pairs)| pairs.iter().copied()));
    let counted = lines.into_iter().map(|(key, pairs)| (key, Pairs::of(pairs)));
    (counted.filter(|(_, pairs)| pairs.count() > 0).collect(), all)
}

fn h3(grid: &Grid) -> Finding {
    let twin = |place: &Place| {
        let symmetric = place.quantizer == Quantizer::UniformSymm;
        symmetric.then_some(Place { quantizer: Quantizer::UniformAsymm, ..*place })
    };
    let key = |place: &Place| vec![name(&place.data_set), letters(place.algorithm).into(), place.bits.to_string()];
    let (lines, all) = quantized_pairs(grid, key, twin);
    Finding {
        name: "h3",
        statement: "H3: ASYMM and SYMM perform alike",
        s003: "refuted: ASYMM is noisier and sometimes diverges, SYMM is stabler",
        rule: format!("Holds if 90 % of the pairs that differ in the quantizer alone are within {NEAR_POINTS} point."),
        measured: format!(
            "{} of {} are; SYMM is better in {}, worse in {}, by {} points on average.",
            share(&all, all.near),
            all.count(),
            share(&all, all.better),
            share(&all, all.worse),
            mean(&all)
        ),
        verdict: Verdict::of((all.count() > 0).then(|| all.share(all.near) >= 90.0)),
        table: pair_sheet("h3", &["set", "SYMM less ASYMM", "bits"], lines),
    }
}

fn h4(grid: &Grid) -> Finding {
    let mut counts: Vec<(Vec<String>, [usize; 4], usize)> = Vec::new();
    let (mut total, mut best_of_all) = (0, 0);
    for set in &grid.judged() {
        // Places of one algorithm stand for the contests between all four.
        for place in grid.places(*set).iter().filter(|place| place.algorithm == Algorithm::Hsic) {
            let cells = Algorithm::ALL.map(|algorithm| grid.quantized(&Place { algorithm, ..*place }));
            // A contest needs HSIC and the two that S003 finds ahead of it.
            if cells[..3].iter().any(Option::is_none) {
                continue;
            }
            let means = cells.map(|cell| cell.and_then(Cell::mean));
            let Some(best) = means.iter().flatten().copied().max_by(f64::total_cmp) else { continue };
            let key = vec![name(set), name(&place.range), place.bits.to_string()];
            let line = counts.iter().position(|(known, ..)| *known == key).unwrap_or_else(|| {
                counts.push((key, [0; 4], 0));
                counts.len() - 1
            });
            for (count, mean) in counts[line].1.iter_mut().zip(means) {
                *count += usize::from(mean == Some(best));
            }
            counts[line].2 += 1;
            total += 1;
            best_of_all += usize::from(means[1] == Some(best));
        }
    }
    counts.sort_by(|a, b| a.0.cmp(&b.0));
    let row = |(mut key, best, contests): (Vec<String>, [usize; 4], usize)| {
        key.push(contests.to_string());
        key.extend(best.map(|count| count.to_string()));
        key
    };
    let head = ["set", "range", "bits", "contests", "BP best", "HSIC best", "FA best", "SG best"];
    Finding {
        name: "h4",
        statement: "H4: HSIC withstands quantization best",
        s003: "refuted: backpropagation and feedback alignment are better, and below 7 bits HSIC fails",
        rule: "A contest is a set, architecture, quantizer, range and number of bits. Holds if HSIC is best in most of them.".into(),
        measured: format!("It is best in {best_of_all} of {total}."),
        verdict: Verdict::of((total > 0).then_some(2 * best_of_all > total)),
        table: sheet("h4", &head, counts.into_iter().map(row).collect()),
    }
}

fn h5(grid: &Grid) -> Finding {
    let hidden = |layers, units| Hidden { layers, units };
    let wider = [(hidden(2, 100), hidden(2, 50)), (hidden(3, 100), hidden(3, 50))];
    let deeper = [(hidden(3, 50), hidden(2, 50)), (hidden(3, 100), hidden(2, 100))];
    let mut lines = Vec::new();
    let mut all = [Pairs::default(); 2];
    for ((what, steps), all) in [("twice as wide", wider), ("a layer deeper", deeper)].into_iter().zip(&mut all) {
        let twin = |place: &Place| {
            let step = steps.iter().find(|(large, _)| *large == place.hidden);
            step.map(|(_, small)| Place { hidden: *small, ..*place })
        };
        let key = |place: &Place| {
            vec![what.into(), name(&place.data_set), letters(place.algorithm).into(), "quantized".into()]
        };
        let (counted, quantized) = quantized_pairs(grid, key, twin);
        lines.extend(counted);
        *all = quantized;
        for set in &grid.judged() {
            for algorithm in Algorithm::ALL {
                let full = |hidden| grid.full(*set, hidden, algorithm);
                let pairs = Pairs::of(steps.iter().map(|(large, small)| (full(*large), full(*small))));
                if pairs.count() > 0 {
                    lines.push((
                        vec![what.into(), name(set), letters(algorithm).into(), "full precision".into()],
                        pairs,
                    ));
                }
            }
        }
    }
    let [wide, deep] = all;
    let holds = wide
        .mean()
        .zip(deep.mean())
        .map(|(by_width, by_depth)| 2 * wide.better > wide.count() && by_width > by_depth.max(0.0));
    Finding {
        name: "h5",
        statement: "H5: width is what makes up for quantization, not depth",
        s003: "confirmed: wider is better for every algorithm, deeper may be worse",
        rule: "Holds if twice the width is better in most quantized pairs and gains on average, more than a layer more does."
            .into(),
        measured: format!(
            "Twice the width is better in {} of {} and changes accuracy by {} points, a layer more is better in {} of {} and changes it by {}.",
            share(&wide, wide.better),
            wide.count(),
            mean(&wide),
            share(&deep, deep.better),
            deep.count(),
            mean(&deep)
        ),
        verdict: Verdict::of(holds),
        table: pair_sheet("h5", &["change", "set", "algorithm", "weights"], lines),
    }
}

fn local(grid: &Grid) -> Finding {
    let twin = |place: &Place| (place.range == Range::Local).then_some(Place { range: Range::Global, ..*place });
    let key = |place: &Place| vec![name(&place.data_set), letters(place.algorithm).into(), place.bits.to_string()];
    let (lines, all) = quantized_pairs(grid, key, twin);
    Finding {
        name: "local",
        statement: "Finding: a local range is better than a global one",
        s003: "found for every algorithm that trains at all",
        rule: "Holds if local is better in most pairs that differ in the range alone.".into(),
        measured: format!(
            "It is better in {} of {}, worse in {}, by {} points on average.",
            share(&all, all.better),
            all.count(),
            share(&all, all.worse),
            mean(&all)
        ),
        verdict: Verdict::of((all.count() > 0).then_some(2 * all.better > all.count())),
        table: pair_sheet("local", &["set", "local less global", "bits"], lines),
    }
}

fn three_bits(grid: &Grid, groups: &[Group]) -> Finding {
    let mut rows = Vec::new();
    let (mut usable, mut judged, mut usable_in_place, mut in_place) = (0, 0, 0, 0);
    for set in grid.judged() {
        for bits in [2, 3] {
            for storage in [Storage::InPlace, Storage::InPlaceStochastic, Storage::Latent] {
                let own = |group: &&Group| {
                    let is_own =
                        |w: Weights| w.bits == bits && w.storage == storage && w.quantizer != Quantizer::Levels;
                    group.setting.data_set == set && group.setting.weights.is_some_and(is_own)
                };
                let cells: Vec<(&Group, f64)> =
                    groups.iter().filter(own).filter_map(|group| Some((group, group.cell.mean()?))).collect();
                // Of equals, the first recorded identity.
                let Some((best, mean)) = cells.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
                let setting = &best.setting;
                let full = grid.full(set, setting.hidden, Algorithm::Backpropagation).and_then(Cell::mean);
                if let Some(full) = full.filter(|full| *full >= LEAST_PERCENT) {
                    judged += 1;
                    let is_usable = usize::from(*mean >= full - USABLE_POINTS);
                    usable += is_usable;
                    if storage != Storage::Latent {
                        in_place += 1;
                        usable_in_place += is_usable;
                    }
                }
                let weights = setting.weights.expect("filtered");
                let noise =
                    if setting.noise_sigma > 0.0 { format!(", sigma {}", setting.noise_sigma) } else { String::new() };
                rows.push(vec![
                    s003::title(set).into(),
                    bits.to_string(),
                    name(&storage),
                    percent(*mean),
                    best.cell.accuracies.len().to_string(),
                    full.map_or_else(|| "missing".into(), |full| points(mean - full)),
                    format!(
                        "{} {}, {}, {}{noise}",
                        setting.algorithm,
                        setting.hidden,
                        name(&weights.quantizer),
                        name(&weights.range)
                    ),
                    best.recipe.clone(),
                    cells.len().to_string(),
                ]);
            }
        }
    }
    let head = [
        "set",
        "bits",
        "storage",
        "best",
        "seeds",
        "less BP in full precision",
        "network",
        "recipe",
        "best of so many",
    ];
    Finding {
        name: "three-bits",
        statement: "Conclusion: training in memristors of 2 or 3 bits is not possible today",
        s003: "concluded from its runs in place",
        rule: format!(
            "Holds if nothing at 2 or 3 bits, wherever the weights live, comes within {USABLE_POINTS} points of backpropagation in full precision with the same \
             architecture, where that reaches {LEAST_PERCENT} percent."
        ),
        measured: format!(
            "{usable} of {judged} kinds below do, of those in place (rounded to the nearest level or stochastically) {usable_in_place} of {in_place}. Each is \
             the best of several by their test images, and that much too good."
        ),
        verdict: Verdict::of((judged > 0).then_some(usable == 0)),
        table: sheet("three-bits", &head, rows),
    }
}
