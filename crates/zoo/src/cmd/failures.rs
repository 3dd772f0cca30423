//! Failures of a run of downloads, one line per server and cause, because one server may have all the files.

use std::collections::{BTreeMap, BTreeSet};

use harness::counted;
use registry::FetchError;

/// The most files that a line names; more are only counted.
const NAMED: usize = 3;

/// Advice if servers cannot be reached.
const UNREACHABLE: &str = "`zoo links` shows which URLs answer; HTTPS_PROXY names a proxy, `--mirror DIR|URL` another place, and \
                           `--offline --mirror DIR` needs no network";

/// Advice if files may not be downloaded.
const OFFLINE: &str = "without --offline they are downloaded; `--mirror DIR` needs no network";

/// Failures of sources, by file.
#[derive(Default)]
pub(super) struct Failures {
    /// Files by a cause that many may share.
    common: BTreeMap<Cause, BTreeSet<usize>>,
    /// Failures of a file's sources that are not a server's.
    others: BTreeMap<usize, Vec<String>>,
}

/// A cause that many files may share.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cause {
    text: String,
    advice: &'static str,
}

impl Cause {
    /// Returns the cause of an error that is not specific to its file.
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
    /// Adds the failure of a source, or of a file without a source.
    pub(super) fn add(&mut self, file: usize, error: &FetchError) {
        match Cause::of(error) {
            Some(cause) => {
                self.common.entry(cause).or_default().insert(file);
            }
            None => self.others.entry(file).or_default().push(error.to_string()),
        }
    }

    /// Returns the failures, other than servers', of the sources of a file that another source finally had.
    pub(super) fn of_file(&self, file: usize) -> &[String] {
        self.others.get(&file).map_or(&[], Vec::as_slice)
    }

    /// Returns whether an error consists only of causes that are reported once for all their files.
    pub(super) fn tells(error: &FetchError) -> bool {
        match error {
            FetchError::Sources { failures, .. } => failures.iter().all(|one| Cause::of(one).is_some()),
            error => Cause::of(error).is_some(),
        }
    }

    /// Returns a line per cause, with advice if one of its files is missing.
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

/// A line about one cause and its files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// Advice; `None` if another source had all of the files.
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
