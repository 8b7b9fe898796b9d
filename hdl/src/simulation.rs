//! Cycle-accurate simulation of a machine on one thread.

use bitline_golden::machine::Machine;
use bitline_golden::virtual_machine::VirtualMachine;
use thiserror::Error;

/// How the host's bytes reach the simulated machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkMode {
    /// Every bit on the wire, through the UART.
    Wire,
    /// Whole bytes handed to the link behind the UART: a short cut, for speed.
    #[default]
    Bytes,
}

/// What can be chosen about a simulation.
#[derive(Debug, Clone, Default)]
pub struct SimulationOptions {
    /// Bits or bytes.
    pub link: LinkMode,
    /// Write every signal's changes there (VCD).
    pub vcd: Option<std::path::PathBuf>,
    /// Weights, images and labels present at power-on (S001's stand-alone mode).
    pub contents: Option<Contents>,
}

/// What the memories hold at power-on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Device states, `[row][column]`.
    pub devices: Vec<Vec<bool>>,
    /// Input codes, `[image][input]`.
    pub images: Vec<Vec<u8>>,
    /// A label an image.
    pub labels: Vec<Option<u8>>,
}

/// Why a simulation or export cannot be made.
#[derive(Debug, Error)]
pub enum HdlError {
    /// The gateware has no type of this shape.
    #[error("machine {name} has a shape that the gateware was not built for; add it to the table in hdl/build.rs and build again")]
    NotBuilt {
        /// The machine's name.
        name: String,
    },
}

/// Simulate the gateware of a machine.
///
/// # Errors
/// [`HdlError::NotBuilt`] if the machine is none of those in `configs/`.
pub fn simulate(machine: &Machine, _options: SimulationOptions) -> Result<Box<dyn VirtualMachine>, HdlError> {
    Err(HdlError::NotBuilt { name: machine.name.clone() })
}

/// Hash that IDENTIFY answers, of the machine's description and of the gateware's source.
pub fn build_hash(_machine: &Machine) -> u64 {
    0
}
