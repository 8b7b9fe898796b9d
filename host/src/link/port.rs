//! What the client needs of a wire.

use std::time::Duration;

use crate::error::HostError;

/// A wire for bytes, with a clock of its own: a serial port's is the wall's, a simulation's is the machine's, so that
/// no test waits and no slow simulation times out.
pub trait Port {
    /// Its path, or what it is, for messages.
    fn name(&self) -> &str;

    /// Send all bytes.
    ///
    /// # Errors
    /// [`HostError::PortVanished`].
    fn send(&mut self, bytes: &[u8]) -> Result<(), HostError>;

    /// Append what has arrived, after waiting for at least one byte; nothing if none comes in time.
    ///
    /// # Errors
    /// [`HostError::PortVanished`].
    fn receive(&mut self, timeout: Duration, into: &mut Vec<u8>) -> Result<(), HostError>;

    /// Throw away what has arrived already.
    ///
    /// # Errors
    /// [`HostError::PortVanished`].
    fn discard(&mut self) -> Result<(), HostError>;

    /// Let time pass.
    fn pause(&mut self, time: Duration);

    /// Time since the port was opened.
    fn now(&self) -> Duration;
}
