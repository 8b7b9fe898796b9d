//! A serial port: a board's, or a virtual board's pseudo-terminal.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serialport::{ClearBuffer, SerialPort};

use super::port::Port;
use crate::error::HostError;

/// Longest time that sending may block.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// An open serial port.
pub struct SerialLink {
    path: String,
    port: Box<dyn SerialPort>,
    opened: Instant,
}

/// Paths of the serial ports the system has, for messages.
pub fn known_ports() -> Vec<String> {
    let mut names: Vec<_> =
        serialport::available_ports().unwrap_or_default().into_iter().map(|p| p.port_name).collect();
    names.sort();
    names
}

fn open_remedy(path: &str, reason: &serialport::Error) -> String {
    match reason.kind() {
        serialport::ErrorKind::Io(ErrorKind::PermissionDenied) => {
            format!(
                "join the group that owns it (`ls -l {path}`; often `sudo usermod -aG dialout $USER`) and log in again"
            )
        }
        _ if !Path::new(path).exists() => {
            let known = known_ports();
            let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
            format!("serial ports here: {known}; plug the board in, or start a virtual one with `bitline board`")
        }
        _ => "see whether another program has it open, and that it is a serial port".to_string(),
    }
}

impl SerialLink {
    /// Open a port at that speed, eight bits, no parity, one stop bit, for this program alone.
    ///
    /// # Errors
    /// [`HostError::PortOpen`] with what to do.
    pub fn open(path: &str, baud: u32) -> Result<Self, HostError> {
        let failed = |e: serialport::Error| {
            let remedy = open_remedy(path, &e);
            HostError::PortOpen { port: path.to_string(), reason: e.to_string(), remedy }
        };
        let port = serialport::new(path, baud).timeout(SEND_TIMEOUT).open().map_err(failed)?;
        Ok(Self { path: path.to_string(), port, opened: Instant::now() })
    }

    fn vanished(&self, reason: impl ToString) -> HostError {
        HostError::PortVanished { port: self.path.clone(), reason: reason.to_string() }
    }
}

impl Port for SerialLink {
    fn name(&self) -> &str {
        &self.path
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        self.port.set_timeout(SEND_TIMEOUT).map_err(|e| self.vanished(e))?;
        self.port.write_all(bytes).map_err(|e| self.vanished(e))
    }

    fn receive(&mut self, timeout: Duration, into: &mut Vec<u8>) -> Result<(), HostError> {
        self.port.set_timeout(timeout).map_err(|e| self.vanished(e))?;
        let mut bytes = [0; 512];
        match self.port.read(&mut bytes) {
            Ok(0) => Err(self.vanished("end of file")),
            Ok(count) => {
                into.extend_from_slice(&bytes[..count]);
                Ok(())
            }
            Err(e) if matches!(e.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => Ok(()),
            Err(e) => Err(self.vanished(e)),
        }
    }

    fn discard(&mut self) -> Result<(), HostError> {
        self.port.clear(ClearBuffer::All).map_err(|e| self.vanished(e))
    }

    fn pause(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn now(&self) -> Duration {
        self.opened.elapsed()
    }
}
