use preprocess::RgbImage;

use crate::skeleton::Skeleton;
use crate::{Cropper, Decoder, Found, HeatmapError, Levels, PersonBox, Size, flip_mean, mirror};

/// Pixels of the network's input per pixel of its heatmaps, along each axis.
const STRIDE: usize = 4;

/// A person's box and the detector's score of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The box.
    pub person: PersonBox,
    /// The score, 0 to 1.
    pub score: f64,
}

/// The whole way from a photo and boxes to keypoints, except the network.
#[derive(Clone, Debug)]
pub struct TopDown {
    input: Size,
    decoder: Decoder,
    skeleton: &'static Skeleton,
    flip: bool,
    cropper: Cropper,
    batch: Vec<f32>,
    mirrored: Vec<f32>,
}

impl TopDown {
    /// Returns the way of a network of this input, decoder and skeleton, with ImageNet's mean and standard deviation. With `flip` the
    /// network runs on the mirrored input, too, as in all published figures.
    pub fn new(input: Size, decoder: Decoder, skeleton: &'static Skeleton, flip: bool) -> Self {
        Self {
            input,
            decoder,
            skeleton,
            flip,
            cropper: Cropper::new(input, decoder.unbiased(), Levels::imagenet()),
            batch: Vec::new(),
            mirrored: Vec::new(),
        }
    }

    /// Returns the way with other values of a crop's bytes.
    #[must_use]
    pub fn with_levels(self, levels: Levels) -> Self {
        let cropper = Cropper::new(self.input, self.decoder.unbiased(), levels);
        Self { cropper, ..self }
    }

    /// Returns the number of heatmaps that the network must have.
    pub fn maps(&self) -> usize {
        self.skeleton.keypoints.len() * self.decoder.maps()
    }

    /// Returns the size of the heatmaps that the network must have: a quarter of the input's.
    pub fn map_size(&self) -> Size {
        Size::new(self.input.width / STRIDE, self.input.height / STRIDE)
    }

    /// Returns the people in the boxes on a photo, in the order of the boxes, by runs of the network on at most `batch` people.
    ///
    /// `network` gets `[people, 3, height, width]` and the number of people, and returns heatmaps
    /// `[people, maps, height / 4, width / 4]`. With a flip test it runs twice per batch.
    ///
    /// # Errors
    /// If the network fails, or its heatmaps are not those of the skeleton.
    ///
    /// # Panics
    /// If `batch` is 0.
    pub fn find<E: From<HeatmapError>>(
        &mut self,
        photo: &RgbImage,
        people: &[Scored],
        batch: usize,
        mut network: impl FnMut(&[f32], usize) -> Result<Vec<f32>, E>,
    ) -> Result<Vec<Found>, E> {
        let mut found = Vec::with_capacity(people.len());
        for people in people.chunks(batch) {
            self.prepare(photo, people);
            let mut heatmaps = network(&self.batch, people.len())?;
            if self.flip {
                self.mirrored.resize(self.batch.len(), 0.0);
                mirror(&self.batch, self.input.width, &mut self.mirrored);
                let turned = network(&self.mirrored, people.len())?;
                let partners = self.skeleton.partners;
                flip_mean(self.decoder, self.map_size(), partners, &mut heatmaps, &turned)?;
            }
            found.extend(self.decode(&heatmaps, people)?);
        }
        Ok(found)
    }

    /// Writes the network's input of these people.
    fn prepare(&mut self, photo: &RgbImage, people: &[Scored]) {
        let each = 3 * self.input.pixels();
        self.batch.resize(each * people.len(), 0.0);
        for (scored, tensor) in people.iter().zip(self.batch.chunks_exact_mut(each)) {
            let placement = scored.person.place(self.input);
            self.cropper.tensor(photo, &placement, tensor);
        }
    }

    fn decode(&self, heatmaps: &[f32], people: &[Scored]) -> Result<Vec<Found>, HeatmapError> {
        let place = |scored: &Scored| scored.person.place(self.input);
        let placements: Vec<_> = people.iter().map(place).collect();
        let keypoints = self.skeleton.keypoints.len();
        let keypoints = self
            .decoder
            .people(heatmaps, self.map_size(), self.input, keypoints, &placements)?;
        let found = people.iter().zip(placements).zip(keypoints);
        let found = found.map(|((scored, placement), keypoints)| Found {
            person: scored.person,
            placement,
            box_score: scored.score,
            keypoints,
        });
        Ok(found.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skeleton::COCO;

    const INPUT: Size = Size::new(48, 64);

    /// A photo with a bright square about each of these places.
    fn photo(places: &[[usize; 2]]) -> RgbImage {
        let mut pixels = vec![0; 200 * 150 * 3];
        for [left, top] in places {
            for y in top - 2..=top + 2 {
                pixels[3 * (y * 200 + left - 2)..][..15].fill(255);
            }
        }
        RgbImage {
            width: 200,
            height: 150,
            pixels,
        }
    }

    /// A stand-in for a network: the nose is where its input is bright, the left eye where it is bright and in its left half. So in a
    /// mirror the left eye's map is the right eye's.
    fn brightness(batch: &[f32], people: usize) -> Result<Vec<f32>, HeatmapError> {
        let size = Size::new(12, 16);
        let mut maps = vec![0.0; people * 17 * size.pixels()];
        for (person, maps) in maps.chunks_exact_mut(17 * size.pixels()).enumerate() {
            let red = &batch[person * 3 * INPUT.pixels()..][..INPUT.pixels()];
            for (at, value) in red.iter().enumerate() {
                let (x, y) = (at % 48, at / 48);
                let share = value.max(0.0) / 48.0;
                let half = if x < 24 { 1 } else { 2 };
                for map in [0, half] {
                    maps[map * size.pixels() + y / 4 * 12 + x / 4] += share;
                }
            }
        }
        Ok(maps)
    }

    fn scored(xywh: [f64; 4]) -> Scored {
        let person = PersonBox::detected(xywh, Size::new(200, 150)).expect("a box");
        Scored { person, score: 0.5 }
    }

    #[test]
    fn keypoints_are_found_where_they_are_on_the_photo_with_and_without_a_flip_test() {
        let photo = photo(&[[60, 50], [140, 100]]);
        let people = [
            scored([40.0, 20.0, 48.0, 64.0]),
            scored([110.0, 60.0, 48.0, 64.0]),
            scored([5.0, 90.0, 30.0, 40.0]),
        ];
        for (flip, decoder) in [
            (false, Decoder::Msra),
            (true, Decoder::Msra),
            (true, Decoder::Dark { taps: 11 }),
            (true, Decoder::Udp { taps: 11 }),
        ] {
            let mut runs = Vec::new();
            let mut way = TopDown::new(INPUT, decoder, &COCO, flip);
            let found = way
                .find(&photo, &people, 2, |batch, people| {
                    runs.push(people);
                    brightness(batch, people)
                })
                .expect("people");
            assert_eq!(runs, if flip { vec![2, 2, 1, 1] } else { vec![2, 1] });
            for (found, [x, y]) in found.iter().zip([[60.0, 50.0], [140.0, 100.0]]) {
                let nose = found.keypoints[0].expect("a nose");
                // A pixel of the maps is five of the photo.
                assert!(
                    (nose.x - x).abs() < 4.0 && (nose.y - y).abs() < 4.0,
                    "{decoder}, flip {flip}: {nose:?}"
                );
                assert_eq!(found.box_score, 0.5);
            }
            // The first square is in the left half of its box, the second in the right half.
            let eyes = |person: usize| [1, 2].map(|eye| found[person].keypoints[eye].is_some());
            assert_eq!([eyes(0), eyes(1)], [[true, false], [false, true]]);
            assert!(found[2].keypoints.iter().all(Option::is_none), "nothing is there");
        }
    }

    #[test]
    fn a_network_of_another_task_is_an_error_and_so_is_its_own() {
        let mut way = TopDown::new(INPUT, Decoder::Msra, &COCO, true);
        let (photo, people) = (photo(&[]), [scored([40.0, 20.0, 48.0, 64.0])]);
        let error = way.find(&photo, &people, 1, |_, _| {
            Ok::<_, HeatmapError>(vec![0.0; 16 * 12 * 16])
        });
        assert_eq!(
            error,
            Err(HeatmapError::Count {
                found: 16,
                keypoints: 17,
                expected: 17
            })
        );
        let failed = HeatmapError::Size {
            values: 1,
            size: INPUT,
        };
        let error = way.find(&photo, &people, 1, |_, _| Err(failed.clone()));
        assert_eq!(error, Err(failed));
        let none = way.find(&photo, &[], 1, |_, _| {
            Err(HeatmapError::Size {
                values: 0,
                size: INPUT,
            })
        });
        assert_eq!(none, Ok(Vec::new()));
    }
}
