use std::ops::Range;

use preprocess::RgbImage;

use crate::{Affine, Size};

/// Coordinates are rounded to 1/1024 pixel, and of that 1/32 is kept.
const SCALE: f64 = 1024.0;
const KEPT: u32 = 5;
/// Steps of a pixel after rounding.
const STEPS: u32 = 32;

/// Writes the crop `[height, width, 3]` of a photo that an affine map shows; what lies outside the photo is black.
///
/// Equal to `cv2.warpAffine(photo, matrix, (width, height), flags=INTER_LINEAR)` of OpenCV 4 to the bit, which rounds
/// coordinates to 1/32 pixel. OpenCV 5 interpolates with exact fractions, which changes 6 % of the bytes.
///
/// # Panics
/// If the length of `crop` is not `height * width * 3`, or that of the photo's pixels is not its own.
pub fn warp(photo: &RgbImage, matrix: &Affine, size: Size, crop: &mut [u8]) {
    assert_eq!(crop.len(), size.pixels() * 3, "three bytes a pixel");
    assert_eq!(
        photo.pixels.len(),
        photo.width * photo.height * 3,
        "three bytes a pixel"
    );
    if size.width == 0 {
        return;
    }
    let [[a, b, c], [d, e, f]] = matrix.inverse().0;
    let along: Vec<[i64; 2]> = (0..size.width)
        .map(|x| [rounded(a * x as f64), rounded(d * x as f64)])
        .collect();
    let straight = along.iter().all(|[_, y]| *y == 0);
    let mut columns = Columns::default();
    let black = vec![0; photo.width * 3];
    for (y, out) in crop.chunks_exact_mut(3 * size.width).enumerate() {
        let y = y as f64;
        let begin = [rounded(b * y + c), rounded(e * y + f)].map(|value| value + i64::from(STEPS / 2));
        if straight {
            columns.begin_at(begin[0], &along, photo.width);
            let place = Place::of(begin[1]);
            let rows = [place.whole, place.whole + 1].map(|y| row(photo, y).unwrap_or(&black));
            columns.blend(rows, place.step, out);
        } else {
            for (out, along) in out.chunks_exact_mut(3).zip(&along) {
                let [x, y] = [0, 1].map(|axis| Place::of(begin[axis] + along[axis]));
                let rows = [y.whole, y.whole + 1].map(|y| row(photo, y).unwrap_or(&black));
                pixel(rows, x, y.step, out);
            }
        }
    }
}

/// A coordinate of the photo: a whole pixel and steps of 1/32 to the next.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    whole: i64,
    step: u32,
}

impl Place {
    /// Returns the place of a coordinate in 1/1024 pixel.
    fn of(coordinate: i64) -> Self {
        let steps = coordinate >> KEPT;
        Self {
            whole: steps >> KEPT,
            step: (steps & i64::from(STEPS - 1)) as u32,
        }
    }
}

/// The columns of the photo that the pixels of a row lie between, if the map neither turns nor shears: the same for every row.
#[derive(Default)]
struct Columns {
    begin: Option<i64>,
    places: Vec<Place>,
    /// The pixels that have both their columns on the photo.
    inside: Range<usize>,
}

impl Columns {
    /// Moves to a row that begins at this coordinate.
    fn begin_at(&mut self, begin: i64, along: &[[i64; 2]], width: usize) {
        if self.begin == Some(begin) {
            return;
        }
        self.begin = Some(begin);
        self.places.clear();
        self.places
            .extend(along.iter().map(|[x, _]| Place::of(begin + x)));
        let last = i64::try_from(width).unwrap_or(i64::MAX) - 2;
        let is_inside = |place: &Place| (0..=last).contains(&place.whole);
        // The places rise or fall, so those inside are neighbours.
        let first = self.places.iter().position(is_inside).unwrap_or(0);
        let count = self.places[first..]
            .iter()
            .take_while(|place| is_inside(place))
            .count();
        self.inside = first..first + count;
    }

    /// Writes a row of the crop, `step` 32nds below the upper one of two rows of the photo.
    fn blend(&self, rows: [&[u8]; 2], step: u32, out: &mut [u8]) {
        let Range { start, end } = self.inside.clone();
        inner(rows, step, &self.places[start..end], &mut out[3 * start..3 * end]);
        for at in (0..start).chain(end..self.places.len()) {
            pixel(rows, self.places[at], step, &mut out[3 * at..][..3]);
        }
    }
}

/// The inner loop, whose pixels lie between four pixels of the photo. A vector kernel would take its place: same arguments, same
/// integers.
fn inner([above, below]: [&[u8]; 2], step: u32, places: &[Place], out: &mut [u8]) {
    for (out, place) in out.chunks_exact_mut(3).zip(places) {
        let at = 3 * place.whole as usize;
        let (above, below) = (&above[at..at + 6], &below[at..at + 6]);
        for channel in 0..3 {
            let between = |row: &[u8]| {
                u32::from(row[channel]) * (STEPS - place.step) + u32::from(row[channel + 3]) * place.step
            };
            let sum = between(above) * (STEPS - step) + between(below) * step;
            out[channel] = ((sum + 512) >> 10) as u8;
        }
    }
}

/// Writes one pixel at a place of two rows; columns outside the photo are black.
fn pixel(rows: [&[u8]; 2], x: Place, step: u32, out: &mut [u8]) {
    let sample = |row: &[u8], column: i64, channel: usize| {
        let column = usize::try_from(column).ok().and_then(|x| x.checked_mul(3));
        let sample = column.and_then(|at| row.get(at + channel));
        u32::from(sample.copied().unwrap_or(0))
    };
    for (channel, out) in out.iter_mut().enumerate() {
        let between = |row: &[u8]| {
            let (left, right) = (sample(row, x.whole, channel), sample(row, x.whole + 1, channel));
            left * (STEPS - x.step) + right * x.step
        };
        let sum = between(rows[0]) * (STEPS - step) + between(rows[1]) * step;
        *out = ((sum + 512) >> 10) as u8;
    }
}

/// Returns a row of the photo, if it has it.
fn row(photo: &RgbImage, y: i64) -> Option<&[u8]> {
    let y = usize::try_from(y).ok().filter(|y| *y < photo.height)?;
    Some(&photo.pixels[y * photo.width * 3..][..photo.width * 3])
}

/// Returns a coordinate in 1/1024 pixel, half to even; far beyond any photo it stops.
fn rounded(coordinate: f64) -> i64 {
    (coordinate * SCALE).round_ties_even().clamp(-1e15, 1e15) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(width: usize, height: usize) -> RgbImage {
        RgbImage {
            width,
            height,
            pixels: (0..width * height * 3).map(|i| (i * 37 % 251) as u8).collect(),
        }
    }

    fn warped(photo: &RgbImage, matrix: Affine, size: Size) -> Vec<u8> {
        let mut crop = vec![77; size.pixels() * 3];
        warp(photo, &matrix, size, &mut crop);
        crop
    }

    #[test]
    fn a_shift_of_whole_pixels_moves_them_and_leaves_black() {
        let photo = photo(3, 2);
        let moved = warped(
            &photo,
            Affine([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]),
            Size::new(4, 3),
        );
        let mut expected = vec![0; 36];
        expected[15..24].copy_from_slice(&photo.pixels[..9]);
        expected[27..36].copy_from_slice(&photo.pixels[9..]);
        assert_eq!(moved, expected);
    }

    #[test]
    fn halves_are_means_rounded_up() {
        let photo = RgbImage {
            width: 2,
            height: 1,
            pixels: vec![10, 20, 30, 13, 20, 255],
        };
        let between = warped(
            &photo,
            Affine([[1.0, 0.0, -0.5], [0.0, 1.0, 0.0]]),
            Size::new(1, 1),
        );
        assert_eq!(between, [12, 20, 143]);
    }

    #[test]
    fn the_straight_path_gives_what_the_general_one_gives() {
        // A shear too small to move a pixel takes the general path.
        let photo = photo(31, 23);
        for (a, c, e, f) in [
            (1.7, -9.0, 2.3, 4.0),
            (0.31, 2.0, 0.4, -1.0),
            (-1.3, 40.0, 1.1, 3.3),
        ] {
            let size = Size::new(41, 37);
            let straight = warped(&photo, Affine([[a, 0.0, c], [0.0, e, f]]), size);
            let mut general = vec![0; size.pixels() * 3];
            let back = Affine([[a, 0.0, c], [0.0, e, f]]).inverse().0;
            for (at, out) in general.chunks_exact_mut(3).enumerate() {
                let (x, y) = ((at % 41) as f64, (at / 41) as f64);
                let x = Place::of(rounded(back[0][1] * y + back[0][2]) + 16 + rounded(back[0][0] * x));
                let y = Place::of(rounded(back[1][1] * y + back[1][2]) + 16);
                let black = [0; 93];
                let rows = [y.whole, y.whole + 1].map(|y| row(&photo, y).unwrap_or(&black));
                pixel(rows, x, y.step, out);
            }
            assert_eq!(straight, general, "{a}");
        }
    }

    #[test]
    fn maps_beyond_all_numbers_give_black_and_no_panic() {
        let photo = photo(5, 5);
        let size = Size::new(3, 3);
        for value in [0.0, 1e-300, 1e300, f64::NAN, f64::INFINITY] {
            for matrix in [
                [[value, 0.0, 1e300], [0.0, value, 1e300]],
                [[value, 1.0, value], [1.0, value, value]],
            ] {
                assert_eq!(warped(&photo, Affine(matrix), size).len(), 27);
            }
        }
        assert_eq!(
            warped(
                &RgbImage::default(),
                Affine([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
                size
            ),
            [0; 27]
        );
    }
}
