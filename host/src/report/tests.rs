use super::*;
use ndarray::Array2;

fn data() -> ReportData {
    let machine = Machine::named("digits").unwrap();
    let weights = Array2::from_shape_fn((10, 65), |(o, i)| ((o * 7 + i * 3) % 16) as i8 - 8);
    let devices = DeviceArray::from_weights(&machine, &weights).unwrap();
    let labels: Vec<u8> = (0..297).map(|i| (i % 10) as u8).collect();
    let classes: Vec<u16> = (0..297).map(|i| if i % 12 == 0 { 3 } else { (i % 10) as u16 }).collect();
    let correct = labels.iter().zip(&classes).filter(|(l, c)| u16::from(**l) == **c).count() as u64;
    let predicted = Counters { cycles: 5945, images: 297, correct, ..Default::default() };
    let sweep = Sweep { images: 297, correct: (0..5000).map(|i| 300 - (i / 20).min(250)).collect() };
    let choice = |name: &str, leaks, step| Choice {
        name: name.into(),
        leaks,
        step,
        train_correct: 1450,
        test_correct: 270,
        shipped: leaks,
    };
    let choices = vec![
        choice("test images", true, 3425),
        choice("training images", false, 3000),
        choice("held-out fold", false, 3010),
    ];
    ReportData {
        origin: Origin { version: "0.1.0".into(), seed: 4, network: "a<b>&\"c\"".into(), ..Origin::default() },
        machine,
        devices,
        run: Run {
            engine: "RustHDL simulation".into(),
            is_hardware: true,
            equal: Some(true),
            margins: vec![1; labels.len()],
            labels,
            classes,
            counted: Some(predicted),
            predicted,
            leds: 273,
        },
        training: Some(Training {
            history: (1..=600)
                .map(|epoch| EpochRecord {
                    epoch,
                    train_loss: 2.3 / epoch as f64,
                    test_loss: 2.4 / epoch as f64,
                    train_correct: 1472,
                    test_correct: 270,
                })
                .collect(),
            train_images: 1500,
            test_images: 297,
        }),
        sweep: Some(SweepData { test: sweep.clone(), train: sweep, held_out: None, choices: choices.clone() }),
        seeds: (0..10)
            .map(|seed| SeedResult {
                seed,
                float_train: 1470,
                float_test: 268 + seed as u32 % 3,
                choices: choices.clone(),
            })
            .collect(),
    }
}

#[test]
fn report_has_every_section_and_stands_alone() {
    let page = html(&data()).unwrap();
    for id in ["leds", "counters", "confusion", "crossbar", "training", "scale-factor", "seeds", "origin"] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    assert_eq!(page.matches("<svg ").count(), 7);
    assert!(page.matches("<details>").count() >= 6);
    for outside in ["http://", "https://", "<script", "<link", "<img", "@import"] {
        // The one address that an SVG needs is its name space.
        assert!(!page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "").contains(outside), "{outside}");
    }
    assert!(page.contains("hardware equals golden"));
    assert!(page.contains("100010001<sub>2</sub> = 273"));
}

#[test]
fn report_shows_text_as_text() {
    let page = html(&data()).unwrap();
    assert!(page.contains("a&lt;b&gt;&amp;&quot;c&quot;") && !page.contains("a<b>"));
}

#[test]
fn report_of_a_difference_says_so_beside_the_counter() {
    let mut data = data();
    data.run.equal = Some(false);
    data.run.counted = Some(Counters { cycles: 5946, ..data.run.predicted });
    let page = html(&data).unwrap();
    assert!(page.contains("hardware and golden differ") && !page.contains("hardware equals golden"));
    assert_eq!(page.matches("class=\"bad\">differs").count(), 1);
}

#[test]
fn report_without_hardware_or_history_names_what_is_absent() {
    let mut data = data();
    (data.run.is_hardware, data.run.equal, data.run.counted) = (false, None, None);
    (data.training, data.sweep) = (None, None);
    data.seeds.clear();
    let page = html(&data).unwrap();
    for words in [
        "golden model only, no hardware took part",
        "holds no training history",
        "holds no float weights to sweep",
        "No study of several seeds",
        "not run",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn report_with_too_few_classes_is_refused() {
    let mut data = data();
    data.run.classes.pop();
    let error = html(&data).unwrap_err();
    assert_eq!(error.to_string(), "the report has 296 classes, must have 297; give one for each image of the run");
}

#[test]
fn report_errors_say_what_and_remedy() {
    let error = write("/nowhere/at/all/report.html", &data()).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/at/all/report.html cannot be written: "), "{error}");
    assert!(error.ends_with("; check that its folder exists and is writable"), "{error}");
    let error = ReportError::Figure { figure: "LED row".into(), reason: "x".into() };
    assert_eq!(error.to_string(), "the figure \"LED row\" cannot be drawn: x; leave its data out of the report");
}

#[test]
fn confusion_counts_label_by_class() {
    let matrix = confusion(3, &[0, 0, 1, 2, 2], &[0, 1, 1, 2, 0]);
    assert_eq!(matrix, [[1, 1, 0], [0, 1, 0], [1, 0, 1]]);
}

#[test]
fn thousands_are_apart_by_narrow_spaces() {
    let plain = |n| markup::thousands(n).replace('\u{202f}', " ");
    assert_eq!([plain(0), plain(999), plain(1000), plain(1234567)], ["0", "999", "1 000", "1 234 567"]);
}
