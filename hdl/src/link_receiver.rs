//! Takes frames off the wire.

use crate::bus::{Bus, Number};
use crate::register::Register;
use bitline_golden::link::{END, ESC, ESC_END, ESC_ESC, MAX_PAYLOAD, OVERHEAD};
use rust_hdl::prelude::*;

/// Undoes the SLIP dress, checks length and CRC, and keeps one frame in the buffer until it is dealt with.
///
/// Mirrors [`bitline_golden::link::Decoder`].
///
/// **Ports** `data`, `data_valid`, `data_ready`: bytes; one is taken where both are set. `buffer_*`: write port of the
/// frame buffer, the frame's bytes from address 0. `frame_ready`: a frame stands there, `frame_good` or not
/// (`length_bad`, else its CRC was wrong), with `payload_length`; held until `taken`.
/// What goes to the buffer goes into the CRC as well; `crc_ready`: it is made up to there, `crc_right`: the frame ends with it.
/// **Timing** a byte takes a clock and the time of its CRC. **Limits** bytes that arrive while a frame
/// waits are not taken: the host awaits each reply.
/// **State** no frame at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct LinkReceiver {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A byte.
    pub data: Bus<In>,
    /// There is one.
    pub data_valid: Signal<In, Bit>,
    /// It would be taken.
    pub data_ready: Signal<Out, Bit>,
    /// Store a byte of the frame.
    pub buffer_write: Signal<Out, Bit>,
    /// Where.
    pub buffer_address: Bus<Out>,
    /// The byte.
    pub buffer_data: Bus<Out>,
    /// A frame waits.
    pub frame_ready: Signal<Out, Bit>,
    /// Its length and CRC are right.
    pub frame_good: Signal<Out, Bit>,
    /// Its length is wrong.
    pub length_bad: Signal<Out, Bit>,
    /// Bytes of payload.
    pub payload_length: Bus<Out>,
    /// The frame is dealt with; the CRC starts again.
    pub taken: Signal<In, Bit>,
    /// The CRC is that of all bytes stored.
    pub crc_ready: Signal<In, Bit>,
    /// The bytes stored end with their CRC.
    pub crc_right: Signal<In, Bit>,
    waiting: DFF<Bit>,
    good: DFF<Bit>,
    bad_length: DFF<Bit>,
    escaped: DFF<Bit>,
    broken: DFF<Bit>,
    count: Register,
    declared: Register,
    accept: Signal<Local, Bit>,
    keep: Signal<Local, Bit>,
    plain: Bus<Local>,
    frame_end: Number,
    escape: Number,
    escaped_end: Number,
    escaped_escape: Number,
    overhead: Number,
    longest: Number,
}

impl Default for LinkReceiver {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            data: Bus::new(8),
            data_valid: Signal::default(),
            data_ready: Signal::default(),
            buffer_write: Signal::default(),
            buffer_address: Bus::new(8),
            buffer_data: Bus::new(8),
            frame_ready: Signal::default(),
            frame_good: Signal::default(),
            length_bad: Signal::default(),
            payload_length: Bus::new(8),
            taken: Signal::default(),
            crc_ready: Signal::default(),
            crc_right: Signal::default(),
            waiting: DFF::default(),
            good: DFF::default(),
            bad_length: DFF::default(),
            escaped: DFF::default(),
            broken: DFF::default(),
            count: Register::new(8),
            declared: Register::new(8),
            accept: Signal::default(),
            keep: Signal::default(),
            plain: Bus::new(8),
            frame_end: Number::new(u64::from(END)),
            escape: Number::new(u64::from(ESC)),
            escaped_end: Number::new(u64::from(ESC_END)),
            escaped_escape: Number::new(u64::from(ESC_ESC)),
            overhead: Number::new(OVERHEAD as u64),
            longest: Number::new((MAX_PAYLOAD + OVERHEAD) as u64),
        }
    }
}

impl LinkReceiver {
    /// Clocks from an END to `frame_ready`.
    pub const LATENCY_CYCLES: u64 = 1;
}

impl LinkReceiver {
    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        !self.waiting.q.val()
    }
}

impl Logic for LinkReceiver {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, waiting, good, bad_length, escaped, broken);
        dff_setup!(self, clock, count, declared);
        self.frame_ready.next = self.waiting.q.val();
        self.frame_good.next = self.good.q.val();
        self.length_bad.next = self.bad_length.q.val();
        self.payload_length.next = self.declared.q.val();
        self.data_ready.next = !self.waiting.q.val() & self.crc_ready.val();
        self.accept.next = self.data_valid.val() & !self.waiting.q.val() & self.crc_ready.val();
        self.keep.next = false;
        self.plain.next = self.data.val();
        if self.accept.val() {
            if self.data.val() == self.frame_end.val() {
                self.waiting.d.next = (self.count.q.val() != 0) | self.escaped.q.val() | self.broken.q.val();
                self.bad_length.d.next = self.escaped.q.val()
                    | self.broken.q.val()
                    | (self.count.q.val() < self.overhead.val())
                    | ((self.declared.q.val() + self.overhead.val()) != self.count.q.val());
                self.good.d.next = !(self.escaped.q.val()
                    | self.broken.q.val()
                    | (self.count.q.val() < self.overhead.val())
                    | ((self.declared.q.val() + self.overhead.val()) != self.count.q.val()))
                    & self.crc_right.val();
            } else if self.escaped.q.val() {
                self.escaped.d.next = false;
                if self.data.val() == self.escaped_end.val() {
                    self.keep.next = true;
                    self.plain.next = self.frame_end.val();
                } else if self.data.val() == self.escaped_escape.val() {
                    self.keep.next = true;
                    self.plain.next = self.escape.val();
                } else {
                    self.broken.d.next = true;
                }
            } else if self.data.val() == self.escape.val() {
                self.escaped.d.next = true;
            } else {
                self.keep.next = true;
            }
        }
        self.buffer_write.next = false;
        self.buffer_address.next = self.count.q.val();
        self.buffer_data.next = self.plain.val();
        if self.keep.val() {
            if self.count.q.val() == self.longest.val() {
                self.broken.d.next = true;
            } else {
                self.buffer_write.next = true;
                self.count.d.next = self.count.q.val() + 1;
                if self.count.q.val() == 0 {
                    self.declared.d.next = self.plain.val();
                }
            }
        }
        if self.taken.val() {
            self.waiting.d.next = false;
            self.escaped.d.next = false;
            self.broken.d.next = false;
            self.count.d.next = 0;
        }
    }
}
