//! What went wrong in a run of downloads: a line for each server and cause, for one server may have all the files.

use std::collections::{BTreeMap, BTreeSet};

use harness::counted;
use registry::FetchError;

/// Files that are named in a line; more are counted.
const NAMED: usize = 3;

/// What to do about servers that cannot be reached.
const UNREACHABLE: &str = "`zoo links` says which URLs answer; HTTPS_PROXY names a proxy, `--mirror DIR|URL` another place, and \
                           `--offline --mirror DIR` needs no network";

/// What to do about files that may not be downloaded.
const OFFLINE: &str = "without --offline they are downloaded; `--mirror DIR` needs no network";

/// Failures of sources, by file.
#[derive(Default)]
pub(super) struct Failures {
    /// Files by what many of them may have in common.
    common: BTreeMap<Cause, BTreeSet<usize>>,
    /// What was wrong with what other sources of a file had.
    others: BTreeMap<usize, Vec<String>>,
}

/// What many files may fail by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cause {
    text: String,
    advice: &'static str,
}

impl Cause {
    /// The cause of an error that says nothing of its file.
    fn of(error: &FetchError) -> Option<Self> {
        if let FetchError::Offline { cache, .. } = error {
            return Some(Self {
                text: format!("not in the cache {}, and offline", cache.display()),
                advice: OFFLINE,
            });
        }
        let (server, reason) = error.server()?;
        Some(Self {
            text: format!("{server}: {reason}"),
            advice: UNREACHABLE,
        })
    }
}

impl Failures {
    /// Takes note of a source that failed, or of a file that has none.
    pub(super) fn add(&mut self, file: usize, error: &FetchError) {
        match Cause::of(error) {
            Some(cause) => {
                self.common.entry(cause).or_default().insert(file);
            }
            None => self.others.entry(file).or_default().push(error.to_string()),
        }
    }

    /// What was wrong with sources of a file that came from another one at last, apart from servers that failed.
    pub(super) fn of_file(&self, file: usize) -> &[String] {
        self.others.get(&file).map_or(&[], Vec::as_slice)
    }

    /// Whether an error says nothing but causes that are told of once, for all their files.
    pub(super) fn tells(error: &FetchError) -> bool {
        match error {
            FetchError::Sources { failures, .. } => failures.iter().all(|one| Cause::of(one).is_some()),
            error => Cause::of(error).is_some(),
        }
    }

    /// A line for each cause, and what to do if one of its files is missing.
    pub(super) fn lines(&self, names: &[String], missing: &BTreeSet<usize>) -> Vec<Line> {
        let line = |(cause, files): (&Cause, &BTreeSet<usize>)| {
            let named: Vec<&str> = files.iter().map(|file| names[*file].as_str()).collect();
            let files_text = match named.len() {
                ..=NAMED => named.join(", "),
                many => counted(many, "file"),
            };
            Line {
                text: format!("{}: {files_text}", cause.text),
                advice: (!files.is_disjoint(missing)).then_some(cause.advice),
            }
        };
        self.common.iter().map(line).collect()
    }
}

/// One cause, with its files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// What to do; nothing where all of its files came from elsewhere.
    pub(super) advice: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_of_once_for_each_cause() {
        let mut failures = Failures::default();
        let refused = |file: usize, host: &str, reason: &str| FetchError::Network {
            url: format!("https://{host}/{file}.pth"),
            reason: reason.into(),
        };
        for file in 0..5 {
            failures.add(file, &refused(file, "a.example:8443", "refused"));
        }
        failures.add(1, &refused(1, "b.example", "404 Not Found"));
        failures.add(2, &refused(2, "b.example", "refused"));
        let names: Vec<String> = (0..5).map(|file| format!("net{file} x")).collect();
        let lines = failures.lines(&names, &BTreeSet::from([0, 2]));
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "a.example:8443: refused: 5 files",
                "b.example: 404 Not Found: net1 x",
                "b.example: refused: net2 x"
            ]
        );
        let advice: Vec<bool> = lines.iter().map(|line| line.advice.is_some()).collect();
        assert_eq!(advice, [true, false, true]);
        let sources = FetchError::Sources {
            url: "https://a.example/0.pth".into(),
            failures: vec![
                refused(0, "a.example", "refused"),
                refused(0, "b.example", "refused"),
            ],
        };
        assert!(Failures::tells(&sources));
        let wrong = FetchError::NotPinned { url: "u".into() };
        assert!(!Failures::tells(&wrong));
    }
}
