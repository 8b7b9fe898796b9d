//! The page around the figures.

use super::figures::{self, Chart, Ink, Level, Line, Mark};
use super::markup::{details, document, escape, figure, legend, section, table, thousands, words};
use super::{Choice, ReportData, ReportError, SeedResult, SweepData, Training, confusion, s001};
use bitline_golden::registers::RUN_COUNTERS;
use bitline_golden::scale_factor::{Sweep, scale_factor_of};
use bitline_train::statistics::spread;
use std::fmt::Write as _;

fn percent(part: u32, whole: usize) -> String {
    format!("{:.2} %", f64::from(part) / whole.max(1) as f64 * 100.0)
}

/// The page.
///
/// # Errors
/// [`ReportError::Figure`].
pub(super) fn html(data: &ReportData) -> Result<String, ReportError> {
    let body = [
        summary(data)?,
        section("counters", "Counters: hardware beside golden", &counters(data)),
        section("confusion", "Which digit was taken for which", &confusion_section(data)?),
        section("crossbar", "The crossbar", &crossbar(data)?),
        section("training", "Training (S001, Fig. 5)", &training(data)?),
        section("scale-factor", "Scale factor against accuracy (S001, Fig. 6)", &scale_factor(data)?),
        section("seeds", "Other seeds", &seeds(data)),
        section("origin", "Where these numbers come from", &origin(data)),
    ]
    .concat();
    let title = format!(
        "bitline: {machine}, {correct} of {images}",
        machine = data.machine.name,
        correct = data.run.predicted.correct,
        images = data.run.labels.len(),
    );
    Ok(document(&title, &body))
}

fn verdict(data: &ReportData) -> (&'static str, &'static str) {
    match (data.run.is_hardware, data.run.equal) {
        (false, _) => ("absent", "golden model only, no hardware took part"),
        (true, Some(true)) => ("good", "hardware equals golden: every output, every counter"),
        (true, Some(false)) => ("bad", "hardware and golden differ"),
        (true, None) => ("absent", "hardware ran, nothing was compared"),
    }
}

fn summary(data: &ReportData) -> Result<String, ReportError> {
    let run = &data.run;
    let (class, verdict) = verdict(data);
    let correct = run.counted.unwrap_or(run.predicted).correct;
    let images = run.labels.len();
    let binary = format!("{:09b}", run.leds & 0x1FF);
    Ok(format!(
        "<header>\n<p class=\"kicker\">bitline report</p>\n<h1>{correct} of {images} handwritten digits, counted by a \
         {bits}-bit memristor crossbar</h1>\n<p class=\"lead\">Machine <b>{machine}</b>: {rows} rows, {columns} columns of \
         binary devices, {outputs} outputs. Ran on: {engine}. Scale factor {scale_factor}.</p>\n<p class=\"verdict {class}\">{verdict}</p>\n</header>\n\
         <section id=\"leds\"><h2>The LED row as it stands (S001, Fig. 7)</h2>\n{figure}{numbers}</section>\n",
        bits = data.machine.weight_bits,
        machine = escape(&data.machine.name),
        rows = data.machine.rows,
        columns = data.machine.columns(),
        outputs = data.machine.outputs,
        engine = escape(&run.engine),
        scale_factor = match (data.origin.scale_factor, data.origin.scale_factor_choice.as_str()) {
            (Some(factor), "") => format!("{factor:.4}, how it was chosen is not recorded"),
            (Some(factor), choice) => format!("{factor:.4}, chosen on the {}", escape(choice)),
            (None, _) => "not recorded".to_string(),
        },
        figure = figure(
            &figures::leds(run.leds)?.replacen("<svg ", "<svg class=\"leds\" ", 1),
            &format!(
                "{binary}<sub>2</sub> = {leds}, the low nine bits of the counter <code>correct</code>; most significant \
                 bit on the left. S001's photograph shows 100010001<sub>2</sub> = 273, with that bit on the right.",
                leds = run.leds
            )
        ),
        numbers = details(
            "The numbers",
            &table(
                &words(&["LED", "worth", "state"]),
                &(0..9)
                    .rev()
                    .map(|bit| {
                        let state = if run.leds >> bit & 1 == 1 { "lit" } else { "dark" };
                        vec![bit.to_string(), (1 << bit).to_string(), state.to_string()]
                    })
                    .collect::<Vec<_>>()
            )
        ),
    ))
}

fn counters(data: &ReportData) -> String {
    let predicted = data.run.predicted.values();
    let counted = data.run.counted.map(|c| c.values());
    let rows: Vec<Vec<String>> = RUN_COUNTERS
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let hardware = counted.map_or("not run".to_string(), |c| thousands(c[i]));
            let equal = match counted {
                None => "",
                Some(c) if c[i] == predicted[i] => "<span class=\"good\">equal</span>",
                Some(_) => "<span class=\"bad\">differs</span>",
            };
            vec![format!("<code>{name}</code>"), hardware, thousands(predicted[i]), equal.to_string()]
        })
        .collect();
    let images = data.run.predicted.images.max(1);
    format!(
        "<p>What the registers held after the run, beside what the golden model predicts for it. No tolerance: one clock \
         of difference is a defect. {:.2} clocks an image, {:.2} of them with the array at work.</p>\n{}",
        data.run.predicted.cycles as f64 / images as f64,
        data.run.predicted.busy_cycles as f64 / images as f64,
        table(&words(&["counter", "hardware", "golden predicts", ""]), &rows)
    )
}

fn confusion_section(data: &ReportData) -> Result<String, ReportError> {
    let classes = data.machine.outputs;
    let matrix = confusion(classes, &data.run.labels, &data.run.classes);
    let mut head = vec!["label".to_string()];
    head.extend((0..classes).map(|class| class.to_string()));
    head.extend(words(&["images", "correct"]));
    let rows: Vec<Vec<String>> = matrix
        .iter()
        .enumerate()
        .map(|(label, row)| {
            let total: u32 = row.iter().sum();
            let mut cells = vec![label.to_string()];
            cells.extend(row.iter().map(u32::to_string));
            cells.extend([total.to_string(), percent(row[label], total as usize)]);
            cells
        })
        .collect();
    let wrong: Vec<Vec<String>> = data
        .run
        .labels
        .iter()
        .zip(&data.run.classes)
        .zip(&data.run.margins)
        .enumerate()
        .filter(|(_, ((label, class), _))| u16::from(**label) != **class)
        .map(|(image, ((label, class), margin))| {
            vec![image.to_string(), label.to_string(), class.to_string(), margin.to_string()]
        })
        .collect();
    let count = wrong.len();
    let svg = figures::confusion(&matrix)?.replacen("<svg ", "<svg class=\"square\" ", 1);
    Ok(figure(&svg, "Images by true digit (rows) and by the class the crossbar gave (columns).")
        + &details("The numbers", &table(&head, &rows))
        + &details(
            &format!("The {count} images that were taken for another digit"),
            &table(&words(&["test image", "label", "class", "margin over the runner-up"]), &wrong),
        ))
}

fn crossbar(data: &ReportData) -> Result<String, ReportError> {
    let (machine, devices) = (&data.machine, &data.devices);
    let low = (0..devices.rows())
        .flat_map(|row| (0..devices.columns()).map(move |column| (row, column)))
        .filter(|(row, column)| devices.get(*row, *column))
        .count();
    let total = devices.rows() * devices.columns();
    let rows: Vec<String> = (0..devices.rows())
        .map(|row| {
            let states = (0..devices.columns()).map(|column| {
                let gap = if column > 0 && column.is_multiple_of(machine.weight_bits) { " " } else { "" };
                format!("{gap}{}", u8::from(devices.get(row, column)))
            });
            format!("{row:3}  {}", states.collect::<String>())
        })
        .collect();
    let stuck = devices.stuck_devices();
    let svg = figures::crossbar(machine, devices)?.replacen("<svg ", "<svg class=\"crossbar\" ", 1);
    Ok(format!(
        "<p>Every device in place: {} of {} store a 1 in the low-resistance state ({} \u{3a9}), the others a 0 in the \
         high-resistance state ({} \u{3a9}). An output owns {} columns, bit 0 of its weights leftmost; the last one counts \
         negatively. The bottom {} the biases; devices stuck: {stuck}.</p>\n",
        thousands(low as u64),
        thousands(total as u64),
        thousands(machine.conductance.lrs_ohms.into()),
        thousands(machine.conductance.hrs_ohms.into()),
        machine.weight_bits,
        if machine.bias_rows == 1 { "row holds".to_string() } else { format!("{} rows hold", machine.bias_rows) },
    ) + &legend(&[(Ink::Low, "LRS, stores 1"), (Ink::High, "HRS, stores 0")])
        + &figure(
            &svg,
            "Rows are inputs, top to bottom in the image's reading order; columns are bits of the outputs' weights.",
        )
        + &details("The numbers: one line a row, 1 is LRS", &format!("<pre>{}</pre>", rows.join("\n"))))
}

fn training(data: &ReportData) -> Result<String, ReportError> {
    let Some(Training { history, train_images, test_images }) = &data.training else {
        return Ok("<p class=\"absent\">The network file holds no training history.</p>\n".into());
    };
    let Some(last) = history.last() else {
        return Ok("<p class=\"absent\">The training history is empty.</p>\n".into());
    };
    let line = |ink, value: &dyn Fn(&bitline_golden::network::EpochRecord) -> f64| Line {
        ink,
        points: history.iter().map(|record| (record.epoch as f64, value(record))).collect(),
    };
    let share = |correct: usize, images: usize| correct as f64 / images.max(1) as f64 * 100.0;
    let (train_share, test_share) = (
        |r: &bitline_golden::network::EpochRecord| share(r.train_correct, *train_images),
        |r: &bitline_golden::network::EpochRecord| share(r.test_correct, *test_images),
    );
    let epochs = (1.0, (last.epoch as f64).max(2.0));
    let highest = history.iter().map(|r| r.train_loss.max(r.test_loss)).fold(0.0, f64::max);
    let loss = Chart {
        name: "loss by epoch",
        x_title: "epoch",
        y_title: "cross-entropy, nats",
        x: epochs,
        y: (0.0, (highest * 1.05).max(0.1)),
        y_digits: 1,
        x_digits: 0,
        lines: vec![line(Ink::Train, &|r| r.train_loss), line(Ink::Test, &|r| r.test_loss)],
        marks: vec![],
        levels: vec![],
    };
    let accuracy = Chart {
        name: "accuracy by epoch",
        x_title: "epoch",
        y_title: "correct, %",
        x: epochs,
        y: (80.0, 100.0),
        y_digits: 0,
        x_digits: 0,
        lines: vec![line(Ink::Train, &train_share), line(Ink::Test, &test_share)],
        marks: vec![],
        levels: vec![
            Level { y: share(1472, 1500), label: "S001 training, 1472 of 1500".into(), ink: Ink::Published },
            Level { y: share(270, 297), label: "S001 test, 270 of 297".into(), ink: Ink::Published },
        ],
    };
    let rows: Vec<Vec<String>> = history
        .iter()
        .map(|r| {
            vec![
                r.epoch.to_string(),
                format!("{:.6}", r.train_loss),
                format!("{:.6}", r.test_loss),
                r.train_correct.to_string(),
                r.test_correct.to_string(),
            ]
        })
        .collect();
    let head = words(&["epoch", "training loss", "test loss", "training correct", "test correct"]);
    let caption = format!(
        "After epoch {}: training loss {:.4}, test loss {:.4}; {} of {train_images} training and {} of {test_images} test \
         images correct in float. S001 calls the test images its validation set.",
        last.epoch, last.train_loss, last.test_loss, last.train_correct, last.test_correct
    );
    Ok(legend(&[(Ink::Train, "training images"), (Ink::Test, "test images"), (Ink::Published, "S001's final figures")])
        + &figure(&loss.svg()?, "Loss.")
        + &figure(&accuracy.svg()?, &caption)
        + &details(&format!("The numbers: {} epochs", history.len()), &table(&head, &rows)))
}

/// Letters of the choices on the charts.
const LETTERS: [&str; 6] = ["A", "B", "C", "D", "E", "F"];

fn choice_ink(choice: &Choice) -> Ink {
    match choice.name.as_str() {
        name if name.contains("test") => Ink::Test,
        name if name.contains("held") => Ink::HeldOut,
        _ => Ink::Train,
    }
}

fn choice_name(choice: &Choice) -> String {
    let leak = if choice.leaks { " <span class=\"bad\">leaks</span>" } else { "" };
    let shipped = if choice.shipped { " <span class=\"tag\">shipped</span>" } else { "" };
    format!("{}{leak}{shipped}", escape(&choice.name))
}

fn scale_factor(data: &ReportData) -> Result<String, ReportError> {
    let Some(sweep) = &data.sweep else {
        return Ok("<p class=\"absent\">The network file holds no float weights to sweep.</p>\n".into());
    };
    let share = |sweep: &Sweep, correct: u32| f64::from(correct) / sweep.images.max(1) as f64 * 100.0;
    let line = |ink, sweep: &Sweep| Line {
        ink,
        points: sweep.correct.iter().zip(1u32..).map(|(c, step)| (scale_factor_of(step), share(sweep, *c))).collect(),
    };
    let lines = || {
        let mut lines = vec![line(Ink::Train, &sweep.train)];
        lines.extend(sweep.held_out.as_ref().map(|s| line(Ink::HeldOut, s)));
        lines.push(line(Ink::Test, &sweep.test));
        lines
    };
    let marks = || -> Vec<Mark> {
        let mark = |(choice, letter): (&Choice, &&str)| Mark {
            x: choice.scale_factor(),
            label: (*letter).to_string(),
            ink: choice_ink(choice),
        };
        let published = Mark { x: s001::SCALE_FACTOR, label: "S".into(), ink: Ink::Published };
        sweep.choices.iter().zip(&LETTERS).map(mark).chain([published]).collect()
    };
    let end = scale_factor_of(sweep.test.correct.len().max(sweep.train.correct.len()) as u32);
    let whole = Chart {
        name: "scale factor against accuracy",
        x_title: "scale factor",
        y_title: "correct, %",
        x: (0.0, end),
        y: (0.0, 100.0),
        y_digits: 0,
        x_digits: 2,
        lines: lines(),
        marks: marks(),
        levels: vec![],
    };
    // The part where the choices lie: a third beyond the outermost on either side, the top tenth of the accuracies.
    let factors = sweep.choices.iter().map(Choice::scale_factor).chain([s001::SCALE_FACTOR]);
    let (low, high) = factors.fold((f64::MAX, f64::MIN), |(low, high), f| (low.min(f), high.max(f)));
    let room = ((high - low) / 3.0).max(0.05);
    let top = sweep.train.correct.iter().map(|c| share(&sweep.train, *c)).fold(0.0, f64::max);
    let near = Chart {
        name: "scale factor against accuracy, where the choices lie",
        x: ((low - room).max(0.0), (high + room).min(end)),
        y: (top - 12.0, (top + 1.0).min(100.0)),
        lines: lines(),
        marks: marks(),
        levels: vec![Level {
            y: f64::from(s001::TEST) / 297.0 * 100.0,
            label: "S001 test, 273 of 297".into(),
            ink: Ink::Published,
        }],
        ..whole_axes()
    };
    let mut entries = vec![(Ink::Train, "training images"), (Ink::Test, "test images")];
    if sweep.held_out.is_some() {
        entries.push((Ink::HeldOut, "held-out training images"));
    }
    entries.push((Ink::Published, "S001"));
    let rows: Vec<Vec<String>> = sweep
        .choices
        .iter()
        .zip(&LETTERS)
        .map(|(choice, letter)| {
            vec![
                (*letter).to_string(),
                choice_name(choice),
                format!("{:.4}", choice.scale_factor()),
                format!("{} of {}", choice.train_correct, sweep.train.images),
                format!("{} of {}", choice.test_correct, sweep.test.images),
                percent(choice.test_correct, sweep.test.images),
            ]
        })
        .chain([vec![
            "S".into(),
            "S001, on the test images <span class=\"bad\">leaks</span>".into(),
            format!("{:.4}", s001::SCALE_FACTOR),
            String::new(),
            format!("{} of 297", s001::TEST),
            percent(s001::TEST, 297),
        ]])
        .collect();
    Ok(format!(
        "<p>S001's Eq. 2 rounds weight / factor to a {}-bit integer. The factor was swept from 0.0001 in steps of 0.0001. \
         Choosing it on the test images, as S001 does, lets the answer leak into the choice; the other two ways do not \
         look at them.</p>\n",
        data.machine.weight_bits
    ) + &table(
        &words(&["", "chosen on", "scale factor", "training correct", "test correct", "test accuracy"]),
        &rows,
    ) + &legend(&entries)
        + &figure(&whole.svg()?, "The whole sweep, to the factor that rounds every weight to zero.")
        + &figure(&near.svg()?, "Where the choices lie.")
        + &details("The numbers: correct images from each scale factor on, until the next line", &sweep_table(sweep)))
}

/// Axes of the charts of the sweep.
fn whole_axes() -> Chart {
    Chart {
        name: "",
        x_title: "scale factor",
        y_title: "correct, %",
        x: (0.0, 1.0),
        y: (0.0, 100.0),
        y_digits: 1,
        x_digits: 3,
        lines: vec![],
        marks: vec![],
        levels: vec![],
    }
}

/// Every step at which any count changes; between two lines nothing does.
fn sweep_table(sweep: &SweepData) -> String {
    let sweeps: Vec<&Sweep> =
        [Some(&sweep.train), sweep.held_out.as_ref(), Some(&sweep.test)].into_iter().flatten().collect();
    let mut head = vec!["scale factor".to_string(), format!("training, of {}", sweep.train.images)];
    head.extend(sweep.held_out.as_ref().map(|s| format!("held out, of {}", s.images)));
    head.push(format!("test, of {}", sweep.test.images));
    let steps = sweeps.iter().map(|s| s.correct.len()).max().unwrap_or(0) as u32;
    let mut text = head.join("\t");
    let mut before = Vec::new();
    for step in 1..=steps {
        let now: Vec<u32> = sweeps.iter().map(|s| s.correct_at(step)).collect();
        if now != before {
            let cells: Vec<String> = now.iter().map(u32::to_string).collect();
            write!(text, "\n{:.4}\t{}", scale_factor_of(step), cells.join("\t")).expect("a string takes everything");
            before = now;
        }
    }
    format!("<pre>{text}</pre>")
}

fn seeds(data: &ReportData) -> String {
    let Some(first) = data.seeds.first() else {
        return "<p class=\"absent\">No study of several seeds was given.</p>\n".into();
    };
    let mut head = words(&["seed", "float, training", "float, test"]);
    head.extend(first.choices.iter().map(|c| format!("4-bit, test; factor chosen on {}", choice_name_plain(c))));
    let cells = |seed: &SeedResult| -> Vec<String> {
        let mut cells = vec![seed.seed.to_string(), seed.float_train.to_string(), seed.float_test.to_string()];
        cells.extend(
            seed.choices.iter().map(|c| format!("{} <small>at {:.4}</small>", c.test_correct, c.scale_factor())),
        );
        cells
    };
    let mut rows: Vec<Vec<String>> = data.seeds.iter().map(cells).collect();
    let mut columns: Vec<Vec<f64>> = vec![
        data.seeds.iter().map(|s| f64::from(s.float_train)).collect(),
        data.seeds.iter().map(|s| f64::from(s.float_test)).collect(),
    ];
    columns.extend((0..first.choices.len()).map(|i| {
        data.seeds.iter().filter_map(|s| s.choices.get(i)).map(|c| f64::from(c.test_correct)).collect::<Vec<_>>()
    }));
    let mut line = |name: &str, value: &dyn Fn(&[f64]) -> String| {
        let mut row = vec![format!("<b>{name}</b>")];
        row.extend(columns.iter().map(|column| format!("<b>{}</b>", value(column))));
        rows.push(row);
    };
    line("mean", &|column| format!("{:.1}", spread(column).0));
    line("standard deviation", &|column| format!("{:.2}", spread(column).1));
    line("best", &|column| format!("{:.0}", column.iter().copied().fold(f64::MIN, f64::max)));
    let mut published = vec!["S001".to_string(), s001::FLOAT_TRAIN.to_string(), s001::FLOAT_TEST.to_string()];
    published.extend(first.choices.iter().map(|c| {
        if c.leaks { format!("{} <small>at {:.4}</small>", s001::TEST, s001::SCALE_FACTOR) } else { "not told".into() }
    }));
    rows.push(published);
    format!(
        "<p>{} seeds, correct images of 1500 (training) and 297 (test), beside S001's one network.</p>\n{}",
        data.seeds.len(),
        table(&head, &rows)
    )
}

fn choice_name_plain(choice: &Choice) -> String {
    let leak = if choice.leaks { " <span class=\"bad\">leaks</span>" } else { "" };
    format!("{}{leak}", escape(&choice.name))
}

fn origin(data: &ReportData) -> String {
    let origin = &data.origin;
    let machine = &data.machine;
    let code =
        |text: &str| if text.is_empty() { "not recorded".into() } else { format!("<code>{}</code>", escape(text)) };
    let rows = [
        ("bitline", escape(&origin.version)),
        ("network", code(&origin.network)),
        ("seed", origin.seed.to_string()),
        ("scale factor", origin.scale_factor.map_or("not recorded".into(), |sf| format!("{sf:.4}"))),
        ("chosen on", escape(&origin.scale_factor_choice)),
        ("network made by", code(&origin.train_command)),
        ("report made by", code(&origin.report_command)),
        (
            "machine",
            format!(
                "{}: {} rows and {} planes of {} columns a clock",
                escape(&machine.name),
                machine.row_lanes,
                machine.plane_lanes,
                machine.column_lanes
            ),
        ),
        (
            "quantizer",
            format!(
                "clamp((I \u{b7} {} + {}) &gt;&gt; {}, 0, {}), {}",
                machine.quantizer.multiplier,
                (1u64 << machine.quantizer.shift) >> 1,
                machine.quantizer.shift,
                machine.code_max(),
                if machine.is_lossless() { "lossless" } else { "lossy" }
            ),
        ),
    ];
    table(&words(&["", ""]), &rows.map(|(name, value)| vec![name.to_string(), value]))
}
