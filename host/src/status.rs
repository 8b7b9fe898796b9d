//! The status table: machines x boards x rungs, made from recorded runs and nothing else.

use std::fmt;
use std::fmt::Write as _;
use std::path::Path;

use bitline_boards::board::Family;
use bitline_boards::budget::Budget;
use bitline_boards::flow::{Flow, design_hash};
use bitline_boards::results::{self, Record};
use bitline_boards::runs::{self, Run};
use bitline_boards::{Board, BoardError};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::Machine;

use crate::mutation_record;

/// Columns of the table, from golden to a board.
const RUNGS: [&str; 8] = ["R0", "R1", "R2", "R3", "R4", "R5", "R6", "R7"];
/// Random problems that R0 to R4 have to have run to be green.
const RANDOM: usize = 200;
/// Placement seeds that a machine on a board has to have to be green.
const SEEDS: usize = 20;
/// Mutants caught, in per cent of those not proved equivalent, for R6 to be green.
const CAUGHT: f64 = 98.0;

/// What the recorded runs say of one cell. [`LEGEND`] is the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// As it should be.
    Green(String),
    /// Nothing is wrong, but not all that is asked for was run, or on an earlier design.
    Amber(String),
    /// Something is wrong, or nothing was run.
    Red(String),
}

/// The definition of the colours, as it stands under the table.
pub const LEGEND: &str = "\
Numbers are problems run (R0 to R4), claims proved (R5), mutants caught (R6), the slowest clock of the seeds (place and route). \
**Green**: every problem equal, at least 200 of them random; every claim proved; at least 98 % of the mutants that are not proved \
equivalent caught; 20 placement seeds or more, every one placed and at the board's clock. \
**Amber**: nothing differs, but fewer problems or seeds were run, or (*earlier*) it was another version of the gateware. \
**Red**: something differs or is missed, or no run is recorded. R3 of a board is its family's netlist; R4 is the iCEBreaker's \
bitstream; R7, a run on the board itself, has not been done on any.\n";

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Green(text) => write!(f, "green {text}"),
            Self::Amber(text) => write!(f, "amber {text}"),
            Self::Red(text) => write!(f, "**red** {text}"),
        }
    }
}

impl Cell {
    fn judge(good: bool, enough: bool, current: bool, text: String) -> Self {
        match (good, enough, current) {
            (false, ..) => Self::Red(text),
            (true, true, true) => Self::Green(text),
            (true, false, true) => Self::Amber(text),
            (true, _, false) => Self::Amber(format!("{text}, earlier")),
        }
    }
}

/// Place and route of one machine on one board; `design` is that of today's gateware there.
pub fn placed(records: &[&Record], design: &str) -> Cell {
    let usages: Vec<_> = records.iter().filter_map(|record| record.usage.as_ref()).collect();
    let Some(slowest) = usages.iter().map(|usage| usage.clock_hz).min() else {
        return Cell::Red(if records.is_empty() {
            "not run".into()
        } else {
            format!("none of {} seeds", records.len())
        });
    };
    let (all, megahertz) = (usages.len() == records.len(), slowest as f64 / 1e6);
    let text = format!("{megahertz:.1} MHz, {} of {} seeds", usages.len(), records.len());
    let met = usages.iter().all(|usage| usage.meets_clock());
    Cell::judge(met, all && records.len() >= SEEDS, records.iter().all(|record| record.design == design), text)
}

/// A rung of runs that compare problems, or of proofs; `enough` random problems make it green.
pub fn run(runs: &[&Run], enough: usize, design: &str) -> Cell {
    let Some(most) = runs.iter().max_by_key(|run| run.problems) else { return Cell::Red("not run".into()) };
    let (differences, problems): (usize, usize) =
        (runs.iter().map(|run| run.differences).sum(), runs.iter().map(|run| run.problems).sum());
    if differences > 0 || problems == 0 {
        return Cell::Red(format!("{differences} of {problems} differ"));
    }
    let current = runs.iter().all(|run| run.design == design);
    Cell::judge(true, most.random >= enough, current, problems.to_string())
}

/// The mutants of a machine.
pub fn mutated(record: Option<&mutation_record::Record>, design: &str) -> Cell {
    let Some(record) = record else { return Cell::Red("not run".into()) };
    let text = format!("{:.1} % of {}", record.percent(), record.mutants);
    Cell::judge(record.percent() >= CAUGHT, true, record.design == design, text)
}

/// Runs that count for a cell: of the machine and rung; on a board, of its family's netlist, and of a bitstream if it is its own.
fn of<'a>(runs: &'a [Run], machine: &str, board: Option<&Board>, rung: &str) -> Vec<&'a Run> {
    let counts = |run: &&Run| {
        let family = |family| board.is_none_or(|board| board.device.family == family);
        run.machine == machine
            && run.rung == rung
            && match run.engine.as_str() {
                "netlist" => family(Family::Ice40),
                "netlist-ecp5" => family(Family::Ecp5),
                "bitstream" => board.is_none_or(|board| board.name == "icebreaker"),
                _ => true,
            }
    };
    runs.iter().filter(counts).collect()
}

/// The table and its legend, from the records below the repository's root.
///
/// # Errors
/// [`BoardError`]: a record cannot be read, or a machine has no Verilog.
pub fn table(root: &Path) -> Result<String, BoardError> {
    let placements = results::read(&root.join(results::FILE))?;
    let runs = runs::read(&root.join(runs::FILE))?;
    let mutations = mutation_record::read(&root.join(mutation_record::FILE))?;
    let mut text = format!("| machine | board | place and route | {} |\n", RUNGS.join(" | "));
    text += &format!("{}|\n", "| --- ".repeat(3 + RUNGS.len()));
    let mut pairs: Vec<(String, Option<String>)> =
        Budget::all()?.into_iter().map(|budget| (budget.machine, Some(budget.board))).collect();
    let alone = |name: &&str| !pairs.iter().any(|(machine, _)| machine == name);
    let machines = || Machine::names().chain(DeepMachine::names());
    let alone: Vec<_> = machines().filter(alone).map(|name| (name.to_string(), None)).collect();
    pairs.extend(alone);
    pairs.sort_by_key(|(machine, _)| machines().position(|name| name == machine));
    for (name, board) in pairs {
        let board = board.map(|board| Board::named(&board)).transpose()?;
        let design = runs::design_named(&name)?;
        let place = match &board {
            None => "no board".to_string(),
            Some(board) => {
                let flow = Flow::named(board.clone(), &name, Path::new("out"))?;
                let mine: Vec<&Record> =
                    placements.iter().filter(|r| r.machine == name && r.board == board.name).collect();
                placed(&mine, &design_hash(&flow.verilog()?)[..16]).to_string()
            }
        };
        write!(text, "| `{name}` | {} | {place} |", board.as_ref().map_or("none", |board| &board.title))
            .expect("a string takes everything");
        for rung in RUNGS {
            let mine = of(&runs, &name, board.as_ref(), rung);
            let cell = match rung {
                "R5" => run(&mine, 0, &design),
                "R6" => mutated(mutations.iter().find(|record| record.machine == name), &design),
                _ => run(&mine, RANDOM, &design),
            };
            write!(text, " {cell} |").expect("a string takes everything");
        }
        text.push('\n');
    }
    Ok(text + "\n" + LEGEND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(problems: usize, random: usize, differences: usize, design: &str) -> Run {
        let text = format!(
            r#"{{"machine":"tiny","rung":"R3","engine":"netlist","problems":{problems},"random":{random},"images":1,"outputs":1,
            "counters":9,"differences":{differences},"seconds":1.0,"seed":1,"design":"{design}","data":null,"tools":{{}},
            "version":"0","command":""}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_rung_is_green_with_enough_problems_of_this_design_and_red_with_one_difference_or_none_run() {
        let cell = |runs: &[Run]| run(&runs.iter().collect::<Vec<_>>(), RANDOM, "new");
        assert_eq!(cell(&[made(222, 200, 0, "new")]), Cell::Green("222".into()));
        assert_eq!(cell(&[made(221, 199, 0, "new")]), Cell::Amber("221".into()));
        assert_eq!(cell(&[made(222, 200, 0, "old")]), Cell::Amber("222, earlier".into()));
        assert_eq!(cell(&[made(222, 200, 1, "new")]), Cell::Red("1 of 222 differ".into()));
        assert_eq!(cell(&[made(222, 200, 0, "new"), made(3, 1, 1, "new")]), Cell::Red("1 of 225 differ".into()));
        assert_eq!(cell(&[]), Cell::Red("not run".into()));
        assert_eq!(cell(&[made(0, 0, 0, "new")]), Cell::Red("0 of 0 differ".into()));
    }

    #[test]
    fn a_netlist_counts_for_the_boards_of_its_family() {
        let runs = [made(222, 200, 0, "new")];
        let count = |board: Option<&str>| {
            let board = board.map(|name| Board::named(name).unwrap());
            of(&runs, "tiny", board.as_ref(), "R3").len()
        };
        assert_eq!([Some("icebreaker"), Some("hx8k"), Some("ulx3s"), None].map(count), [1, 1, 0, 1]);
        assert!(of(&runs, "digits", None, "R3").is_empty() && of(&runs, "tiny", None, "R2").is_empty());
    }

    #[test]
    fn placements_are_judged_by_clock_number_and_design() {
        let record = |clock_hz: u64, design: &str| -> Record {
            let text = format!(
                r#"{{"board":"icebreaker","machine":"digits","seed":1,"usage":{{"logic":{{"used":1,"available":2}},"flip_flops":null,
                "block_rams":{{"used":1,"available":2}},"multipliers":{{"used":0,"available":0}},"clock_hz":{clock_hz},
                "clock_needed_hz":12000000}},"failure":null,"cells":{{"luts":1,"carries":1,"flip_flops":1,"block_rams":1,
                "distributed_rams":0,"multipliers":0}},"seconds":null,"design":"{design}","build":null,"pins":"","tools":{{}},
                "version":"0","command":""}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let cell = |records: &[Record]| placed(&records.iter().collect::<Vec<_>>(), "new");
        let good = vec![record(30_000_000, "new"); SEEDS];
        assert_eq!(cell(&good), Cell::Green("30.0 MHz, 20 of 20 seeds".into()));
        assert_eq!(cell(&good[1..]), Cell::Amber("30.0 MHz, 19 of 19 seeds".into()));
        assert_eq!(
            cell(&vec![record(30_000_000, "old"); SEEDS]),
            Cell::Amber("30.0 MHz, 20 of 20 seeds, earlier".into())
        );
        let mut one_slow = good.clone();
        one_slow[7] = record(11_000_000, "new");
        assert_eq!(cell(&one_slow), Cell::Red("11.0 MHz, 20 of 20 seeds".into()));
        let mut one_failed = good;
        one_failed[7].usage = None;
        assert_eq!(cell(&one_failed), Cell::Amber("30.0 MHz, 19 of 20 seeds".into()));
        assert_eq!(cell(&one_failed[7..8]), Cell::Red("none of 1 seeds".into()));
        assert_eq!(cell(&[]), Cell::Red("not run".into()));
    }
}
