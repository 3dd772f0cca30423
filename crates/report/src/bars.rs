use plotters::style::text_anchor::HPos;

use crate::axis::Axis;
use crate::draw::{self, COLORS, Drawn, FAINT, GRID, INK, Pen, WIDTH, text_width};

/// What a chart of grouped bars shows, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bars {
    pub(crate) title: String,
    /// Where the numbers come from.
    pub(crate) subtitle: String,
    /// The horizontal axis, with its unit.
    pub(crate) x_title: String,
    /// A value that others are held against, with its name.
    pub(crate) mark: (f64, String),
    /// The kinds of bars, for colour and legend.
    pub(crate) families: Vec<String>,
    pub(crate) groups: Vec<Group>,
}

/// Bars that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) bars: Vec<Bar>,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    /// Index into [`Bars::families`].
    pub(crate) family: usize,
    pub(crate) value: f64,
    /// Where the value lies, if that is known.
    pub(crate) interval: Option<(f64, f64)>,
    /// The text behind it.
    pub(crate) label: String,
}

const LEFT: f64 = 132.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 96.0;
const BOTTOM: f64 = 64.0;
const THICK: f64 = 12.0;
const STEP: f64 = 16.0;
const GAP: f64 = 14.0;
const LABEL: f64 = 12.0;

/// The chart as an SVG document, as high as its bars need.
///
/// # Errors
/// What plotters says.
pub(crate) fn svg(bars: &Bars) -> Result<String, String> {
    let rows: f64 = bars
        .groups
        .iter()
        .map(|group| group.bars.len() as f64 * STEP + GAP)
        .sum();
    let bottom = TOP + rows;
    let painter = |pen: &Pen| {
        let axis = axis(bars);
        heading(pen, bars)?;
        frame(pen, bars, &axis, bottom)?;
        let mut top = TOP + GAP / 2.0;
        for group in &bars.groups {
            top = self::group(pen, group, &axis, top)?;
        }
        let x = axis.pixel(bars.mark.0);
        pen.line((x, TOP - 4.0), (x, bottom), INK)?;
        pen.text(&bars.mark.1, (x, TOP - 20.0), LABEL, INK, HPos::Center)
    };
    draw::svg((bottom + BOTTOM) as u32, painter)
}

/// An axis on which every bar has room for its label.
fn axis(bars: &Bars) -> Axis {
    let width = f64::from(WIDTH) - LEFT - RIGHT;
    let all = || bars.groups.iter().flat_map(|group| &group.bars);
    let widest = all().map(|bar| text_width(&bar.label, LABEL)).fold(0.0, f64::max) + 12.0;
    let longest = all().map(end).fold(bars.mark.0, f64::max);
    let high = longest * width / (width - widest).max(width / 4.0);
    Axis::new(0.0, high, 7, (LEFT, LEFT + width))
}

/// Where a bar or its interval ends.
fn end(bar: &Bar) -> f64 {
    bar.interval.map_or(bar.value, |(_, high)| high.max(bar.value))
}

fn heading(pen: &Pen, bars: &Bars) -> Drawn {
    pen.text(&bars.title, (24.0, 14.0), 20.0, INK, HPos::Left)?;
    pen.text(&bars.subtitle, (24.0, 40.0), 13.0, FAINT, HPos::Left)?;
    let mut left = 24.0;
    for (index, family) in bars.families.iter().enumerate() {
        let color = COLORS[index % COLORS.len()];
        pen.bar((left, 62.0), (left + 14.0, 72.0), color)?;
        pen.text(family, (left + 20.0, 60.0), 13.0, INK, HPos::Left)?;
        left += 20.0 + text_width(family, 13.0) + 20.0;
    }
    Ok(())
}

fn frame(pen: &Pen, bars: &Bars, axis: &Axis, bottom: f64) -> Drawn {
    for (value, text) in axis.ticks() {
        let x = axis.pixel(value);
        pen.line((x, TOP), (x, bottom), GRID)?;
        pen.text(&text, (x, bottom + 8.0), 12.0, FAINT, HPos::Center)?;
    }
    pen.line((LEFT, TOP), (LEFT, bottom), FAINT)?;
    let middle = (LEFT + f64::from(WIDTH) - RIGHT) / 2.0;
    pen.text(&bars.x_title, (middle, bottom + 32.0), 13.0, INK, HPos::Center)
}

/// Draws a group below `top` and gives where the next one begins.
fn group(pen: &Pen, group: &Group, axis: &Axis, top: f64) -> Result<f64, String> {
    let height = group.bars.len() as f64 * STEP;
    pen.text(
        &group.name,
        (LEFT - 10.0, top + height / 2.0 - 9.0),
        13.0,
        INK,
        HPos::Right,
    )?;
    for (index, bar) in group.bars.iter().enumerate() {
        let y = top + index as f64 * STEP + (STEP - THICK) / 2.0;
        let middle = y + THICK / 2.0;
        let color = COLORS[bar.family % COLORS.len()];
        pen.bar((LEFT, y), (axis.pixel(bar.value), y + THICK), color)?;
        if let Some((low, high)) = bar.interval {
            let ends = [axis.pixel(low), axis.pixel(high)];
            pen.line((ends[0], middle), (ends[1], middle), INK)?;
            for x in ends {
                pen.line((x, middle - 3.0), (x, middle + 3.0), INK)?;
            }
        }
        let text = (axis.pixel(end(bar)) + 7.0, middle - 7.0);
        pen.text(&bar.label, text, LABEL, INK, HPos::Left)?;
    }
    Ok(top + height + GAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars() -> Bars {
        let bar = |family, value, interval| Bar {
            family,
            value,
            interval,
            label: format!("{value} times, and a long text"),
        };
        Bars {
            title: "Engines".into(),
            subtitle: "made up".into(),
            x_title: "times as long".into(),
            mark: (1.0, "ours".into()),
            families: vec!["small".into(), "large".into()],
            groups: vec![
                Group {
                    name: "one".into(),
                    bars: vec![bar(0, 1.5, Some((1.4, 1.75))), bar(1, 2.0, None)],
                },
                Group {
                    name: "two".into(),
                    bars: vec![bar(1, 4.0, None)],
                },
            ],
        }
    }

    #[test]
    fn every_text_is_there_once_and_every_label_has_room() {
        let svg = svg(&bars()).expect("drawn");
        for text in ["Engines", "small", "large", "one", "two", "ours", "times as long"] {
            assert_eq!(svg.matches(&format!("\n{text}\n")).count(), 1, "{text} in {svg}");
        }
        let axis = axis(&bars());
        for bar in bars().groups.iter().flat_map(|group| &group.bars) {
            let right = axis.pixel(end(bar)) + 7.0 + text_width(&bar.label, LABEL);
            assert!(right <= f64::from(WIDTH), "{} ends at {right}", bar.label);
        }
    }

    #[test]
    fn intervals_are_drawn_where_there_are_some() {
        let lines = |bars: &Bars| svg(bars).expect("drawn").matches("<polyline").count();
        let mut without = bars();
        without.groups[0].bars[0].interval = None;
        // The axis is shorter without the interval's end, but here not by a tick.
        assert_eq!(lines(&bars()), lines(&without) + 3);
    }
}
