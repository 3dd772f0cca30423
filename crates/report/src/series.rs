use crate::axis::Span;
use crate::frame::Words;

/// A scatter chart, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    /// Its texts.
    pub(crate) words: Words,
    /// The vertical axis, with its unit.
    pub(crate) y_title: String,
    /// The kinds of points, for colour, shape and legend.
    pub(crate) families: Vec<String>,
    /// The points.
    pub(crate) points: Vec<Point>,
    /// Lines among the points.
    pub(crate) curves: Vec<Curve>,
    /// The ranges of the axes; `None` for the range that the points need, the horizontal one from 0.
    pub(crate) spans: Option<(Span, Span)>,
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    /// From left to right, in the axes' units.
    pub(crate) points: Vec<(f64, f64)>,
    /// A text beside it, and where along it; `None` for a line that only joins points.
    pub(crate) name: Option<(String, (f64, f64))>,
}

/// One labelled point.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// The text beside it; none if it is empty.
    pub(crate) label: String,
    /// Horizontal, in the axis's unit.
    pub(crate) x: f64,
    /// Vertical, in the axis's unit.
    pub(crate) y: f64,
    /// The interval of its horizontal value, if it is known.
    pub(crate) interval: Option<(f64, f64)>,
    /// Index into [`Series::families`].
    pub(crate) family: usize,
    /// The text of its tip.
    pub(crate) told: String,
}
