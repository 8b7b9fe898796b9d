use super::*;
use std::sync::atomic::AtomicUsize;

static NEVER: AtomicBool = AtomicBool::new(false);

fn short(seed: u64, epochs: usize) -> TrainConfig {
    TrainConfig { epochs, ..TrainConfig::seeded(seed) }
}

fn run(config: &TrainConfig) -> Trained {
    train(config, &Digits::embedded(), None, &mut Silent, &NEVER).unwrap()
}

fn refused(config: TrainConfig) -> String {
    train(&config, &Digits::embedded(), None, &mut Silent, &NEVER).unwrap_err().to_string()
}

#[test]
fn shuffled_is_a_permutation_that_seed_and_epoch_choose() {
    let rows: Vec<usize> = (7..107).collect();
    let first = shuffled(rows.clone(), "digits", 0, 1);
    let mut sorted = first.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, rows);
    assert_eq!(shuffled(rows.clone(), "digits", 0, 1), first);
    for (streams, seed, epoch) in [("digits", 1, 1), ("digits", 0, 2), ("other", 0, 1)] {
        assert_ne!(shuffled(rows.clone(), streams, seed, epoch), first);
    }
    assert!(shuffled(vec![], "digits", 0, 1).is_empty());
}

#[test]
fn shuffled_reaches_every_order_about_equally_often() {
    let mut counts = std::collections::HashMap::new();
    for epoch in 0..6000 {
        *counts.entry(shuffled(vec![0, 1, 2], "digits", 3, epoch)).or_insert(0) += 1;
    }
    // 1000 each; five standard deviations (sqrt(6000 * 5/36) = 29) is 145.
    assert_eq!(counts.len(), 6);
    assert!(counts.values().all(|c| (855..=1145).contains(c)), "{counts:?}");
}

#[test]
fn training_learns_and_records_every_epoch() {
    let mut heard = Vec::new();
    let mut progress =
        |label: &str, epochs: usize, record: &EpochRecord| heard.push((label.to_string(), epochs, *record));
    let trained = train(&short(0, 5), &Digits::embedded(), None, &mut progress, &NEVER).unwrap();
    assert!(trained.is_complete());
    assert_eq!(trained.history.iter().map(|r| r.epoch).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(trained.history.windows(2).all(|pair| pair[1].train_loss < pair[0].train_loss));
    assert!(trained.history[4].train_correct > 1050 && trained.history[4].test_correct > 180);
    let expected: Vec<_> = trained.history.iter().map(|r| ("seed 0".to_string(), 5, *r)).collect();
    assert_eq!(heard, expected);
}

#[test]
fn same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let alone = run(&short(4, 3));
    let busy = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    busy.fetch_add(1, Ordering::Relaxed);
                    run(&short(4, 3)).to_bytes()
                })
            })
            .collect();
        others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), alone.to_bytes()));
    });
    assert_eq!(busy.into_inner(), 3);
    assert_ne!(run(&short(5, 3)).to_bytes(), alone.to_bytes());
}

#[test]
fn stopped_run_resumes_to_the_same_bits() {
    let digits = Digits::embedded();
    let config = short(2, 4);
    let whole = run(&config);
    for stop_after in 0..4 {
        let cancel = AtomicBool::new(stop_after == 0);
        let mut progress = |_: &str, _: usize, record: &EpochRecord| {
            cancel.store(record.epoch == stop_after, Ordering::Relaxed);
        };
        let stopped = train(&config, &digits, None, &mut progress, &cancel).unwrap();
        assert_eq!(stopped.history.len(), stop_after);
        assert!(!stopped.is_complete());
        let path = std::env::temp_dir().join(format!("bitline-checkpoint-{}-{stop_after}", std::process::id()));
        stopped.save(&path).unwrap();
        let read = Trained::load(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read, stopped);
        let resumed = train(&config, &digits, Some(read), &mut Silent, &NEVER).unwrap();
        assert_eq!(resumed.to_bytes(), whole.to_bytes(), "stopped after {stop_after}");
    }
    let extended = train(&config, &digits, Some(run(&short(2, 2))), &mut Silent, &NEVER).unwrap();
    assert_eq!(extended.to_bytes(), whole.to_bytes(), "more epochs extend a finished run");
}

#[test]
fn held_out_rows_are_not_looked_at() {
    let mut digits = Digits::embedded();
    let config = TrainConfig { held_out: Some(300..600), ..short(1, 2) };
    assert_eq!(config.rows().len(), 1200);
    let trained = train(&config, &digits, None, &mut Silent, &NEVER).unwrap();
    for row in 300..600 {
        digits.images.row_mut(row).fill(16);
        digits.labels[row] = 9 - digits.labels[row];
    }
    assert_eq!(train(&config, &digits, None, &mut Silent, &NEVER).unwrap().to_bytes(), trained.to_bytes());
    digits.images.row_mut(600).fill(16);
    assert_ne!(train(&config, &digits, None, &mut Silent, &NEVER).unwrap().weights, trained.weights);
}

#[test]
fn settings_out_of_range_are_refused() {
    assert_eq!(refused(short(0, 0)), "epochs is 0, must be at least 1; S001 trains for 600");
    assert_eq!(refused(TrainConfig { batch: 0, ..short(0, 1) }), "batch is 0, must be 1..=1500; S001 uses 16");
    assert_eq!(
        refused(TrainConfig { learning_rate: -0.5, ..short(0, 1) }),
        "learning_rate is -0.5, must be finite and above 0; 0.01 reproduces S001"
    );
    for (held, text) in [(0..1500, "0..1500"), (5..5, "5..5"), (1400..1501, "1400..1501")] {
        assert_eq!(
            refused(TrainConfig { held_out: Some(held), ..short(0, 1) }),
            format!("held_out is {text}, must be some, not all, of 0..1500; hold out 300 rows, for example")
        );
    }
}

#[test]
fn divergence_is_refused() {
    let message = refused(TrainConfig { learning_rate: 1e38, ..short(0, 3) });
    assert!(message.starts_with("after epoch 1 the training loss is "), "{message}");
    assert!(message.contains(", must be finite; lower learning_rate from 1"), "{message}");
}

#[test]
fn checkpoint_of_another_run_is_refused() {
    let mut digits = Digits::embedded();
    let checkpoint = run(&short(0, 2));
    let resume = |config: TrainConfig, digits: &Digits| {
        train(&config, digits, Some(checkpoint.clone()), &mut Silent, &NEVER).unwrap_err().to_string()
    };
    let remedy = "; use the same settings or start without it";
    assert_eq!(resume(short(1, 2), &digits), format!("the checkpoint has seed 0, this run asks for 1{remedy}"));
    assert_eq!(resume(short(0, 1), &digits), format!("the checkpoint has epochs 2, this run asks for 1{remedy}"));
    let edit = |edit: &dyn Fn(&mut TrainConfig)| {
        let mut config = short(0, 2);
        edit(&mut config);
        resume(config, &digits)
    };
    assert!(edit(&|c| c.batch = 8).starts_with("the checkpoint has batch 16, this run asks for 8"));
    assert!(
        edit(&|c| c.learning_rate = 0.1).starts_with("the checkpoint has learning_rate 0.01, this run asks for 0.1")
    );
    assert!(
        edit(&|c| c.held_out = Some(0..9)).starts_with("the checkpoint has held-out rows none, this run asks for 0..9")
    );
    digits.sha256 = "ab".into();
    let message = resume(short(0, 2), &digits);
    assert!(message.starts_with("the checkpoint has data checksum 09f66e6d"), "{message}");
    assert!(message.contains(", this run asks for ab; "), "{message}");
}
