use crate::axis::Span;
use crate::frame::Words;

/// What a scatter chart shows, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    /// What it says.
    pub(crate) words: Words,
    /// The vertical axis, with its unit.
    pub(crate) y_title: String,
    /// The kinds of points, for colour, shape and legend.
    pub(crate) families: Vec<String>,
    /// The points.
    pub(crate) points: Vec<Point>,
    /// Lines among the points.
    pub(crate) curves: Vec<Curve>,
    /// What the axes hold; none for whatever the points need, the horizontal one from 0.
    pub(crate) spans: Option<(Span, Span)>,
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    /// From left to right, in the axes' units.
    pub(crate) points: Vec<(f64, f64)>,
    /// A text beside it, and where along it; none for a line that only joins points.
    pub(crate) name: Option<(String, (f64, f64))>,
}

/// One labelled point.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// The text beside it; none where it is empty.
    pub(crate) label: String,
    /// Horizontal, in the axis's unit.
    pub(crate) x: f64,
    /// Vertical, in the axis's unit.
    pub(crate) y: f64,
    /// Where its horizontal value lies, if that is known.
    pub(crate) interval: Option<(f64, f64)>,
    /// Index into [`Series::families`].
    pub(crate) family: usize,
    /// What is told of it when it is pointed at.
    pub(crate) told: String,
}
