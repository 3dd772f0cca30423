//! The manifest as checked types.

mod artifact;
mod column;
mod preprocess;
mod task;

use std::collections::BTreeMap;

use hrnet::{Graph, HrnetSpec, Shape};
use serde::Serialize;

pub use artifact::{Artifact, Format, Known, Naming};
pub use column::{Claim, Column, Metric, Unit, WeightsRef};
pub use preprocess::{Frame, Interpolation, Preprocess, Profile, Resampler};
pub use task::{Decoder, Keypoints, Pose, Task, TaskKind};

use crate::LocalFile;

/// The checked manifest.
#[derive(Clone, Debug)]
pub struct Zoo {
    /// The manifest that it adds to.
    pub extends: Extends,
    /// Who the figures come from, by id.
    pub sources: BTreeMap<String, Source>,
    /// The ways to prepare images, by id.
    pub preprocess: BTreeMap<String, Preprocess>,
    /// The columns of the published tables, in the manifest's order.
    pub columns: Vec<Column>,
    /// The variants, in the manifest's order.
    pub variants: Vec<Variant>,
}

impl Zoo {
    /// The column of this id.
    pub fn column(&self, id: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }

    /// Returns whether a publication has a figure of this variant.
    pub fn lists(&self, source: &str, variant: &Variant) -> bool {
        let theirs = |claim: &Claim| {
            self.column(&claim.column)
                .is_some_and(|column| column.source == source)
        };
        variant.claims.iter().any(theirs)
    }

    /// The variants that answer with classes, in the manifest's order.
    pub fn classifiers(&self) -> impl Iterator<Item = &Variant> + Clone {
        self.variants.iter().filter(|variant| variant.is_classifier())
    }

    /// The first variant with the same network: variants that share one are measured once, under this name. A pose network for
    /// another size of crops is another one.
    pub fn network_of(&self, variant: &Variant) -> &Variant {
        let same = |other: &&Variant| {
            other.spec == variant.spec && (variant.is_classifier() || other.input() == variant.input())
        };
        let first = self.variants.iter().find(same);
        first.expect("a variant of the manifest has its own network")
    }
}

/// The manifest that a manifest adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extends {
    /// It does not say: it stands alone.
    Unsaid,
    /// It says that it stands alone.
    Nothing,
    /// The manifest that is built into the program.
    Builtin,
}

/// A publication that figures come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Its title.
    pub title: String,
    /// The number of models that its text says it lists, if it says so.
    pub models_in_text: Option<usize>,
}

/// A trained network of the zoo.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its name, fit for a file name.
    pub name: String,
    /// The variant whose network and preprocessing it takes over.
    pub base: Option<String>,
    /// Words to select it by.
    pub tags: Vec<String>,
    /// The answers.
    pub task: Task,
    /// The network.
    pub spec: HrnetSpec,
    /// The licence of the weights, as an SPDX expression.
    pub licence: String,
    /// The preprocessing of images for weights that name none: that of the first published accuracy.
    pub preprocess: Preprocess,
    /// The file of the names of its classes, one per line, if the manifest names one.
    pub labels: Option<LocalFile>,
    /// The sources of weights; the first is the default. A network may have none.
    pub artifacts: Vec<Artifact>,
    /// The published figures, in the manifest's order.
    pub claims: Vec<Claim>,
}

impl Variant {
    /// Whether it answers with classes.
    pub fn is_classifier(&self) -> bool {
        self.task == Task::Classes
    }

    /// What its heatmaps need to become keypoints; `None` for a classifier.
    pub fn pose(&self) -> Option<Pose> {
        match self.task {
            Task::Classes => None,
            Task::Pose(pose) => Some(pose),
        }
    }

    /// The shape of one image, prepared as for the weights that name no other way.
    pub fn input(&self) -> Shape {
        Shape::images(1, self.preprocess.size())
    }

    /// The network for one such image.
    pub fn graph(&self) -> Graph {
        let graph = self.spec.graph(self.input());
        graph.expect("the manifest's networks are checked")
    }

    /// The figure of this column.
    pub fn claim(&self, column: &str) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.column == column)
    }

    /// The weight source of this id.
    pub fn artifact(&self, id: &str) -> Option<&Artifact> {
        self.artifacts.iter().find(|artifact| artifact.id == id)
    }

    /// The profiles of the variant and of its weight sources, each once.
    pub fn profiles(&self) -> Vec<&Preprocess> {
        let mut profiles = vec![&self.preprocess];
        for artifact in &self.artifacts {
            if !profiles
                .iter()
                .any(|profile| profile.id == artifact.preprocess.id)
            {
                profiles.push(&artifact.preprocess);
            }
        }
        profiles
    }
}
