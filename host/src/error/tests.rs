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
