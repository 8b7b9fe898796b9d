//! A figure of several panels with common axes: accuracy against something, a line a way to train.

use super::runs::Cell;
use super::tables::{PLAIN_CELL, csv, plain_cell};
use crate::report::ReportError;
use crate::report::figures::{Ink, draw, text};
use crate::report::markup::STYLE;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// The inks of lines that are told apart by colour, in order.
pub const INKS: [Ink; 6] = [Ink::Train, Ink::Test, Ink::HeldOut, Ink::Published, Ink::Lit, Ink::Muted];
const COLUMNS: usize = 3;
const WIDTH: u32 = 980;
const PANEL_HEIGHT: u32 = 230;
const LEGEND_LINE: i32 = 22;
const LEGEND_COLUMNS: usize = 2;
const LEGEND_COLUMN: i32 = WIDTH as i32 / LEGEND_COLUMNS as i32;

/// How a line is told from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stroke {
    /// What the legend says.
    pub label: String,
    /// Its colour.
    pub ink: Ink,
    /// Whether it is dashed.
    pub dashed: bool,
}

/// A line of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// How it is drawn.
    pub stroke: Stroke,
    /// Where there are runs: x and what they gave, x rising.
    pub points: Vec<(f64, Cell)>,
}

/// One of the panels.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Above it.
    pub title: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// The figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Panels {
    /// Its file's name, without ending.
    pub name: String,
    /// What is in it.
    pub caption: String,
    /// Title of the x axis.
    pub x_title: &'static str,
    /// Every x with its label, rising; neighbours are joined by lines, and the axis has these alone.
    pub ticks: Vec<(f64, String)>,
    /// Whether a line ends before the last x, which then stands apart.
    pub last_apart: bool,
    /// Its panels.
    pub panels: Vec<Panel>,
}

impl Panels {
    /// For the page: colours are the page's.
    ///
    /// # Errors
    /// [`ReportError::Figure`].
    pub fn svg(&self) -> Result<String, ReportError> {
        let strokes = self.strokes();
        let legend = strokes.len().div_ceil(LEGEND_COLUMNS) as u32 * LEGEND_LINE as u32 + 6;
        let rows = self.panels.len().div_ceil(COLUMNS).max(1);
        let size = (WIDTH, legend + rows as u32 * PANEL_HEIGHT);
        draw(&self.name, size, |area| {
            for (i, stroke) in strokes.iter().enumerate() {
                let (x, y) =
                    (10 + (i % LEGEND_COLUMNS) as i32 * LEGEND_COLUMN, 12 + (i / LEGEND_COLUMNS) as i32 * LEGEND_LINE);
                paint_stroke(area, stroke, (x, y), (x + 34, y))?;
                let label = text(14, Ink::Text, (HPos::Left, VPos::Center));
                area.draw(&Text::new(stroke.label.clone(), (x + 42, y), label))?;
            }
            let (_, below) = area.split_vertically(legend);
            for (area, panel) in below.split_evenly((rows, COLUMNS)).iter().zip(&self.panels) {
                self.paint(area, panel)?;
            }
            Ok(())
        })
    }

    /// For a paper: the light colours, on white.
    ///
    /// # Errors
    /// [`ReportError::Figure`].
    pub fn paper_svg(&self) -> Result<String, ReportError> {
        Ok(in_light_colours(&self.svg()?))
    }

    /// What is drawn, a line a point.
    pub fn csv(&self) -> String {
        let mut rows = vec![["panel", "line", "x"].map(String::from).to_vec()];
        rows[0].extend(PLAIN_CELL.map(String::from));
        for panel in &self.panels {
            for line in &panel.lines {
                for (x, cell) in &line.points {
                    let tick = self.ticks.iter().find(|(place, _)| place == x);
                    let x = tick.map_or_else(|| x.to_string(), |(_, label)| label.clone());
                    let mut row = vec![panel.title.clone(), line.stroke.label.clone(), x];
                    row.extend(plain_cell(Some(cell)));
                    rows.push(row);
                }
            }
        }
        csv(&rows)
    }

    fn strokes(&self) -> Vec<Stroke> {
        let mut strokes: Vec<Stroke> = Vec::new();
        for line in self.panels.iter().flat_map(|panel| &panel.lines) {
            if !strokes.contains(&line.stroke) {
                strokes.push(line.stroke.clone());
            }
        }
        strokes
    }

    fn place(&self, x: f64) -> usize {
        self.ticks.iter().position(|(tick, _)| *tick == x).expect("every point is on a tick")
    }

    fn paint(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
        panel: &Panel,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let last = self.ticks.len().saturating_sub(1);
        let mut chart = ChartBuilder::on(area)
            .margin_right(12)
            .margin_top(4)
            .caption(&panel.title, ("sans-serif", 14).into_font().color(&Ink::Text.colour()))
            .x_label_area_size(38)
            .y_label_area_size(44)
            .build_cartesian_2d(-0.4..last as f64 + 0.4, 0.0..100.0)?;
        // The labels of x are drawn below, each under its tick.
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(Ink::Grid.colour().stroke_width(1))
            .axis_style(Ink::Muted.colour())
            .disable_x_mesh()
            .x_labels(0)
            .y_labels(6)
            .y_label_formatter(&|y| format!("{y:.0}"))
            .label_style(("sans-serif", 12).into_font().color(&Ink::Muted.colour()))
            .axis_desc_style(("sans-serif", 12).into_font().color(&Ink::Muted.colour()))
            .y_desc("percent")
            .draw()?;
        let under = text(12, Ink::Muted, (HPos::Center, VPos::Top));
        let at = |x: f64, y: f64| {
            let (column, row) = chart.backend_coord(&(x, y));
            let (left, top) = area.get_base_pixel();
            (column - left, row - top)
        };
        for (place, (_, label)) in self.ticks.iter().enumerate() {
            let (x, y) = at(place as f64, 0.0);
            area.draw(&Text::new(label.clone(), (x, y + 5), under.clone()))?;
        }
        let (x, y) = at(last as f64 / 2.0, 0.0);
        area.draw(&Text::new(self.x_title, (x, y + 20), under))?;
        for line in &panel.lines {
            let ink = line.stroke.ink.colour();
            let mut before: Option<(usize, (i32, i32))> = None;
            for (x, cell) in &line.points {
                let place = self.place(*x);
                if cell.diverged > 0 {
                    area.draw(&Cross::new(at(place as f64, 1.5), 4, ink.stroke_width(2)))?;
                }
                let Some(mean) = cell.mean() else { continue };
                let dot = at(place as f64, mean);
                if let Some((_, from)) = before.filter(|(p, _)| p + 1 == place && !(self.last_apart && place == last)) {
                    paint_stroke(area, &line.stroke, from, dot)?;
                }
                if let Some(deviation) = cell.deviation() {
                    let low = at(place as f64, (mean - deviation).max(0.0));
                    let high = at(place as f64, (mean + deviation).min(100.0));
                    area.draw(&PathElement::new(vec![low, high], ink.stroke_width(1)))?;
                }
                let style = if line.stroke.dashed { ink.stroke_width(1) } else { ink.filled() };
                area.draw(&Circle::new(dot, 3, style))?;
                before = Some((place, dot));
            }
        }
        Ok(())
    }
}

fn paint_stroke(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    stroke: &Stroke,
    from: (i32, i32),
    to: (i32, i32),
) -> Result<(), Box<dyn std::error::Error>> {
    let style = stroke.ink.colour().stroke_width(2);
    if !stroke.dashed {
        area.draw(&PathElement::new(vec![from, to], style))?;
        return Ok(());
    }
    let length = f64::from(to.0 - from.0).hypot(f64::from(to.1 - from.1));
    let on = |d: f64| {
        let share = (d / length.max(1.0)).min(1.0);
        let along = |a: i32, b: i32| (f64::from(a) + f64::from(b - a) * share).round() as i32;
        (along(from.0, to.0), along(from.1, to.1))
    };
    let mut start = 0.0;
    while start < length {
        area.draw(&PathElement::new(vec![on(start), on(start + 5.0)], style))?;
        start += 9.0;
    }
    Ok(())
}

/// Put the light colours of the page's style in place of its variables, for readers of SVG that know no style sheet.
fn in_light_colours(svg: &str) -> String {
    let light = STYLE.split('}').next().unwrap_or_default();
    let mut text = svg.to_string();
    let mut paper = "#ffffff";
    for entry in light.split(['{', ';']).map(str::trim) {
        let Some((variable, colour)) = entry.strip_prefix("--").and_then(|entry| entry.split_once(':')) else {
            continue;
        };
        let (variable, colour) = (variable.trim(), colour.trim());
        text = text.replace(&format!("var(--{variable})"), colour);
        match variable {
            "text" => text = text.replace("currentColor", colour),
            "paper" => paper = colour,
            _ => {}
        }
    }
    let end = text.find('>').map_or(0, |end| end + 1);
    format!("{}\n<rect width=\"100%\" height=\"100%\" fill=\"{paper}\"/>{}\n", &text[..end], &text[end..])
}
