//! `bitline board`: a simulated machine behind a pseudo-terminal.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use bitline_boards::virtual_board::{Event, VirtualBoard, VirtualBoardOptions};
use bitline_host::engine::start;
use bitline_host::leds;
use clap::Args;

use super::Verdict;
use super::arguments::{EngineArguments, MachineArgument, built_in_problem};

/// Arguments of `bitline board`.
#[derive(Debug, Args)]
pub struct BoardArguments {
    #[command(flatten)]
    machine: MachineArgument,
    #[command(flatten)]
    engine: EngineArguments,
    /// Build weights and as many images as fit into the memories; the switch then runs them without a host
    #[arg(long)]
    built_in: bool,
    /// Make this a symbolic link to the pseudo-terminal
    #[arg(long, value_name = "PATH")]
    link: Option<PathBuf>,
    /// Fault: cut the cable once after this many bytes from the host, and plug it in again shortly after
    #[arg(long, value_name = "BYTES")]
    cut_after: Option<u64>,
}

/// How long the reset button stays pressed.
const PRESS: Duration = Duration::from_millis(100);

/// What a line on stdin asks for.
enum Key {
    Switch,
    Reset,
}

/// Lines `s` (start switch) and `r` (reset button) from a terminal.
fn keys() -> Receiver<Key> {
    let (send, receive) = channel();
    if std::io::stdin().is_terminal() {
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                let key = match line.trim() {
                    "s" => Key::Switch,
                    "r" => Key::Reset,
                    _ => continue,
                };
                if send.send(key).is_err() {
                    return;
                }
            }
        });
    }
    receive
}

/// Run it.
pub fn run(arguments: &BoardArguments) -> anyhow::Result<Verdict> {
    let machine = arguments.machine.machine()?;
    let contents = arguments.built_in.then(|| built_in_problem(&machine)).transpose()?;
    let simulated = start(&machine, &arguments.engine.options(), contents.as_ref())?;
    let description = simulated.description();
    let options = VirtualBoardOptions { link: arguments.link.clone(), cut_after: arguments.cut_after };
    let mut board = VirtualBoard::open(simulated, options)?;

    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    ctrlc::set_handler(move || stopped.store(true, Ordering::Relaxed)).context("Ctrl-C cannot be caught")?;
    let path = arguments.link.clone().unwrap_or_else(|| board.path().to_path_buf());
    println!("{}", path.display());
    eprintln!("{description}");
    eprintln!("to run it: bitline run --machine {} --port {}", machine.name, path.display());
    eprintln!("Ctrl-C ends; `s` and Enter moves the start switch, `r` and Enter presses the reset button");

    let keys = keys();
    let mut switch = false;
    let mut pressed = None;
    let live = std::io::stderr().is_terminal();
    let mut tell = |event| match event {
        Event::Leds(leds) if live => eprint!("\r{} {leds:>3} ", leds::row(leds)),
        Event::Leds(leds) => eprintln!("{} {leds}", leds::row(leds)),
        Event::Cut(bytes) => eprintln!("\nfault: cable cut after {bytes} bytes"),
        Event::Plugged(path) => eprintln!("cable in again: {}", path.display()),
    };
    while !stop.load(Ordering::Relaxed) {
        for key in keys.try_iter() {
            match key {
                Key::Switch => {
                    switch = !switch;
                    board.machine_mut().set_start_switch(switch);
                }
                Key::Reset => {
                    board.machine_mut().set_reset_button(true);
                    pressed = Some(Instant::now());
                }
            }
        }
        if pressed.is_some_and(|since| since.elapsed() > PRESS) {
            board.machine_mut().set_reset_button(false);
            pressed = None;
        }
        board.turn(&stop, &mut tell)?;
    }
    if live {
        eprintln!();
    }
    Ok(Verdict::Equal)
}
