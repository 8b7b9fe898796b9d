//! A wire to a machine that runs in this program.

use std::collections::VecDeque;
use std::time::Duration;

use bitline_golden::virtual_machine::VirtualMachine;

use super::port::Port;
use crate::error::HostError;

/// Clocks the machine runs between looks at what it has sent.
const CHUNK_CLOCKS: u64 = 256;

/// A virtual machine as a port; its time is the machine's clock.
pub struct InProcessPort {
    machine: Box<dyn VirtualMachine>,
    clock_hz: u32,
    input: VecDeque<u8>,
    output: Vec<u8>,
    skipped: Duration,
}

impl InProcessPort {
    /// Wire up a machine whose clock has that frequency.
    pub fn new(machine: Box<dyn VirtualMachine>, clock_hz: u32) -> Self {
        Self { machine, clock_hz, input: VecDeque::new(), output: Vec::new(), skipped: Duration::ZERO }
    }

    /// The machine at the other end.
    pub fn machine(&self) -> &dyn VirtualMachine {
        &*self.machine
    }

    /// The machine at the other end, to press its buttons or break its devices.
    pub fn machine_mut(&mut self) -> &mut dyn VirtualMachine {
        &mut *self.machine
    }

    /// Run the machine until the time is up, it is idle, or (if `until_output`) it has sent something.
    fn run(&mut self, time: Duration, until_output: bool) {
        let end = self.now() + time;
        while self.now() < end && (self.output.is_empty() || !until_output) {
            let before = self.output.len();
            let clocks = self.machine.advance(&mut self.input, &mut self.output, CHUNK_CLOCKS);
            if clocks < CHUNK_CLOCKS && self.output.len() == before {
                // Idle: nothing more happens until the end.
                self.skipped += end.saturating_sub(self.now());
            }
        }
    }
}

impl Port for InProcessPort {
    fn name(&self) -> &str {
        "the simulated wire"
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        self.input.extend(bytes);
        Ok(())
    }

    fn receive(&mut self, timeout: Duration, into: &mut Vec<u8>) -> Result<(), HostError> {
        self.run(timeout, true);
        into.append(&mut self.output);
        Ok(())
    }

    fn discard(&mut self) -> Result<(), HostError> {
        self.output.clear();
        Ok(())
    }

    fn pause(&mut self, time: Duration) {
        self.run(time, false);
    }

    fn now(&self) -> Duration {
        let nanoseconds = u128::from(self.machine.clock()) * 1_000_000_000 / u128::from(self.clock_hz);
        Duration::from_nanos(nanoseconds as u64) + self.skipped
    }
}
