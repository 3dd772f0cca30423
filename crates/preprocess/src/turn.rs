use crate::budget::resize;
use crate::exif::Orientation;
use crate::{PreprocessError, RgbImage};

/// Pixels of a side that are moved together, so that rows of both images stay in the first cache.
const TILE: usize = 32;

/// Turns an image as its EXIF data ask.
pub(crate) fn turn(image: &mut RgbImage, orientation: Orientation) -> Result<(), PreprocessError> {
    if orientation.transposed {
        transpose(image)?;
    }
    let RgbImage {
        width,
        height,
        pixels,
    } = image;
    if orientation.across {
        for row in pixels.chunks_exact_mut(3 * *width) {
            mirror(row);
        }
    }
    if orientation.down {
        let (upper, lower) = pixels.split_at_mut(*height / 2 * 3 * *width);
        let lower = lower.chunks_exact_mut(3 * *width).rev();
        for (above, below) in upper.chunks_exact_mut(3 * *width).zip(lower) {
            above.swap_with_slice(below);
        }
    }
    Ok(())
}

fn mirror(row: &mut [u8]) {
    let (pixels, _) = row.as_chunks_mut::<3>();
    pixels.reverse();
}

fn transpose(image: &mut RgbImage) -> Result<(), PreprocessError> {
    let RgbImage { width, height, .. } = *image;
    let mut turned = Vec::new();
    resize(&mut turned, image.pixels.len())?;
    let (from, _) = image.pixels.as_chunks::<3>();
    let (to, _) = turned.as_chunks_mut::<3>();
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            for x in left..width.min(left + TILE) {
                for y in top..height.min(top + TILE) {
                    to[x * height + y] = from[y * width + x];
                }
            }
        }
    }
    *image = RgbImage {
        width: height,
        height: width,
        pixels: turned,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_lands_where_the_orientation_says() {
        let (width, height) = (37, 70);
        let pixel = |x: usize, y: usize| [x as u8, y as u8, (x ^ y) as u8];
        let pixels = (0..width * height)
            .flat_map(|i| pixel(i % width, i / width))
            .collect();
        let image = RgbImage {
            width,
            height,
            pixels,
        };
        for bits in 0..8_u8 {
            let orientation = Orientation {
                transposed: bits & 1 != 0,
                across: bits & 2 != 0,
                down: bits & 4 != 0,
            };
            let mut turned = image.clone();
            turn(&mut turned, orientation).expect("turned");
            for y in 0..turned.height {
                for x in 0..turned.width {
                    let x_before = if orientation.across {
                        turned.width - 1 - x
                    } else {
                        x
                    };
                    let y_before = if orientation.down {
                        turned.height - 1 - y
                    } else {
                        y
                    };
                    let (from_x, from_y) = if orientation.transposed {
                        (y_before, x_before)
                    } else {
                        (x_before, y_before)
                    };
                    let found = &turned.pixels[(y * turned.width + x) * 3..][..3];
                    assert_eq!(found, pixel(from_x, from_y), "{orientation:?} at {x}, {y}");
                }
            }
        }
    }
}
