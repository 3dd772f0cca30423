//! The choice of the network's weights among the dictionaries of tensors in a file: a training run saves averages of its
//! weights, its optimizer and single figures beside them.
//!
//! Taken is, in this order: a set with the names of a known scheme, before others; one that is not an optimizer's or a
//! criterion's; what was trained before averages of it (`ema`, `swa`) and teachers; the file's own dictionary before
//! `state_dict`, `model`, `model_state_dict` and so on; the one with the most tensors; the first in the file.

use crate::naming;

/// A dictionary of tensors in a file.
pub(crate) struct Group<'a> {
    /// The keys that lead to it; none to the file's own dictionary.
    pub(crate) path: Vec<String>,
    /// The identity by which two are one and the same.
    pub(crate) source: usize,
    /// The names of its tensors.
    pub(crate) names: &'a [&'a str],
}

/// The set of tensors that is taken.
#[derive(Debug)]
pub(crate) struct Choice {
    /// The index of its group.
    pub(crate) group: usize,
    /// The part of the group's tensors that are in it.
    pub(crate) part: Part,
    /// Its key in `FILE#KEY`; `None` if the file holds only one dictionary, its own.
    pub(crate) key: Option<String>,
    /// The keys of others that might be meant.
    pub(crate) others: Vec<String>,
}

/// The tensors of a dictionary whose names begin alike, where it holds several networks side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    prefix: String,
    /// Longer beginnings, which are parts of their own.
    without: Vec<String>,
}

impl Part {
    /// Returns true if a tensor of this name is in it.
    pub(crate) fn has(&self, name: &str) -> bool {
        name.starts_with(&self.prefix) && !self.without.iter().any(|prefix| name.starts_with(prefix))
    }
}

/// No set is of the name that was asked for.
#[derive(Debug)]
pub(crate) struct Unfound {
    /// The names there are.
    pub(crate) known: Vec<String>,
}

/// The key of the file's own dictionary in `FILE#KEY`.
const OWN: &str = ".";
/// The keys under which training scripts put the weights, the likeliest first.
const WRAPPERS: [&str; 10] = [
    "state_dict",
    "model",
    "model_state_dict",
    "net",
    "network",
    "module",
    "student",
    "weights",
    "params",
    "backbone",
];
/// Words of keys under which averages and teachers are.
const AVERAGES: [&str; 8] = [
    "ema", "swa", "avg", "averaged", "average", "teacher", "shadow", "momentum",
];
/// Beginnings of such words under which other tensors of a training run are.
const COMPANIONS: [&str; 7] = [
    "optim",
    "opt",
    "sched",
    "scaler",
    "criterion",
    "loss",
    "discriminator",
];
/// The most sets that an error or a note names.
const LISTED: usize = 12;

/// A set that may be meant.
struct Candidate {
    group: usize,
    source: usize,
    part: Part,
    key: String,
    rank: Rank,
}

/// The rank of a set: the lowest is taken, by the rule above.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_of_no_scheme: bool,
    is_companion: bool,
    is_average: bool,
    wrapper: usize,
    fewer: std::cmp::Reverse<usize>,
    order: usize,
}

/// The set that is asked for, or the likeliest; `None` if there is none at all.
///
/// # Errors
/// If none has the name that is asked for.
pub(crate) fn choose(groups: &[Group], wanted: Option<&str>) -> Result<Option<Choice>, Unfound> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        candidates.extend(candidates_of(index, group));
    }
    candidates.sort_by(|a, b| a.rank.cmp(&b.rank));
    let taken = match wanted {
        None => candidates.first(),
        Some(wanted) => Some(find(&candidates, wanted).ok_or_else(|| {
            Unfound {
                known: candidates
                    .iter()
                    .take(LISTED)
                    .map(|candidate| candidate.key.clone())
                    .collect(),
            }
        })?),
    };
    let Some(taken) = taken else {
        return Ok(None);
    };
    let is_other = |other: &&Candidate| {
        (other.source, &other.part) != (taken.source, &taken.part)
            && !other.rank.is_companion
            && (!other.rank.is_of_no_scheme || taken.rank.is_of_no_scheme)
    };
    let others: Vec<String> = candidates
        .iter()
        .filter(is_other)
        .take(LISTED)
        .map(|candidate| candidate.key.clone())
        .collect();
    Ok(Some(Choice {
        group: taken.group,
        part: taken.part.clone(),
        key: (taken.key != OWN || !others.is_empty()).then(|| taken.key.clone()),
        others,
    }))
}

/// The candidate of this key, written with slashes or dots; or the only one whose key ends so; or the likeliest within.
fn find<'c>(candidates: &'c [Candidate], wanted: &str) -> Option<&'c Candidate> {
    let exact = candidates
        .iter()
        .find(|candidate| candidate.key == wanted || candidate.key.replace('/', ".") == wanted);
    let ends = |candidate: &&Candidate| candidate.key.rsplit('/').next() == Some(wanted);
    let mut ending = candidates.iter().filter(ends);
    let only = match (ending.next(), ending.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    };
    let within = || {
        let folder = format!("{}/", wanted.replace('.', "/"));
        candidates
            .iter()
            .find(|candidate| candidate.key.replace('.', "/").starts_with(&folder))
    };
    exact.or(only).or_else(within)
}

/// The sets in a dictionary: itself, or as many as there are networks in it side by side.
fn candidates_of(index: usize, group: &Group) -> Vec<Candidate> {
    let prefixes: Vec<String> = naming::schemes(group.names)
        .into_iter()
        .map(|scheme| scheme.prefix)
        .collect();
    let candidate = |part: Part, keys: &[String]| Candidate {
        group: index,
        source: group.source,
        rank: rank(
            keys,
            group.names.iter().filter(|name| part.has(name)).count(),
            !prefixes.is_empty(),
            index,
        ),
        key: if keys.is_empty() {
            OWN.to_owned()
        } else {
            keys.join("/")
        },
        part,
    };
    if prefixes.len() < 2 {
        return vec![candidate(Part::default(), &group.path)];
    }
    prefixes
        .iter()
        .map(|prefix| {
            let part = Part {
                prefix: prefix.clone(),
                without: prefixes
                    .iter()
                    .filter(|other| other.len() > prefix.len() && other.starts_with(prefix.as_str()))
                    .cloned()
                    .collect(),
            };
            let own = prefix
                .split('.')
                .filter(|word| !word.is_empty())
                .map(str::to_owned);
            let keys: Vec<String> = group.path.iter().cloned().chain(own).collect();
            candidate(part, &keys)
        })
        .collect()
}

fn rank(keys: &[String], tensors: usize, is_of_scheme: bool, order: usize) -> Rank {
    let words = || {
        keys.iter()
            .flat_map(|key| key.split(|c: char| !c.is_ascii_alphanumeric()))
            .map(str::to_ascii_lowercase)
    };
    let wrapper = match keys.last() {
        None => 0,
        Some(key) => {
            let place = WRAPPERS.iter().position(|wrapper| wrapper == key);
            1 + place.unwrap_or(WRAPPERS.len())
        }
    };
    Rank {
        is_of_no_scheme: !is_of_scheme,
        is_companion: words().any(|word| COMPANIONS.iter().any(|companion| word.starts_with(companion))),
        is_average: words().any(|word| AVERAGES.contains(&word.as_str())),
        // Where no names tell, the size does.
        wrapper: if is_of_scheme { wrapper } else { 0 },
        fewer: std::cmp::Reverse(tensors),
        order,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEIGHTS: [&str; 2] = ["conv1.weight", "bn1.weight"];

    fn group<'a>(path: &[&str], source: usize, names: &'a [&'a str]) -> Group<'a> {
        Group {
            path: path.iter().map(|key| (*key).to_owned()).collect(),
            source,
            names,
        }
    }

    fn taken(groups: &[Group], wanted: Option<&str>) -> (Option<String>, Vec<String>) {
        let choice = choose(groups, wanted).expect("a set").expect("one at least");
        (choice.key, choice.others)
    }

    #[test]
    fn a_files_own_dictionary_has_no_name() {
        assert_eq!(taken(&[group(&[], 0, &WEIGHTS)], None), (None, vec![]));
        assert_eq!(taken(&[group(&[], 0, &WEIGHTS)], Some(".")), (None, vec![]));
        assert!(choose(&[], None).expect("nothing asked for").is_none());
    }

    #[test]
    fn figures_beside_the_weights_are_not_taken_for_them() {
        let groups = [group(&[], 0, &["best_acc1"]), group(&["state_dict"], 1, &WEIGHTS)];
        assert_eq!(taken(&groups, None), (Some("state_dict".into()), vec![]));
        // Without known names the larger set is likelier, but not an optimizer's.
        let groups = [
            group(&[], 0, &["perf"]),
            group(&["net"], 1, &["a", "b"]),
            group(
                &["optimizer", "state", "0"],
                2,
                &["exp_avg", "exp_avg_sq", "step"],
            ),
        ];
        assert_eq!(taken(&groups, None), (Some("net".into()), vec![".".into()]));
    }

    #[test]
    fn averages_and_teachers_come_behind_what_was_trained() {
        for (average, trained) in [
            ("state_dict_ema", "state_dict"),
            ("model_ema", "model"),
            ("ema", "whatever"),
            ("teacher", "student"),
            ("swa_model", "net"),
        ] {
            let groups = [group(&[average], 0, &WEIGHTS), group(&[trained], 1, &WEIGHTS)];
            assert_eq!(taken(&groups, None), (Some(trained.into()), vec![average.into()]));
            assert_eq!(
                taken(&groups, Some(average)),
                (Some(average.into()), vec![trained.into()])
            );
        }
    }

    #[test]
    fn one_dictionary_under_two_names_is_one_set() {
        let groups = [
            group(&["model"], 0, &WEIGHTS),
            group(&["state_dict"], 0, &WEIGHTS),
        ];
        assert_eq!(taken(&groups, None), (Some("state_dict".into()), vec![]));
        assert_eq!(taken(&groups, Some("model")), (Some("model".into()), vec![]));
    }

    #[test]
    fn networks_side_by_side_in_one_dictionary_are_sets_of_their_own() {
        let names = [
            "student.conv1.weight",
            "student.a",
            "teacher.conv1.weight",
            "center",
        ];
        let groups = [group(&["state_dict"], 0, &names)];
        assert_eq!(
            taken(&groups, None),
            (
                Some("state_dict/student".into()),
                vec!["state_dict/teacher".into()]
            )
        );
        let teacher = choose(&groups, Some("teacher"))
            .expect("a set")
            .expect("one")
            .part;
        assert_eq!(names.map(|name| teacher.has(name)), [false, false, true, false]);
        // What has no beginning is what is left.
        let names = ["conv1.weight", "ema.conv1.weight"];
        let own = choose(&[group(&[], 0, &names)], None)
            .expect("a set")
            .expect("one");
        assert_eq!(
            (own.key.as_deref(), own.others.as_slice()),
            (Some("."), ["ema".to_owned()].as_slice())
        );
        assert_eq!(names.map(|name| own.part.has(name)), [true, false]);
    }

    #[test]
    fn keys_are_written_with_slashes_or_dots_or_by_their_end() {
        let groups = [
            group(&["checkpoint", "model"], 0, &WEIGHTS),
            group(&["checkpoint", "model_ema"], 1, &WEIGHTS),
        ];
        for key in ["checkpoint/model_ema", "checkpoint.model_ema", "model_ema"] {
            assert_eq!(
                taken(&groups, Some(key)).0.as_deref(),
                Some("checkpoint/model_ema")
            );
        }
        // Of what is within a key the likeliest is taken.
        assert_eq!(
            taken(&groups, Some("checkpoint")).0.as_deref(),
            Some("checkpoint/model")
        );
        let unfound = choose(&groups, Some("ema")).expect_err("no such set");
        assert_eq!(unfound.known, ["checkpoint/model", "checkpoint/model_ema"]);
    }
}
