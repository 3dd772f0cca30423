use kernels::{Element, Normalize, Resizer};

use crate::{Notes, PreprocessError, RgbImage, Transform, decode_within};

/// The most memory that is kept for the next image, bytes: 22 million pixels.
const KEPT: usize = 64 << 20;

/// Prepares images one after the other, on one thread. It keeps its memory, so that nothing is allocated once the largest image
/// has been seen; the memory of a very large photo is freed. Workers of one transform share its [`Budget`](crate::Budget).
#[derive(Clone, Debug)]
pub struct Worker<T> {
    transform: Transform,
    resizer: Resizer,
    normalize: Normalize<T>,
    decoded: RgbImage,
}

impl<T: Element> Worker<T> {
    pub(crate) fn new(transform: &Transform, normalize: Normalize<T>) -> Self {
        Self {
            resizer: Resizer::new(transform.resampling()),
            normalize,
            transform: transform.clone(),
            decoded: RgbImage::default(),
        }
    }

    /// Writes the prepared image, `[3, crop, crop]`.
    ///
    /// # Panics
    /// If the length of `out` is not [`Transform::output_elements`].
    pub fn image(&mut self, image: &RgbImage, out: &mut [T]) {
        assert_eq!(out.len(), self.transform.output_elements(), "one output an image");
        let geometry = self.transform.geometry(image);
        self.resizer
            .run(geometry, &image.pixels, |y, row| self.normalize.row(y, row, out));
    }

    /// Decodes an image file as the profile's library does, and writes it prepared, `[3, crop, crop]`.
    ///
    /// # Errors
    /// As [`decode_within`]; `out` is then unchanged.
    ///
    /// # Panics
    /// If the length of `out` is not [`Transform::output_elements`].
    pub fn file(&mut self, bytes: &[u8], out: &mut [T]) -> Result<Notes, PreprocessError> {
        let mut decoded = std::mem::take(&mut self.decoded);
        let notes = decode_within(
            bytes,
            self.transform.reader(),
            &mut decoded,
            self.transform.budget(),
        );
        if notes.is_ok() {
            self.image(&decoded, out);
        }
        if decoded.pixels.capacity() > KEPT {
            decoded = RgbImage::default();
        }
        self.decoded = decoded;
        notes
    }
}
