//! Variants on the command line: a name, a pattern with wildcards, or all of a task.

use std::fmt;
use std::str::FromStr;

use glob::{MatchOptions, Pattern};
use registry::{Named, TaskKind, Variant, Zoo};

use crate::{Exit, Failure};

/// Characters that make a name a pattern.
const WILDCARDS: [char; 3] = ['*', '?', '['];

/// The selector that commands use if none is given: pose networks would more than double the time of a measurement.
pub(crate) const CLASSIFIERS: &str = "classifiers";

/// The selector of all pose networks.
pub(crate) const POSES: &str = "poses";

/// A name, as [`Zoo::named`] understands it, a pattern for names and aliases in any case, `all`, or all variants of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    Name(String),
    Pattern(Pattern),
    Task(TaskKind),
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pattern = match text {
            "all" => "*",
            CLASSIFIERS => return Ok(Self::Task(TaskKind::Classes)),
            POSES => return Ok(Self::Task(TaskKind::Pose)),
            text if text.contains(WILDCARDS) => text,
            name => return Ok(Self::Name(name.to_owned())),
        };
        let pattern = Pattern::new(pattern).map_err(|error| format!("not a pattern: {error}"))?;
        Ok(Self::Pattern(pattern))
    }
}

/// Formats the selector as it was written.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Pattern(pattern) if pattern.as_str() == "*" => f.write_str("all"),
            Self::Pattern(pattern) => write!(f, "'{pattern}'"),
            Self::Task(task) => f.write_str(word(*task)),
        }
    }
}

impl Selector {
    /// Returns the selected variants, with the weights if a name or an alias chooses them.
    ///
    /// # Errors
    /// If no variant matches, or a name stands for several.
    pub(crate) fn choose<'a>(&self, zoo: &'a Zoo) -> Result<Vec<Named<'a>>, Failure> {
        let pattern = match self {
            Self::Name(name) => return Ok(vec![zoo.named(name)?]),
            Self::Task(task) => return of_task(zoo, *task),
            Self::Pattern(pattern) => pattern,
        };
        let options = MatchOptions {
            case_sensitive: false,
            ..MatchOptions::new()
        };
        let chosen = zoo.matching(|name| pattern.matches_with(name, options));
        if chosen.is_empty() {
            // As unknown as a name: the error suggests one that comes near.
            zoo.named(pattern.as_str())?;
        }
        Ok(chosen)
    }
}

/// Returns the word that selects the variants of a task.
fn word(task: TaskKind) -> &'static str {
    match task {
        TaskKind::Classes => CLASSIFIERS,
        TaskKind::Pose => POSES,
    }
}

/// Returns the variants of a task, in the manifest's order.
fn of_task(zoo: &Zoo, task: TaskKind) -> Result<Vec<Named<'_>>, Failure> {
    let named = |variant| Named {
        variant,
        artifact: None,
    };
    let is_of_task = |variant: &&Variant| variant.task.kind() == task;
    let found: Vec<Named> = zoo.variants.iter().filter(is_of_task).map(named).collect();
    match found.is_empty() {
        false => Ok(found),
        true => {
            let what = format!("the manifest has no {}", word(task));
            Err(Failure::new(Exit::NotFound, what).help("`zoo list` shows the variants; `all` selects them"))
        }
    }
}

/// Returns the names of the selected variants in the manifest's order, each once.
///
/// # Errors
/// If a selector matches no variant, or a name stands for several.
pub(crate) fn matching(zoo: &Zoo, selectors: &[Selector]) -> Result<Vec<String>, Failure> {
    let mut chosen = Vec::new();
    for selector in selectors {
        let named = selector.choose(zoo)?;
        chosen.extend(named.iter().map(|named| named.variant.name.as_str()));
    }
    let names = zoo.variants.iter().map(|variant| variant.name.as_str());
    Ok(names
        .filter(|name| chosen.contains(name))
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;

    #[test]
    fn names_and_patterns_mean_the_same_variants_in_any_case() {
        let cx = Context::embedded();
        let zoo = cx.zoo().expect("valid");
        let names = |text: &str| -> Vec<String> {
            let selectors: Vec<Selector> = text
                .split(',')
                .map(|one| one.parse().expect("readable"))
                .collect();
            matching(zoo, &selectors).expect("there are some")
        };
        assert_eq!(names("all"), names("*"));
        assert_eq!(names("all"), names("classifiers,poses"));
        assert_eq!(names("poses"), names("pose_*"));
        assert!(names("classifiers").contains(&"hrnet_w18_small".to_owned()));
        assert_eq!(
            names("pose_hrnet_w48_*,w18"),
            names("w18,pose_hrnet_w48_*"),
            "tasks can be mixed"
        );
        assert_eq!(names("*_SSLD"), names("*_ssld"));
        assert_eq!(
            names("w48,W18,hrnet_w18.ms_in1k"),
            ["HRNet_W18_C", "HRNet_W48_C"],
            "in the manifest's order, each once"
        );
        assert_eq!(names("hrnet_w18_small*").len(), 4);
        assert_eq!(
            names("W18*"),
            names("hrnet_w18*"),
            "short names are names, as they are without wildcards"
        );
        let by_alias: Selector = "*w4?.ms_in1k".parse().expect("a pattern");
        let chosen = by_alias.choose(zoo).expect("there are some");
        let sources: Vec<(&str, Option<&str>)> = chosen
            .iter()
            .map(|named| {
                let source = named.artifact.map(|artifact| artifact.id.as_str());
                (named.variant.name.as_str(), source)
            })
            .collect();
        assert_eq!(
            sources,
            [
                ("HRNet_W40_C", Some("ms")),
                ("HRNet_W44_C", Some("ms")),
                ("HRNet_W48_C", Some("ms"))
            ]
        );
        let chosen = Selector::Name("hrnet_w18.ms_in1k".into())
            .choose(zoo)
            .expect("there");
        assert_eq!(
            chosen[0].artifact.map(|artifact| artifact.id.as_str()),
            Some("ms")
        );
        let none: Selector = "HRNet_W19*".parse().expect("a pattern");
        let failure = none.choose(zoo).expect_err("fits nothing");
        assert!(failure.help.is_some_and(|help| help.contains("HRNet_W18_C")));
        assert!("HRNet_W[".parse::<Selector>().is_err());
        let task: Selector = POSES.parse().expect("a word");
        assert_eq!(task.to_string(), POSES);
        let mut alone = zoo.clone();
        alone.variants.retain(Variant::is_classifier);
        let failure = task.choose(&alone).expect_err("none");
        assert_eq!(failure.message, "the manifest has no poses");
    }
}
