//! `bitline assemble` and `bitline disassemble`: programs from text, and as text.

use std::path::PathBuf;

use anyhow::{Context, bail};
use bitline_firmware::file::ProgramFile;
use bitline_firmware::program::{ImageLayout, Program, Target};
use bitline_firmware::text::{assemble, disassemble};
use bitline_firmware::timing::predict;
use bitline_golden::network::Provenance;
use clap::Args;

use super::Verdict;
use super::arguments::DeepMachineArgument;
use super::train::make_folder_of;

/// Arguments of `bitline assemble`.
#[derive(Debug, Args)]
pub struct AssembleArguments {
    /// Program as text, an instruction a line
    #[arg(value_name = "FILE")]
    text: PathBuf,
    #[command(flatten)]
    machine: DeepMachineArgument,
    /// Take devices, thresholds and the place of an image from this program file; without it every device is HRS, every
    /// threshold 0, and an image is a whole slot
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Write the program to this file (safetensors)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Arguments of `bitline disassemble`.
#[derive(Debug, Args)]
pub struct DisassembleArguments {
    /// Program file that `bitline compile` or `bitline assemble` wrote
    #[arg(value_name = "FILE")]
    program: PathBuf,
}

/// Assemble, check, write.
pub fn run(arguments: &AssembleArguments) -> anyhow::Result<Verdict> {
    let file = arguments.text.display();
    let machine = arguments.machine.machine()?;
    let target = Target::of(&machine);
    let text = std::fs::read_to_string(&arguments.text).with_context(|| format!("{file} cannot be read"))?;
    let instructions = match assemble(&text) {
        Ok(instructions) => instructions,
        Err(error) => bail!("{file}: {error}; the operations and their fields are in docs/book/instruction-set.md"),
    };
    let made = match &arguments.data {
        Some(data) => {
            let data = ProgramFile::load(data)?;
            ProgramFile { program: Program { instructions, ..data.program }, ..data }
        }
        None => {
            let row_codes = machine.image_codes;
            let image = ImageLayout { height: 1, row_codes, pitch: row_codes, first: 0, codes: row_codes };
            ProgramFile {
                program: Program { instructions, tiles: Vec::new(), thresholds: Vec::new(), image },
                network: file.to_string(),
                machine: machine.name.clone(),
                provenance: Provenance::default(),
            }
        }
    };
    made.check(&target)?;
    make_folder_of(&arguments.out)?;
    made.save(&target, &arguments.out)?;
    // What was written must be what a machine would be given.
    ProgramFile::load(&arguments.out)?;
    let clocks: u64 = predict(&made.program.instructions, &target.limits).iter().map(|clocks| clocks.cycles()).sum();
    println!(
        "{}: {} instructions for machine {}, {clocks} cycles an image",
        arguments.out.display(),
        made.program.instructions.len(),
        machine.name
    );
    Ok(Verdict::Equal)
}

/// Print a program as text.
pub fn print(arguments: &DisassembleArguments) -> anyhow::Result<Verdict> {
    let file = ProgramFile::load(&arguments.program)?;
    print!("# {} for machine {}\n{}", file.network, file.machine, disassemble(&file.program.instructions));
    Ok(Verdict::Equal)
}
