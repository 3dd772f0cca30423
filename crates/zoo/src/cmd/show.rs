use std::path::{Path, PathBuf};

use clap::Args;
use hrnet::{CountingRule, Graph, Precision, SeededWeights, Shape, Size};
use registry::{
    Artifact, Claim, Column, Frame, Known, LocalFile, Lock, Metric, Pin, Preprocess, Task, Variant, Voucher,
    Zoo,
};
use runtime::Options;
use serde::Serialize;

use crate::context::Context;
use crate::counts::size;
use crate::model::Choice;
use crate::output::table;
use crate::photos::Preparation;
use crate::{Exit, Failure};

/// Show one variant: network, counts, weights and published figures
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Variant, e.g. HRNet_W18_C or W18
    name: String,
    /// List every layer with its shape, parameters and multiply-accumulates
    #[arg(long)]
    layers: bool,
    /// Print the engine's plan instead: fused steps, kernels and memory at batch 1
    #[arg(long, conflicts_with_all = ["layers", "json"])]
    plan: bool,
    /// Number format of the plan
    #[arg(long, default_value = "f32", requires = "plan")]
    precision: Precision,
    /// Size of the input, as 224, or height and width as 256x192 [default: the published one]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    size: Option<Size>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    #[serde(flatten, skip_serializing_if = "is_of_classes")]
    task: Task,
    base: Option<&'a str>,
    licence: &'a str,
    widths: &'a [usize],
    se_reduction: Option<usize>,
    /// The profile by which photos are prepared for the weights that the name stands for.
    preprocess: &'a Preprocess,
    /// The reason for that profile.
    chosen_by: &'a str,
    /// The file of class names, if the variant has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<PathBuf>,
    weights: Vec<Weights<'a>>,
    claims: &'a [Claim],
    input: String,
    counts: Vec<(CountingRule, u64)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<Layer>,
}

#[derive(Serialize)]
struct Weights<'a> {
    #[serde(flatten)]
    artifact: &'a Artifact,
    /// Who vouches for its digest.
    vouched_by: Voucher,
    #[serde(skip)]
    pin: Option<Pin>,
}

impl<'a> Weights<'a> {
    fn new(artifact: &'a Artifact, lock: &Lock) -> Self {
        Self {
            artifact,
            vouched_by: Voucher::of(artifact, lock),
            pin: lock.pin(&artifact.url),
        }
    }

    /// Returns the file's digest as far as it is known, and who states it.
    fn known(&self) -> String {
        let bytes = |bytes: Option<u64>| bytes.map_or(String::new(), |bytes| format!(", {bytes} bytes"));
        match (&self.artifact.known, self.pin, self.vouched_by) {
            (Known::Full(digest), ..) => format!("sha256 {digest}"),
            (Known::Prefix(prefix), None, _) => format!("sha256 {prefix}…{}", bytes(self.artifact.bytes)),
            (_, Some(pin), Voucher::Publisher) => format!("sha256 {} stated by the publisher", pin.sha256),
            (Known::Prefix(_), Some(pin), _) => format!("sha256 {}", pin.sha256),
            (Known::Nothing, Some(pin), _) => format!("sha256 {} of the first download", pin.sha256),
            (Known::Nothing, None, _) if self.artifact.hub.is_some() => {
                "sha256 stated by the publisher at the download".into()
            }
            (Known::Nothing, None, _) => "no published digest".into(),
        }
    }
}

#[derive(Serialize)]
struct Layer {
    name: String,
    op: &'static str,
    shape: String,
    parameters: u64,
    macs: u64,
}

impl Show {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let (zoo, named) = (cx.zoo()?, cx.named(&self.name)?);
        let variant = named.variant;
        let whose = Choice::of(named).whose(cx, named)?;
        let preparation = Preparation::by_weights(variant, &whose);
        let preprocess = preparation.profile;
        let size = self.size.unwrap_or(preprocess.size());
        let graph = variant.spec.graph(Shape::images(1, size))?;
        if self.plan {
            return cx.out.data(&plan(&graph, self.precision)?);
        }
        let (profile, lock) = (graph.profile(), cx.lock()?);
        let weights = variant.artifacts.iter();
        let shown = Shown {
            name: &variant.name,
            task: variant.task,
            base: variant.base.as_deref(),
            licence: whose.licence().unwrap_or(&variant.licence),
            widths: &variant.spec.widths,
            se_reduction: variant.spec.se_reduction,
            preprocess,
            chosen_by: preparation.reason(),
            labels: variant.labels.as_ref().map(LocalFile::path),
            weights: weights.map(|artifact| Weights::new(artifact, &lock)).collect(),
            claims: &variant.claims,
            input: graph.input_shape().to_string(),
            counts: CountingRule::ALL
                .map(|rule| (rule, rule.count(&profile)))
                .to_vec(),
            layers: if self.layers { layers(&graph) } else { Vec::new() },
        };
        if self.json {
            cx.out.json(&shown)
        } else {
            cx.out.data(&human(cx, zoo, variant, &shown))
        }
    }
}

/// Returns the plan of the default backend for the network; it does not depend on the weights.
fn plan(graph: &Graph, precision: Precision) -> Result<String, Failure> {
    let backend = runtime::default_backend(precision)?;
    let session = backend.prepare(graph, &SeededWeights::new(0), Options::new(precision))?;
    session
        .plan()
        .ok_or_else(|| Failure::new(Exit::Other, format!("backend {} makes no plan", backend.name())))
}

fn layers(graph: &Graph) -> Vec<Layer> {
    graph
        .node_profiles()
        .map(|(_, node, profile)| Layer {
            name: node.name(),
            op: node.op.name(),
            shape: node.shape.to_string(),
            parameters: (profile.trainable + profile.state).0,
            macs: profile.macs.0,
        })
        .collect()
}

/// The SPDX expression for a licence that nobody stated.
const NOT_STATED: &str = "NOASSERTION";

/// Returns a licence in words.
fn licence(spdx: &str) -> String {
    match spdx {
        NOT_STATED => format!("not stated ({NOT_STATED}): `licence` in the manifest states it"),
        spdx => spdx.to_owned(),
    }
}

fn human(cx: &Context, zoo: &Zoo, variant: &Variant, shown: &Shown) -> String {
    let mut text = variant.name.clone();
    if let Some(base) = &variant.base {
        text.push_str(&format!(", the network of {base}"));
    }
    let se = shown
        .se_reduction
        .map_or(String::new(), |r| format!(", squeeze-and-excitation 1/{r}"));
    let widths = shown
        .widths
        .iter()
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let Preprocess {
        id,
        profile,
        frame,
        interpolation,
        resampler,
        ..
    } = shown.preprocess;
    let frame = match frame {
        Frame::Centre { resize_short, crop } => format!("short side {resize_short}, centre crop {crop}"),
        Frame::Person { person } => {
            let profile = profile.name();
            format!("a person's box to {}x{}, as {profile}", person.h, person.w)
        }
    };
    text.push_str(&format!(
        "\nwidths      {widths}{se}\nlicence     {}\npreprocess  {id}: {frame}, {interpolation} of {resampler} ({})\n",
        licence(shown.licence),
        shown.chosen_by
    ));
    text.push_str(&answers(zoo, variant, shown.labels.as_deref()));
    text.push_str(&format!("\nCounted from the network, {}\n", shown.input));
    let counts = shown
        .counts
        .iter()
        .map(|(rule, count)| vec![rule.to_string(), grouped(*count)]);
    text.push_str(&table(&["rule", ">count"], counts));
    text.push_str("\nWeights\n");
    let weights = shown.weights.iter().map(|weights| {
        let artifact = weights.artifact;
        let state = match (cx.cached(artifact), &artifact.local) {
            (Ok(Some(_)), None) => "cached",
            (Ok(Some(_)), Some(_)) => "here",
            (_, None) => "not fetched",
            (_, Some(_)) => "not there",
        };
        let profile = artifact.preprocess.id.clone();
        vec![
            artifact.id.clone(),
            state.into(),
            profile,
            weights.known(),
            artifact.url.clone(),
        ]
    });
    text.push_str(&match variant.artifacts.is_empty() {
        true => "none: other commands need `--weights FILE`\n".to_owned(),
        false => table(&["source", "state", "photos as", "known", "url"], weights),
    });
    text.push_str("\nPublished\n");
    let claims = variant.claims.iter().map(|claim| {
        let column = zoo.column(&claim.column).expect("claims are checked");
        let figure = format!("{} {}", claim.printed, column.unit);
        vec![
            column.id.clone(),
            figure.trim_end().to_owned(),
            about(column, claim),
        ]
    });
    text.push_str(&match variant.claims.is_empty() {
        true => "nothing: the manifest has no figures of this variant\n".to_owned(),
        false => table(&["column", ">figure", "what"], claims),
    });
    if !shown.layers.is_empty() {
        text.push_str("\nLayers\n");
        let rows = shown.layers.iter().map(|layer| {
            let count = |n: u64| if n == 0 { String::new() } else { grouped(n) };
            vec![
                layer.name.clone(),
                layer.op.into(),
                layer.shape.clone(),
                count(layer.parameters),
                count(layer.macs),
            ]
        });
        text.push_str(&table(&["name", "op", ">output", ">parameters", ">MACs"], rows));
    }
    text
}

/// Returns whether a variant answers with classes, which is so usual that it is not said.
fn is_of_classes(task: &Task) -> bool {
    *task == Task::Classes
}

/// Returns the lines on classes or keypoints and on their published accuracy.
fn answers(zoo: &Zoo, variant: &Variant, labels: Option<&Path>) -> String {
    let classes = variant.spec.classes();
    let mut text = match (variant.task, labels) {
        (Task::Pose(pose), _) => {
            format!(
                "pose        {}, decoded as {}\n",
                pose.keypoints,
                pose.decoder.name()
            )
        }
        (Task::Classes, Some(labels)) => format!("classes     {classes}, named by {}\n", labels.display()),
        (Task::Classes, None) if classes != hrnet_zoo::imagenet().len() => format!("classes     {classes}\n"),
        (Task::Classes, None) => String::new(),
    };
    if let Some(top1) = zoo.claimed_top1(variant) {
        text.push_str(&format!("top-1       {top1} claimed ({})\n", top1.column.id));
    }
    if let Some(ap) = zoo.claimed_ap(variant) {
        text.push_str(&format!(
            "AP          {} claimed ({})\n",
            ap.in_points(),
            ap.column.id
        ));
    }
    text
}

fn about(column: &Column, claim: &Claim) -> String {
    let on = column
        .data
        .as_ref()
        .map_or(String::new(), |data| format!(" on {data}"));
    let by = column
        .protocol
        .as_ref()
        .map_or(String::new(), |protocol| format!(", {protocol}"));
    let of = claim.weights.as_ref().map_or(String::new(), |w| {
        format!(" of {}'s {} weights{on}{by}", w.variant, w.artifact)
    });
    match &column.metric {
        Metric::Top1 => format!("top-1{of}"),
        Metric::Top5 => format!("top-5{of}"),
        Metric::Top1Error => format!("top-1 error{of}"),
        Metric::Top5Error => format!("top-5 error{of}"),
        Metric::Ap => format!("AP{of}"),
        Metric::Ap50 => format!("AP50{of}"),
        Metric::Ap75 => format!("AP75{of}"),
        Metric::Ar => format!("AR{of}"),
        Metric::Pckh => format!("PCKh{of}"),
        Metric::Flops { rule } => format!("operations by {rule}"),
        Metric::Params { rule } => format!("parameters by {rule}"),
        Metric::Latency {
            device,
            precision,
            batch,
        } => format!("latency on {device}, {precision}, batch {batch}"),
    }
}

/// Formats a count with its digits in groups of three.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|g| std::str::from_utf8(g).unwrap_or(""))
        .collect();
    groups.join(" ")
}
