//! The heading of every chart: its title, the source of its numbers, and the legend.

use plotters::style::text_anchor::HPos;

use crate::draw::{COLORS, Drawn, FAINT, INK, Pen, WIDTH, text_width, wrap};
use crate::frame::{LABEL as TEXT, Words};

const LEFT: f64 = 16.0;
const TITLE: f64 = 15.0;
const MARK: f64 = 5.0;

/// The form in which the legend shows a family.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mark {
    Shape,
    Bar,
}

/// Texts broken into lines.
pub(crate) struct Heading<'a> {
    title: Vec<String>,
    subtitle: Vec<String>,
    /// Each family with its place.
    legend: Vec<(&'a str, (f64, f64))>,
    mark: Mark,
    /// The end of the heading, pixels from the top.
    pub(crate) bottom: f64,
}

impl<'a> Heading<'a> {
    pub(crate) fn new(words: &Words, families: &'a [String], mark: Mark) -> Self {
        let width = f64::from(WIDTH) - 2.0 * LEFT;
        // Bold letters are wider.
        let title = wrap(&words.title, TITLE * 1.1, width);
        let subtitle = wrap(&words.subtitle, TEXT, width);
        let mut y = 14.0 + title.len() as f64 * (TITLE + 4.0) + subtitle.len() as f64 * (TEXT + 4.0) + 6.0;
        let mut x = LEFT;
        let mut legend = Vec::new();
        // One kind of points needs no name.
        for family in families.iter().filter(|_| families.len() > 1) {
            let length = 3.0 * MARK + text_width(family, TEXT);
            if x > LEFT && x + length > LEFT + width {
                x = LEFT;
                y += TEXT + 6.0;
            }
            legend.push((family.as_str(), (x, y)));
            x += length + 16.0;
        }
        let bottom = if legend.is_empty() { y } else { y + TEXT + 8.0 };
        Self {
            title,
            subtitle,
            legend,
            mark,
            bottom,
        }
    }

    pub(crate) fn paint(&self, pen: &Pen) -> Drawn {
        let mut y = 14.0;
        for line in &self.title {
            pen.bold(line, (LEFT, y), TITLE)?;
            y += TITLE + 4.0;
        }
        for line in &self.subtitle {
            pen.text(line, (LEFT, y), TEXT, FAINT, HPos::Left)?;
            y += TEXT + 4.0;
        }
        for (index, (family, (x, y))) in self.legend.iter().enumerate() {
            let middle = y + TEXT / 2.0 - 1.0;
            match self.mark {
                Mark::Shape => pen.marker((x + MARK, middle), index, MARK)?,
                Mark::Bar => {
                    let color = COLORS[index % COLORS.len()];
                    pen.bar((*x, middle - MARK), (x + 2.0 * MARK, middle + MARK), color)?;
                }
            }
            pen.text(family, (x + 3.0 * MARK, *y), TEXT, INK, HPos::Left)?;
        }
        Ok(())
    }
}
