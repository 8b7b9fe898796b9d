//! Everything the host refuses or gives up on.

use crate::engine::Engine;
use bitline_boards::BoardError;
use std::time::Duration;

use bitline_firmware::compile::CompileError;
use bitline_firmware::execute::Fault;
use bitline_firmware::file::FileError;
use bitline_golden::error::GoldenError;
use bitline_golden::link::Refusal;
use bitline_golden::machine::MachineError;
use bitline_golden::network::NetworkError;
use bitline_hdl::simulation::HdlError;
use thiserror::Error;

/// Why the host could not do its work. The message says what, with the value, the limit and the remedy.
#[derive(Debug, Error)]
pub enum HostError {
    /// The machine's description is at fault, or there is none of that name.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The golden model refuses the problem.
    #[error(transparent)]
    Golden(#[from] GoldenError),
    /// The network cannot be read, or does not fit the machine.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A network cannot be made a program.
    #[error("{reason}{also}")]
    Compile {
        /// Why.
        reason: Box<CompileError>,
        /// Where a network fits that does not fit here, in words that end the message.
        also: String,
    },
    /// A program file is damaged, or for another machine.
    #[error(transparent)]
    Program(#[from] FileError),
    /// A program did not end in `halt`.
    #[error("machine {machine} stopped at {fault}; compile the network again")]
    Fault {
        /// The machine.
        machine: String,
        /// Where, and why.
        fault: Fault,
    },
    /// A verb for machines of one layer was given one that runs programs.
    #[error(
        "machine {machine} runs programs, which `bitline compile`, `assemble`, `sim`, `verify`, `export` and `build` are for; this verb takes {others}"
    )]
    RunsPrograms {
        /// The machine.
        machine: String,
        /// Machines that the verb takes.
        others: String,
    },
    /// A program was meant for a machine of one layer.
    #[error("machine {machine} has one layer and runs no programs; choose one of {others}")]
    RunsNoPrograms {
        /// The machine.
        machine: String,
        /// Machines that run programs.
        others: String,
    },
    /// Nothing of that kind runs programs.
    #[error(
        "the {engine} engine runs no programs, and machine {machine} runs nothing else; give --engine golden, rusthdl, verilator, netlist or netlist-ecp5"
    )]
    NoProgramEngine {
        /// The machine.
        machine: String,
        /// The engine.
        engine: Engine,
    },
    /// A data set's files.
    #[error(transparent)]
    Data(#[from] bitline_train::TrainError),
    /// A machine that runs no programs has its own images.
    #[error("machine {machine} runs the digits, which are built in; leave --data out, or give --machine mnist")]
    RunsNoData {
        /// The machine.
        machine: String,
    },
    /// The hardware stopped a program.
    #[error("machine {machine} stopped the program at instruction {at}: {}; compile the network again, or look at the program with `bitline disassemble`", fault_words(*kinds))]
    HardwareFault {
        /// The machine.
        machine: String,
        /// Kinds of fault, as its register holds them.
        kinds: u16,
        /// The instruction, from 0.
        at: u16,
    },
    /// A run of a program cannot do what was asked.
    #[error("a run of a program has no {option}; leave it out")]
    ProgramLacks {
        /// The option.
        option: &'static str,
    },
    /// A network was given and weights were to be made up.
    #[error("--network cannot be used with --seed on machine {machine}: the seed would make weights up; leave one out")]
    NetworkAndSeed {
        /// The machine.
        machine: String,
    },
    /// There are no images of that size.
    #[error("the first layer reads {codes} codes, the digits have {pixels}; give --seed for made-up images")]
    NoImageSet {
        /// Codes of an image.
        codes: usize,
        /// Pixels of a digit.
        pixels: usize,
    },
    /// Images have another size than the first layer reads.
    #[error("images of {set} have {found} codes, the first layer reads {expected}; choose the data the network is for")]
    ImageCodes {
        /// Where the images come from.
        set: String,
        /// Codes they have.
        found: usize,
        /// Codes that are read.
        expected: usize,
    },
    /// A code has more bits than the first layer reads.
    #[error(
        "image {image} of {set} has code {code}, the first layer reads {bits} bits; choose the data the network is for"
    )]
    ImageCode {
        /// Where the images come from.
        set: String,
        /// Which, from 0.
        image: usize,
        /// The code.
        code: u8,
        /// Bits that are read.
        bits: usize,
    },
    /// The gateware cannot be simulated.
    #[error(transparent)]
    Hdl(#[from] HdlError),
    /// The port cannot be opened.
    #[error("port {port} cannot be opened: {reason}; {remedy}")]
    PortOpen {
        /// The port's path.
        port: String,
        /// The system's words.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// The port went away while in use.
    #[error(
        "port {port} vanished: {reason}; the cable is out or the board is gone: plug it in again and repeat the command, \
         the board needs nothing else"
    )]
    PortVanished {
        /// The port's path.
        port: String,
        /// The system's words.
        reason: String,
    },
    /// Nothing at all came back from a port that never spoke.
    #[error(
        "nothing answers on {port}: {attempts} requests, each waited for {waited:?}; check that this is the board's port, \
         that the bitstream is loaded, and that --baud is the machine's speed"
    )]
    Silent {
        /// The port's path.
        port: String,
        /// Times the request was sent.
        attempts: u32,
        /// Longest wait for each.
        waited: Duration,
    },
    /// Bytes came back, none of them a frame.
    #[error(
        "{port} speaks, but not bitline's link: {bytes} bytes and no good frame after {attempts} requests; check that this \
         is the board's port and that --baud is the machine's speed"
    )]
    Garbage {
        /// The port's path.
        port: String,
        /// Bytes received.
        bytes: usize,
        /// Times the request was sent.
        attempts: u32,
    },
    /// The board spoke before and does not answer a request now.
    #[error(
        "the board on {port} stopped answering: {request} was sent {attempts} times, each waited for {waited:?}; check \
         cable and power, then repeat the command"
    )]
    Lost {
        /// The port's path.
        port: String,
        /// The request.
        request: String,
        /// Times it was sent.
        attempts: u32,
        /// Longest wait for each.
        waited: Duration,
    },
    /// Frames keep arriving damaged.
    #[error(
        "the link on {port} is too noisy: {request} was sent {attempts} times and every exchange was damaged; shorten the \
         cable or lower the machine's baud rate"
    )]
    Noisy {
        /// The port's path.
        port: String,
        /// The request.
        request: String,
        /// Times it was sent.
        attempts: u32,
    },
    /// The board refused a request for its content.
    #[error(
        "the board on {port} refused {request}: {refusal}; host and board disagree about the memory map: build both from one commit"
    )]
    Refused {
        /// The port's path.
        port: String,
        /// The request.
        request: String,
        /// The board's reason.
        #[source]
        refusal: Refusal,
    },
    /// The board speaks another version of the link.
    #[error(
        "the board on {port} speaks version {found} of the link, this host version {expected}; build the bitstream again and load it"
    )]
    Protocol {
        /// The port's path.
        port: String,
        /// The board's version.
        found: u64,
        /// The host's version.
        expected: u64,
    },
    /// Another machine is at the other end.
    #[error("the board on {port} is machine {found}, not {expected}; {remedy}")]
    OtherMachine {
        /// The port's path.
        port: String,
        /// The name it gives.
        found: String,
        /// The name asked for.
        expected: String,
        /// What to do.
        remedy: String,
    },
    /// The machine has the right name and another size.
    #[error(
        "machine {machine} on {port} has {register} {found}, its description here says {expected}; the bitstream is stale: build it again and load it"
    )]
    Size {
        /// The port's path.
        port: String,
        /// The machine's name.
        machine: String,
        /// The register that says so.
        register: &'static str,
        /// The board's number.
        found: u64,
        /// The description's number.
        expected: u64,
    },
    /// The gateware was made from other sources.
    #[error(
        "the bitstream on {port} is stale: it was built from {found:016x}, these sources are {expected:016x}; \
         build it again and load it, or check out the commit it was built from"
    )]
    Stale {
        /// The port's path.
        port: String,
        /// The board's build hash.
        found: u64,
        /// The build hash of this program's gateware.
        expected: u64,
    },
    /// A memory does not hold what was loaded.
    #[error(
        "the {region} memory of the board on {port} has checksum {found:016x}, what was loaded has {expected:016x}; \
         the board lost what was written: check its power, reset it and repeat the command"
    )]
    Checksum {
        /// The port's path.
        port: String,
        /// The memory.
        region: &'static str,
        /// The board's checksum.
        found: u64,
        /// The checksum of what was loaded.
        expected: u64,
    },
    /// A run or a checksum does not end.
    #[error(
        "the {work} on {port} does not end: nothing moved for {waited:?}; press the reset button and repeat the command"
    )]
    Stuck {
        /// The port's path.
        port: String,
        /// `run` or `checksum`.
        work: &'static str,
        /// How long nothing moved.
        waited: Duration,
    },
    /// A tool of the open flow is missing or failed.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// Two rungs were compared clock by clock, and one of them ended.
    #[error("the comparison of two rungs ended before its time: {source}; repeat the command")]
    Compared {
        /// The system's words.
        source: std::io::Error,
    },
    /// No problem of the set has that name.
    #[error("{name} is no problem of the set; there are {known} and further random/N")]
    ProblemName {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The engine cannot do what was asked.
    #[error(
        "the {engine} engine has no {option}; leave the option out or choose --engine rusthdl, which has every one"
    )]
    EngineLacks {
        /// The engine.
        engine: Engine,
        /// The option.
        option: &'static str,
    },
    /// A fault was asked for where there is no device.
    #[error(
        "there is no device at row {row}, column {column}: machine {machine} has {rows} rows and {columns} columns, both count from 0"
    )]
    NoDevice {
        /// Row asked for.
        row: usize,
        /// Column asked for.
        column: usize,
        /// The machine's name.
        machine: String,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// More images were asked for than there are.
    #[error("{asked} images were asked for, {set} has {available}; ask for 0..={available}")]
    Images {
        /// Images asked for.
        asked: usize,
        /// Where they come from.
        set: String,
        /// Images there are.
        available: usize,
    },
    /// The data set does not suit the machine.
    #[error(
        "machine {machine} takes {inputs} inputs an image, the digits have {pixels}; choose digits or digits-turbo, or leave out --network for made-up images"
    )]
    NoImages {
        /// The machine's name.
        machine: String,
        /// Its inputs.
        inputs: usize,
        /// Pixels of a digit.
        pixels: usize,
    },
}

/// Kinds of fault in words, bit by bit of the fault register.
fn fault_words(kinds: u16) -> String {
    const KINDS: [&str; 9] = [
        "an operation or a field that is not legal",
        "the program memory ends before a `halt`",
        "a code outside the memory, or outside the image",
        "a tile that is not there",
        "a threshold entry that is not there",
        "a window or a layer that the machine does not hold",
        "a record that is not there",
        "a layer without what it needs",
        "the watchdog: the image took too long",
    ];
    let named = KINDS.iter().enumerate().filter(|(bit, _)| kinds >> bit & 1 == 1).map(|(_, words)| *words);
    named.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
