//! Which published accuracy stands for a variant.

use std::fmt;

use crate::{Artifact, Claim, Column, Metric, TaskKind, Unit, Variant, Zoo};

/// The published accuracy that stands for a variant wherever one is shown beside its name: in lists, choices, charts and tables.
///
/// It is chosen by one rule, in this order:
///
/// 1. **Weights.** Figures of the variant's own default weights, its first source; where nothing is published of those, of its
///    next source. Figures of another variant's weights, which a row of a table may repeat, never count.
/// 2. **Protocol.** Of several columns about these weights, those measured with the weights' own preprocessing.
///    Figures of other images than ImageNet's validation images never count.
/// 3. **Order.** Of several such columns, the first in the manifest's order.
///
/// An error counts as 100 % less the error. One rule for all variants makes their figures come from different publications, so
/// a list of several says whose each is: see [`ClaimedAccuracy::column`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClaimedAccuracy<'a> {
    /// The figure as printed, which may be an error.
    pub claim: &'a Claim,
    /// Its column, which says whose figure it is.
    pub column: &'a Column,
    /// The share of ImageNet's validation images that are right, or AP, 0 to 1.
    pub share: f64,
}

impl ClaimedAccuracy<'_> {
    /// The same share, 0 to 100.
    pub fn percent(&self) -> f64 {
        100.0 * self.share
    }

    /// In points of a hundred, as AP is usually written: `74.9`.
    pub fn in_points(&self) -> String {
        format!("{:.1}", self.percent())
    }

    /// In percent with every digit that was published, as `76.770 %`: those that a comparison is decided by.
    pub fn in_all_digits(&self) -> String {
        let decimals = match self.column.unit {
            Unit::Percent => self.claim.decimals(),
            _ => self.claim.decimals().saturating_sub(2),
        };
        format!("{:.decimals$} %", self.percent())
    }
}

impl fmt::Display for ClaimedAccuracy<'_> {
    /// In percent, as `76.9 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.1} %", self.percent()))
    }
}

impl Zoo {
    /// The published top-1 accuracy that stands for a variant, by the rule of [`ClaimedAccuracy`].
    pub fn claimed_top1<'a>(&'a self, variant: &'a Variant) -> Option<ClaimedAccuracy<'a>> {
        self.claimed(variant, |metric| match metric {
            Metric::Top1 => Some(Kind::Accuracy),
            Metric::Top1Error => Some(Kind::Error),
            _ => None,
        })
    }

    /// The published top-5 accuracy that stands for a variant, by the same rule.
    pub fn claimed_top5<'a>(&'a self, variant: &'a Variant) -> Option<ClaimedAccuracy<'a>> {
        self.claimed(variant, |metric| match metric {
            Metric::Top5 => Some(Kind::Accuracy),
            Metric::Top5Error => Some(Kind::Error),
            _ => None,
        })
    }

    /// The published AP that stands for a pose variant, by the same rule but for the images: all that were published are COCO's or
    /// those of a set like it, which the column names.
    pub fn claimed_ap<'a>(&'a self, variant: &'a Variant) -> Option<ClaimedAccuracy<'a>> {
        self.claimed(variant, |metric| {
            (*metric == Metric::Ap).then_some(Kind::Accuracy)
        })
    }

    /// The published accuracy that stands for a variant: top-1 of a classifier, AP of a pose network.
    pub fn claimed_accuracy<'a>(&'a self, variant: &'a Variant) -> Option<ClaimedAccuracy<'a>> {
        match variant.task.kind() {
            TaskKind::Classes => self.claimed_top1(variant),
            TaskKind::Pose => self.claimed_ap(variant),
        }
    }

    /// A published figure as an accuracy, whichever weights and protocol it is about; `None` if the variant has none in this
    /// column, or the column's figures are neither accuracies nor errors.
    pub fn accuracy<'a>(&'a self, variant: &'a Variant, column: &str) -> Option<ClaimedAccuracy<'a>> {
        let (column, claim) = (self.column(column)?, variant.claim(column)?);
        let kind = match column.metric {
            Metric::Top1
            | Metric::Top5
            | Metric::Ap
            | Metric::Ap50
            | Metric::Ap75
            | Metric::Ar
            | Metric::Pckh => Kind::Accuracy,
            Metric::Top1Error | Metric::Top5Error => Kind::Error,
            _ => return None,
        };
        Some(ClaimedAccuracy {
            claim,
            column,
            share: kind.share(claim, column.unit),
        })
    }

    fn claimed<'a>(
        &'a self,
        variant: &'a Variant,
        kind: impl Fn(&Metric) -> Option<Kind>,
    ) -> Option<ClaimedAccuracy<'a>> {
        let of = |artifact: &Artifact| -> Vec<ClaimedAccuracy<'a>> {
            // An accuracy of keypoints always names its images.
            let is_usual = |column: &&Column| column.data.is_none() || !variant.is_classifier();
            let columns = self.columns.iter().filter(is_usual);
            columns
                .filter_map(|column| {
                    let (kind, claim) = (kind(&column.metric)?, variant.claim(&column.id)?);
                    let weights = claim.weights.as_ref()?;
                    let own = weights.variant == variant.name && weights.artifact == artifact.id;
                    own.then(|| ClaimedAccuracy {
                        claim,
                        column,
                        share: kind.share(claim, column.unit),
                    })
                })
                .collect()
        };
        variant.artifacts.iter().find_map(|artifact| {
            let figures = of(artifact);
            let own = figures
                .iter()
                .find(|figure| protocol(artifact, figure.column) == artifact.preprocess.id);
            own.or(figures.first()).copied()
        })
    }
}

/// The kind of a column's figures.
#[derive(Clone, Copy)]
enum Kind {
    Accuracy,
    Error,
}

impl Kind {
    fn share(self, claim: &Claim, unit: Unit) -> f64 {
        let all = match unit {
            Unit::Percent => 100.0,
            _ => 1.0,
        };
        let right = match self {
            Self::Accuracy => claim.value,
            Self::Error => all - claim.value,
        };
        // A division is exact to the last digit where a product with 0.01 is not.
        right / all
    }
}

/// The id of the preprocessing that a column's figure of these weights was measured with.
fn protocol<'a>(weights: &'a Artifact, column: &'a Column) -> &'a str {
    column.preprocess.as_deref().unwrap_or(&weights.preprocess.id)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::EMBEDDED;

    fn zoo(text: &str) -> Zoo {
        Zoo::parse(text, Path::new("zoo.toml")).expect("valid")
    }

    #[test]
    fn an_error_and_a_share_are_accuracies_in_percent() {
        let zoo = zoo(EMBEDDED);
        let of = |name: &str, column: &str| {
            let variant = zoo.variant(name).expect("a variant");
            zoo.accuracy(variant, column).map(|found| found.to_string())
        };
        assert_eq!(of("hrnet_w18_small", "ms-top1-error").as_deref(), Some("72.3 %"));
        assert_eq!(of("HRNet_W18_C", "page-top1").as_deref(), Some("76.9 %"));
        assert_eq!(of("HRNet_W18_C", "page-flops"), None);
        assert_eq!(of("HRNet_W18_C", "no-column"), None);
        let w18 = zoo.variant("HRNet_W18_C").expect("a variant");
        let digits = |column: &str| zoo.accuracy(w18, column).expect(column).in_all_digits();
        assert_eq!(
            ["page-top1", "readme-top1", "ms-top1-error", "timm-top1"].map(digits),
            ["76.9 %", "76.92 %", "76.8 %", "76.770 %"]
        );
    }

    #[test]
    fn every_variant_has_one_accuracy_in_one_unit() {
        let zoo = zoo(EMBEDDED);
        let told: Vec<(&str, String, &str)> = zoo
            .classifiers()
            .map(|variant| {
                let top1 = zoo.claimed_top1(variant).expect(&variant.name);
                assert!(zoo.claimed_top5(variant).expect("both").share > top1.share);
                (variant.name.as_str(), top1.to_string(), top1.column.id.as_str())
            })
            .collect();
        let told: Vec<(&str, &str, &str)> = told
            .iter()
            .map(|(name, top1, id)| (*name, &**top1, *id))
            .collect();
        assert_eq!(told.len(), 15);
        for expected in [
            ("HRNet_W18_C", "76.9 %", "page-top1"),
            ("HRNet_W18_C_ssld", "81.6 %", "page-top1"),
            ("SE_HRNet_W64_C_ssld", "84.7 %", "page-top1"),
            // An error of 27.7 %.
            ("hrnet_w18_small", "72.3 %", "ms-top1-error"),
            ("hrnet_w18_small_v2", "75.1 %", "ms-top1-error"),
            ("hrnet_w18_small_v2_gluon", "78.2 %", "timm-hub-top1"),
            ("HRNet_W18_C_aug", "78.1 %", "timm-hub-top1"),
        ] {
            assert!(told.contains(&expected), "{expected:?} in {told:?}");
        }
    }

    /// A manifest with two sources of weights and these columns and claims.
    fn with(columns: &str, claims: &str) -> Zoo {
        let preprocess = |id: &str| {
            format!(
                "[preprocess.{id}]\nresize_short = 36\ncrop = 32\ninterpolation = \"bilinear\"\n\
                 mean = [0.4, 0.4, 0.4]\nstd = [0.2, 0.2, 0.2]\n"
            )
        };
        let weights = |id: &str| {
            format!(
                "[[variant.weights]]\nid = \"{id}\"\nurl = \"https://example.org/{id}.pth\"\nformat = \"pth\"\n\
                 naming = \"timm\"\n"
            )
        };
        zoo(&format!(
            "schema = 1\n[source.s]\ntitle = \"S\"\n{}{}{columns}\n[[variant]]\nname = \"tiny\"\nlicence = \"MIT\"\n\
             preprocess = \"own\"\nnetwork = {{ widths = [8, 16, 32, 64] }}\n{}{}[variant.claims]\n{claims}\n",
            preprocess("own"),
            preprocess("other"),
            weights("first"),
            weights("second"),
        ))
    }

    fn column(id: &str, metric: &str, weights: &str, more: &str) -> String {
        format!(
            "[column.{id}]\nsource = \"s\"\nmetric = \"{metric}\"\nunit = \"percent\"\nweights = \"{weights}\"\n{more}\n"
        )
    }

    #[test]
    fn default_weights_come_first_then_their_own_protocol_then_the_manifests_order() {
        let columns = [
            column("second", "top1", "second", ""),
            column("foreign", "top1", "first", "preprocess = \"other\""),
            column("error", "top1-error", "first", ""),
            column("other-images", "top1", "first", "data = \"ImageNet-V2\""),
            column("later", "top1", "first", ""),
        ]
        .concat();
        let chosen = |claims: &str| {
            let zoo = with(&columns, claims);
            let top1 = zoo.claimed_top1(&zoo.variants[0]);
            top1.map(|top1| (top1.column.id.clone(), top1.to_string()))
        };
        let some = |id: &str, printed: &str| Some((id.to_owned(), printed.to_owned()));
        let all = "second = \"90\"\nforeign = \"80\"\nerror = \"30\"\nlater = \"70.5\"";
        assert_eq!(chosen(all), some("error", "70.0 %"));
        assert_eq!(
            chosen("second = \"90\"\nforeign = \"80\""),
            some("foreign", "80.0 %")
        );
        assert_eq!(chosen("second = \"90\""), some("second", "90.0 %"));
        assert_eq!(
            chosen("other-images = \"60\"\nlater = \"70\""),
            some("later", "70.0 %")
        );
        assert_eq!(chosen("other-images = \"60\""), None);
        assert_eq!(chosen(""), None);
    }
}
