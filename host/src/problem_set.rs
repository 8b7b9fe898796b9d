//! The problems that every rung of the ladder runs: corners first, then the shipped network on its first images where the
//! machine takes digits, then random ones, each known by a name.

use bitline_golden::array::{DeviceArray, weight_range};
use bitline_golden::dataset::PIXELS;
use bitline_golden::machine::{Machine, QuantizerConfig};
use bitline_golden::random::stream;
use ndarray::Array2;
use rand::Rng;

use crate::error::HostError;
use crate::problem::{Problem, Source};
use crate::script::{COUNTING, SCRIPTS, Step, script};

/// Most images of a random problem.
const MOST_IMAGES: usize = 8;
/// Bits that the saturating machine's quantizer lacks.
const CLIPPED_BITS: u32 = 2;
/// Images of the shipped problem, where no other number is asked for.
pub const SHIPPED_IMAGES: usize = 20;
/// How the names of shipped problems begin, before the number of images.
const SHIPPED: &str = "first-";

/// A problem and the name that makes it again, with its seed.
#[derive(Debug, Clone)]
pub struct NamedProblem {
    /// `corner/...`, `digits/first-N`, `link/...`, `counts/...` or `random/N`.
    pub name: String,
    /// The problem.
    pub problem: Problem,
    /// What is done with the machine, byte by byte, instead of running the problem.
    pub script: Option<Vec<Step>>,
    /// Bits that the machine's counters start with; 0 where they start as they do on a board.
    pub counts: u32,
}

/// Bits that counters of 16 and of 32 bits start with in the problems `counts/...`: every second one, a carry through all but
/// the top one, the top, odd and even.
const COUNTS: [u32; 6] = [0x5555_5555, 0xAAAA_AAAA, 0x7FFF_FFF9, 0xFFFF_7FF9, 0xFFFF_FFF1, 0xFFFF_FFF6];

/// The corners, in this order.
const CORNERS: [&str; 12] = [
    "no-images",
    "all-zero-weights",
    "all-zero-inputs",
    "largest-weights-and-inputs",
    "most-negative-weights",
    "one-hot-row",
    "all-devices-lrs",
    "stuck-devices",
    "one-image",
    "more-images-than-slots",
    "saturating-quantizer",
    "every-count",
];

/// The machine of a corner whose quantizer clamps: two bits fewer than the machine's own, at least one.
///
/// Gateware of its own: the quantizer is built in.
pub fn saturating(machine: &Machine) -> Machine {
    let bits = machine.quantizer.bits.saturating_sub(CLIPPED_BITS).max(1);
    let mut name = format!("{}-clip", machine.name);
    name.truncate(16);
    Machine { name, quantizer: QuantizerConfig { bits, ..machine.quantizer }, ..machine.clone() }
}

/// Names of a machine's set: every corner, for a machine of digits the shipped network's first `shipped` images, every script of
/// [`crate::script`], counters that do not start at 0, and `random` random problems, the first of which is `random/SEED`.
pub fn names(machine: &Machine, seed: u64, random: u64, shipped: usize) -> Vec<String> {
    let corners = CORNERS.iter().map(|corner| format!("corner/{corner}"));
    let shipped = (machine.inputs() == PIXELS).then(|| format!("digits/{SHIPPED}{shipped}"));
    let scripts = SCRIPTS.iter().map(|script| format!("link/{script}"));
    let counts = COUNTS.iter().map(|counts| format!("counts/{counts:08x}"));
    let random = (0..random).map(|k| format!("random/{}", seed.wrapping_add(k)));
    corners.chain(shipped).chain(scripts).chain(counts).chain(random).collect()
}

/// The problem of that name. Corners draw what they leave open from `seed`.
///
/// # Errors
/// [`HostError::ProblemName`] lists the names; [`HostError::Golden`] for a machine that cannot hold it.
pub fn make(machine: &Machine, name: &str, seed: u64) -> Result<NamedProblem, HostError> {
    let unknown =
        || HostError::ProblemName { name: name.to_string(), known: names(machine, seed, 1, SHIPPED_IMAGES).join(", ") };
    let (mut steps, mut counts) = (None, 0);
    let problem = match name.split_once('/') {
        Some(("random", number)) => {
            let number = number.parse().map_err(|_| unknown())?;
            let images = stream("images of a random problem", number).random_range(1..=MOST_IMAGES);
            Problem::new(machine.clone(), &Source::MadeUp(number), Some(images))?
        }
        Some(("digits", first)) if machine.inputs() == PIXELS => {
            let images = first.strip_prefix(SHIPPED).and_then(|images| images.parse().ok()).ok_or_else(unknown)?;
            Problem::new(machine.clone(), &Source::Shipped, Some(images))?
        }
        Some(("corner", corner)) if CORNERS.contains(&corner) => make_corner(machine, corner, seed)?,
        Some(("counts", bits)) => {
            counts = u32::from_str_radix(bits, 16).map_err(|_| unknown())?;
            let problem = Problem::new(machine.clone(), &Source::MadeUp(seed), None)?;
            steps = script(COUNTING, &problem, seed);
            problem
        }
        Some(("link", name)) if SCRIPTS.contains(&name) => {
            let problem = Problem::new(machine.clone(), &Source::MadeUp(seed), None)?;
            steps = Some(script(name, &problem, seed).ok_or_else(unknown)?);
            problem
        }
        _ => return Err(unknown()),
    };
    Ok(NamedProblem { name: name.to_string(), problem, script: steps, counts })
}

fn make_corner(machine: &Machine, corner: &str, seed: u64) -> Result<Problem, HostError> {
    let made_up = |machine: &Machine, images| Problem::new(machine.clone(), &Source::MadeUp(seed), Some(images));
    let (low, high) = weight_range(machine.weight_bits);
    let largest = (1u16 << machine.input_bits) - 1;
    let with = |weight: Option<i32>, code: Option<u16>| -> Result<Problem, HostError> {
        let mut problem = made_up(machine, 2)?;
        if let Some(weight) = weight {
            let weights = Array2::from_elem((machine.outputs, machine.rows), weight as i8);
            problem.array = DeviceArray::from_weights(machine, &weights)?;
        }
        if let Some(code) = code {
            problem.images.fill(code as u8);
        }
        Ok(problem)
    };
    let all_conduct = |problem: &mut Problem| {
        for row in 0..machine.rows {
            (0..machine.columns()).for_each(|column| problem.array.set(row, column, true));
        }
    };
    match corner {
        "no-images" => made_up(machine, 0),
        "all-zero-weights" => with(Some(if machine.weight_bits == 1 { -1 } else { 0 }), None),
        "all-zero-inputs" => with(None, Some(0)),
        "largest-weights-and-inputs" => with(Some(high), Some(largest)),
        "most-negative-weights" => with(Some(low), Some(largest)),
        "one-hot-row" => {
            // An image for each row, as far as the slots go, with that row's input alone at its largest.
            let mut problem = made_up(machine, machine.inputs().min(machine.slots))?;
            problem.images.fill(0);
            let last = machine.inputs() - 1;
            for (i, mut image) in problem.images.rows_mut().into_iter().enumerate() {
                image[last - i] = largest as u8;
            }
            Ok(problem)
        }
        "all-devices-lrs" => {
            let mut problem = with(None, Some(largest))?;
            all_conduct(&mut problem);
            Ok(problem)
        }
        "stuck-devices" => {
            let mut problem = made_up(machine, 4)?;
            problem.array.stick_fraction(0.1, 0.5, &mut stream("stuck devices of a corner", seed))?;
            Ok(problem)
        }
        "one-image" => made_up(machine, 1),
        "more-images-than-slots" => made_up(machine, machine.slots + 1),
        "saturating-quantizer" => made_up(&saturating(machine), 6),
        "every-count" => {
            // Every device conducts; image n drives its first n rows in every plane: each column counts 0, 1, ... all rows.
            let mut problem = made_up(machine, machine.inputs() + 1)?;
            all_conduct(&mut problem);
            for (n, mut image) in problem.images.rows_mut().into_iter().enumerate() {
                image.iter_mut().enumerate().for_each(|(row, code)| *code = if row < n { largest as u8 } else { 0 });
            }
            Ok(problem)
        }
        _ => unreachable!("the caller checked the name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::expect;

    #[test]
    fn every_name_makes_its_problem_for_every_machine() {
        for machine in Machine::names().map(|name| Machine::named(name).unwrap()) {
            for name in names(&machine, 5, 3, 20) {
                let made = make(&machine, &name, 5).unwrap();
                assert_eq!(made.name, name);
            }
        }
        assert!(make(&Machine::named("tiny").unwrap(), "corner/round", 5).is_err());
    }

    #[test]
    fn corners_reach_what_they_are_named_for() {
        let machine = Machine::named("tiny").unwrap();
        let counters = |name: &str| expect(&make(&machine, name, 5).unwrap().problem).unwrap().counters;
        assert_eq!(counters("corner/no-images").images, 0);
        assert!(counters("corner/more-images-than-slots").images > machine.slots as u64);
        assert!(counters("corner/saturating-quantizer").saturations > 0);
        let every_count = counters("corner/every-count");
        let (inputs, bits) = (machine.inputs() as u64, machine.input_bits as u64);
        // Rows 1 + 2 + ... in every plane, and the bias rows' own pulses in each image.
        assert_eq!(every_count.images, inputs + 1);
        let bias = (machine.bias_rows as u64) * u64::from(machine.bias_code.count_ones()) * (inputs + 1);
        assert_eq!(every_count.row_pulses, bits * inputs * (inputs + 1) / 2 + bias);
        assert!(make(&machine, "corner/stuck-devices", 5).unwrap().problem.array.stuck_devices() > 0);
        let negative = expect(&make(&machine, "corner/most-negative-weights", 5).unwrap().problem).unwrap();
        assert!(negative.outputs.iter().all(|y| *y < 0));
    }

    #[test]
    fn shipped_problem_is_the_digits_as_sim_runs_them() {
        let machine = Machine::named("digits").unwrap();
        assert!(names(&machine, 1, 0, 20).contains(&"digits/first-20".to_string()));
        let made = make(&machine, "digits/first-20", 1).unwrap().problem;
        let shipped = Problem::new(machine.clone(), &Source::Shipped, Some(20)).unwrap();
        assert_eq!((made.array, made.images, made.labels), (shipped.array, shipped.images, shipped.labels));
        for name in ["digits/first-", "digits/20", "digits/first-298"] {
            assert!(make(&machine, name, 1).is_err(), "{name}");
        }
        let tiny = Machine::named("tiny").unwrap();
        assert!(!names(&tiny, 1, 5, 20).iter().any(|name| name.starts_with("digits")));
        assert!(make(&tiny, "digits/first-20", 1).is_err());
    }

    #[test]
    fn same_seed_makes_the_same_problem() {
        let machine = Machine::named("tiny").unwrap();
        for name in names(&machine, 9, 2, 20) {
            let [a, b] = [0; 2].map(|_| make(&machine, &name, 9).unwrap().problem);
            assert_eq!((a.array, a.images, a.labels), (b.array, b.images, b.labels), "{name}");
        }
    }
}
