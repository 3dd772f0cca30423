use plotters::style::text_anchor::HPos;

use crate::axis::Axis;
use crate::draw::{self, COLORS, Drawn, FAINT, GRID, INK, Pen, WIDTH, text_width};
use crate::heading::{Heading, Mark};
use crate::labels::Area;

/// What a chart of grouped bars shows, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bars {
    pub(crate) title: String,
    /// Where the numbers come from.
    pub(crate) subtitle: String,
    /// The horizontal axis, with its unit.
    pub(crate) x_title: String,
    /// A value that others are held against, with its name.
    pub(crate) mark: Option<(f64, String)>,
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
    /// What is told of it when it is pointed at.
    pub(crate) told: String,
}

const RIGHT: f64 = 20.0;
const BOTTOM: f64 = 48.0;
const THICK: f64 = 12.0;
const STEP: f64 = 17.0;
const GAP: f64 = 12.0;
const LABEL: f64 = 12.0;

/// The chart as an SVG, as high as its bars need.
///
/// # Errors
/// What plotters says.
pub(crate) fn svg(bars: &Bars) -> Result<String, String> {
    let families: Vec<&str> = bars.families.iter().map(String::as_str).collect();
    let heading = Heading::new(&bars.title, &bars.subtitle, &families, Mark::Bar);
    let rows: f64 = bars
        .groups
        .iter()
        .map(|group| group.bars.len() as f64 * STEP + GAP)
        .sum();
    // Room for the name of the mark.
    let top = heading.bottom + if bars.mark.is_some() { 18.0 } else { 2.0 };
    let bottom = top + rows;
    draw::svg(&bars.title, (bottom + BOTTOM) as u32, |pen| {
        let axis = axis(bars);
        heading.paint(pen)?;
        frame(pen, bars, &axis, (top, bottom))?;
        let mut next = top + GAP / 2.0;
        for group in &bars.groups {
            next = self::group(pen, group, &axis, next)?;
        }
        let Some((value, name)) = &bars.mark else {
            return Ok(());
        };
        let x = axis.pixel(*value);
        pen.line((x, top - 3.0), (x, bottom), INK)?;
        pen.text(name, (x, top - 17.0), LABEL, INK, HPos::Center)
    })
}

/// Where bars begin: right of every group's name.
fn left(bars: &Bars) -> f64 {
    let names = bars.groups.iter().map(|group| text_width(&group.name, LABEL));
    names.fold(40.0, f64::max) + 20.0
}

/// An axis on which every bar has room for its label.
fn axis(bars: &Bars) -> Axis {
    let left = left(bars);
    let width = f64::from(WIDTH) - left - RIGHT;
    let all = || bars.groups.iter().flat_map(|group| &group.bars);
    let widest = all().map(|bar| text_width(&bar.label, LABEL)).fold(0.0, f64::max) + 12.0;
    let mark = bars.mark.as_ref().map_or(0.0, |(value, _)| *value);
    let longest = all().map(end).fold(mark, f64::max);
    let high = longest * width / (width - widest).max(width / 4.0);
    Axis::new(0.0, high, 5, (left, left + width))
}

/// Where a bar or its interval ends.
fn end(bar: &Bar) -> f64 {
    bar.interval.map_or(bar.value, |(_, high)| high.max(bar.value))
}

fn frame(pen: &Pen, bars: &Bars, axis: &Axis, (top, bottom): (f64, f64)) -> Drawn {
    for (value, text) in axis.ticks() {
        let x = axis.pixel(value);
        pen.line((x, top), (x, bottom), GRID)?;
        pen.text(&text, (x, bottom + 6.0), LABEL, FAINT, HPos::Center)?;
    }
    let left = axis.pixel(0.0);
    pen.line((left, top), (left, bottom), FAINT)?;
    let middle = (f64::from(WIDTH) / 2.0, bottom + 26.0);
    pen.text(&bars.x_title, middle, LABEL, INK, HPos::Center)
}

/// Draws a group below `top` and gives where the next one begins.
fn group(pen: &Pen, group: &Group, axis: &Axis, top: f64) -> Result<f64, String> {
    let height = group.bars.len() as f64 * STEP;
    let left = axis.pixel(0.0);
    let name = (left - 8.0, top + height / 2.0 - 7.0);
    pen.text(&group.name, name, LABEL, INK, HPos::Right)?;
    for (index, bar) in group.bars.iter().enumerate() {
        let y = top + index as f64 * STEP + (STEP - THICK) / 2.0;
        let middle = y + THICK / 2.0;
        let color = COLORS[bar.family % COLORS.len()];
        pen.bar((left, y), (axis.pixel(bar.value), y + THICK), color)?;
        if let Some((low, high)) = bar.interval {
            pen.whisker((axis.pixel(low), axis.pixel(high)), middle, INK)?;
        }
        let right = axis.pixel(end(bar)) + 7.0;
        pen.text(&bar.label, (right, middle - 6.0), LABEL, INK, HPos::Left)?;
        let row = Area {
            left,
            top: y - 2.0,
            width: f64::from(WIDTH) - RIGHT - left,
            height: STEP,
        };
        pen.tip(row, &bar.told);
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
            label: format!("{value} times, long"),
            told: String::new(),
        };
        Bars {
            title: "Engines".into(),
            subtitle: "made up".into(),
            x_title: "times as long".into(),
            mark: Some((1.0, "ours".into())),
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
