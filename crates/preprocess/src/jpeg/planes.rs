//! From components to colours where they are sampled as programs rarely write them, after libjpeg's `jdsample.c` and
//! `jdcolor.c`: the decoder does only the usual samplings as libjpeg does.

use libjpeg_turbo_rs::{Decoder, RawImage};

use super::stream::{Colours, Component, Frame, Stream};
use super::{Refusal, opencv_light};
use crate::budget::resize;
use crate::{PreprocessError, Reader, RgbImage};

/// Returns true if the decoder treats this sampling of these colours as libjpeg does.
pub(super) fn are_usual(stream: &Stream) -> bool {
    let sampling: Vec<(usize, usize)> = (stream.frame.components.iter())
        .map(|component| (component.across, component.down))
        .collect();
    let most = stream.frame.sampling();
    let equal = sampling.iter().all(|own| *own == most);
    match stream.colours {
        Colours::Gray => true,
        Colours::YCbCr => {
            let halved =
                matches!(most, (2, 1) | (2, 2)) && sampling[0] == most && sampling[1..] == [(1, 1); 2];
            // Narrow components are not smoothed, which needs the neighbours.
            equal || halved && stream.frame.width > 16
        }
        Colours::Rgb | Colours::Cmyk | Colours::Ycck => equal,
    }
}

/// Decodes such a file, whose components are whole.
pub(super) fn decode(
    decoder: Decoder,
    stream: &Stream,
    reader: Reader,
    image: &mut RgbImage,
) -> Result<(), PreprocessError> {
    let frame = &stream.frame;
    let (width, height) = (frame.width, frame.height);
    let raw = decoder.decode_raw()?;
    let ways: Vec<Way> = (frame.components.iter())
        .map(|component| Way::of(component, frame))
        .collect::<Result<_, _>>()?;
    let mut lines = vec![vec![0; width + 8]; ways.len()];
    resize(&mut image.pixels, 3 * width * height)?;
    for (y, out) in image.pixels.chunks_exact_mut(3 * width).enumerate() {
        for (i, line) in lines.iter_mut().enumerate() {
            ways[i].line(&raw, i, y, line);
        }
        for (x, out) in out.chunks_exact_mut(3).enumerate() {
            let sample = |i: usize| lines.get(i).map_or(0, |line| line[x]);
            let samples = [sample(0), sample(1), sample(2), sample(3)];
            out.copy_from_slice(&colour(samples, stream.colours, reader));
        }
    }
    (image.width, image.height) = (width, height);
    Ok(())
}

/// The way in which a component is enlarged to the size of the image.
struct Way {
    /// Samples that mean something.
    width: usize,
    height: usize,
    across: usize,
    down: usize,
    /// Between samples it is interpolated, not repeated.
    smooth: bool,
}

impl Way {
    fn of(component: &Component, frame: &Frame) -> Result<Self, Refusal> {
        let (across, down) = frame.sampling();
        if across % component.across != 0 || down % component.down != 0 {
            return Err(Refusal::Damaged(
                "components whose samplings do not divide each other",
            ));
        }
        let width = (frame.width * component.across).div_ceil(across);
        let (across, down) = (across / component.across, down / component.down);
        Ok(Self {
            width,
            height: frame.height.div_ceil(down),
            across,
            down,
            smooth: matches!((across, down), (1, 2)) || matches!((across, down), (2, 1 | 2)) && width > 2,
        })
    }

    /// One line of the image.
    fn line(&self, raw: &RawImage, component: usize, y: usize, out: &mut [u8]) {
        let stride = raw.plane_widths[component];
        let row = |y: usize| &raw.planes[component][y * stride..][..self.width];
        let own = y / self.down;
        let here = row(own);
        if !self.smooth {
            for (x, out) in out.iter_mut().enumerate() {
                *out = here[(x / self.across).min(self.width - 1)];
            }
            return;
        }
        // The nearer of the rows above and below.
        let upper = y.is_multiple_of(2);
        let near = match (self.down, upper) {
            (1, _) => here,
            (_, true) => row(own.saturating_sub(1)),
            (_, false) => row((own + 1).min(self.height - 1)),
        };
        let sum = |x: usize| 3 * u32::from(here[x]) + u32::from(near[x]);
        let last = self.width - 1;
        match (self.across, self.down) {
            (1, _) => {
                let half = if upper { 1 } else { 2 };
                for (x, out) in out.iter_mut().take(self.width).enumerate() {
                    *out = ((sum(x) + half) >> 2) as u8;
                }
            }
            (_, 1) => {
                let sample = |x: usize| u32::from(here[x]);
                for (x, out) in out.chunks_exact_mut(2).take(self.width).enumerate() {
                    let left = if x == 0 {
                        4 * sample(0)
                    } else {
                        3 * sample(x) + sample(x - 1) + 1
                    };
                    let right = if x == last {
                        4 * sample(x)
                    } else {
                        3 * sample(x) + sample(x + 1) + 2
                    };
                    out.copy_from_slice(&[(left >> 2) as u8, (right >> 2) as u8]);
                }
            }
            _ => {
                for (x, out) in out.chunks_exact_mut(2).take(self.width).enumerate() {
                    let left = if x == 0 {
                        4 * sum(0)
                    } else {
                        3 * sum(x) + sum(x - 1)
                    };
                    let right = if x == last {
                        4 * sum(x)
                    } else {
                        3 * sum(x) + sum(x + 1)
                    };
                    out.copy_from_slice(&[((left + 8) >> 4) as u8, ((right + 7) >> 4) as u8]);
                }
            }
        }
    }
}

fn colour([a, b, c, d]: [u8; 4], colours: Colours, reader: Reader) -> [u8; 3] {
    match colours {
        Colours::Gray => [a; 3],
        Colours::Rgb => [a, b, c],
        Colours::YCbCr => rgb(a, b, c),
        Colours::Cmyk => inks([a, b, c], d, reader),
        Colours::Ycck => inks(rgb(a, b, c).map(|light| 255 - light), d, reader),
    }
}

/// Libjpeg's colours, in 16 bits behind the point.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let half = 1 << 15;
    let red = (91881 * cr + half) >> 16;
    let green = (-22554 * cb - 46802 * cr + half) >> 16;
    let blue = (116_130 * cb + half) >> 16;
    [y + red, y + green, y + blue].map(|light| light.clamp(0, 255) as u8)
}

/// From inks, which are stored as the light that they leave.
fn inks(inks: [u8; 3], black: u8, reader: Reader) -> [u8; 3] {
    inks.map(|ink| match reader {
        Reader::OpenCv => opencv_light(ink, black),
        Reader::Pillow => {
            let product = u32::from(255 - ink) * u32::from(black) + 128;
            black.saturating_sub(((product + (product >> 8)) >> 8) as u8)
        }
    })
}
