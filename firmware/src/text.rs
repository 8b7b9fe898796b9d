//! Programs as text: an operation a line, its fields as `name=value`, `#` up to the line's end for people.
//!
//! ```text
//! window base=0 image=1 pitch=784 segments=1 codes=784 step_x=0 step_y=0 bias=0   # all pixels at once
//! tiles first=0 row_groups=13 output_groups=25 outputs=100 columns=4 planes=4
//! ```
//!
//! A field that is not given has its smallest legal value. Text made by [`disassemble`] gives every field, and gives the
//! same program back.

use crate::isa::{Encoded, Instruction, IsaError, OPERATIONS, Operation};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

/// Why a line is not an instruction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct TextError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

/// Read a program.
///
/// # Errors
/// [`TextError`]: an operation or field that does not exist, a field twice, a value that is no number or not legal.
pub fn assemble(text: &str) -> Result<Vec<Instruction>, TextError> {
    let mut program = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let code = line.split('#').next().unwrap_or_default();
        let mut words = code.split_whitespace();
        if let Some(name) = words.next() {
            program.push(instruction(name, words).map_err(|reason| TextError { line: i + 1, reason })?);
        }
    }
    Ok(program)
}

fn instruction<'a>(name: &str, fields: impl Iterator<Item = &'a str>) -> Result<Instruction, String> {
    let operation = Operation::named(name).ok_or_else(|| {
        let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
        format!("there is no operation {name:?}; there are {}", names.join(", "))
    })?;
    let mut instruction = operation.smallest();
    let mut given: Vec<&str> = Vec::new();
    for word in fields {
        let (field, value) = word.split_once('=').ok_or_else(|| format!("{word:?} is not of the form field=number"))?;
        if given.contains(&field) {
            return Err(format!("`{name}` is given {field} twice"));
        }
        given.push(field);
        let number: usize = value.parse().map_err(|_| format!("{field}={value}: {value:?} is no number"))?;
        instruction = instruction.with(field, number).map_err(|error| match error {
            IsaError::Field { .. } => {
                let names: Vec<&str> = operation.fields.iter().map(|field| field.name).collect();
                let known = if names.is_empty() { "none".to_string() } else { names.join(", ") };
                format!("`{name}` has no field {field:?}; it has {known}")
            }
            other => other.to_string(),
        })?;
    }
    Ok(instruction)
}

/// Write a program, a line an instruction.
pub fn disassemble(program: &[Instruction]) -> String {
    program.iter().map(|instruction| line(instruction) + "\n").collect()
}

/// One instruction as text.
pub fn line(instruction: &Instruction) -> String {
    let mut text = instruction.operation().name.to_string();
    for (field, value) in instruction.fields() {
        text += &format!(" {}={value}", field.name);
    }
    text
}

/// Words of a program as they are loaded, instruction by instruction.
pub fn encode(program: &[Instruction]) -> Vec<Encoded> {
    program.iter().map(Instruction::encode).collect()
}
