//! Walks over the windows of a layer.

use crate::bus::{Bus, Number};
use crate::deep::{address_bits, step_bits};
use crate::register::Register;
use bitline_golden::deep_machine::DeepMachine;
use rust_hdl::prelude::*;

/// Gives the windows of a layer one after the other: squares of the pool row by row, and in each square its windows row by row.
///
/// **Ports** `start` with everything a layer sets up, which stays as it is until the layer's end; `single`: the layer is one
/// window. While `valid`, `window` is the window's first address, `place` where its square's codes go, `first` and `last` tell
/// that it begins or ends its square, `final_window` that no other follows; `take` goes on to the next.
/// **Timing** the first window is there a clock after `start`, the next a clock after `take`.
/// **Number rules** addresses are unsigned and wrap: one that exists, plus a step, does not.
/// **State** idle at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct WindowWalk {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Begin a layer.
    pub start: Signal<In, Bit>,
    /// End at once.
    pub abort: Signal<In, Bit>,
    /// The layer is one window.
    pub single: Signal<In, Bit>,
    /// Address of the first window, the image's place included.
    pub base: Bus<In>,
    /// Codes to the window on the right.
    pub step_x: Bus<In>,
    /// Codes to the window below.
    pub step_y: Bus<In>,
    /// Side of a square.
    pub size: Bus<In>,
    /// Codes to the square on the right.
    pub pool_step_x: Bus<In>,
    /// Codes to the square below.
    pub pool_step_y: Bus<In>,
    /// Squares a row.
    pub wide: Bus<In>,
    /// Rows of squares.
    pub high: Bus<In>,
    /// Address of the first code.
    pub place_base: Bus<In>,
    /// Codes to the pixel on the right.
    pub place_step_x: Bus<In>,
    /// Codes to the pixel below.
    pub place_step_y: Bus<In>,
    /// The window is taken.
    pub take: Signal<In, Bit>,
    /// There is a window.
    pub valid: Signal<Out, Bit>,
    /// Its first address.
    pub window: Bus<Out>,
    /// Where its square's codes go.
    pub place: Bus<Out>,
    /// It is its square's first.
    pub first: Signal<Out, Bit>,
    /// It is its square's last.
    pub last: Signal<Out, Bit>,
    /// It is the layer's last.
    pub final_window: Signal<Out, Bit>,
    walking: DFF<Bit>,
    row_of_squares: Register,
    square: Register,
    row_of_windows: Register,
    window_register: Register,
    row_of_places: Register,
    place_register: Register,
    x: Register,
    y: Register,
    dx: Register,
    dy: Register,
    dx_last: Signal<Local, Bit>,
    dy_last: Signal<Local, Bit>,
    x_last: Signal<Local, Bit>,
    y_last: Signal<Local, Bit>,
    less_one: Number,
}

impl WindowWalk {
    /// Clocks from `start` to the first window.
    pub const LATENCY_CYCLES: u64 = 1;

    /// The walk of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        let (address_bits, step_bits) = (address_bits(machine), step_bits(machine));
        let address = || Register::new(address_bits);
        Self {
            clock: Signal::default(),
            start: Signal::default(),
            abort: Signal::default(),
            single: Signal::default(),
            base: Bus::new(address_bits),
            step_x: Bus::new(step_bits),
            step_y: Bus::new(step_bits),
            size: Bus::new(4),
            pool_step_x: Bus::new(step_bits),
            pool_step_y: Bus::new(step_bits),
            wide: Bus::new(16),
            high: Bus::new(16),
            place_base: Bus::new(step_bits),
            place_step_x: Bus::new(step_bits),
            place_step_y: Bus::new(step_bits),
            take: Signal::default(),
            valid: Signal::default(),
            window: Bus::new(address_bits),
            place: Bus::new(address_bits),
            first: Signal::default(),
            last: Signal::default(),
            final_window: Signal::default(),
            walking: DFF::default(),
            row_of_squares: address(),
            square: address(),
            row_of_windows: address(),
            window_register: address(),
            row_of_places: address(),
            place_register: address(),
            // Counted down to 1, so that one comparison with a constant tells the last.
            x: Register::new(16),
            y: Register::new(16),
            dx: Register::new(4),
            dy: Register::new(4),
            dx_last: Signal::default(),
            dy_last: Signal::default(),
            x_last: Signal::default(),
            y_last: Signal::default(),
            less_one: Number::new(0xFFFF),
        }
    }
}

impl Logic for WindowWalk {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, walking, row_of_squares, square, row_of_windows, window_register);
        dff_setup!(self, clock, row_of_places, place_register, x, y, dx, dy);
        self.dx_last.next = self.single.val() | (self.dx.q.val() == 1);
        self.dy_last.next = self.single.val() | (self.dy.q.val() == 1);
        self.x_last.next = self.single.val() | (self.x.q.val() == 1);
        self.y_last.next = self.single.val() | (self.y.q.val() == 1);
        self.valid.next = self.walking.q.val();
        self.window.next = self.window_register.q.val();
        self.place.next = self.place_register.q.val();
        self.first.next =
            self.single.val() | ((self.dx.q.val() == self.size.val()) & (self.dy.q.val() == self.size.val()));
        self.last.next = self.dx_last.val() & self.dy_last.val();
        self.final_window.next = self.dx_last.val() & self.dy_last.val() & self.x_last.val() & self.y_last.val();
        if self.walking.q.val() & self.take.val() {
            if !self.dx_last.val() {
                self.dx.d.next = self.dx.q.val() + self.less_one.val();
                self.window_register.d.next = self.window_register.q.val() + self.step_x.val();
            } else {
                self.dx.d.next = self.size.val();
                if !self.dy_last.val() {
                    self.dy.d.next = self.dy.q.val() + self.less_one.val();
                    self.row_of_windows.d.next = self.row_of_windows.q.val() + self.step_y.val();
                    self.window_register.d.next = self.row_of_windows.q.val() + self.step_y.val();
                } else {
                    self.dy.d.next = self.size.val();
                    if !self.x_last.val() {
                        self.x.d.next = self.x.q.val() + self.less_one.val();
                        self.square.d.next = self.square.q.val() + self.pool_step_x.val();
                        self.row_of_windows.d.next = self.square.q.val() + self.pool_step_x.val();
                        self.window_register.d.next = self.square.q.val() + self.pool_step_x.val();
                        self.place_register.d.next = self.place_register.q.val() + self.place_step_x.val();
                    } else {
                        self.x.d.next = self.wide.val();
                        self.row_of_squares.d.next = self.row_of_squares.q.val() + self.pool_step_y.val();
                        self.square.d.next = self.row_of_squares.q.val() + self.pool_step_y.val();
                        self.row_of_windows.d.next = self.row_of_squares.q.val() + self.pool_step_y.val();
                        self.window_register.d.next = self.row_of_squares.q.val() + self.pool_step_y.val();
                        self.row_of_places.d.next = self.row_of_places.q.val() + self.place_step_y.val();
                        self.place_register.d.next = self.row_of_places.q.val() + self.place_step_y.val();
                        if !self.y_last.val() {
                            self.y.d.next = self.y.q.val() + self.less_one.val();
                        } else {
                            self.walking.d.next = false;
                        }
                    }
                }
            }
        }
        if self.start.val() {
            self.walking.d.next = true;
            self.row_of_squares.d.next = self.base.val();
            self.square.d.next = self.base.val();
            self.row_of_windows.d.next = self.base.val();
            self.window_register.d.next = self.base.val();
            self.row_of_places.d.next = self.place_base.val();
            self.place_register.d.next = self.place_base.val();
            self.x.d.next = self.wide.val();
            self.y.d.next = self.high.val();
            self.dx.d.next = self.size.val();
            self.dy.d.next = self.size.val();
        }
        if self.abort.val() {
            self.walking.d.next = false;
        }
    }
}
