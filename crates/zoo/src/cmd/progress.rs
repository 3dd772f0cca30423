//! Reports the progress of downloads: bars on a terminal, lines of JSON for programs, otherwise lines of text.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use registry::{Event, FetchError, Fetched, Voucher, Watch};
use serde::Serialize;

use super::failures::Failures;
use super::files::File;
use crate::context::Context;
use crate::output::Output;
use crate::{Exit, Failure};

/// Interval between two progress lines for programs.
const EVERY: Duration = Duration::from_millis(500);

/// One run's progress.
pub(crate) struct Teller<'a> {
    out: &'a Output,
    files: &'a [File<'a>],
    json: bool,
    bars: Option<Bars>,
    state: Mutex<Vec<FileState>>,
    failures: Mutex<Failures>,
    /// Files that could not be downloaded.
    missing: Mutex<BTreeSet<usize>>,
}

#[derive(Clone, Default)]
struct FileState {
    done: u64,
    total: Option<u64>,
    told: Option<Instant>,
}

struct Bars {
    group: MultiProgress,
    total: ProgressBar,
    files: Vec<ProgressBar>,
}

/// One line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    variant: &'a str,
    source: &'a str,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Asking {
        from: &'a str,
    },
    Progress {
        bytes: u64,
        total_bytes: Option<u64>,
        all_bytes: u64,
        all_total_bytes: Option<u64>,
    },
    Failed {
        from: Option<&'a str>,
        error: String,
        pause_ms: Option<u128>,
    },
    Done {
        url: &'a str,
        path: Option<String>,
        bytes: Option<u64>,
        sha256: Option<String>,
        downloaded: bool,
        from: Option<&'a str>,
        newly_pinned: bool,
        vouched_by: Option<Voucher>,
        error: Option<String>,
    },
}

impl<'a> Teller<'a> {
    pub(crate) fn new(cx: &'a Context, files: &'a [File<'a>], json: bool) -> Self {
        let bars = (!json && cx.out.shows_progress()).then(|| Bars::new(files));
        Self {
            out: &cx.out,
            files,
            json,
            bars,
            state: Mutex::new(vec![FileState::default(); files.len()]),
            failures: Mutex::default(),
            missing: Mutex::default(),
        }
    }

    /// Reports the servers that failed, and returns advice if a file is missing because of one.
    pub(crate) fn end(&self) -> Option<&'static str> {
        if self.json {
            return None;
        }
        let names: Vec<String> = (0..self.files.len()).map(|file| self.name(file)).collect();
        let lines = self.failures().lines(&names, &lock(&self.missing));
        for line in &lines {
            self.say(|| match line.advice {
                None => self
                    .out
                    .warn(&format!("{}; downloaded from another source", line.text)),
                Some(_) => self.out.failure(&Failure::new(Exit::Network, &line.text)),
            });
        }
        lines.iter().find_map(|line| line.advice)
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        lock(&self.failures)
    }

    fn progress(&self, file: usize, done: u64, total: Option<u64>) {
        let mut state = lock(&self.state);
        let FileState { told, .. } = state[file];
        let due = told.is_none_or(|told| told.elapsed() > EVERY) || Some(done) == total;
        let told = if due { Some(Instant::now()) } else { told };
        state[file] = FileState { done, total, told };
        let all = state.iter().map(|file| file.done).sum();
        let totals: Option<Vec<u64>> = state.iter().map(|file| file.total).collect();
        let all_total = totals.map(|totals| totals.iter().sum());
        drop(state);
        if let Some(bars) = &self.bars {
            bars.show(file, done, total, all, all_total);
        }
        if self.json && due {
            self.line(
                file,
                "progress",
                What::Progress {
                    bytes: done,
                    total_bytes: total,
                    all_bytes: all,
                    all_total_bytes: all_total,
                },
            );
        }
    }

    fn line(&self, file: usize, event: &'static str, what: What<'_>) {
        let (variant, artifact) = self.files[file];
        // A reader that is gone is told of at the end of the run.
        let _ = self.out.json_line(&Line {
            event,
            variant: &variant.name,
            source: &artifact.id,
            what,
        });
    }

    fn say(&self, say: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.group.suspend(say),
            None => say(),
        }
    }

    fn name(&self, file: usize) -> String {
        let (variant, artifact) = self.files[file];
        format!("{} {}", variant.name, artifact.id)
    }

    fn failed(
        &self,
        file: usize,
        event: &'static str,
        from: Option<&str>,
        error: &FetchError,
        pause: Option<Duration>,
    ) {
        if self.json {
            let (error, pause_ms) = (error.to_string(), pause.map(|pause| pause.as_millis()));
            return self.line(
                file,
                event,
                What::Failed {
                    from,
                    error,
                    pause_ms,
                },
            );
        }
        let again = match pause {
            Some(pause) => format!("; again in {:.1} s", pause.as_secs_f64()),
            None => {
                self.failures().add(file, error);
                String::new()
            }
        };
        let name = self.name(file);
        self.say(|| self.out.detail(&format!("{name}: {error}{again}")));
    }

    fn done(&self, file: usize, result: &Result<Fetched, FetchError>) {
        if let Some(bars) = &self.bars {
            bars.files[file].finish_and_clear();
        }
        let fetched = result.as_ref().ok();
        if let Err(error) = result {
            lock(&self.missing).insert(file);
            if matches!(error, FetchError::Offline { .. }) {
                self.failures().add(file, error);
            }
        }
        if self.json {
            return self.line(
                file,
                "done",
                What::Done {
                    url: &self.files[file].1.url,
                    // JSON is text: no path is better than another's.
                    path: fetched.and_then(|fetched| Some(fetched.file.path.to_str()?.to_owned())),
                    bytes: fetched.map(|fetched| fetched.file.pin.bytes),
                    sha256: fetched.map(|fetched| fetched.file.pin.sha256.to_string()),
                    downloaded: fetched.is_some_and(|fetched| fetched.source.is_some()),
                    from: fetched.and_then(|fetched| fetched.source.as_deref()),
                    newly_pinned: fetched.is_some_and(|fetched| fetched.newly_pinned),
                    vouched_by: fetched.map(|fetched| fetched.file.voucher),
                    error: result.as_ref().err().map(ToString::to_string),
                },
            );
        }
        let name = self.name(file);
        self.say(|| match result {
            Ok(fetched) => {
                for wrong in self.failures().of_file(file) {
                    self.out.warn(&format!("{name}: {wrong}"));
                }
                let is_local = self.files[file].1.local.is_some();
                self.out.done(&format!("{name}: {}", summary(fetched, is_local)));
            }
            // Told at the end, with all files of that cause.
            Err(error) if Failures::tells(error) => {}
            Err(error) => self.out.failure(&Failure {
                message: format!("{name}: {error}"),
                ..Failure::from(error)
            }),
        });
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn summary(fetched: &Fetched, is_local: bool) -> String {
    let place = if is_local {
        "on this machine"
    } else {
        "in the cache"
    };
    let how = match (&fetched.source, fetched.newly_pinned) {
        (Some(source), true) => match fetched.file.voucher {
            Voucher::Publisher => {
                format!("downloaded from {source}, verified by the publisher's checksum and now pinned")
            }
            _ => format!("downloaded from {source}, trusted and now pinned"),
        },
        (Some(source), false) => format!("downloaded from {source} and verified"),
        (None, true) => format!("{place}, now pinned"),
        (None, false) => format!("{place}, verified"),
    };
    let pin = &fetched.file.pin;
    format!("{how} ({} bytes, sha256 {})", pin.bytes, pin.sha256)
}

impl Watch for Teller<'_> {
    fn happened(&self, file: usize, event: Event<'_>) {
        match event {
            Event::Waiting => {}
            Event::Asking { source } if self.json => self.line(file, "asking", What::Asking { from: source }),
            Event::Asking { source } => {
                let text = format!("{}: asking {source}", self.name(file));
                self.say(|| self.out.detail(&text));
            }
            Event::Progress { done, total } => self.progress(file, done, total),
            Event::Retrying { error, pause } => self.failed(file, "retrying", None, error, Some(pause)),
            Event::SourceFailed { source, error } => {
                self.failed(file, "source-failed", Some(source), error, None)
            }
            Event::Done { result } => self.done(file, result),
        }
    }
}

impl Bars {
    fn new(files: &[File<'_>]) -> Self {
        let style = |template| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let each = style("{msg:32}  {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        let group = MultiProgress::new();
        let bar = |(variant, artifact): &File<'_>| {
            let message = format!("{} {}", variant.name, artifact.id);
            ProgressBar::no_length()
                .with_message(message)
                .with_style(each.clone())
        };
        let total = ProgressBar::no_length().with_message("total");
        let total =
            group.add(total.with_style(style("{msg:32}  {bar:30} {bytes}/{total_bytes} {bytes_per_sec}")));
        Self {
            files: files.iter().map(bar).collect(),
            group,
            total,
        }
    }

    fn show(&self, file: usize, done: u64, total: Option<u64>, all: u64, all_total: Option<u64>) {
        let bar = &self.files[file];
        if bar.is_hidden() || bar.length().is_none() {
            self.group.insert_before(&self.total, bar.clone());
        }
        bar.set_length(total.unwrap_or(done));
        bar.set_position(done);
        self.total.set_length(all_total.unwrap_or(all));
        self.total.set_position(all);
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.total.finish_and_clear();
    }
}
