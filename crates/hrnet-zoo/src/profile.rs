//! The preparation of photos: the profile of the manifest that applies, and the code that carries it out.

use preprocess::{Filter, Transform};
use registry::{Artifact, Frame, Interpolation, Naming, Preprocess, Resampler, Variant, Zoo};

use crate::Error;

/// Returns the transform that prepares photos by a profile of the manifest.
///
/// # Errors
/// If the profile crops persons, the crop is empty or larger than the short side, or a standard deviation is not positive.
pub fn transform(profile: &Preprocess) -> Result<Transform, Error> {
    let Frame::Centre { resize_short, crop } = profile.frame else {
        return Err(Error::PersonProfile {
            profile: profile.id.clone(),
        });
    };
    let filter = match profile.interpolation {
        Interpolation::Bilinear => Filter::Bilinear,
        Interpolation::Bicubic => Filter::Bicubic,
    };
    let library = match profile.resampler {
        Resampler::OpenCv4 => preprocess::Profile::Paddle,
        Resampler::Pillow12 => preprocess::Profile::Timm(filter),
        Resampler::Pillow13 => preprocess::Profile::Timm13(filter),
    };
    let transform = Transform::new(resize_short, crop, library, profile.mean, profile.std);
    transform.map_err(Error::Transform)
}

/// Returns the weight sources of the variant whose tensors are named by this scheme, in the manifest's order. Photos for a file
/// of such names are prepared as those of the first.
pub fn sources_by_naming(variant: &Variant, naming: checkpoint::Naming) -> Vec<&Artifact> {
    let publisher = publisher(naming);
    let sources = variant.artifacts.iter();
    sources
        .filter(|source| source.naming == Some(publisher))
        .collect()
}

/// The publisher's present scheme for names of any of its generations.
fn publisher(naming: checkpoint::Naming) -> Naming {
    match naming {
        checkpoint::Naming::Paddle | checkpoint::Naming::Paddle2020 | checkpoint::Naming::PaddleStatic => {
            Naming::Paddle
        }
        checkpoint::Naming::Timm => Naming::Timm,
        checkpoint::Naming::Mmpretrain => Naming::Mmpretrain,
        checkpoint::Naming::Mmpose | checkpoint::Naming::Mmpose0 => Naming::Mmpose,
    }
}

/// Returns the profile of this name; else the only one whose name begins so, in the manifest or of the variant. `paddle` and
/// `timm` also stand for the variant's only profile of that kind, if no name begins so.
///
/// # Errors
/// If there is none, or there are several.
pub fn find_profile<'z>(
    zoo: &'z Zoo,
    variant: Option<&'z Variant>,
    name: &str,
) -> Result<&'z Preprocess, Error> {
    if let Some(profile) = zoo.preprocess.get(name) {
        return Ok(profile);
    }
    let begins = |profile: &&Preprocess| !name.is_empty() && profile.id.starts_with(name);
    let all: Vec<&Preprocess> = zoo.preprocess.values().filter(begins).collect();
    let is_kind = |profile: &&Preprocess| profile.profile.name() == name;
    let own = variant.map_or(Vec::new(), Variant::profiles).into_iter();
    let own: Vec<&Preprocess> = match all.is_empty() {
        true => own.filter(is_kind).collect(),
        false => own.filter(begins).collect(),
    };
    match (all.as_slice(), own.as_slice()) {
        ([one], _) | (_, [one]) => Ok(one),
        ([], []) => Err(Error::UnknownProfile {
            name: name.to_owned(),
            known: ids(zoo.preprocess.values()),
        }),
        (several, []) | (_, several) => Err(Error::AmbiguousProfile {
            name: name.to_owned(),
            candidates: ids(several.iter().copied()),
        }),
    }
}

fn ids<'z>(profiles: impl Iterator<Item = &'z Preprocess>) -> Vec<String> {
    profiles.map(|profile| profile.id.clone()).collect()
}
