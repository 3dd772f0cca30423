//! Values that change along an axis, one line a name, each named at its end.

use plotters::style::text_anchor::HPos;

use crate::axis::Span;
use crate::draw::{COLORS, Dot, Drawn, Fault, GRID, INK, Pen};
use crate::frame::{Frame, LABEL, Plane, Words, end};
use crate::labels::stack;

/// A chart of lines, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lines {
    pub(crate) words: Words,
    /// The vertical axis, with its unit.
    pub(crate) y_title: String,
    pub(crate) lines: Vec<Line>,
}

/// One line, its points from left to right.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<Step>,
}

/// One point of a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// The interval of `y`, if it is known.
    pub(crate) interval: Option<(f64, f64)>,
    /// The text of its tip.
    pub(crate) told: String,
}

const RADIUS: f64 = 4.0;

fn frame(lines: &Lines) -> Frame<'_> {
    let points = || lines.lines.iter().flat_map(|line| &line.points);
    let far = points().map(|point| point.x).fold(0.0, f64::max);
    let high = points().map(|point| end(point.y, point.interval));
    Frame::plane(Plane {
        words: &lines.words,
        y_title: &lines.y_title,
        families: &[],
        // Whole steps at least: half an image is no batch.
        x: Span::linear(0.0, far, (far as u32).clamp(1, 8)),
        y: Span::linear(0.0, high.fold(0.0, f64::max), 6),
        ends: lines.lines.iter().map(|line| line.name.as_str()).collect(),
    })
}

/// The upper edge of each line's name, in order of the lines: near its last point, none over another.
fn names(lines: &Lines, frame: &Frame) -> Vec<f64> {
    let end = |line: &Line| line.points.last().map_or(0.0, |point| frame.y(point.y));
    let wanted: Vec<f64> = lines.lines.iter().map(|line| end(line) - LABEL / 2.0).collect();
    let plot = frame.plot;
    stack(&wanted, LABEL + 2.0, (plot.top, plot.top + plot.height))
}

/// The chart as an SVG.
///
/// # Errors
/// The error of plotters.
pub(crate) fn svg(lines: &Lines) -> Result<String, Fault> {
    let frame = frame(lines);
    frame.svg(|pen| {
        let names = names(lines, &frame);
        for (index, (line, name)) in lines.lines.iter().zip(names).enumerate() {
            self::line(pen, line, index, &frame, name)?;
        }
        Ok(())
    })
}

fn line(pen: &Pen, line: &Line, index: usize, frame: &Frame, name: f64) -> Drawn {
    let at = |x, y| (frame.x.pixel(x), frame.y(y));
    let path: Vec<(f64, f64)> = line.points.iter().map(|point| at(point.x, point.y)).collect();
    pen.path(&path, 2, COLORS[index % COLORS.len()])?;
    for point in &line.points {
        pen.dot(Dot {
            at: at(point.x, point.y),
            within: point
                .interval
                .map(|(low, high)| (at(point.x, low), at(point.x, high))),
            family: index,
            radius: RADIUS,
            height: None,
            told: &point.told,
        })?;
    }
    let Some(end) = path.last() else { return Ok(()) };
    let edge = frame.plot.left + frame.plot.width;
    let middle = name + LABEL / 2.0;
    pen.line((end.0 + RADIUS + 1.0, end.1), (edge + 8.0, middle), GRID)?;
    pen.text(&line.name, (edge + 12.0, name), LABEL, INK, HPos::Left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Lines {
        let line = |name: &str, per_image: f64| Line {
            name: name.into(),
            points: [1.0, 4.0, 8.0]
                .map(|x| Step {
                    x,
                    y: per_image + 1.0 / x,
                    interval: None,
                    told: format!("{name} {x}"),
                })
                .to_vec(),
        };
        Lines {
            words: Words {
                title: "Batches".into(),
                subtitle: "made up".into(),
                x_title: "images a batch".into(),
            },
            y_title: "ms an image".into(),
            lines: vec![
                line("W18", 10.0),
                line("W30", 10.1),
                line("W32", 10.2),
                line("W64", 30.0),
            ],
        }
    }

    #[test]
    fn names_at_the_ends_are_there_once_and_apart() {
        let svg = svg(&lines()).expect("drawn");
        for text in ["W18", "W30", "W32", "W64", "images a batch", "ms an image"] {
            assert_eq!(svg.matches(&format!("\n{text}\n")).count(), 1, "{text} in {svg}");
        }
        let lines = lines();
        let mut names = names(&lines, &frame(&lines));
        names.sort_by(f64::total_cmp);
        assert!(
            names.windows(2).all(|pair| pair[1] - pair[0] >= LABEL),
            "{names:?}"
        );
    }

    #[test]
    fn wide_intervals_are_drawn() {
        let count = |lines: &Lines| svg(lines).expect("drawn").matches("<polyline").count();
        let mut wide = lines();
        wide.lines[3].points[0].interval = Some((28.0, 33.0));
        assert_eq!(count(&wide), count(&lines()) + 3);
    }
}
