use clap::Args;
use hrnet::Size;
use registry::{ClaimedAccuracy, Lock, Pose, TaskKind, Variant, Voucher, Zoo};
use serde::Serialize;

use crate::Failure;
use crate::context::Context;
use crate::output::table;

/// List the variants: size, operations and published accuracy
///
/// The accuracy is the publisher's claim for the default weights, the first ones in the last column. Variants that find the
/// keypoints of a person follow in a table of their own.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print JSON, with accuracies as shares from 0 to 1
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    widths: &'a [usize],
    squeeze_excitation: bool,
    parameters: u64,
    macs: u64,
    /// The accuracy claimed for the default weights, 0 to 1.
    top1: Option<f64>,
    /// Column of the manifest with this claim.
    top1_column: Option<&'a str>,
    /// AP of keypoints claimed for the default weights, 0 to 1, if the variant finds keypoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    ap: Option<f64>,
    /// Column of the manifest with this claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    ap_column: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pose: Option<Person>,
    #[serde(skip)]
    claimed: Option<ClaimedAccuracy<'a>>,
    licence: &'a str,
    tags: &'a [String],
    weights: Vec<Weights<'a>>,
}

/// What the networks of keypoints have beside the others.
#[derive(Serialize)]
struct Person {
    task: TaskKind,
    /// Size of a person's crop.
    input: Size,
    #[serde(flatten)]
    pose: Pose,
}

#[derive(Serialize)]
struct Weights<'a> {
    #[serde(flatten)]
    artifact: &'a registry::Artifact,
    cached: bool,
    /// Who vouches for its digest.
    vouched_by: Voucher,
}

impl List {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let (zoo, lock) = (cx.zoo()?, cx.lock()?);
        let rows = zoo
            .variants
            .iter()
            .map(|variant| row(cx, zoo, &lock, variant))
            .collect::<Result<Vec<_>, _>>()?;
        if self.json {
            return cx.out.json(&rows);
        }
        let (people, photos): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.pose.is_some());
        let mut text = classifiers(&photos);
        if !people.is_empty() {
            text.push('\n');
            text.push_str(&poses(&people));
        }
        cx.out.data(&text)
    }
}

impl Row<'_> {
    fn shown_widths(&self) -> String {
        let widths: Vec<String> = self.widths.iter().map(usize::to_string).collect();
        widths.join("-")
    }

    fn shown_weights(&self) -> String {
        let here = |weights: &Weights| match (weights.cached, &weights.artifact.local) {
            (true, None) => " (cached)",
            (true, Some(_)) => " (here)",
            (false, _) => "",
        };
        let weights = self.weights.iter();
        let weights: Vec<String> = weights
            .map(|weights| format!("{}{}", weights.artifact.id, here(weights)))
            .collect();
        weights.join(", ")
    }
}

/// Returns the table of classifiers.
fn classifiers(rows: &[&Row]) -> String {
    let lines = rows.iter().map(|row| {
        vec![
            row.name.to_owned(),
            row.shown_widths(),
            if row.squeeze_excitation { "yes" } else { "" }.to_owned(),
            format!("{:.2}", row.parameters as f64 / 1e6),
            format!("{:.2}", row.macs as f64 / 1e9),
            row.claimed.map_or(String::new(), |top1| top1.to_string()),
            row.shown_weights(),
        ]
    });
    let titles = [
        "variant",
        "widths",
        "SE",
        ">params M",
        ">MACs G",
        ">top-1 (claimed)",
        "weights",
    ];
    table(&titles, lines)
}

/// Returns the table of networks that find keypoints.
fn poses(rows: &[&Row]) -> String {
    let lines = rows.iter().filter_map(|row| {
        let person = row.pose.as_ref()?;
        Some(vec![
            row.name.to_owned(),
            row.shown_widths(),
            person.input.to_string(),
            person.pose.keypoints.count().to_string(),
            person.pose.decoder.name().to_owned(),
            format!("{:.2}", row.parameters as f64 / 1e6),
            format!("{:.2}", row.macs as f64 / 1e9),
            row.claimed.map_or(String::new(), |ap| ap.in_points()),
            row.shown_weights(),
        ])
    });
    let titles = [
        "variant",
        "widths",
        "input",
        ">keypoints",
        "decoder",
        ">params M",
        ">MACs G",
        ">AP (claimed)",
        "weights",
    ];
    table(&titles, lines)
}

fn row<'a>(cx: &Context, zoo: &'a Zoo, lock: &Lock, variant: &'a Variant) -> Result<Row<'a>, Failure> {
    let profile = variant.graph().profile();
    let weights = variant.artifacts.iter().map(|artifact| {
        let cached = cx.cached(artifact)?.is_some();
        Ok(Weights {
            artifact,
            cached,
            vouched_by: Voucher::of(artifact, lock),
        })
    });
    let (top1, ap) = (zoo.claimed_top1(variant), zoo.claimed_ap(variant));
    Ok(Row {
        name: &variant.name,
        widths: &variant.spec.widths,
        squeeze_excitation: variant.spec.se_reduction.is_some(),
        parameters: profile.trainable().0,
        macs: profile.macs().0,
        ap: ap.map(|ap| ap.share),
        ap_column: ap.map(|ap| ap.column.id.as_str()),
        pose: variant.pose().map(|pose| Person {
            task: variant.task.kind(),
            input: variant.preprocess.size(),
            pose,
        }),
        top1: top1.map(|top1| top1.share),
        top1_column: top1.map(|top1| top1.column.id.as_str()),
        claimed: top1.or(ap),
        licence: &variant.licence,
        tags: &variant.tags,
        weights: weights.collect::<Result<_, Failure>>()?,
    })
}
