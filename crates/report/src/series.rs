/// What a scatter chart shows, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What it says.
    pub title: String,
    /// Where the numbers come from.
    pub subtitle: String,
    /// The horizontal axis, with its unit.
    pub x_title: String,
    /// The vertical axis, with its unit.
    pub y_title: String,
    /// The kinds of points, for colour, shape and legend.
    pub families: Vec<Family>,
    /// The points.
    pub points: Vec<Point>,
}

/// A kind of points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name in the legend.
    pub name: String,
}

/// One labelled point.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The text beside it.
    pub label: String,
    /// Horizontal, in the axis's unit.
    pub x: f64,
    /// Vertical, in the axis's unit.
    pub y: f64,
    /// Where its horizontal value lies, if that is known.
    pub interval: Option<(f64, f64)>,
    /// Index into [`Series::families`].
    pub family: usize,
    /// What is told of it when it is pointed at.
    pub told: String,
}
