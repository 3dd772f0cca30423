//! `zoo.toml` as it is written; nothing here is checked beyond types and key names.

use std::collections::BTreeMap;

use hrnet::{CountingRule, Precision};
use serde::Deserialize;
use toml::Spanned;

use crate::types::{Decoder, Format, Interpolation, Naming, Profile, Resampler, TaskKind, Unit};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Zoo {
    pub(crate) schema: Option<Spanned<u32>>,
    pub(crate) extends: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) source: BTreeMap<String, Source>,
    #[serde(default)]
    pub(crate) preprocess: BTreeMap<String, Spanned<Preprocess>>,
    #[serde(default)]
    pub(crate) column: BTreeMap<String, Spanned<Column>>,
    #[serde(default)]
    pub(crate) variant: Vec<Spanned<Variant>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub(crate) title: String,
    pub(crate) models_in_text: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preprocess {
    #[serde(default)]
    pub(crate) profile: Profile,
    pub(crate) resize_short: Option<usize>,
    pub(crate) crop_pct: Option<f64>,
    pub(crate) crop: Option<usize>,
    pub(crate) person: Option<Spanned<String>>,
    pub(crate) interpolation: Interpolation,
    pub(crate) resampler: Option<Resampler>,
    pub(crate) mean: [f32; 3],
    pub(crate) std: [f32; 3],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    pub(crate) source: Spanned<String>,
    pub(crate) metric: Spanned<Metric>,
    pub(crate) unit: Spanned<Unit>,
    pub(crate) rule: Option<CountingRule>,
    pub(crate) decimals: Option<usize>,
    pub(crate) weights: Option<String>,
    pub(crate) preprocess: Option<Spanned<String>>,
    pub(crate) data: Option<Spanned<String>>,
    pub(crate) protocol: Option<Spanned<String>>,
    pub(crate) device: Option<String>,
    pub(crate) precision: Option<Precision>,
    pub(crate) batch: Option<usize>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Metric {
    Top1,
    Top5,
    Top1Error,
    Top5Error,
    Ap,
    Ap50,
    Ap75,
    Ar,
    Pckh,
    Flops,
    Params,
    Latency,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) base: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    pub(crate) task: Option<Spanned<TaskKind>>,
    pub(crate) keypoints: Option<Spanned<Keypoints>>,
    pub(crate) decoder: Option<Spanned<Decoder>>,
    pub(crate) network: Option<Spanned<Network>>,
    pub(crate) preprocess: Option<Spanned<String>>,
    pub(crate) licence: Option<Spanned<String>>,
    pub(crate) license: Option<Spanned<String>>,
    pub(crate) labels: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) weights: Vec<Spanned<Weights>>,
    #[serde(default)]
    pub(crate) claims: BTreeMap<Spanned<String>, Spanned<String>>,
}

/// A published set of keypoints, or the number of one's own.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Keypoints {
    Count(usize),
    Name(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    pub(crate) widths: Vec<usize>,
    pub(crate) se_reduction: Option<usize>,
    pub(crate) stem: Option<usize>,
    pub(crate) stage1: Option<StageOne>,
    pub(crate) modules: Option<Vec<usize>>,
    pub(crate) blocks: Option<usize>,
    pub(crate) head: Option<Head>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageOne {
    pub(crate) blocks: usize,
    pub(crate) mid: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub(crate) mids: Option<Vec<usize>>,
    pub(crate) features: Option<usize>,
    pub(crate) classes: Option<usize>,
    pub(crate) kernel: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Weights {
    pub(crate) id: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) aliases: Vec<Spanned<String>>,
    pub(crate) url: Option<Spanned<String>>,
    pub(crate) hf: Option<Hub>,
    pub(crate) path: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) mirrors: Vec<Spanned<String>>,
    pub(crate) format: Option<Format>,
    pub(crate) naming: Option<Naming>,
    pub(crate) preprocess: Option<Spanned<String>>,
    pub(crate) licence: Option<Spanned<String>>,
    pub(crate) license: Option<Spanned<String>>,
    pub(crate) bytes: Option<u64>,
    pub(crate) sha256: Option<Spanned<String>>,
    pub(crate) sha256_prefix: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hub {
    pub(crate) repository: Spanned<String>,
    pub(crate) revision: Spanned<String>,
    pub(crate) file: Spanned<String>,
}
