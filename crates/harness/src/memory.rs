use crate::machine::file;

/// The bytes of memory that this process may still take: what the machine has to spare, swap included, within the limits of its
/// container and its shell. `None` if the system does not tell.
///
/// Memory that others take meanwhile is not foreseen: a run that needs more than this fails, and one that needs less may.
pub fn free_memory() -> Option<u64> {
    let memory = sysinfo::MemoryRefreshKind::nothing().with_ram().with_swap();
    let system =
        sysinfo::System::new_with_specifics(sysinfo::RefreshKind::nothing().with_memory(memory)).ok()?;
    let swap = system.free_swap();
    let spare = system.available_memory();
    let container = system.cgroup_limits().map(|limits| {
        // What a container's files take of its memory is given back when it is wanted.
        limits.total_memory.saturating_sub(limits.rss)
    });
    let shell = file("/proc/self/limits")
        .zip(file("/proc/self/status"))
        .and_then(|(limits, status)| left_of_address_space(&limits, &status));
    let of_machine = container.map_or(spare, |container| spare.min(container));
    let of_machine = (of_machine > 0).then(|| of_machine.saturating_add(swap));
    of_machine.into_iter().chain(shell).min()
}

/// The address space that `ulimit -v` leaves, from `/proc/self/limits` and `/proc/self/status`; `None` without a limit.
fn left_of_address_space(limits: &str, status: &str) -> Option<u64> {
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    let limit: u64 = limit.split_whitespace().next()?.parse().ok()?;
    let taken = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let taken: u64 = taken.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(limit.saturating_sub(taken << 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tzoo\nVmPeak:\t    9000 kB\nVmSize:\t    2048 kB\nVmRSS:\t 10 kB\n";

    #[test]
    fn a_shells_limit_is_what_is_left_of_it() {
        let limits = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units\n\
                 Max resident set          unlimited            unlimited            bytes\n\
                 Max address space         {soft}               unlimited            bytes\n"
            )
        };
        assert_eq!(left_of_address_space(&limits("4194304"), STATUS), Some(2 << 20));
        assert_eq!(left_of_address_space(&limits("1048576"), STATUS), Some(0));
        assert_eq!(left_of_address_space(&limits("unlimited"), STATUS), None);
        assert_eq!(left_of_address_space("", STATUS), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn some_memory_is_free_and_not_more_than_there_is() {
        let free = free_memory().expect("Linux tells");
        let whole = crate::Machine::detect(Vec::new()).memory_bytes;
        let swap = sysinfo::System::new_all().map_or(0, |system| system.total_swap());
        assert!((1 << 20..=whole + swap).contains(&free), "{free} of {whole}");
    }
}
