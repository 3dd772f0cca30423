//! The published figures of what is evaluated.

use harness::eval::{Header, Printed};
use hrnet::Precision;
use registry::{Artifact, Claim, Column, Digest, Known, Variant, Zoo};

/// The subject of an evaluation apart from its images: claims about another subject are not compared.
pub(crate) struct Subject<'a> {
    pub(crate) variant: &'a Variant,
    /// The weight source; `None` for a given file or seed.
    pub(crate) source: Option<&'a str>,
    /// Id of the preprocessing profile.
    pub(crate) preprocess: &'a str,
    pub(crate) precision: Precision,
}

/// A published accuracy of the weights.
pub(crate) struct Published<'a> {
    pub(crate) claim: &'a Claim,
    pub(crate) column: &'a Column,
    /// The values that it may stand for.
    pub(crate) printed: Printed,
    /// Reasons why it is not about this evaluation: other weights, preprocessing or precision.
    pub(crate) reasons: Vec<String>,
}

impl<'a> Subject<'a> {
    /// Returns the subject of an evaluation of this variant. A file with the digest that a source states counts as that source.
    pub(crate) fn of(variant: &'a Variant, header: &'a Header) -> Self {
        let weights = &header.key.weights;
        let is_it = |artifact: &&Artifact| match &artifact.known {
            Known::Full(digest) => digest.to_string() == *weights,
            Known::Prefix(prefix) => weights
                .parse()
                .is_ok_and(|digest: Digest| digest.starts_with(prefix)),
            Known::Nothing => false,
        };
        let known = || variant.artifacts.iter().find(is_it);
        Self {
            variant,
            source: header
                .source
                .as_deref()
                .or_else(|| known().map(|artifact| artifact.id.as_str())),
            preprocess: &header.preprocess,
            precision: header.key.precision,
        }
    }

    /// Returns the accuracies published for the source's weights; for weights of no source, those of the first source.
    pub(crate) fn published(&self, zoo: &'a Zoo) -> Vec<Published<'a>> {
        let source = match self.source {
            Some(id) => self.variant.artifact(id),
            None => self.variant.artifacts.first(),
        };
        let Some(source) = source else {
            return Vec::new();
        };
        let is_theirs = |claim: &&Claim| {
            let weights = claim.weights.as_ref();
            weights
                .is_some_and(|weights| weights.variant == self.variant.name && weights.artifact == source.id)
        };
        let claims = self.variant.claims.iter().filter(is_theirs);
        claims
            .filter_map(|claim| {
                let column = zoo.column(&claim.column)?;
                let is_accuracy = column.metric.is_accuracy();
                let preprocess = column.preprocess.as_ref().unwrap_or(&source.preprocess.id);
                is_accuracy.then(|| Published {
                    claim,
                    column,
                    printed: Printed::new(claim.value, claim.decimals(), column.unit.scale()),
                    reasons: self.reasons(preprocess),
                })
            })
            .collect()
    }

    /// Returns the reasons why a claim for this preprocessing is not about this subject.
    fn reasons(&self, preprocess: &str) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.source.is_none() {
            reasons.push("other weights".into());
        }
        if self.preprocess != preprocess {
            reasons.push(format!(
                "photos prepared as {}, not as {preprocess}",
                self.preprocess
            ));
        }
        if self.precision != Precision::F32 {
            reasons.push(format!("in {}, not in f32", self.precision));
        }
        reasons
    }
}
