use toml::Spanned;

use super::Check;
use crate::types::{Claim, Variant, WeightsRef, Zoo};
use crate::{ManifestError, wire};

impl Check<'_> {
    /// The figures of a variant in the order in which they are written.
    pub(super) fn claims(
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
                        format!("`{digits}` is not a number as printed, such as 0.769"),
                    );
                };
                let kind = variant.task.kind();
                if column.metric.task().is_some_and(|task| task != kind) {
                    let message = format!(
                        "`{}` is an accuracy of another task than `{}` has: {kind}",
                        column.id, variant.name
                    );
                    return self.fail(id.span(), message);
                }
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
