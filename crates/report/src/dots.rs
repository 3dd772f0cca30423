//! Values of several kinds on one line a row, to be compared down and across.

use plotters::style::text_anchor::HPos;

use crate::axis::Axis;
use crate::draw::{self, COLORS, Drawn, FAINT, GRID, INK, Pen, WIDTH, text_width};
use crate::heading::{Heading, Mark};
use crate::labels::Area;

/// What a chart of dots shows, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dots {
    pub(crate) title: String,
    /// Where the numbers come from.
    pub(crate) subtitle: String,
    /// The horizontal axis, with its unit.
    pub(crate) x_title: String,
    /// A value that others are held against, with its name.
    pub(crate) mark: Option<(f64, String)>,
    /// The kinds of dots, for colour, shape and legend.
    pub(crate) families: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// Dots on one line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) dots: Vec<Dot>,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dot {
    /// Index into [`Dots::families`].
    pub(crate) family: usize,
    pub(crate) value: f64,
    /// Where the value lies, if that is known.
    pub(crate) interval: Option<(f64, f64)>,
    /// What is told of it when it is pointed at.
    pub(crate) told: String,
}

const RIGHT: f64 = 22.0;
const BOTTOM: f64 = 48.0;
const RADIUS: f64 = 5.0;
const LABEL: f64 = 12.0;
/// Between the lines of one row's families: they lie a little below one another, so that equal values are all seen.
const STEP: f64 = 8.0;

impl Row {
    /// Pixels that a row takes.
    fn height(families: usize) -> f64 {
        families as f64 * STEP + 16.0
    }
}

/// The chart as an SVG, as high as its rows need.
///
/// # Errors
/// What plotters says.
pub(crate) fn svg(dots: &Dots) -> Result<String, String> {
    let families: Vec<&str> = dots.families.iter().map(String::as_str).collect();
    let heading = Heading::new(&dots.title, &dots.subtitle, &families, Mark::Shape);
    let top = heading.bottom + if dots.mark.is_some() { 18.0 } else { 2.0 };
    let step = Row::height(dots.families.len());
    let bottom = top + step * dots.rows.len() as f64;
    draw::svg(&dots.title, (bottom + BOTTOM) as u32, |pen| {
        heading.paint(pen)?;
        let axis = axis(dots);
        frame(pen, dots, &axis, (top, bottom))?;
        for (index, row) in dots.rows.iter().enumerate() {
            let middle = top + step * (index as f64 + 0.5);
            self::row(pen, row, dots.families.len(), &axis, middle)?;
        }
        Ok(())
    })
}

fn axis(dots: &Dots) -> Axis {
    let names = dots.rows.iter().map(|row| text_width(&row.name, LABEL));
    let left = names.fold(40.0, f64::max) + 20.0;
    let mark = dots.mark.as_ref().map_or(0.0, |(value, _)| *value);
    let all = dots.rows.iter().flat_map(|row| &row.dots);
    let ends = all.map(|dot| dot.interval.map_or(dot.value, |(_, high)| high.max(dot.value)));
    let high = ends.fold(mark, f64::max);
    Axis::new(0.0, high * 1.02, 6, (left, f64::from(WIDTH) - RIGHT))
}

fn frame(pen: &Pen, dots: &Dots, axis: &Axis, (top, bottom): (f64, f64)) -> Drawn {
    for (value, text) in axis.ticks() {
        let x = axis.pixel(value);
        pen.line((x, top), (x, bottom), GRID)?;
        pen.text(&text, (x, bottom + 6.0), LABEL, FAINT, HPos::Center)?;
    }
    if let Some((value, name)) = &dots.mark {
        let x = axis.pixel(*value);
        pen.line((x, top - 3.0), (x, bottom), INK)?;
        pen.text(name, (x, top - 17.0), LABEL, INK, HPos::Center)?;
    }
    let middle = (f64::from(WIDTH) / 2.0, bottom + 26.0);
    pen.text(&dots.x_title, middle, LABEL, INK, HPos::Center)
}

fn row(pen: &Pen, row: &Row, families: usize, axis: &Axis, middle: f64) -> Drawn {
    let (left, right) = (axis.pixel(0.0), f64::from(WIDTH) - RIGHT);
    let half = Row::height(families) / 2.0;
    pen.text(&row.name, (left - 8.0, middle - 6.0), LABEL, INK, HPos::Right)?;
    pen.line((left, middle + half), (right, middle + half), GRID)?;
    for dot in &row.dots {
        let y = middle + (dot.family as f64 - (families as f64 - 1.0) / 2.0) * STEP;
        let x = axis.pixel(dot.value);
        if let Some((low, high)) = dot.interval {
            let ends = (axis.pixel(low), axis.pixel(high));
            if ends.1 - ends.0 > 2.0 * RADIUS {
                pen.whisker(ends, y, COLORS[dot.family % COLORS.len()])?;
            }
        }
        pen.marker((x, y), dot.family, RADIUS)?;
        let around = Area {
            left: x - RADIUS - 2.0,
            top: y - STEP / 2.0,
            width: 2.0 * RADIUS + 4.0,
            height: STEP,
        };
        pen.tip(around, &dot.told);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dots() -> Dots {
        let dot = |family, value, interval| Dot {
            family,
            value,
            interval,
            told: format!("{value} of {family}"),
        };
        let row = |name: &str, dots| Row {
            name: name.into(),
            dots,
        };
        Dots {
            title: "Ratios".into(),
            subtitle: "made up".into(),
            x_title: "times W18".into(),
            mark: Some((1.0, "equal".into())),
            families: vec!["there".into(), "here".into()],
            rows: vec![
                row("W30", vec![dot(0, 1.5, None), dot(1, 1.5, Some((1.0, 2.0)))]),
                row("W64", vec![dot(0, 3.0, None)]),
            ],
        }
    }

    #[test]
    fn each_text_is_there_once_and_equal_values_do_not_hide_each_other() {
        let svg = svg(&dots()).expect("drawn");
        for text in ["Ratios", "there", "here", "W30", "W64", "equal", "times W18"] {
            assert_eq!(svg.matches(&format!("\n{text}\n")).count(), 1, "{text} in {svg}");
        }
        assert!(svg.contains("<title>1.5 of 0</title>") && svg.contains("<title>1.5 of 1</title>"));
        // Each family's marker in the legend, and three dots, at three heights.
        let tips: Vec<&str> = svg
            .lines()
            .filter(|line| line.contains("class=\"tip\""))
            .collect();
        let top = |line: &str| {
            line.split(" y=\"")
                .nth(1)
                .map(|rest| rest.split('"').next().map(str::to_owned))
        };
        assert_eq!(tips.len(), 3);
        assert_ne!(
            top(tips[0]),
            top(tips[1]),
            "the two dots of W30 lie below one another"
        );
    }

    #[test]
    fn an_interval_that_a_dot_does_not_hide_is_drawn() {
        let lines = |dots: &Dots| svg(dots).expect("drawn").matches("<polyline").count();
        let mut without = dots();
        without.rows[0].dots[1].interval = None;
        assert_eq!(lines(&dots()), lines(&without) + 3);
    }
}
