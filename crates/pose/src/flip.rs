use crate::{Decoder, HeatmapError, Heatmaps, Size};

/// Turns the heatmaps of mirrored crops back and takes the mean with those of the crops, in place: maps
/// `[people, keypoints * maps, height, width]`, `partners[k]` is the keypoint that `k` becomes in a mirror.
///
/// Equal to mmpose to the bit: MSRA's and DARK's maps move one pixel to the right first, because their crops are not symmetric
/// about the map's middle (the first column stays as it is), UDP's do not; UDP's offsets in x change their sign.
///
/// # Errors
/// If the two do not have the same length, or are not whole people.
pub fn flip_mean(
    decoder: Decoder,
    size: Size,
    partners: &[usize],
    maps: &mut [f32],
    mirrored: &[f32],
) -> Result<(), HeatmapError> {
    let count = Heatmaps::new(maps, size)?.count();
    let (keypoints, each) = (partners.len(), decoder.maps());
    let person = keypoints * each * size.pixels();
    if mirrored.len() != maps.len() || person == 0 || !maps.len().is_multiple_of(person) {
        let people = count.div_ceil((keypoints * each).max(1));
        return Err(HeatmapError::Count {
            found: if mirrored.len() == maps.len() {
                count
            } else {
                mirrored.len() / size.pixels()
            },
            keypoints: people * keypoints,
            expected: people * keypoints * each,
        });
    }
    let shift = usize::from(!decoder.unbiased());
    let people = maps.chunks_exact_mut(person).zip(mirrored.chunks_exact(person));
    for (maps, mirrored) in people {
        for (index, map) in maps.chunks_exact_mut(size.pixels()).enumerate() {
            let (keypoint, part) = (index / each, index % each);
            let partner = partners[keypoint] * each + part;
            let sign = if each == 3 && part == 1 { -1.0 } else { 1.0 };
            let turned = &mirrored[partner * size.pixels()..][..size.pixels()];
            let rows = map
                .chunks_exact_mut(size.width)
                .zip(turned.chunks_exact(size.width));
            for (row, turned) in rows {
                for (x, value) in row.iter_mut().enumerate() {
                    let from = size.width - 1 - x.saturating_sub(shift);
                    *value = (*value + sign * turned[from]) * 0.5;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_change_places_and_msras_maps_move_by_a_pixel() {
        let size = Size::new(3, 1);
        let mirrored = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
        let mut maps = [0.0; 6];
        flip_mean(Decoder::Msra, size, &[1, 0], &mut maps, &mirrored).expect("two maps");
        assert_eq!(maps, [15.0, 15.0, 10.0, 1.5, 1.5, 1.0]);
        let mut maps = [0.0; 6];
        flip_mean(Decoder::Udp { taps: 11 }, size, &[1, 0], &mut maps, &mirrored).expect("two maps");
        assert_eq!(maps, [15.0, 10.0, 5.0, 1.5, 1.0, 0.5]);
    }

    #[test]
    fn maps_that_do_not_go_together_are_refused() {
        let size = Size::new(3, 1);
        let error = flip_mean(Decoder::Msra, size, &[1, 0], &mut [0.0; 9], &[0.0; 9]);
        assert_eq!(
            error,
            Err(HeatmapError::Count {
                found: 3,
                keypoints: 4,
                expected: 4
            })
        );
        assert!(flip_mean(Decoder::Msra, size, &[1, 0], &mut [0.0; 6], &[0.0; 3]).is_err());
        assert!(flip_mean(Decoder::Msra, size, &[], &mut [0.0; 6], &[0.0; 6]).is_err());
    }
}
