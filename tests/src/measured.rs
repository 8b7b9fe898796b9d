//! What the benches print of where and how long they ran.

/// The processor's name, where Linux tells it.
pub fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("unknown processor".into(), |(_, name)| name.into())
}

/// The folder of MNIST's four files: what follows `--data`, or `BITLINE_MNIST`.
pub fn mnist_folder() -> Option<String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = arguments.iter().position(|a| a == "--data").and_then(|at| arguments.get(at + 1).cloned());
    given.or_else(|| std::env::var("BITLINE_MNIST").ok())
}

/// The least of some times.
pub fn best(seconds: &[f64]) -> f64 {
    seconds.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The middle one, of an even number the upper.
///
/// # Panics
/// If there is none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_is_the_least_and_median_the_middle() {
        assert_eq!((best(&[3.0, 1.0, 2.0]), median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0])), (1.0, 2.0, 4.0));
    }
}
