//! docs/book/leakage.svg: two panels.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use super::study::{RATIOS, ROWS, Record, Setting};

/// A figure of a record.
type Figure = fn(&Record) -> f64;

/// Figures worth a map.
pub const FIGURES: [(&str, Figure); 3] = [
    ("classes changed", |record| record.changed_classes as f64 / record.images as f64),
    ("bits changed", |record| record.changed_bits),
    ("codes wrong", |record| record.wrong_codes),
];

/// Mean of a figure over the random networks of one size.
pub fn mean(records: &[Record], rows: usize, ratio: u32, setting: Setting, figure: Figure) -> f64 {
    let of = |record: &&Record| {
        record.study == "random" && (record.rows, record.ratio, record.setting) == (rows, ratio, setting)
    };
    let figures: Vec<f64> = records.iter().filter(of).map(figure).collect();
    figures.iter().sum::<f64>() / figures.len().max(1) as f64
}

/// Text size, with the family that SVG readers have.
fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK)
}

/// Draw both panels.
pub fn draw(path: &Path, records: &[Record]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (1000, 460)).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(480);
    digits(&left, records)?;
    random(&right, records)?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn digits(area: &Area<'_>, records: &[Record]) -> Result<(), Box<dyn Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption("Digits, 65 rows: correct of 297 test images", font(16))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d((2f64..1000f64).log_scale(), 150f64..300f64)?;
    chart
        .configure_mesh()
        .x_desc("conductance ratio g = R_HRS / R_LRS")
        .y_desc("correct")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    for (setting, name, color, width) in [
        // Wide and first: the reference column's line lies on top of it.
        (Setting::Slope, "no reference column, slope (1 / (g - 1))", RGBColor(140, 190, 240), 7),
        (Setting::FullScale, "no reference column, full scale (1 / g)", RGBColor(200, 60, 40), 2),
        (Setting::Closest, "no reference column, closest codes", RGBColor(40, 140, 70), 2),
        (Setting::Reference, "with reference column", BLACK, 2),
    ] {
        let points = records
            .iter()
            .filter(|record| record.study == "digits" && record.setting == setting)
            .map(|record| (f64::from(record.ratio), record.test_correct.unwrap_or(0) as f64));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(width)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(width)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font(font(12))
        .draw()?;
    Ok(())
}

/// A map: rows upwards, ratio to the right, the darker the more classes changed.
fn random(area: &Area<'_>, records: &[Record]) -> Result<(), Box<dyn Error>> {
    let (columns, lines) = (RATIOS.len(), ROWS.len());
    let mut chart = ChartBuilder::on(area)
        .caption("Random networks, full scale: classes changed, in %", font(16))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(-2f64..columns as f64, -1f64..lines as f64)?;
    chart.configure_mesh().disable_mesh().disable_x_axis().disable_y_axis().x_labels(0).y_labels(0).draw()?;
    for (y, rows) in ROWS.iter().enumerate() {
        for (x, ratio) in RATIOS.iter().enumerate() {
            let share = mean(records, *rows, *ratio, Setting::FullScale, FIGURES[0].1);
            let shade = share.sqrt().min(1.0);
            let mix = |light: f64, dark: f64| (light + (dark - light) * shade) as u8;
            let color = RGBColor(mix(250.0, 160.0), mix(250.0, 30.0), mix(245.0, 30.0));
            let corners = [(x as f64, y as f64), (x as f64 + 1.0, y as f64 + 1.0)];
            chart.draw_series([Rectangle::new(corners, color.filled())])?;
            let text = if share == 0.0 { "0".to_string() } else { format!("{:.1}", 100.0 * share) };
            chart.draw_series([Text::new(text, (x as f64 + 0.1, y as f64 + 0.6), font(9))])?;
        }
        chart.draw_series([Text::new(rows.to_string(), (-1.6, y as f64 + 0.6), font(12))])?;
    }
    for (x, ratio) in RATIOS.iter().enumerate() {
        chart.draw_series([Text::new(ratio.to_string(), (x as f64 + 0.1, -0.1), font(10))])?;
    }
    chart.draw_series([Text::new(
        "conductance ratio g (below), rows (left); the line is g = 2 R".to_string(),
        (2.0, -0.45),
        font(12),
    )])?;
    // Right of this line no input whatever changes a code.
    let edge = ROWS.iter().enumerate().flat_map(|(y, rows)| {
        let x = RATIOS.iter().position(|ratio| *ratio as usize >= 2 * rows).unwrap_or(columns) as f64;
        [(x, y as f64), (x, y as f64 + 1.0)]
    });
    chart.draw_series(LineSeries::new(edge, BLACK.stroke_width(2)))?;
    Ok(())
}
