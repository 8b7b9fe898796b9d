//! Load, verify, run, read back: the same steps for every engine and every port.

use std::ops::Range;

use bitline_golden::counters::Counters;
use bitline_golden::machine::Machine;
use bitline_golden::registers::{
    ArrayAddress, CONTROL_CLEAR, CONTROL_START, MODE_STORE, NO_LABEL, Region, class_lane, find, margin_lane,
    pack_image, slot_offset,
};
use ndarray::{Array2, s};

use crate::error::HostError;
use crate::link::{Client, LinkStatistics, Port};
use crate::problem::Problem;

/// Health of the link, by the board's registers and by the client's own count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct LinkHealth {
    /// Good frames the board received.
    pub frames_ok: u64,
    /// Damaged frames the board received.
    pub frames_bad: u64,
    /// Frames the board acknowledged again.
    pub frames_resent: u64,
    /// The client's count.
    pub host: LinkStatistics,
}

impl LinkHealth {
    /// What is not as it is on a wire that loses nothing: every request is received once, whole, and answered once.
    pub fn first_fault(&self) -> Option<String> {
        let LinkStatistics { requests, resent, timeouts, damaged_requests, damaged_replies, stray_replies } = self.host;
        // The last two requests ask for the other two counters.
        [
            ("frames_ok", self.frames_ok, requests.saturating_sub(2)),
            ("frames_bad", self.frames_bad, 0),
            ("frames_resent", self.frames_resent, 0),
            ("requests sent again", resent, 0),
            ("waits in silence", timeouts, 0),
            ("damaged requests", damaged_requests, 0),
            ("damaged replies", damaged_replies, 0),
            ("stray replies", stray_replies, 0),
        ]
        .into_iter()
        .find(|(_, got, expected)| got != expected)
        .map(|(what, got, expected)| format!("{what}: {got}, on a wire that loses nothing {expected}"))
    }
}

/// What the machine gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// y, `[image][output]`.
    pub outputs: Array2<i32>,
    /// Class of each image.
    pub classes: Vec<u16>,
    /// Margin of each image.
    pub margins: Vec<u32>,
    /// Run counters after all batches.
    pub counters: Counters,
    /// Health of the link.
    pub link: LinkHealth,
}

/// A step that begins, for a progress line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The board answered and is the machine expected.
    Identified,
    /// The devices are in the array and verified.
    ArrayLoaded,
    /// A batch begins to load.
    Loading {
        /// First image.
        first: usize,
        /// Images of all batches.
        of: usize,
    },
    /// A batch is loaded, verified, and runs.
    Running {
        /// Images of this batch.
        images: usize,
    },
    /// A batch is read back; the images that were correct so far.
    Done {
        /// Images of all batches so far.
        images: usize,
        /// The counter `correct`.
        correct: u64,
    },
}

/// How many images of a batch fit: results take the upper half of the slots; a machine of one slot stores its result
/// over the image.
pub fn batch_size(machine: &Machine) -> usize {
    (machine.slots / 2).max(1)
}

/// The images of each batch. A run of no images is one empty batch.
pub fn batches(machine: &Machine, images: usize) -> Vec<Range<usize>> {
    let size = batch_size(machine);
    (0..images.div_ceil(size).max(1)).map(|batch| batch * size..((batch + 1) * size).min(images)).collect()
}

/// The words of an array, in the order of [`ArrayAddress::all`].
pub fn array_words(problem: &Problem) -> impl Iterator<Item = (ArrayAddress, u16)> {
    ArrayAddress::all(&problem.machine).map(|address| {
        let rows = address.rows(&problem.machine).enumerate();
        (address, rows.fold(0, |word, (bit, row)| word | u16::from(problem.array.get(row, address.column)) << bit))
    })
}

/// Every lane of an image's slot.
pub fn slot_words(problem: &Problem, image: usize) -> Vec<u16> {
    let mut words = pack_image(&problem.machine, &problem.images.row(image).to_vec());
    words.resize(problem.machine.slot_words(), 0);
    words
}

/// Write the devices, one column's row group a frame, and hold the array's checksum against theirs.
///
/// # Errors
/// Any link error.
pub fn load_array<P: Port>(client: &mut Client<P>, problem: &Problem) -> Result<(), HostError> {
    let machine = &problem.machine;
    let words: Vec<_> = array_words(problem).collect();
    for group in words.chunk_by(|a, b| (a.0.column, a.0.row_group) == (b.0.column, b.0.row_group)) {
        let values: Vec<u16> = group.iter().map(|(_, word)| *word).collect();
        client.write(Region::Array, group[0].0.offset(machine), &values)?;
    }
    client.verify(Region::Array, 0, 0, words.iter().map(|(_, word)| *word))
}

/// Write a batch's images and labels from slot 0 on, and hold both checksums against theirs.
///
/// # Errors
/// Any link error.
pub fn load_images<P: Port>(client: &mut Client<P>, problem: &Problem, images: Range<usize>) -> Result<(), HostError> {
    let machine = &problem.machine;
    let count = images.len() as u16;
    let slots: Vec<Vec<u16>> = images.clone().map(|image| slot_words(problem, image)).collect();
    for (slot, words) in slots.iter().enumerate() {
        client.write(Region::Slots, slot_offset(machine, slot, 0), words)?;
    }
    let labels: Vec<u16> = problem.labels[images].iter().map(|label| label.map_or(NO_LABEL, u16::from)).collect();
    client.write(Region::Labels, 0, &labels)?;
    client.verify(Region::Slots, 0, count, slots.into_iter().flatten())?;
    client.verify(Region::Labels, 0, count, labels)
}

/// Go through the whole procedure: identify, clear, load and verify, run batch by batch, read results and counters.
///
/// The array is verified once, after it is loaded; images and labels before each batch. `loaded` is called when
/// everything of the first batch is verified: the place to break something on purpose.
///
/// # Errors
/// Any [`HostError`] of the link.
pub fn run<P: Port>(
    client: &mut Client<P>,
    problem: &Problem,
    build_hash: u64,
    progress: &mut dyn FnMut(Step),
    loaded: &mut dyn FnMut(&mut P) -> Result<(), HostError>,
) -> Result<Measured, HostError> {
    let machine = &problem.machine;
    client.identify_as(machine, build_hash)?;
    progress(Step::Identified);
    // A run that an earlier session left behind comes to its end first.
    client.wait_until_idle("run of an earlier session")?;
    client.write_register("control", CONTROL_CLEAR)?;
    load_array(client, problem)?;
    progress(Step::ArrayLoaded);

    let of = problem.images.nrows();
    let mut outputs = Array2::zeros((of, machine.outputs));
    let (mut classes, mut margins) = (Vec::with_capacity(of), Vec::with_capacity(of));
    let mut counters = Counters::default();
    let result_slot = if machine.slots > 1 { batch_size(machine) } else { 0 };
    for (batch, images) in batches(machine, of).into_iter().enumerate() {
        progress(Step::Loading { first: images.start, of });
        load_images(client, problem, images.clone())?;
        if batch == 0 {
            loaded(client.port_mut())?;
        }
        let modes = [MODE_STORE, 0, images.len() as u16, result_slot as u16];
        client.write(Region::Registers, find("mode").offset, &modes)?;
        progress(Step::Running { images: images.len() });
        client.write_register("control", CONTROL_START)?;
        client.wait_until_idle("run")?;
        for (i, image) in images.clone().enumerate() {
            let lanes = machine.outputs + 2;
            let words = client.read(Region::Slots, slot_offset(machine, result_slot + i, 0), lanes)?;
            let sums = words[..machine.outputs].iter().map(|word| i32::from(*word as i16));
            outputs.slice_mut(s![image, ..]).iter_mut().zip(sums).for_each(|(y, sum)| *y = sum);
            classes.push(words[class_lane(machine)]);
            margins.push(u32::from(words[margin_lane(machine)]));
        }
        counters = client.counters()?;
        progress(Step::Done { images: images.end, correct: counters.correct });
    }
    let link = LinkHealth {
        frames_ok: client.read_register("frames_ok")?,
        frames_bad: client.read_register("frames_bad")?,
        frames_resent: client.read_register("frames_resent")?,
        host: client.statistics(),
    };
    Ok(Measured { outputs, classes, margins, counters, link })
}
