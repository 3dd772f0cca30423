//! From the manifest as written to the manifest as checked; every fault is told with its place.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use hrnet::{HeadSpec, HrnetSpec, Shape, StageOneSpec};
use reqwest::Url;
use toml::Spanned;

use crate::types::{
    Artifact, Claim, Column, Known, Metric, Preprocess, Source, Unit, Variant, WeightsRef, Zoo,
};
use crate::{ManifestError, names, wire};

/// The version of `zoo.toml` that this program reads.
const SCHEMA: u32 = 1;

impl Zoo {
    /// Reads a manifest; `origin` is the file name that errors show.
    ///
    /// # Errors
    /// At the first fault, with its line and column.
    pub fn parse(text: &str, origin: &Path) -> Result<Self, ManifestError> {
        let wire: wire::Zoo =
            toml::from_str(text).map_err(|error| ManifestError::toml(origin, text, &error))?;
        let check = Check { text, origin };
        if *wire.schema.get_ref() != SCHEMA {
            let found = wire.schema.get_ref();
            return check.fail(
                wire.schema.span(),
                format!("schema {found}: this program reads schema {SCHEMA}"),
            );
        }
        let preprocess = wire
            .preprocess
            .iter()
            .map(|(id, written)| Ok((id.as_str(), check.preprocess(written)?)))
            .collect::<Result<BTreeMap<_, _>, ManifestError>>()?;
        let sources: BTreeMap<String, Source> = wire
            .source
            .into_iter()
            .map(|(id, source)| {
                (
                    id,
                    Source {
                        title: source.title,
                        models_in_text: source.models_in_text,
                    },
                )
            })
            .collect();
        let columns = check.columns(wire.column, &sources)?;
        let mut zoo = Self {
            sources,
            columns,
            variants: Vec::new(),
        };
        for written in &wire.variant {
            let variant = check.variant(written, &zoo, &preprocess)?;
            zoo.variants.push(variant);
        }
        if zoo.variants.is_empty() {
            return check.fail(0..0, "no [[variant]]: a manifest declares at least one");
        }
        Ok(zoo)
    }
}

struct Check<'a> {
    text: &'a str,
    origin: &'a Path,
}

impl Check<'_> {
    fn error(&self, span: Range<usize>, message: impl Into<String>) -> ManifestError {
        ManifestError::new(self.origin, self.text, span, message)
    }

    fn fail<T>(&self, span: Range<usize>, message: impl Into<String>) -> Result<T, ManifestError> {
        Err(self.error(span, message))
    }

    /// The value behind a written reference, or an error that names what there is.
    fn lookup<T>(
        &self,
        kind: &str,
        id: &Spanned<String>,
        found: Option<T>,
        known: impl Iterator<Item = String>,
    ) -> Result<T, ManifestError> {
        found.ok_or_else(|| {
            let known: Vec<String> = known.collect();
            let list = if known.is_empty() {
                "none is declared".into()
            } else {
                known.join(", ")
            };
            self.error(
                id.span(),
                format!("unknown {kind} `{}`: expected one of {list}", id.get_ref()),
            )
        })
    }

    fn preprocess(&self, written: &Spanned<wire::Preprocess>) -> Result<Preprocess, ManifestError> {
        let wire::Preprocess {
            resize_short,
            crop,
            interpolation,
            mean,
            std,
        } = *written.get_ref();
        if crop == 0 || crop > resize_short {
            return self.fail(
                written.span(),
                format!("crop {crop} with resize_short {resize_short}: expected 0 < crop <= resize_short"),
            );
        }
        if std.iter().any(|value| value.is_nan() || *value <= 0.0)
            || mean.iter().any(|value| !value.is_finite())
        {
            return self.fail(
                written.span(),
                "expected a finite mean and a positive std for each channel",
            );
        }
        Ok(Preprocess {
            resize_short,
            crop,
            interpolation,
            mean,
            std,
        })
    }

    /// The columns in the order in which they are written.
    fn columns(
        &self,
        written: BTreeMap<String, Spanned<wire::Column>>,
        sources: &BTreeMap<String, Source>,
    ) -> Result<Vec<Column>, ManifestError> {
        let mut written: Vec<_> = written.into_iter().collect();
        written.sort_by_key(|(_, column)| column.span().start);
        written
            .into_iter()
            .map(|(id, spanned)| {
                let span = spanned.span();
                let column = spanned.into_inner();
                let source = sources
                    .get(column.source.get_ref())
                    .map(|_| column.source.get_ref().clone());
                let source = self.lookup("source", &column.source, source, sources.keys().cloned())?;
                let metric = self.metric(&column, span)?;
                self.unit(&column, &metric)?;
                let unit = column.unit.into_inner();
                Ok(Column {
                    id,
                    source,
                    metric,
                    unit,
                    decimals: column.decimals,
                    weights: column.weights,
                })
            })
            .collect()
    }

    fn metric(&self, column: &wire::Column, span: Range<usize>) -> Result<Metric, ManifestError> {
        let counted = |parameters: bool| match column.rule {
            Some(rule) if rule.counts_parameters() == parameters => Ok(rule),
            Some(rule) => self.fail(
                column.metric.span(),
                format!("the rule `{rule}` counts something else"),
            ),
            None => self.fail(span.clone(), "a count needs the `rule` it was made by"),
        };
        let metric = match column.metric.get_ref() {
            wire::Metric::Top1 => Metric::Top1,
            wire::Metric::Top5 => Metric::Top5,
            wire::Metric::Top1Error => Metric::Top1Error,
            wire::Metric::Top5Error => Metric::Top5Error,
            wire::Metric::Flops => Metric::Flops {
                rule: counted(false)?,
            },
            wire::Metric::Params => Metric::Params { rule: counted(true)? },
            wire::Metric::Latency => match (&column.device, column.precision, column.batch) {
                (Some(device), Some(precision), Some(batch)) => Metric::Latency {
                    device: device.clone(),
                    precision,
                    batch,
                },
                _ => return self.fail(span, "a latency needs `device`, `precision` and `batch`"),
            },
        };
        let accuracy = matches!(
            metric,
            Metric::Top1 | Metric::Top5 | Metric::Top1Error | Metric::Top5Error
        );
        if accuracy != column.weights.is_some() {
            return self.fail(
                span,
                "an accuracy, and nothing else, needs the `weights` it belongs to",
            );
        }
        Ok(metric)
    }

    fn unit(&self, column: &wire::Column, metric: &Metric) -> Result<(), ManifestError> {
        let unit = *column.unit.get_ref();
        let expected = match metric {
            Metric::Top1 | Metric::Top5 | Metric::Top1Error | Metric::Top5Error => {
                [Unit::Fraction, Unit::Percent].as_slice()
            }
            Metric::Flops { .. } | Metric::Params { .. } => &[Unit::M, Unit::G, Unit::Gi],
            Metric::Latency { .. } => &[Unit::Milliseconds],
        };
        if expected.contains(&unit) {
            return Ok(());
        }
        self.fail(
            column.unit.span(),
            format!("the unit does not fit the metric: expected one of {expected:?}"),
        )
    }

    fn variant(
        &self,
        written: &Spanned<wire::Variant>,
        zoo: &Zoo,
        preprocess: &BTreeMap<&str, Preprocess>,
    ) -> Result<Variant, ManifestError> {
        let wire = written.get_ref();
        let name = self.name(&wire.name)?;
        if let Some(other) = zoo
            .variants
            .iter()
            .find(|variant| variant.name.eq_ignore_ascii_case(&name))
        {
            let message = format!(
                "variant `{name}` is declared twice: `{}` stands above",
                other.name
            );
            return self.fail(wire.name.span(), message);
        }
        let base = match &wire.base {
            None => None,
            Some(id) => {
                let known = zoo.variants.iter().map(|variant| variant.name.clone());
                let found = zoo.variants.iter().find(|variant| variant.name == *id.get_ref());
                Some(self.lookup("base (a variant declared above)", id, found, known)?)
            }
        };
        let spec = match (&wire.network, base) {
            (Some(network), None) => spec(network.get_ref()),
            (None, Some(base)) => base.spec.clone(),
            _ => {
                return self.fail(
                    wire.name.span(),
                    format!("`{name}` needs either `network` or `base`"),
                );
            }
        };
        let preprocess = match (&wire.preprocess, base) {
            (Some(id), _) => {
                let found = preprocess.get(id.get_ref().as_str()).cloned();
                self.lookup(
                    "preprocess",
                    id,
                    found,
                    preprocess.keys().map(|id| (*id).to_owned()),
                )?
            }
            (None, Some(base)) => base.preprocess.clone(),
            (None, None) => {
                return self.fail(
                    wire.name.span(),
                    format!("`{name}` needs `preprocess` or a `base`"),
                );
            }
        };
        let span = wire.network.as_ref().map_or(wire.name.span(), Spanned::span);
        spec.graph(Shape::square(1, preprocess.crop))
            .map_err(|error| self.error(span, error.to_string()))?;
        let artifacts = self.artifacts(&name, wire)?;
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
        variant.claims = self.claims(wire, &variant, base, zoo)?;
        Ok(variant)
    }

    fn name(&self, written: &Spanned<String>) -> Result<String, ManifestError> {
        match names::fault(written.get_ref()) {
            None => Ok(written.get_ref().clone()),
            Some(fault) => self.fail(
                written.span(),
                format!("the name `{}` {fault}", written.get_ref()),
            ),
        }
    }

    fn artifacts(&self, variant: &str, wire: &wire::Variant) -> Result<Vec<Artifact>, ManifestError> {
        let mut artifacts: Vec<Artifact> = Vec::new();
        for written in &wire.weights {
            let weights = written.get_ref();
            let id = self.name(&weights.id)?;
            if artifacts.iter().any(|artifact| artifact.id == id) {
                let message = format!("`{variant}` declares the weight source `{id}` twice");
                return self.fail(weights.id.span(), message);
            }
            let (url, file_name) = self.url(&weights.url)?;
            let known = match (&weights.sha256, &weights.sha256_prefix) {
                (None, None) => Known::Nothing,
                (Some(full), None) => Known::Full(self.parsed(full)?),
                (None, Some(prefix)) => Known::Prefix(self.parsed(prefix)?),
                (Some(_), Some(prefix)) => {
                    return self.fail(prefix.span(), "`sha256` says it all: drop `sha256_prefix`");
                }
            };
            artifacts.push(Artifact {
                id,
                url,
                file_name,
                format: weights.format,
                naming: weights.naming,
                licence: weights.licence.clone().unwrap_or_else(|| wire.licence.clone()),
                bytes: weights.bytes,
                known,
            });
        }
        if artifacts.is_empty() {
            return self.fail(
                wire.name.span(),
                format!("`{variant}` has no [[variant.weights]]"),
            );
        }
        Ok(artifacts)
    }

    fn parsed<T: std::str::FromStr>(&self, written: &Spanned<String>) -> Result<T, ManifestError>
    where
        T::Err: std::fmt::Display,
    {
        written
            .get_ref()
            .parse()
            .map_err(|error: T::Err| self.error(written.span(), error.to_string()))
    }

    /// The URL and its last part.
    fn url(&self, written: &Spanned<String>) -> Result<(String, String), ManifestError> {
        let text = written.get_ref();
        let fail = |why: &str| self.fail(written.span(), format!("the URL `{text}` {why}"));
        let Ok(url) = Url::parse(text) else {
            return fail("cannot be read: expected https://HOST/PATH/FILE");
        };
        let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return fail("is not https; http is taken from this machine alone");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return fail("holds credentials, which do not belong in a manifest");
        }
        let file_name = text.rsplit('/').next().unwrap_or_default();
        match names::fault(file_name) {
            None => Ok((text.clone(), file_name.to_owned())),
            Some(fault) => fail(&format!("ends in `{file_name}`, which {fault}")),
        }
    }

    fn claims(
        &self,
        wire: &wire::Variant,
        variant: &Variant,
        base: Option<&Variant>,
        zoo: &Zoo,
    ) -> Result<Vec<Claim>, ManifestError> {
        let mut written: Vec<_> = wire.claims.iter().collect();
        written.sort_by_key(|(id, _)| id.span().start);
        written
            .into_iter()
            .map(|(id, printed)| {
                let column = zoo.column(id.get_ref());
                let known = zoo.columns.iter().map(|column| column.id.clone());
                let column = self.lookup("column", id, column, known)?;
                let digits = printed.get_ref();
                let value = digits
                    .parse()
                    .ok()
                    .filter(|value: &f64| value.is_finite() && *value >= 0.0);
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                let Some(value) = value.filter(|_| plain) else {
                    return self.fail(
                        printed.span(),
                        format!("`{digits}` is no number as printed, such as 0.769"),
                    );
                };
                let weights = match &column.weights {
                    None => None,
                    Some(source) => Some(self.weights(id, source, variant, base)?),
                };
                Ok(Claim {
                    column: column.id.clone(),
                    printed: digits.clone(),
                    value,
                    weights,
                })
            })
            .collect()
    }

    /// The weights an accuracy belongs to: the variant's own, or its base's where a row repeats a figure of those.
    fn weights(
        &self,
        claim: &Spanned<String>,
        source: &str,
        variant: &Variant,
        base: Option<&Variant>,
    ) -> Result<WeightsRef, ManifestError> {
        let owner = std::iter::once(variant)
            .chain(base)
            .find(|owner| owner.artifact(source).is_some());
        match owner {
            Some(owner) => Ok(WeightsRef {
                variant: owner.name.clone(),
                artifact: source.to_owned(),
            }),
            None => self.fail(
                claim.span(),
                format!(
                    "`{}` claims an accuracy of weights `{source}`, which neither it nor its base has",
                    variant.name
                ),
            ),
        }
    }
}

/// The network as declared; what is left out is as in the published HRNet-C networks.
fn spec(network: &wire::Network) -> HrnetSpec {
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
