//! The network that a weight file belongs to, and the command for a file that fits no variant.

use std::path::Path;

use checkpoint::{CheckpointError, Described, TensorFile};
use harness::counted;
use hrnet::{Head, HrnetSpec, Shape};
use registry::{Variant, Zoo};

use crate::files::quoted;
use crate::{Exit, Failure};

/// The network of a weight file, by the shapes of its tensors, and the variant that differs from it by its classes at most.
pub(crate) struct Kin<'z> {
    pub(crate) described: Described,
    like: Option<&'z Variant>,
    /// True if the file has exactly the tensors of the network.
    is_whole: bool,
}

impl<'z> Kin<'z> {
    /// Describes the network of a file; `None` if the tensors are not an HRNet's. Among variants with the same network, the
    /// `wanted` one is named.
    pub(crate) fn of(zoo: &'z Zoo, file: &TensorFile, wanted: Option<&'z Variant>) -> Option<Self> {
        let described = file.described()?;
        let like = wanted
            .into_iter()
            .chain(&zoo.variants)
            .find(|variant| variant.spec.clone().with_classes(described.spec.classes()) == described.spec);
        let graph = described
            .spec
            .graph(Shape::square(1, described.spec.stride()))
            .ok();
        let is_whole = graph.is_some_and(|graph| file.clone().bind(&graph).is_ok());
        Some(Self {
            described,
            like,
            is_whole,
        })
    }

    /// Returns the network in words: `HRNet_W18_C with 5 classes instead of 1000`.
    pub(crate) fn words(&self) -> String {
        let spec = &self.described.spec;
        let classes = spec.classes();
        let what = match self.like {
            Some(variant) => variant.name.clone(),
            None => format!("an HRNet of widths {}", joined(&spec.widths, ", ")),
        };
        if let Head::Heatmaps(head) = &spec.head {
            let maps = counted(head.maps, "heatmap");
            return match self.like {
                Some(variant) => variant.name.clone(),
                None => format!(
                    "a pose network of widths {} with {maps}",
                    joined(&spec.widths, ", ")
                ),
            };
        }
        match self.like.map(|variant| variant.spec.classes()) {
            _ if !self.described.has_head => format!("{what} without a classifier"),
            Some(usual) if usual == classes => what,
            Some(usual) => format!("{what} with {} instead of {usual}", counted(classes, "class")),
            None => format!("{what} with {}", counted(classes, "class")),
        }
    }

    /// Returns the options of `zoo add` that describe the network without its file: `--widths` for the layout of the published
    /// HRNet-C networks, `--like` for that of a variant.
    fn options(&self) -> Option<String> {
        let spec = &self.described.spec;
        let classes = spec.classes();
        let widths = <[usize; 4]>::try_from(spec.widths.as_slice()).ok()?;
        let published = HrnetSpec::imagenet(widths);
        let (network, usual) = match self.like {
            _ if published.clone().with_classes(classes) == *spec => (
                format!("--widths {}", joined(&spec.widths, ",")),
                published.classes(),
            ),
            like => (format!("--like {}", like?.name), like?.spec.classes()),
        };
        Some(match classes == usual {
            true => network,
            false => format!("{network} --classes {classes}"),
        })
    }

    /// Returns the command that makes the file a network of the user's own, or why there is none.
    pub(crate) fn advice(&self, path: &Path, set: Option<&str>) -> String {
        if !self.described.has_head {
            return "commands run whole networks: name the file that also has the classifier".into();
        }
        if let Head::Heatmaps(_) = self.described.spec.head {
            return "a [[variant]] with `task = \"pose\"` in zoo.toml declares such a network: `path` names its file".into();
        }
        if !self.is_whole {
            return "`zoo inspect FILE --tensors` lists what is in it".into();
        }
        match (set, self.options()) {
            (None, _) => format!(
                "`zoo add NAME --weights {}` adds this network to zoo.toml, for `--model NAME`; `--labels FILE` gives its \
                 classes names",
                quoted(path)
            ),
            // A manifest names files, and no sets of weights in them.
            (Some(_), Some(options)) => format!(
                "`zoo add NAME {options}` adds this network to zoo.toml: then `--model NAME --weights FILE#KEY` runs it"
            ),
            (Some(_), None) => {
                "a file with this set of weights alone can be added: `zoo add NAME --weights FILE`".into()
            }
        }
    }
}

/// Returns the failure of a file without the tensors of the wanted variant: the network that it belongs to, and the next step.
pub(crate) fn mismatch(
    zoo: &Zoo,
    wanted: &Variant,
    file: &TensorFile,
    set: Option<&str>,
    error: CheckpointError,
) -> Failure {
    if !matches!(
        error,
        CheckpointError::Mismatch { .. } | CheckpointError::Head { .. }
    ) {
        return error.into();
    }
    let names: Vec<String> = fits(zoo, file)
        .into_iter()
        .filter(|name| *name != wanted.name)
        .collect();
    if let Some(first) = names.first() {
        let which = match names.len() {
            1 => "that variant",
            _ => "one of them",
        };
        let names = match names.as_slice() {
            [first, _, _, ..] => format!("{first} and {} more", counted(names.len() - 1, "variant")),
            few => few.join(" and "),
        };
        let first_is_classifier = zoo.variant(first).is_some_and(Variant::is_classifier);
        let help = match (wanted.is_classifier(), first_is_classifier) {
            (true, false) => {
                format!("the file has the tensors of {names}: `zoo pose --model {first}` runs it on photos")
            }
            (false, true) => {
                format!(
                    "the file has the tensors of {names}: `zoo classify --model {first}` runs it on photos"
                )
            }
            _ => format!("the file has the tensors of {names}: name {which}, as in `--model {first}`"),
        };
        return Failure::from(error).help(help);
    }
    // A variant that is being added is not known yet.
    match Kin::of(zoo, file, zoo.variant(&wanted.name)) {
        Some(kin) if matches!(error, CheckpointError::Head { .. }) => {
            Failure::from(error).help(kin.advice(&file.path, set))
        }
        Some(kin) if kin.is_whole || !kin.described.has_head => {
            let expected = match kin.like {
                Some(like) if like.name == wanted.name => String::new(),
                _ => format!(", expected those of {}", wanted.name),
            };
            let what = format!("{}: weights of {}{expected}", file.path.display(), kin.words());
            Failure::new(Exit::Other, what).help(kin.advice(&file.path, set))
        }
        _ => Failure::from(error).help("`zoo inspect FILE --tensors` lists what is in it"),
    }
}

/// Returns the variants of the manifest with exactly the tensors of the file.
pub(crate) fn fits(zoo: &Zoo, file: &TensorFile) -> Vec<String> {
    let fit = |variant: &&Variant| {
        let graph = variant.spec.graph(variant.input());
        graph.is_ok_and(|graph| file.clone().bind(&graph).is_ok())
    };
    let fitting = zoo.variants.iter().filter(fit);
    fitting.map(|variant| variant.name.clone()).collect()
}

fn joined(numbers: &[usize], between: &str) -> String {
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    numbers.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_weights_is_added_by_options_and_a_file_by_itself() {
        let zoo = Zoo::builtin();
        let advice = |name: &str, classes: usize, set| {
            let spec = zoo
                .find(name)
                .expect("built in")
                .spec
                .clone()
                .with_classes(classes);
            let kin = Kin {
                like: zoo
                    .variants
                    .iter()
                    .find(|variant| variant.spec.clone().with_classes(classes) == spec),
                described: Described { spec, has_head: true },
                is_whole: true,
            };
            kin.advice(Path::new("run 1.pth"), set)
        };
        let added = advice("W18", 5, None);
        assert!(
            added.starts_with("`zoo add NAME --weights 'run 1.pth'`"),
            "{added}"
        );
        let set = Some("ema");
        let options = [
            ("W18", 5, "`zoo add NAME --widths 18,36,72,144 --classes 5`"),
            ("W18", 1000, "`zoo add NAME --widths 18,36,72,144`"),
            (
                "hrnet_w18_small",
                1,
                "`zoo add NAME --like hrnet_w18_small --classes 1`",
            ),
            (
                "hrnet_w18_small_v2",
                1000,
                "`zoo add NAME --like hrnet_w18_small_v2`",
            ),
        ];
        for (name, classes, command) in options {
            let added = advice(name, classes, set);
            assert!(
                added.starts_with(command) && added.contains("FILE#KEY"),
                "{added}"
            );
        }
    }
}
