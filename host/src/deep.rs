//! Machines that run programs: what the compiler made of a network, and runs that are compared with golden, layer by layer.

pub mod board;
pub mod engine;
pub mod floor_plan;
pub mod images;
pub mod mapping;
pub mod outcome;
pub mod problem_set;
pub mod reference;
pub mod start;
pub mod verify;

use std::path::Path;

use bitline_firmware::compile::{CompileError, Compiled, Placement, compile};
use bitline_firmware::file::ProgramFile;
use bitline_firmware::isa::Opcode;
use bitline_firmware::program::{Program, Target};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::network::Network;

use crate::error::HostError;
use images::{ImageSet, ImageSource};

/// Something for a machine that runs programs: what is loaded, and the images.
#[derive(Debug, Clone)]
pub struct DeepProblem {
    /// The machine.
    pub machine: DeepMachine,
    /// The machine as compiler and executor see it.
    pub target: Target,
    /// Where the network, or the program, came from.
    pub name: String,
    /// The network; none for a program that was given as such.
    pub network: Option<Network>,
    /// What is loaded.
    pub program: Program,
    /// One a layer of the network.
    pub placements: Vec<Placement>,
    /// What is run.
    pub images: ImageSet,
}

impl DeepProblem {
    /// Compile a network for a machine, and take that many images; all there are if `None`.
    ///
    /// # Errors
    /// [`HostError::Compile`] if the network does not fit, and those of the images.
    pub fn of_network(
        machine: DeepMachine,
        network: Network,
        name: String,
        source: &dyn ImageSource,
        count: Option<usize>,
    ) -> Result<Self, HostError> {
        let Compiled { program, placements } = compile_for(&network, &machine)?;
        let (codes, bits) = (network.layers[0].input_codes(), network.layers[0].input_bits);
        let images = source.images(codes, bits, count)?;
        images.check(codes, bits)?;
        let target = Target::of(&machine);
        Ok(Self { machine, target, name, network: Some(network), program, placements, images })
    }

    /// Load a program file for a machine, and take that many images; all there are if `None`.
    ///
    /// # Errors
    /// [`HostError::Program`] for a file that is damaged or for another machine, and those of the images.
    pub fn of_program(
        machine: DeepMachine,
        file: &Path,
        source: &dyn ImageSource,
        count: Option<usize>,
    ) -> Result<Self, HostError> {
        let target = Target::of(&machine);
        let loaded = ProgramFile::load(file)?;
        loaded.check(&target)?;
        let program = loaded.program;
        let codes = program.image.height * program.image.row_codes;
        let of_tiles = program.instructions.iter().find(|instruction| instruction.opcode() == Opcode::Tiles);
        let bits = of_tiles.map_or(machine.code_bits, |tiles| tiles.get("planes"));
        let images = source.images(codes, bits, count)?;
        images.check(codes, bits)?;
        let name = format!("{} ({})", file.display(), loaded.network);
        Ok(Self { machine, target, name, network: None, program, placements: Vec::new(), images })
    }
}

impl DeepProblem {
    /// Outputs of the last layer, as the program's last `tiles` says.
    pub fn outputs(&self) -> usize {
        let tiles = self.program.instructions.iter().rfind(|instruction| instruction.opcode() == Opcode::Tiles);
        tiles.map_or(0, |tiles| tiles.get("outputs"))
    }
}

/// Compile a network for a machine.
///
/// # Errors
/// [`HostError::Compile`], which says on which of the built-in machines a network fits that does not fit this one.
pub fn compile_for(network: &Network, machine: &DeepMachine) -> Result<Compiled, HostError> {
    compile(network, &Target::of(machine)).map_err(|reason| {
        let also = match reason {
            CompileError::Fit { .. } => holders(network),
            _ => String::new(),
        };
        HostError::Compile { reason: Box::new(reason), also }
    })
}

/// Which of the built-in machines hold a network, in words that end a message.
fn holders(network: &Network) -> String {
    let holds = |name: &&str| {
        let target = DeepMachine::named(name).map(|machine| Target::of(&machine));
        target.is_ok_and(|target| compile(network, &target).is_ok())
    };
    let names: Vec<&str> = DeepMachine::names().filter(holds).collect();
    if names.is_empty() {
        let all: Vec<&str> = DeepMachine::names().collect();
        return format!("; none of {} holds it", all.join(", "));
    }
    format!("; --machine {} holds it", names.join(" or --machine "))
}
