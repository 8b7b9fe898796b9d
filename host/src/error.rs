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
mod tests {
    use super::*;
    use bitline_firmware::execute::FaultKind;

    #[test]
    fn messages_of_programs_say_what_value_limit_remedy() {
        let machine = || "mnist".to_string();
        let reason = Box::new(CompileError::Fit {
            network: "wide".into(),
            machine: machine(),
            what: "tiles".into(),
            needed: 513,
            limit: 512,
            over: 1,
            remedy: "choose a larger machine or a smaller network",
        });
        let cases = [
            (
                HostError::Compile { reason, also: "; --machine kws holds it".into() },
                "network wide needs 513 tiles, machine mnist has 512: 1 too many; choose a larger machine or a smaller \
                 network; --machine kws holds it",
            ),
            (
                HostError::Fault { machine: machine(), fault: Fault { instruction: 3, kind: FaultKind::Tile } },
                "machine mnist stopped at instruction 3: a tile that is not there; compile the network again",
            ),
            (
                HostError::RunsPrograms { machine: machine(), others: "tiny, digits".into() },
                "machine mnist runs programs, which `bitline compile`, `assemble`, `sim`, `verify`, `export` and `build` are for; this verb takes tiny, \
                 digits",
            ),
            (
                HostError::RunsNoPrograms { machine: "digits".into(), others: "tiny-deep, mnist".into() },
                "machine digits has one layer and runs no programs; choose one of tiny-deep, mnist",
            ),
            (
                HostError::NoProgramEngine { machine: machine(), engine: Engine::Icarus },
                "the icarus engine runs no programs, and machine mnist runs nothing else; give --engine golden, rusthdl, verilator, netlist or netlist-ecp5",
            ),
            (HostError::ProgramLacks { option: "--vcd" }, "a run of a program has no --vcd; leave it out"),
            (
                HostError::NetworkAndSeed { machine: "digits".into() },
                "--network cannot be used with --seed on machine digits: the seed would make weights up; leave one out",
            ),
            (
                HostError::NoImageSet { codes: 784, pixels: 64 },
                "the first layer reads 784 codes, the digits have 64; give --seed for made-up images",
            ),
            (
                HostError::ImageCodes { set: "the digits".into(), found: 64, expected: 63 },
                "images of the digits have 64 codes, the first layer reads 63; choose the data the network is for",
            ),
            (
                HostError::ImageCode { set: "the digits".into(), image: 2, code: 16, bits: 4 },
                "image 2 of the digits has code 16, the first layer reads 4 bits; choose the data the network is for",
            ),
        ];
        for (error, message) in cases {
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn messages_say_what_value_limit_remedy() {
        let port = || "/dev/ttyUSB1".to_string();
        let waited = Duration::from_secs(1);
        let cases = [
            (
                HostError::PortOpen { port: port(), reason: "No such file".into(), remedy: "plug it in".into() },
                "port /dev/ttyUSB1 cannot be opened: No such file; plug it in",
            ),
            (
                HostError::PortVanished { port: port(), reason: "Broken pipe".into() },
                "port /dev/ttyUSB1 vanished: Broken pipe; the cable is out or the board is gone: plug it in again and \
                 repeat the command, the board needs nothing else",
            ),
            (
                HostError::Silent { port: port(), attempts: 4, waited },
                "nothing answers on /dev/ttyUSB1: 4 requests, each waited for 1s; check that this is the board's port, \
                 that the bitstream is loaded, and that --baud is the machine's speed",
            ),
            (
                HostError::Garbage { port: port(), bytes: 9, attempts: 4 },
                "/dev/ttyUSB1 speaks, but not bitline's link: 9 bytes and no good frame after 4 requests; check that \
                 this is the board's port and that --baud is the machine's speed",
            ),
            (
                HostError::Lost { port: port(), request: "READ of status".into(), attempts: 4, waited },
                "the board on /dev/ttyUSB1 stopped answering: READ of status was sent 4 times, each waited for 1s; \
                 check cable and power, then repeat the command",
            ),
            (
                HostError::Noisy { port: port(), request: "READ of status".into(), attempts: 4 },
                "the link on /dev/ttyUSB1 is too noisy: READ of status was sent 4 times and every exchange was damaged; \
                 shorten the cable or lower the machine's baud rate",
            ),
            (
                HostError::Refused { port: port(), request: "WRITE of rows".into(), refusal: Refusal::ReadOnly },
                "the board on /dev/ttyUSB1 refused WRITE of rows: the register is read-only; host and board disagree \
                 about the memory map: build both from one commit",
            ),
            (
                HostError::Protocol { port: port(), found: 2, expected: 1 },
                "the board on /dev/ttyUSB1 speaks version 2 of the link, this host version 1; build the bitstream again \
                 and load it",
            ),
            (
                HostError::OtherMachine {
                    port: port(),
                    found: "tiny".into(),
                    expected: "digits".into(),
                    remedy: "give --machine tiny".into(),
                },
                "the board on /dev/ttyUSB1 is machine tiny, not digits; give --machine tiny",
            ),
            (
                HostError::Size { port: port(), machine: "tiny".into(), register: "rows", found: 8, expected: 9 },
                "machine tiny on /dev/ttyUSB1 has rows 8, its description here says 9; the bitstream is stale: build it \
                 again and load it",
            ),
            (
                HostError::Stale { port: port(), found: 0xAB, expected: 0xCD },
                "the bitstream on /dev/ttyUSB1 is stale: it was built from 00000000000000ab, these sources are \
                 00000000000000cd; build it again and load it, or check out the commit it was built from",
            ),
            (
                HostError::Checksum { port: port(), region: "array", found: 1, expected: 2 },
                "the array memory of the board on /dev/ttyUSB1 has checksum 0000000000000001, what was loaded has \
                 0000000000000002; the board lost what was written: check its power, reset it and repeat the command",
            ),
            (
                HostError::Stuck { port: port(), work: "run", waited },
                "the run on /dev/ttyUSB1 does not end: nothing moved for 1s; press the reset button and repeat the \
                 command",
            ),
            (
                HostError::Compared { source: std::io::ErrorKind::UnexpectedEof.into() },
                "the comparison of two rungs ended before its time: unexpected end of file; repeat the command",
            ),
            (
                HostError::EngineLacks { engine: Engine::Golden, option: "--vcd" },
                "the golden engine has no --vcd; leave the option out or choose --engine rusthdl, which has every one",
            ),
            (
                HostError::NoDevice { row: 9, column: 1, machine: "tiny".into(), rows: 9, columns: 9 },
                "there is no device at row 9, column 1: machine tiny has 9 rows and 9 columns, both count from 0",
            ),
            (
                HostError::Images { asked: 298, set: "the digits' test rows".into(), available: 297 },
                "298 images were asked for, the digits' test rows has 297; ask for 0..=297",
            ),
            (
                HostError::NoImages { machine: "tiny".into(), inputs: 8, pixels: 64 },
                "machine tiny takes 8 inputs an image, the digits have 64; choose digits or digits-turbo, or leave out \
                 --network for made-up images",
            ),
        ];
        for (error, message) in cases {
            assert_eq!(error.to_string(), message);
        }
    }
}
