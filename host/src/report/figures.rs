//! The figures, drawn by plotters as SVG.
//!
//! Colours are stand-ins that [`themed`] replaces by the page's own, so that one drawing serves a light and a dark page.

use super::ReportError;
use bitline_golden::array::DeviceArray;
use bitline_golden::machine::Machine;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A stand-in colour and what the page calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Text and axes.
    Text,
    /// Secondary text.
    Muted,
    /// Grid lines and unlit things.
    Grid,
    /// Training.
    Train,
    /// Test.
    Test,
    /// Held out.
    HeldOut,
    /// The published result.
    Published,
    /// A lit LED.
    Lit,
    /// A device in the low-resistance state.
    Low,
    /// A device in the high-resistance state.
    High,
}

const INKS: [(Ink, u8, &str); 10] = [
    (Ink::Text, 1, "currentColor"),
    (Ink::Muted, 2, "var(--muted)"),
    (Ink::Grid, 3, "var(--grid)"),
    (Ink::Train, 4, "var(--train)"),
    (Ink::Test, 5, "var(--test)"),
    (Ink::HeldOut, 6, "var(--held-out)"),
    (Ink::Published, 7, "var(--published)"),
    (Ink::Lit, 8, "var(--lit)"),
    (Ink::Low, 9, "var(--low)"),
    (Ink::High, 10, "var(--high)"),
];

impl Ink {
    /// The stand-in.
    pub(crate) fn colour(self) -> RGBColor {
        let (_, code, _) = INKS.iter().find(|(ink, _, _)| *ink == self).expect("every ink is in the table");
        RGBColor(*code, 255 - *code, 77)
    }

    /// The page's CSS value.
    pub fn css(self) -> &'static str {
        INKS.iter().find(|(ink, _, _)| *ink == self).expect("every ink is in the table").2
    }
}

/// Put the page's colours in place of the stand-ins, and let the drawing take the width it is given.
fn themed(svg: &str, name: &str) -> String {
    let mut text = svg.to_string();
    for (ink, _, css) in INKS {
        let RGBColor(r, g, b) = ink.colour();
        text = text.replace(&format!("#{r:02X}{g:02X}{b:02X}"), css);
    }
    let start = text.find("<svg").unwrap_or(0);
    let text = &text[start..];
    match (text.find("width="), text.find("viewBox=")) {
        (Some(from), Some(to)) if from < to => {
            format!("{}role=\"img\" aria-label=\"{name}\" {}", &text[..from], &text[to..])
        }
        _ => text.to_string(),
    }
}

/// Draw on a canvas of that size.
pub(crate) fn draw(
    name: &str,
    size: (u32, u32),
    paint: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        paint(&area)
            .and_then(|()| Ok(area.present()?))
            .map_err(|e| ReportError::Figure { figure: name.into(), reason: e.to_string() })?;
    }
    Ok(themed(&svg, name))
}

/// Letters of that size, colour and anchor.
pub(crate) fn text(size: u32, ink: Ink, anchor: (HPos, VPos)) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&ink.colour()).pos(Pos::new(anchor.0, anchor.1))
}

/// A line of a chart.
pub struct Line {
    /// Its colour.
    pub ink: Ink,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

/// A vertical mark.
pub struct Mark {
    /// Where.
    pub x: f64,
    /// A letter or two.
    pub label: String,
    /// Its colour.
    pub ink: Ink,
}

/// A horizontal reference.
pub struct Level {
    /// Where.
    pub y: f64,
    /// What it is.
    pub label: String,
    /// Its colour.
    pub ink: Ink,
}

/// A chart of lines.
pub struct Chart {
    /// For errors and for readers of the page aloud.
    pub name: &'static str,
    /// Title of the x axis.
    pub x_title: &'static str,
    /// Title of the y axis.
    pub y_title: &'static str,
    /// Ends of the x axis.
    pub x: (f64, f64),
    /// Ends of the y axis.
    pub y: (f64, f64),
    /// Digits after the point on the y axis.
    pub y_digits: usize,
    /// Digits after the point on the x axis.
    pub x_digits: usize,
    /// The lines.
    pub lines: Vec<Line>,
    /// Vertical marks.
    pub marks: Vec<Mark>,
    /// Horizontal references.
    pub levels: Vec<Level>,
}

/// Width of a chart's canvas; its plot is about 850 wide.
const WIDTH: u32 = 920;

impl Chart {
    /// Draw it.
    ///
    /// # Errors
    /// [`ReportError::Figure`].
    pub fn svg(&self) -> Result<String, ReportError> {
        draw(self.name, (WIDTH, 360), |area| {
            let mut chart = ChartBuilder::on(area)
                .margin_right(14)
                .margin_top(if self.marks.is_empty() { 10 } else { 34 })
                .x_label_area_size(46)
                .y_label_area_size(62)
                .build_cartesian_2d(self.x.0..self.x.1, self.y.0..self.y.1)?;
            chart
                .configure_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(Ink::Grid.colour().stroke_width(1))
                .axis_style(Ink::Muted.colour())
                .x_labels(11)
                .y_labels(7)
                .x_label_formatter(&|x| format!("{x:.*}", self.x_digits))
                .y_label_formatter(&|y| format!("{y:.*}", self.y_digits))
                .label_style(("sans-serif", 14).into_font().color(&Ink::Muted.colour()))
                .axis_desc_style(("sans-serif", 15).into_font().color(&Ink::Text.colour()))
                .x_desc(self.x_title)
                .y_desc(self.y_title)
                .draw()?;
            for level in &self.levels {
                let dashed =
                    DashedLineSeries::new([(self.x.0, level.y), (self.x.1, level.y)], 5, 4, level.ink.colour().into());
                chart.draw_series(dashed)?;
                // Lines begin at the left and end at the right; a sixth in, there is room.
                let label = text(13, Ink::Muted, (HPos::Left, VPos::Bottom));
                let (x, y) = chart.backend_coord(&(self.x.0 + (self.x.1 - self.x.0) / 6.0, level.y));
                area.draw(&Text::new(level.label.clone(), (x, y - 3), label))?;
            }
            for line in &self.lines {
                let points = self.thinned(&line.points);
                chart.draw_series(LineSeries::new(points, line.ink.colour().stroke_width(2)))?;
            }
            let mut taken: Vec<i32> = Vec::new();
            let mut marks: Vec<&Mark> = self.marks.iter().filter(|m| m.x >= self.x.0 && m.x <= self.x.1).collect();
            marks.sort_by(|a, b| a.x.total_cmp(&b.x));
            for mark in marks {
                let line = [(mark.x, self.y.0), (mark.x, self.y.1)];
                chart.draw_series(DashedLineSeries::new(line, 3, 3, mark.ink.colour().stroke_width(1)))?;
                let (x, top) = chart.backend_coord(&(mark.x, self.y.1));
                // Neighbours that would touch move aside; the order stays.
                let at = taken.last().map_or(x, |last| x.max(last + 24));
                taken.push(at);
                area.draw(&PathElement::new(vec![(at, top - 12), (x, top)], mark.ink.colour().stroke_width(1)))?;
                area.draw(&Circle::new((at, top - 20), 10, mark.ink.colour().filled()))?;
                let label =
                    TextStyle { color: WHITE.to_backend_color(), ..text(13, Ink::Text, (HPos::Center, VPos::Center)) };
                area.draw(&Text::new(mark.label.clone(), (at, top - 20), label))?;
            }
            Ok(())
        })
    }

    /// The points inside the chart, at most a few for each of its columns of pixels: of every column the first, the
    /// lowest, the highest and the last, which draws the same picture.
    fn thinned(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let columns = f64::from(WIDTH);
        let column = |x: f64| ((x - self.x.0) / (self.x.1 - self.x.0) * columns) as i64;
        let inside: Vec<(f64, f64)> = points
            .iter()
            .filter(|(x, _)| *x >= self.x.0 && *x <= self.x.1)
            .map(|(x, y)| (*x, y.clamp(self.y.0, self.y.1)))
            .collect();
        let mut kept = Vec::new();
        for group in inside.chunk_by(|a, b| column(a.0) == column(b.0)) {
            let by_height = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
            let lowest = group.iter().min_by(by_height).expect("a chunk is not empty");
            let highest = group.iter().max_by(by_height).expect("a chunk is not empty");
            let mut chosen = vec![group[0], *lowest, *highest, group[group.len() - 1]];
            chosen.sort_by(|a, b| a.0.total_cmp(&b.0));
            chosen.dedup();
            kept.extend(chosen);
        }
        kept
    }
}

/// The nine LEDs, bit 8 first, with the weight of each below.
///
/// # Errors
/// [`ReportError::Figure`].
pub fn leds(value: u16) -> Result<String, ReportError> {
    draw("LED row", (560, 96), |area| {
        for place in 0..9 {
            let bit = 8 - place;
            let (x, lit) = (40 + place * 60, value >> bit & 1 == 1);
            if lit {
                area.draw(&Circle::new((x, 36), 28, Ink::Lit.colour().mix(0.22).filled()))?;
                area.draw(&Circle::new((x, 36), 19, Ink::Lit.colour().filled()))?;
            } else {
                area.draw(&Circle::new((x, 36), 19, Ink::Grid.colour().filled()))?;
            }
            area.draw(&Circle::new((x, 36), 19, Ink::Muted.colour().stroke_width(1)))?;
            let ink = if lit { Ink::Text } else { Ink::Muted };
            area.draw(&Text::new((1 << bit).to_string(), (x, 80), text(15, ink, (HPos::Center, VPos::Center))))?;
        }
        Ok(())
    })
}

/// Every device of the array: rows downwards, columns to the right, four (or `weight_bits`) to an output.
///
/// # Errors
/// [`ReportError::Figure`].
pub fn crossbar(machine: &Machine, devices: &DeviceArray) -> Result<String, ReportError> {
    let (side, gap, left, top) = (11, 8, 64, 44);
    let bits = machine.weight_bits;
    let column_x = move |column: usize| left + (column * side + column / bits * gap) as i32;
    let width = column_x(devices.columns()) as u32 + 8;
    let height = top as u32 + (devices.rows() * side) as u32 + 12;
    draw("crossbar", (width, height), |area| {
        let side = side as i32;
        for output in 0..devices.columns() / bits {
            let (from, to) = (column_x(output * bits), column_x(output * bits + bits - 1) + side);
            let bottom = top + devices.rows() as i32 * side;
            area.draw(&Rectangle::new([(from - 1, top - 1), (to + 1, bottom + 1)], Ink::High.colour().filled()))?;
            let label = text(15, Ink::Text, (HPos::Center, VPos::Bottom));
            area.draw(&Text::new(output.to_string(), ((from + to) / 2, top - 18), label))?;
            for bit in 0..bits {
                let place = (column_x(output * bits + bit) + side / 2, top - 4);
                let label = text(10, Ink::Muted, (HPos::Center, VPos::Bottom));
                area.draw(&Text::new(bit.to_string(), place, label))?;
            }
        }
        let heading = text(12, Ink::Muted, (HPos::Right, VPos::Bottom));
        area.draw(&Text::new("output", (left - 8, top - 18), heading.clone()))?;
        area.draw(&Text::new("bit", (left - 8, top - 4), heading))?;
        for row in 0..devices.rows() {
            let y = top + row as i32 * side;
            if row % 8 == 0 {
                let name = if row >= machine.inputs() { "bias".to_string() } else { format!("row {row}") };
                let label = text(12, Ink::Muted, (HPos::Right, VPos::Center));
                area.draw(&Text::new(name, (left - 8, y + side / 2), label))?;
            }
            for column in (0..devices.columns()).filter(|column| devices.get(row, *column)) {
                let x = column_x(column);
                let square = [(x, y), (x + side - 1, y + side - 1)];
                area.draw(&Rectangle::new(square, Ink::Low.colour().filled()))?;
            }
        }
        Ok(())
    })
}

/// Images by label (rows) and class (columns), shaded by their share of the label's images.
///
/// # Errors
/// [`ReportError::Figure`].
pub fn confusion(matrix: &[Vec<u32>]) -> Result<String, ReportError> {
    let (side, left, top) = (44, 64, 52);
    let classes = matrix.len() as i32;
    let size = ((left + classes * side + 8) as u32, (top + classes * side + 8) as u32);
    draw("confusion matrix", size, |area| {
        let heading = text(14, Ink::Muted, (HPos::Center, VPos::Center));
        area.draw(&Text::new("class the crossbar gave", (left + classes * side / 2, 14), heading.clone()))?;
        let upright = text(14, Ink::Muted, (HPos::Center, VPos::Center)).transform(FontTransform::Rotate270);
        area.draw(&Text::new("label", (14, top + classes * side / 2), upright))?;
        for (label, row) in matrix.iter().enumerate() {
            let y = top + label as i32 * side;
            area.draw(&Text::new(label.to_string(), (left - 16, y + side / 2), heading.clone()))?;
            area.draw(&Text::new(
                label.to_string(),
                (left + label as i32 * side + side / 2, top - 14),
                heading.clone(),
            ))?;
            let total = row.iter().sum::<u32>().max(1);
            for (class, number) in row.iter().enumerate() {
                let x = left + class as i32 * side;
                let square = [(x, y), (x + side - 2, y + side - 2)];
                area.draw(&Rectangle::new(square, Ink::Grid.colour().mix(0.45).filled()))?;
                if *number > 0 {
                    let right = class == label;
                    let ink = if right { Ink::Train } else { Ink::Test };
                    // Few errors must still be seen.
                    let shade = f64::from(*number) / f64::from(total);
                    let shade = if right { 0.15 + 0.6 * shade } else { 0.25 + 0.75 * shade };
                    area.draw(&Rectangle::new(square, ink.colour().mix(shade).filled()))?;
                    let label = text(16, Ink::Text, (HPos::Center, VPos::Center));
                    area.draw(&Text::new(number.to_string(), (x + side / 2 - 1, y + side / 2 - 1), label))?;
                }
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chart_thinned_keeps_the_extremes_of_every_pixel_column() {
        let points: Vec<(f64, f64)> =
            (0..=100_000).map(|i| (f64::from(i) / 1e5, if i == 51_234 { 7.0 } else { f64::from(i % 3) })).collect();
        let chart = Chart {
            name: "x",
            x_title: "",
            y_title: "",
            x: (0.0, 1.0),
            y: (0.0, 10.0),
            y_digits: 0,
            x_digits: 0,
            lines: vec![],
            marks: vec![],
            levels: vec![],
        };
        let kept = chart.thinned(&points);
        assert!(kept.len() <= 4 * (WIDTH as usize + 1), "{}", kept.len());
        assert!(kept.contains(&(0.51234, 7.0)));
        assert!(kept.windows(2).all(|w| w[0].0 <= w[1].0));
        assert_eq!((kept[0], kept[kept.len() - 1]), (points[0], points[100_000]));
    }

    #[test]
    fn leds_of_273_are_three_lit_and_no_stand_in_colour_is_left() {
        let svg = leds(273).unwrap();
        assert_eq!(svg.matches("fill=\"var(--lit)\"").count(), 6, "each lit LED is a disc and its glow\n{svg}");
        assert!(!svg.contains("4D\""), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.contains("aria-label=\"LED row\""), "{svg}");
    }
}
