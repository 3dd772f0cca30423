//! The parts around the marks that charts have in common: heading, axes with their grid and titles, names of rows, bars with their
//! labels, and a value with which others are compared.

use plotters::style::text_anchor::HPos;

use crate::axis::{Axis, Span};
use crate::draw::{self, COLORS, Drawn, FAINT, Fault, GRID, INK, Pen, WIDTH, text_width};
use crate::heading::{Heading, Mark};
use crate::labels::Area;

/// The size of all texts but the title.
pub(crate) const LABEL: f64 = 12.0;

/// Left of a plot with a vertical axis: its title and its ticks.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 22.0;
/// Below a plot: ticks and the title of the horizontal axis.
const BOTTOM: f64 = 48.0;
/// Of a plot with a vertical axis.
const HEIGHT: f64 = 310.0;

/// The texts of a chart besides its values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Words {
    /// Its subject.
    pub(crate) title: String,
    /// The source of its numbers.
    pub(crate) subtitle: String,
    /// The horizontal axis, with its unit.
    pub(crate) x_title: String,
}

/// A chart without its marks.
pub(crate) struct Frame<'a> {
    words: &'a Words,
    heading: Heading<'a>,
    pub(crate) plot: Area,
    pub(crate) x: Axis,
    /// The vertical axis with its title; `None` if rows have names in its place.
    y: Option<(Axis, &'a str)>,
    held: Option<&'a (f64, String)>,
}

/// A chart with a name a row.
pub(crate) struct Rows<'a> {
    pub(crate) words: &'a Words,
    pub(crate) families: &'a [String],
    /// The form in which the legend shows a family.
    pub(crate) legend: Mark,
    /// A value with which others are compared, and its name.
    pub(crate) held: Option<&'a (f64, String)>,
    pub(crate) names: Vec<&'a str>,
    /// Pixels that all rows take.
    pub(crate) height: f64,
    /// The largest value; the axis begins at 0.
    pub(crate) longest: f64,
    /// Pixels that are free right of the largest value.
    pub(crate) beyond: f64,
    /// Pixels right of the plot that something else takes.
    pub(crate) beside: f64,
}

/// A chart with two axes.
pub(crate) struct Plane<'a> {
    pub(crate) words: &'a Words,
    /// The vertical axis, with its unit.
    pub(crate) y_title: &'a str,
    pub(crate) families: &'a [String],
    pub(crate) x: Span,
    pub(crate) y: Span,
    /// Names that stand right of the plot.
    pub(crate) ends: Vec<&'a str>,
}

/// A bar with a label behind it.
pub(crate) struct Bar<'a> {
    /// The parts of its sum, from left to right: families with values.
    pub(crate) pieces: &'a [(usize, f64)],
    /// The interval of the sum, if it is known.
    pub(crate) interval: Option<(f64, f64)>,
    pub(crate) label: &'a str,
    /// Pixels between the bar or its interval and the label.
    pub(crate) beside: f64,
    /// Its pixel on the vertical.
    pub(crate) middle: f64,
    /// Pixels.
    pub(crate) thick: f64,
}

/// The end of a value or of its interval, whichever is farther.
pub(crate) fn end(value: f64, interval: Option<(f64, f64)>) -> f64 {
    interval.map_or(value, |(_, high)| high.max(value))
}

/// The grid and the ticks of a horizontal axis below a plot.
pub(crate) fn ticks(pen: &Pen, axis: &Axis, plot: Area) -> Drawn {
    let bottom = plot.top + plot.height;
    for (value, text) in axis.ticks() {
        let x = axis.pixel(value);
        pen.line((x, plot.top), (x, bottom), GRID)?;
        pen.text(&text, (x, bottom + 6.0), LABEL, FAINT, HPos::Center)?;
    }
    Ok(())
}

/// The title of a horizontal axis below its ticks.
pub(crate) fn title(pen: &Pen, text: &str, middle: f64, plot: Area) -> Drawn {
    let at = (middle, plot.top + plot.height + 26.0);
    pen.text(text, at, LABEL, INK, HPos::Center)
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> f64 {
    texts.map(|text| text_width(text, LABEL)).fold(0.0, f64::max)
}

impl<'a> Frame<'a> {
    /// As high as its rows need.
    pub(crate) fn rows(rows: Rows<'a>) -> Self {
        let heading = Heading::new(rows.words, rows.families, rows.legend);
        // Room for the name of what is held against.
        let top = heading.bottom + if rows.held.is_some() { 18.0 } else { 2.0 };
        let left = widest(rows.names.iter().copied()).max(40.0) + 20.0;
        let width = f64::from(WIDTH) - left - RIGHT - rows.beside;
        let longest = rows
            .held
            .map_or(rows.longest, |(value, _)| rows.longest.max(*value));
        let high = longest * width / (width - rows.beyond).max(width / 4.0);
        Self {
            words: rows.words,
            plot: Area {
                left,
                top,
                width,
                height: rows.height,
            },
            x: Span::linear(0.0, high, 5).axis((left, left + width)),
            y: None,
            held: rows.held,
            heading,
        }
    }

    /// A plot of the usual height.
    pub(crate) fn plane(plane: Plane<'a>) -> Self {
        let heading = Heading::new(plane.words, plane.families, Mark::Shape);
        let right = if plane.ends.is_empty() {
            RIGHT
        } else {
            widest(plane.ends.iter().copied()).max(20.0) + RIGHT
        };
        let plot = Area {
            left: LEFT,
            top: heading.bottom + 6.0,
            width: f64::from(WIDTH) - LEFT - right,
            height: HEIGHT,
        };
        Self {
            words: plane.words,
            x: plane.x.axis((plot.left, plot.left + plot.width)),
            y: Some((plane.y.axis((plot.top + plot.height, plot.top)), plane.y_title)),
            held: None,
            heading,
            plot,
        }
    }

    /// The pixel of a value on the vertical axis; the plot's upper edge where rows stand in its place.
    pub(crate) fn y(&self, value: f64) -> f64 {
        self.y
            .as_ref()
            .map_or(self.plot.top, |(axis, _)| axis.pixel(value))
    }

    /// The chart as an SVG, with what is painted over its axes.
    ///
    /// # Errors
    /// The error of plotters.
    pub(crate) fn svg(&self, marks: impl FnOnce(&Pen) -> Drawn) -> Result<String, Fault> {
        let height = self.plot.top + self.plot.height + BOTTOM;
        draw::svg(&self.words.title, height as u32, |pen| {
            self.heading.paint(pen)?;
            self.axes(pen)?;
            marks(pen)
        })
    }

    fn axes(&self, pen: &Pen) -> Drawn {
        let Area {
            left,
            top,
            width,
            height,
        } = self.plot;
        let (bottom, right) = (top + height, left + width);
        ticks(pen, &self.x, self.plot)?;
        if let Some((axis, title)) = &self.y {
            for (value, text) in axis.ticks() {
                let y = axis.pixel(value);
                pen.line((left, y), (right, y), GRID)?;
                pen.text(&text, (left - 7.0, y - 6.0), LABEL, FAINT, HPos::Right)?;
            }
            pen.line((left, bottom), (right, bottom), FAINT)?;
            pen.rising(title, (6.0, top + height / 2.0), LABEL, INK)?;
        }
        pen.line((left, top), (left, bottom), FAINT)?;
        // In the middle of the plot, or where it has room.
        let half = text_width(&self.words.x_title, LABEL) / 2.0;
        let middle = (left + width / 2.0).min(f64::from(WIDTH) - half).max(half);
        title(pen, &self.words.x_title, middle, self.plot)
    }

    /// The name of a row or of several, its upper edge at `top`.
    pub(crate) fn name(&self, pen: &Pen, name: &str, top: f64) -> Drawn {
        pen.text(name, (self.plot.left - 8.0, top), LABEL, INK, HPos::Right)
    }

    /// A bar that begins at the plot's left edge.
    pub(crate) fn bar(&self, pen: &Pen, bar: Bar) -> Drawn {
        let Bar { middle, thick, .. } = bar;
        let at = |value| self.x.pixel(value);
        let mut begun = 0.0;
        for (family, value) in bar.pieces {
            let (from, to) = (at(begun), at(begun + value));
            let (top, bottom) = (middle - thick / 2.0, middle + thick / 2.0);
            pen.bar((from, top), (to, bottom), COLORS[family % COLORS.len()])?;
            begun += value;
        }
        if let Some((low, high)) = bar.interval {
            pen.whisker((at(low), middle), (at(high), middle), INK)?;
        }
        let right = at(end(begun, bar.interval)) + bar.beside;
        pen.text(bar.label, (right, middle - 6.0), LABEL, INK, HPos::Left)
    }

    /// The line of the value that others are compared with, over or under the marks, as it is called.
    pub(crate) fn held(&self, pen: &Pen) -> Drawn {
        let Some((value, name)) = self.held else {
            return Ok(());
        };
        let x = self.x.pixel(*value);
        let Area { top, height, .. } = self.plot;
        pen.line((x, top - 3.0), (x, top + height), INK)?;
        pen.text(name, (x, top - 17.0), LABEL, INK, HPos::Center)
    }
}
