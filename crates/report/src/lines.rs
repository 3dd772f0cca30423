//! Values that change along an axis, one line a name, each named at its end.

use plotters::style::text_anchor::HPos;

use crate::axis::Axis;
use crate::draw::{self, COLORS, Drawn, FAINT, GRID, INK, Pen, WIDTH, text_width};
use crate::heading::{Heading, Mark};
use crate::labels::{Area, stack};

/// What a chart of lines shows, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lines {
    pub(crate) title: String,
    /// Where the numbers come from.
    pub(crate) subtitle: String,
    /// The horizontal axis, with its unit.
    pub(crate) x_title: String,
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
    /// Where `y` lies, if that is known.
    pub(crate) interval: Option<(f64, f64)>,
    /// What is told of it when it is pointed at.
    pub(crate) told: String,
}

const LEFT: f64 = 52.0;
const HEIGHT: f64 = 310.0;
const BOTTOM: f64 = 48.0;
const RADIUS: f64 = 4.0;
const LABEL: f64 = 12.0;

/// Where everything lies.
struct Layout {
    plot: Area,
    x: Axis,
    y: Axis,
}

impl Layout {
    fn new(lines: &Lines, top: f64) -> Self {
        let widest = lines.lines.iter().map(|line| text_width(&line.name, LABEL));
        let right = widest.fold(20.0, f64::max) + 22.0;
        let plot = Area {
            left: LEFT,
            top,
            width: f64::from(WIDTH) - LEFT - right,
            height: HEIGHT,
        };
        let points = || lines.lines.iter().flat_map(|line| &line.points);
        let far = points().map(|point| point.x).fold(0.0, f64::max);
        let high = points().map(|point| point.interval.map_or(point.y, |(_, high)| high.max(point.y)));
        Self {
            plot,
            x: Axis::new(0.0, far, 8, (plot.left, plot.left + plot.width)),
            y: Axis::new(0.0, high.fold(0.0, f64::max), 6, (top + HEIGHT, top)),
        }
    }

    /// The upper edge of each line's name, in order of the lines: near its last point, none over another.
    fn names(&self, lines: &Lines) -> Vec<f64> {
        let wanted: Vec<f64> = lines
            .lines
            .iter()
            .map(|line| line.points.last().map_or(0.0, |point| self.y.pixel(point.y)) - LABEL / 2.0)
            .collect();
        stack(
            &wanted,
            LABEL + 2.0,
            (self.plot.top, self.plot.top + self.plot.height),
        )
    }
}

/// The chart as an SVG.
///
/// # Errors
/// What plotters says.
pub(crate) fn svg(lines: &Lines) -> Result<String, String> {
    let heading = Heading::new(&lines.title, &lines.subtitle, &[], Mark::Shape);
    let layout = Layout::new(lines, heading.bottom + 6.0);
    let bottom = layout.plot.top + HEIGHT;
    draw::svg(&lines.title, (bottom + BOTTOM) as u32, |pen| {
        heading.paint(pen)?;
        frame(pen, lines, &layout)?;
        for (index, (line, name)) in lines.lines.iter().zip(layout.names(lines)).enumerate() {
            self::line(pen, line, index, &layout, name)?;
        }
        Ok(())
    })
}

fn frame(pen: &Pen, lines: &Lines, layout: &Layout) -> Drawn {
    let plot = layout.plot;
    let (bottom, right) = (plot.top + plot.height, plot.left + plot.width);
    for (value, text) in layout.x.ticks() {
        let x = layout.x.pixel(value);
        pen.line((x, plot.top), (x, bottom), GRID)?;
        pen.text(&text, (x, bottom + 6.0), LABEL, FAINT, HPos::Center)?;
    }
    for (value, text) in layout.y.ticks() {
        let y = layout.y.pixel(value);
        pen.line((plot.left, y), (right, y), GRID)?;
        pen.text(&text, (plot.left - 7.0, y - 6.0), LABEL, FAINT, HPos::Right)?;
    }
    pen.line((plot.left, bottom), (right, bottom), FAINT)?;
    let middle = (plot.left + plot.width / 2.0, bottom + 26.0);
    pen.text(&lines.x_title, middle, LABEL, INK, HPos::Center)?;
    let at = (6.0, plot.top + plot.height / 2.0);
    pen.rising(&lines.y_title, at, LABEL, INK)
}

fn line(pen: &Pen, line: &Line, index: usize, layout: &Layout, name: f64) -> Drawn {
    let color = COLORS[index % COLORS.len()];
    let at = |point: &Step| (layout.x.pixel(point.x), layout.y.pixel(point.y));
    let path: Vec<(f64, f64)> = line.points.iter().map(at).collect();
    pen.path(&path, 2, color)?;
    for point in &line.points {
        let (x, y) = at(point);
        if let Some((low, high)) = point.interval {
            let ends = [layout.y.pixel(low), layout.y.pixel(high)];
            if ends[0] - ends[1] > 2.0 * RADIUS {
                pen.line((x, ends[0]), (x, ends[1]), color)?;
                for end in ends {
                    pen.line((x - 3.0, end), (x + 3.0, end), color)?;
                }
            }
        }
        pen.marker((x, y), index, RADIUS)?;
        let around = Area {
            left: x - RADIUS - 2.0,
            top: y - RADIUS - 2.0,
            width: 2.0 * RADIUS + 4.0,
            height: 2.0 * RADIUS + 4.0,
        };
        pen.tip(around, &point.told);
    }
    let Some(end) = path.last() else { return Ok(()) };
    let edge = layout.plot.left + layout.plot.width;
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
            title: "Batches".into(),
            subtitle: "made up".into(),
            x_title: "images a batch".into(),
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
        let layout = Layout::new(&lines(), 60.0);
        let mut names = layout.names(&lines());
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
