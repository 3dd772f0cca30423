use plotters::style::text_anchor::HPos;

use crate::axis::Span;
use crate::draw::{Dot, Drawn, FAINT, Fault, INK, Pen, text_width};
use crate::frame::{Frame, LABEL, Plane, end};
use crate::labels::{Area, place};
use crate::series::Series;

const RADIUS: f64 = 5.0;

/// The chart as an SVG.
///
/// # Errors
/// The error of plotters.
pub(crate) fn svg(series: &Series) -> Result<String, Fault> {
    let layout = Layout::new(series);
    layout.frame.svg(|pen| {
        for (curve, path) in series.curves.iter().zip(&layout.paths) {
            let (width, color) = if curve.name.is_some() {
                (2, INK)
            } else {
                (1, FAINT)
            };
            pen.path(path, width, color)?;
        }
        points(pen, series, &layout)?;
        layout.texts.iter().try_for_each(|text| label(pen, text))
    })
}

/// The places of all parts.
pub(crate) struct Layout<'a> {
    frame: Frame<'a>,
    /// Each point's centre, pixels.
    pub(crate) centers: Vec<(f64, f64)>,
    /// Each curve, pixels.
    paths: Vec<Vec<(f64, f64)>>,
    /// The labels of points and the names of curves.
    pub(crate) texts: Vec<Placed<'a>>,
}

/// A text beside a point.
pub(crate) struct Placed<'a> {
    text: &'a str,
    /// The point, pixels.
    beside: (f64, f64),
    /// The area of the text; `None` if there is no room.
    pub(crate) area: Option<Area>,
}

impl<'a> Layout<'a> {
    pub(crate) fn new(series: &'a Series) -> Self {
        let frame = frame(series);
        let pixel = |(x, y)| (frame.x.pixel(x), frame.y(y));
        let centers: Vec<(f64, f64)> = series
            .points
            .iter()
            .map(|point| pixel((point.x, point.y)))
            .collect();
        let paths: Vec<Vec<(f64, f64)>> = series
            .curves
            .iter()
            .map(|curve| curve.points.iter().copied().map(pixel).collect())
            .collect();
        let labels = series
            .points
            .iter()
            .map(|point| point.label.as_str())
            .zip(centers.iter().copied());
        let names = series.curves.iter().filter_map(|curve| curve.name.as_ref());
        let names = names.map(|(name, at)| (name.as_str(), pixel(*at)));
        let (texts, bare): (Vec<_>, Vec<_>) = labels.chain(names).partition(|(text, _)| !text.is_empty());
        let sizes: Vec<(f64, f64)> = texts
            .iter()
            .map(|(text, _)| (text_width(text, LABEL), LABEL + 3.0))
            .collect();
        let bars = series.points.iter().zip(&centers);
        let bars = bars.filter_map(|(point, (_, y))| {
            let (low, high) = point.interval?;
            Some(along((frame.x.pixel(low), *y), (frame.x.pixel(high), *y)))
        });
        let lines = paths
            .iter()
            .flat_map(|path| path.windows(2))
            .map(|ends| along(ends[0], ends[1]));
        // Labels keep off all of these.
        let points = texts.iter().chain(&bare).map(|(_, at)| *at);
        let taken: Vec<(f64, f64)> = points.chain(bars.chain(lines).flatten()).collect();
        let areas = place(frame.plot, &taken, &sizes, RADIUS);
        let texts = texts
            .into_iter()
            .zip(areas)
            .map(|((text, beside), area)| Placed { text, beside, area });
        Self {
            texts: texts.collect(),
            frame,
            centers,
            paths,
        }
    }
}

fn frame(series: &Series) -> Frame<'_> {
    let ends = series.points.iter().map(|point| end(point.x, point.interval));
    let right = ends.fold(0.0, f64::max);
    let (low, high) = series
        .points
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
            (low.min(point.y), high.max(point.y))
        });
    let margin = ((high - low) * 0.05).max(0.1);
    let needed = || {
        (
            Span::linear(0.0, right * 1.02, 6),
            Span::linear(low - margin, high + margin, 8),
        )
    };
    let (x, y) = series.spans.unwrap_or_else(needed);
    Frame::plane(Plane {
        words: &series.words,
        y_title: &series.y_title,
        families: &series.families,
        x,
        y,
        ends: Vec::new(),
    })
}

/// Pixels along a line, close enough that no label fits between them.
fn along(from: (f64, f64), to: (f64, f64)) -> Vec<(f64, f64)> {
    let steps = ((to.0 - from.0).hypot(to.1 - from.1) / RADIUS).ceil().max(1.0);
    let at = |step: u32| f64::from(step) / steps;
    (0..=steps as u32)
        .map(at)
        .map(|share| (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share))
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

fn label(pen: &Pen, placed: &Placed) -> Drawn {
    let Some(area) = placed.area else {
        return Ok(());
    };
    let center = placed.beside;
    let near = area.nearest(center);
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
    pen.text(placed.text, (middle, area.top + 2.0), LABEL, INK, HPos::Center)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Words;
    use crate::series::{Curve, Point};

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
            curves: Vec::new(),
            spans: None,
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

    #[test]
    fn labels_keep_off_curves_and_a_point_without_a_label_has_none() {
        let mut roofed = series();
        roofed.points[1].label.clear();
        roofed.curves = vec![Curve {
            points: vec![(0.5, 70.2), (9.5, 70.2)],
            name: Some(("the roof".into(), (5.0, 70.2))),
        }];
        let layout = Layout::new(&roofed);
        let texts: Vec<&str> = layout.texts.iter().map(|placed| placed.text).collect();
        assert_eq!(texts, ["one", "three", "the roof"]);
        let height = layout.paths[0][0].1;
        for placed in &layout.texts {
            let area = placed.area.expect("a place");
            assert!(
                area.top > height || area.top + area.height < height,
                "{} lies on the curve",
                placed.text
            );
        }
    }
}
