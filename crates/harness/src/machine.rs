use serde::{Deserialize, Serialize};

/// What a latency depends on besides the code: the machine it was taken on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's own name.
    pub cpu: String,
    /// Hardware threads that this process may use.
    pub threads: usize,
    /// Installed memory, bytes; 0 where the system does not tell.
    pub memory_bytes: u64,
    /// Operating system and architecture.
    pub os: String,
    /// Instruction sets found at run time.
    pub cpu_features: Vec<String>,
}

impl Machine {
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
        }
    }
}
