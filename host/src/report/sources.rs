//! The report's parts from what `bitline train` and `bitline quantize` write.

use super::{Choice, SeedResult, SweepData};
use bitline_golden::scale_factor::Sweep;
use bitline_train::quantization::{Choice as ChoiceName, ChoiceResult, CurvePoint, QuantizationReport};
use bitline_train::study::SeedRecord;

fn choices(results: &[ChoiceResult], shipped: Option<f64>) -> Vec<Choice> {
    let name = |choice| match choice {
        ChoiceName::TestImages => "test images",
        ChoiceName::TrainingImages => "training images",
        ChoiceName::HeldOutFolds => "held-out folds",
    };
    let choice = |result: &ChoiceResult| Choice {
        name: name(result.choice).to_string(),
        leaks: result.leaks,
        step: result.chosen.step,
        train_correct: result.train_correct,
        test_correct: result.test_correct,
        shipped: shipped == Some(result.chosen.scale_factor),
    };
    results.iter().map(choice).collect()
}

impl SweepData {
    /// The sweep and the choices of a quantization report; `shipped` is the network's own scale factor.
    pub fn from_quantization(report: &QuantizationReport, shipped: Option<f64>) -> Self {
        let ends = report.curve.iter().skip(1).map(|point| point.first_step).chain([report.last_step + 1]);
        let sweep = |images: usize, count: &dyn Fn(&CurvePoint) -> u32| Sweep {
            images,
            correct: report
                .curve
                .iter()
                .zip(ends.clone())
                .flat_map(|(point, end)| std::iter::repeat_n(count(point), (end - point.first_step) as usize))
                .collect(),
        };
        let held_out = report.folds.iter().map(|fold| fold.rows.len()).sum();
        Self {
            test: sweep(bitline_golden::dataset::TEST_ROWS.len(), &|point| point.test),
            train: sweep(bitline_golden::dataset::TRAIN_ROWS.len(), &|point| point.train),
            held_out: Some(sweep(held_out, &|point| point.held_out)),
            choices: choices(&report.choices, shipped),
        }
    }
}

impl SeedResult {
    /// One line of `docs/results/digits-seeds.jsonl`.
    pub fn from_record(record: &SeedRecord) -> Self {
        Self {
            seed: record.train.seed,
            float_train: record.float.train_correct as u32,
            float_test: record.float.test_correct as u32,
            choices: choices(&record.choices, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn sweep_of_the_shipped_report_is_the_curve_step_by_step() {
        let text = std::fs::read_to_string(folder().join("networks/digits.quantization.json")).unwrap();
        let report: QuantizationReport = serde_json::from_str(&text).unwrap();
        let data = SweepData::from_quantization(&report, Some(report.choices[0].chosen.scale_factor));
        assert_eq!(data.test.correct.len(), report.last_step as usize);
        for step in (1..=report.last_step).step_by(17).chain([report.last_step]) {
            let point = report.at(step);
            assert_eq!(
                (data.train.correct_at(step), data.test.correct_at(step)),
                (point.train, point.test),
                "step {step}"
            );
        }
        for choice in &data.choices {
            assert_eq!(data.test.correct_at(choice.step), choice.test_correct, "{}", choice.name);
            assert_eq!(data.train.correct_at(choice.step), choice.train_correct, "{}", choice.name);
        }
        let shipped: Vec<bool> = data.choices.iter().map(|c| c.shipped).collect();
        assert_eq!(shipped, [true, false, false]);
    }

    #[test]
    fn seeds_of_the_study_keep_their_counts() {
        let text = std::fs::read_to_string(folder().join("docs/results/digits-seeds.jsonl")).unwrap();
        let seeds: Vec<SeedResult> =
            text.lines().map(|line| SeedResult::from_record(&serde_json::from_str(line).unwrap())).collect();
        assert_eq!(seeds.len(), 10);
        assert!(seeds.iter().all(|s| s.choices.len() == 3 && s.choices[0].leaks && !s.choices[1].leaks));
    }
}
