use crate::draw::{Fault, Pen, text_width};
use crate::frame::{self, Frame, LABEL, Rows, Words, end};
use crate::heading::Mark;
use crate::labels::Area;

/// A chart of grouped bars, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bars {
    pub(crate) words: Words,
    /// A value with which others are compared, and its name.
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
    /// The parts of its sum, from left to right: indices into [`Bars::families`] with values.
    pub(crate) pieces: Vec<(usize, f64)>,
    /// The interval of the value, if it is known.
    pub(crate) interval: Option<(f64, f64)>,
    /// The text behind it.
    pub(crate) label: String,
    /// The text of its tip.
    pub(crate) told: String,
}

const THICK: f64 = 12.0;
const STEP: f64 = 17.0;
const GAP: f64 = 12.0;
/// Between a bar and its label.
const BESIDE: f64 = 7.0;

/// The chart as an SVG, as high as its bars need.
///
/// # Errors
/// The error of plotters.
pub(crate) fn svg(bars: &Bars) -> Result<String, Fault> {
    let frame = frame(bars);
    frame.svg(|pen| {
        let mut next = frame.plot.top + GAP / 2.0;
        for group in &bars.groups {
            next = self::group(pen, group, &frame, next)?;
        }
        frame.held(pen)
    })
}

/// A frame in which every bar has room for its label.
fn frame(bars: &Bars) -> Frame<'_> {
    let all = || bars.groups.iter().flat_map(|group| &group.bars);
    let labels = all().map(|bar| text_width(&bar.label, LABEL));
    Frame::rows(Rows {
        words: &bars.words,
        families: &bars.families,
        legend: Mark::Bar,
        held: bars.mark.as_ref(),
        names: bars.groups.iter().map(|group| group.name.as_str()).collect(),
        height: bars.groups.iter().map(|group| group.height() + GAP).sum(),
        longest: all().map(Bar::end).fold(0.0, f64::max),
        beyond: labels.fold(0.0, f64::max) + BESIDE + 5.0,
        beside: 0.0,
    })
}

impl Group {
    fn height(&self) -> f64 {
        self.bars.len() as f64 * STEP
    }
}

impl Bar {
    fn value(&self) -> f64 {
        self.pieces.iter().map(|(_, value)| value).sum()
    }

    /// The end of the bar or of its interval, whichever is farther.
    fn end(&self) -> f64 {
        end(self.value(), self.interval)
    }
}

/// Draws a group below `top` and gives where the next one begins.
fn group(pen: &Pen, group: &Group, frame: &Frame, top: f64) -> Result<f64, Fault> {
    frame.name(pen, &group.name, top + group.height() / 2.0 - 7.0)?;
    for (index, bar) in group.bars.iter().enumerate() {
        let y = top + index as f64 * STEP + (STEP - THICK) / 2.0;
        let drawn = frame::Bar {
            pieces: &bar.pieces,
            interval: bar.interval,
            label: &bar.label,
            beside: BESIDE,
            middle: y + THICK / 2.0,
            thick: THICK,
        };
        frame.bar(pen, drawn)?;
        let row = Area {
            left: frame.plot.left,
            top: y - 2.0,
            width: frame.plot.width,
            height: STEP,
        };
        pen.tip(row, &bar.told);
    }
    Ok(top + group.height() + GAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars() -> Bars {
        let bar = |family, value, interval| Bar {
            pieces: vec![(family, value)],
            interval,
            label: format!("{value} times, long"),
            told: String::new(),
        };
        Bars {
            words: Words {
                title: "Engines".into(),
                subtitle: "made up".into(),
                x_title: "times as long".into(),
            },
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
        let bars = bars();
        let frame = frame(&bars);
        for bar in bars.groups.iter().flat_map(|group| &group.bars) {
            let right = frame.x.pixel(bar.end()) + BESIDE + text_width(&bar.label, LABEL);
            assert!(
                right <= f64::from(crate::draw::WIDTH),
                "{} ends at {right}",
                bar.label
            );
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

    #[test]
    fn pieces_stand_one_behind_the_other() {
        let mut pieced = bars();
        pieced.groups[1].bars[0].pieces = vec![(0, 1.0), (1, 3.0)];
        let drawn = svg(&pieced).expect("drawn");
        // One rectangle more than of one piece, and it ends where that did.
        assert_eq!(
            drawn.matches("height=\"12\" class").count(),
            svg(&bars())
                .expect("drawn")
                .matches("height=\"12\" class")
                .count()
                + 1
        );
        assert_eq!(pieced.groups[1].bars[0].end(), bars().groups[1].bars[0].end());
    }
}
