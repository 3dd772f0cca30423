use kernels::{Element, Extent, Geometry, Normalize, Resampling, Resizer, Window};

use crate::{Budget, Notes, PreprocessError, Reader, RgbImage, Worker, decode_within};

/// From pixels to a network's input: the short side resized, the centre cropped, each channel normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    resize_short: usize,
    crop: usize,
    profile: Profile,
    mean: [f32; 3],
    std: [f32; 3],
    budget: Budget,
}

/// The preprocessing that is followed, to the last bit: a published accuracy holds for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// PaddleClas: OpenCV reads and resizes, bilinear without antialias; the long side is rounded half to even, and the
    /// crop's offset is rounded down.
    Paddle,
    /// timm: Pillow reads and resizes, with antialias; the long side is truncated, and the crop's offset rounded half to even,
    /// as torchvision does. It is Pillow up to version 12, with which timm's figures were published.
    Timm(Filter),
    /// The same with Pillow 13, which filters tall images in another order.
    Timm13(Filter),
}

/// The kernel that weights the pixels of a resized one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// A triangle.
    Bilinear,
    /// The cubic of a = -0.5.
    Bicubic,
}

impl Transform {
    /// Returns a transform that resizes the short side to `resize_short`, then crops to `crop` x `crop` pixels.
    ///
    /// # Errors
    /// If the crop is empty or larger than the short side, or a standard deviation is not positive.
    pub fn new(
        resize_short: usize,
        crop: usize,
        profile: Profile,
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
            profile,
            mean,
            std,
            budget: Budget::default(),
        })
    }

    /// Returns the same transform with another budget, for all that decode by it and its clones.
    #[must_use]
    pub fn within(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Returns the memory that decoding by this transform and its clones may take at a time.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Returns the side of the crop, pixels.
    pub fn crop(&self) -> usize {
        self.crop
    }

    /// Returns the number of elements of one prepared image, `3 * crop * crop`.
    pub fn output_elements(&self) -> usize {
        3 * self.crop * self.crop
    }

    /// Returns the library whose decoding the profile follows.
    pub fn reader(&self) -> Reader {
        match self.profile {
            Profile::Paddle => Reader::OpenCv,
            Profile::Timm(_) | Profile::Timm13(_) => Reader::Pillow,
        }
    }

    /// Returns the pixels of an image file, as the profile's library decodes them.
    ///
    /// # Errors
    /// As [`decode_within`].
    pub fn decode(&self, bytes: &[u8]) -> Result<(RgbImage, Notes), PreprocessError> {
        let mut image = RgbImage::default();
        let notes = decode_within(bytes, self.reader(), &mut image, &self.budget)?;
        Ok((image, notes))
    }

    /// Returns a worker, which prepares many images without allocating for each.
    pub fn worker<T: Element>(&self) -> Worker<T> {
        Worker::new(self, Normalize::new(self.mean, self.std))
    }

    /// Writes the prepared images one after the other, `[n, 3, crop, crop]`.
    ///
    /// # Panics
    /// If the length of `batch` is not [`Transform::output_elements`] per image.
    pub fn batch<'a, T: Element>(&self, images: impl IntoIterator<Item = &'a RgbImage>, batch: &mut [T]) {
        let mut worker = self.worker();
        let mut outputs = batch.chunks_exact_mut(self.output_elements());
        for image in images {
            worker.image(image, outputs.next().expect("one output an image"));
        }
        assert!(
            outputs.next().is_none() && outputs.into_remainder().is_empty(),
            "one image an output"
        );
    }

    /// Writes the resized and cropped pixels of one image, `[crop, crop, 3]`.
    ///
    /// # Panics
    /// If the length of `pixels` is not [`Transform::output_elements`].
    pub fn pixels(&self, image: &RgbImage, pixels: &mut [u8]) {
        assert_eq!(pixels.len(), self.output_elements(), "three bytes a pixel");
        let mut resizer = Resizer::new(self.resampling());
        resizer.run(self.geometry(image), &image.pixels, |y, row| {
            let out = &mut pixels[y * self.crop * 3..][..self.crop * 3];
            for (out, pixel) in out.chunks_exact_mut(3).zip(row.chunks_exact(4)) {
                out.copy_from_slice(&pixel[..3]);
            }
        });
    }

    pub(crate) fn resampling(&self) -> Resampling {
        match self.profile {
            Profile::Paddle => Resampling::OpenCvLinear,
            Profile::Timm(Filter::Bilinear) => Resampling::PillowBilinear,
            Profile::Timm(Filter::Bicubic) => Resampling::PillowBicubic,
            Profile::Timm13(Filter::Bilinear) => Resampling::Pillow13Bilinear,
            Profile::Timm13(Filter::Bicubic) => Resampling::Pillow13Bicubic,
        }
    }

    pub(crate) fn geometry(&self, image: &RgbImage) -> Geometry {
        let source = Extent {
            width: image.width,
            height: image.height,
        };
        let target = self.resized(source);
        let begin = |side: usize| match self.profile {
            Profile::Paddle => (side - self.crop) / 2,
            Profile::Timm(_) | Profile::Timm13(_) => {
                ((side - self.crop) as f64 / 2.0).round_ties_even() as usize
            }
        };
        let window = Window {
            left: begin(target.width),
            top: begin(target.height),
            extent: Extent {
                width: self.crop,
                height: self.crop,
            },
        };
        Geometry {
            source,
            target,
            window,
        }
    }

    /// Returns the extent after resizing: the short side is exact, the long one in proportion.
    fn resized(&self, source: Extent) -> Extent {
        let short = source.width.min(source.height);
        let side = |side: usize| match self.profile {
            Profile::Paddle => {
                let factor = self.resize_short as f64 / short as f64;
                (side as f64 * factor).round_ties_even() as usize
            }
            Profile::Timm(_) | Profile::Timm13(_) => {
                ((self.resize_short * side) as f64 / short as f64) as usize
            }
        };
        Extent {
            width: side(source.width),
            height: side(source.height),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMM: Profile = Profile::Timm(Filter::Bicubic);

    fn of(profile: Profile, resize_short: usize, crop: usize) -> Result<Transform, PreprocessError> {
        Transform::new(resize_short, crop, profile, [0.0; 3], [1.0; 3])
    }

    fn transform(resize_short: usize, crop: usize) -> Result<Transform, PreprocessError> {
        of(Profile::Paddle, resize_short, crop)
    }

    fn image(width: usize, height: usize) -> RgbImage {
        RgbImage {
            width,
            height,
            pixels: (0..width * height * 3).map(|i| i as u8).collect(),
        }
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
        let image = image(4, 4);
        let mut pixel = [0; 3];
        transform(4, 1).expect("a transform").pixels(&image, &mut pixel);
        assert_eq!(pixel, [15, 16, 17]);
    }

    #[test]
    fn timm_cuts_the_long_side_and_rounds_the_begin_of_the_crop() {
        let transform = of(TIMM, 235, 224).expect("a transform");
        let geometry = |width, height| {
            let Geometry { target, window, .. } = transform.geometry(&image(width, height));
            ((target.width, target.height), (window.left, window.top))
        };
        // 235 * 500 / 375 = 313.3; 89 / 2 = 44.5 becomes 44, 11 / 2 = 5.5 becomes 6.
        assert_eq!(geometry(500, 375), ((313, 235), (44, 6)));
        // 235 * 3 / 2 = 352.5.
        assert_eq!(geometry(2, 3), ((235, 352), (6, 64)));
        assert_eq!(geometry(7, 7), ((235, 235), (6, 6)));
    }

    #[test]
    fn a_worker_prepares_images_of_any_sizes_alike() {
        for profile in [Profile::Paddle, TIMM] {
            let transform = of(profile, 20, 16).expect("a transform");
            let mut worker = transform.worker::<f32>();
            for (width, height) in [(90, 50), (3, 40), (90, 50), (20, 20), (40, 40), (1, 1)] {
                let image = image(width, height);
                let mut one = vec![0.0_f32; transform.output_elements()];
                worker.image(&image, &mut one);
                let mut pixels = vec![0; transform.output_elements()];
                transform.pixels(&image, &mut pixels);
                for (i, value) in one.iter().enumerate() {
                    let (c, place) = (i / 256, i % 256);
                    assert_eq!(
                        *value,
                        f32::from(pixels[3 * place + c]) * (1.0 / 255.0),
                        "{width} x {height}"
                    );
                }
            }
        }
    }

    #[test]
    fn senseless_sizes_and_statistics_are_refused() {
        assert!(transform(224, 225).is_err() && transform(224, 0).is_err());
        let error = Transform::new(8, 8, Profile::Paddle, [0.0; 3], [1.0, 0.0, 1.0]).expect_err("std 0");
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
