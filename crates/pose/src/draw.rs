//! Skeletons drawn on a photo, antialiased.
//!
//! A person's left is blue and the right orange, which the colour-blind can tell apart; what is in the middle is white. Dark rims
//! keep lines legible on any photo. Lines are as wide as the person's size asks for, so that small people are not covered.

use preprocess::RgbImage;

use crate::Keypoint;
use crate::skeleton::{Side, Skeleton};

/// Keypoints of at least this score are drawn; those of a trained network's hidden or absent parts are below it.
pub const THRESHOLD: f32 = 0.3;

const LEFT: [u8; 3] = [61, 174, 255];
const RIGHT: [u8; 3] = [255, 149, 28];
const MIDDLE: [u8; 3] = [255, 255, 255];
const RIM: [u8; 3] = [16, 18, 24];

/// The width of lines, as a share of the larger side of the box around a person's keypoints.
const WIDTH: f64 = 0.016;
/// The least width of lines, pixels.
const THINNEST: f64 = 1.2;
/// The most, as a share of the photo's larger side.
const WIDEST: f64 = 0.012;
/// The radius of keypoints, in widths of lines.
const RADIUS: f64 = 0.95;
/// Nor is it more than this share of the distance to the nearest other keypoint, so that those of hands and faces stay apart.
const CROWDED: f64 = 0.36;
/// The most that a line is wide, as a share of its length.
const STOUTEST: f64 = 0.3;
/// The width of the dark rim, in widths of what it surrounds; at least a pixel.
const RIM_WIDTH: f64 = 0.2;

/// Draws the skeletons of people, each keypoint in pixels of the photo, the largest person first, so that the small ones are on
/// top. Keypoints below the threshold (see [`THRESHOLD`]) and links to them are left out.
///
/// # Panics
/// If a person has another number of keypoints than the skeleton, or the photo's pixels are not `[height, width, 3]`.
pub fn draw(photo: &mut RgbImage, skeleton: &Skeleton, people: &[Vec<Option<Keypoint>>], threshold: f32) {
    assert_eq!(
        photo.pixels.len(),
        photo.width * photo.height * 3,
        "three bytes a pixel"
    );
    let widest = photo.width.max(photo.height) as f64 * WIDEST;
    let mut figures: Vec<Figure> = people
        .iter()
        .map(|keypoints| Figure::new(skeleton, keypoints, threshold, widest))
        .collect();
    figures.sort_by(|a, b| b.width.total_cmp(&a.width));
    for figure in figures {
        figure.draw(photo);
    }
}

/// Coloured lines and points of a person.
struct Figure {
    lines: Vec<(Stroke, [u8; 3])>,
    points: Vec<(Stroke, [u8; 3])>,
    width: f64,
}

/// A line with round ends; a disc if the ends are one.
#[derive(Clone, Copy)]
struct Stroke {
    from: [f64; 2],
    to: [f64; 2],
    radius: f64,
}

impl Figure {
    fn new(skeleton: &Skeleton, keypoints: &[Option<Keypoint>], threshold: f32, widest: f64) -> Self {
        assert_eq!(keypoints.len(), skeleton.keypoints.len(), "one place a keypoint");
        let places: Vec<Option<[f64; 2]>> = keypoints
            .iter()
            .map(|keypoint| {
                let found = keypoint.filter(|found| found.score >= threshold)?;
                (found.x.is_finite() && found.y.is_finite()).then_some([found.x, found.y])
            })
            .collect();
        let width = (extent(&places) * WIDTH).min(widest).max(THINNEST);
        let line = |[from, to]: &[usize; 2]| {
            let (from_place, to_place) = (places[*from]?, places[*to]?);
            let stoutest = (STOUTEST * distance(from_place, to_place)).max(THINNEST);
            let stroke = Stroke {
                from: from_place,
                to: to_place,
                radius: width.min(stoutest) / 2.0,
            };
            Some((stroke, colour(joined(skeleton.side(*from), skeleton.side(*to)))))
        };
        let point = |(keypoint, place): (usize, &Option<[f64; 2]>)| {
            let place = (*place)?;
            let others = places.iter().enumerate().filter(|(other, _)| *other != keypoint);
            let nearest = others
                .filter_map(|(_, other)| Some(distance((*other)?, place)))
                .fold(f64::INFINITY, f64::min);
            let stroke = Stroke {
                from: place,
                to: place,
                radius: (width * RADIUS).min((CROWDED * nearest).max(THINNEST * RADIUS)),
            };
            Some((stroke, colour(skeleton.side(keypoint))))
        };
        Self {
            lines: skeleton.links.iter().filter_map(line).collect(),
            points: places.iter().enumerate().filter_map(point).collect(),
            width,
        }
    }

    fn draw(&self, photo: &mut RgbImage) {
        for strokes in [&self.lines, &self.points] {
            for (stroke, _) in strokes {
                stroke.rim().paint(photo, RIM);
            }
            for (stroke, colour) in strokes {
                stroke.paint(photo, *colour);
            }
        }
    }
}

/// Returns the larger side of the box around the places, pixels.
fn extent(places: &[Option<[f64; 2]>]) -> f64 {
    let side = |axis: usize| {
        let values = places.iter().flatten().map(|place| place[axis]);
        let ends = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        (ends.1 - ends.0).max(0.0)
    };
    side(0).max(side(1))
}

fn distance(one: [f64; 2], other: [f64; 2]) -> f64 {
    (one[0] - other[0]).hypot(one[1] - other[1])
}

fn joined(one: Side, other: Side) -> Side {
    match (one, other) {
        (Side::Middle, side) | (side, Side::Middle) => side,
        (one, other) if one == other => one,
        _ => Side::Middle,
    }
}

fn colour(side: Side) -> [u8; 3] {
    match side {
        Side::Left => LEFT,
        Side::Right => RIGHT,
        Side::Middle => MIDDLE,
    }
}

impl Stroke {
    /// Returns the stroke with its rim.
    fn rim(self) -> Self {
        Self {
            radius: self.radius + (2.0 * self.radius * RIM_WIDTH).max(1.0),
            ..self
        }
    }

    /// Mixes the colour into each pixel by the share of it that the stroke covers.
    fn paint(&self, photo: &mut RgbImage, colour: [u8; 3]) {
        let columns = self.span(0, photo.width);
        for y in self.span(1, photo.height) {
            let row = &mut photo.pixels[y * photo.width * 3..][..photo.width * 3];
            for x in columns.clone() {
                let inside = self.radius - self.distance([x as f64, y as f64]);
                let cover = (inside + 0.5).clamp(0.0, 1.0);
                if cover > 0.0 {
                    for (value, colour) in row[3 * x..][..3].iter_mut().zip(colour) {
                        let mixed = f64::from(*value) * (1.0 - cover) + f64::from(colour) * cover;
                        *value = mixed.round() as u8;
                    }
                }
            }
        }
    }

    /// Returns the pixels of an axis that the stroke may touch.
    fn span(&self, axis: usize, side: usize) -> std::ops::Range<usize> {
        let reach = self.radius + 1.0;
        let low = (self.from[axis].min(self.to[axis]) - reach).floor().max(0.0);
        let high = (self.from[axis].max(self.to[axis]) + reach).ceil();
        // Of a stroke outside the photo nothing is left.
        low as usize..((high + 1.0).max(0.0) as usize).min(side)
    }

    /// Returns the distance of a place to the line between the ends.
    fn distance(&self, place: [f64; 2]) -> f64 {
        let [along, to_place] = [self.to, place].map(|end| [end[0] - self.from[0], end[1] - self.from[1]]);
        let length = along[0] * along[0] + along[1] * along[1];
        let share = match length {
            0.0 => 0.0,
            length => ((to_place[0] * along[0] + to_place[1] * along[1]) / length).clamp(0.0, 1.0),
        };
        (to_place[0] - share * along[0]).hypot(to_place[1] - share * along[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skeleton::COCO;

    fn black(width: usize, height: usize) -> RgbImage {
        RgbImage {
            width,
            height,
            pixels: vec![0; width * height * 3],
        }
    }

    fn person(places: &[(usize, f64, f64, f32)]) -> Vec<Option<Keypoint>> {
        let mut keypoints = vec![None; 17];
        for (keypoint, x, y, score) in places {
            keypoints[*keypoint] = Some(Keypoint {
                x: *x,
                y: *y,
                score: *score,
            });
        }
        keypoints
    }

    fn count(photo: &RgbImage, colour: [u8; 3]) -> usize {
        photo
            .pixels
            .chunks_exact(3)
            .filter(|pixel| *pixel == colour)
            .count()
    }

    #[test]
    fn a_stroke_covers_its_area_wherever_it_lies() {
        for (from, to, radius) in [
            ([20.0, 20.0], [60.3, 47.9], 3.0),
            ([20.5, 20.5], [20.5, 20.5], 5.2),
            ([11.0, 40.7], [70.0, 40.7], 0.9),
        ] {
            let mut photo = black(80, 80);
            Stroke { from, to, radius }.paint(&mut photo, [255; 3]);
            let sum: f64 = photo
                .pixels
                .iter()
                .step_by(3)
                .map(|value| f64::from(*value))
                .sum();
            let length = (to[0] - from[0]).hypot(to[1] - from[1]);
            let area = 2.0 * radius * length + std::f64::consts::PI * radius * radius;
            assert!(
                (sum / 255.0 / area - 1.0).abs() < 0.02,
                "{} of {area}",
                sum / 255.0
            );
        }
    }

    #[test]
    fn sides_have_their_colours_and_what_is_doubtful_is_not_drawn() {
        // Left shoulder, elbow; right shoulder, elbow; the right wrist is below the threshold.
        let people = [person(&[
            (5, 150.0, 50.0, 0.9),
            (7, 150.0, 150.0, 0.9),
            (6, 50.0, 50.0, 0.9),
            (8, 50.0, 150.0, 0.9),
            (10, 20.0, 190.0, 0.1),
        ])];
        let mut photo = black(200, 200);
        draw(&mut photo, &COCO, &people, THRESHOLD);
        let at = |x: usize, y: usize| &photo.pixels[3 * (y * 200 + x)..][..3];
        assert_eq!(at(150, 100), LEFT);
        assert_eq!(at(50, 100), RIGHT);
        assert_eq!(at(100, 50), MIDDLE, "between the shoulders");
        assert_eq!(at(20, 190), [0; 3]);
        assert_eq!(at(35, 170), [0; 3]);
        let mut all = black(200, 200);
        draw(&mut all, &COCO, &people, 0.05);
        assert_eq!(&all.pixels[3 * (190 * 200 + 20)..][..3], RIGHT);
    }

    #[test]
    fn lines_widen_with_the_person_up_to_a_share_of_the_photo() {
        let width = |side: f64| {
            let keypoints = person(&[(5, 0.0, 0.0, 1.0), (7, 0.0, side, 1.0)]);
            Figure::new(&COCO, &keypoints, 0.3, 1000.0 * WIDEST).width
        };
        assert_eq!(
            [width(10.0), width(250.0), width(900.0)],
            [THINNEST, 4.0, 1000.0 * WIDEST]
        );
    }

    #[test]
    fn places_beyond_the_photo_are_cut_off() {
        let far = [
            person(&[(5, -1e9, 10.0, 1.0), (7, 1e9, 10.0, 1.0), (9, f64::NAN, 3.0, 1.0)]),
            person(&[(5, -50.0, -50.0, 1.0), (7, -90.0, -50.0, 1.0)]),
            person(&[(5, 500.0, 500.0, 1.0), (7, 500.0, f64::INFINITY, 1.0)]),
        ];
        let mut photo = black(40, 30);
        draw(&mut photo, &COCO, &far, THRESHOLD);
        assert_eq!(count(&photo, LEFT), 40, "one row of the line");
        draw(&mut RgbImage::default(), &COCO, &far, THRESHOLD);
    }
}
