//! Texts, lines and shapes on an SVG.

use plotters::backend::SVGBackend;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingArea, IntoDrawingArea, IntoFont, RGBColor};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, ShapeStyle, TextStyle};

pub(crate) const WIDTH: u32 = 660;
/// The width of a character over the font size: more than most sans-serif fonts take on average, because we cannot
/// measure the reader's.
const CHARACTER: f64 = 0.63;

pub(crate) const INK: RGBColor = RGBColor(33, 37, 41);
pub(crate) const FAINT: RGBColor = RGBColor(108, 117, 125);
pub(crate) const GRID: RGBColor = RGBColor(233, 236, 239);
/// Okabe and Ito's colours, told apart by colour-blind readers too.
pub(crate) const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

/// What plotters says when it cannot draw.
pub(crate) type Drawn = Result<(), String>;

/// Draws in pixels.
pub(crate) struct Pen<'a>(DrawingArea<SVGBackend<'a>, plotters::coord::Shift>);

/// An SVG document of this height.
///
/// # Errors
/// What plotters says.
pub(crate) fn svg(height: u32, paint: impl FnOnce(&Pen) -> Drawn) -> Result<String, String> {
    let mut text = String::new();
    {
        let pen = Pen(SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area());
        pen.0
            .fill(&RGBColor(255, 255, 255))
            .map_err(|error| error.to_string())?;
        paint(&pen)?;
        pen.0.present().map_err(|error| error.to_string())?;
    }
    Ok(text)
}

/// About how wide a text is, pixels.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * CHARACTER
}

impl Pen<'_> {
    pub(crate) fn line(&self, from: (f64, f64), to: (f64, f64), color: RGBColor) -> Drawn {
        self.draw(&PathElement::new(
            vec![pixel(from), pixel(to)],
            color.stroke_width(1),
        ))
    }

    /// Text below a point.
    pub(crate) fn text(&self, text: &str, at: (f64, f64), size: f64, color: RGBColor, anchor: HPos) -> Drawn {
        let style = style(size, color).pos(Pos::new(anchor, VPos::Top));
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

    fn draw<'c, E>(&self, element: &'c E) -> Drawn
    where
        &'c E: plotters::element::PointCollection<'c, (i32, i32)>,
        for<'d> E: plotters::element::Drawable<SVGBackend<'d>>,
    {
        self.0.draw(element).map_err(|error| error.to_string())
    }
}

fn style(size: f64, color: RGBColor) -> TextStyle<'static> {
    let start = Pos::new(HPos::Left, VPos::Top);
    TextStyle {
        font: ("sans-serif", size).into_font(),
        color: color.to_backend_color(),
        pos: start,
    }
}

fn pixel((x, y): (f64, f64)) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}
