use serde::{Deserialize, Serialize};

use crate::counted;

/// The machine that a latency was measured on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's own name.
    pub cpu: String,
    /// Hardware threads that this process may use.
    pub threads: usize,
    /// Installed memory, bytes; 0 if the system does not tell.
    pub memory_bytes: u64,
    /// Operating system and architecture.
    pub os: String,
    /// Instruction sets found at run time.
    pub cpu_features: Vec<String>,
    /// The governor of the processors' frequency, as `performance`; `None` if the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// Processors that this process's threads may run on, as `0-3,8`; no thread is pinned to one of them. `None` if the
    /// system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processors: Option<String>,
}

impl Machine {
    /// The machine in a line: processor, threads, memory and system.
    pub fn in_words(&self) -> String {
        format!(
            "{}, {}, {:.0} GiB, {}",
            self.cpu,
            counted(self.threads, "thread"),
            self.memory_bytes as f64 / f64::from(1 << 30),
            self.os
        )
    }

    /// This machine; `cpu_features` come from whoever owns their detection.
    pub fn detect(cpu_features: Vec<String>) -> Self {
        let system = sysinfo::System::new_with_specifics(
            sysinfo::RefreshKind::nothing()
                .with_cpu(sysinfo::CpuRefreshKind::nothing())
                .with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram()),
        );
        let system = system.as_ref().ok();
        let cpu = system
            .and_then(|system| system.cpus().first())
            .map(|cpu| cpu.brand().trim().to_owned());
        Self {
            cpu: cpu
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "unknown CPU".into()),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: system.map_or(0, sysinfo::System::total_memory),
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cpu_features,
            governor: file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
                .map(|text| text.trim().to_owned()),
            processors: file("/proc/self/status").and_then(|text| processors(&text)),
        }
    }
}

/// `Cpus_allowed_list` of `/proc/self/status`.
fn processors(status: &str) -> Option<String> {
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(list.trim().to_owned())
}

/// A file of Linux's; other systems have none of that name.
pub(crate) fn file(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_of_a_process_are_read() {
        let status = "Name:\tzoo\nCpus_allowed:\t03\nCpus_allowed_list:\t0-1\nMems_allowed:\t1\n";
        assert_eq!(processors(status).as_deref(), Some("0-1"));
        assert_eq!(processors("Name:\tzoo\n"), None);
    }

    #[test]
    fn machines_of_older_records_are_read() {
        let old = r#"{"cpu":"A","threads":2,"memory_bytes":0,"os":"linux","cpu_features":[]}"#;
        let machine: Machine = serde_json::from_str(old).expect("a machine");
        assert_eq!((machine.governor, machine.processors), (None, None));
    }
}
