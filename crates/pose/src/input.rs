use preprocess::RgbImage;

use crate::{Affine, Placement, Size, warp};

/// The values of the network's input for each byte of a crop, channel by channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels([[f32; 256]; 3]);

impl Levels {
    /// Returns `(byte - mean) / std` of red, green and blue in f32, as mmpose computes it; both in bytes, 0 to 255.
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> Self {
        let of = |channel: usize| std::array::from_fn(|byte| (byte as f32 - mean[channel]) / std[channel]);
        Self([of(0), of(1), of(2)])
    }

    /// Returns the values of ImageNet's mean and standard deviation, with which all pose networks of mmpose are trained.
    pub fn imagenet() -> Self {
        Self::new([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
    }

    /// Writes a crop `[height, width, 3]` as a network's input `[3, height, width]`.
    ///
    /// # Panics
    /// If the two do not have the same length, or it is not a multiple of three.
    pub fn tensor(&self, crop: &[u8], tensor: &mut [f32]) {
        assert_eq!(crop.len(), tensor.len(), "one value a byte");
        assert!(crop.len().is_multiple_of(3), "three bytes a pixel");
        let plane = (crop.len() / 3).max(1);
        for ((channel, levels), plane) in self.0.iter().enumerate().zip(tensor.chunks_exact_mut(plane)) {
            for (value, pixel) in plane.iter_mut().zip(crop.chunks_exact(3)) {
                *value = levels[usize::from(pixel[channel])];
            }
        }
    }
}

/// Writes maps `[…, height, width]` with each row reversed: the input of the second run of a flip test.
///
/// # Panics
/// If the two do not have the same length, or it is not a multiple of the width.
pub fn mirror(maps: &[f32], width: usize, mirrored: &mut [f32]) {
    assert_eq!(maps.len(), mirrored.len(), "maps of one size");
    assert!(width > 0 && maps.len().is_multiple_of(width), "whole rows");
    for (row, mirrored) in maps.chunks_exact(width).zip(mirrored.chunks_exact_mut(width)) {
        for (value, mirrored) in row.iter().rev().zip(mirrored) {
            *mirrored = *value;
        }
    }
}

/// The way from a photo to a network's input, which keeps its memory from person to person.
#[derive(Clone, Debug)]
pub struct Cropper {
    input: Size,
    unbiased: bool,
    levels: Levels,
    crop: Vec<u8>,
}

impl Cropper {
    /// Returns the way to inputs of this size: by [UDP's map](Affine::udp) if `unbiased`, else by [MSRA's](Affine::msra).
    pub fn new(input: Size, unbiased: bool, levels: Levels) -> Self {
        let crop = vec![0; 3 * input.pixels()];
        Self {
            input,
            unbiased,
            levels,
            crop,
        }
    }

    /// Returns the map from the photo to the crop of a person.
    pub fn matrix(&self, placement: &Placement) -> Affine {
        match self.unbiased {
            true => Affine::udp(placement, self.input),
            false => Affine::msra(placement, self.input),
        }
    }

    /// Returns the crop of a person, RGB `[height, width, 3]`.
    pub fn crop(&mut self, photo: &RgbImage, placement: &Placement) -> &[u8] {
        let matrix = self.matrix(placement);
        warp(photo, &matrix, self.input, &mut self.crop);
        &self.crop
    }

    /// Writes the network's input for a person, `[3, height, width]`.
    ///
    /// # Panics
    /// If the length of `tensor` is not that.
    pub fn tensor(&mut self, photo: &RgbImage, placement: &Placement, tensor: &mut [f32]) {
        self.crop(photo, placement);
        self.levels.tensor(&self.crop, tensor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_has_its_channels_one_after_the_other() {
        let levels = Levels::new([0.0, 10.0, 20.0], [1.0, 2.0, 4.0]);
        let mut tensor = [0.0; 6];
        levels.tensor(&[1, 10, 20, 255, 30, 0], &mut tensor);
        assert_eq!(tensor, [1.0, 255.0, 0.0, 10.0, 0.0, -5.0]);
    }

    #[test]
    fn a_mirror_reverses_rows_and_keeps_their_order() {
        let mut mirrored = [0.0; 6];
        mirror(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, &mut mirrored);
        assert_eq!(mirrored, [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    }

    #[test]
    fn a_white_photo_fills_what_the_box_covers_and_black_the_rest() {
        let photo = RgbImage {
            width: 8,
            height: 8,
            pixels: vec![255; 192],
        };
        // Twice as large as the photo, about its middle.
        let placement = Placement {
            center: [4.0, 4.0],
            scale: [16.0, 16.0],
        };
        let mut cropper = Cropper::new(Size::new(16, 16), false, Levels::imagenet());
        let mut tensor = vec![0.0; 768];
        cropper.tensor(&photo, &placement, &mut tensor);
        let white = tensor.iter().filter(|value| **value > 0.0).count();
        assert_eq!(white, 3 * 64, "8 x 8 of 16 x 16 pixels");
        assert_eq!(cropper.crop[3 * (4 * 16 + 4)], 255);
    }
}
