//! `bitline doctor`: is everything there?

use bitline_boards::tools;
use bitline_host::link::serial::known_ports;
use bitline_host::problem::shipped_network;
use clap::Args;
use serde::Serialize;

use super::Verdict;

/// Arguments of `bitline doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
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

fn tool(name: &str) -> Finding {
    let detail = tools::find(name).and_then(|path| Ok(format!("{} ({})", tools::version(name)?, path.display())));
    Finding {
        name: name.to_string(),
        found: detail.is_ok(),
        needed: true,
        remedy: detail.as_ref().err().map(ToString::to_string),
        detail: detail.unwrap_or_else(|_| "missing".to_string()),
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

fn ports() -> Vec<Finding> {
    let finding = |name: String, found, detail, remedy| Finding { name, found, needed: false, detail, remedy };
    let ports = known_ports();
    if ports.is_empty() {
        let remedy = "plug a board in, or start a virtual one with `bitline board`".to_string();
        return vec![finding("serial ports".into(), false, "none".into(), Some(remedy))];
    }
    let look = |port: String| match std::fs::OpenOptions::new().read(true).write(true).open(&port) {
        Ok(_) => finding(format!("port {port}"), true, "readable and writable".into(), None),
        Err(error) => {
            let remedy = format!("join the group that owns it (`ls -l {port}`) and log in again");
            finding(format!("port {port}"), false, error.to_string(), Some(remedy))
        }
    };
    ports.into_iter().map(look).collect()
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
    findings.extend(tools::ALL.iter().map(|name| tool(name)));
    findings.extend(ports());
    let ready = findings.iter().all(|finding| finding.found || !finding.needed);
    if arguments.json {
        println!("{}", serde_json::json!({ "ready": ready, "findings": findings }));
    } else {
        for Finding { name, found, needed, detail, remedy } in &findings {
            let mark = match (found, needed) {
                (true, _) => "ok",
                (false, true) => "MISSING",
                (false, false) => "none",
            };
            println!("{mark:<8}{name:<18}{detail}");
            if let Some(remedy) = remedy {
                println!("{:<26}{remedy}", "");
            }
        }
        println!("{}", if ready { "everything needed is there" } else { "something needed is missing" });
    }
    Ok(if ready { Verdict::Equal } else { Verdict::NotReady })
}
