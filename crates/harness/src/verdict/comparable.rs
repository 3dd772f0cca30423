//! Tells if two records are of the same thing, and what differs if not.

use super::Repeat;
use crate::{Case, Machine, NetworkCase};

/// The difference that makes the times of two repeats of a case incomparable; `None` if there is none.
pub(super) fn difference(before: &Repeat, now: &Repeat) -> Option<String> {
    let (old, new) = (&before.provenance, &now.provenance);
    let facts = [
        (
            "weights",
            weights(&old.weights).to_owned(),
            weights(&new.weights).to_owned(),
        ),
        ("build", last(&old.build).to_owned(), last(&new.build).to_owned()),
        (
            "vector unit",
            unit(&old.backend).to_owned(),
            unit(&new.backend).to_owned(),
        ),
        ("way of measuring", way(before).to_owned(), way(now).to_owned()),
    ];
    let found = machine(&old.machine, &new.machine);
    let other = facts.into_iter().find(|(_, old, new)| old != new);
    found.or_else(|| other.map(|(name, old, new)| told(name, &old, &new)))
}

/// The difference between two machines. Installed memory does not count: virtual machines get a little more or less.
pub(super) fn machine(before: &Machine, now: &Machine) -> Option<String> {
    if before.cpu != now.cpu || before.os != now.os {
        let name = |machine: &Machine| format!("{}, {}", machine.cpu, machine.os);
        return Some(told("machine", &name(before), &name(now)));
    }
    if before.threads != now.threads {
        let threads = |machine: &Machine| machine.threads.to_string();
        return Some(told("the machine's threads", &threads(before), &threads(now)));
    }
    if before.cpu_features != now.cpu_features {
        let features = |machine: &Machine| machine.cpu_features.join(" ");
        return Some(told("instruction sets", &features(before), &features(now)));
    }
    if let (Some(old), Some(new)) = (&before.governor, &now.governor)
        && old != new
    {
        return Some(told("frequency governor", old, new));
    }
    None
}

/// The difference between a case that is in one set only and its nearest in the other set only.
pub(super) fn near<'a>(case: &Case, others: impl Iterator<Item = &'a Case>) -> Option<String> {
    let this = case.network()?;
    let same = |other: &&NetworkCase| {
        other.variant == this.variant && other.batch == this.batch && other.backend == this.backend
    };
    let mut differences: Vec<Vec<String>> = others
        .filter_map(Case::network)
        .filter(same)
        .map(|other| {
            let axes = [
                ("threads", this.threads.to_string(), other.threads.to_string()),
                ("size", this.crop.to_string(), other.crop.to_string()),
                (
                    "precision",
                    this.precision.to_string(),
                    other.precision.to_string(),
                ),
            ];
            axes.into_iter()
                .filter(|(_, this, other)| this != other)
                .map(|(name, this, other)| format!("{name} {other}, not {this}"))
                .collect()
        })
        .collect();
    differences.sort_by_key(Vec::len);
    differences.first().map(|axes| axes.join("; "))
}

/// A fact that differs, in words.
pub(super) fn told(name: &str, before: &str, now: &str) -> String {
    let word = |text: &str| if text.is_empty() { "unknown" } else { text }.to_owned();
    format!("{name}: {} before, {} now", word(before), word(now))
}

/// The kind of weights: files of one network take as long as each other.
fn weights(about: &str) -> &str {
    match about {
        "" => "none",
        about if about.starts_with("seeded:") => "seeded",
        _ => "from a file",
    }
}

/// The profile that ends [`crate::Provenance::build`].
fn last(build: &str) -> &str {
    build.rsplit(", ").next().unwrap_or("")
}

/// The vector unit that ends [`crate::Provenance::backend`], where one does.
fn unit(backend: &str) -> &str {
    backend.rsplit_once(", on ").map_or("", |(_, unit)| unit)
}

fn way(repeat: &Repeat) -> &'static str {
    if repeat.raced {
        "in turns with others"
    } else {
        "alone"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    fn repeat(change: impl FnOnce(&mut Repeat)) -> Repeat {
        let case = "HRNet_W18_C/f32/bs1/crop224/cpu/t1".parse().expect("a case");
        let record = Record::new(case, String::new(), Ok(vec![1]), crate::Provenance::default());
        let mut repeat = Repeat::from(&record);
        repeat.provenance.weights = "seeded:0".into();
        repeat.provenance.build = "rustc 1.95.0 (abc, of a day), x86_64-unknown-linux-gnu, release".into();
        repeat.provenance.backend = "fused f32, with Winograd, on avx512".into();
        repeat.provenance.machine.cpu = "AMD EPYC".into();
        repeat.provenance.machine.threads = 2;
        change(&mut repeat);
        repeat
    }

    #[test]
    fn what_matters_is_told_and_nothing_else() {
        let before = repeat(|_| {});
        type Change = fn(&mut Repeat);
        let cases: [(&str, Change); 7] = [
            ("machine: AMD EPYC,", |r| {
                r.provenance.machine.cpu = "Intel".into();
            }),
            ("threads: 2 before, 4 now", |r| r.provenance.machine.threads = 4),
            ("instruction sets: unknown before, avx2 now", |r| {
                r.provenance.machine.cpu_features = vec!["avx2".into()];
            }),
            ("weights: seeded before, from a file now", |r| {
                r.provenance.weights = "w18.pth".into();
            }),
            ("build: release before, debug now", |r| {
                r.provenance.build = "rustc 1.95.0, x86_64-unknown-linux-gnu, debug".into();
            }),
            ("vector unit: avx512 before, avx2 now", |r| {
                r.provenance.backend = "fused f32, with Winograd, on avx2".into();
            }),
            ("alone before, in turns with others now", |r| r.raced = true),
        ];
        for (expected, change) in cases {
            let found = difference(&before, &repeat(change)).expect(expected);
            assert!(found.contains(expected), "{found}");
        }
        let alike = repeat(|r| {
            r.provenance.weights = "seeded:7".into();
            r.provenance.build = "rustc 1.96.0, x86_64-unknown-linux-gnu, release".into();
            r.provenance.machine.memory_bytes = 1;
        });
        assert_eq!(
            difference(&before, &alike),
            None,
            "a compiler's effect is what is asked"
        );
    }

    #[test]
    fn the_nearest_of_other_cases_is_named() {
        let case = |id: &str| id.parse::<Case>().expect(id);
        let this = case("HRNet_W18_C/f32/bs1/crop224/cpu/t1");
        let others = [
            "HRNet_W18_C/f32/bs1/crop288/cpu/t2",
            "HRNet_W18_C/f32/bs1/crop224/cpu/t2",
        ]
        .map(case);
        assert_eq!(near(&this, others.iter()).as_deref(), Some("threads 2, not 1"));
        let far = [
            case("HRNet_W18_C/f32/bs4/crop224/cpu/t1"),
            case("preprocess/decode"),
        ];
        assert_eq!(near(&this, far.iter()), None);
        assert_eq!(near(&case("preprocess/decode"), others.iter()), None);
    }
}
