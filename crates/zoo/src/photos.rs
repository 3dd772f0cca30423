//! The preprocessing of photos: the profile and the reason for it.

use clap::Args;
use hrnet_zoo::find_profile;
use registry::{Artifact, Preprocess, Variant};

use crate::Failure;
use crate::context::Context;

/// `--preprocess`, for every subcommand that prepares photos.
#[derive(Clone, Debug, Args)]
pub(crate) struct PreprocessArg {
    /// Preprocessing profile: a name of `[preprocess.*]` in zoo.toml, its beginning, or paddle or timm if the network has one
    /// such profile [default: the profile of the weights' publisher]
    #[arg(long = "preprocess", alias = "profile", value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

/// The owner of a network's weights, which decides the preprocessing.
#[derive(Clone, Debug)]
pub(crate) enum Whose<'v> {
    /// A weight source of the variant.
    Source(&'v Artifact),
    /// The user's own, or seeded ones, in place of those of a source that the network's name stands for.
    InPlaceOf(&'v Artifact),
    /// A file of the user's, with tensor names of this scheme.
    File {
        name: String,
        naming: checkpoint::Naming,
    },
    /// Random weights.
    Seeded,
}

impl<'v> Whose<'v> {
    /// Returns the profile by which people are cropped: that of the weight source, else the variant's.
    pub(crate) fn crops(&self, variant: &'v Variant) -> &'v Preprocess {
        match self {
            Self::Source(source) | Self::InPlaceOf(source) => &source.preprocess,
            Self::File { .. } | Self::Seeded => &variant.preprocess,
        }
    }

    /// Returns the licence of the weights as their publisher states it; `None` for the user's own and for random ones.
    pub(crate) fn licence(&self) -> Option<&str> {
        match self {
            Self::Source(source) => Some(&source.licence),
            Self::InPlaceOf(_) | Self::File { .. } | Self::Seeded => None,
        }
    }
}

/// The chosen profile and the reason for it.
#[derive(Clone, Debug)]
pub(crate) struct Preparation<'z> {
    pub(crate) profile: &'z Preprocess,
    reason: String,
    /// True if the profile is only a guess.
    is_guess: bool,
}

impl PreprocessArg {
    /// Chooses the profile for a variant with these weights: the requested one, else the one that the weight source states.
    ///
    /// # Errors
    /// If there is no profile of that name.
    pub(crate) fn choose<'z>(
        &self,
        cx: &'z Context,
        variant: &'z Variant,
        weights: &Whose<'z>,
    ) -> Result<Preparation<'z>, Failure> {
        match &self.profile {
            Some(name) => Ok(Preparation::asked(find_profile(cx.zoo()?, Some(variant), name)?)),
            None => Ok(Preparation::by_weights(variant, weights)),
        }
    }
}

impl<'z> Preparation<'z> {
    /// Returns the profile that `--preprocess` names.
    pub(crate) fn asked(profile: &'z Preprocess) -> Self {
        Self::new(profile, "--preprocess")
    }

    fn new(profile: &'z Preprocess, reason: impl Into<String>) -> Self {
        Self {
            profile,
            reason: reason.into(),
            is_guess: false,
        }
    }

    /// Returns the profile that the source of these weights states.
    pub(crate) fn by_weights(variant: &'z Variant, weights: &Whose<'z>) -> Self {
        let (file, naming) = match weights {
            Whose::Source(source) => {
                return Self::new(&source.preprocess, format!("profile of the source {}", source.id));
            }
            Whose::InPlaceOf(source) => {
                let reason = format!(
                    "profile of the source {}, which the name stands for; --preprocess chooses another",
                    source.id
                );
                return Self::new(&source.preprocess, reason);
            }
            Whose::Seeded => return Self::new(&variant.preprocess, format!("profile of {}", variant.name)),
            Whose::File { name, naming } => (name, *naming),
        };
        let alike = hrnet_zoo::sources_by_naming(variant, naming);
        match alike.first() {
            Some(source) => {
                let (naming, id) = (naming.name(), &source.id);
                let other = alike.iter().find(|other| other.preprocess != source.preprocess);
                let others = other.map_or(String::new(), |other| {
                    format!(", and so has the source {}", other.id)
                });
                let reason = format!(
                    "profile of the source {id}: {file} has tensor names of {naming}, too{others}; --preprocess chooses \
                     another"
                );
                Self {
                    is_guess: other.is_some(),
                    ..Self::new(&source.preprocess, reason)
                }
            }
            None => {
                let (naming, variant_name) = (naming.name(), &variant.name);
                let reason = format!(
                    "profile of {variant_name}: {file} has tensor names of {naming}, and no source of {variant_name} has; \
                     --preprocess chooses another"
                );
                Self {
                    is_guess: true,
                    ..Self::new(&variant.preprocess, reason)
                }
            }
        }
    }

    /// Returns the same profile for photos whose weights nothing names: the reason lists the other profiles of the variant.
    pub(crate) fn of_any_weights(self, variant: &Variant) -> Self {
        let others = variant
            .artifacts
            .iter()
            .filter(|source| source.preprocess != *self.profile);
        let others: Vec<String> = others
            .map(|source| format!("`--source {}` for {}", source.id, source.preprocess.id))
            .collect();
        match others.is_empty() {
            true => self,
            false => Self {
                reason: format!(
                    "{}; other weights take another: {}",
                    self.reason,
                    others.join(", ")
                ),
                ..self
            },
        }
    }

    /// Returns the reason for the profile.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// Prints the profile and the reason for it; warns if it is a guess.
    pub(crate) fn tell(&self, cx: &Context) {
        let text = format!("photos prepared as {} ({})", self.profile.id, self.reason);
        match self.is_guess {
            true => cx.out.warn(&text),
            false => cx.out.note(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exit;

    /// The profile and the reason for weights of a variant.
    fn chosen(variant: &str, whose: impl for<'v> Fn(&'v Variant) -> Whose<'v>) -> (String, String, bool) {
        let cx = Context::embedded();
        let variant = cx.variant(variant).expect("there");
        let none = PreprocessArg { profile: None };
        let found = none.choose(&cx, variant, &whose(variant)).expect("a profile");
        (found.profile.id.clone(), found.reason, found.is_guess)
    }

    fn file(naming: checkpoint::Naming) -> Whose<'static> {
        Whose::File {
            name: "w.pth".into(),
            naming,
        }
    }

    #[test]
    fn photos_are_prepared_as_the_weights_publisher_does() {
        const MS: &str = "timm-224-bilinear-0.875";
        let source = |id: &'static str| {
            chosen("HRNet_W18_C", move |variant| {
                Whose::Source(variant.artifact(id).expect("a source"))
            })
        };
        assert_eq!(
            source("ms"),
            (MS.into(), "profile of the source ms".into(), false)
        );
        assert_eq!(source("paddle").0, "paddle-224");
        let (id, reason, is_guess) = chosen("HRNet_W18_C", |_| file(checkpoint::Naming::Timm));
        assert_eq!((id.as_str(), is_guess), (MS, false));
        assert!(
            reason.starts_with("profile of the source ms: w.pth has tensor names of timm"),
            "{reason}"
        );
        for naming in [
            checkpoint::Naming::Paddle,
            checkpoint::Naming::Paddle2020,
            checkpoint::Naming::PaddleStatic,
        ] {
            let (id, reason, _) = chosen("HRNet_W18_C", |_| file(naming));
            assert!(
                id == "paddle-224" && reason.starts_with("profile of the source paddle"),
                "{reason}"
            );
        }
        let named = chosen("HRNet_W18_C", |variant| {
            Whose::InPlaceOf(variant.artifact("ms").expect("there"))
        });
        assert_eq!((named.0.as_str(), named.2), (MS, false), "{}", named.1);
        let distilled = chosen("HRNet_W18_C_ssld", |_| file(checkpoint::Naming::Timm));
        assert_eq!(
            (distilled.0.as_str(), distilled.2),
            ("timm-224-bilinear-0.95", false)
        );
        let openmmlab = chosen("HRNet_W18_C_ssld", |_| file(checkpoint::Naming::Mmpretrain));
        assert_eq!((openmmlab.0.as_str(), openmmlab.2), ("openmmlab-224", false));
        let (id, reason, is_guess) = chosen("SE_HRNet_W64_C_ssld", |_| file(checkpoint::Naming::Timm));
        assert!(is_guess && id == "paddle-224", "{id}");
        assert!(reason.ends_with("--preprocess chooses another"), "{reason}");
        let seeded = chosen("hrnet_w18_small", |_| Whose::Seeded);
        assert_eq!(seeded, (MS.into(), "profile of hrnet_w18_small".into(), false));
    }

    #[test]
    fn a_name_stands_for_one_profile() {
        let cx = Context::embedded();
        let zoo = cx.zoo().expect("valid");
        let found = |variant: &str, name: &str| {
            let variant = zoo.find(variant).expect("there");
            let found = find_profile(zoo, Some(variant), name);
            found.map(|profile| profile.id.as_str()).map_err(Failure::from)
        };
        let failed = |variant: &str, name: &str| {
            let failure = found(variant, name).expect_err("not one");
            (failure.exit, failure.help.unwrap_or_default())
        };
        assert_eq!(
            found("HRNet_W18_C", "timm-288-bilinear-1.0").expect("named"),
            "timm-288-bilinear-1.0"
        );
        assert_eq!(
            found("HRNet_W18_C", "timm-288").expect("begun"),
            "timm-288-bilinear-1.0"
        );
        assert_eq!(found("HRNet_W18_C", "paddle").expect("begun"), "paddle-224");
        assert_eq!(
            found("HRNet_W18_C", "timm").expect("its only one"),
            "timm-224-bilinear-0.875"
        );
        assert_eq!(
            found("HRNet_W18_C_ssld", "timm").expect("its only one"),
            "timm-224-bilinear-0.95"
        );
        let (exit, help) = failed("SE_HRNet_W64_C_ssld", "timm");
        assert_eq!(exit, Exit::Usage, "it has none of them");
        assert!(
            help.contains("timm-224-bicubic-0.875, timm-224-bilinear-0.875"),
            "{help}"
        );
        let (exit, help) = failed("HRNet_W18_C", "padle");
        assert_eq!(exit, Exit::NotFound);
        assert!(help.contains("paddle-224"), "{help}");
        assert_eq!(failed("HRNet_W18_C", "").0, Exit::NotFound);
    }
}
