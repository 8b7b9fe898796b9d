//! A machine behind a pseudo-terminal: what a program that opens a serial port cannot tell from a board.
//!
//! The board outlives its hosts: one may go in the middle of a frame and the next finds the machine as it was left.
//! It holds the far end open itself, so that a host's going is not the end of the line, and waits without spinning
//! when the machine is idle.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bitline_golden::virtual_machine::VirtualMachine;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, ioctl_tiocnxcl, tcgetattr, tcsetattr};
use thiserror::Error;

/// Bytes that wait for a machine or a host before the oldest are dropped, as a UART without a listener does.
const QUEUE_BYTES: usize = 1 << 16;
/// Longest sleep of an idle board.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// How long a cut cable stays cut.
const UNPLUGGED: Duration = Duration::from_millis(300);
/// Wall time that one turn of the machine should take.
const TURN: Duration = Duration::from_millis(5);

/// Why a virtual board cannot be had.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum VirtualBoardError {
    /// The system gives no pseudo-terminal.
    #[error("no pseudo-terminal can be {action}: {reason}; see that /dev/ptmx and /dev/pts are there and writable")]
    Terminal {
        /// `opened`, `set up`, `read` or `written`.
        action: &'static str,
        /// The system's words.
        reason: String,
    },
    /// The link to the pseudo-terminal cannot be made.
    #[error("{link} cannot be made a link to the pseudo-terminal: {reason}; choose another path with --link")]
    Link {
        /// The path asked for.
        link: String,
        /// The system's words.
        reason: String,
    },
}

fn terminal(action: &'static str) -> impl Fn(Errno) -> VirtualBoardError {
    move |e| VirtualBoardError::Terminal { action, reason: std::io::Error::from(e).to_string() }
}

/// Both ends of a pseudo-terminal in raw mode.
struct PseudoTerminal {
    near: OwnedFd,
    far: OwnedFd,
    path: PathBuf,
}

impl PseudoTerminal {
    fn open() -> Result<Self, VirtualBoardError> {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).map_err(terminal("opened"))?;
        grantpt(&near).map_err(terminal("opened"))?;
        unlockpt(&near).map_err(terminal("opened"))?;
        let name = ptsname(&near, Vec::new()).map_err(terminal("opened"))?;
        let path = PathBuf::from(name.to_string_lossy().into_owned());
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let far = open(&path, flags, Mode::empty()).map_err(terminal("opened"))?;
        let mut settings = tcgetattr(&far).map_err(terminal("set up"))?;
        settings.make_raw();
        tcsetattr(&far, OptionalActions::Now, &settings).map_err(terminal("set up"))?;
        let flags = fcntl_getfl(&near).map_err(terminal("set up"))?;
        fcntl_setfl(&near, flags | OFlags::NONBLOCK).map_err(terminal("set up"))?;
        Ok(Self { near, far, path })
    }

    /// Read up to `most` bytes that are there.
    fn read(&self, most: usize) -> Result<Vec<u8>, VirtualBoardError> {
        let mut bytes = [0; 4096];
        let most = most.min(bytes.len());
        match rustix::io::read(&self.near, &mut bytes[..most]) {
            Ok(count) => Ok(bytes[..count].to_vec()),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Vec::new()),
            Err(e) => Err(terminal("read")(e)),
        }
    }

    /// Write what fits, and say how much.
    fn write(&self, bytes: &[u8]) -> Result<usize, VirtualBoardError> {
        match rustix::io::write(&self.near, bytes) {
            Ok(count) => Ok(count),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(e) => Err(terminal("written")(e)),
        }
    }

    /// Sleep until a host sends, or (if something waits to be sent) reads.
    fn wait(&self, sending: bool) {
        let events = if sending { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        // An interrupted or refused sleep is a short one.
        let _ = poll(&mut [PollFd::new(&self.near, events)], Some(&IDLE));
        // A host that was killed leaves the line reserved for itself.
        let _ = ioctl_tiocnxcl(&self.far);
    }
}

/// What can be chosen about a virtual board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualBoardOptions {
    /// A symbolic link to the pseudo-terminal, so that its name is known beforehand and stays when the cable is cut.
    pub link: Option<PathBuf>,
    /// Cut the cable once, after that many bytes from the host, and plug it in again shortly after: a fault for tests.
    pub cut_after: Option<u64>,
}

/// Something a virtual board has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The LEDs changed.
    Leds(u16),
    /// The cable was cut after that many bytes from the host.
    Cut(u64),
    /// The cable is in again, and the terminal is this one now.
    Plugged(PathBuf),
}

/// A machine behind a pseudo-terminal.
pub struct VirtualBoard {
    machine: Box<dyn VirtualMachine>,
    terminal: PseudoTerminal,
    options: VirtualBoardOptions,
    input: VecDeque<u8>,
    output: Vec<u8>,
    received: u64,
    leds: Option<u16>,
    turn_clocks: u64,
}

impl VirtualBoard {
    /// Open a pseudo-terminal for the machine.
    ///
    /// # Errors
    /// [`VirtualBoardError`].
    pub fn open(machine: Box<dyn VirtualMachine>, options: VirtualBoardOptions) -> Result<Self, VirtualBoardError> {
        let board = Self {
            machine,
            terminal: PseudoTerminal::open()?,
            options,
            input: VecDeque::new(),
            output: Vec::new(),
            received: 0,
            leds: None,
            turn_clocks: 256,
        };
        board.make_link()?;
        Ok(board)
    }

    /// Path of the pseudo-terminal.
    pub fn path(&self) -> &Path {
        &self.terminal.path
    }

    /// The machine.
    pub fn machine_mut(&mut self) -> &mut dyn VirtualMachine {
        &mut *self.machine
    }

    fn make_link(&self) -> Result<(), VirtualBoardError> {
        let Some(link) = &self.options.link else { return Ok(()) };
        let failed = |reason: String| VirtualBoardError::Link { link: link.display().to_string(), reason };
        match std::fs::symlink_metadata(link) {
            Ok(found) if !found.is_symlink() => return Err(failed("it exists and is not a link".into())),
            Ok(_) => std::fs::remove_file(link).map_err(|e| failed(e.to_string()))?,
            Err(_) => {}
        }
        std::os::unix::fs::symlink(&self.terminal.path, link).map_err(|e| failed(e.to_string()))
    }

    fn cut(&mut self, stop: &AtomicBool, tell: &mut dyn FnMut(Event)) -> Result<(), VirtualBoardError> {
        // The new terminal is there before the old one goes, so that nothing else gets the old one's name.
        let old = std::mem::replace(&mut self.terminal, PseudoTerminal::open()?);
        drop(old);
        self.input.clear();
        self.output.clear();
        tell(Event::Cut(self.received));
        let plugged = Instant::now() + UNPLUGGED;
        while Instant::now() < plugged && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.make_link()?;
        tell(Event::Plugged(self.terminal.path.clone()));
        Ok(())
    }

    /// Take what the host sent, run the machine for a while, send what it says; sleep if it is idle.
    ///
    /// # Errors
    /// [`VirtualBoardError`].
    pub fn turn(&mut self, stop: &AtomicBool, tell: &mut dyn FnMut(Event)) -> Result<(), VirtualBoardError> {
        let mut room = QUEUE_BYTES.saturating_sub(self.input.len());
        if let Some(limit) = self.options.cut_after {
            room = room.min(limit.saturating_sub(self.received) as usize);
        }
        if room > 0 {
            let bytes = self.terminal.read(room)?;
            self.received += bytes.len() as u64;
            self.input.extend(bytes);
        }
        let started = Instant::now();
        let clocks = self.machine.advance(&mut self.input, &mut self.output, self.turn_clocks);
        if clocks == self.turn_clocks {
            let slow = started.elapsed() > TURN;
            self.turn_clocks = if slow { (clocks / 2).max(64) } else { (clocks * 2).min(20_000) };
        }
        let sent = self.terminal.write(&self.output)?;
        self.output.drain(..sent);
        let excess = self.output.len().saturating_sub(QUEUE_BYTES);
        self.output.drain(..excess);
        let leds = self.machine.leds();
        if self.leds != Some(leds) {
            self.leds = Some(leds);
            tell(Event::Leds(leds));
        }
        if self.options.cut_after.is_some_and(|limit| self.received >= limit) && self.input.is_empty() {
            self.options.cut_after = None;
            return self.cut(stop, tell);
        }
        if clocks == 0 {
            self.terminal.wait(!self.output.is_empty());
        }
        Ok(())
    }

    /// Be a board until `stop` is set.
    ///
    /// # Errors
    /// [`VirtualBoardError`].
    pub fn serve(&mut self, stop: &AtomicBool, tell: &mut dyn FnMut(Event)) -> Result<(), VirtualBoardError> {
        while !stop.load(Ordering::Relaxed) {
            self.turn(stop, tell)?;
        }
        Ok(())
    }
}

impl Drop for VirtualBoard {
    fn drop(&mut self) {
        let ours = |link: &&PathBuf| std::fs::read_link(link).is_ok_and(|to| to == self.terminal.path);
        if let Some(link) = self.options.link.as_ref().filter(ours) {
            // Nothing is lost if it stays.
            let _ = std::fs::remove_file(link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends every byte back, one a clock.
    struct Echo(u64);

    impl VirtualMachine for Echo {
        fn advance(&mut self, input: &mut VecDeque<u8>, output: &mut Vec<u8>, clocks: u64) -> u64 {
            let count = input.len().min(clocks as usize);
            output.extend(input.drain(..count));
            self.0 += count as u64;
            count as u64
        }
        fn clock(&self) -> u64 {
            self.0
        }
        fn leds(&self) -> u16 {
            self.0 as u16 & 0x1FF
        }
        fn set_start_switch(&mut self, _on: bool) {}
        fn set_reset_button(&mut self, _pressed: bool) {}
        fn flip_device(&mut self, _row: usize, _column: usize) -> bool {
            false
        }
        fn description(&self) -> String {
            "an echo".into()
        }
    }

    #[test]
    fn every_byte_value_passes_unchanged() {
        let stop = AtomicBool::new(false);
        let mut board = VirtualBoard::open(Box::new(Echo(0)), VirtualBoardOptions::default()).unwrap();
        let host = open(board.path(), OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        let sent: Vec<u8> = (0..=255).collect();
        assert_eq!(rustix::io::write(&host, &sent), Ok(256));
        let (mut got, mut events) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            board.turn(&stop, &mut |event| events.push(event)).unwrap();
            let mut bytes = [0; 300];
            let count = rustix::io::read(&host, &mut bytes).unwrap_or(0);
            got.extend_from_slice(&bytes[..count]);
            if got.len() == sent.len() {
                break;
            }
        }
        assert_eq!(got, sent);
        assert_eq!(events, [Event::Leds(256)]);
    }

    #[test]
    fn link_follows_the_terminal_and_is_removed_with_it() {
        let link = std::env::temp_dir().join(format!("bitline-link-{}", std::process::id()));
        let options = VirtualBoardOptions { link: Some(link.clone()), cut_after: Some(3) };
        let stop = AtomicBool::new(false);
        let mut board = VirtualBoard::open(Box::new(Echo(0)), options).unwrap();
        let first = std::fs::read_link(&link).unwrap();
        let host = open(&link, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        rustix::io::write(&host, &[1, 2, 3, 4, 5]).unwrap();
        let mut events = Vec::new();
        board.turn(&stop, &mut |event| events.push(event)).unwrap();
        let second = std::fs::read_link(&link).unwrap();
        assert_ne!(first, second);
        assert_eq!(events, [Event::Leds(3), Event::Cut(3), Event::Plugged(second)]);
        // The host's end is dead now.
        assert!(rustix::io::write(&host, &[1]).is_err());
        drop(board);
        assert!(std::fs::symlink_metadata(&link).is_err());
    }

    #[test]
    fn link_over_a_file_is_refused() {
        let options = VirtualBoardOptions { link: Some("/etc/hostname".into()), cut_after: None };
        let error = VirtualBoard::open(Box::new(Echo(0)), options).err().unwrap();
        assert_eq!(
            error.to_string(),
            "/etc/hostname cannot be made a link to the pseudo-terminal: it exists and is not a link; choose another \
             path with --link"
        );
    }

    #[test]
    fn terminal_error_says_what_to_do() {
        assert_eq!(
            terminal("opened")(Errno::NOENT).to_string(),
            "no pseudo-terminal can be opened: No such file or directory (os error 2); see that /dev/ptmx and /dev/pts \
             are there and writable"
        );
    }
}
