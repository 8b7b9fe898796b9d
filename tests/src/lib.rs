//! What the tests across crates share.

pub mod campaign;
pub mod differential;
pub mod measured;
pub mod noisy_port;
