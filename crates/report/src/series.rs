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
}

/// One labelled point.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// The text beside it.
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
