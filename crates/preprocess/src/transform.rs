use kernels::{Bilinear, Element, Extent, Normalize, Window};

use crate::{PreprocessError, RgbImage};

/// From pixels to a network's input: the short side resized, the centre cropped, each channel normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    resize_short: usize,
    crop: usize,
    interpolation: Interpolation,
    mean: [f32; 3],
    std: [f32; 3],
}

/// How a resized pixel is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// OpenCV's `INTER_LINEAR` on 8-bit images.
    Bilinear,
}

impl Transform {
    /// A transform to `crop` x `crop` pixels after the short side has become `resize_short`.
    ///
    /// # Errors
    /// If the crop is empty or larger than the short side, or a standard deviation is not positive.
    pub fn new(
        resize_short: usize,
        crop: usize,
        interpolation: Interpolation,
        mean: [f32; 3],
        std: [f32; 3],
    ) -> Result<Self, PreprocessError> {
        if crop == 0 || crop > resize_short {
            let why = format!("crop {crop} with short side {resize_short}: expected 0 < crop <= short side");
            return Err(PreprocessError::Transform(why));
        }
        if !std.iter().all(|std| std.is_finite() && *std > 0.0) {
            return Err(PreprocessError::Transform(format!(
                "std {std:?}: expected positive numbers"
            )));
        }
        Ok(Self {
            resize_short,
            crop,
            interpolation,
            mean,
            std,
        })
    }

    /// The side of the crop, pixels.
    pub fn crop(&self) -> usize {
        self.crop
    }

    /// The elements of one prepared image, `3 * crop * crop`.
    pub fn output_elements(&self) -> usize {
        3 * self.crop * self.crop
    }

    /// Writes the prepared images one after the other, `[n, 3, crop, crop]`.
    ///
    /// # Panics
    /// If `batch` has not [`Transform::output_elements`] elements an image.
    pub fn batch<'a, T: Element>(&self, images: impl IntoIterator<Item = &'a RgbImage>, batch: &mut [T]) {
        let normalize = Normalize::new(self.mean, self.std);
        let mut pixels = vec![0; self.output_elements()];
        let mut outputs = batch.chunks_exact_mut(self.output_elements());
        for image in images {
            let out = outputs.next().expect("one output an image");
            self.pixels(image, &mut pixels);
            normalize.planes(&pixels, out);
        }
        assert!(
            outputs.next().is_none() && outputs.into_remainder().is_empty(),
            "one image an output"
        );
    }

    /// Writes the resized and cropped pixels of one image, `[crop, crop, 3]`.
    ///
    /// # Panics
    /// If `pixels` has not [`Transform::output_elements`] elements.
    pub fn pixels(&self, image: &RgbImage, pixels: &mut [u8]) {
        let source = Extent {
            width: image.width,
            height: image.height,
        };
        let target = self.resized(source);
        let window = Window {
            left: (target.width - self.crop) / 2,
            top: (target.height - self.crop) / 2,
            extent: Extent {
                width: self.crop,
                height: self.crop,
            },
        };
        match self.interpolation {
            Interpolation::Bilinear => Bilinear::new(source, target, window).run(&image.pixels, pixels),
        }
    }

    /// The extent after resizing: both sides times the same factor, rounded half to even.
    fn resized(&self, source: Extent) -> Extent {
        let factor = self.resize_short as f64 / source.width.min(source.height) as f64;
        let side = |side: usize| (side as f64 * factor).round_ties_even() as usize;
        Extent {
            width: side(source.width),
            height: side(source.height),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transform(resize_short: usize, crop: usize) -> Result<Transform, PreprocessError> {
        Transform::new(resize_short, crop, Interpolation::Bilinear, [0.0; 3], [1.0; 3])
    }

    #[test]
    fn the_short_side_is_met_and_the_long_one_rounded_half_to_even() {
        let transform = transform(256, 224).expect("a transform");
        let resized = |width, height| {
            let Extent { width, height } = transform.resized(Extent { width, height });
            (width, height)
        };
        assert_eq!(resized(500, 375), (341, 256));
        assert_eq!(resized(375, 500), (256, 341));
        assert_eq!(resized(512, 513), (256, 256), "256.5 becomes the even 256");
        assert_eq!(resized(512, 515), (256, 258), "257.5 becomes the even 258");
        assert_eq!(resized(1, 1), (256, 256));
        assert_eq!(resized(1, 4), (256, 1024));
    }

    #[test]
    fn the_crop_begins_at_the_lower_half() {
        // A target of 4 x 4 with a crop of 1 takes the pixel at (1, 1).
        let image = RgbImage {
            width: 4,
            height: 4,
            pixels: (0..48).collect(),
        };
        let mut pixel = [0; 3];
        transform(4, 1).expect("a transform").pixels(&image, &mut pixel);
        assert_eq!(pixel, [15, 16, 17]);
    }

    #[test]
    fn senseless_sizes_and_statistics_are_refused() {
        assert!(transform(224, 225).is_err() && transform(224, 0).is_err());
        let error =
            Transform::new(8, 8, Interpolation::Bilinear, [0.0; 3], [1.0, 0.0, 1.0]).expect_err("std 0");
        assert!(error.to_string().contains("std [1.0, 0.0, 1.0]"), "{error}");
    }

    #[test]
    fn a_batch_is_its_images_one_after_the_other() {
        let images = [0, 100].map(|level| RgbImage {
            width: 9,
            height: 6,
            pixels: vec![level; 162],
        });
        let transform = transform(6, 4).expect("a transform");
        let mut batch = vec![-1.0_f32; 2 * transform.output_elements()];
        transform.batch(&images, &mut batch);
        let (first, second) = batch.split_at(48);
        assert!(first.iter().all(|value| *value == 0.0));
        assert!(second.iter().all(|value| *value == 100.0 * (1.0_f32 / 255.0)));
    }
}
