//! Requests and replies, sent again until they arrive whole.

use std::time::Duration;

use bitline_golden::counters::Counters;
use bitline_golden::deep_registers::DeepRegion;
use bitline_golden::link::{Decoder, Frame, IDENTIFY, MAX_WORDS, REFUSED, REPLY, Refusal};
use bitline_golden::machine::Machine;
use bitline_golden::registers::{self, IDENTIFY_WORDS, REGISTER_WORDS, RUN_COUNTERS, Region, find};

use super::identity::Identity;
use super::port::Port;
use crate::error::HostError;

/// Patience of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// Silence after which a request is sent again.
    pub timeout: Duration,
    /// Times a request is sent before the client gives up.
    pub attempts: u32,
    /// How long a run or a checksum may show no progress.
    pub stall: Duration,
    /// How long a run or a checksum may last at all.
    pub longest: Duration,
    /// Sequence number of the first request, 1..=255; 0 counts as 1.
    pub first_sequence: u8,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_millis(800),
            attempts: 5,
            stall: Duration::from_secs(10),
            longest: Duration::MAX,
            first_sequence: 1,
        }
    }
}

/// What the client saw of the link's health.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct LinkStatistics {
    /// Requests made.
    pub requests: u64,
    /// Requests sent again.
    pub resent: u64,
    /// Waits that ended in silence.
    pub timeouts: u64,
    /// Frames the board got damaged, by its own word.
    pub damaged_requests: u64,
    /// Frames that arrived damaged here.
    pub damaged_replies: u64,
    /// Good frames that answered nothing asked for, such as a reply that came twice.
    pub stray_replies: u64,
}

/// Why one attempt brought no reply.
enum Failure {
    Silence,
    Damaged,
}

/// The host's end of the link.
///
/// Every request has a sequence number, 1..=255, that its reply must repeat with the right operation and length; all
/// else is thrown away. A request without a whole reply is sent again with the same number, so that a WRITE whose
/// acknowledgement was lost is not done twice.
pub struct Client<P> {
    port: P,
    options: ClientOptions,
    sequence: u8,
    decoder: Decoder,
    statistics: LinkStatistics,
    received: usize,
    answers: u64,
}

impl<P: Port> Client<P> {
    /// Open a client on a port; nothing is sent yet. The first request must be [`Client::identify`].
    pub fn new(port: P, options: ClientOptions) -> Self {
        let sequence = options.first_sequence.max(1);
        let statistics = LinkStatistics::default();
        Self { port, options, sequence, decoder: Decoder::default(), statistics, received: 0, answers: 0 }
    }

    /// The port.
    pub fn port(&self) -> &P {
        &self.port
    }

    /// The port, to reach what is behind it.
    pub fn port_mut(&mut self) -> &mut P {
        &mut self.port
    }

    /// What the client saw of the link's health.
    pub fn statistics(&self) -> LinkStatistics {
        self.statistics
    }

    fn refused(&self, request: String, refusal: Refusal) -> HostError {
        HostError::Refused { port: self.port.name().into(), request, refusal }
    }

    /// Send a request until its reply arrives whole; `words` is the number of words the reply must have.
    fn exchange(&mut self, frame: Frame, words: usize, what: &dyn Fn() -> String) -> Result<Vec<u16>, HostError> {
        let wire = frame.encode();
        let mut damaged = 0;
        self.statistics.requests += 1;
        for attempt in 0..self.options.attempts {
            self.statistics.resent += u64::from(attempt > 0);
            self.port.send(&wire)?;
            match self.await_reply(&frame, words, what)? {
                Ok(words) => return Ok(words),
                Err(Failure::Silence) => self.statistics.timeouts += 1,
                Err(Failure::Damaged) => damaged += 1,
            }
        }
        let (port, attempts, waited) = (self.port.name().to_string(), self.options.attempts, self.options.timeout);
        Err(match (self.received, self.answers) {
            (0, _) => HostError::Silent { port, attempts, waited },
            (bytes, 0) => HostError::Garbage { port, bytes, attempts },
            _ if damaged == attempts => HostError::Noisy { port, request: what(), attempts },
            _ => HostError::Lost { port, request: what(), attempts, waited },
        })
    }

    fn await_reply(
        &mut self,
        request: &Frame,
        words: usize,
        what: &dyn Fn() -> String,
    ) -> Result<Result<Vec<u16>, Failure>, HostError> {
        let timeout = self.options.timeout;
        // A port that never stops talking is given up on as a silent one is.
        let deadline = self.port.now() + 4 * timeout;
        let (mut reply, mut wait) = (None, timeout);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            self.port.receive(wait, &mut bytes)?;
            if bytes.is_empty() || self.port.now() > deadline {
                return Ok(reply.unwrap_or(Err(Failure::Silence)));
            }
            self.received += bytes.len();
            // All of them are looked at: what follows the reply must not be taken for the next one's.
            for byte in &bytes {
                let got = match self.decoder.push(*byte) {
                    None => continue,
                    Some(Err(_)) => {
                        self.statistics.damaged_replies += 1;
                        Err(Failure::Damaged)
                    }
                    Some(Ok(frame)) => {
                        let Some(answer) = self.judge(request, words, &frame) else { continue };
                        self.answers += 1;
                        answer.map_err(|refusal| self.refused(what(), refusal))?
                    }
                };
                if !matches!(reply, Some(Ok(_))) {
                    reply = Some(got);
                }
            }
            match reply {
                None => {}
                Some(Ok(words)) => return Ok(Ok(words)),
                // It may be what noise before the request left behind that is refused, and the reply still come.
                Some(Err(_)) => wait = timeout / 16,
            }
        }
    }

    /// What a good frame says about the request: its reply, that it arrived damaged, that it is refused, or nothing.
    fn judge(
        &mut self,
        request: &Frame,
        words: usize,
        frame: &Frame,
    ) -> Option<Result<Result<Vec<u16>, Failure>, Refusal>> {
        let refusal = frame.payload.first().and_then(|code| Refusal::from_code(*code));
        match (frame.operation, refusal) {
            (REFUSED, Some(Refusal::BadCrc | Refusal::BadLength)) if frame.sequence == 0 => {
                self.statistics.damaged_requests += 1;
                Some(Ok(Err(Failure::Damaged)))
            }
            (REFUSED, Some(refusal)) if frame.sequence == request.sequence => Some(Err(refusal)),
            (operation, _)
                if operation == request.operation | REPLY
                    && frame.sequence == request.sequence
                    && frame.payload.len() == 2 * words =>
            {
                Some(Ok(Ok(frame.words())))
            }
            _ => {
                self.statistics.stray_replies += 1;
                None
            }
        }
    }

    fn next_sequence(&mut self) -> u8 {
        let sequence = self.sequence;
        self.sequence = sequence.checked_add(1).unwrap_or(1);
        sequence
    }

    /// Ask the board who it is. What an earlier session left on the wire is thrown away first.
    ///
    /// # Errors
    /// Any link error.
    pub fn identify(&mut self) -> Result<Identity, HostError> {
        self.port.discard()?;
        let frame = Frame::identify(self.next_sequence());
        debug_assert_eq!(frame.operation, IDENTIFY);
        let words = self.exchange(frame, usize::from(IDENTIFY_WORDS), &|| "IDENTIFY".to_string())?;
        Ok(Identity::new(words))
    }

    /// Read words of a region; more than a frame carries take several, and so does leaving a column or a slot: the
    /// caller keeps to one.
    ///
    /// # Errors
    /// Any link error.
    pub fn read(&mut self, region: impl LinkRegion, offset: u16, count: usize) -> Result<Vec<u16>, HostError> {
        let mut words = Vec::with_capacity(count);
        while words.len() < count {
            let part = (count - words.len()).min(MAX_WORDS);
            let at = offset + words.len() as u16;
            let frame = Frame::read(self.next_sequence(), address(region, at), part as u8);
            words.extend(self.exchange(frame, part, &|| describe("READ", region, at, part))?);
        }
        Ok(words)
    }

    /// Write words of a region, as [`Client::read`] reads them.
    ///
    /// # Errors
    /// Any link error.
    pub fn write(&mut self, region: impl LinkRegion, offset: u16, words: &[u16]) -> Result<(), HostError> {
        for (part, words) in words.chunks(MAX_WORDS).enumerate() {
            let at = offset + (part * MAX_WORDS) as u16;
            let frame = Frame::write(self.next_sequence(), address(region, at), words);
            self.exchange(frame, 0, &|| describe("WRITE", region, at, words.len()))?;
        }
        Ok(())
    }

    /// Read a register, all its words in one frame.
    ///
    /// # Errors
    /// Any link error.
    pub fn read_register(&mut self, name: &'static str) -> Result<u64, HostError> {
        let register = find(name);
        let words = self.read(Region::Registers, register.offset, usize::from(register.words))?;
        Ok(value(&words))
    }

    /// Write a register.
    ///
    /// # Errors
    /// Any link error.
    pub fn write_register(&mut self, name: &'static str, value: u16) -> Result<(), HostError> {
        self.write(Region::Registers, find(name).offset, &[value])
    }

    /// Wait until neither a run nor a checksum is under way, as long as images go on being finished.
    ///
    /// # Errors
    /// [`HostError::Stuck`], or any link error.
    pub fn wait_until_idle(&mut self, work: &'static str) -> Result<(), HostError> {
        let (first, end) = (find("status").offset, REGISTER_WORDS);
        let images = usize::from(find("images").offset - first);
        let (mut moved, mut seen) = (self.port.now(), u64::MAX);
        let deadline = self.port.now().saturating_add(self.options.longest);
        let mut pause = Duration::from_micros(200);
        loop {
            // Status and counters in one READ; counters of a run under way only show that it moves.
            let words = self.read(Region::Registers, first, usize::from(end - first))?;
            if words[0] == 0 {
                return Ok(());
            }
            let now_seen = value(&words[images..images + 2]);
            if now_seen != seen {
                (moved, seen) = (self.port.now(), now_seen);
            }
            if self.port.now() > moved + self.options.stall {
                return Err(HostError::Stuck { port: self.port.name().into(), work, waited: self.options.stall });
            }
            if self.port.now() > deadline {
                return Err(HostError::Stuck { port: self.port.name().into(), work, waited: self.options.longest });
            }
            self.port.pause(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Sum a memory on the chip: the array, or `count` slots or labels from `first_slot`.
    ///
    /// # Errors
    /// Any link error.
    pub fn checksum(&mut self, region: impl LinkRegion, first_slot: u16, count: u16) -> Result<u64, HostError> {
        self.write(Region::Registers, find("first_slot").offset, &[first_slot, count])?;
        self.write_register("checksum_region", u16::from(region.code()))?;
        self.write_register("control", registers::CONTROL_CHECKSUM)?;
        self.wait_until_idle("checksum")?;
        self.read_register("checksum")
    }

    /// Hold a memory's checksum against that of the words it should have.
    ///
    /// # Errors
    /// [`HostError::Checksum`], or any link error.
    pub fn verify(
        &mut self,
        region: impl LinkRegion,
        first_slot: u16,
        count: u16,
        words: impl IntoIterator<Item = u16>,
    ) -> Result<(), HostError> {
        let expected = registers::checksum(words);
        let found = self.checksum(region, first_slot, count)?;
        if found == expected {
            return Ok(());
        }
        Err(HostError::Checksum { port: self.port.name().into(), region: region.name(), found, expected })
    }

    /// Read the run counters; they stand still while the machine is idle.
    ///
    /// # Errors
    /// Any link error.
    pub fn counters(&mut self) -> Result<Counters, HostError> {
        let first = find(RUN_COUNTERS[0]).offset;
        let words = self.read(Region::Registers, first, usize::from(REGISTER_WORDS - first))?;
        Ok(Counters::from_values(RUN_COUNTERS.map(|name| {
            let register = find(name);
            let at = usize::from(register.offset - first);
            value(&words[at..at + usize::from(register.words)])
        })))
    }

    /// Check that the board is the machine that is expected.
    ///
    /// # Errors
    /// See [`Identity::check`].
    pub fn identify_as(&mut self, machine: &Machine, build_hash: u64) -> Result<Identity, HostError> {
        let identity = self.identify()?;
        identity.check(self.port.name(), machine, build_hash)?;
        Ok(identity)
    }
}

/// Words, low one first, as a number.
fn value(words: &[u16]) -> u64 {
    words.iter().rev().fold(0, |value, word| value << 16 | u64::from(*word))
}

/// A region of a machine's address space.
pub trait LinkRegion: Copy {
    /// Bits 23..16 of its addresses.
    fn code(self) -> u8;
    /// What it is called in messages.
    fn name(self) -> &'static str;
}

impl LinkRegion for Region {
    fn code(self) -> u8 {
        self as u8
    }
    fn name(self) -> &'static str {
        region_name(self)
    }
}

impl LinkRegion for DeepRegion {
    fn code(self) -> u8 {
        self as u8
    }
    fn name(self) -> &'static str {
        match self {
            Self::Registers => "register",
            Self::Array => "array",
            Self::Codes => "code",
            Self::Labels => "label",
            Self::Program => "program",
            Self::Thresholds => "threshold",
            Self::Results => "result",
            Self::Layers => "layer",
        }
    }
}

fn address(region: impl LinkRegion, offset: u16) -> u32 {
    u32::from(region.code()) << 16 | u32::from(offset)
}

/// What a region is called in messages.
pub fn region_name(region: Region) -> &'static str {
    match region {
        Region::Registers => "register",
        Region::Array => "array",
        Region::Slots => "slot",
        Region::Labels => "label",
    }
}

fn describe(operation: &str, region: impl LinkRegion, offset: u16, count: usize) -> String {
    let register = registers::REGISTERS.iter().find(|r| (r.offset..r.offset + r.words).contains(&offset));
    match (region.code(), register) {
        (0, Some(register)) => format!("{operation} of register {}", register.name),
        _ => format!("{operation} of {count} {} words at {offset:#06x}", region.name()),
    }
}
