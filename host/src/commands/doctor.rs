//! `bitline doctor`: is everything there?

use std::path::PathBuf;
use std::time::Duration;

use bitline_boards::Board;
use bitline_boards::bitstream::{Fault, Manifest};
use bitline_boards::flow::Flow;
use bitline_boards::tools;
use bitline_golden::machine::Machine;
use bitline_hdl::simulation::build_hash;
use bitline_host::link::serial::known_ports;
use bitline_host::link::trend::{LinkLook, Trend};
use bitline_host::link::{Client, ClientOptions, SerialLink};
use bitline_host::problem::shipped_network;
use clap::Args;
use serde::Serialize;

use super::Verdict;
use super::arguments::MachineArgument;
use super::build::flow_options;
use super::flash::remedy as loader_remedy;

/// Requests in each part of a look at a link.
const REQUESTS: u64 = 40;

/// Arguments of `bitline doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Serial port of a board to look at: which machine it is, whether its bitstream is stale, how its link does
    #[arg(long, value_name = "PATH")]
    port: Option<String>,
    #[command(flatten)]
    machine: MachineArgument,
    /// Folder in which `bitline build` put bitstreams
    #[arg(long, value_name = "FOLDER", default_value = "out/boards")]
    out: PathBuf,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Finding {
    name: String,
    found: bool,
    needed: bool,
    detail: String,
    remedy: Option<String>,
}

impl Finding {
    /// Something that is well without, but better with.
    fn note(name: &str, found: bool, detail: String, remedy: Option<String>) -> Self {
        Self { name: name.into(), found, needed: false, detail, remedy }
    }
}

/// Debian's and Ubuntu's package of a tool, where they have one.
fn package(tool: &str) -> Option<&'static str> {
    Some(match tool {
        "yosys" => "yosys",
        "nextpnr-ice40" => "nextpnr-ice40",
        "icepack" | "icepll" => "fpga-icestorm",
        "verilator" => "verilator",
        "iverilog" | "vvp" => "iverilog",
        _ => return None,
    })
}

fn tool(name: &str, needed: bool) -> Finding {
    let detail = tools::find(name).and_then(|path| Ok(format!("{} ({})", tools::version(name)?, path.display())));
    let remedy = || match (needed, package(name)) {
        (false, _) => loader_remedy(name),
        (true, Some(package)) => {
            format!("`make tools` installs {name} without root; so does `apt install {package}` with it")
        }
        (true, None) => format!("`make tools` installs {name} without root"),
    };
    Finding {
        name: name.to_string(),
        found: detail.is_ok(),
        needed,
        remedy: detail.is_err().then(remedy),
        detail: detail.unwrap_or_else(|_| "neither on PATH nor in .tools/bin".to_string()),
    }
}

fn network() -> Finding {
    let loaded = shipped_network();
    Finding {
        name: "shipped network".into(),
        found: loaded.is_ok(),
        needed: true,
        remedy: loaded.as_ref().err().map(ToString::to_string),
        detail: loaded.map_or_else(|_| "unusable".into(), |(network, from)| format!("{} ({from})", network.name)),
    }
}

/// The numbers of the groups that this program runs with, and its user's number.
fn own_ids() -> Option<(u32, Vec<u32>)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let numbers = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        Some(line.split_whitespace().filter_map(|number| number.parse().ok()).collect::<Vec<u32>>())
    };
    let mut groups = numbers("Groups:")?;
    groups.extend(numbers("Gid:")?);
    Some((*numbers("Uid:")?.first()?, groups))
}

/// Whether this user is in the group that serial ports belong to.
fn serial_group() -> Option<Finding> {
    let (user, own) = own_ids()?;
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    // Debian, Ubuntu and Fedora call it dialout, Arch calls it uucp.
    let (name, number) = groups.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let number: u32 = fields.get(2)?.parse().ok()?;
        ["dialout", "uucp"].contains(&fields[0]).then(|| (fields[0].to_string(), number))
    })?;
    let (found, detail) = match (user, own.contains(&number)) {
        (0, _) => (true, "root needs none".to_string()),
        (_, true) => (true, format!("in {name}, which serial ports belong to")),
        _ => (false, format!("not in {name}, which serial ports belong to")),
    };
    let remedy = format!("`sudo usermod -aG {name} $USER`, then log in again");
    Some(Finding::note("serial group", found, detail, (!found).then_some(remedy)))
}

fn ports() -> Vec<Finding> {
    let ports = known_ports();
    if ports.is_empty() {
        let remedy = "plug a board in, or start a virtual one with `bitline board`".to_string();
        return vec![Finding::note("serial ports", false, "none".into(), Some(remedy))];
    }
    let look = |port: String| {
        let name = format!("port {port}");
        match std::fs::OpenOptions::new().read(true).write(true).open(&port) {
            Ok(_) => Finding::note(&name, true, "readable and writable".into(), None),
            Err(error) => {
                let remedy = format!("join the group that owns it (`ls -l {port}`) and log in again");
                Finding::note(&name, false, error.to_string(), Some(remedy))
            }
        }
    };
    ports.into_iter().map(look).collect()
}

/// Every bitstream that was built, and whether it is what the source would give now.
fn bitstreams(out: &std::path::Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for board in Board::names() {
        let mut folders: Vec<PathBuf> =
            std::fs::read_dir(out.join(board)).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        folders.sort();
        findings.extend(folders.iter().filter_map(|folder| bitstream(out, board, folder)));
    }
    findings
}

/// What there is to say of the bitstream in a folder; nothing if it holds none.
fn bitstream(out: &std::path::Path, board: &str, folder: &std::path::Path) -> Option<Finding> {
    let name = format!("bitstream {} on {board}", folder.file_name()?.to_string_lossy());
    let manifest = match Manifest::read(folder) {
        Ok(manifest) => manifest?,
        Err(error) => {
            let remedy = format!("remove {} and build it anew with `bitline build`", folder.display());
            return Some(Finding::note(&name, false, error.to_string(), Some(remedy)));
        }
    };
    let flow = Board::named(board).and_then(|board| {
        let clock_hz = manifest.usage.clock_needed_hz.try_into().unwrap_or(board.clock_hz);
        Flow::named(board.clocked_at(clock_hz), &manifest.machine, out)
    });
    let flow = match flow {
        Ok(flow) => flow,
        Err(error) => return Some(Finding::note(&name, false, error.to_string(), None)),
    };
    let build = format!("bitline build {}", flow_options(&flow));
    Some(match manifest.faults(&flow).first() {
        None => Finding::note(&name, true, format!("of this source, build {}", manifest.build_hash), None),
        Some(fault @ Fault::Clock { .. }) => {
            let remedy = format!("`{build} --seed N` with another seed");
            Finding::note(&name, false, fault.to_string(), Some(remedy))
        }
        Some(fault) => Finding::note(&name, false, fault.to_string(), Some(format!("`{build}` makes it anew"))),
    })
}

/// The board on a port: who it is, and how its link does.
fn board_on(port: &str, machine: &Machine) -> Vec<Finding> {
    let needed = |name: &str, found, detail: String, remedy: Option<String>| Finding {
        needed: true,
        ..Finding::note(name, found, detail, remedy)
    };
    let options = ClientOptions {
        timeout: Duration::from_millis(300),
        first_sequence: (std::process::id() % 255 + 1) as u8,
        ..ClientOptions::default()
    };
    let open = || SerialLink::open(port, machine.link.baud).map(|port| Client::new(port, options));
    let identified = open().and_then(|mut client| client.identify().map(|identity| (client, identity)));
    let (mut client, identity) = match identified {
        Ok(both) => both,
        // These messages say what to do themselves.
        Err(error) => return vec![needed("board", false, format!("nobody on {port}"), Some(error.to_string()))],
    };
    let build = identity.register("build_hash");
    let who = format!("{} on {port}, build {build:016x}", identity.name());
    let mut findings = vec![match identity.check(port, machine, build_hash(machine)) {
        Ok(()) => needed("board", true, who, None),
        Err(error) => needed("board", false, who, Some(error.to_string())),
    }];
    findings.push(match LinkLook::take(&mut client, REQUESTS) {
        Ok(look) => {
            let remedy = match look.trend() {
                Trend::Clean | Trend::Falling => None,
                Trend::Steady => {
                    Some("a shorter or better cable, another hub, or a lower baud rate in the machine's file".into())
                }
                Trend::Rising => Some(
                    "it becomes worse: look at the plug and the supply, then unplug the board and try again".into(),
                ),
            };
            needed("link", remedy.is_none(), look.to_string(), remedy)
        }
        Err(error) => needed("link", false, "gave up".into(), Some(error.to_string())),
    });
    findings
}

fn pseudo_terminal() -> Finding {
    let opened = std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx");
    let detail = opened.as_ref().map_or_else(ToString::to_string, |_| "/dev/ptmx opens".to_string());
    let remedy = opened.is_err().then(|| "mount devpts; the virtual board needs it".to_string());
    Finding { name: "pseudo-terminals".into(), found: opened.is_ok(), needed: true, detail, remedy }
}

/// Look.
pub fn run(arguments: &DoctorArguments) -> anyhow::Result<Verdict> {
    let mut findings = vec![network(), pseudo_terminal()];
    findings.extend(tools::ALL.iter().map(|name| tool(name, true)));
    findings.extend(tools::LOADERS.iter().map(|name| tool(name, false)));
    findings.extend(serial_group());
    findings.extend(ports());
    findings.extend(bitstreams(&arguments.out));
    if let Some(port) = &arguments.port {
        findings.extend(board_on(port, &arguments.machine.machine()?));
    }
    let lacking: Vec<&str> = findings.iter().filter(|f| !f.found && f.needed).map(|f| f.name.as_str()).collect();
    let ready = lacking.is_empty();
    if arguments.json {
        println!("{}", serde_json::json!({ "ready": ready, "findings": findings }));
    } else {
        for Finding { name, found, needed, detail, remedy } in &findings {
            let mark = match (found, needed) {
                (true, _) => "ok",
                (false, true) => "MISSING",
                (false, false) => "note",
            };
            println!("{mark:<8}{name:<18}{}{detail}", if name.len() < 18 { "" } else { "  " });
            if let Some(remedy) = remedy {
                println!("{:<26}{remedy}", "");
            }
        }
        match ready {
            true => println!("everything needed is there"),
            false => println!("missing or wrong: {}; what to do stands below each", lacking.join(", ")),
        }
    }
    Ok(if ready { Verdict::Equal } else { Verdict::NotReady })
}
