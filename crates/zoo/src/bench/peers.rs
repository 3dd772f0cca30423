use std::ffi::OsString;
use std::time::Duration;

use harness::Budget;
use hrnet::Precision;

use super::race::{Heat, entrants, overview, usual};
use super::{BATCHES, Workshop, all_threads};
use crate::Failure;
use crate::context::Context;
use crate::peers::installed;

/// The variable that picks the cells of `cargo bench`: `full` for all of them.
const SELECTION: &str = "ZOO_BENCH";

/// True if all cells are requested.
#[expect(clippy::disallowed_methods, reason = "`cargo bench` has no options of ours")]
pub(super) fn is_full() -> bool {
    std::env::var_os(SELECTION).is_some_and(|choice| choice == "full")
}

/// The networks that are raced unless others are named.
pub(crate) const NETWORKS: [&str; 4] = ["HRNet_W18_C", "HRNet_W32_C", "HRNet_W48_C", "HRNet_W64_C"];

/// Advice if no peer is installed.
pub(crate) const ADVICE: &str = "no other engine is installed: `zoo peers install` brings them, by Python's pip, into the cache or $ZOO_PEERS";

/// The races of `cargo bench --bench peers`: four networks at batch 1, on one thread and on all; with
/// `ZOO_BENCH=full` at batches 1, 4 and 8. `--test` runs each engine once on the smallest, a filter picks races.
///
/// # Panics
/// If our own engine fails, or gives a wrong answer.
pub fn peers() {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let wish = Wish::of(arguments.iter().filter_map(|argument| argument.to_str()));
    let cx = Context::embedded();
    cx.use_costs();
    race(&cx, &wish).unwrap_or_else(|failure| panic!("{}", failure.message));
}

fn race(cx: &Context, wish: &Wish) -> Result<(), Failure> {
    let heats = heats(cx, wish)?;
    if wish.list {
        let ids: Vec<String> = heats
            .iter()
            .map(|heat| format!("{}: benchmark", heat.id()))
            .collect();
        return cx.out.data(&ids.join("\n"));
    }
    if installed(cx, true).is_empty() {
        cx.out.warn(ADVICE);
    }
    let workshop = Workshop::new(cx, None);
    let mut standings = Vec::new();
    for heat in &heats {
        let standing = heat.run(&workshop, wish.budget(), None)?;
        cx.out.data(&format!("{}\n", standing.text()))?;
        assert!(
            !standing.ours_failed(),
            "{}: our own engine failed, see above",
            heat.id()
        );
        standings.push(standing);
    }
    if standings.len() > 1 {
        cx.out.data(&overview(&standings))?;
    }
    Ok(())
}

fn heats(cx: &Context, wish: &Wish) -> Result<Vec<Heat>, Failure> {
    let peers = installed(cx, !wish.test);
    let full = is_full() && !wish.test;
    let mut threads = vec![1, all_threads()];
    threads.dedup();
    let mut heats = Vec::new();
    for variant in NETWORKS {
        for batch in if full { BATCHES.to_vec() } else { vec![1] } {
            let engines = entrants(Precision::F32, &usual(Precision::F32, batch, &peers))?;
            heats.extend(threads.iter().map(|threads| Heat {
                variant: variant.to_owned(),
                precision: Precision::F32,
                batch,
                threads: *threads,
                engines: engines.clone(),
            }));
        }
    }
    if wish.test {
        heats.truncate(1);
    }
    let filter = wish.filter.as_ref();
    heats.retain(|heat| filter.is_none_or(|filter| heat.id().contains(filter)));
    Ok(heats)
}

/// The options on the command line of `cargo bench`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    test: bool,
    list: bool,
    filter: Option<String>,
}

impl Wish {
    /// Options of criterion's other suites are passed over, with their values.
    fn of<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut wish = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument {
                "--test" => wish.test = true,
                "--list" => wish.list = true,
                "--bench" | "--exact" | "--quick" | "--quiet" | "--verbose" | "--noplot" | "-n" => {}
                option if option.starts_with('-') && !option.contains('=') => {
                    arguments.next();
                }
                option if option.starts_with('-') => {}
                filter => wish.filter = Some(filter.to_owned()),
            }
        }
        wish
    }

    fn budget(&self) -> Budget {
        if self.test {
            return Budget {
                warm_up: 0,
                min_samples: 1,
                max_samples: 1,
                time: Duration::ZERO,
            };
        }
        Budget {
            warm_up: 0,
            time: Duration::from_secs(5),
            ..Budget::RACE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_other_suites_are_passed_over() {
        let wish = |line: &str| Wish::of(line.split_whitespace());
        assert_eq!(wish("--bench"), Wish::default());
        assert!(wish("--test --bench").test && wish("--list").list);
        assert_eq!(
            wish("--bench --save-baseline before HRNet_W18").filter.as_deref(),
            Some("HRNet_W18")
        );
        assert_eq!(
            wish("--save-baseline=before --noplot bs4").filter.as_deref(),
            Some("bs4")
        );
        assert_eq!(wish("--save-baseline before").filter, None);
    }

    #[test]
    fn a_test_is_one_heat_and_a_filter_picks_some() {
        let cx = Context::embedded();
        let ids = |wish: Wish| -> Vec<String> {
            let heats = heats(&cx, &wish).expect("known engines");
            heats.iter().map(Heat::id).collect()
        };
        let test = Wish {
            test: true,
            ..Wish::default()
        };
        assert_eq!(ids(test), ["HRNet_W18_C/f32/bs1/t1"]);
        let filtered = Wish {
            filter: Some("W48_C/f32/bs1/t1".into()),
            ..Wish::default()
        };
        assert_eq!(ids(filtered)[0], "HRNet_W48_C/f32/bs1/t1");
    }
}
