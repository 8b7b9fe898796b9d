//! Executes frames and answers them.

use crate::address_check::AddressCheck;
use crate::bus::{Bus, Number};
use crate::register::Register;
use bitline_golden::link::{IDENTIFY, MAX_WORDS, READ, REFUSED, REPLY, Refusal, WRITE};
use bitline_golden::registers::IDENTIFY_WORDS;
use rust_hdl::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
#[allow(missing_docs)]
pub enum ExecutorState {
    Idle,
    Fetch,
    Check,
    Judge,
    WriteWait,
    WriteLow,
    WriteHigh,
    Begin,
    Length,
    Sequence,
    Operation,
    Reason,
    ReadStart,
    ReadWait,
    ReadLow,
    ReadHigh,
    Finish,
    Drain,
}

/// Judges the frame in the buffer, does what it asks for, and sends the reply.
///
/// **Function** [`bitline_golden::link`]: the judging order there is the order of the tests here.
/// **Ports** `frame_*`, `length_bad`, `payload_length`, `taken`: from and to the receiver; `buffer_*`: read port of the
/// frame buffer. `region`, `offset`, `words`: the address being judged or used, to the address check, whose answer is
/// `range_exists` and `range_writable`. `write_enable` with `write_data`: store the word at `offset`. `read_enable`: the
/// memories are to read the word at `offset`; `read_data` has it [`LinkExecutor::READ_CYCLES`] clocks later. `busy`: a
/// run or checksum is under way. `send_*`: to the transmitter. `count_*`: one clock each, for the link's counters.
/// **Timing** a frame is judged eleven clocks after it is ready; a word written takes two clocks, a word read six and
/// the time to send it. **State** idle at power-on, with no frame executed.
#[derive(LogicBlock, Clone, Debug)]
pub struct LinkExecutor {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A frame waits in the buffer.
    pub frame_ready: Signal<In, Bit>,
    /// Its length and CRC are right.
    pub frame_good: Signal<In, Bit>,
    /// Its length is wrong.
    pub length_bad: Signal<In, Bit>,
    /// Bytes of payload.
    pub payload_length: Bus<In>,
    /// The frame is dealt with.
    pub taken: Signal<Out, Bit>,
    /// Byte of the buffer to read.
    pub buffer_address: Bus<Out>,
    /// The byte.
    pub buffer_data: Bus<In>,
    /// Region code.
    pub region: Bus<Out>,
    /// Offset of the first word judged, then of the word used.
    pub offset: Bus<Out>,
    /// Words of the frame.
    pub words: Bus<Out>,
    /// The range exists.
    pub range_exists: Signal<In, Bit>,
    /// The range may be written.
    pub range_writable: Signal<In, Bit>,
    /// Store `write_data`.
    pub write_enable: Signal<Out, Bit>,
    /// A word.
    pub write_data: Bus<Out>,
    /// Read the word at `offset`.
    pub read_enable: Signal<Out, Bit>,
    /// The word read.
    pub read_data: Bus<In>,
    /// A run or checksum is under way.
    pub busy: Signal<In, Bit>,
    /// Start a frame.
    pub send_begin: Signal<Out, Bit>,
    /// Send a byte.
    pub send_byte: Signal<Out, Bit>,
    /// End the frame.
    pub send_end: Signal<Out, Bit>,
    /// The byte.
    pub send_data: Bus<Out>,
    /// The transmitter takes a command.
    pub send_ready: Signal<In, Bit>,
    /// A good frame.
    pub count_ok: Signal<Out, Bit>,
    /// A frame of wrong length or CRC.
    pub count_bad: Signal<Out, Bit>,
    /// A frame acknowledged again.
    pub count_resent: Signal<Out, Bit>,
    state: DFF<ExecutorState>,
    index: Register,
    sequence_number: Register,
    operation: Register,
    refuse: DFF<Bit>,
    region_register: Register,
    offset_register: Register,
    words_left: Register,
    reply_bytes: Register,
    reason: Register,
    low_byte: Register,
    clocks_left: Register,
    last_sequence: Register,
    executed_before: DFF<Bit>,
    is_identify: Signal<Local, Bit>,
    is_read: Signal<Local, Bit>,
    is_write: Signal<Local, Bit>,
    length_right: Signal<Local, Bit>,
    identify: Number,
    read: Number,
    write: Number,
    reply_bit: Number,
    refused: Number,
    identify_words: Number,
    most_words: Number,
    bad_crc: Number,
    bad_length: Number,
    unknown_operation: Number,
    bad_address: Number,
    machine_busy: Number,
    read_only: Number,
    read_cycles: Number,
    check_cycles: Number,
}

impl Default for LinkExecutor {
    fn default() -> Self {
        let number = |n: u8| Number::new(u64::from(n));
        Self {
            clock: Signal::default(),
            frame_ready: Signal::default(),
            frame_good: Signal::default(),
            length_bad: Signal::default(),
            payload_length: Bus::new(8),
            taken: Signal::default(),
            buffer_address: Bus::new(8),
            buffer_data: Bus::new(8),
            region: Bus::new(8),
            offset: Bus::new(16),
            words: Bus::new(8),
            range_exists: Signal::default(),
            range_writable: Signal::default(),
            write_enable: Signal::default(),
            write_data: Bus::new(16),
            read_enable: Signal::default(),
            read_data: Bus::new(16),
            busy: Signal::default(),
            send_begin: Signal::default(),
            send_byte: Signal::default(),
            send_end: Signal::default(),
            send_data: Bus::new(8),
            send_ready: Signal::default(),
            count_ok: Signal::default(),
            count_bad: Signal::default(),
            count_resent: Signal::default(),
            state: DFF::default(),
            index: Register::new(8),
            sequence_number: Register::new(8),
            operation: Register::new(8),
            refuse: DFF::default(),
            region_register: Register::new(8),
            offset_register: Register::new(16),
            words_left: Register::new(8),
            reply_bytes: Register::new(8),
            reason: Register::new(4),
            low_byte: Register::new(8),
            clocks_left: Register::new(2),
            last_sequence: Register::new(8),
            executed_before: DFF::default(),
            is_identify: Signal::default(),
            is_read: Signal::default(),
            is_write: Signal::default(),
            length_right: Signal::default(),
            identify: number(IDENTIFY),
            read: number(READ),
            write: number(WRITE),
            reply_bit: number(REPLY),
            refused: number(REFUSED),
            identify_words: number(IDENTIFY_WORDS as u8),
            most_words: number(MAX_WORDS as u8),
            bad_crc: number(Refusal::BadCrc as u8),
            bad_length: number(Refusal::BadLength as u8),
            unknown_operation: number(Refusal::UnknownOperation as u8),
            bad_address: number(Refusal::BadAddress as u8),
            machine_busy: number(Refusal::Busy as u8),
            read_only: number(Refusal::ReadOnly as u8),
            read_cycles: Number::new(Self::READ_CYCLES - 1),
            check_cycles: Number::new(AddressCheck::LATENCY_CYCLES - 1),
        }
    }
}

impl LinkExecutor {
    /// Clocks from `read_enable` to `read_data`.
    pub const READ_CYCLES: u64 = 4;
}

impl LinkExecutor {
    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.state.q.val() == ExecutorState::Idle
    }
}

impl Logic for LinkExecutor {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, index, sequence_number, operation, refuse, region_register, offset_register);
        dff_setup!(self, clock, words_left, reply_bytes, reason, low_byte, clocks_left, last_sequence, executed_before);
        self.taken.next = false;
        self.write_enable.next = false;
        self.read_enable.next = false;
        self.send_begin.next = false;
        self.send_byte.next = false;
        self.send_end.next = false;
        self.count_ok.next = false;
        self.count_bad.next = false;
        self.count_resent.next = false;
        self.send_data.next = self.reply_bytes.q.val();
        self.buffer_address.next = self.index.q.val();
        self.region.next = self.region_register.q.val();
        self.offset.next = self.offset_register.q.val();
        self.words.next = self.words_left.q.val();
        self.write_data.next = (self.buffer_data.val() << 8) | self.low_byte.q.val();
        self.is_identify.next = self.operation.q.val() == self.identify.val();
        self.is_read.next = self.operation.q.val() == self.read.val();
        self.is_write.next = self.operation.q.val() == self.write.val();
        self.length_right.next = (self.is_identify.val() & (self.payload_length.val() == 0))
            | (self.is_read.val() & (self.payload_length.val() == 4))
            | (self.is_write.val() & (self.payload_length.val() >= 5) & ((self.payload_length.val() & 1) == 1));
        match self.state.q.val() {
            ExecutorState::Idle => {
                self.index.d.next = 1;
                self.reply_bytes.d.next = 0;
                if self.frame_ready.val() {
                    if self.frame_good.val() {
                        self.count_ok.next = true;
                        self.state.d.next = ExecutorState::Fetch;
                    } else {
                        self.count_bad.next = true;
                        self.sequence_number.d.next = 0;
                        self.refuse.d.next = true;
                        self.reason.d.next = self.bad_crc.val();
                        if self.length_bad.val() {
                            self.reason.d.next = self.bad_length.val();
                        }
                        self.reply_bytes.d.next = 1;
                        self.state.d.next = ExecutorState::Begin;
                    }
                }
            }
            // Each clock shows the byte before `index`.
            ExecutorState::Fetch => {
                self.index.d.next = self.index.q.val() + 1;
                if self.index.q.val() == 2 {
                    self.sequence_number.d.next = self.buffer_data.val();
                }
                if self.index.q.val() == 3 {
                    self.operation.d.next = self.buffer_data.val();
                }
                if self.index.q.val() == 4 {
                    self.offset_register.d.next = self.buffer_data.val();
                }
                if self.index.q.val() == 5 {
                    self.offset_register.d.next = (self.buffer_data.val() << 8) | self.offset_register.q.val();
                }
                if self.index.q.val() == 6 {
                    self.region_register.d.next = self.buffer_data.val();
                }
                if self.index.q.val() == 7 {
                    self.words_left.d.next = self.buffer_data.val();
                    if self.is_write.val() {
                        // Two bytes a word, less the address: (length - 3) / 2, modulo 2^8.
                        self.words_left.d.next = (self.payload_length.val() >> 1) + 255;
                    }
                    if self.is_identify.val() {
                        self.region_register.d.next = 0;
                        self.offset_register.d.next = 0;
                        self.words_left.d.next = self.identify_words.val();
                    }
                    self.clocks_left.d.next = self.check_cycles.val();
                    self.state.d.next = ExecutorState::Check;
                }
            }
            ExecutorState::Check => {
                if self.clocks_left.q.val() == 0 {
                    self.state.d.next = ExecutorState::Judge;
                } else {
                    self.clocks_left.d.next = self.clocks_left.q.val() - 1;
                }
            }
            ExecutorState::Judge => {
                self.index.d.next = 6;
                self.refuse.d.next = true;
                self.reply_bytes.d.next = 1;
                self.state.d.next = ExecutorState::Begin;
                if !(self.is_identify.val() | self.is_read.val() | self.is_write.val()) {
                    self.reason.d.next = self.unknown_operation.val();
                } else if !self.length_right.val() {
                    self.reason.d.next = self.bad_length.val();
                } else if self.is_write.val()
                    & self.executed_before.q.val()
                    & (self.sequence_number.q.val() == self.last_sequence.q.val())
                {
                    self.count_resent.next = true;
                    self.refuse.d.next = false;
                    self.reply_bytes.d.next = 0;
                } else if !self.range_exists.val()
                    | (self.words_left.q.val() == 0)
                    | (self.words_left.q.val() > self.most_words.val())
                {
                    self.reason.d.next = self.bad_address.val();
                } else if self.busy.val() & (self.is_write.val() | (self.region_register.q.val() != 0)) {
                    self.reason.d.next = self.machine_busy.val();
                } else if self.is_write.val() & !self.range_writable.val() {
                    self.reason.d.next = self.read_only.val();
                } else {
                    self.refuse.d.next = false;
                    self.last_sequence.d.next = self.sequence_number.q.val();
                    self.executed_before.d.next = true;
                    if self.is_write.val() {
                        self.reply_bytes.d.next = 0;
                        self.state.d.next = ExecutorState::WriteWait;
                    } else {
                        self.reply_bytes.d.next = self.words_left.q.val() << 1;
                    }
                }
            }
            ExecutorState::WriteWait => {
                self.index.d.next = self.index.q.val() + 1;
                self.state.d.next = ExecutorState::WriteLow;
            }
            ExecutorState::WriteLow => {
                self.index.d.next = self.index.q.val() + 1;
                self.low_byte.d.next = self.buffer_data.val();
                self.state.d.next = ExecutorState::WriteHigh;
            }
            ExecutorState::WriteHigh => {
                self.index.d.next = self.index.q.val() + 1;
                self.write_enable.next = true;
                self.offset_register.d.next = self.offset_register.q.val() + 1;
                self.words_left.d.next = self.words_left.q.val() - 1;
                self.state.d.next = ExecutorState::WriteLow;
                if self.words_left.q.val() == 1 {
                    self.state.d.next = ExecutorState::Begin;
                }
            }
            ExecutorState::Begin => {
                if self.send_ready.val() {
                    self.send_begin.next = true;
                    self.state.d.next = ExecutorState::Length;
                }
            }
            ExecutorState::Length => {
                if self.send_ready.val() {
                    self.send_byte.next = true;
                    self.state.d.next = ExecutorState::Sequence;
                }
            }
            ExecutorState::Sequence => {
                self.send_data.next = self.sequence_number.q.val();
                if self.send_ready.val() {
                    self.send_byte.next = true;
                    self.state.d.next = ExecutorState::Operation;
                }
            }
            ExecutorState::Operation => {
                self.send_data.next = self.operation.q.val() | self.reply_bit.val();
                if self.refuse.q.val() {
                    self.send_data.next = self.refused.val();
                }
                if self.send_ready.val() {
                    self.send_byte.next = true;
                    self.state.d.next = ExecutorState::ReadStart;
                    if self.reply_bytes.q.val() == 0 {
                        self.state.d.next = ExecutorState::Finish;
                    }
                    if self.refuse.q.val() {
                        self.state.d.next = ExecutorState::Reason;
                    }
                }
            }
            ExecutorState::Reason => {
                self.send_data.next = self.reason.q.val();
                if self.send_ready.val() {
                    self.send_byte.next = true;
                    self.state.d.next = ExecutorState::Finish;
                }
            }
            ExecutorState::ReadStart => {
                self.clocks_left.d.next = self.read_cycles.val();
                self.state.d.next = ExecutorState::ReadWait;
            }
            ExecutorState::ReadWait => {
                self.read_enable.next = true;
                if self.clocks_left.q.val() == 0 {
                    self.state.d.next = ExecutorState::ReadLow;
                } else {
                    self.clocks_left.d.next = self.clocks_left.q.val() - 1;
                }
            }
            ExecutorState::ReadLow => {
                self.send_data.next = self.read_data.val();
                if self.send_ready.val() {
                    self.send_byte.next = true;
                    self.state.d.next = ExecutorState::ReadHigh;
                }
            }
            ExecutorState::ReadHigh => {
                self.send_data.next = self.read_data.val() >> 8;
                if self.send_ready.val() {
                    self.send_byte.next = true;
                    self.offset_register.d.next = self.offset_register.q.val() + 1;
                    self.words_left.d.next = self.words_left.q.val() - 1;
                    self.state.d.next = ExecutorState::ReadStart;
                    if self.words_left.q.val() == 1 {
                        self.state.d.next = ExecutorState::Finish;
                    }
                }
            }
            ExecutorState::Finish => {
                if self.send_ready.val() {
                    self.send_end.next = true;
                    self.state.d.next = ExecutorState::Drain;
                }
            }
            // The CRC is still on its way out; only then may the next frame use it.
            ExecutorState::Drain => {
                if self.send_ready.val() {
                    self.taken.next = true;
                    self.state.d.next = ExecutorState::Idle;
                }
            }
            _ => {
                self.state.d.next = ExecutorState::Idle;
            }
        }
    }
}
