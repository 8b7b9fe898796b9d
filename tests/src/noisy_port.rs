//! A wire that damages what it carries, by a seeded stream of random numbers.

use std::time::Duration;

use bitline_golden::link::{END, ESC};
use bitline_golden::random::stream;
use bitline_golden::virtual_machine::VirtualMachine;
use bitline_host::HostError;
use bitline_host::link::{InProcessPort, Port};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What can happen to the bytes of one exchange on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// One bit is inverted.
    Flip,
    /// Several bits are inverted.
    Flips,
    /// A byte is lost.
    Drop,
    /// A byte arrives twice.
    Double,
    /// The end is lost.
    CutTail,
    /// The beginning is lost.
    CutHead,
    /// Garbage arrives in between, rich in framing bytes.
    Burst,
    /// Everything arrives twice.
    DoubleAll,
    /// Nothing arrives: the cable is out for a moment.
    Lose,
    /// Garbage arrives instead.
    Replace,
}

/// Every fault there is.
pub const FAULTS: [Fault; 10] = [
    Fault::Flip,
    Fault::Flips,
    Fault::Drop,
    Fault::Double,
    Fault::CutTail,
    Fault::CutHead,
    Fault::Burst,
    Fault::DoubleAll,
    Fault::Lose,
    Fault::Replace,
];

fn garbage(random: &mut ChaCha8Rng) -> Vec<u8> {
    (0..random.random_range(1..40u32))
        .map(|_| match random.random_range(0..6u32) {
            0 => END,
            1 => ESC,
            _ => random.random(),
        })
        .collect()
}

/// Do that to the bytes.
pub fn damage(fault: Fault, bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    let at = random.random_range(0..bytes.len() as u32) as usize;
    match fault {
        Fault::Flip => bytes[at] ^= 1 << random.random_range(0..8u32),
        Fault::Flips => {
            for _ in 0..random.random_range(2..9u32) {
                let at = random.random_range(0..bytes.len() as u32) as usize;
                bytes[at] ^= 1 << random.random_range(0..8u32);
            }
        }
        Fault::Drop => {
            bytes.remove(at);
        }
        Fault::Double => bytes.insert(at, bytes[at]),
        Fault::CutTail => bytes.truncate(at),
        Fault::CutHead => {
            bytes.drain(..=at);
        }
        Fault::Burst => {
            bytes.splice(at..at, garbage(random));
        }
        Fault::DoubleAll => bytes.extend_from_within(..),
        Fault::Lose => bytes.clear(),
        Fault::Replace => *bytes = garbage(random),
    }
}

/// A machine at the end of a wire that damages a share of what it carries, in either direction.
pub struct NoisyPort {
    inner: InProcessPort,
    random: ChaCha8Rng,
    share: f64,
    quiet: bool,
    this_damaged: bool,
    /// Times a request was sent.
    pub exchanges: u64,
    /// Those of them whose request or reply was damaged.
    pub damaged: u64,
}

impl NoisyPort {
    /// Wire a machine up; `share` of what is sent either way is damaged.
    pub fn new(machine: Box<dyn VirtualMachine>, clock_hz: u32, seed: u64, share: f64) -> Self {
        Self {
            inner: InProcessPort::new(machine, clock_hz),
            random: stream("noisy wire", seed),
            share,
            quiet: false,
            this_damaged: false,
            exchanges: 0,
            damaged: 0,
        }
    }

    /// Damage nothing until further notice, or go on.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// The machine.
    pub fn machine_mut(&mut self) -> &mut dyn VirtualMachine {
        self.inner.machine_mut()
    }

    fn pass(&mut self, bytes: &mut Vec<u8>) {
        if self.quiet || bytes.is_empty() || !self.random.random_bool(self.share) {
            return;
        }
        self.damaged += u64::from(!self.this_damaged);
        self.this_damaged = true;
        let fault = FAULTS[self.random.random_range(0..FAULTS.len() as u32) as usize];
        damage(fault, bytes, &mut self.random);
    }
}

impl Port for NoisyPort {
    fn name(&self) -> &str {
        "the noisy wire"
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        self.exchanges += 1;
        self.this_damaged = false;
        let mut bytes = bytes.to_vec();
        self.pass(&mut bytes);
        self.inner.send(&bytes)
    }

    fn receive(&mut self, timeout: Duration, into: &mut Vec<u8>) -> Result<(), HostError> {
        let mut bytes = Vec::new();
        self.inner.receive(timeout, &mut bytes)?;
        self.pass(&mut bytes);
        into.append(&mut bytes);
        Ok(())
    }

    fn discard(&mut self) -> Result<(), HostError> {
        self.inner.discard()
    }

    fn pause(&mut self, time: Duration) {
        self.inner.pause(time);
    }

    fn now(&self) -> Duration {
        self.inner.now()
    }
}
