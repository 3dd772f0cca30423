use clap::Args;
use hrnet::Shape;
use registry::{Metric, Variant, Zoo};
use serde::Serialize;

use crate::Failure;
use crate::context::Context;
use crate::output::table;

/// List the variants: size, work and published accuracy
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print JSON
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
    top1: Option<&'a str>,
    licence: &'a str,
    tags: &'a [String],
    weights: Vec<Weights<'a>>,
}

#[derive(Serialize)]
struct Weights<'a> {
    #[serde(flatten)]
    artifact: &'a registry::Artifact,
    cached: bool,
}

impl List {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let zoo = cx.zoo()?;
        let rows = zoo
            .variants
            .iter()
            .map(|variant| row(cx, zoo, variant))
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
                        if weights.cached { " (cached)" } else { "" }
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
                row.top1.unwrap_or("").to_owned(),
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

fn row<'a>(cx: &Context, zoo: &'a Zoo, variant: &'a Variant) -> Result<Row<'a>, Failure> {
    let profile = variant
        .spec
        .graph(Shape::square(1, variant.preprocess.crop))?
        .profile();
    let weights = variant.artifacts.iter().map(|artifact| {
        let cached = cx.cached(artifact)?.is_some();
        Ok(Weights { artifact, cached })
    });
    Ok(Row {
        name: &variant.name,
        widths: &variant.spec.widths,
        squeeze_excitation: variant.spec.se_reduction.is_some(),
        parameters: profile.trainable().0,
        macs: profile.macs().0,
        top1: top1(zoo, variant),
        licence: &variant.licence,
        tags: &variant.tags,
        weights: weights.collect::<Result<_, Failure>>()?,
    })
}

/// The published accuracy of the variant's default weights.
fn top1<'a>(zoo: &'a Zoo, variant: &'a Variant) -> Option<&'a str> {
    let default = &variant.artifacts[0].id;
    let claim = variant.claims.iter().find(|claim| {
        let own = claim
            .weights
            .as_ref()
            .is_some_and(|w| w.variant == variant.name && w.artifact == *default);
        own && zoo
            .column(&claim.column)
            .is_some_and(|column| column.metric == Metric::Top1)
    });
    claim.map(|claim| claim.printed.as_str())
}
