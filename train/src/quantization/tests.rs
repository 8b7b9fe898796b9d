use super::*;
use crate::digits::Silent;
use bitline_golden::network::EpochRecord;
use bitline_golden::scale_factor::{correct_images, scale_factor_of};
use std::sync::atomic::Ordering;

static NEVER: AtomicBool = AtomicBool::new(false);

fn trained() -> Trained {
    let config = TrainConfig { epochs: 2, ..TrainConfig::seeded(1) };
    train(&config, &Digits::embedded(), None, &mut Silent, &NEVER).unwrap()
}

fn settings() -> QuantizeConfig {
    QuantizeConfig { folds: 3, ..QuantizeConfig::default() }
}

#[test]
fn report_holds_what_each_choice_counts() {
    let digits = Digits::embedded();
    let trained = trained();
    let report = report(&trained, &digits, &settings(), &mut Silent, &NEVER).unwrap();
    assert_eq!(report.choices.iter().map(|c| c.choice).collect::<Vec<_>>(), Choice::ALL);
    assert_eq!(report.choices.iter().map(|c| c.leaks).collect::<Vec<_>>(), [true, false, false]);
    for result in &report.choices {
        let network = network(&trained, &settings(), result.chosen.scale_factor, Some(result.choice), "test").unwrap();
        let layer = &network.layers[0];
        let on_train = correct_images(layer, digits.train_images(), digits.train_labels()) as u32;
        let on_test = correct_images(layer, digits.test_images(), digits.test_labels()) as u32;
        assert_eq!((result.train_correct, result.test_correct), (on_train, on_test), "{}", result.choice);
        let point = report.at(result.chosen.step);
        assert_eq!((point.train, point.test), (on_train, on_test));
        let own = match result.choice {
            Choice::TestImages => point.test,
            Choice::TrainingImages => point.train,
            Choice::HeldOutFolds => point.held_out,
        };
        assert_eq!(result.chosen.correct, own);
        network.check_fits(&bitline_golden::machine::Machine::named("digits").unwrap()).unwrap();
    }
    let largest = |count: &dyn Fn(&CurvePoint) -> u32| report.curve.iter().map(count).max().unwrap();
    assert_eq!(report.choice(Choice::TestImages).chosen.correct, largest(&|p| p.test));
    assert_eq!(report.choice(Choice::TrainingImages).chosen.correct, largest(&|p| p.train));
    assert_eq!(report.choice(Choice::HeldOutFolds).chosen.correct, largest(&|p| p.held_out));
    assert_eq!(report.curve[0].first_step, 1);
    assert!(report.curve.windows(2).all(|pair| pair[0].first_step < pair[1].first_step));
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<QuantizationReport>(&json).unwrap(), report);
}

#[test]
fn held_out_curve_is_the_sum_of_folds_that_did_not_see_their_rows() {
    let digits = Digits::embedded();
    let trained = trained();
    let report = report(&trained, &digits, &settings(), &mut Silent, &NEVER).unwrap();
    let step = 1234;
    let mut sum = 0;
    for (rows, fold) in [0..500, 500..1000, 1000..1500].into_iter().zip(&report.folds) {
        let config = TrainConfig { held_out: Some(rows.clone()), ..trained.config.clone() };
        let other = train(&config, &digits, None, &mut Silent, &NEVER).unwrap();
        let layer = &network(&other, &settings(), scale_factor_of(step), None, "test").unwrap().layers[0];
        sum += correct_images(layer, digits.images.slice(s![rows.clone(), ..]), &digits.labels[rows.clone()]);
        assert_eq!(fold.rows, rows);
        assert_eq!(fold.float_correct as usize, other.float_correct(&digits, rows));
    }
    assert_eq!(report.at(step).held_out as usize, sum);
}

#[test]
fn choosing_without_test_images_does_not_look_at_them() {
    let mut digits = Digits::embedded();
    let choose = |digits: &Digits| {
        let mut trained = trained();
        trained.data_sha256 = digits.sha256.clone();
        let report = report(&trained, digits, &settings(), &mut Silent, &NEVER).unwrap();
        report.choices.iter().map(|c| c.chosen).collect::<Vec<_>>()
    };
    let honest = choose(&digits);
    for row in TEST_ROWS {
        digits.labels[row] = (digits.labels[row] + 1) % 10;
    }
    let misled = choose(&digits);
    assert_ne!(honest[0], misled[0], "S001's choice does look at them");
    assert_eq!(honest[1..], misled[1..]);
}

#[test]
fn quantize_gives_the_chosen_network_with_its_origin() {
    let digits = Digits::embedded();
    let trained = trained();
    let choice = Choice::TrainingImages;
    let (network, report) = quantize(&trained, &digits, &settings(), choice, "make it", &mut Silent, &NEVER).unwrap();
    assert_eq!(network.layers[0].scale_factor, Some(report.choice(choice).chosen.scale_factor));
    assert_eq!(network.provenance.command, "make it");
    assert_eq!(network.provenance.data_sha256, digits.sha256);
    assert_eq!(network.provenance.seed, 1);
    assert_eq!(network.provenance.scale_factor_choice.as_deref(), Some("training images"));
    assert_eq!(network.history, trained.history);
    assert_eq!(network.layers[0].float.as_ref().unwrap(), &trained.float_layer());
}

#[test]
fn fold_rows_cover_the_training_rows_once() {
    for folds in [2, 5, 7, 1500] {
        let rows = QuantizeConfig { folds, ..settings() }.fold_rows().unwrap();
        assert_eq!(rows.len(), folds);
        assert_eq!(rows.iter().cloned().flatten().collect::<Vec<_>>(), TRAIN_ROWS.collect::<Vec<_>>());
        let (least, most) = (rows.iter().map(|r| r.len()).min(), rows.iter().map(|r| r.len()).max());
        assert!(most.unwrap() - least.unwrap() <= 1);
    }
    assert_eq!(
        QuantizeConfig { folds: 1, ..settings() }.fold_rows().unwrap_err().to_string(),
        "folds is 1, must be 2..=1500; 5 folds hold out 300 images each"
    );
}

#[test]
fn unfinished_network_is_refused() {
    let digits = Digits::embedded();
    let mut stopped = trained();
    stopped.config.epochs = 3;
    let message = "training stopped after 2 of 3 epochs; resume it from its checkpoint first";
    assert_eq!(network(&stopped, &settings(), 0.3, None, "test").unwrap_err().to_string(), message);
    let error = report(&stopped, &digits, &settings(), &mut Silent, &NEVER).unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn request_to_stop_is_heard_between_epochs_of_a_fold() {
    let cancel = AtomicBool::new(false);
    let mut epochs = 0;
    let mut progress = |_: &str, _: usize, _: &EpochRecord| {
        epochs += 1;
        cancel.store(epochs == 3, Ordering::Relaxed);
    };
    let error = report(&trained(), &Digits::embedded(), &settings(), &mut progress, &cancel).unwrap_err();
    assert_eq!(error.to_string(), "stopped on request after 1 of 3 folds; run the same command again");
}

#[test]
fn choices_parse_by_name() {
    for choice in Choice::ALL {
        assert_eq!(choice.name().parse::<Choice>().unwrap(), choice);
        assert_eq!(choice.to_string().contains("leaks"), choice.leaks());
    }
    assert_eq!(
        "luck".parse::<Choice>().unwrap_err().to_string(),
        "choice is luck, must be test-images, training-images, held-out-folds; only test-images repeats S001"
    );
}
