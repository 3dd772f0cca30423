use std::collections::BTreeMap;

use hrnet::{Classifier, Graph, Head, Heatmaps, HrnetSpec, Param, Shape, StageOneSpec};
use toml::Spanned;

use super::Check;
use super::complete::Complete;
use crate::find::folded;
use crate::types::{Preprocess, Task, Variant, Zoo};
use crate::{LocalFile, ManifestError, Named, wire};

impl Check<'_> {
    /// The next variant after those that `zoo` has already.
    pub(super) fn variant(
        &self,
        written: &Spanned<wire::Variant>,
        zoo: &Zoo,
    ) -> Result<Variant, ManifestError> {
        let complete = self.complete(written)?;
        let wire = complete.wire;
        let name = self.new_name(complete.name, zoo)?;
        let base = self.base(wire, zoo)?;
        let task = self.task(&complete, base)?;
        let preprocess = self.preprocess_of(&complete, base, &zoo.preprocess)?;
        self.fits_task(complete.name, task, &preprocess)?;
        let (spec, graph) = self.network(&complete, base, task, &preprocess)?;
        let artifacts = self.artifacts(&complete, &preprocess, &zoo.preprocess, most_bytes(&graph))?;
        self.check_aliases(&name, wire, zoo)?;
        let mut variant = Variant {
            base: base.map(|base| base.name.clone()),
            tags: wire.tags.clone(),
            task,
            spec,
            licence: complete.licence.to_owned(),
            preprocess,
            labels: self.labels(wire, base)?,
            artifacts,
            claims: Vec::new(),
            name,
        };
        self.crops(complete.name, &variant)?;
        variant.claims = self.claims(wire, &variant, base, zoo)?;
        Ok(variant)
    }

    /// The file of class names: its own, else that of its base.
    fn labels(
        &self,
        wire: &wire::Variant,
        base: Option<&Variant>,
    ) -> Result<Option<LocalFile>, ManifestError> {
        match &wire.labels {
            Some(path) => Ok(Some(self.local(path)?.file)),
            None => Ok(base.and_then(|base| base.labels.clone())),
        }
    }

    /// Refuses a weight source whose crop the network does not take.
    fn crops(&self, written: &Spanned<String>, variant: &Variant) -> Result<(), ManifestError> {
        for profile in variant.profiles().into_iter().skip(1) {
            self.fits_task(written, variant.task, profile)?;
            if let Err(error) = variant.spec.graph(Shape::images(1, profile.size())) {
                let (name, id) = (&variant.name, &profile.id);
                return self.fail(
                    written.span(),
                    format!("`{name}` on images prepared as {id}: {error}"),
                );
            }
        }
        Ok(())
    }

    /// A name that no other variant has, on file systems that ignore case as well.
    fn new_name(&self, written: &Spanned<String>, zoo: &Zoo) -> Result<String, ManifestError> {
        let name = self.name(written)?;
        let mut variants = zoo.variants.iter();
        let same = variants.position(|variant| variant.name.eq_ignore_ascii_case(&name));
        if let Some(index) = same {
            let other = &zoo.variants[index].name;
            let message = match index < self.builtin {
                true => format!(
                    "`{other}` is built in, and `extends` keeps it: choose another name than `{name}`"
                ),
                false => format!("variant `{name}` is declared twice: `{other}` stands above"),
            };
            return self.fail(written.span(), message);
        }
        let spelt = zoo.spelt(&folded(&name));
        if let Some(Named { variant, .. }) = spelt.iter().find(|named| named.artifact.is_some()) {
            let message = format!("`{name}` is an alias of weights of `{}`", variant.name);
            return self.fail(written.span(), message);
        }
        Ok(name)
    }

    /// Refuses aliases that would stand for several things.
    fn check_aliases(&self, variant: &str, wire: &wire::Variant, zoo: &Zoo) -> Result<(), ManifestError> {
        let mut own = vec![folded(variant)];
        for alias in wire.weights.iter().flat_map(|weights| &weights.get_ref().aliases) {
            let name = folded(&self.name(alias)?);
            if own.contains(&name) || !zoo.spelt(&name).is_empty() {
                let message = format!("the alias `{}` is the name of something else", alias.get_ref());
                return self.fail(alias.span(), message);
            }
            own.push(name);
        }
        Ok(())
    }

    /// The variant this one takes over from; it stands above, so no chain of bases can close.
    fn base<'z>(&self, wire: &wire::Variant, zoo: &'z Zoo) -> Result<Option<&'z Variant>, ManifestError> {
        let Some(id) = &wire.base else {
            return Ok(None);
        };
        let known = zoo.variants.iter().map(|variant| variant.name.clone());
        let found = zoo.variants.iter().find(|variant| variant.name == *id.get_ref());
        self.lookup("base (a variant declared above)", id, found, known)
            .map(Some)
    }

    fn preprocess_of(
        &self,
        written: &Complete<'_>,
        base: Option<&Variant>,
        declared: &BTreeMap<String, Preprocess>,
    ) -> Result<Preprocess, ManifestError> {
        match (&written.wire.preprocess, base) {
            (Some(id), _) => self.profile(id, declared),
            (None, Some(base)) => Ok(base.preprocess.clone()),
            (None, None) => self.fail(written.name.span(), "`preprocess` or a `base` is needed"),
        }
    }

    /// The network, which must take images of the crop's size.
    fn network(
        &self,
        written: &Complete<'_>,
        base: Option<&Variant>,
        task: Task,
        preprocess: &Preprocess,
    ) -> Result<(HrnetSpec, Graph), ManifestError> {
        let (network, name) = (&written.wire.network, written.name);
        let spec = match (network, base) {
            (Some(network), None) => declared(network.get_ref()),
            (None, Some(base)) => base.spec.clone(),
            _ => {
                let message = format!("`{}` needs either `network` or `base`", name.get_ref());
                return self.fail(name.span(), message);
            }
        };
        let span = network.as_ref().map_or(name.span(), Spanned::span);
        let head = network
            .as_ref()
            .and_then(|network| network.get_ref().head.as_ref());
        let spec = match with_head(spec, task, head) {
            Ok(spec) => spec,
            Err(fault) => return self.fail(span, fault),
        };
        match spec.graph(Shape::images(1, preprocess.size())) {
            Ok(graph) => Ok((spec, graph)),
            Err(error) => self.fail(span, error.to_string()),
        }
    }
}

/// The network with the head of its task; the fault is a field of another one's.
fn with_head(spec: HrnetSpec, task: Task, head: Option<&wire::Head>) -> Result<HrnetSpec, &'static str> {
    let is_of_classes =
        |head: &wire::Head| head.mids.is_some() || head.features.is_some() || head.classes.is_some();
    match task {
        Task::Classes if head.is_some_and(|head| head.kernel.is_some()) => {
            Err("`kernel` is of the head of `task = \"pose\"`")
        }
        Task::Classes => Ok(spec),
        Task::Pose(_) if head.is_some_and(is_of_classes) => {
            Err("`mids`, `features` and `classes` are of the head of a classifier")
        }
        Task::Pose(pose) => {
            let usual = match &spec.head {
                Head::Heatmaps(head) => head.kernel,
                Head::Classifier(_) | Head::Pyramid(_) => 1,
            };
            Ok(spec.with_head(Heatmaps {
                maps: pose.keypoints.count() * pose.decoder.maps(),
                kernel: head.and_then(|head| head.kernel).unwrap_or(usual),
            }))
        }
    }
}

/// The most bytes that a file of this network's weights may have where nobody states its size: 8 for each parameter, and
/// 64 MiB for all else.
fn most_bytes(graph: &Graph) -> u64 {
    let elements = |param: Param| {
        let sides = param.shape.iter().map(|side| *side as u64);
        sides.fold(1, u64::saturating_mul)
    };
    let parameters = graph.params().map(elements).fold(0, u64::saturating_add);
    parameters.saturating_mul(8).saturating_add(64 << 20)
}

/// The network as declared; what is left out is as in the published HRNet-C networks.
fn declared(network: &wire::Network) -> HrnetSpec {
    let usual = HrnetSpec::imagenet([1; 4]);
    HrnetSpec {
        stem: network.stem.unwrap_or(usual.stem),
        stage1: match &network.stage1 {
            Some(stage) => StageOneSpec {
                blocks: stage.blocks,
                mid: stage.mid,
            },
            None => usual.stage1,
        },
        widths: network.widths.clone(),
        modules: network.modules.clone().unwrap_or(usual.modules),
        blocks: network.blocks.unwrap_or(usual.blocks),
        se_reduction: network.se_reduction,
        head: Head::Classifier(classifier(network.head.as_ref())),
    }
}

/// The head of a classifier as declared.
fn classifier(head: Option<&wire::Head>) -> Classifier {
    let usual = Classifier::imagenet();
    match head {
        Some(head) => Classifier {
            mids: head.mids.clone().unwrap_or(usual.mids),
            features: head.features.unwrap_or(usual.features),
            classes: head.classes.unwrap_or(usual.classes),
        },
        None => usual,
    }
}
