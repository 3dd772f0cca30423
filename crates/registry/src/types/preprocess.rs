//! From a photo to the input of a network.

use std::fmt;

use hrnet::Size;
use serde::{Deserialize, Serialize};

/// From a photo to a network's input; an accuracy holds for one of these.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preprocess {
    /// Its id in the manifest.
    pub id: String,
    /// Whose decoding, resizing and rounding it is.
    pub profile: Profile,
    /// The part of the photo that is taken.
    #[serde(flatten)]
    pub frame: Frame,
    /// The interpolation of pixels.
    pub interpolation: Interpolation,
    /// Which library's version resizes, where versions differ.
    pub resampler: Resampler,
    /// The value that is subtracted from each channel of values in 0 to 1, red first.
    pub mean: [f32; 3],
    /// The divisor of each channel, after the subtraction.
    pub std: [f32; 3],
}

/// The part of a photo that becomes the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Frame {
    /// The centre of the resized photo.
    Centre {
        /// The short side after resizing, pixels.
        resize_short: usize,
        /// The side of the crop, pixels.
        crop: usize,
    },
    /// The box of a person, widened to the proportions of the input.
    Person {
        /// The size of the input, pixels.
        person: Size,
    },
}

impl Preprocess {
    /// The size of the network's input.
    pub const fn size(&self) -> Size {
        match self.frame {
            Frame::Centre { crop, .. } => Size::square(crop),
            Frame::Person { person } => person,
        }
    }

    /// The same profile for a centre crop of other sizes.
    #[must_use]
    pub fn centred(&self, resize_short: usize, crop: usize) -> Self {
        Self {
            frame: Frame::Centre { resize_short, crop },
            ..self.clone()
        }
    }
}

/// Whose preprocessing is followed, pixel for pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// PaddleClas's, with OpenCV.
    #[default]
    Paddle,
    /// timm's, with Pillow and torchvision.
    Timm,
    /// That of Microsoft's pose networks and of mmpose, with OpenCV: a person's box is warped to the input.
    Msra,
    /// The same with UDP's warp, which places the centres of the corner pixels on each other.
    Udp,
}

impl Profile {
    /// Its name, as in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paddle => "paddle",
            Self::Timm => "timm",
            Self::Msra => "msra",
            Self::Udp => "udp",
        }
    }

    /// Whether it takes the box of a person rather than the centre of a photo.
    pub const fn is_of_persons(self) -> bool {
        matches!(self, Self::Msra | Self::Udp)
    }
}

/// The interpolation of a resized pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// OpenCV's `INTER_LINEAR` on 8-bit images, or Pillow's antialiased `BILINEAR`.
    Bilinear,
    /// Pillow's antialiased `BICUBIC`.
    Bicubic,
}

impl fmt::Display for Interpolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
        })
    }
}

/// Whose resizing it is, pixel for pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resampler {
    /// OpenCV 4's.
    #[serde(rename = "opencv-4")]
    OpenCv4,
    /// Pillow's up to version 12, with which timm's figures were published.
    #[serde(rename = "pillow-12")]
    Pillow12,
    /// Pillow's from version 13 on, which filters tall images in another order.
    #[serde(rename = "pillow-13")]
    Pillow13,
}

impl Resampler {
    /// The resampler that a profile's published figures were measured with.
    pub fn of(profile: Profile) -> Self {
        match profile {
            Profile::Paddle | Profile::Msra | Profile::Udp => Self::OpenCv4,
            Profile::Timm => Self::Pillow12,
        }
    }
}

impl fmt::Display for Resampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OpenCv4 => "OpenCV 4",
            Self::Pillow12 => "Pillow up to 12",
            Self::Pillow13 => "Pillow 13",
        })
    }
}
