//! Texts, lines and shapes on an SVG.

use std::cell::RefCell;
use std::fmt::Write;

use minijinja::HtmlEscape;
use plotters::backend::SVGBackend;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingArea, FontStyle, IntoDrawingArea, IntoFont, RGBColor};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, ShapeStyle, TextStyle};

use crate::labels::Area;

/// The width of every chart, pixels: a phone shows it at three quarters of its size.
pub(crate) const WIDTH: u32 = 460;
/// Plotters writes sizes that are smaller by this factor.
const PLOTTERS_SIZE: f64 = 1.24;

pub(crate) const INK: RGBColor = RGBColor(33, 37, 41);
pub(crate) const FAINT: RGBColor = RGBColor(92, 99, 106);
pub(crate) const GRID: RGBColor = RGBColor(227, 230, 233);
const PAPER: RGBColor = RGBColor(255, 255, 255);
/// Okabe and Ito's colours, told apart by colour-blind readers too.
pub(crate) const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

/// The rules that give the classes of a chart their colours, light and dark.
pub(crate) const STYLE: &str = include_str!("../templates/chart.css");

/// The result of drawing.
pub(crate) type Drawn = Result<(), Fault>;

/// The error of the drawing library.
pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A value on a plot, in pixels.
#[derive(Clone, Copy)]
pub(crate) struct Dot<'a> {
    pub(crate) at: (f64, f64),
    /// The ends of where it lies, if that is known.
    pub(crate) within: Option<((f64, f64), (f64, f64))>,
    pub(crate) family: usize,
    pub(crate) radius: f64,
    /// The height of the area that shows the tip; `None` for the marker's own height.
    pub(crate) height: Option<f64>,
    /// The text of its tip.
    pub(crate) told: &'a str,
}

/// Draws in pixels.
pub(crate) struct Pen<'a> {
    area: DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    /// Areas that show a tip when the pointer is on them.
    tips: RefCell<String>,
}

/// A picture of this height, to be put into a page that has [`STYLE`]; for readers who cannot see it, it is called `name`.
///
/// # Errors
/// The error of plotters.
pub(crate) fn svg(name: &str, height: u32, paint: impl FnOnce(&Pen) -> Drawn) -> Result<String, Fault> {
    let ground = Area {
        left: 0.0,
        top: 0.0,
        width: f64::from(WIDTH),
        height: f64::from(height),
    };
    picture(name, (WIDTH, height), |pen| {
        pen.bar((0.0, 0.0), (ground.width, ground.height), PAPER)?;
        paint(pen)
    })
}

/// A picture of any size without a ground.
///
/// # Errors
/// The error of plotters.
pub(crate) fn picture(
    name: &str,
    size: (u32, u32),
    paint: impl FnOnce(&Pen) -> Drawn,
) -> Result<String, Fault> {
    let mut text = String::new();
    let tips = {
        let pen = Pen {
            area: SVGBackend::with_string(&mut text, size).into_drawing_area(),
            tips: RefCell::default(),
        };
        paint(&pen)?;
        pen.area.present()?;
        pen.tips.take()
    };
    let mut text = classes(&text.replace(" opacity=\"1\"", ""));
    let opening = format!(
        "<svg class=\"chart\" role=\"img\" aria-label=\"{}\"",
        HtmlEscape(name)
    );
    text.replace_range(0.."<svg".len(), &opening);
    let end = text.rfind("</svg>").unwrap_or(text.len());
    text.insert_str(end, &tips);
    Ok(text)
}

/// The picture as a file of its own.
pub(crate) fn standalone(svg: &str) -> String {
    let start = svg.find('>').map_or(0, |end| end + 1);
    format!("{}\n<style>\n{STYLE}</style>{}", &svg[..start], &svg[start..])
}

/// Beside each colour the class that stands for it, which a style sheet can give another one.
fn classes(svg: &str) -> String {
    let named = [(INK, "ink"), (FAINT, "faint"), (GRID, "grid"), (PAPER, "paper")];
    let names = ["c0", "c1", "c2", "c3", "c4", "c5"];
    let all = named.into_iter().chain(COLORS.into_iter().zip(names));
    let mut svg = svg.to_owned();
    for (color, name) in all {
        let RGBColor(r, g, b) = color;
        for attribute in ["fill", "stroke"] {
            let plain = format!("{attribute}=\"#{r:02X}{g:02X}{b:02X}\"");
            let class = format!("class=\"{}-{name}\" {plain}", &attribute[..1]);
            svg = svg.replace(&plain, &class);
        }
    }
    svg
}

/// About how wide a text is, pixels: as wide as in the widest of the usual sans-serif fonts, because we cannot measure the
/// reader's.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(character_width).sum::<f64>() * size
}

/// The width of a character over the font size, as in DejaVu Sans or a little more.
fn character_width(character: char) -> f64 {
    match character {
        'W' | 'M' | 'm' | '%' | '@' => 0.99,
        'w' | '±' | '≤' | '=' | '+' => 0.84,
        'A'..='H' | 'J'..='L' | 'N'..='V' | 'X'..='Z' | '&' => 0.78,
        'f' | 'i' | 'j' | 'l' | 'r' | 't' | 'I' | ' ' => 0.42,
        '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '(' | ')' | '[' | ']' | '/' | '-' => 0.42,
        _ => 0.64,
    }
}

/// The text in lines of at most this width, broken at spaces.
pub(crate) fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line)
                if text_width(line, size) + text_width(word, size) + text_width(" ", size) <= width =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

impl Pen<'_> {
    pub(crate) fn line(&self, from: (f64, f64), to: (f64, f64), color: RGBColor) -> Drawn {
        self.path(&[from, to], 1, color)
    }

    pub(crate) fn path(&self, points: &[(f64, f64)], width: u32, color: RGBColor) -> Drawn {
        let points: Vec<(i32, i32)> = points.iter().copied().map(pixel).collect();
        self.draw(&PathElement::new(points, color.stroke_width(width)))
    }

    /// A level or upright line with ends across it: where a value lies.
    pub(crate) fn whisker(&self, from: (f64, f64), to: (f64, f64), color: RGBColor) -> Drawn {
        self.line(from, to, color)?;
        let (dx, dy) = if from.1 == to.1 { (0.0, 3.0) } else { (3.0, 0.0) };
        for (x, y) in [from, to] {
            self.line((x - dx, y - dy), (x + dx, y + dy), color)?;
        }
        Ok(())
    }

    /// A value as its family's marker, with where it lies where that is not hidden by the marker.
    pub(crate) fn dot(&self, dot: Dot) -> Drawn {
        let Dot {
            at: (x, y), family, ..
        } = dot;
        if let Some((from, to)) = dot.within
            && (from.0 - to.0).abs().max((from.1 - to.1).abs()) > 2.0 * dot.radius
        {
            self.whisker(from, to, COLORS[family % COLORS.len()])?;
        }
        self.marker((x, y), family, dot.radius)?;
        let reach = dot.radius + 2.0;
        let height = dot.height.unwrap_or(2.0 * reach);
        let around = Area {
            left: x - reach,
            top: y - height / 2.0,
            width: 2.0 * reach,
            height,
        };
        self.tip(around, dot.told);
        Ok(())
    }

    /// Text below a point.
    pub(crate) fn text(&self, text: &str, at: (f64, f64), size: f64, color: RGBColor, anchor: HPos) -> Drawn {
        let style = style(size, color).pos(Pos::new(anchor, VPos::Top));
        self.draw(&Text::new(text.to_owned(), pixel(at), style))
    }

    /// Bold text below a point, from left to right.
    pub(crate) fn bold(&self, text: &str, at: (f64, f64), size: f64) -> Drawn {
        let mut style = style(size, INK);
        style.font = style.font.style(FontStyle::Bold);
        self.draw(&Text::new(text.to_owned(), pixel(at), style))
    }

    /// Text from bottom to top, its middle at a point.
    pub(crate) fn rising(&self, text: &str, at: (f64, f64), size: f64, color: RGBColor) -> Drawn {
        let style = style(size, color)
            .transform(FontTransform::Rotate270)
            .pos(Pos::new(HPos::Center, VPos::Top));
        self.draw(&Text::new(text.to_owned(), pixel(at), style))
    }

    pub(crate) fn bar(&self, from: (f64, f64), to: (f64, f64), color: RGBColor) -> Drawn {
        self.draw(&Rectangle::new([pixel(from), pixel(to)], color.filled()))
    }

    /// A family's marker: a shape and a colour of its own.
    pub(crate) fn marker(&self, (x, y): (f64, f64), family: usize, r: f64) -> Drawn {
        let style: ShapeStyle = COLORS[family % COLORS.len()].filled();
        match family % 3 {
            0 => self.draw(&Circle::new(pixel((x, y)), r as i32, style)),
            1 => {
                let corners = [
                    (x, y - r - 1.0),
                    (x + r + 1.0, y),
                    (x, y + r + 1.0),
                    (x - r - 1.0, y),
                ];
                self.draw(&Polygon::new(corners.map(pixel).to_vec(), style))
            }
            _ => self.draw(&Rectangle::new(
                [pixel((x - r, y - r)), pixel((x + r, y + r))],
                style,
            )),
        }
    }

    /// Gives an area a tip.
    pub(crate) fn tip(&self, area: Area, text: &str) {
        let mut tips = self.tips.borrow_mut();
        let written = writeln!(
            tips,
            "<rect class=\"tip\" x=\"{:.0}\" y=\"{:.0}\" width=\"{:.0}\" height=\"{:.0}\" fill=\"none\" \
             pointer-events=\"all\"><title>{}</title></rect>",
            area.left,
            area.top,
            area.width,
            area.height,
            HtmlEscape(text)
        );
        debug_assert!(written.is_ok(), "a string takes every text");
    }

    fn draw<'c, E>(&self, element: &'c E) -> Drawn
    where
        &'c E: plotters::element::PointCollection<'c, (i32, i32)>,
        for<'d> E: plotters::element::Drawable<SVGBackend<'d>>,
    {
        Ok(self.area.draw(element)?)
    }
}

fn style(size: f64, color: RGBColor) -> TextStyle<'static> {
    let start = Pos::new(HPos::Left, VPos::Top);
    TextStyle {
        font: ("sans-serif", size * PLOTTERS_SIZE).into_font(),
        color: color.to_backend_color(),
        pos: start,
    }
}

fn pixel((x, y): (f64, f64)) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_classes_and_tips_are_escaped() {
        let area = Area {
            left: 1.0,
            top: 2.0,
            width: 3.0,
            height: 4.0,
        };
        let svg = svg("A & B", 100, |pen| {
            pen.line((0.0, 0.0), (9.0, 9.0), COLORS[1])?;
            pen.marker((5.0, 5.0), 0, 4.0)?;
            pen.tip(area, "W18 < W30");
            pen.text("x", (1.0, 1.0), 12.0, INK, HPos::Left)
        })
        .expect("drawn");
        for part in [
            "aria-label=\"A &amp; B\"",
            "class=\"s-c1\" stroke=\"#D55E00\"",
            "class=\"f-c0\" fill=\"#0072B2\"",
            "class=\"f-paper\"",
            "<title>W18 &lt; W30</title>",
            "font-size=\"12\"",
        ] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        let twice = svg
            .lines()
            .filter(|line| line.matches(" class=").count() > 1)
            .count();
        assert_eq!(twice, 0, "no element has two classes: {svg}");
        let file = standalone(&svg);
        assert!(file.starts_with("<svg class") && file.contains("prefers-color-scheme: dark"));
        assert!(file.ends_with("</svg>\n"));
    }

    #[test]
    fn lines_are_no_wider_than_asked() {
        let text = "a machine with a long name, 16 threads, f32, batch 4";
        let lines = wrap(text, 12.0, 150.0);
        assert!(lines.len() > 2 && lines.iter().all(|line| text_width(line, 12.0) <= 150.0));
        assert_eq!(lines.join(" "), text);
    }
}
