//! The way of a user with a board: a serial port, here a pseudo-terminal with the golden model behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bitline_boards::virtual_board::{VirtualBoard, VirtualBoardOptions};
use bitline_golden::board_model::ModelBoard;
use bitline_golden::machine::Machine;
use bitline_host::HostError;
use bitline_host::comparison::{expect, first_difference};
use bitline_host::link::{Client, ClientOptions, Port, SerialLink};
use bitline_host::problem::{Problem, Source};
use bitline_host::procedure;

const HASH: u64 = 0xB0A2D;

/// A virtual board on a thread of its own.
struct Running {
    link: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(name: &str, machine: &str, cut_after: Option<u64>) -> Self {
        let link = std::env::temp_dir().join(format!("bitline-test-{name}-{}", std::process::id()));
        let model = ModelBoard::new(Machine::named(machine).unwrap(), HASH).unwrap();
        let options = VirtualBoardOptions { link: Some(link.clone()), cut_after };
        let mut board = VirtualBoard::open(Box::new(model), options).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || board.serve(&stopped, &mut |_| ()).unwrap());
        Self { link, stop, thread: Some(thread) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(link: &Path, problem: &Problem) -> Result<procedure::Measured, HostError> {
    let port = SerialLink::open(link.to_str().unwrap(), 1_000_000)?;
    let options = ClientOptions { timeout: Duration::from_millis(500), ..ClientOptions::default() };
    procedure::run(&mut Client::new(port, options), problem, HASH, &mut |_| (), &mut |_| Ok(()))
}

fn assert_equal(problem: &Problem, measured: &procedure::Measured) {
    assert_eq!(first_difference(problem, &expect(problem).unwrap(), measured), None);
}

#[test]
fn run_over_a_serial_port_equals_golden_time_after_time() {
    let board = Running::start("equal", "digits", None);
    for seed in [5, 6] {
        let problem = Problem::new(Machine::named("digits").unwrap(), &Source::MadeUp(seed), Some(150)).unwrap();
        assert_equal(&problem, &run(&board.link, &problem).unwrap());
    }
}

#[test]
fn cut_cable_is_reported_within_seconds_and_the_board_is_usable_after() {
    let problem = Problem::new(Machine::named("tiny").unwrap(), &Source::MadeUp(5), Some(16)).unwrap();
    for cut_after in [1, 30, 333, 1_000] {
        let board = Running::start(&format!("cut-{cut_after}"), "tiny", Some(cut_after));
        let started = Instant::now();
        let error = run(&board.link, &problem).unwrap_err();
        assert!(matches!(error, HostError::PortVanished { .. }), "{cut_after}: {error}");
        assert!(started.elapsed() < Duration::from_secs(3), "{cut_after}: {:?}", started.elapsed());
        // The cable is in again shortly after; the same command works.
        let until = Instant::now() + Duration::from_secs(5);
        let measured = loop {
            match run(&board.link, &problem) {
                Ok(measured) => break measured,
                Err(error) => assert!(Instant::now() < until, "{cut_after}: {error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        assert_equal(&problem, &measured);
    }
}

#[test]
fn host_that_leaves_in_the_middle_of_a_frame_does_not_disturb_the_next() {
    let board = Running::start("leave", "tiny", None);
    let problem = Problem::new(Machine::named("tiny").unwrap(), &Source::MadeUp(6), Some(9)).unwrap();
    for bytes in [&[0xC0, 3, 1][..], &[0xDB], &[7; 300], &bitline_golden::link::Frame::identify(1).encode()] {
        let mut port = SerialLink::open(board.link.to_str().unwrap(), 1_000_000).unwrap();
        port.send(bytes).unwrap();
        drop(port);
        assert_equal(&problem, &run(&board.link, &problem).unwrap());
    }
}

#[test]
fn missing_port_is_named_with_the_remedy() {
    let error = SerialLink::open("/dev/no-such-port", 1_000_000).err().unwrap().to_string();
    assert!(error.starts_with("port /dev/no-such-port cannot be opened: "), "{error}");
    assert!(error.ends_with("plug the board in, or start a virtual one with `bitline board`"), "{error}");
}

#[test]
fn port_that_is_a_file_is_refused() {
    let error = SerialLink::open("/etc/hostname", 1_000_000).err().unwrap();
    assert!(matches!(error, HostError::PortOpen { .. }), "{error}");
}
