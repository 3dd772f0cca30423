use std::collections::BTreeMap;

use toml::Spanned;

use super::Check;
use crate::types::{Interpolation, Preprocess, Profile, Resampler};
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
            resize_short,
            crop_pct,
            crop,
            interpolation,
            resampler,
            mean,
            std,
        } = *written.get_ref();
        let fail = |message: String| self.fail(written.span(), message);
        if (profile, interpolation) == (Profile::Paddle, Interpolation::Bicubic) {
            return fail("bicubic is timm's: add `profile = \"timm\"`".into());
        }
        let usual = Resampler::of(profile);
        let resampler = resampler.unwrap_or(usual);
        if (usual == Resampler::OpenCv4) != (resampler == Resampler::OpenCv4) {
            return fail("`resampler` is \"opencv-4\" with `profile = \"paddle\"`, and \"pillow-12\" or \"pillow-13\" with `profile = \"timm\"`".into());
        }
        let resize_short = match (profile, resize_short, crop_pct) {
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
            (Profile::Paddle, ..) => {
                return fail("expected `resize_short`; `crop_pct` goes with `profile = \"timm\"`".into());
            }
        };
        if crop == 0 || crop > resize_short {
            return fail(format!(
                "crop {crop} with resize_short {resize_short}: expected 0 < crop <= resize_short"
            ));
        }
        let positive = std.iter().all(|value| value.is_finite() && *value > 0.0);
        if !positive || !mean.iter().all(|value| value.is_finite()) {
            return fail("expected a finite mean and a finite, positive std for each channel".into());
        }
        Ok(Preprocess {
            id: id.to_owned(),
            profile,
            resize_short,
            crop,
            interpolation,
            resampler,
            mean,
            std,
        })
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
