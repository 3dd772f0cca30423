use plotters::style::text_anchor::HPos;

use crate::axis::{Axis, Span};
use crate::draw::{Dot, Drawn, FAINT, INK, Pen, text_width};
use crate::frame::{Frame, LABEL, Plane};
use crate::labels::{Area, place};
use crate::series::{Point, Series};

const RADIUS: f64 = 5.0;

/// The chart as an SVG.
///
/// # Errors
/// What plotters says.
pub(crate) fn svg(series: &Series) -> Result<String, String> {
    let layout = Layout::new(series);
    layout.frame.svg(|pen| {
        points(pen, series, &layout)?;
        labels(pen, series, &layout)
    })
}

/// Where everything lies.
pub(crate) struct Layout<'a> {
    frame: Frame<'a>,
    /// Each point's centre, pixels.
    pub(crate) centers: Vec<(f64, f64)>,
    /// Each label's area.
    pub(crate) labels: Vec<Option<Area>>,
}

impl<'a> Layout<'a> {
    pub(crate) fn new(series: &'a Series) -> Self {
        let frame = frame(series);
        let points = &series.points;
        let centers: Vec<(f64, f64)> = points
            .iter()
            .map(|point| (frame.x.pixel(point.x), frame.y(point.y)))
            .collect();
        let sizes: Vec<(f64, f64)> = points
            .iter()
            .map(|point| (text_width(&point.label, LABEL), LABEL + 3.0))
            .collect();
        let bars = points.iter().zip(&centers);
        let taken = bars.flat_map(|(point, center)| along(point, &frame.x, center.1));
        let taken: Vec<(f64, f64)> = centers.iter().copied().chain(taken).collect();
        Self {
            labels: place(frame.plot, &taken, &sizes, RADIUS),
            frame,
            centers,
        }
    }
}

fn frame(series: &Series) -> Frame<'_> {
    let ends = series
        .points
        .iter()
        .map(|point| point.interval.map_or(point.x, |(_, high)| high));
    let right = ends.fold(0.0, f64::max);
    let (low, high) = series
        .points
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
            (low.min(point.y), high.max(point.y))
        });
    let margin = ((high - low) * 0.05).max(0.1);
    Frame::plane(Plane {
        words: &series.words,
        y_title: &series.y_title,
        families: series.families.iter().map(String::as_str).collect(),
        x: Span::linear(0.0, right * 1.02, 6),
        y: Span::linear(low - margin, high + margin, 8),
        ends: Vec::new(),
    })
}

/// Pixels along the interval of a point, where no label may lie.
fn along(point: &Point, x: &Axis, y: f64) -> Vec<(f64, f64)> {
    let Some((low, high)) = point.interval else {
        return Vec::new();
    };
    let (low, high) = (x.pixel(low), x.pixel(high));
    let steps = ((high - low) / RADIUS).ceil().max(1.0);
    (0..=steps as u32)
        .map(|step| (low + (high - low) * f64::from(step) / steps, y))
        .collect()
}

fn points(pen: &Pen, series: &Series, layout: &Layout) -> Drawn {
    let x = &layout.frame.x;
    for (point, center) in series.points.iter().zip(&layout.centers) {
        let end = |value| (x.pixel(value), center.1);
        pen.dot(Dot {
            at: *center,
            within: point.interval.map(|(low, high)| (end(low), end(high))),
            family: point.family,
            radius: RADIUS,
            height: None,
            told: &point.told,
        })?;
    }
    Ok(())
}

fn labels(pen: &Pen, series: &Series, layout: &Layout) -> Drawn {
    for ((point, center), area) in series.points.iter().zip(&layout.centers).zip(&layout.labels) {
        let Some(area) = area else { continue };
        let near = area.nearest(*center);
        let distance = (near.0 - center.0).hypot(near.1 - center.1);
        if distance > RADIUS + 8.0 {
            let share = (RADIUS + 1.0) / distance;
            let from = (
                center.0 + (near.0 - center.0) * share,
                center.1 + (near.1 - center.1) * share,
            );
            pen.line(from, near, FAINT)?;
        }
        let middle = area.left + area.width / 2.0;
        pen.text(&point.label, (middle, area.top + 2.0), LABEL, INK, HPos::Center)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Words;

    fn series() -> Series {
        let point = |label: &str, x, y, family| Point {
            label: label.into(),
            x,
            y,
            interval: None,
            family,
            told: format!("{label}, {x} ms"),
        };
        Series {
            words: Words {
                title: "A & B".into(),
                subtitle: "made up".into(),
                x_title: "time, ms".into(),
            },
            y_title: "top-1, %".into(),
            families: vec!["first".into(), "second".into()],
            points: vec![
                point("one", 1.0, 70.0, 0),
                point("two", 1.1, 70.1, 1),
                point("three", 9.0, 80.0, 0),
            ],
        }
    }

    #[test]
    fn the_picture_holds_every_text_once_and_is_always_the_same() {
        let svg = svg(&series()).expect("drawn");
        assert_eq!(svg, super::svg(&series()).expect("drawn"));
        for text in [
            "A &amp; B",
            "made up",
            "time, ms",
            "top-1, %",
            "one",
            "two",
            "three",
            "first",
            "second",
        ] {
            assert_eq!(svg.matches(&format!("\n{text}\n")).count(), 1, "{text} in {svg}");
        }
        assert!(
            svg.contains("<circle") && svg.contains("<polygon"),
            "each family has its shape"
        );
    }

    #[test]
    fn error_bars_are_drawn_where_they_can_be_seen() {
        let lines = |series: &Series| svg(series).expect("drawn").matches("<polyline").count();
        let mut wide = series();
        wide.points[0].interval = Some((0.5, 1.5));
        assert_eq!(lines(&wide), lines(&series()) + 3);
    }
}
