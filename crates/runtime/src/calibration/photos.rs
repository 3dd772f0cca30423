//! Synthetic photos.

use hrnet::{SeededWeights, Shape};

/// ImageNet's means and standard deviations, by which networks want their images normalised.
const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const STD: [f64; 3] = [0.229, 0.224, 0.225];

/// Each octave's share of the strength of the one before, which is twice as coarse: a little below that of photos, whose
/// octaves are about equally strong, for their edges come on top.
const FALL: f64 = 0.75;

/// Patches of one colour laid over an image, whose borders are its edges.
const PATCHES: usize = 12;

/// Returns a batch of images of this shape with the features of photos: smooth light, texture at all scales and sharp edges, in
/// the 256 levels of a photo, normalised by ImageNet's means and deviations. The same seed gives the same images on every
/// machine; another seed gives others.
pub fn photo_like(seed: u64, shape: Shape) -> Vec<f32> {
    let mut dice = Dice(Box::new(SeededWeights::new(seed).uniform("photo", usize::MAX)));
    let mut batch = Vec::with_capacity(shape.elements());
    for _ in 0..shape.n {
        let image = image(&mut dice, shape);
        batch.extend(image);
    }
    batch
}

/// Numbers in 0 to 1, one after the other.
struct Dice(Box<dyn Iterator<Item = f64>>);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0.next().unwrap_or(0.5)
    }

    /// A number from -1 to 1.
    fn signed(&mut self) -> f64 {
        2.0 * self.next() - 1.0
    }
}

/// `[c, h, w]`.
fn image(dice: &mut Dice, Shape { c, h, w, .. }: Shape) -> Vec<f32> {
    let (light, contrast) = (0.25 + 0.5 * dice.next(), 0.1 + 0.3 * dice.next());
    let mut grey = texture(dice, h, w);
    let patches: Vec<Patch> = (0..PATCHES).map(|_| Patch::new(dice, c)).collect();
    grey.iter_mut().for_each(|value| *value *= contrast);
    let mut values = Vec::with_capacity(c * h * w);
    for channel in 0..c {
        let tint = 0.1 * dice.signed();
        let own = texture(dice, h, w);
        let (mean, std) = (MEAN[channel % 3], STD[channel % 3]);
        for (at, (grey, own)) in grey.iter().zip(&own).enumerate() {
            let place = ((at / w) as f64 / h as f64, (at % w) as f64 / w as f64);
            let patch = patches.iter().rev().find(|patch| patch.covers(place));
            let patch = patch.map_or(0.0, |patch| patch.colour[channel]);
            let value = light + tint + patch + grey + 0.25 * contrast * own;
            let level = (value.clamp(0.0, 1.0) * 255.0).round() / 255.0;
            values.push(((level - mean) / std) as f32);
        }
    }
    values
}

/// Noise of all octaves, most of it between -1 and 1.
fn texture(dice: &mut Dice, h: usize, w: usize) -> Vec<f64> {
    let mut values = vec![0.0; h * w];
    let (mut cells, mut strength) = (2, 0.5);
    while cells <= h.max(w) / 2 {
        // One more knot than cells, on each side.
        let side = cells + 1;
        let knots: Vec<f64> = (0..side * side).map(|_| strength * dice.signed()).collect();
        for (at, value) in values.iter_mut().enumerate() {
            let (y, x) = (
                ((at / w) * cells) as f64 / h as f64,
                ((at % w) * cells) as f64 / w as f64,
            );
            let (row, column) = (y as usize, x as usize);
            let (down, right) = (y - row as f64, x - column as f64);
            let line = |row: usize| {
                let knot = row * side + column;
                knots[knot] * (1.0 - right) + knots[knot + 1] * right
            };
            *value += line(row) * (1.0 - down) + line(row + 1) * down;
        }
        cells *= 2;
        strength *= FALL;
    }
    values
}

/// A box with one corner cut off.
struct Patch {
    /// Top, left, bottom and right, in 0 to 1.
    sides: [f64; 4],
    /// The steepness of the cut, and where it begins.
    cut: (f64, f64),
    colour: Vec<f64>,
}

impl Patch {
    fn new(dice: &mut Dice, channels: usize) -> Self {
        let (y, x) = (dice.next(), dice.next());
        let (h, w) = (0.05 + 0.45 * dice.next(), 0.05 + 0.45 * dice.next());
        Self {
            sides: [y, x, y + h, x + w],
            cut: (dice.signed(), dice.signed() / 2.0),
            colour: (0..channels).map(|_| 0.35 * dice.signed()).collect(),
        }
    }

    fn covers(&self, (y, x): (f64, f64)) -> bool {
        let [top, left, bottom, right] = self.sides;
        let inside = (top..bottom).contains(&y) && (left..right).contains(&x);
        inside && y - top > self.cut.1 + self.cut.0 * (x - left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_like_photos_in_what_can_be_counted() {
        let shape = Shape::square(4, 64);
        let batch = photo_like(1, shape);
        assert_eq!(batch, photo_like(1, shape), "the same seed");
        assert_ne!(batch, photo_like(2, shape));
        let images: Vec<&[f32]> = batch.chunks_exact(3 * 64 * 64).collect();
        assert!(images.len() == 4 && images[0] != images[1]);
        for image in images {
            let spread = |step: usize| {
                let pairs = image.iter().zip(&image[step..]);
                pairs.map(|(a, b)| (a - b).abs()).sum::<f32>() / image.len() as f32
            };
            assert!(
                spread(1) < 0.6 * spread(16),
                "neighbours are alike: {} {}",
                spread(1),
                spread(16)
            );
            let black = (0.0 - MEAN[0]) / STD[0];
            let white = (1.0 - MEAN[2]) / STD[2];
            let within = |value: &f32| f64::from(*value) >= black - 1e-6 && f64::from(*value) <= white + 1e-6;
            assert!(image.iter().all(within));
        }
    }
}
