//! The client against boards that are silent, foreign, stale, forgetful or stuck: each is named as what it is.

use std::collections::VecDeque;
use std::time::Duration;

use bitline_golden::board_model::ModelBoard;
use bitline_golden::machine::Machine;
use bitline_golden::virtual_machine::VirtualMachine;
use bitline_host::HostError;
use bitline_host::comparison::{expect, first_difference};
use bitline_host::link::{Client, ClientOptions, InProcessPort};
use bitline_host::problem::{Problem, Source};
use bitline_host::procedure;

const HASH: u64 = 0xB17_11E5;

fn tiny() -> Machine {
    Machine::named("tiny").unwrap()
}

fn client(board: impl VirtualMachine + 'static) -> Client<InProcessPort> {
    Client::new(InProcessPort::new(Box::new(board), 12_000_000), ClientOptions::default())
}

fn problem(images: usize) -> Problem {
    Problem::new(tiny(), &Source::MadeUp(3), Some(images)).unwrap()
}

fn run(board: impl VirtualMachine + 'static, images: usize) -> Result<procedure::Measured, HostError> {
    procedure::run(&mut client(board), &problem(images), HASH, &mut |_| (), &mut |_| Ok(()))
}

/// A machine that answers what a function makes of the bytes it gets.
struct Fake<F>(F, u64);

impl<F: FnMut(u8) -> Vec<u8> + Send> VirtualMachine for Fake<F> {
    fn advance(&mut self, input: &mut VecDeque<u8>, output: &mut Vec<u8>, clocks: u64) -> u64 {
        let count = input.len().min(clocks as usize);
        input.drain(..count).for_each(|byte| output.extend((self.0)(byte)));
        self.1 += count as u64;
        count as u64
    }
    fn clock(&self) -> u64 {
        self.1
    }
    fn leds(&self) -> u16 {
        0
    }
    fn set_start_switch(&mut self, _on: bool) {}
    fn set_reset_button(&mut self, _pressed: bool) {}
    fn flip_device(&mut self, _row: usize, _column: usize) -> bool {
        false
    }
    fn description(&self) -> String {
        "a fake".into()
    }
}

#[test]
fn run_every_number_of_images_equals_golden() {
    for images in 0..=20 {
        let measured = run(ModelBoard::new(tiny(), HASH).unwrap(), images).unwrap();
        let problem = problem(images);
        assert_eq!(first_difference(&problem, &expect(&problem).unwrap(), &measured), None, "{images}");
    }
}

#[test]
fn run_after_a_flipped_device_names_image_output_and_clock() {
    let problem = problem(12);
    let mut client = client(ModelBoard::new(tiny(), HASH).unwrap());
    let measured = procedure::run(&mut client, &problem, HASH, &mut |_| (), &mut |port| {
        // The sign column of output 1, in the bias row, which is driven for every image.
        assert!(port.machine_mut().flip_device(8, 5));
        Ok(())
    });
    let found = first_difference(&problem, &expect(&problem).unwrap(), &measured.unwrap()).unwrap();
    assert_eq!((found.what, found.image, found.output, found.run), ("output", Some(0), Some(1), Some(0)));
    // Bias code 5 at weight -4 or +4 to nothing.
    assert_eq!((found.got - found.expected).abs(), 20);
    assert_eq!(found.clock, Some(bitline_golden::timing::output_clock(&tiny(), 0, 1)));
}

#[test]
fn silent_port_is_called_silent() {
    let error = run(Fake(|_| vec![], 0), 1).unwrap_err();
    assert!(matches!(error, HostError::Silent { attempts: 5, .. }), "{error}");
}

#[test]
fn garbage_and_echo_are_called_garbage() {
    for (name, error) in [
        ("text", run(Fake(|byte| vec![byte ^ 0x55, b'\n'], 0), 1).unwrap_err()),
        ("echo", run(Fake(|byte| vec![byte], 0), 1).unwrap_err()),
        ("ends", run(Fake(|_| vec![0xC0], 0), 1).unwrap_err()),
    ] {
        assert!(matches!(error, HostError::Garbage { .. }), "{name}: {error}");
    }
}

#[test]
fn port_that_never_stops_talking_is_given_up() {
    let error = run(Fake(|_| vec![b'x'; 200_000], 0), 1).unwrap_err();
    assert!(matches!(error, HostError::Garbage { .. }), "{error}");
}

#[test]
fn other_machine_is_named_with_the_remedy() {
    let error = run(ModelBoard::new(Machine::named("digits").unwrap(), HASH).unwrap(), 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the board on the simulated wire is machine digits, not tiny; give --machine digits, or load the bitstream of tiny"
    );
}

#[test]
fn other_size_is_named() {
    let other = Machine { outputs: 4, column_lanes: 3, ..tiny() };
    let error = run(ModelBoard::new(other, HASH).unwrap(), 1).unwrap_err();
    assert!(matches!(error, HostError::Size { register: "outputs", found: 4, expected: 3, .. }), "{error}");
}

#[test]
fn stale_bitstream_is_named_with_both_hashes() {
    let error = run(ModelBoard::new(tiny(), 1).unwrap(), 1).unwrap_err();
    assert!(matches!(error, HostError::Stale { found: 1, expected: HASH, .. }), "{error}");
}

/// The golden model, until something happens to it after so many bytes.
struct Until<A> {
    board: ModelBoard,
    bytes: u64,
    after: u64,
    action: A,
}

impl<A: FnMut(&mut ModelBoard) -> bool + Send> VirtualMachine for Until<A> {
    fn advance(&mut self, input: &mut VecDeque<u8>, output: &mut Vec<u8>, clocks: u64) -> u64 {
        let before = input.len();
        if self.bytes >= self.after && !(self.action)(&mut self.board) {
            input.clear();
            return 0;
        }
        let clocks = self.board.advance(input, output, clocks);
        self.bytes += (before - input.len()) as u64;
        clocks
    }
    fn clock(&self) -> u64 {
        self.board.clock()
    }
    fn leds(&self) -> u16 {
        self.board.leds()
    }
    fn set_start_switch(&mut self, on: bool) {
        self.board.set_start_switch(on);
    }
    fn set_reset_button(&mut self, pressed: bool) {
        self.board.set_reset_button(pressed);
    }
    fn flip_device(&mut self, row: usize, column: usize) -> bool {
        self.board.flip_device(row, column)
    }
    fn description(&self) -> String {
        self.board.description()
    }
}

#[test]
fn board_that_dies_half_way_is_called_lost() {
    for after in [40, 300, 900, 1_300] {
        let board = ModelBoard::new(tiny(), HASH).unwrap();
        let error = run(Until { board, bytes: 0, after, action: |_: &mut ModelBoard| false }, 12).unwrap_err();
        assert!(matches!(error, HostError::Lost { .. }), "{after}: {error}");
    }
}

#[test]
fn board_that_loses_its_memory_is_never_called_equal() {
    let full = run(ModelBoard::new(tiny(), HASH).unwrap(), 12).unwrap();
    let mut refused = 0;
    for after in (20..2_400).step_by(20) {
        let board = ModelBoard::new(tiny(), HASH).unwrap();
        let mut blank = true;
        let action = move |board: &mut ModelBoard| {
            if std::mem::take(&mut blank) {
                // Power fails and comes back: as at power-on, with everything forgotten.
                *board = ModelBoard::new(tiny(), HASH).unwrap();
            }
            true
        };
        match run(Until { board, bytes: 0, after, action }, 12) {
            Ok(measured) => {
                let problem = problem(12);
                let difference = first_difference(&problem, &expect(&problem).unwrap(), &measured);
                // Only what is lost before it was needed or after it was read goes unnoticed.
                assert!(difference.is_some() || measured.outputs == full.outputs, "{after}");
            }
            Err(HostError::Checksum { .. }) => refused += 1,
            Err(HostError::Lost { .. } | HostError::Refused { .. }) => {}
            Err(error) => panic!("{after}: {error}"),
        }
    }
    assert!(refused > 10, "{refused}");
}

#[test]
fn run_that_does_not_end_is_called_stuck() {
    // Another host set up a run of many images and left; the reset button is what helps.
    let machine = Machine { slots: 8192, ..tiny() };
    let mut board = ModelBoard::new(machine.clone(), HASH).unwrap();
    let mut setup = client(board.clone());
    setup.identify().unwrap();
    let mut input: VecDeque<u8> = VecDeque::new();
    for (sequence, register, value) in [(1, "image_count", 16_383), (2, "control", 1)] {
        let address = u32::from(bitline_golden::registers::find(register).offset);
        input.extend(bitline_golden::link::Frame::write(sequence, address, &[value]).encode());
    }
    let bytes = input.len() as u64;
    board.advance(&mut input, &mut Vec::new(), bytes);
    let port = InProcessPort::new(Box::new(board), 12_000_000);
    let options = ClientOptions { stall: Duration::from_millis(10), ..ClientOptions::default() };
    let problem = Problem::new(machine, &Source::MadeUp(3), Some(1)).unwrap();
    let error =
        procedure::run(&mut Client::new(port, options), &problem, HASH, &mut |_| (), &mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, HostError::Stuck { .. }), "{error}");
}
