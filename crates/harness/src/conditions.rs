use std::fs;

use crate::{Canary, Conditions};

/// Watches what else the machine does from a moment on.
#[derive(Clone, Copy, Debug)]
pub struct Lookout {
    processors: Option<Processors>,
}

/// Time of all processors since the system's start, in the system's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Processors {
    all: u64,
    /// What the host gave to other guests.
    stolen: u64,
}

impl Lookout {
    /// Begins now.
    pub fn begin() -> Self {
        Self {
            processors: file("/proc/stat").and_then(|text| processors(&text)),
        }
    }

    /// What was seen since, on a machine that could do this before and after.
    pub fn end(self, canary: [Canary; 2]) -> Conditions {
        let now = Self::begin().processors;
        let steal = self.processors.zip(now).and_then(|(begin, end)| {
            let all = end.all.checked_sub(begin.all).filter(|all| *all > 0)?;
            Some(end.stolen.saturating_sub(begin.stolen) as f64 / all as f64)
        });
        Conditions {
            canary,
            load: file("/proc/loadavg").and_then(|text| load(&text)),
            steal,
            peak_resident_bytes: file("/proc/self/status").and_then(|text| peak_resident(&text)),
        }
    }
}

/// A file of Linux's; other systems have none of that name.
fn file(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, and guests' time, which is in
/// user's already.
fn processors(stat: &str) -> Option<Processors> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> = line
        .split_whitespace()
        .take(8)
        .map(|time| time.parse().ok())
        .collect::<Option<_>>()?;
    Some(Processors {
        all: times.iter().sum(),
        stolen: *times.get(7)?,
    })
}

/// The average of a minute, the first number of `/proc/loadavg`.
fn load(loadavg: &str) -> Option<f64> {
    loadavg.split_whitespace().next()?.parse().ok()
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
        let stat = "cpu  100 1 20 300 5 0 2 40 7 0\ncpu0 1 2 3\n";
        let expected = Processors { all: 468, stolen: 40 };
        assert_eq!(processors(stat), Some(expected));
        assert_eq!(processors("cpu  1 2 3\n"), None, "before steal was told");
        assert_eq!(load("0.52 0.40 0.31 2/345 6789\n"), Some(0.52));
        assert_eq!(
            peak_resident("Name:\tzoo\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n"),
            Some(2 << 20)
        );
        assert_eq!((load(""), peak_resident("Name:\tzoo\n")), (None, None));
    }

    #[test]
    fn steal_is_a_share_and_peak_memory_only_grows() {
        let canary = Canary {
            macs_per_s: 1e9,
            bytes_per_s: 1e9,
        };
        let lookout = Lookout::begin();
        let first = lookout.end([canary; 2]);
        let ballast = std::hint::black_box(vec![1_u8; 8 << 20]);
        let second = lookout.end([canary; 2]);
        drop(ballast);
        assert!(first.steal.is_none_or(|share| (0.0..=1.0).contains(&share)));
        assert!(second.peak_resident_bytes >= first.peak_resident_bytes);
    }
}
