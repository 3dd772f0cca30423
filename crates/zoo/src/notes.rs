//! Metadata of exported ONNX models: the form of the input images and the origin of the model.

use hrnet_zoo::Labels;
use onnx::Model;
use registry::{Frame, Interpolation, Preprocess, Profile, Task, Variant};
use serde_json::json;

use crate::Failure;
use crate::context::Context;
use crate::model::Weights;

/// Writes the network, the weights, their licence if it is known, the preprocessing and the classes into the model's metadata.
///
/// # Errors
/// If the weight file cannot be read to its end.
pub(crate) fn note(
    model: &mut Model,
    cx: &Context,
    variant: &Variant,
    preprocess: &Preprocess,
    weights: &Weights,
    licence: Option<&str>,
) -> Result<(), Failure> {
    let identity = weights.identity(cx)?;
    model.note("variant", &variant.name);
    if let Some(licence) = licence {
        model.note("license", licence);
    }
    model.note("weights", weights.about(cx)?);
    if !identity.starts_with("seeded:") {
        let (digest, set) = identity.split_once('#').unwrap_or((&identity, ""));
        model.note("weights_sha256", digest);
        if !set.is_empty() {
            model.note("weights_set", set);
        }
    }
    match variant.task {
        Task::Classes => classes(model, variant)?,
        Task::Pose(pose) => {
            model.note("keypoints", pose.keypoints.to_string());
            model.note("decoder", pose.decoder.name());
        }
    }
    for (key, value) in preparation(preprocess) {
        model.note(key, value);
    }
    model.note("tool", concat!("hrnet-zoo ", env!("CARGO_PKG_VERSION")));
    Ok(())
}

/// Writes the number of classes, and their names if they have any.
fn classes(model: &mut Model, variant: &Variant) -> Result<(), Failure> {
    let classes = variant.spec.classes();
    model.note("classes", classes.to_string());
    match &variant.labels {
        Some(_) => model.note("labels", json!(Labels::of(variant)?.names()).to_string()),
        None if classes == hrnet_zoo::imagenet().len() => {
            model.note("labels", "imagenet-1k, sorted by WordNet id");
        }
        None => {}
    }
    Ok(())
}

/// Returns the preprocessing as keys and values of the metadata.
fn preparation(preprocess: &Preprocess) -> Vec<(&'static str, String)> {
    let Preprocess {
        id,
        profile,
        frame,
        interpolation,
        resampler,
        mean,
        std,
    } = preprocess;
    let library = match profile {
        Profile::Paddle => "PaddleClas",
        Profile::Timm => "timm",
        Profile::Msra => "mmpose",
        Profile::Udp => "mmpose with UDP",
    };
    let interpolation = match interpolation {
        Interpolation::Bilinear => "bilinear",
        Interpolation::Bicubic => "bicubic",
    };
    let framing = match frame {
        Frame::Centre { resize_short, crop } => vec![
            ("preprocess_resize_short", resize_short.to_string()),
            ("preprocess_crop", crop.to_string()),
            ("preprocess_crop_mode", "center".into()),
            ("preprocess_crop_pct", crop_pct(*crop, *resize_short)),
        ],
        Frame::Person { person } => vec![
            ("preprocess_crop", format!("{}x{}", person.h, person.w)),
            ("preprocess_crop_mode", "person".into()),
        ],
    };
    let mut notes = vec![
        ("preprocess", id.clone()),
        ("preprocess_like", format!("{library}, {resampler}")),
        (
            "preprocess_channels",
            "RGB, NCHW, values 0 to 1 before mean and std".into(),
        ),
    ];
    notes.extend(framing);
    notes.extend([
        ("preprocess_interpolation", interpolation.into()),
        ("preprocess_mean", format!("{mean:?}")),
        ("preprocess_std", format!("{std:?}")),
    ]);
    notes
}

/// Returns timm's crop_pct: the crop as a share of the short side.
fn crop_pct(crop: usize, resize_short: usize) -> String {
    let share = crop as f64 / resize_short as f64;
    format!("{:.3}", (share * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_are_noted_as_timm_writes_them() {
        assert_eq!(crop_pct(224, 256), "0.875");
        assert_eq!(crop_pct(224, 235), "0.953");
        assert_eq!(crop_pct(288, 288), "1.000");
    }
}
