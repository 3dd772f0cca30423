use clap::Args;
use hrnet::Shape;
use registry::{ClaimedAccuracy, Lock, Variant, Voucher, Zoo};
use serde::Serialize;

use crate::Failure;
use crate::context::Context;
use crate::output::table;

/// List the variants: size, operations and published accuracy
///
/// The accuracy is the publisher's claim for the default weights, the first ones in the last column.
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
    #[serde(skip)]
    claimed: Option<ClaimedAccuracy<'a>>,
    licence: &'a str,
    tags: &'a [String],
    weights: Vec<Weights<'a>>,
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
        let lines = rows.iter().map(|row| {
            let weights: Vec<String> = row
                .weights
                .iter()
                .map(|weights| {
                    format!(
                        "{}{}",
                        weights.artifact.id,
                        match (weights.cached, &weights.artifact.local) {
                            (true, None) => " (cached)",
                            (true, Some(_)) => " (here)",
                            (false, _) => "",
                        }
                    )
                })
                .collect();
            vec![
                row.name.to_owned(),
                row.widths
                    .iter()
                    .map(usize::to_string)
                    .collect::<Vec<_>>()
                    .join("-"),
                if row.squeeze_excitation { "yes" } else { "" }.to_owned(),
                format!("{:.2}", row.parameters as f64 / 1e6),
                format!("{:.2}", row.macs as f64 / 1e9),
                row.claimed.map_or(String::new(), |top1| top1.to_string()),
                weights.join(", "),
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
        cx.out.data(&table(&titles, lines))
    }
}

fn row<'a>(cx: &Context, zoo: &'a Zoo, lock: &Lock, variant: &'a Variant) -> Result<Row<'a>, Failure> {
    let profile = variant
        .spec
        .graph(Shape::square(1, variant.preprocess.crop))?
        .profile();
    let weights = variant.artifacts.iter().map(|artifact| {
        let cached = cx.cached(artifact)?.is_some();
        Ok(Weights {
            artifact,
            cached,
            vouched_by: Voucher::of(artifact, lock),
        })
    });
    let claimed = zoo.claimed_top1(variant);
    Ok(Row {
        name: &variant.name,
        widths: &variant.spec.widths,
        squeeze_excitation: variant.spec.se_reduction.is_some(),
        parameters: profile.trainable().0,
        macs: profile.macs().0,
        top1: claimed.map(|top1| top1.share),
        top1_column: claimed.map(|top1| top1.column.id.as_str()),
        claimed,
        licence: &variant.licence,
        tags: &variant.tags,
        weights: weights.collect::<Result<_, Failure>>()?,
    })
}
