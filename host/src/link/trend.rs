//! Whether a link's errors are many, and whether they become more.

use super::client::{Client, LinkStatistics};
use super::port::Port;
use crate::error::HostError;
use serde::Serialize;

/// Parts that a look at a link is cut into.
pub const PARTS: usize = 5;

/// Where the errors of a link go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    /// No exchange failed.
    Clean,
    /// Some failed, about as many late as early.
    Steady,
    /// Most failed late.
    Rising,
    /// Most failed early.
    Falling,
}

/// What a look at a link saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkLook {
    /// Requests in each of [`PARTS`] parts.
    pub requests: u64,
    /// Exchanges of each part that failed at first, in time's order: silence or damage in either direction.
    pub failed: [u64; PARTS],
    /// Frames the board took since power-on, before the look.
    pub frames_ok: u64,
    /// Frames the board dropped since power-on, before the look.
    pub frames_bad: u64,
    /// Requests the board got more than once since power-on, before the look.
    pub frames_resent: u64,
}

fn failures(statistics: &LinkStatistics) -> u64 {
    statistics.timeouts + statistics.damaged_requests + statistics.damaged_replies
}

impl LinkLook {
    /// Ask the board `requests` things in each part, and count what fails. The client must have identified the board.
    ///
    /// # Errors
    /// [`HostError`] if a request fails for good.
    pub fn take<P: Port>(client: &mut Client<P>, requests: u64) -> Result<Self, HostError> {
        let (frames_ok, frames_bad) = (client.read_register("frames_ok")?, client.read_register("frames_bad")?);
        let frames_resent = client.read_register("frames_resent")?;
        let mut failed = [0; PARTS];
        for part in &mut failed {
            let before = failures(&client.statistics());
            for _ in 0..requests {
                // The longest reply that every machine has.
                client.identify()?;
            }
            *part = failures(&client.statistics()) - before;
        }
        Ok(Self { requests, failed, frames_ok, frames_bad, frames_resent })
    }

    /// Where the errors go: the last two parts against the first two; three times as many and at least three more count.
    pub fn trend(&self) -> Trend {
        let (early, late) = (self.failed[..2].iter().sum::<u64>(), self.failed[PARTS - 2..].iter().sum::<u64>());
        let more = |a: u64, b: u64| a >= 3 * b && a >= b + 3;
        match self.failed.iter().sum::<u64>() {
            0 => Trend::Clean,
            _ if more(late, early) => Trend::Rising,
            _ if more(early, late) => Trend::Falling,
            _ => Trend::Steady,
        }
    }
}

impl std::fmt::Display for LinkLook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let trend = match self.trend() {
            Trend::Clean => "clean",
            Trend::Steady => "steady",
            Trend::Rising => "rising",
            Trend::Falling => "falling",
        };
        let parts = self.failed.map(|part| part.to_string()).join(", ");
        write!(
            f,
            "{trend}: {parts} of {} exchanges failed in each fifth; before, the board had taken {} frames, dropped {} and got {} \
             again",
            self.requests, self.frames_ok, self.frames_bad, self.frames_resent
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{ClientOptions, InProcessPort};
    use bitline_golden::board_model::ModelBoard;
    use bitline_golden::machine::Machine;

    fn look(failed: [u64; PARTS]) -> LinkLook {
        LinkLook { requests: 20, failed, frames_ok: 7, frames_bad: 1, frames_resent: 0 }
    }

    #[test]
    fn trend_compares_late_with_early() {
        for (failed, trend) in [
            ([0, 0, 0, 0, 0], Trend::Clean),
            ([0, 0, 9, 0, 0], Trend::Steady),
            ([1, 1, 1, 2, 2], Trend::Steady),
            ([0, 0, 1, 1, 2], Trend::Rising),
            ([1, 0, 0, 1, 1], Trend::Steady),
            ([4, 5, 2, 1, 0], Trend::Falling),
        ] {
            assert_eq!(look(failed).trend(), trend, "{failed:?}");
        }
        assert_eq!(
            look([0, 0, 1, 1, 2]).to_string(),
            "rising: 0, 0, 1, 1, 2 of 20 exchanges failed in each fifth; before, the board had taken 7 frames, dropped 1 and got 0 \
             again"
        );
    }

    #[test]
    fn look_at_a_good_wire_is_clean() {
        let machine = Machine::named("tiny").unwrap();
        let clock_hz = machine.link.clock_hz;
        let board = ModelBoard::new(machine, 1).unwrap();
        let mut client = Client::new(InProcessPort::new(Box::new(board), clock_hz), ClientOptions::default());
        client.identify().unwrap();
        let look = LinkLook::take(&mut client, 4).unwrap();
        // IDENTIFY, and the read that asks.
        assert_eq!((look.trend(), look.frames_ok, look.frames_bad), (Trend::Clean, 2, 0));
    }
}
