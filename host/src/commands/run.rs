//! `bitline run`: a board on a serial port.

use std::time::{Duration, Instant};

use anyhow::Context;
use bitline_hdl::simulation::build_hash;
use bitline_host::comparison::expect;
use bitline_host::link::{Client, ClientOptions, SerialLink};
use bitline_host::outcome::{Circumstances, Outcome};
use bitline_host::procedure;
use clap::Args;

use super::Verdict;
use super::arguments::{ImageBar, ProblemArguments, print};

/// Arguments of `bitline run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Serial port of the board, or the path that `bitline board` prints
    #[arg(long, value_name = "PATH")]
    port: String,
    #[command(flatten)]
    problem: ProblemArguments,
    /// Bits a second, instead of the machine's own
    #[arg(long, value_name = "BITS")]
    baud: Option<u32>,
    /// Silence in milliseconds after which a request is sent again
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 800, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    timeout: u64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Run it.
pub fn run(arguments: &RunArguments) -> anyhow::Result<Verdict> {
    let problem = arguments.problem.problem()?;
    let expected = expect(&problem).context("the golden model cannot run the problem")?;
    let baud = arguments.baud.unwrap_or(problem.machine.link.baud);
    let port = SerialLink::open(&arguments.port, baud)?;
    let options = ClientOptions {
        timeout: Duration::from_millis(arguments.timeout),
        // What an earlier session left on its way must not be taken for this one's.
        first_sequence: (std::process::id() % 255 + 1) as u8,
        ..ClientOptions::default()
    };
    let mut client = Client::new(port, options);

    let started = Instant::now();
    let bar = ImageBar::new(problem.images.nrows());
    let hash = build_hash(&problem.machine);
    let measured = procedure::run(&mut client, &problem, hash, &mut |step| bar.show(step), &mut |_| Ok(()));
    bar.finish();
    let how = Circumstances {
        engine: format!("the board on {}, {baud} baud", arguments.port),
        seconds: started.elapsed().as_secs_f64(),
        clocks: None,
        leds: None,
    };
    let outcome = Outcome::new(&problem, &expected, &measured?, how);
    print(&outcome, arguments.json)
}
