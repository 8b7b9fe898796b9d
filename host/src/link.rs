//! The host's end of the link: a client that trusts nothing it cannot check.

pub mod client;
pub mod identity;
pub mod in_process;
pub mod port;
pub mod serial;
pub mod trend;

pub use client::{Client, ClientOptions, LinkStatistics};
pub use identity::Identity;
pub use in_process::InProcessPort;
pub use port::Port;
pub use serial::SerialLink;
