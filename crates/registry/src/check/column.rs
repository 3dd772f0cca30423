use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::Check;
use crate::types::{Column, Metric, Preprocess, Source, TaskKind, Unit};
use crate::{ManifestError, wire};

impl Check<'_> {
    /// The columns in the order in which they are written.
    pub(super) fn columns(
        &self,
        written: BTreeMap<String, Spanned<wire::Column>>,
        sources: &BTreeMap<String, Source>,
        preprocess: &BTreeMap<String, Preprocess>,
    ) -> Result<Vec<Column>, ManifestError> {
        let mut written: Vec<_> = written.into_iter().collect();
        written.sort_by_key(|(_, column)| column.span().start);
        written
            .into_iter()
            .map(|(id, spanned)| {
                let span = spanned.span();
                self.id(&id, span.clone())?;
                let column = spanned.into_inner();
                let source = sources
                    .get(column.source.get_ref())
                    .map(|_| column.source.get_ref().clone());
                let source = self.lookup("source", &column.source, source, sources.keys().cloned())?;
                let metric = self.metric(&column, span)?;
                self.unit(&column, &metric)?;
                if let Some(id) = &column.preprocess {
                    self.profile(id, preprocess)?;
                }
                let unit = column.unit.into_inner();
                Ok(Column {
                    id,
                    source,
                    metric,
                    unit,
                    decimals: column.decimals,
                    weights: column.weights,
                    preprocess: column.preprocess.map(Spanned::into_inner),
                    data: column.data.map(Spanned::into_inner),
                    protocol: column.protocol.map(Spanned::into_inner),
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
            wire::Metric::Ap => Metric::Ap,
            wire::Metric::Ap50 => Metric::Ap50,
            wire::Metric::Ap75 => Metric::Ap75,
            wire::Metric::Ar => Metric::Ar,
            wire::Metric::Pckh => Metric::Pckh,
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
        let accuracy = metric.is_accuracy();
        if accuracy != column.weights.is_some() {
            return self.fail(
                span,
                "an accuracy, and nothing else, needs the `weights` it belongs to",
            );
        }
        if let (false, Some(id)) = (accuracy, &column.preprocess) {
            return self.fail(id.span(), "only an accuracy has a `preprocess`");
        }
        if let (false, Some(data)) = (accuracy, &column.data) {
            return self.fail(data.span(), "only an accuracy has `data`");
        }
        let of_keypoints = metric.task() == Some(TaskKind::Pose);
        if let (false, Some(protocol)) = (of_keypoints, &column.protocol) {
            return self.fail(protocol.span(), "only an accuracy of keypoints has a `protocol`");
        }
        if of_keypoints && column.data.is_none() {
            return self.fail(
                span,
                "an accuracy of keypoints needs `data`, the images it was measured on",
            );
        }
        Ok(metric)
    }

    fn unit(&self, column: &wire::Column, metric: &Metric) -> Result<(), ManifestError> {
        let unit = *column.unit.get_ref();
        let expected = match metric {
            Metric::Top1
            | Metric::Top5
            | Metric::Top1Error
            | Metric::Top5Error
            | Metric::Ap
            | Metric::Ap50
            | Metric::Ap75
            | Metric::Ar
            | Metric::Pckh => [Unit::Fraction, Unit::Percent].as_slice(),
            Metric::Flops { .. } | Metric::Params { .. } => &[Unit::One, Unit::M, Unit::G, Unit::Gi],
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
}
