use std::fs;

use crate::machine::file;
use crate::{Canary, Conditions};

/// Watches what else the machine does from a moment on.
#[derive(Clone, Copy, Debug)]
pub struct Lookout {
    processors: Option<Processors>,
    /// Time that this process has had, in the same ticks.
    own: Option<u64>,
}

/// Time of all processors since the system's start, in the system's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Processors {
    count: u64,
    all: u64,
    /// Neither idle nor the host's.
    busy: u64,
    /// Time that the host gave to other guests.
    stolen: u64,
}

impl Lookout {
    /// Begins now, and with it the search for the most memory that is resident at once.
    pub fn begin() -> Self {
        // Linux forgets the peak so far; where it may not be asked to, the peak is the process's.
        #[expect(clippy::disallowed_methods, reason = "a question to the system, not a file")]
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self::now()
    }

    fn now() -> Self {
        Self {
            processors: file("/proc/stat").and_then(|text| processors(&text)),
            own: file("/proc/self/stat").and_then(|text| own(&text)),
        }
    }

    /// Returns the conditions since the beginning; `canary` was measured before and after.
    pub fn end(self, canary: [Canary; 2]) -> Conditions {
        let now = Self::now();
        let since = self
            .processors
            .zip(now.processors)
            .and_then(|(begin, end)| end.since(begin));
        let own = self
            .own
            .zip(now.own)
            .map(|(begin, end)| end.saturating_sub(begin));
        Conditions {
            canary,
            load: since
                .zip(own)
                .map(|(time, own)| time.share(time.busy.saturating_sub(own)) * time.count as f64),
            steal: since.map(|time| time.share(time.stolen)),
            peak_resident_bytes: file("/proc/self/status").and_then(|text| peak_resident(&text)),
        }
    }
}

impl Processors {
    /// The difference from an earlier reading; `None` if no time passed.
    fn since(self, begin: Self) -> Option<Self> {
        let all = self.all.checked_sub(begin.all).filter(|all| *all > 0)?;
        Some(Self {
            count: self.count,
            all,
            busy: self.busy.saturating_sub(begin.busy),
            stolen: self.stolen.saturating_sub(begin.stolen),
        })
    }

    fn share(self, time: u64) -> f64 {
        time as f64 / self.all as f64
    }
}

/// `/proc/stat` begins with the sums of user, nice, system, idle, iowait, irq, softirq and steal over all processors, whose
/// lines follow; guests' time is in user's already.
fn processors(stat: &str) -> Option<Processors> {
    let sums = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> = sums
        .split_whitespace()
        .take(8)
        .map(|time| time.parse().ok())
        .collect::<Option<_>>()?;
    let all: u64 = times.iter().sum();
    let [_, _, _, idle, waiting, _, _, stolen] = times.try_into().ok()?;
    let lines = stat.lines().skip(1).take_while(|line| line.starts_with("cpu"));
    Some(Processors {
        count: lines.count() as u64,
        all,
        busy: all - idle - waiting - stolen,
        stolen,
    })
}

/// User's and system's time of `/proc/self/stat`, the 14th and 15th field; the second is a name in parentheses, which may hold
/// spaces.
fn own(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let time = |index: usize| fields.split_whitespace().nth(index)?.parse::<u64>().ok();
    Some(time(11)? + time(12)?)
}

/// `VmHWM` of `/proc/self/status`, bytes.
fn peak_resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells_is_read() {
        let stat = "cpu  100 1 20 300 5 0 2 40 7 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n";
        let expected = Processors {
            count: 2,
            all: 468,
            busy: 123,
            stolen: 40,
        };
        assert_eq!(processors(stat), Some(expected));
        assert_eq!(processors("cpu  1 2 3\n"), None, "before steal was told");
        let stat = "42 (a (b) c) R 1 2 3 4 5 6 7 8 9 10 700 30 0 0 20 0\n";
        assert_eq!(own(stat), Some(730));
        assert_eq!(
            peak_resident("Name:\tzoo\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n"),
            Some(2 << 20)
        );
        assert_eq!((own(""), peak_resident("Name:\tzoo\n")), (None, None));
    }

    #[test]
    fn steal_is_a_share_and_peak_memory_is_that_of_the_watch() {
        let canary = Canary {
            macs_per_s: 1e9,
            tile_macs_per_s: None,
            bytes_per_s: 1e9,
            handover_ns: None,
        };
        let lookout = Lookout::begin();
        let ballast = std::hint::black_box(vec![1_u8; 64 << 20]);
        drop(ballast);
        let first = lookout.end([canary; 2]);
        let second = Lookout::begin().end([canary; 2]);
        assert!(first.steal.is_none_or(|share| (0.0..=1.0).contains(&share)));
        assert!(first.load.is_none_or(|load| load >= 0.0));
        assert!(
            second.peak_resident_bytes <= first.peak_resident_bytes,
            "{second:?} after {first:?}"
        );
    }
}
