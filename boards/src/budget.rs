//! How much of a board a machine may take, read from `boards/budgets.toml`.

use crate::error::BoardError;
use crate::usage::Usage;
use serde::{Deserialize, Serialize};

/// Limits for one machine on one board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The board.
    pub board: String,
    /// The machine.
    pub machine: String,
    /// Most logic, in the unit of [`Usage::logic`].
    pub logic_max: u64,
    /// Most block RAMs.
    pub block_rams_max: u64,
    /// Slowest clock, in hertz.
    pub clock_min_hz: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    budget: Vec<Budget>,
}

impl Budget {
    /// Every budget there is, in the file's order.
    ///
    /// # Errors
    /// [`BoardError::Syntax`].
    pub fn all() -> Result<Vec<Self>, BoardError> {
        let file = "boards/budgets.toml";
        toml::from_str::<File>(include_str!("../budgets.toml")).map(|f| f.budget).map_err(|e| BoardError::Syntax {
            file: file.into(),
            reason: e.to_string().trim().to_string(),
            example: "its last committed version",
        })
    }

    /// What goes beyond the budget, one sentence each; nothing when all is well.
    pub fn overruns(&self, usage: &Usage) -> Vec<String> {
        let mut overruns = Vec::new();
        let who = format!("{} on {}", self.machine, self.board);
        let mut most = |what, used, limit| {
            if used > limit {
                overruns.push(format!("{who} takes {used} {what}, the budget is {limit}"));
            }
        };
        most("logic cells", usage.logic.used, self.logic_max);
        most("block RAMs", usage.block_rams.used, self.block_rams_max);
        if usage.clock_hz < self.clock_min_hz {
            overruns.push(format!("{who} reaches {} Hz, the budget asks for {} Hz", usage.clock_hz, self.clock_min_hz));
        }
        overruns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Board;
    use crate::flow::Flow;
    use crate::usage::Share;
    use std::path::Path;

    #[test]
    fn budgets_name_boards_and_machines_that_exist_and_ask_for_the_boards_clock() {
        let budgets = Budget::all().unwrap();
        assert!(!budgets.is_empty());
        for budget in budgets {
            let board = Board::named(&budget.board).unwrap();
            Flow::named(board.clone(), &budget.machine, Path::new("out")).unwrap();
            assert!(budget.clock_min_hz >= u64::from(board.clock_hz), "{budget:?}");
        }
    }

    #[test]
    fn overruns_are_each_named_and_the_limit_itself_is_allowed() {
        let budget = Budget {
            board: "icebreaker".into(),
            machine: "digits".into(),
            logic_max: 100,
            block_rams_max: 3,
            clock_min_hz: 12_000_000,
        };
        let share = |used| Share { used, available: 200 };
        let mut usage = Usage {
            logic: share(100),
            flip_flops: None,
            block_rams: share(3),
            multipliers: share(0),
            clock_hz: 12_000_000,
            clock_needed_hz: 12_000_000,
        };
        assert_eq!(budget.overruns(&usage), Vec::<String>::new());
        usage.logic.used = 101;
        usage.block_rams.used = 4;
        usage.clock_hz = 11_999_999;
        assert_eq!(
            budget.overruns(&usage),
            [
                "digits on icebreaker takes 101 logic cells, the budget is 100",
                "digits on icebreaker takes 4 block RAMs, the budget is 3",
                "digits on icebreaker reaches 11999999 Hz, the budget asks for 12000000 Hz",
            ]
        );
    }
}
