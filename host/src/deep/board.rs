//! A machine that runs programs, behind its link.

use bitline_firmware::execute::LayerCounters;
use bitline_firmware::isa::{Instruction, Opcode};
use bitline_golden::argmax::Verdict;
use bitline_golden::deep_registers::{
    DeepRegion, ENTRY_WORDS, FAULT_OFFSET, LAYER_WORDS, column_words, image_offset, result_bits, result_offset,
    threshold_node,
};
use bitline_golden::registers::{CONTROL_CLEAR, CONTROL_START, NO_LABEL, find};

use super::DeepProblem;
use super::engine::{DeepEngine, DeepResults, ImageRecord};
use crate::error::HostError;
use crate::link::{Client, Port};

/// A machine at the other end of a port, with a problem's program loaded.
pub struct DeepBoard<'a, P: Port> {
    client: Client<P>,
    problem: &'a DeepProblem,
    description: String,
    maps: bool,
}

impl<'a, P: Port> DeepBoard<'a, P> {
    /// Check that the board is the problem's machine, load the program, and hold the checksums of what was loaded against it.
    ///
    /// # Errors
    /// Any link error, [`HostError::Checksum`].
    pub fn new(
        mut client: Client<P>,
        problem: &'a DeepProblem,
        build_hash: u64,
        description: String,
    ) -> Result<Self, HostError> {
        client.identify_as(&problem.machine.face(), build_hash)?;
        let (instructions, devices, thresholds) =
            (program_words(problem), device_words(problem), threshold_words(problem));
        for (region, words) in
            [(DeepRegion::Program, instructions), (DeepRegion::Array, devices), (DeepRegion::Thresholds, thresholds)]
        {
            client.write(region, 0, &words)?;
            let rest = std::iter::repeat_n(0, region.words(&problem.machine) - words.len());
            client.verify(region, 0, 0, words.into_iter().chain(rest))?;
        }
        Ok(Self { client, problem, description, maps: false })
    }

    /// Read the maps between layers too: images are run again, up to the end of each layer.
    #[must_use]
    pub fn with_maps(self, maps: bool) -> Self {
        Self { maps, ..self }
    }

    /// Give back the link, the machine behind it as the last run left it.
    pub fn into_client(self) -> Client<P> {
        self.client
    }

    /// Run a batch of images, at most as many as there are slots.
    fn run_batch(&mut self, images: &[Vec<u8>], labels: &[Option<u8>]) -> Result<DeepResults, HostError> {
        let (problem, client) = (self.problem, &mut self.client);
        let machine = &problem.machine;
        let half = machine.image_codes / 2;
        let mut slots = Vec::with_capacity(images.len() * half);
        for (slot, image) in images.iter().enumerate() {
            let codes = problem.program.image.lay_out(image);
            let words: Vec<u16> = codes.chunks(2).map(pair).collect();
            client.write(DeepRegion::Codes, image_offset(machine, slot), &words)?;
            slots.extend(words.iter().copied().chain(std::iter::repeat_n(0, half - words.len())));
        }
        let labels: Vec<u16> = labels.iter().map(|label| label.map_or(NO_LABEL, u16::from)).collect();
        client.write(DeepRegion::Labels, 0, &labels)?;
        let count = images.len() as u16;
        client.verify(DeepRegion::Codes, 0, count, slots)?;
        self.start(0, count)?;
        let mut results = DeepResults { counters: self.counters()?, layers: self.layers()?, ..DeepResults::default() };
        for slot in 0..images.len() {
            results.images.push(self.result(slot)?);
        }
        if self.maps {
            self.read_maps(&mut results.images)?;
        }
        Ok(results)
    }

    /// Put a `halt` behind each layer's end, run the images in the slots one by one, and read what the layer left.
    fn read_maps(&mut self, images: &mut [ImageRecord]) -> Result<(), HostError> {
        let problem = self.problem;
        let instructions = &problem.program.instructions;
        for (at, end) in instructions.iter().enumerate().filter(|(_, i)| i.opcode() == Opcode::Count) {
            let layer = end.get("layer");
            let Some(output) = problem.placements.get(layer).and_then(|placement| placement.output) else { continue };
            self.write_instruction(at + 1, Opcode::Halt.operation().smallest())?;
            for (slot, image) in images.iter_mut().enumerate() {
                self.start(slot as u16, 1)?;
                let codes = output.map.base..output.map.base + output.map.codes;
                let words = codes.start / 2..codes.end.div_ceil(2);
                let read = self.client.read(DeepRegion::Codes, words.start as u16, words.len())?;
                let mut memory = vec![0; 2 * words.start];
                memory.extend(read.iter().flat_map(|word| word.to_le_bytes()));
                image.maps[layer] = Some(output.codes_in(&memory));
            }
            self.write_instruction(at + 1, instructions[at + 1])?;
        }
        Ok(())
    }

    fn write_instruction(&mut self, at: usize, instruction: Instruction) -> Result<(), HostError> {
        let words = instruction.encode();
        self.client.write(DeepRegion::Program, (at * words.len()) as u16, &words)
    }

    /// Run images; a fault is an error.
    fn start(&mut self, first: u16, count: u16) -> Result<(), HostError> {
        let fault = run_slots(&mut self.client, first, count)?;
        if fault[0] != 0 {
            let machine = self.problem.machine.name.clone();
            return Err(HostError::HardwareFault { machine, kinds: fault[0], at: fault[1] });
        }
        Ok(())
    }

    fn counters(&mut self) -> Result<LayerCounters, HostError> {
        Ok(self.client.counters()?.into())
    }

    fn layers(&mut self) -> Result<Vec<LayerCounters>, HostError> {
        let machine = &self.problem.machine;
        let words = self.client.read(DeepRegion::Layers, 0, machine.layers * LAYER_WORDS)?;
        let value = |record: &[u16], at: usize| u64::from(record[2 * at + 1]) << 16 | u64::from(record[2 * at]);
        Ok(words
            .chunks(LAYER_WORDS)
            .map(|record| LayerCounters::of_values(std::array::from_fn(|at| value(record, at))))
            .collect())
    }

    fn result(&mut self, slot: usize) -> Result<ImageRecord, HostError> {
        let machine = &self.problem.machine;
        let words =
            self.client.read(DeepRegion::Results, result_offset(machine, slot, 0), 2 << result_bits(machine))?;
        let value = |at: usize| u32::from(words[2 * at + 1]) << 16 | u32::from(words[2 * at]);
        let outputs = self.problem.outputs();
        let sums: Vec<i32> = (0..outputs).map(|output| value(output) as i32).collect();
        let verdict =
            (outputs > 1).then(|| Verdict { class: value(machine.sums) as _, margin: value(machine.sums + 1) as _ });
        Ok(ImageRecord { sums, verdict, maps: vec![None; self.problem.placements.len().saturating_sub(1)] })
    }
}

/// Clear the counters, run the images in `count` slots from `first` on, and give the fault register: kinds, and the instruction.
///
/// # Errors
/// Any link error.
pub fn run_slots<P: Port>(client: &mut Client<P>, first: u16, count: u16) -> Result<[u16; 2], HostError> {
    client.write_register("control", CONTROL_CLEAR)?;
    client.write(DeepRegion::Registers, find("first_slot").offset, &[first, count])?;
    client.write_register("control", CONTROL_START)?;
    client.wait_until_idle("run")?;
    let fault = client.read(DeepRegion::Registers, FAULT_OFFSET, 2)?;
    Ok([fault[0], fault[1]])
}

impl<P: Port> DeepEngine for DeepBoard<'_, P> {
    fn description(&self) -> String {
        self.description.clone()
    }

    fn run(&mut self, images: &[Vec<u8>], done: &mut dyn FnMut(usize)) -> Result<DeepResults, HostError> {
        let mut results = DeepResults::default();
        let labels = &self.problem.images.labels;
        let slots = self.problem.machine.slots;
        for (batch, labels) in images.chunks(slots).zip(labels.chunks(slots)) {
            let more = self.run_batch(batch, labels)?;
            results.append(more);
            done(results.images.len());
        }
        Ok(results)
    }
}

fn pair(codes: &[u8]) -> u16 {
    u16::from_le_bytes([codes[0], codes.get(1).copied().unwrap_or(0)])
}

fn program_words(problem: &DeepProblem) -> Vec<u16> {
    problem.program.instructions.iter().flat_map(|instruction| instruction.encode()).collect()
}

fn device_words(problem: &DeepProblem) -> Vec<u16> {
    let words = column_words(&problem.machine);
    let columns = problem.program.tiles.iter().flat_map(|tile| &tile.columns);
    let word = |rows: &[bool]| rows.iter().rev().fold(0, |word, device| word << 1 | u16::from(*device));
    columns
        .flat_map(|column| column.chunks(16).map(word).chain(std::iter::repeat(0)).take(words).collect::<Vec<_>>())
        .collect()
}

fn threshold_words(problem: &DeepProblem) -> Vec<u16> {
    let entry = |thresholds: &Vec<i32>| {
        let bits = thresholds.len().count_ones() as usize;
        let mut words = [0; ENTRY_WORDS];
        for (i, threshold) in thresholds.iter().enumerate() {
            let at = 2 * threshold_node(bits, i);
            (words[at], words[at + 1]) = (*threshold as u16, (*threshold >> 16) as u16);
        }
        words
    };
    problem.program.thresholds.iter().flat_map(entry).collect()
}
