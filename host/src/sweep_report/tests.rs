use super::runs::recipe;
use super::*;
use crate::sweep_report::finding::Verdict;
use bitline_train::idx::sha256;
use bitline_train::image_set::DataSet;
use bitline_train::lab::{Algorithm, RunConfig};
use bitline_train::sweep::record::{RECORD_VERSION, Record, identity};
use serde_json::Value;
use std::collections::BTreeSet;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bitline-sweep-report-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, records: &[Record]) -> PathBuf {
        let lines: String = records.iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect();
        let path = self.0.join(name);
        std::fs::write(&path, lines).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A record of that many correct of 10,000 test images, of none if it diverged; the configuration from `changes` over plain
/// backpropagation on MNIST.
fn record(changes: Value, correct: Option<usize>) -> Record {
    let mut value = json!({ "data_set": "mnist", "hidden": "2x100", "algorithm": "backpropagation", "epochs": 2 });
    for (key, change) in changes.as_object().unwrap() {
        value[key] = change.clone();
    }
    let config: RunConfig = serde_json::from_value(value).unwrap();
    let value = serde_json::to_value(&config).unwrap();
    let epoch = |epoch: usize, test_correct: usize| {
        json!({ "epoch": epoch, "train_correct": 1, "train_images": 2, "test_correct": test_correct, "test_images": 10000,
                "train_loss": 0.5, "weights": [] })
    };
    // The first epoch is better than the last, so that a choice of the best would show.
    let epochs = correct.map(|correct| vec![epoch(1, 10_000), epoch(2, correct)]).unwrap_or_default();
    Record {
        record_version: RECORD_VERSION,
        identity: identity(&value, "00ff"),
        config: value,
        data_sha256: "00ff".into(),
        version: "9.9.9".into(),
        failure: correct.is_none().then(|| "weights <left> the numbers".into()),
        epochs,
        seconds: 1800.0,
    }
}

fn weights(quantizer: &str, range: &str, bits: usize) -> Value {
    json!({ "quantizer": quantizer, "bits": bits, "range": range, "storage": "in-place" })
}

fn report(name: &str, records: &[Record]) -> SweepReport {
    let scratch = Scratch::new(name);
    let file = scratch.file("r.jsonl", records);
    SweepReport::new(Runs::read(&[file]).unwrap(), "bitline sweep report 'a<b>.jsonl'".into())
}

fn seeds(correct: &[Option<usize>]) -> Vec<Record> {
    correct.iter().enumerate().map(|(seed, correct)| record(json!({ "seed": seed }), *correct)).collect()
}

fn verdict(report: &SweepReport, name: &str) -> (Verdict, String) {
    let finding = report.findings.iter().find(|finding| finding.name == name).unwrap();
    (finding.verdict, finding.measured.clone())
}

#[test]
fn table_of_known_runs_has_mean_deviation_and_the_difference_to_s003() {
    let report = report("table", &seeds(&[Some(9800), Some(9820), Some(9840), None]));
    let table = &report.full_precision[0];
    let csv = table.csv();
    assert!(
        csv.starts_with(
            "hidden,algorithm,mean_percent,deviation_points,seeds,diverged,s003_percent,difference_points\n"
        )
    );
    assert!(csv.contains("\n2x100,backpropagation,98.20,0.20,3,1,98.18,+0.02\n"), "{csv}");
    assert!(csv.contains("\n1x4,synthetic-gradients,missing,,0,0,38.95,\n"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 6 * 4);
    let html = table.html();
    assert!(html.contains("<b>98.20</b> \u{b1} 0.20 <span class=\"bad\">1 diverged</span>"), "{html}");
    assert!(html.contains("S003 98.18 <span class=\"good\">+0.02</span>, 3 seeds"), "{html}");
    assert_eq!(html.matches("missing").count(), 23, "every cell without a run says so");
}

#[test]
fn quantized_table_and_figure_have_the_difference_to_full_precision() {
    let mut records = seeds(&[Some(9800)]);
    records.push(record(json!({ "quantization": weights("uniform-symm", "global", 3) }), Some(4000)));
    records.push(record(json!({ "quantization": weights("uniform-symm", "global", 4) }), None));
    let report = report("quantized", &records);
    let named = |name: &str| report.quantized.iter().find(|table| table.name == name).unwrap().csv();
    let csv = named("quantized-mnist-uniform-symm-global");
    assert!(csv.contains("\nbackpropagation,2x100,3,40.00,,1,0,98.00,-58.00\n"), "{csv}");
    assert!(csv.contains("\nbackpropagation,2x100,4,diverged,,0,1,98.00,\n"), "{csv}");
    assert!(named("quantized-mnist-uniform-asymm-local").contains("\nbackpropagation,2x100,3,missing,,0,0,98.00,\n"));
    let figure = &report.bits[0];
    assert_eq!(
        figure.csv(),
        "panel,line,x,mean_percent,deviation_points,seeds,diverged\n\
         \"2x100, global range\",\"backpropagation, uniform-symm\",3,40.00,,1,0\n\
         \"2x100, global range\",\"backpropagation, uniform-symm\",4,diverged,,0,1\n\
         \"2x100, global range\",\"backpropagation, uniform-symm\",full,98.00,,1,0\n"
    );
    let page = report.html().unwrap();
    assert!(page.contains("MNIST: 2 of the 672 places"));
    assert!(page.contains("<li>backpropagation 2x100 uniform-symm global: 2, 5, 6, 7, 8 bits</li>"));
    assert!(page.contains("backpropagation 2x100 uniform-symm global 4 bits: 1 of 1 runs"));
    assert!(page.contains("1.50 h over all runs, one thread each, of which 1.00 h are of 2 runs as in S003's study"));
    assert!(page.contains("1 runs diverged in all, 0 of them outside the grid"));
}

#[test]
fn limit_of_bits_is_neither_below_six_nor_beyond_eight() {
    for (least, expected) in
        [(5, Verdict::DoesNotHold), (6, Verdict::Holds), (8, Verdict::Holds), (9, Verdict::DoesNotHold)]
    {
        let mut records = seeds(&[Some(9800)]);
        for bits in s003::BITS {
            let correct = if bits >= least { 9700 } else { 2000 };
            let quantization = weights("uniform-symm", "global", bits);
            records.push(record(json!({ "quantization": quantization }), Some(correct)));
        }
        let report = report(&format!("limit-{least}"), &records);
        let word = if least > 8 { "more than 8".to_string() } else { least.to_string() };
        let told = format!("The median is {word} with a global range and not recorded with a local one.");
        assert_eq!(verdict(&report, "h2"), (expected, told));
    }
}

#[test]
fn runs_of_two_recipes_are_not_averaged() {
    let mut records = seeds(&[Some(9800), Some(9810)]);
    records.push(record(json!({ "learning_rate": 0.5 }), Some(1000)));
    records.push(record(json!({ "held_out": 1000, "seed": 7 }), Some(1000)));
    let report = report("recipes", &records);
    assert!(report.full_precision[0].csv().contains("\n2x100,backpropagation,98.05,0.07,2,0,98.18,-0.13\n"));
    let [choice] = &report.grid.choices[..] else { panic!("{:?}", report.grid.choices) };
    assert_eq!((choice.left_out, choice.quantized), (1, false));
    assert!(choice.recipe.contains("learning_rate 0.001"), "{}", choice.recipe);
    assert!(report.html().unwrap().contains("1 runs are left out: they are evaluated on held-out"));
}

#[test]
fn each_architecture_stands_in_full_precision_with_its_own_recipe() {
    let tuned = |seed: u64| record(json!({ "hidden": "1x4", "activation": "tanh", "seed": seed }), Some(8800));
    let mut records = seeds(&[Some(9800), Some(9800)]);
    records.extend([record(json!({ "hidden": "1x4" }), Some(7000)), tuned(0), tuned(1)]);
    // As many runs as the first recipe, whose architectures are more.
    records.extend([0, 1].map(|seed| record(json!({ "gain": "fan-in", "seed": seed }), Some(9700))));
    let report = report("own-recipes", &records);
    let table = report.full_precision[0].csv();
    assert!(table.contains("\n1x4,backpropagation,88.00,0.00,2,0,87.07,+0.93\n"), "{table}");
    assert!(table.contains("\n2x100,backpropagation,98.00,0.00,2,0,98.18,-0.18\n"), "{table}");
    let [tanh, relu] = &report.grid.choices[..] else { panic!("{:?}", report.grid.choices) };
    assert_eq!((tanh.hidden[0].to_string(), tanh.left_out), ("1x4".into(), 1));
    assert_eq!((relu.hidden[0].to_string(), relu.left_out), ("2x100".into(), 2));
}

#[test]
fn recipe_leaves_out_the_settings_of_other_algorithms() {
    let of = |changes: Value| {
        let config: RunConfig = serde_json::from_value(record(changes, Some(1)).config).unwrap();
        recipe(&config)
    };
    assert_eq!(of(json!({})), of(json!({ "hsic_beta": 3.0, "module_rate": 2.0, "seed": 3, "hidden": "1x4" })));
    assert_ne!(of(json!({ "algorithm": "hsic" })), of(json!({ "algorithm": "hsic", "hsic_beta": 3.0 })));
    assert_ne!(of(json!({})), of(json!({ "gain": "fan-in" })));
}

#[test]
fn hypotheses_follow_the_records() {
    let mut records = Vec::new();
    for algorithm in Algorithm::ALL {
        for hidden in ["2x50", "2x100", "3x50", "3x100"] {
            let base = |quantization: Option<Value>| {
                let mut value = json!({ "algorithm": algorithm, "hidden": hidden });
                if let Some(quantization) = quantization {
                    value["quantization"] = quantization;
                }
                value
            };
            let wide = if hidden.ends_with("100") { 100 } else { 0 };
            records.push(record(base(None), Some(9500)));
            for bits in s003::BITS {
                for (quantizer, better) in [("uniform-symm", 200), ("uniform-asymm", 0)] {
                    // Usable from 7 bits on with a global range, from 4 with a local one.
                    for (range, least) in [("global", 7), ("local", 4)] {
                        let level = if bits >= least { 9100 } else { 2000 };
                        let hsic = usize::from(algorithm == Algorithm::Hsic);
                        let correct = level + better + wide + hsic;
                        records.push(record(base(Some(weights(quantizer, range, bits))), Some(correct)));
                    }
                }
            }
        }
    }
    let report = report("hypotheses", &records);
    assert_eq!(verdict(&report, "h1"), (Verdict::Holds, "12 of 12 cells are.".into()));
    let (holds, told) = verdict(&report, "h2");
    assert_eq!(holds, Verdict::Holds);
    assert_eq!(told, "The median is 7 with a global range and 4 with a local one.");
    let (holds, told) = verdict(&report, "h3");
    assert_eq!(holds, Verdict::DoesNotHold);
    assert_eq!(
        told,
        "0 (0 %) of 224 are; SYMM is better in 224 (100 %), worse in 0 (0 %), by +2.00 points on average."
    );
    assert_eq!(verdict(&report, "h4"), (Verdict::Holds, "It is best in 112 of 112.".into()));
    let (holds, told) = verdict(&report, "h5");
    assert_eq!(holds, Verdict::Holds);
    assert!(told.contains("better in 224 (100 %) of 224 and changes accuracy by +1.00 points"), "{told}");
    assert!(told.ends_with("a layer more is better in 0 (0 %) of 224 and changes it by +0.00."), "{told}");
    let (holds, told) = verdict(&report, "local");
    assert_eq!(holds, Verdict::DoesNotHold, "{told}");
    assert!(told.starts_with("It is better in 96 (43 %) of 224, worse in 0 (0 %)"), "{told}");
    assert_eq!(verdict(&report, "three-bits").0, Verdict::Holds);
    assert_eq!(report.grid.missing(DataSet::Mnist).len(), s003::RUNS - 448);

    // Runs on the digits stand beside S003's sets, and judge nothing there.
    records.push(record(json!({ "data_set": "digits" }), Some(9000)));
    records.push(record(json!({ "data_set": "digits", "algorithm": "hsic" }), Some(3000)));
    let beside = self::report("digits", &records);
    assert_eq!(beside.full_precision.len(), 2);
    assert_eq!(verdict(&beside, "h1"), (Verdict::Holds, "12 of 12 cells are.".into()));
    let alone = self::report("digits-alone", &records[records.len() - 2..]);
    assert_eq!(verdict(&alone, "h1"), (Verdict::DoesNotHold, "0 of 1 cells are.".into()));
}

#[test]
fn width_that_costs_accuracy_does_not_make_up_for_quantization() {
    let at = |hidden: &str, bits: usize, correct: usize| {
        record(json!({ "hidden": hidden, "quantization": weights("uniform-symm", "local", bits) }), Some(correct))
    };
    let mut records = Vec::new();
    for (bits, wide) in [(2, 9010), (3, 9010), (4, 1000)] {
        records.extend([at("2x50", bits, 9000), at("2x100", bits, wide), at("3x50", bits, 500)]);
    }
    let (verdict, told) = verdict(&report("width", &records), "h5");
    assert_eq!(verdict, Verdict::DoesNotHold);
    assert!(
        told.starts_with("Twice the width is better in 2 (67 %) of 3 and changes accuracy by -26.60 points"),
        "{told}"
    );
}

#[test]
fn statement_without_its_runs_is_told_as_not_recorded() {
    let report = report("alone", &seeds(&[Some(9800)]));
    for finding in &report.findings {
        assert_eq!(finding.verdict, Verdict::NotRecorded, "{}", finding.name);
        assert_eq!(finding.told(), finding.rule);
    }
    assert!(report.bits.is_empty() && report.storages.is_empty() && report.noise.is_empty());
    let page = report.html().unwrap();
    for absent in ["id=\"bits\"", "id=\"storage\"", "id=\"post-training\"", "id=\"noise\""] {
        assert!(!page.contains(absent), "{absent}");
    }
}

#[test]
fn storages_and_noise_are_drawn_where_two_or_more_are_recorded() {
    let mut records = Vec::new();
    for (storage, correct) in [("in-place", 3000), ("in-place-stochastic", 9500), ("latent", 9700)] {
        let mut quantization = weights("uniform-symm", "global", 3);
        quantization["storage"] = storage.into();
        records.push(record(json!({ "quantization": quantization, "gain": "fan-in" }), Some(correct)));
    }
    // On another set every storage has a rate that suits it.
    for (storage, rate, correct) in [("latent", 0.01, 8800), ("in-place", 0.01, 5000), ("in-place", 0.003, 4000)] {
        let mut quantization = weights("uniform-symm", "global", 3);
        quantization["storage"] = storage.into();
        let config = json!({ "quantization": quantization, "data_set": "fashion-mnist", "learning_rate": rate });
        records.push(record(config, Some(correct)));
    }
    for (sigma, correct) in [(0.0, 9800), (0.5, 9000)] {
        records.push(record(json!({ "noise_sigma": sigma }), Some(correct)));
    }
    let report = report("storages", &records);
    let [of_fashion, storages] = &report.storages[..] else { panic!("{:?}", report.storages) };
    let title = "\"backpropagation, 2x100, uniform-symm, global\"";
    let lines = format!(
        "panel,line,x,mean_percent,deviation_points,seeds,diverged\n{title},in-place,3,30.00,,1,0\n\
         {title},in-place-stochastic,3,95.00,,1,0\n{title},latent,3,97.00,,1,0\n"
    );
    assert_eq!(storages.csv(), lines);
    let lines = format!(
        "panel,line,x,mean_percent,deviation_points,seeds,diverged\n{title},\"in-place, rate 0.003\",3,40.00,,1,0\n\
         {title},\"in-place, rate 0.01\",3,50.00,,1,0\n{title},\"latent, rate 0.01\",3,88.00,,1,0\n"
    );
    assert_eq!(of_fashion.csv(), lines);
    let dashed: Vec<bool> = of_fashion.panels[0].lines.iter().map(|line| line.stroke.dashed).collect();
    assert_eq!(dashed, [false, true, false]);
    assert!(of_fashion.caption.ends_with("learning rate 0.003 or 0.01."), "{}", of_fashion.caption);
    let [noise] = &report.noise[..] else { panic!("{:?}", report.noise) };
    assert!(noise.csv().ends_with(
        "\n2x100,\"backpropagation, full precision\",0,98.00,,1,0\n2x100,\"backpropagation, full precision\",0.5,90.00,,1,0\n"
    ));
    let (verdict, told) = verdict(&report, "three-bits");
    assert_eq!(verdict, Verdict::DoesNotHold);
    assert!(told.starts_with("2 of 3 kinds below do, of those in place") && told.contains(" 1 of 2."), "{told}");
}

#[test]
fn files_are_the_same_twice_stand_alone_and_escape_what_they_quote() {
    let mut records = seeds(&[Some(9800), None]);
    records.push(record(json!({ "quantization": weights("uniform-asymm", "local", 8) }), Some(9700)));
    // The order of the lines changes the checksum of their file, and nothing else.
    let files = |records: &[Record]| -> Vec<(String, String)> {
        let files = report("same", records).files().unwrap();
        files.into_iter().map(|(name, text)| (name, text.replace(&sha256_of(records), "CHECKSUM"))).collect()
    };
    let first = files(&records);
    records.reverse();
    assert!(first == files(&records), "two reports of the same runs differ");
    let names: BTreeSet<&String> = first.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), first.len(), "no file is written twice");
    assert!(names.contains(&"bits-mnist.svg".to_string()) && names.contains(&"bits-mnist.csv".to_string()));
    let page = &first[0].1;
    assert!(page.contains("CHECKSUM") && page.contains("a&lt;b&gt;.jsonl") && !page.contains("a<b>.jsonl"));
    for outside in ["http://", "https://", "<script", "<link", "<img", "@import"] {
        assert!(!page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "").contains(outside), "{outside}");
    }
    let (_, svg) = first.iter().find(|(name, _)| name == "bits-mnist.svg").unwrap();
    assert!(!svg.contains("var(") && !svg.contains("currentColor"), "a paper's figure needs no style sheet");
    assert!(svg.contains("fill=\"#ffffff\"") && svg.trim_end().ends_with("</svg>"));
}

fn sha256_of(records: &[Record]) -> String {
    let lines: String = records.iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect();
    sha256(lines.as_bytes())
}

#[test]
fn records_that_are_damaged_absent_or_at_odds_are_refused() {
    let scratch = Scratch::new("refused");
    let records = seeds(&[Some(9800), Some(9810)]);
    let good = scratch.file("records.jsonl", &records);
    let read = |files: &[&Path]| Runs::read(&files.iter().map(|file| file.to_path_buf()).collect::<Vec<_>>());
    let told = |files: &[&Path]| read(files).unwrap_err().to_string();

    assert_eq!(read(&[&scratch.0, &good]).unwrap().runs.len(), 2, "a run that two files hold counts once");

    let text = std::fs::read_to_string(&good).unwrap();
    let damaged = scratch.0.join("damaged.jsonl");
    std::fs::write(&damaged, text.replacen("\"epochs\":2", "\"epochs\":3", 1)).unwrap();
    assert!(told(&[&damaged]).starts_with(&format!("{}, line 1: the identity is ", damaged.display())));

    let torn = scratch.0.join("torn.jsonl");
    std::fs::write(&torn, &text[..text.len() - 10]).unwrap();
    let runs = read(&[&torn]).unwrap();
    assert_eq!(runs.runs.len(), 1);
    assert!(SweepReport::new(runs, String::new()).html().unwrap().contains("a torn last line of"));

    let odd = scratch.file("odd.jsonl", &[Record { epochs: records[1].epochs.clone(), ..records[0].clone() }]);
    assert_eq!(
        told(&[&good, &odd]),
        format!(
            "run {}: {} and {} record different results of it; leave one of them out, and find out which machine or build \
             is at fault",
            records[0].identity,
            good.display(),
            odd.display()
        )
    );

    let absent = scratch.0.join("absent.jsonl");
    assert_eq!(
        told(&[&absent]),
        format!(
            "{} is not there; give a records file, or the folder that `bitline sweep run` wrote its records into",
            absent.display()
        )
    );
    let study = scratch.0.join("study.toml");
    std::fs::write(&study, "name = \"study\"\n").unwrap();
    assert!(told(&[&study]).ends_with(
        "study.toml is a study; give the folder that `bitline sweep run` wrote its records into, or its records file"
    ));
    let empty = scratch.file("empty.jsonl", &[]);
    assert_eq!(told(&[&empty]), format!("{} hold no run; run `bitline sweep run` first", empty.display()));

    let bare = scratch.file("bare.jsonl", &[Record { epochs: vec![], ..records[0].clone() }]);
    assert_eq!(
        told(&[&bare]),
        format!(
            "{}, run {}: it has neither epochs nor a failure; make its report with the version of bitline that wrote it, 9.9.9",
            bare.display(),
            records[0].identity
        )
    );
}

#[test]
fn csv_quotes_commas_quotes_and_line_ends() {
    let row = ["a,b", "c\"d", "e\nf", "g"].map(String::from).to_vec();
    assert_eq!(tables::csv(&[row]), "\"a,b\",\"c\"\"d\",\"e\nf\",g\n");
}

#[test]
fn post_training_stands_beside_training_on_the_levels() {
    let asked = json!([{ "quantizer": "uniform-symm", "range": "local", "bits": [2, 3] },
                       { "quantizer": "levels", "range": "local", "levels": [-1.0, 0.25, 1.0] }]);
    let after = |correct: [usize; 3]| {
        let line = |kind: Value, correct: usize| {
            let mut line = json!({ "range": "local", "test_correct": correct, "test_images": 10000 });
            kind.as_object().unwrap().iter().for_each(|(key, value)| line[key] = value.clone());
            line
        };
        json!([
            line(json!({ "quantizer": "uniform-symm", "bits": 2 }), correct[0]),
            line(json!({ "quantizer": "uniform-symm", "bits": 3 }), correct[1]),
            line(json!({ "quantizer": "levels", "levels": [-1.0, 0.25, 1.0] }), correct[2]),
        ])
    };
    let mut records = Vec::new();
    for (seed, correct) in [(0, [5000, 9000, 8000]), (1, [5200, 9200, 8200])] {
        let mut full = record(json!({ "seed": seed, "post_training": asked }), Some(9800));
        full.epochs[1]["post_training"] = after(correct);
        records.push(full);
        // The same training without evaluations counts once.
        records.push(record(json!({ "seed": seed }), Some(9800)));
    }
    let latent = |quantization: Value| record(json!({ "quantization": quantization }), Some(9700));
    records.push(latent(json!({ "quantizer": "uniform-symm", "range": "local", "storage": "latent", "bits": 2 })));
    let table =
        json!({ "quantizer": "levels", "range": "local", "storage": "latent", "bits": 8, "levels": [-1.0, 0.25, 1.0] });
    records.push(latent(table));
    records.push(record(json!({ "quantization": weights("uniform-symm", "local", 2) }), Some(100)));
    let report = report("post-training", &records);
    let [figure] = &report.post_training[..] else { panic!("{:?}", report.post_training) };
    let title = "\"backpropagation, 2x100, uniform-symm, local\"";
    assert_eq!(
        figure.csv(),
        format!(
            "panel,line,x,mean_percent,deviation_points,seeds,diverged\n\
             {title},quantized after training,2,51.00,1.41,2,0\n{title},quantized after training,3,91.00,1.41,2,0\n\
             {title},quantized after training,A,81.00,1.41,2,0\n\
             {title},trained on the levels (latent),2,97.00,,1,0\n{title},trained on the levels (latent),A,97.00,,1,0\n\
             {title},full precision,full,98.00,0.00,2,0\n"
        )
    );
    assert!(figure.caption.ends_with("A: 3 levels, -1 0.25 1."), "{}", figure.caption);
    assert!(report.html().unwrap().contains("id=\"post-training\""));
    assert!(report.full_precision[0].csv().contains("\n2x100,backpropagation,98.00,0.00,2,0,98.18,-0.18\n"));
    let files: Vec<String> = report.files().unwrap().into_iter().map(|(name, _)| name).collect();
    assert!(files.contains(&"post-training-mnist.svg".into()) && files.contains(&"post-training-mnist.csv".into()));
}

/// A record of S002's network with `PSSign`, trained under a sigma, with counts of draws at sigma 0 and 0.4.
fn noisy(seed: usize, trained: f64, draws: [usize; 2]) -> Record {
    let quantization = json!({ "quantizer": "bin-ws", "bits": 1, "range": "global", "storage": "latent" });
    let changes = json!({ "seed": seed, "noise_sigma": trained, "quantization": quantization, "activation": "ps-sign",
                          "noise_evaluation": [0.0, 0.4], "noise_draws": 2 });
    let mut record = record(changes, Some(9400));
    record.epochs[1]["noise_evaluation"] = json!([
        { "sigma": 0.0, "test_correct": [9400], "test_images": 10000 },
        { "sigma": 0.4, "test_correct": draws, "test_images": 10000 },
    ]);
    record
}

#[test]
fn draws_of_noise_stand_beside_s002_and_join_no_other_runs() {
    let report =
        report("noisy", &[noisy(0, 0.0, [9000, 8800]), noisy(1, 0.0, [8600, 8400]), noisy(0, 0.7, [9300, 9300])]);
    let (figures, tables) = &report.noise_evaluation;
    assert_eq!((figures.len(), figures[0].name.as_str()), (1, "noise-evaluation-mnist-backpropagation"));
    let [panel] = &figures[0].panels[..] else { panic!("{:?}", figures[0].panels) };
    assert_eq!(panel.title, "2x100, bin-ws global, ps-sign");
    let labels: Vec<&str> = panel.lines.iter().map(|line| line.stroke.label.as_str()).collect();
    assert_eq!(labels, ["trained under sigma 0", "trained under sigma 0.7"]);
    let (sigma, cell) = &panel.lines[0].points[1];
    assert_eq!((*sigma, cell.mean(), cell.accuracies.len()), (0.4, Some(87.0), 4));
    assert_eq!(
        tables[0].csv(),
        "network,trained_sigma,evaluated_sigma,mean_percent,deviation_points,draws,diverged,s002_percent\n\
         \"2x100, bin-ws global, ps-sign\",0,0,94.00,0.00,2,0,94.40\n\
         \"2x100, bin-ws global, ps-sign\",0,0.4,87.00,2.58,4,0,88.60\n\
         \"2x100, bin-ws global, ps-sign\",0.7,0,94.00,,1,0,92.03\n\
         \"2x100, bin-ws global, ps-sign\",0.7,0.4,93.00,0.00,2,0,91.45\n"
    );
    // What is evaluated afterwards makes no recipe of its own.
    let config = noisy(0, 0.0, [1, 1]).config;
    assert!(!recipe(&serde_json::from_value(config).unwrap()).contains("noise_"));
    assert!(report.html().unwrap().contains("Noise after training (S002, tables II and III)"));
}
