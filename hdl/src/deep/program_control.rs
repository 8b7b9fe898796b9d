//! Runs a program for each image of a run.

use crate::bus::{BitAccess, Bus, Number};
use crate::register::Register;
use bitline_firmware::isa::{COUNT_SPACING_CYCLES, IMAGE_CYCLES, Opcode};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
#[allow(missing_docs)]
pub enum ControlState {
    Idle,
    Fetch,
    Run,
    LayerStart,
    Layer,
    MoveStart,
    Move,
    Drain,
}

/// Fetches and executes instructions, image after image, and stops at what is not sound.
///
/// **Function** for `image_count` images from slot `first_slot`: the program from its first instruction to `halt`. Operations
/// that set something up take one clock each, for the next instructions are fetched and decoded meanwhile; `read`,
/// `classify`, `copy` and `fill` take what the layer or the move takes, and one or two clocks more; `halt` waits for a
/// `count` in the two clocks before, `count` until [`COUNT_SPACING_CYCLES`] have passed since the last one or the clock before the image.
/// **Ports** `start`, `abort`: begin and end a run. `program_address`: the instruction to read. To and from the decoder:
/// `load`, `apply`, `opcode`, `legal`. `layer_start`, `move_start`: one clock, fields in place; `ranks`, `fills`: which kind it
/// is. `layer_done`, `move_done`: it is over. `count_start`: one clock, what was counted belongs to the layer of the `count`.
/// `image_start`, `image_done`: one clock each. `layer_faults`: kinds of fault of the layer or move, as they are found.
/// `fault`: kinds of the run's fault, 0 if there is none; `fault_at`: its instruction. `cut`: what is under way is dropped.
/// **Timing** the first instruction of an image is executed in the fourth clock after `start`, or the third after the
/// `halt` before. A fault, or `abort`, ends the run [`ProgramControl::DRAIN_CYCLES`] later, when the pipeline is empty.
/// **State** idle at power-on, without fault.
#[derive(LogicBlock, Clone, Debug)]
pub struct ProgramControl {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Begin a run.
    pub start: Signal<In, Bit>,
    /// End it.
    pub abort: Signal<In, Bit>,
    /// Slot of the first image.
    pub first_slot: Bus<In>,
    /// Images of the run.
    pub image_count: Bus<In>,
    /// Instruction to read.
    pub program_address: Bus<Out>,
    /// The instruction read is the next.
    pub load: Signal<Out, Bit>,
    /// Keep the fields of the instruction decoded.
    pub apply: Signal<Out, Bit>,
    /// Operation of the instruction decoded.
    pub opcode: Bus<In>,
    /// It is legal.
    pub legal: Signal<In, Bit>,
    /// Its record exists.
    pub record_exists: Signal<In, Bit>,
    /// Begin a layer.
    pub layer_start: Signal<Out, Bit>,
    /// Its sums are ranked.
    pub ranks: Signal<Out, Bit>,
    /// The layer is over.
    pub layer_done: Signal<In, Bit>,
    /// Begin a move.
    pub move_start: Signal<Out, Bit>,
    /// It fills.
    pub fills: Signal<Out, Bit>,
    /// The move is over.
    pub move_done: Signal<In, Bit>,
    /// `count_start` comes in the next clock.
    pub count_next: Signal<Out, Bit>,
    /// What was counted belongs to a layer.
    pub count_start: Signal<Out, Bit>,
    /// Kinds of fault found in what is under way.
    pub layer_faults: Bus<In>,
    /// An image begins.
    pub image_start: Signal<Out, Bit>,
    /// An image is done.
    pub image_done: Signal<Out, Bit>,
    /// Its slot.
    pub slot: Bus<Out>,
    /// A run is under way.
    pub running: Signal<Out, Bit>,
    /// What is under way is dropped.
    pub cut: Signal<Out, Bit>,
    /// Kinds of fault of the run.
    pub fault: Bus<Out>,
    /// Instruction of the fault.
    pub fault_at: Bus<Out>,
    state: DFF<ControlState>,
    word_valid: DFF<Bit>,
    shown_valid: DFF<Bit>,
    at: Register,
    shown_at: Register,
    set_up: Register,
    ranks_register: DFF<Bit>,
    fills_register: DFF<Bit>,
    counted: DFF<Bit>,
    counted_before: DFF<Bit>,
    since_count: Register,
    slot_register: Register,
    images_left: Register,
    watch: Register,
    found: Register,
    drain_left: Register,
    fault_register: Register,
    fault_at_register: Register,
    fault_at_next: Register,
    executed: Signal<Local, Bit>,
    advance: Signal<Local, Bit>,
    faulty: Bus<Local>,
    is_halt: Signal<Local, Bit>,
    is_read: Signal<Local, Bit>,
    is_classify: Signal<Local, Bit>,
    is_move: Signal<Local, Bit>,
    is_count: Signal<Local, Bit>,
    waits: Signal<Local, Bit>,
    expired: Signal<Local, Bit>,
    halt: Number,
    window: Number,
    tiles: Number,
    thresholds: Number,
    pool: Number,
    output_place: Number,
    read_layer: Number,
    classify: Number,
    copy: Number,
    fill: Number,
    count: Number,
    for_read: Number,
    for_classify: Number,
    instructions: Number,
    watch_bit: Number,
    less_one: Number,
    count_spacing: Number,
    image_cycles: Number,
    drain_cycles: Number,
    fault_illegal: Number,
    fault_end: Number,
    fault_record: Number,
    fault_missing: Number,
    fault_watchdog: Number,
}

/// Kinds of fault, as bits of the fault register.
pub mod fault {
    /// An operation that does not exist, or a field out of its range.
    pub const ILLEGAL: u64 = 1;
    /// The program memory ends before a `halt`.
    pub const END: u64 = 1 << 1;
    /// A code outside the memory, or outside the image; or a copy onto what it reads.
    pub const ADDRESS: u64 = 1 << 2;
    /// A tile that is not there.
    pub const TILE: u64 = 1 << 3;
    /// A threshold entry that is not there.
    pub const THRESHOLD: u64 = 1 << 4;
    /// A window that the window memory does not hold, or more sums than tiles or a result have.
    pub const SIZE: u64 = 1 << 5;
    /// A record that is not there.
    pub const RECORD: u64 = 1 << 6;
    /// A layer without what it needs.
    pub const MISSING: u64 = 1 << 7;
    /// An image that took too long.
    pub const WATCHDOG: u64 = 1 << 8;
    /// Bits of the fault register.
    pub const BITS: usize = 9;
}

impl ProgramControl {
    /// Clocks from a fault, or `abort`, to the end of the run.
    pub const DRAIN_CYCLES: u64 = 63;

    /// The control of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        let slot_bits = bits_to_index(machine.slots);
        let at_bits = bits_to_hold(machine.instructions);
        let opcode = |opcode: Opcode| Number::new(opcode as u64);
        let number = Number::new;
        Self {
            clock: Signal::default(),
            start: Signal::default(),
            abort: Signal::default(),
            first_slot: Bus::new(slot_bits),
            image_count: Bus::new(bits_to_hold(machine.slots)),
            program_address: Bus::new(at_bits),
            load: Signal::default(),
            apply: Signal::default(),
            opcode: Bus::new(16),
            legal: Signal::default(),
            record_exists: Signal::default(),
            layer_start: Signal::default(),
            ranks: Signal::default(),
            layer_done: Signal::default(),
            move_start: Signal::default(),
            fills: Signal::default(),
            move_done: Signal::default(),
            count_next: Signal::default(),
            count_start: Signal::default(),
            layer_faults: Bus::new(fault::BITS),
            image_start: Signal::default(),
            image_done: Signal::default(),
            slot: Bus::new(slot_bits),
            running: Signal::default(),
            cut: Signal::default(),
            fault: Bus::new(fault::BITS),
            fault_at: Bus::new(16),
            state: DFF::default(),
            word_valid: DFF::default(),
            shown_valid: DFF::default(),
            at: Register::new(at_bits),
            shown_at: Register::new(at_bits),
            set_up: Register::new(6),
            ranks_register: DFF::default(),
            fills_register: DFF::default(),
            counted: DFF::default(),
            counted_before: DFF::default(),
            since_count: Register::new(bits_to_hold(COUNT_SPACING_CYCLES as usize)),
            slot_register: Register::new(slot_bits),
            images_left: Register::new(bits_to_hold(machine.slots)),
            watch: Register::new(machine.watchdog_bits + 1),
            found: Register::new(fault::BITS),
            drain_left: Register::new(6),
            fault_register: Register::new(fault::BITS),
            fault_at_register: Register::new(16),
            fault_at_next: Register::new(at_bits),
            executed: Signal::default(),
            advance: Signal::default(),
            faulty: Bus::new(fault::BITS),
            is_halt: Signal::default(),
            is_read: Signal::default(),
            is_classify: Signal::default(),
            is_move: Signal::default(),
            is_count: Signal::default(),
            waits: Signal::default(),
            expired: Signal::default(),
            halt: opcode(Opcode::Halt),
            window: opcode(Opcode::Window),
            tiles: opcode(Opcode::Tiles),
            thresholds: opcode(Opcode::Thresholds),
            pool: opcode(Opcode::Pool),
            output_place: opcode(Opcode::Output),
            read_layer: opcode(Opcode::Read),
            classify: opcode(Opcode::Classify),
            copy: opcode(Opcode::Copy),
            fill: opcode(Opcode::Fill),
            count: opcode(Opcode::Count),
            for_read: number(0b11_1110),
            for_classify: number(0b110),
            instructions: number(machine.instructions as u64),
            watch_bit: number(machine.watchdog_bits as u64),
            less_one: number(0xFFFF),
            count_spacing: number(u64::from(COUNT_SPACING_CYCLES)),
            image_cycles: number(u64::from(IMAGE_CYCLES)),
            drain_cycles: number(Self::DRAIN_CYCLES),
            fault_illegal: number(fault::ILLEGAL),
            fault_end: number(fault::END),
            fault_record: number(fault::RECORD),
            fault_missing: number(fault::MISSING),
            fault_watchdog: number(fault::WATCHDOG),
        }
    }
}

impl Logic for ProgramControl {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, word_valid, shown_valid, at, shown_at, set_up, ranks_register, fills_register);
        dff_setup!(
            self,
            clock,
            counted,
            counted_before,
            since_count,
            slot_register,
            images_left,
            watch,
            found,
            drain_left
        );
        dff_setup!(self, clock, fault_register, fault_at_register, fault_at_next);
        self.running.next = self.state.q.val() != ControlState::Idle;
        self.cut.next = self.state.q.val() == ControlState::Drain;
        self.slot.next = self.slot_register.q.val();
        self.fault.next = self.fault_register.q.val();
        self.fault_at.next = self.fault_at_register.q.val();
        self.ranks.next = self.ranks_register.q.val();
        self.fills.next = self.fills_register.q.val();
        self.layer_start.next = self.state.q.val() == ControlState::LayerStart;
        self.move_start.next = self.state.q.val() == ControlState::MoveStart;
        self.count_start.next = self.counted.q.val();
        self.image_start.next = self.state.q.val() == ControlState::Fetch;
        self.is_halt.next = self.opcode.val() == self.halt.val();
        self.is_read.next = self.opcode.val() == self.read_layer.val();
        self.is_classify.next = self.opcode.val() == self.classify.val();
        self.is_move.next = (self.opcode.val() == self.copy.val()) | (self.opcode.val() == self.fill.val());
        self.is_count.next = self.opcode.val() == self.count.val();
        // A `count` takes two more clocks, for which `halt` waits, and some more until the next one.
        self.waits.next = (self.is_halt.val() & (self.counted.q.val() | self.counted_before.q.val()))
            | (self.is_count.val() & (self.since_count.q.val() != self.count_spacing.val()));
        self.executed.next = (self.state.q.val() == ControlState::Run) & self.shown_valid.q.val() & !self.waits.val();
        self.apply.next = self.executed.val();
        self.count_next.next = self.executed.val() & self.is_count.val();
        self.counted.d.next = self.executed.val() & self.is_count.val();
        self.counted_before.d.next = self.counted.q.val();
        if self.since_count.q.val() != self.count_spacing.val() {
            self.since_count.d.next = self.since_count.q.val() + 1;
        }
        if self.executed.val() & self.is_count.val() {
            self.since_count.d.next = 1;
        }
        if self.state.q.val() == ControlState::Fetch {
            self.since_count.d.next = self.image_cycles.val();
        }
        // What is wrong with the instruction executed, before it begins anything.
        self.faulty.next = 0;
        if self.executed.val() {
            if !self.legal.val() {
                self.faulty.next = self.fault_illegal.val();
            } else {
                if self.is_read.val() & ((self.set_up.q.val() & self.for_read.val()) != self.for_read.val()) {
                    self.faulty.next = self.fault_missing.val();
                }
                if self.is_classify.val() & ((self.set_up.q.val() & self.for_classify.val()) != self.for_classify.val())
                {
                    self.faulty.next = self.fault_missing.val();
                }
                if self.is_count.val() & !self.record_exists.val() {
                    self.faulty.next = self.fault_record.val();
                }
            }
        }
        self.image_done.next = self.executed.val() & self.is_halt.val() & self.legal.val();
        // The next instruction is read while this one is decoded, and the one before is executed.
        self.advance.next = self.word_valid.q.val() & (!self.shown_valid.q.val() | self.executed.val());
        self.load.next = self.advance.val();
        self.program_address.next = self.at.q.val();
        if self.executed.val() {
            self.shown_valid.d.next = false;
        }
        if self.advance.val() {
            self.program_address.next = self.at.q.val() + 1;
            self.at.d.next = self.at.q.val() + 1;
            self.shown_at.d.next = self.at.q.val();
            self.shown_valid.d.next = true;
            self.word_valid.d.next = (self.at.q.val() + 1) != self.instructions.val();
        }
        self.watch.d.next = self.watch.q.val() + 1;
        self.expired.next = self.watch.q.val().get_bit(self.watch_bit.val());
        self.found.d.next = self.found.q.val() | self.layer_faults.val();
        match self.state.q.val() {
            ControlState::Idle => {
                self.watch.d.next = 0;
                self.found.d.next = 0;
                if self.start.val() & self.image_count.val().any() {
                    self.state.d.next = ControlState::Fetch;
                    self.slot_register.d.next = self.first_slot.val();
                    self.images_left.d.next = self.image_count.val();
                    self.set_up.d.next = 0;
                }
                if self.start.val() {
                    self.fault_register.d.next = 0;
                    self.fault_at_register.d.next = 0;
                }
            }
            ControlState::Fetch => {
                self.at.d.next = 0;
                self.program_address.next = 0;
                self.word_valid.d.next = true;
                self.shown_valid.d.next = false;
                self.watch.d.next = 0;
                self.state.d.next = ControlState::Run;
            }
            ControlState::Run => {
                if self.executed.val() {
                    if self.opcode.val() == self.window.val() {
                        self.set_up.d.next = self.set_up.q.val() | 2;
                    }
                    if self.opcode.val() == self.tiles.val() {
                        self.set_up.d.next = self.set_up.q.val() | 4;
                    }
                    if self.opcode.val() == self.thresholds.val() {
                        self.set_up.d.next = self.set_up.q.val() | 8;
                    }
                    if self.opcode.val() == self.pool.val() {
                        self.set_up.d.next = self.set_up.q.val() | 16;
                    }
                    if self.opcode.val() == self.output_place.val() {
                        self.set_up.d.next = self.set_up.q.val() | 32;
                    }
                    if self.is_read.val() | self.is_classify.val() {
                        self.state.d.next = ControlState::LayerStart;
                        self.ranks_register.d.next = self.is_classify.val();
                    }
                    if self.is_move.val() {
                        self.state.d.next = ControlState::MoveStart;
                        self.fills_register.d.next = self.opcode.val() == self.fill.val();
                    }
                    if self.is_halt.val() {
                        self.slot_register.d.next = self.slot_register.q.val() + 1;
                        self.images_left.d.next = self.images_left.q.val() + self.less_one.val();
                        self.state.d.next = ControlState::Fetch;
                        if self.images_left.q.val() == 1 {
                            self.state.d.next = ControlState::Idle;
                        }
                    }
                }
                if !self.shown_valid.q.val() & !self.word_valid.q.val() {
                    self.fault_register.d.next = self.fault_end.val();
                    self.fault_at_register.d.next = self.at.q.val();
                    self.state.d.next = ControlState::Drain;
                    self.drain_left.d.next = self.drain_cycles.val();
                }
            }
            ControlState::LayerStart => {
                self.state.d.next = ControlState::Layer;
            }
            ControlState::Layer => {
                if self.layer_done.val() {
                    self.state.d.next = ControlState::Run;
                }
            }
            ControlState::MoveStart => {
                self.state.d.next = ControlState::Move;
            }
            ControlState::Move => {
                if self.move_done.val() {
                    self.state.d.next = ControlState::Run;
                }
            }
            ControlState::Drain => {
                self.word_valid.d.next = false;
                self.shown_valid.d.next = false;
                self.found.d.next = 0;
                self.drain_left.d.next = self.drain_left.q.val() + 63;
                if self.drain_left.q.val() == 1 {
                    self.state.d.next = ControlState::Idle;
                }
            }
        }
        // The executed instruction is the last that was shown: a fault of a layer is the instruction's before.
        if self.executed.val() {
            self.fault_at_next.d.next = self.shown_at.q.val();
        }
        if self.faulty.val().any() {
            self.fault_register.d.next = self.faulty.val();
            self.fault_at_register.d.next = self.shown_at.q.val();
            self.state.d.next = ControlState::Drain;
            self.drain_left.d.next = self.drain_cycles.val();
        }
        if (self.state.q.val() == ControlState::Run) & self.found.q.val().any() {
            self.fault_register.d.next = self.found.q.val();
            self.fault_at_register.d.next = self.fault_at_next.q.val();
            self.state.d.next = ControlState::Drain;
            self.drain_left.d.next = self.drain_cycles.val();
        }
        if self.expired.val() & (self.state.q.val() != ControlState::Idle) & (self.state.q.val() != ControlState::Drain)
        {
            self.fault_register.d.next = self.fault_watchdog.val();
            self.fault_at_register.d.next = self.fault_at_next.q.val();
            self.state.d.next = ControlState::Drain;
            self.drain_left.d.next = self.drain_cycles.val();
        }
        if self.abort.val() & (self.state.q.val() != ControlState::Idle) {
            self.state.d.next = ControlState::Drain;
            self.drain_left.d.next = self.drain_cycles.val();
            self.fault_register.d.next = 0;
            self.fault_at_register.d.next = 0;
        }
    }
}
