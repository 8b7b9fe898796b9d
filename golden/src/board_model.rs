//! The whole machine at the level of bytes: link, registers, memories, run, checksum, switch, button and LEDs.
//!
//! This is what the gateware is held to, reply by reply and counter by counter. Where [`crate::link`] and
//! [`crate::registers`] leave a case open, it is settled here.
//!
//! Frames. A frame whose CRC and length are good counts in `frames_ok`, whatever becomes of it; it is counted before
//! it is answered, so an answer that holds `frames_ok` includes its own request. Any other counts in `frames_bad`
//! and is refused with sequence number 0. A good frame is judged in this order:
//!
//! 1. an unknown operation; 2. a length that its operation does not have ([`check_shape`]);
//! 3. a WRITE with the sequence number of the last frame executed: it is acknowledged again, counts in
//!    `frames_resent`, and no more of it is looked at; at power-on there is no last frame;
//! 4. a bad address or count ([`locate`]);
//! 5. busy: while a run or a checksum is under way only IDENTIFY and READ of registers are served;
//! 6. a read-only register in the range of a WRITE.
//!
//! A refused frame changes nothing but `frames_ok`, and is not a frame executed: sent again, it is judged again.
//!
//! Writes. The words of a WRITE are stored together, and `control` acts after all of them: first clear, then start;
//! a start and a checksum at once start the run only. Bits that a register does not keep are dropped. In the array,
//! bits of rows that do not exist are dropped and read 0.
//!
//! Slots. Slot numbers of a run or checksum wrap at the slot index's width, [`bits_to_index`] of `slots`; a slot
//! beyond the last reads 0 and stores nothing. A run's images are all read before any result is stored; the gateware
//! reads ahead by its pipeline only, so a run that stores results over its own later images is not defined.
//! Checksums cover the whole array, or of `image_count` slots from `first_slot` every lane, or their labels; a
//! `checksum_region` of 0 sums no words.
//!
//! Start switch: switched on, it starts one run as soon as the machine is idle; it must be off before it starts
//! another. Reset button: as long as it is pressed no run or checksum is under way, the run counters are 0 and the
//! modes as at power-on; memories, checksum and link counters are kept.
//!
//! Time. A byte taken is a clock, and so is each clock of a run ([`run_cycles`]) or a checksum (one a word, and one
//! to start). Run counters change when the run ends. A reply takes no time: a frame that a wire would lose because the one
//! before it is still being answered is taken here.

pub mod request;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use ndarray::Array2;

use crate::array::DeviceArray;
use crate::counters::Counters;
use crate::error::GoldenError;
use crate::link::{Decoder, Frame, REFUSED, REPLY, Refusal, WRITE};
use crate::machine::{Machine, bits_to_index};
use crate::registers::{self, ArrayAddress, IDENTIFY_WORDS, MODE_STORE, REGISTER_WORDS, RUN_COUNTERS, find};
use crate::run::{RunResult, run};
use crate::timing::run_cycles;
use crate::virtual_machine::VirtualMachine;
use request::{Place, Request, check_shape, locate};

/// Registers that the host writes, besides `control`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Modes {
    mode: u16,
    first_slot: u16,
    image_count: u16,
    result_slot: u16,
    checksum_region: u16,
}

#[derive(Debug, Clone)]
enum Job {
    Run { until: u64, result: RunResult },
    Checksum { until: u64, value: u64 },
}

/// The golden model of a machine behind its link.
#[derive(Debug, Clone)]
pub struct ModelBoard {
    machine: Machine,
    build_hash: u64,
    array: DeviceArray,
    slots: Vec<u16>,
    labels: Vec<u16>,
    power_on: Modes,
    modes: Modes,
    counters: Counters,
    checksum: u64,
    frames_ok: u64,
    frames_bad: u64,
    frames_resent: u64,
    last_sequence: Option<u8>,
    decoder: Decoder,
    job: Option<Job>,
    clock: u64,
    start_switch: bool,
    start_armed: bool,
    reset_button: bool,
}

/// Add one to a counter of that register's width.
fn count(counter: &mut u64, register: &str) {
    *counter = (*counter + 1).min((1 << find(register).width) - 1);
}

impl ModelBoard {
    /// A board at power-on, its memories 0, that answers IDENTIFY with this build hash.
    ///
    /// # Errors
    /// [`GoldenError`] for a machine at fault, or one of several tiles: the memory map reaches one.
    pub fn new(machine: Machine, build_hash: u64) -> Result<Self, GoldenError> {
        machine.check()?;
        if machine.tiles != 1 {
            let (what, unit, limit) = ("board model", "tiles", "1".to_string());
            return Err(GoldenError::Shape { what, unit, value: machine.tiles, limit, machine: machine.name });
        }
        Ok(Self {
            build_hash,
            array: DeviceArray::new(machine.rows, machine.columns()),
            slots: vec![0; machine.slots * machine.slot_words()],
            labels: vec![0; machine.slots],
            power_on: Modes::default(),
            modes: Modes::default(),
            counters: Counters::default(),
            checksum: 0,
            frames_ok: 0,
            frames_bad: 0,
            frames_resent: 0,
            last_sequence: None,
            decoder: Decoder::default(),
            job: None,
            clock: 0,
            start_switch: false,
            start_armed: true,
            reset_button: false,
            machine,
        })
    }

    /// Build contents into the memories (S001's stand-alone mode): devices, images from slot 0 on, a label each.
    /// `image_count` is then their number at power-on.
    ///
    /// # Errors
    /// [`GoldenError`] for what does not fit the machine.
    pub fn with_contents(
        mut self,
        devices: DeviceArray,
        images: &Array2<u8>,
        labels: &[Option<u8>],
    ) -> Result<Self, GoldenError> {
        crate::run::check(&self.machine, &devices, images, labels)?;
        if images.nrows() > self.machine.slots {
            let (what, unit, limit) = ("slot memory", "images", format!("0..={}", self.machine.slots));
            let machine = self.machine.name.clone();
            return Err(GoldenError::Shape { what, unit, value: images.nrows(), limit, machine });
        }
        self.array = devices;
        for (slot, (image, label)) in images.rows().into_iter().zip(labels).enumerate() {
            let words = registers::pack_image(&self.machine, &image.to_vec());
            let at = slot * self.machine.slot_words();
            self.slots[at..at + words.len()].copy_from_slice(&words);
            self.labels[slot] = label.map_or(registers::NO_LABEL, u16::from);
        }
        self.power_on.image_count = images.nrows() as u16;
        self.modes = self.power_on;
        Ok(self)
    }

    /// Let all counters start with these bits, each with as many as it has.
    #[must_use]
    pub fn with_counts(mut self, counts: u32) -> Self {
        let start = |register: &str| u64::from(counts) & ((1 << find(register).width) - 1);
        self.counters = Counters::from_values(RUN_COUNTERS.map(start));
        [self.frames_ok, self.frames_bad, self.frames_resent] = ["frames_ok", "frames_bad", "frames_resent"].map(start);
        self
    }

    /// The machine that is modelled.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The devices as they stand.
    pub fn array(&self) -> &DeviceArray {
        &self.array
    }

    /// The counters as they stand.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Read words as the link would, or see why not; nothing is counted.
    ///
    /// # Errors
    /// [`Refusal::BadAddress`].
    pub fn peek(&self, address: u32, count: usize) -> Result<Vec<u16>, Refusal> {
        Ok(self.words(locate(&self.machine, address, count)?, count))
    }

    fn array_word(&self, address: ArrayAddress) -> u16 {
        let rows = address.rows(&self.machine).enumerate();
        rows.fold(0, |word, (bit, row)| word | u16::from(self.array.get(row, address.column)) << bit)
    }

    fn set_array_word(&mut self, address: ArrayAddress, word: u16) {
        for (bit, row) in address.rows(&self.machine).enumerate() {
            self.array.set(row, address.column, word >> bit & 1 == 1);
        }
    }

    fn register_words(&self) -> [u16; REGISTER_WORDS as usize] {
        let mut words = [0; REGISTER_WORDS as usize];
        let mut set = |name: &str, value: u64| {
            let register = find(name);
            for word in 0..register.words {
                words[usize::from(register.offset + word)] = (value >> (16 * word)) as u16;
            }
        };
        let machine = &self.machine;
        set("protocol", u64::from(registers::PROTOCOL_VERSION));
        set("rows", machine.rows as u64);
        set("outputs", machine.outputs as u64);
        set("word_bits", (machine.input_bits << 8 | machine.weight_bits) as u64);
        set("row_lanes", machine.row_lanes as u64);
        set("plane_lanes", machine.plane_lanes as u64);
        set("column_lanes", machine.column_lanes as u64);
        set("slots", machine.slots as u64);
        set("quantizer_bits", u64::from(machine.quantizer.bits));
        set("build_hash", self.build_hash);
        set("frames_ok", self.frames_ok);
        set("frames_bad", self.frames_bad);
        set("frames_resent", self.frames_resent);
        set("status", u64::from(self.status()));
        set("mode", u64::from(self.modes.mode));
        set("first_slot", u64::from(self.modes.first_slot));
        set("image_count", u64::from(self.modes.image_count));
        set("result_slot", u64::from(self.modes.result_slot));
        set("checksum_region", u64::from(self.modes.checksum_region));
        set("checksum", self.checksum);
        for (name, value) in RUN_COUNTERS.iter().zip(self.counters.values()) {
            set(name, value);
        }
        for (at, byte) in machine.name.bytes().enumerate() {
            words[usize::from(find("name").offset) + at / 2] |= u16::from(byte) << (8 * (at % 2));
        }
        words
    }

    fn status(&self) -> u16 {
        match self.job {
            None => 0,
            Some(Job::Run { .. }) => registers::STATUS_RUNNING,
            Some(Job::Checksum { .. }) => registers::STATUS_CHECKSUM,
        }
    }

    fn words(&self, place: Place, count: usize) -> Vec<u16> {
        match place {
            Place::Registers(first) => self.register_words()[first..first + count].to_vec(),
            Place::Array(at) => {
                (at.word..at.word + count).map(|word| self.array_word(ArrayAddress { word, ..at })).collect()
            }
            Place::Slot { slot, lane } => {
                let first = slot * self.machine.slot_words() + lane;
                self.slots[first..first + count].to_vec()
            }
            Place::Labels(first) => self.labels[first..first + count].to_vec(),
        }
    }

    fn store(&mut self, place: Place, words: &[u16]) {
        match place {
            Place::Registers(first) => self.store_registers(first, words),
            Place::Array(at) => {
                for (word, value) in (at.word..).zip(words) {
                    self.set_array_word(ArrayAddress { word, ..at }, *value);
                }
            }
            Place::Slot { slot, lane } => {
                let first = slot * self.machine.slot_words() + lane;
                self.slots[first..first + words.len()].copy_from_slice(words);
            }
            Place::Labels(first) => self.labels[first..first + words.len()].copy_from_slice(words),
        }
    }

    fn store_registers(&mut self, first: usize, words: &[u16]) {
        let machine = &self.machine;
        let word_of = |name: &str| {
            let register = find(name);
            let kept = (1u32 << register.kept_bits(machine)) - 1;
            let at = usize::from(register.offset).checked_sub(first)?;
            words.get(at).map(|word| word & kept as u16)
        };
        let modes = &mut self.modes;
        for (name, field) in [
            ("mode", &mut modes.mode),
            ("first_slot", &mut modes.first_slot),
            ("image_count", &mut modes.image_count),
            ("result_slot", &mut modes.result_slot),
            ("checksum_region", &mut modes.checksum_region),
        ] {
            *field = word_of(name).unwrap_or(*field);
        }
        let control = word_of("control").unwrap_or(0);
        if control & registers::CONTROL_CLEAR != 0 {
            self.counters = Counters::default();
        }
        if control & registers::CONTROL_START != 0 {
            self.start_run();
        } else if control & registers::CONTROL_CHECKSUM != 0 {
            self.start_checksum();
        }
    }

    /// Number of the `i`th slot of a range, or `None` beyond the last slot.
    fn slot(&self, first: u16, i: u16) -> Option<usize> {
        let mask = (1usize << bits_to_index(self.machine.slots)) - 1;
        Some((usize::from(first) + usize::from(i)) & mask).filter(|slot| *slot < self.machine.slots)
    }

    fn slot_words(&self, slot: Option<usize>) -> Vec<u16> {
        let words = self.machine.slot_words();
        slot.map_or(vec![0; words], |slot| self.slots[slot * words..(slot + 1) * words].to_vec())
    }

    fn start_run(&mut self) {
        let Modes { first_slot, image_count, .. } = self.modes;
        let bits = self.machine.input_bits;
        let mut images = Array2::zeros((usize::from(image_count), self.machine.inputs()));
        let mut labels = Vec::with_capacity(usize::from(image_count));
        for (i, mut image) in images.rows_mut().into_iter().enumerate() {
            let slot = self.slot(first_slot, i as u16);
            let words = self.slot_words(slot);
            for (k, code) in image.iter_mut().enumerate() {
                let bit = |at: usize| (words[at / 16] >> (at % 16) & 1) as u8;
                *code = (0..bits).fold(0, |code, j| code | bit(k * bits + j) << j);
            }
            labels.push(slot.map_or(0, |slot| self.labels[slot]));
        }
        let nothing = vec![None; labels.len()];
        let mut result = run(&self.machine, &self.array, &images, &nothing).expect("codes are unpacked to fit");
        // A label is 16 bits here, and may be none of the classes.
        result.counters.correct =
            result.classes.iter().zip(&labels).filter(|(class, label)| class == label).count() as u64;
        let until = self.clock + run_cycles(&self.machine, u64::from(image_count));
        self.job = Some(Job::Run { until, result });
    }

    fn start_checksum(&mut self) {
        let Modes { first_slot, image_count, checksum_region, .. } = self.modes;
        let slots = (0..image_count).map(|i| self.slot(first_slot, i));
        let words: Vec<u16> = match checksum_region {
            1 => ArrayAddress::all(&self.machine).map(|address| self.array_word(address)).collect(),
            2 => slots.flat_map(|slot| self.slot_words(slot)).collect(),
            3 => slots.map(|slot| slot.map_or(0, |slot| self.labels[slot])).collect(),
            _ => Vec::new(),
        };
        let until = self.clock + 1 + words.len() as u64;
        self.job = Some(Job::Checksum { until, value: registers::checksum(words) });
    }

    fn store_results(&mut self, result: &RunResult) {
        if self.modes.mode & MODE_STORE == 0 {
            return;
        }
        for (i, outputs) in result.outputs.rows().into_iter().enumerate() {
            let Some(slot) = self.slot(self.modes.result_slot, i as u16) else { continue };
            let words = outputs.iter().map(|y| *y as u16).chain([result.classes[i], result.margins[i] as u16]);
            for (lane, word) in words.enumerate() {
                self.slots[slot * self.machine.slot_words() + lane] = word;
            }
        }
    }

    fn reset(&mut self) {
        self.job = None;
        self.counters = Counters::default();
        self.modes = self.power_on;
    }

    /// Let time pass up to the clock: end what has ended, start what the switch asks for.
    fn settle(&mut self) {
        if self.reset_button {
            self.reset();
        }
        match &self.job {
            Some(Job::Run { until, .. } | Job::Checksum { until, .. }) if *until > self.clock => {}
            _ => match self.job.take() {
                Some(Job::Run { result, .. }) => {
                    self.counters = self.counters.accumulate(&result.counters);
                    self.store_results(&result);
                }
                Some(Job::Checksum { value, .. }) => self.checksum = value,
                None => {}
            },
        }
        if self.start_switch && self.start_armed && self.job.is_none() && !self.reset_button {
            self.start_armed = false;
            self.start_run();
        }
    }

    fn execute(&mut self, frame: &Frame) -> Result<Vec<u16>, Refusal> {
        let request = Request::parse(&self.machine, frame)?;
        if self.job.is_some() && request.waits_for_idle() {
            return Err(Refusal::Busy);
        }
        if request.writes_read_only() {
            return Err(Refusal::ReadOnly);
        }
        self.last_sequence = Some(frame.sequence);
        Ok(match request {
            Request::Identify => self.words(Place::Registers(0), usize::from(IDENTIFY_WORDS)),
            Request::Read { place, count } => self.words(place, count),
            Request::Write { place, words } => {
                self.store(place, &words);
                Vec::new()
            }
        })
    }

    fn answer(&mut self, frame: &Frame) -> Frame {
        let &Frame { sequence, operation, .. } = frame;
        count(&mut self.frames_ok, "frames_ok");
        let repeated = operation == WRITE && self.last_sequence == Some(sequence) && check_shape(frame).is_ok();
        let reply = if repeated {
            count(&mut self.frames_resent, "frames_resent");
            Ok(Vec::new())
        } else {
            self.execute(frame)
        };
        match reply {
            Ok(words) => {
                let payload = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                Frame { sequence, operation: operation | REPLY, payload }
            }
            Err(refusal) => Frame { sequence, operation: REFUSED, payload: vec![refusal as u8] },
        }
    }

    fn take(&mut self, byte: u8, output: &mut Vec<u8>) {
        let reply = match self.decoder.push(byte) {
            None => return,
            Some(Ok(frame)) => self.answer(&frame),
            Some(Err(refusal)) => {
                count(&mut self.frames_bad, "frames_bad");
                Frame { sequence: 0, operation: REFUSED, payload: vec![refusal as u8] }
            }
        };
        output.extend(reply.encode());
    }
}

impl VirtualMachine for ModelBoard {
    fn advance(&mut self, input: &mut VecDeque<u8>, output: &mut Vec<u8>, clocks: u64) -> u64 {
        let end = self.clock + clocks;
        while self.clock < end {
            self.settle();
            if let Some(byte) = input.pop_front() {
                self.clock += 1;
                self.take(byte, output);
            } else if let Some(Job::Run { until, .. } | Job::Checksum { until, .. }) = self.job {
                self.clock = until.min(end);
            } else {
                break;
            }
        }
        self.settle();
        clocks - (end - self.clock)
    }

    fn clock(&self) -> u64 {
        self.clock
    }

    fn leds(&self) -> u16 {
        self.counters.correct as u16 & 0x1FF
    }

    fn set_start_switch(&mut self, on: bool) {
        self.start_switch = on;
        self.start_armed |= !on;
        self.settle();
    }

    fn set_reset_button(&mut self, pressed: bool) {
        self.reset_button = pressed;
        self.settle();
    }

    fn flip_device(&mut self, row: usize, column: usize) -> bool {
        let exists = row < self.array.rows() && column < self.array.columns();
        if exists {
            self.array.flip(row, column);
        }
        exists
    }

    fn description(&self) -> String {
        format!("golden model of {}, whole bytes on the link, no clock but one a byte", self.machine.name)
    }
}
