use plotters::style::text_anchor::HPos;

use crate::axis::Axis;
use crate::draw::{self, COLORS, Drawn, FAINT, GRID, INK, Pen, text_width};
use crate::labels::{Area, place};
use crate::series::{Point, Series};

const HEIGHT: u32 = 460;
const PLOT: Area = Area {
    left: 72.0,
    top: 96.0,
    width: 564.0,
    height: 300.0,
};
const RADIUS: f64 = 5.5;
const LABEL_SIZE: f64 = 13.0;

/// The chart as an SVG document.
///
/// # Errors
/// What plotters says.
pub(crate) fn svg(series: &Series) -> Result<String, String> {
    let layout = Layout::new(series);
    draw::svg(HEIGHT, |pen| {
        let chart = Painter {
            pen,
            series,
            layout: &layout,
        };
        chart.heading()?;
        chart.axes()?;
        chart.points()?;
        chart.labels()
    })
}

/// Where everything lies.
pub(crate) struct Layout {
    x: Axis,
    y: Axis,
    /// Each point's centre, pixels.
    pub(crate) centers: Vec<(f64, f64)>,
    /// Each label's area.
    pub(crate) labels: Vec<Option<Area>>,
}

impl Layout {
    pub(crate) fn new(series: &Series) -> Self {
        let reach = |value: fn(&Point) -> f64| {
            let values = series.points.iter().map(value);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            })
        };
        let (_, right) = reach(|point| point.x + point.spread);
        let (low, high) = reach(|point| point.y);
        let x = Axis::new(0.0, right * 1.02, 8, (PLOT.left, PLOT.left + PLOT.width));
        let margin = ((high - low) * 0.05).max(0.1);
        let y = Axis::new(low - margin, high + margin, 8, (PLOT.top + PLOT.height, PLOT.top));
        let centers: Vec<(f64, f64)> = series
            .points
            .iter()
            .map(|p| (x.pixel(p.x), y.pixel(p.y)))
            .collect();
        let sizes: Vec<(f64, f64)> = series
            .points
            .iter()
            .map(|point| (text_width(&point.label, LABEL_SIZE), LABEL_SIZE + 3.0))
            .collect();
        let labels = place(PLOT, &centers, &sizes, RADIUS);
        Self {
            x,
            y,
            centers,
            labels,
        }
    }
}

struct Painter<'a, 'b> {
    pen: &'a Pen<'b>,
    series: &'a Series,
    layout: &'a Layout,
}

impl Painter<'_, '_> {
    fn heading(&self) -> Drawn {
        self.pen
            .text(&self.series.title, (PLOT.left, 16.0), 20.0, INK, HPos::Left)?;
        self.pen
            .text(&self.series.subtitle, (PLOT.left, 44.0), 13.0, FAINT, HPos::Left)?;
        let mut left = PLOT.left + RADIUS;
        for (index, family) in self.series.families.iter().enumerate() {
            self.pen.marker((left, 76.0), index, RADIUS)?;
            self.pen
                .text(&family.name, (left + 12.0, 69.0), 13.0, INK, HPos::Left)?;
            left += 12.0 + text_width(&family.name, 13.0) + 28.0;
        }
        Ok(())
    }

    fn axes(&self) -> Drawn {
        let (bottom, right) = (PLOT.top + PLOT.height, PLOT.left + PLOT.width);
        for (value, text) in self.layout.x.ticks() {
            let x = self.layout.x.pixel(value);
            self.pen.line((x, PLOT.top), (x, bottom), GRID)?;
            self.pen
                .text(&text, (x, bottom + 8.0), 12.0, FAINT, HPos::Center)?;
        }
        for (value, text) in self.layout.y.ticks() {
            let y = self.layout.y.pixel(value);
            self.pen.line((PLOT.left, y), (right, y), GRID)?;
            self.pen
                .text(&text, (PLOT.left - 10.0, y - 8.0), 12.0, FAINT, HPos::Right)?;
        }
        self.pen.line((PLOT.left, bottom), (right, bottom), FAINT)?;
        self.pen.line((PLOT.left, PLOT.top), (PLOT.left, bottom), FAINT)?;
        self.pen.text(
            &self.series.x_title,
            (PLOT.left + PLOT.width / 2.0, bottom + 32.0),
            13.0,
            INK,
            HPos::Center,
        )?;
        let at = (16.0, PLOT.top + PLOT.height / 2.0);
        self.pen.rising(&self.series.y_title, at, 13.0, INK)
    }

    fn points(&self) -> Drawn {
        for (point, center) in self.series.points.iter().zip(&self.layout.centers) {
            let color = COLORS[point.family % COLORS.len()];
            let ends = [point.x - point.spread, point.x + point.spread].map(|x| self.layout.x.pixel(x));
            if ends[1] - ends[0] > 2.0 * RADIUS {
                self.pen.line((ends[0], center.1), (ends[1], center.1), color)?;
                for end in ends {
                    self.pen
                        .line((end, center.1 - 4.0), (end, center.1 + 4.0), color)?;
                }
            }
        }
        for (point, center) in self.series.points.iter().zip(&self.layout.centers) {
            self.pen.marker(*center, point.family, RADIUS)?;
        }
        Ok(())
    }

    fn labels(&self) -> Drawn {
        let layout = self.layout;
        for ((point, center), area) in self.series.points.iter().zip(&layout.centers).zip(&layout.labels) {
            let Some(area) = area else { continue };
            let near = area.nearest(*center);
            let distance = (near.0 - center.0).hypot(near.1 - center.1);
            if distance > RADIUS + 10.0 {
                let share = (RADIUS + 1.0) / distance;
                let from = (
                    center.0 + (near.0 - center.0) * share,
                    center.1 + (near.1 - center.1) * share,
                );
                self.pen.line(from, near, FAINT)?;
            }
            let middle = area.left + area.width / 2.0;
            self.pen.text(
                &point.label,
                (middle, area.top + 1.0),
                LABEL_SIZE,
                INK,
                HPos::Center,
            )?;
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
            spread: 0.0,
            family,
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
        wide.points[0].spread = 0.5;
        assert_eq!(lines(&wide), lines(&series()) + 3);
    }
}
