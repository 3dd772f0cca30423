//! The inputs of cells: batches of one photo, prepared as the variant's profile says.

use harness::Cell;
use hrnet::Size;
use hrnet_zoo::transform;
use pose::{Cropper, Levels, PersonBox};
use preprocess::RgbImage;
use registry::{Frame, Preprocess, Profile};

use crate::{Exit, Failure};

/// The photo of every cell.
pub(super) const PHOTO: &[u8] = include_bytes!("../../../../tests/golden/photo.jpg");

pub(super) fn photo() -> Result<RgbImage, Failure> {
    Ok(preprocess::decode(PHOTO)?)
}

/// Returns a batch of the photo, `[n, 3, h, w]`: its centre for a classifier, the whole photo as one person for a pose network.
/// Each image is fainter than the one before, so that an output in another image's place is a wrong one.
pub(super) fn photo_batch(profile: &Preprocess, size: Size, n: usize) -> Result<Vec<f32>, Failure> {
    let image = match profile.frame {
        Frame::Centre { .. } => centre(profile, size)?,
        Frame::Person { .. } => crop(&photo()?, profile, size)?,
    };
    let strengths = (0..n).map(|index| 1.0 - index as f32 / (2 * n) as f32);
    Ok(strengths
        .flat_map(|strength| image.iter().map(move |value| value * strength))
        .collect())
}

/// Returns the centre of the photo, `[3, h, w]`: of the square of the longer side its first rows and columns.
fn centre(profile: &Preprocess, size: Size) -> Result<Vec<f32>, Failure> {
    let side = size.h.max(size.w);
    let transform = transform(&profile.centred(side, side))?;
    let mut square = vec![0.0; transform.output_elements()];
    transform.batch(std::iter::once(&photo()?), &mut square);
    let rows = square
        .chunks_exact(side)
        .enumerate()
        .filter(|(row, _)| row % side < size.h);
    Ok(rows.flat_map(|(_, row)| &row[..size.w]).copied().collect())
}

/// Returns the cell that makes the input of a pose network from the photo, with the whole photo as the person's box.
pub(super) fn person_cell(size: Size) -> Result<Cell, Failure> {
    let (photo, input) = (photo()?, pose::Size::new(size.w, size.h));
    let placement = whole(&photo)?.place(input);
    let mut cropper = Cropper::new(input, false, Levels::imagenet());
    let mut tensor = vec![0.0; 3 * size.h * size.w];
    Ok(Cell::new(move || {
        cropper.tensor(&photo, &placement, &mut tensor);
        std::hint::black_box(&mut tensor);
        Ok(())
    }))
}

/// Returns a photo as the crop of one person, `[3, h, w]`, by a profile that crops persons.
pub(crate) fn crop(photo: &RgbImage, profile: &Preprocess, size: Size) -> Result<Vec<f32>, Failure> {
    let whole = whole(photo)?;
    let input = pose::Size::new(size.w, size.h);
    let in_bytes = |values: [f32; 3]| values.map(|value| 255.0 * value);
    let levels = Levels::new(in_bytes(profile.mean), in_bytes(profile.std));
    let mut cropper = Cropper::new(input, profile.profile == Profile::Udp, levels);
    let mut tensor = vec![0.0; 3 * size.h * size.w];
    cropper.tensor(photo, &whole.place(input), &mut tensor);
    Ok(tensor)
}

fn whole(photo: &RgbImage) -> Result<PersonBox, Failure> {
    let whole = PersonBox::whole(pose::Size::new(photo.width, photo.height));
    whole.map_err(|error| Failure::new(Exit::Other, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;

    #[test]
    fn no_two_images_of_a_batch_are_alike_and_each_profile_fills_its_input() {
        let cx = Context::embedded();
        for (name, size) in [
            ("HRNet_W18_C", Size::square(64)),
            ("HRNet_W18_C", Size::new(64, 32)),
            ("pose_hrnet_w32_256x192", Size::new(64, 48)),
            ("pose_hrnet_w32_256x192_udp", Size::new(64, 48)),
        ] {
            let profile = &cx.variant(name).expect("there").preprocess;
            let batch = photo_batch(profile, size, 3).expect("a batch");
            let images: Vec<&[f32]> = batch.chunks_exact(3 * size.h * size.w).collect();
            assert!(images.len() == 3 && images[0] != images[1] && images[1] != images[2]);
            let plain = batch.iter().filter(|value| **value == images[0][0]).count();
            assert!(plain < batch.len() / 2, "{name}: the photo can be seen");
        }
        let square = photo_batch(&cx.variant("w18").expect("there").preprocess, Size::square(64), 1);
        let part = photo_batch(
            &cx.variant("w18").expect("there").preprocess,
            Size::new(64, 32),
            1,
        );
        let (square, part) = (square.expect("a batch"), part.expect("a batch"));
        assert_eq!(part[32..64], square[64..96], "the second row");
    }
}
