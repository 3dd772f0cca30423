use std::collections::BTreeMap;

use hrnet::Size;
use toml::Spanned;

use super::Check;
use crate::types::{Frame, Interpolation, Preprocess, Profile, Resampler};
use crate::{ManifestError, wire};

impl Check<'_> {
    /// One way to prepare images; without a `profile` it is PaddleClas's.
    pub(super) fn preprocess(
        &self,
        id: &str,
        written: &Spanned<wire::Preprocess>,
    ) -> Result<Preprocess, ManifestError> {
        let wire::Preprocess {
            profile,
            interpolation,
            resampler,
            mean,
            std,
            ..
        } = *written.get_ref();
        let fail = |message: &str| self.fail(written.span(), message);
        if profile != Profile::Timm && interpolation == Interpolation::Bicubic {
            return fail("bicubic is timm's: add `profile = \"timm\"`");
        }
        let usual = Resampler::of(profile);
        let resampler = resampler.unwrap_or(usual);
        if (usual == Resampler::OpenCv4) != (resampler == Resampler::OpenCv4) {
            return fail(
                "`resampler` is \"pillow-12\" or \"pillow-13\" with `profile = \"timm\"`, and \"opencv-4\" with any other",
            );
        }
        let frame = match profile.is_of_persons() {
            true => self.person(written)?,
            false => self.centre(written)?,
        };
        let positive = std.iter().all(|value| value.is_finite() && *value > 0.0);
        if !positive || !mean.iter().all(|value| value.is_finite()) {
            return fail("expected a finite mean and a finite, positive std for each channel");
        }
        Ok(Preprocess {
            id: id.to_owned(),
            profile,
            frame,
            interpolation,
            resampler,
            mean,
            std,
        })
    }

    /// The centre of the resized photo.
    fn centre(&self, written: &Spanned<wire::Preprocess>) -> Result<Frame, ManifestError> {
        let wire = written.get_ref();
        let fail = |message: String| self.fail(written.span(), message);
        if let Some(person) = &wire.person {
            return self.fail(
                person.span(),
                "`person` goes with `profile = \"msra\"` or \"udp\", which crop persons",
            );
        }
        let Some(crop) = wire.crop else {
            return fail("missing field `crop`, the side of the centre crop".into());
        };
        let resize_short = match (wire.profile, wire.resize_short, wire.crop_pct) {
            (_, Some(short), None) => short,
            (Profile::Timm, None, Some(share)) if share > 0.0 && share <= 1.0 => short_side(crop, share),
            (Profile::Timm, None, Some(share)) => {
                return fail(format!(
                    "crop_pct {share}: expected a share of the short side, above 0 and at most 1"
                ));
            }
            (Profile::Timm, ..) => {
                return fail("expected either `resize_short` or timm's `crop_pct`".into());
            }
            (Profile::Paddle | Profile::Msra | Profile::Udp, ..) => {
                return fail("expected `resize_short`; `crop_pct` goes with `profile = \"timm\"`".into());
            }
        };
        if crop == 0 || crop > resize_short {
            return fail(format!(
                "crop {crop} with resize_short {resize_short}: expected 0 < crop <= resize_short"
            ));
        }
        Ok(Frame::Centre { resize_short, crop })
    }

    /// The box of a person.
    fn person(&self, written: &Spanned<wire::Preprocess>) -> Result<Frame, ManifestError> {
        let wire = written.get_ref();
        let of_photos = [
            ("resize_short", wire.resize_short.is_some()),
            ("crop_pct", wire.crop_pct.is_some()),
            ("crop", wire.crop.is_some()),
        ];
        let profile = wire.profile.name();
        if let Some((field, _)) = of_photos.into_iter().find(|(_, is_there)| *is_there) {
            let message =
                format!("`{field}` is of whole photos: `profile = \"{profile}\"` has `person` in its place");
            return self.fail(written.span(), message);
        }
        let Some(person) = &wire.person else {
            let message = format!(
                "`profile = \"{profile}\"` needs `person`, the rows and columns of the input, as in \"256x192\""
            );
            return self.fail(written.span(), message);
        };
        match person.get_ref().parse::<Size>() {
            Ok(size) => Ok(Frame::Person { person: size }),
            Err(error) => self.fail(person.span(), error.to_string()),
        }
    }

    /// The declared profile of this name.
    pub(super) fn profile(
        &self,
        id: &Spanned<String>,
        declared: &BTreeMap<String, Preprocess>,
    ) -> Result<Preprocess, ManifestError> {
        let found = declared.get(id.get_ref()).cloned();
        self.lookup("preprocess", id, found, declared.keys().cloned())
    }
}

/// timm's rule: the short side of which the crop is this share, cut off.
fn short_side(crop: usize, share: f64) -> usize {
    (crop as f64 / share).floor() as usize
}
