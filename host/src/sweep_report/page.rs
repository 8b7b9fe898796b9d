//! The page around the figures and tables.

use super::SweepReport;
use super::finding::{Finding, Verdict};
use super::grid::{Choice, belongs, listed};
use super::runs::{LabRun, Setting};
use super::s003::{HOURS, RUNS, title};
use super::tables::{MISSING, percent};
use crate::report::ReportError;
use crate::report::markup::{details, document, escape, figure, section, table, thousands, words};
use bitline_train::image_set::DataSet;
use bitline_train::lab::Hidden;
use std::collections::BTreeSet;

/// The page.
pub(super) fn html(report: &SweepReport) -> Result<String, ReportError> {
    let drawn = |figures: &[super::Panels]| -> Result<String, ReportError> {
        let one = |panels: &super::Panels| {
            let caption =
                format!("{} <small>{name}.svg, {name}.csv</small>", escape(&panels.caption), name = panels.name);
            Ok(figure(&panels.svg()?, &caption))
        };
        figures.iter().map(one).collect()
    };
    let mut body = header(report);
    body += &section("hypotheses", "S003's hypotheses, measured", &hypotheses(report));
    let tables: String = report.full_precision.iter().map(super::Table::html).collect();
    let lead = "<p>Mean and sample standard deviation over seeds of the test accuracy after the last epoch; below it S003's number, \
                which is of one run, and the difference in points.</p>\n";
    body += &section("full-precision", "Full precision (S003, tables 6.1 and 6.2)", &format!("{lead}{tables}"));
    if !report.bits.is_empty() {
        let tables: String =
            report.quantized.iter().map(|table| details(&escape(&table.caption), &table.body())).collect();
        let lead = "<p>S003 gives these as pictures alone, so that no number of its stands beside ours.</p>\n";
        body += &section(
            "bits",
            "Accuracy against bits (S003, figures 5.1 to 5.21)",
            &format!("{lead}{}{tables}", drawn(&report.bits)?),
        );
    }
    if !report.storages.is_empty() {
        body += &section("storage", "Where weights live", &drawn(&report.storages)?);
    }
    if !report.post_training.is_empty() {
        let drawn = drawn(&report.post_training)?;
        body += &section("post-training", "Quantized after training, or trained on the levels", &drawn);
    }
    if !report.noise.is_empty() {
        body += &section("noise", "Noise in training", &drawn(&report.noise)?);
    }
    let (figures, tables) = &report.noise_evaluation;
    if !figures.is_empty() {
        let tables: String = tables.iter().map(|table| details(&escape(&table.caption), &table.body())).collect();
        body += &section(
            "noise-evaluation",
            "Noise after training (S002, tables II and III)",
            &(drawn(figures)? + &tables),
        );
    }
    body += &section("completeness", "What is missing, and what diverged", &completeness(report));
    body += &section("origin", "Where these numbers come from", &origin(report));
    Ok(document(&format!("bitline: sweep of {} runs", report.runs.runs.len()), &body))
}

fn header(report: &SweepReport) -> String {
    let count = |verdict| report.findings.iter().filter(|finding| finding.verdict == verdict).count();
    format!(
        "<header>\n<p class=\"kicker\">bitline sweep report</p>\n<h1>Training under quantization: {runs} runs beside S003's {published}</h1>\n\
         <p class=\"lead\">Of S003's five hypotheses, a finding and its conclusion, {holds} hold here, {not} do not, {open} cannot be told from these \
         records. {diverged} runs diverged. {hours:.2} h of computing, S003's study took {HOURS} h.</p>\n</header>\n",
        runs = thousands(report.runs.runs.len() as u64),
        published = RUNS,
        holds = count(Verdict::Holds),
        not = count(Verdict::DoesNotHold),
        open = count(Verdict::NotRecorded),
        diverged = report.diverged(),
        hours = report.runs.seconds() / 3600.0,
    )
}

fn hypotheses(report: &SweepReport) -> String {
    let class = |verdict| match verdict {
        Verdict::Holds => "good",
        Verdict::DoesNotHold => "bad",
        Verdict::NotRecorded => "absent",
    };
    let one = |finding: &Finding| {
        let numbers = match finding.table.rows.len() {
            0 => String::new(),
            _ => details("The numbers", &finding.table.body()),
        };
        format!(
            "<h3>{}</h3>\n<p><span class=\"{}\"><b>{}</b></span>. S003: {}.<br>{}</p>\n{numbers}",
            escape(finding.statement),
            class(finding.verdict),
            finding.verdict.words(),
            escape(finding.s003),
            escape(&finding.told())
        )
    };
    let sets: Vec<&str> = report.grid.judged().into_iter().map(title).collect();
    let lead = format!(
        "<p>Measured on {}, with weights in place where the last one does not say otherwise. A rule is ours; S003's verdict is its author's.</p>\n",
        sets.join(" and ")
    );
    lead + &report.findings.iter().map(one).collect::<String>()
}

fn list(items: &[String]) -> String {
    format!("<ul>{}</ul>", items.iter().map(|item| format!("<li>{}</li>", escape(item))).collect::<String>())
}

fn completeness(report: &SweepReport) -> String {
    let mut text = String::new();
    for set in report.grid.data_sets.iter().filter(|set| report.grid.has_quantized(**set)) {
        // The digits are not one of S003's sets.
        if *set == DataSet::Digits {
            continue;
        }
        let missing = report.grid.missing(*set);
        text += &format!(
            "<p>{}: {} of the {RUNS} places of S003's grid have a run, {} are {MISSING}.</p>\n",
            title(*set),
            RUNS - missing.len(),
            missing.len()
        );
        if !missing.is_empty() {
            text += &details("The missing ones", &list(&listed(&missing)));
        }
    }
    for set in &report.grid.data_sets {
        let diverged = report.grid.diverged(*set);
        if !diverged.is_empty() {
            text += &format!("<p>{}: runs diverged in {} of the grid's places.</p>\n", title(*set), diverged.len());
            text += &details("Where", &list(&diverged));
        }
    }
    text += &format!(
        "<p>{} runs diverged in all, {} of them outside the grid. A mean is that of the runs that finished, and the table says how many did not; in pairs, \
         a network that diverged loses to one that did not.</p>\n",
        report.diverged(),
        report.diverged() - report.grid_diverged()
    );
    let held_out = report.runs.runs.iter().filter(|run| run.config.held_out > 0).count();
    if held_out > 0 {
        text += &format!(
            "<p>{held_out} runs are left out: they are evaluated on held-out training images, not on the test images.</p>\n"
        );
    }
    let levels =
        report.runs.runs.iter().filter(|run| run.config.quantization.as_ref().is_some_and(|q| !q.levels.is_empty()));
    let levels = levels.count();
    if levels > 0 {
        text += &format!(
            "<p>{levels} runs have a table of levels, which has no number of bits: no figure here shows them against bits.</p>\n"
        );
    }
    let rows: Vec<Vec<String>> = report.grid.choices.iter().map(choice).collect();
    text += "<p>Runs of different recipes are never averaged. Where there are several, the tables and hypotheses take those below: in full \
             precision for each architecture that of most runs, quantized for all that of most settings.</p>\n";
    let head = words(&["set", "algorithm", "weights", "architectures", "runs of others", "recipe"]);
    text + &details("The recipes", &table(&head, &rows))
}

fn choice(choice: &Choice) -> Vec<String> {
    let architectures: Vec<String> = choice.hidden.iter().map(Hidden::to_string).collect();
    vec![
        title(choice.data_set).into(),
        choice.algorithm.to_string(),
        if choice.quantized { "quantized" } else { "full precision" }.into(),
        architectures.join(" "),
        choice.left_out.to_string(),
        escape(&choice.recipe),
    ]
}

fn origin(report: &SweepReport) -> String {
    let runs = &report.runs.runs;
    let joined = |values: BTreeSet<String>| values.into_iter().collect::<Vec<_>>().join(", ");
    let mut rows: Vec<Vec<String>> = Vec::new();
    for file in &report.runs.files {
        let torn = match file.torn_bytes {
            0 => String::new(),
            bytes => format!(", <span class=\"bad\">a torn last line of {bytes} bytes is left out</span>"),
        };
        rows.push(vec![
            format!("<code>{}</code>", escape(&file.path.display().to_string())),
            format!("{} records{torn}, SHA-256 <code>{}</code>", file.records, file.sha256),
        ]);
    }
    let mut line = |name: &str, value: String| rows.push(vec![name.into(), value]);
    line("runs", format!("{}, each counted once", runs.len()));
    line("versions of bitline", escape(&joined(runs.iter().map(|run| run.record.version.clone()).collect())));
    for (set, sum) in runs
        .iter()
        .map(|run| (run.config.data_set.to_string(), run.record.data_sha256.clone()))
        .collect::<BTreeSet<(String, String)>>()
    {
        line(&format!("data, {}", escape(&set)), format!("SHA-256 <code>{}</code>", escape(&sum)));
    }
    let seeds: BTreeSet<u64> = runs.iter().map(|run| run.config.seed).collect();
    line("seeds", seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "));
    let of_study = |run: &&LabRun| run.config.quantization.is_some() && belongs(&Setting::of(&run.config));
    let study: Vec<f64> = runs.iter().filter(of_study).map(|run| run.record.seconds).collect();
    line(
        "time",
        format!(
            "{} h over all runs, one thread each, of which {} h are of {} runs as in S003's study; S003: {HOURS} h for its {RUNS}. A run that was stopped and went on counts from there alone.",
            percent(report.runs.seconds() / 3600.0),
            percent(study.iter().sum::<f64>() / 3600.0),
            study.len()
        ),
    );
    line("report made by", format!("<code>{}</code>", escape(&report.command)));
    table(&words(&["", ""]), &rows)
}
