//! Two values a row beside each other: a bar, a dot on a logarithmic axis of its own, and a few letters behind both.

use plotters::style::text_anchor::HPos;

use crate::axis::{Axis, Span};
use crate::draw::{Drawn, FAINT, Fault, GRID, INK, Pen, text_width};
use crate::frame::{self, Frame, LABEL, Rows, Words, end};
use crate::heading::Mark;
use crate::labels::Area;

/// A chart of pairs, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pairs {
    /// The horizontal axis among them is the bars'.
    pub(crate) words: Words,
    /// The dots' axis, with its unit.
    pub(crate) dots_title: String,
    /// The meaning of the letters.
    pub(crate) letters_title: String,
    /// A value with which bars are compared, and its name.
    pub(crate) mark: Option<(f64, String)>,
    /// The kinds of pairs, for colour, shape and legend.
    pub(crate) families: Vec<String>,
    pub(crate) groups: Vec<Group>,
}

/// Rows that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) pairs: Vec<Pair>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    /// Index into [`Pairs::families`].
    pub(crate) family: usize,
    /// The bar.
    pub(crate) value: f64,
    /// The interval of the bar's value, if it is known.
    pub(crate) interval: Option<(f64, f64)>,
    /// The text behind the bar.
    pub(crate) label: String,
    /// The dot, above 0; `None` if it is not known, or 0.
    pub(crate) dot: Option<f64>,
    pub(crate) letters: String,
    /// The text of its tip.
    pub(crate) told: String,
}

const THICK: f64 = 10.0;
const STEP: f64 = 15.0;
const GAP: f64 = 12.0;
const RADIUS: f64 = 4.0;
/// Between a bar and its label.
const BESIDE: f64 = 6.0;
/// The dots' plot.
const DOTS: f64 = 132.0;
/// Left of it, so that the ticks of both axes do not touch.
const APART: f64 = 26.0;
/// Between it and the letters.
const BEFORE: f64 = 8.0;
/// The width that a tick of the dots' axis needs.
const TICK: f64 = 38.0;

/// The chart as an SVG, as high as its rows need.
///
/// # Errors
/// The error of plotters.
pub(crate) fn svg(pairs: &Pairs) -> Result<String, Fault> {
    let layout = Layout::new(pairs);
    layout.frame.svg(|pen| {
        layout.dots_axis(pen, pairs)?;
        let mut top = layout.frame.plot.top + GAP / 2.0;
        for (index, group) in pairs.groups.iter().enumerate() {
            if index > 0 {
                let y = top - GAP / 2.0;
                pen.line((layout.frame.plot.left, y), (layout.right, y), GRID)?;
            }
            layout.group(pen, group, top)?;
            top += group.height() + GAP;
        }
        layout.frame.held(pen)
    })
}

/// The places of all parts.
struct Layout<'a> {
    frame: Frame<'a>,
    dots: Axis,
    /// Ends of the dots' axis, pixels.
    ends: (f64, f64),
    /// The end of the letters, pixels.
    right: f64,
}

impl Group {
    fn height(&self) -> f64 {
        self.pairs.len() as f64 * STEP
    }
}

impl Pair {
    /// The end of the bar or of its interval, whichever is farther.
    fn end(&self) -> f64 {
        end(self.value, self.interval)
    }
}

impl<'a> Layout<'a> {
    fn new(pairs: &'a Pairs) -> Self {
        let all = || pairs.groups.iter().flat_map(|group| &group.pairs);
        let letters = all().map(|pair| pair.letters.as_str());
        let column = letters.chain([pairs.letters_title.as_str()]);
        let column = column.map(|text| text_width(text, LABEL)).fold(0.0, f64::max);
        let labels = all().map(|pair| text_width(&pair.label, LABEL));
        let frame = Frame::rows(Rows {
            words: &pairs.words,
            families: &pairs.families,
            legend: Mark::Bar,
            held: pairs.mark.as_ref(),
            names: pairs.groups.iter().map(|group| group.name.as_str()).collect(),
            height: pairs.groups.iter().map(|group| group.height() + GAP).sum(),
            longest: all().map(Pair::end).fold(0.0, f64::max),
            beyond: labels.fold(0.0, f64::max) + BESIDE + 3.0,
            beside: APART + DOTS + BEFORE + column,
        });
        let left = frame.plot.left + frame.plot.width + APART;
        let ends = (left, left + DOTS);
        let values = || all().filter_map(|pair| pair.dot);
        let (low, high) = values().fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let span = match values().next() {
            Some(_) => Span::decades(low, high, (DOTS / TICK) as u32),
            None => Span::decades(1e-3, 1.0, 3),
        };
        Self {
            dots: span.axis(ends),
            ends,
            right: ends.1 + BEFORE + column,
            frame,
        }
    }

    fn dots_axis(&self, pen: &Pen, pairs: &Pairs) -> Drawn {
        let plot = self.frame.plot;
        let Area { top, height, .. } = plot;
        frame::ticks(pen, &self.dots, plot)?;
        pen.line((self.ends.0, top), (self.ends.0, top + height), FAINT)?;
        let middle = (self.ends.0 + self.ends.1) / 2.0;
        frame::title(pen, &pairs.dots_title, middle, plot)?;
        let head = (self.right, top - 17.0);
        pen.text(&pairs.letters_title, head, LABEL, INK, HPos::Right)
    }

    fn group(&self, pen: &Pen, group: &Group, top: f64) -> Drawn {
        self.frame
            .name(pen, &group.name, top + group.height() / 2.0 - 6.0)?;
        for (index, pair) in group.pairs.iter().enumerate() {
            self.pair(pen, pair, top + (index as f64 + 0.5) * STEP)?;
        }
        Ok(())
    }

    fn pair(&self, pen: &Pen, pair: &Pair, middle: f64) -> Drawn {
        let bar = frame::Bar {
            pieces: &[(pair.family, pair.value)],
            interval: pair.interval,
            label: &pair.label,
            beside: BESIDE,
            middle,
            thick: THICK,
        };
        self.frame.bar(pen, bar)?;
        if let Some(value) = pair.dot {
            pen.marker((self.dots.pixel(value), middle), pair.family, RADIUS)?;
        }
        let letters = (self.right, middle - 6.0);
        pen.text(&pair.letters, letters, LABEL, INK, HPos::Right)?;
        let left = self.frame.plot.left;
        let row = Area {
            left,
            top: middle - STEP / 2.0,
            width: self.right - left,
            height: STEP,
        };
        pen.tip(row, &pair.told);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::WIDTH;

    fn pairs() -> Pairs {
        let pair = |family, value, dot, letters: &str| Pair {
            family,
            value,
            interval: Some((0.9 * value, 1.1 * value)),
            label: format!("{value:.2} times"),
            dot,
            letters: letters.into(),
            told: format!("{value} of {family}"),
        };
        let group = |name: &str, pairs| Group {
            name: name.into(),
            pairs,
        };
        Pairs {
            words: Words {
                title: "Gains".into(),
                subtitle: "made up".into(),
                x_title: "times as fast".into(),
            },
            dots_title: "error".into(),
            letters_title: "right".into(),
            mark: Some((1.0, "plain".into())),
            families: vec!["plain ones".into(), "short ones".into()],
            groups: vec![
                group(
                    "W18",
                    vec![pair(0, 1.0, Some(2e-5), "4/4"), pair(1, 2.25, Some(0.3), "3/4")],
                ),
                group("W64", vec![pair(1, 0.25, None, "")]),
            ],
        }
    }

    #[test]
    fn every_value_is_told_and_both_axes_have_their_ticks() {
        let svg = svg(&pairs()).expect("drawn");
        for text in [
            "Gains",
            "times as fast",
            "error",
            "right",
            "plain",
            "W18",
            "W64",
            "4/4",
            "2.25 times",
            "10⁻⁵",
        ] {
            assert_eq!(svg.matches(&format!("\n{text}\n")).count(), 1, "{text} in {svg}");
        }
        for told in ["1 of 0", "2.25 of 1", "0.25 of 1"] {
            assert!(svg.contains(&format!("<title>{told}</title>")), "{told}");
        }
        // Only family 1 has a diamond, and one of its values is not known.
        assert_eq!(svg.matches("<polygon").count(), 1, "{svg}");
    }

    #[test]
    fn bars_end_before_dots_and_dots_before_letters() {
        let pairs = pairs();
        let layout = Layout::new(&pairs);
        for pair in pairs.groups.iter().flat_map(|group| &group.pairs) {
            let label = layout.frame.x.pixel(pair.end()) + BESIDE + text_width(&pair.label, LABEL);
            assert!(label <= layout.ends.0, "{} ends at {label}", pair.label);
            if let Some(value) = pair.dot {
                let x = layout.dots.pixel(value);
                assert!((layout.ends.0..=layout.ends.1).contains(&x), "{value} at {x}");
            }
            let letters = layout.right - text_width(&pair.letters, LABEL);
            assert!(letters >= layout.ends.1, "{} begins at {letters}", pair.letters);
        }
        assert!(layout.right <= f64::from(WIDTH));
    }

    #[test]
    fn no_dots_at_all_leave_an_axis() {
        let mut bare = pairs();
        bare.groups[0].pairs.iter_mut().for_each(|pair| pair.dot = None);
        assert!(svg(&bare).is_ok());
    }
}
