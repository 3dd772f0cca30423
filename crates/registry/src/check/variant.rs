use std::collections::BTreeMap;

use hrnet::{Graph, HeadSpec, HrnetSpec, Param, Shape, StageOneSpec};
use toml::Spanned;

use super::Check;
use crate::types::{Preprocess, Variant, Zoo};
use crate::{ManifestError, wire};

impl Check<'_> {
    /// The next variant after those that `zoo` has already.
    pub(super) fn variant(&self, wire: &wire::Variant, zoo: &Zoo) -> Result<Variant, ManifestError> {
        let name = self.new_name(&wire.name, zoo)?;
        let base = self.base(wire, zoo)?;
        let preprocess = self.preprocess_of(wire, base, &zoo.preprocess)?;
        let (spec, graph) = self.network(wire, base, &preprocess)?;
        let artifacts = self.artifacts(&name, wire, &preprocess, &zoo.preprocess, most_bytes(&graph))?;
        let mut variant = Variant {
            base: base.map(|base| base.name.clone()),
            tags: wire.tags.clone(),
            spec,
            licence: wire.licence.clone(),
            preprocess,
            artifacts,
            claims: Vec::new(),
            name,
        };
        self.crops(wire, &variant)?;
        variant.claims = self.claims(wire, &variant, base, zoo)?;
        Ok(variant)
    }

    /// Refuses a weight source whose crop the network does not take.
    fn crops(&self, wire: &wire::Variant, variant: &Variant) -> Result<(), ManifestError> {
        let others = variant.profiles().into_iter().skip(1);
        for Preprocess { id, crop, .. } in others.filter(|profile| profile.crop != variant.preprocess.crop) {
            if let Err(error) = variant.spec.graph(Shape::square(1, *crop)) {
                let name = &variant.name;
                return self.fail(
                    wire.name.span(),
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
        match variants.find(|variant| variant.name.eq_ignore_ascii_case(&name)) {
            None => Ok(name),
            Some(other) => self.fail(
                written.span(),
                format!(
                    "variant `{name}` is declared twice: `{}` stands above",
                    other.name
                ),
            ),
        }
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
        wire: &wire::Variant,
        base: Option<&Variant>,
        declared: &BTreeMap<String, Preprocess>,
    ) -> Result<Preprocess, ManifestError> {
        match (&wire.preprocess, base) {
            (Some(id), _) => self.profile(id, declared),
            (None, Some(base)) => Ok(base.preprocess.clone()),
            (None, None) => self.fail(
                wire.name.span(),
                format!("`{}` needs `preprocess` or a `base`", wire.name.get_ref()),
            ),
        }
    }

    /// The network, which must take images of the crop's size.
    fn network(
        &self,
        wire: &wire::Variant,
        base: Option<&Variant>,
        preprocess: &Preprocess,
    ) -> Result<(HrnetSpec, Graph), ManifestError> {
        let spec = match (&wire.network, base) {
            (Some(network), None) => declared(network.get_ref()),
            (None, Some(base)) => base.spec.clone(),
            _ => {
                return self.fail(
                    wire.name.span(),
                    format!("`{}` needs either `network` or `base`", wire.name.get_ref()),
                );
            }
        };
        let span = wire.network.as_ref().map_or(wire.name.span(), Spanned::span);
        match spec.graph(Shape::square(1, preprocess.crop)) {
            Ok(graph) => Ok((spec, graph)),
            Err(error) => self.fail(span, error.to_string()),
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
        head: match &network.head {
            Some(head) => HeadSpec {
                mids: head.mids.clone(),
                features: head.features,
                classes: head.classes,
            },
            None => usual.head,
        },
    }
}
