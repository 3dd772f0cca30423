use plotters::style::text_anchor::HPos;

use crate::axis::Axis;
use crate::draw::{self, COLORS, Drawn, FAINT, GRID, INK, Pen, WIDTH, text_width};
use crate::heading::{Heading, Mark};
use crate::labels::{Area, place};
use crate::series::{Point, Series};

const LEFT: f64 = 52.0;
const RIGHT: f64 = 22.0;
const HEIGHT: f64 = 310.0;
const BOTTOM: f64 = 48.0;
const RADIUS: f64 = 5.0;
const LABEL: f64 = 12.0;

/// The chart as an SVG.
///
/// # Errors
/// What plotters says.
pub(crate) fn svg(series: &Series) -> Result<String, String> {
    let layout = Layout::new(series);
    let bottom = layout.plot.top + HEIGHT;
    draw::svg(&series.title, (bottom + BOTTOM) as u32, |pen| {
        let chart = Painter {
            pen,
            series,
            layout: &layout,
        };
        heading(series).paint(pen)?;
        chart.axes()?;
        chart.points()?;
        chart.labels()
    })
}

fn heading(series: &Series) -> Heading<'_> {
    let families: Vec<&str> = series
        .families
        .iter()
        .map(|family| family.name.as_str())
        .collect();
    Heading::new(&series.title, &series.subtitle, &families, Mark::Shape)
}

/// Where everything lies.
pub(crate) struct Layout {
    plot: Area,
    x: Axis,
    y: Axis,
    /// Each point's centre, pixels.
    pub(crate) centers: Vec<(f64, f64)>,
    /// Each label's area.
    pub(crate) labels: Vec<Option<Area>>,
}

impl Layout {
    pub(crate) fn new(series: &Series) -> Self {
        let plot = Area {
            left: LEFT,
            top: heading(series).bottom + 6.0,
            width: f64::from(WIDTH) - LEFT - RIGHT,
            height: HEIGHT,
        };
        let reach = |value: fn(&Point) -> f64| {
            let values = series.points.iter().map(value);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            })
        };
        let (_, right) = reach(|point| point.interval.map_or(point.x, |(_, high)| high));
        let (low, high) = reach(|point| point.y);
        let x = Axis::new(0.0, right * 1.02, 6, (plot.left, plot.left + plot.width));
        let margin = ((high - low) * 0.05).max(0.1);
        let y = Axis::new(low - margin, high + margin, 8, (plot.top + plot.height, plot.top));
        let centers: Vec<(f64, f64)> = series
            .points
            .iter()
            .map(|p| (x.pixel(p.x), y.pixel(p.y)))
            .collect();
        let sizes: Vec<(f64, f64)> = series
            .points
            .iter()
            .map(|point| (text_width(&point.label, LABEL), LABEL + 3.0))
            .collect();
        let bars = series.points.iter().zip(&centers);
        let taken = bars.flat_map(|(point, center)| along(point, &x, center.1));
        let taken: Vec<(f64, f64)> = centers.iter().copied().chain(taken).collect();
        let labels = place(plot, &taken, &sizes, RADIUS);
        Self {
            plot,
            x,
            y,
            centers,
            labels,
        }
    }
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

struct Painter<'a, 'b> {
    pen: &'a Pen<'b>,
    series: &'a Series,
    layout: &'a Layout,
}

impl Painter<'_, '_> {
    fn axes(&self) -> Drawn {
        let plot = self.layout.plot;
        let (bottom, right) = (plot.top + plot.height, plot.left + plot.width);
        for (value, text) in self.layout.x.ticks() {
            let x = self.layout.x.pixel(value);
            self.pen.line((x, plot.top), (x, bottom), GRID)?;
            self.pen
                .text(&text, (x, bottom + 6.0), LABEL, FAINT, HPos::Center)?;
        }
        for (value, text) in self.layout.y.ticks() {
            let y = self.layout.y.pixel(value);
            self.pen.line((plot.left, y), (right, y), GRID)?;
            self.pen
                .text(&text, (plot.left - 7.0, y - 6.0), LABEL, FAINT, HPos::Right)?;
        }
        self.pen.line((plot.left, bottom), (right, bottom), FAINT)?;
        self.pen.line((plot.left, plot.top), (plot.left, bottom), FAINT)?;
        let middle = (plot.left + plot.width / 2.0, bottom + 26.0);
        self.pen
            .text(&self.series.x_title, middle, LABEL, INK, HPos::Center)?;
        let at = (6.0, plot.top + plot.height / 2.0);
        self.pen.rising(&self.series.y_title, at, LABEL, INK)
    }

    fn points(&self) -> Drawn {
        let series = self.series;
        for (point, center) in series.points.iter().zip(&self.layout.centers) {
            let Some((low, high)) = point.interval else {
                continue;
            };
            let ends = (self.layout.x.pixel(low), self.layout.x.pixel(high));
            if ends.1 - ends.0 > 2.0 * RADIUS {
                self.pen
                    .whisker(ends, center.1, COLORS[point.family % COLORS.len()])?;
            }
        }
        for (point, center) in series.points.iter().zip(&self.layout.centers) {
            self.pen.marker(*center, point.family, RADIUS)?;
            let around = Area {
                left: center.0 - RADIUS - 2.0,
                top: center.1 - RADIUS - 2.0,
                width: 2.0 * RADIUS + 4.0,
                height: 2.0 * RADIUS + 4.0,
            };
            self.pen.tip(around, &point.told);
        }
        Ok(())
    }

    fn labels(&self) -> Drawn {
        let layout = self.layout;
        for ((point, center), area) in self.series.points.iter().zip(&layout.centers).zip(&layout.labels) {
            let Some(area) = area else { continue };
            let near = area.nearest(*center);
            let distance = (near.0 - center.0).hypot(near.1 - center.1);
            if distance > RADIUS + 8.0 {
                let share = (RADIUS + 1.0) / distance;
                let from = (
                    center.0 + (near.0 - center.0) * share,
                    center.1 + (near.1 - center.1) * share,
                );
                self.pen.line(from, near, FAINT)?;
            }
            let middle = area.left + area.width / 2.0;
            self.pen
                .text(&point.label, (middle, area.top + 2.0), LABEL, INK, HPos::Center)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Family;

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
            title: "A & B".into(),
            subtitle: "made up".into(),
            x_title: "time, ms".into(),
            y_title: "top-1, %".into(),
            families: ["first", "second"]
                .map(|name| Family { name: name.into() })
                .to_vec(),
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
