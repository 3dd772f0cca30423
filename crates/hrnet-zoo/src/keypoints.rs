//! Pose networks with the way before and after them: from a photo and people's boxes to keypoints.

use std::fmt;
use std::num::NonZeroUsize;

use hrnet::{Graph, Shape};
use pose::skeleton::{AP10K, COCO, COCO_WHOLEBODY, MPII, Skeleton};
use pose::{BLUR_TAPS, Found, Levels, PersonBox, Scored, Size, TopDown};
use preprocess::RgbImage;
use registry::{Decoder, Keypoints, Pose, Preprocess, Variant};
use runtime::Session;

use crate::{Builder, Error};

/// A network that finds the keypoints of people on photos.
///
/// ```
/// use hrnet_zoo::PoseModel;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let photo = include_bytes!("../../../tests/golden/photo.jpg");
/// let mut model = PoseModel::builder("pose_hrnet_w32_256x192").seeded(0).flip_test(false).build_pose()?;
/// let photo = preprocess::decode(photo)?;
/// let people = model.find(&photo, &[PoseModel::whole(&photo)?])?;
/// for (name, keypoint) in model.skeleton().keypoints.iter().zip(&people[0].keypoints) {
///     println!("{name}: {keypoint:?}");
/// }
/// # assert_eq!(people[0].keypoints.len(), 17);
/// # Ok(())
/// # }
/// ```
///
/// Boxes come from a detector of people; [`PoseModel::whole`] takes the whole photo as the box of one person.
pub struct PoseModel {
    variant: String,
    skeleton: &'static Skeleton,
    input: Size,
    way: TopDown,
    sessions: Sessions,
}

/// The settings of a [`PoseModel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoseOptions {
    /// Runs the network on each person's mirrored crop, too, and takes the mean, as all published figures do. It takes twice the
    /// time.
    pub flip: bool,
    /// The most people that one run of the network takes.
    pub batch: NonZeroUsize,
}

impl Default for PoseOptions {
    fn default() -> Self {
        Self {
            flip: true,
            batch: NonZeroUsize::MIN,
        }
    }
}

/// A network for full batches, and for the people that are left over.
struct Sessions {
    batch: usize,
    one: Box<dyn Session>,
    /// `None` for batches of one.
    several: Option<Box<dyn Session>>,
}

impl PoseModel {
    /// Loads a variant of the built-in manifest with the weights that `zoo fetch NAME` downloaded, in f32 on all threads, with a
    /// flip test.
    ///
    /// # Errors
    /// As [`Builder::build_pose`]; [`Error::NotFetched`] if the weights are not in the cache.
    pub fn load(name: &str) -> Result<Self, Error> {
        Self::builder(name).build_pose()
    }

    /// Begins to load a variant with other weights, precisions or threads. [`Builder::build_pose`] ends it.
    pub fn builder(name: impl Into<String>) -> Builder {
        Builder::new(name.into())
    }

    /// Returns the model of a variant whose crops are made by this profile, on sessions that the caller prepares: for one
    /// person, and for a full batch if it is larger.
    ///
    /// # Errors
    /// If the variant classifies photos, its keypoints have no published skeleton, the profile is not of its decoder, or a session
    /// cannot be prepared.
    pub fn new<E: From<Error>>(
        variant: &Variant,
        profile: &Preprocess,
        options: PoseOptions,
        mut prepare: impl FnMut(&Graph) -> Result<Box<dyn Session>, E>,
    ) -> Result<Self, E> {
        let pose = variant.pose().ok_or_else(|| Error::NoPose {
            variant: variant.name.clone(),
        })?;
        let skeleton = skeleton(pose.keypoints).ok_or_else(|| Error::OwnKeypoints {
            variant: variant.name.clone(),
            keypoints: pose.keypoints.count(),
        })?;
        if profile.profile != pose.decoder.profile() {
            let error = Error::NoCrops {
                profile: profile.id.clone(),
                variant: variant.name.clone(),
                needed: pose.decoder.profile().name(),
            };
            return Err(error.into());
        }
        let input = Size::new(profile.size().w, profile.size().h);
        let way = TopDown::new(input, decoder(pose), skeleton, options.flip).with_levels(levels(profile));
        let batch = options.batch.get();
        let mut session = |people| {
            let graph = variant.spec.graph(Shape::images(people, profile.size()));
            prepare(&graph.map_err(Error::Size)?)
        };
        Ok(Self {
            variant: variant.name.clone(),
            skeleton,
            input,
            way,
            sessions: Sessions {
                batch,
                one: session(1)?,
                several: if batch > 1 { Some(session(batch)?) } else { None },
            },
        })
    }

    /// Finds the keypoints of the people in these boxes, in the order of the boxes. Full batches are computed together, the people
    /// that are left over one by one.
    ///
    /// # Errors
    /// If the backend fails.
    pub fn find(&mut self, photo: &RgbImage, people: &[Scored]) -> Result<Vec<Found>, Error> {
        let Self { way, sessions, .. } = self;
        way.find(photo, people, sessions.batch, |crops, people| {
            sessions.run(crops, people)
        })
    }

    /// Returns the box of a whole photo, for photos of one person, with score 1.
    ///
    /// # Errors
    /// If the photo has no pixels.
    pub fn whole(photo: &RgbImage) -> Result<Scored, Error> {
        let person = PersonBox::whole(Size::new(photo.width, photo.height))?;
        Ok(Scored { person, score: 1.0 })
    }

    /// Returns the keypoints' names, partners, links and sigmas, in the order of [`Found::keypoints`].
    pub fn skeleton(&self) -> &'static Skeleton {
        self.skeleton
    }

    /// Returns the variant's name, as the manifest writes it.
    pub fn name(&self) -> &str {
        &self.variant
    }

    /// Returns the extent of the network's input, pixels.
    pub fn input(&self) -> Size {
        self.input
    }
}

impl Sessions {
    /// Computes the heatmaps of `[people, 3, height, width]`.
    fn run(&mut self, crops: &[f32], people: usize) -> Result<Vec<f32>, Error> {
        if let Some(several) = self.several.as_mut().filter(|_| people == self.batch) {
            return Ok(several.outputs(crops)?.into_values());
        }
        let mut heatmaps = Vec::new();
        for crop in crops.chunks_exact(crops.len() / people) {
            heatmaps.extend(self.one.outputs(crop)?.into_values());
        }
        Ok(heatmaps)
    }
}

impl fmt::Debug for PoseModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoseModel")
            .field("variant", &self.variant)
            .field("skeleton", &self.skeleton.name)
            .field("input", &self.input)
            .field("batch", &self.sessions.batch)
            .finish_non_exhaustive()
    }
}

/// Returns the names, partners, links and sigmas of published keypoints; `None` for keypoints of one's own, which have a number
/// alone.
pub fn skeleton(keypoints: Keypoints) -> Option<&'static Skeleton> {
    match keypoints {
        Keypoints::Coco => Some(&COCO),
        Keypoints::CocoWholebody => Some(&COCO_WHOLEBODY),
        Keypoints::Mpii => Some(&MPII),
        Keypoints::Ap10k => Some(&AP10K),
        Keypoints::Own(_) => None,
    }
}

/// The decoder of the manifest, with mmpose's blur.
fn decoder(pose: Pose) -> pose::Decoder {
    let taps = BLUR_TAPS;
    match pose.decoder {
        Decoder::Msra => pose::Decoder::Msra,
        Decoder::Dark => pose::Decoder::Dark { taps },
        Decoder::Udp => pose::Decoder::Udp { taps },
        Decoder::UdpRegress => pose::Decoder::UdpOffsets { taps },
    }
}

/// The values of a profile's bytes, computed in bytes as mmpose computes them. The manifest's decimals are of values in 0 to 1: their
/// shortest text times 255 is the number that mmpose's configurations print.
fn levels(profile: &Preprocess) -> Levels {
    let bytes = |values: [f32; 3]| {
        values.map(|value| {
            let decimal: f64 = value.to_string().parse().unwrap_or(f64::from(value));
            (decimal * 255.0) as f32
        })
    };
    Levels::new(bytes(profile.mean), bytes(profile.std))
}

#[cfg(test)]
mod tests {
    use registry::Zoo;

    use super::*;

    #[test]
    fn published_keypoints_have_the_skeleton_of_their_name() {
        let skeletons = Keypoints::PUBLISHED.map(|keypoints| {
            let skeleton = skeleton(keypoints).expect("published keypoints");
            assert_eq!(Some(skeleton.name), keypoints.name());
            assert_eq!(skeleton.keypoints.len(), keypoints.count(), "{}", skeleton.name);
            skeleton
        });
        assert_eq!(skeletons, pose::skeleton::ALL);
    }

    #[test]
    fn the_manifests_pose_variants_have_skeletons_decoders_and_mmposes_levels() {
        let zoo = Zoo::builtin();
        let mut decoders = Vec::new();
        for variant in zoo.variants.iter().filter(|variant| !variant.is_classifier()) {
            let pose = variant.pose().expect("a pose network");
            assert!(skeleton(pose.keypoints).is_some(), "{}", variant.name);
            let decoder = decoder(pose);
            assert_eq!(decoder.maps(), pose.decoder.maps(), "{}", variant.name);
            assert_eq!(
                levels(&variant.preprocess),
                Levels::imagenet(),
                "{}",
                variant.name
            );
            decoders.push(decoder.to_string());
        }
        decoders.sort();
        decoders.dedup();
        assert_eq!(decoders.len(), 4, "{decoders:?}");
    }
}
