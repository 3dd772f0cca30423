//! Values of several kinds on one line a row, to be compared down and across.

use crate::draw::{self, Drawn, Fault, GRID, Pen};
use crate::frame::{Frame, Rows, Words, end};
use crate::heading::Mark;

/// A chart of dots, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dots {
    pub(crate) words: Words,
    /// A value with which others are compared, and its name.
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
    /// The interval of the value, if it is known.
    pub(crate) interval: Option<(f64, f64)>,
    /// The text of its tip.
    pub(crate) told: String,
}

const RADIUS: f64 = 5.0;
/// Between the lines of one row's families: they lie a little below one another, so that equal values are all seen.
const STEP: f64 = 10.0;

/// The chart as an SVG, as high as its rows need.
///
/// # Errors
/// The error of plotters.
pub(crate) fn svg(dots: &Dots) -> Result<String, Fault> {
    let families = dots.families.len();
    let step = families as f64 * STEP + 10.0;
    let all = dots.rows.iter().flat_map(|row| &row.dots);
    let ends = all.map(|dot| end(dot.value, dot.interval));
    let frame = Frame::rows(Rows {
        words: &dots.words,
        families: &dots.families,
        legend: Mark::Shape,
        held: dots.mark.as_ref(),
        names: dots.rows.iter().map(|row| row.name.as_str()).collect(),
        height: step * dots.rows.len() as f64,
        longest: ends.fold(0.0, f64::max),
        beyond: RADIUS + 3.0,
        beside: 0.0,
    });
    frame.svg(|pen| {
        frame.held(pen)?;
        for (index, row) in dots.rows.iter().enumerate() {
            let bottom = frame.plot.top + step * (index + 1) as f64;
            let (left, right) = (frame.plot.left, frame.plot.left + frame.plot.width);
            pen.line((left, bottom), (right, bottom), GRID)?;
            self::row(pen, row, families, &frame, bottom - step / 2.0)?;
        }
        Ok(())
    })
}

fn row(pen: &Pen, row: &Row, families: usize, frame: &Frame, middle: f64) -> Drawn {
    frame.name(pen, &row.name, middle - 6.0)?;
    for dot in &row.dots {
        let y = middle + (dot.family as f64 - (families as f64 - 1.0) / 2.0) * STEP;
        let at = |value| (frame.x.pixel(value), y);
        pen.dot(draw::Dot {
            at: at(dot.value),
            within: dot.interval.map(|(low, high)| (at(low), at(high))),
            family: dot.family,
            radius: RADIUS,
            height: Some(STEP),
            told: &dot.told,
        })?;
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
            words: Words {
                title: "Ratios".into(),
                subtitle: "made up".into(),
                x_title: "times W18".into(),
            },
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
