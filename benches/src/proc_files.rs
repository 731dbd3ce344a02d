//! What Linux tells about a process under `/proc`: CPU time, memory, threads.

use anyhow::Context;
use std::fs;

/// Length of the kernel's unit of CPU time, microseconds; 100 per second on every platform that Rust runs on.
const TICK_US: u64 = 10_000;

/// User and system CPU time of a process so far, all its threads, microseconds.
pub(crate) fn cpu_us(pid: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).context("the measured process is gone")?;
    // The name, in parentheses, may hold blanks: fields are counted from behind it.
    let (_, fields) = text.rsplit_once(") ").context("unknown form of /proc/<pid>/stat")?;
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || {
        fields.next().and_then(|field| field.parse::<u64>().ok()).context("no CPU time in /proc/<pid>/stat")
    };
    Ok((ticks()? + ticks()?) * TICK_US)
}

/// Resident memory of a process, KiB.
pub(crate) fn rss_kib(pid: u32) -> anyhow::Result<u64> {
    status_number(pid, "VmRSS:")
}

/// Threads of a process.
pub(crate) fn threads(pid: u32) -> anyhow::Result<u64> {
    status_number(pid, "Threads:")
}

fn status_number(pid: u32, key: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).context("the measured process is gone")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .with_context(|| format!("no {key} in /proc/<pid>/status"))?;
    line.split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("{key} is no number"))
}

/// Threads of a process with this name. librdkafka names the main thread of each client instance `rdk:main`.
pub(crate) fn threads_named(pid: u32, name: &str) -> anyhow::Result<u64> {
    let mut count = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("the measured process is gone")? {
        // A thread may end between listing and reading.
        let comm = fs::read_to_string(task?.path().join("comm")).unwrap_or_default();
        count += u64::from(comm.trim_end() == name);
    }
    Ok(count)
}

/// The CPUs that this process may use, lowest first.
pub(crate) fn allowed_cpus() -> anyhow::Result<Vec<u32>> {
    let text = fs::read_to_string("/proc/self/status")?;
    let list = text
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .context("no Cpus_allowed_list")?;
    parse_cpu_list(list.trim()).context("unknown form of Cpus_allowed_list")
}

fn parse_cpu_list(list: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_read() {
        assert_eq!(parse_cpu_list("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_cpu_list("x"), None);
    }

    #[test]
    fn this_process_is_seen() {
        let pid = std::process::id();
        assert!(rss_kib(pid).unwrap() > 0 && threads(pid).unwrap() > 0);
        assert!(cpu_us(pid).is_ok() && threads_named(pid, "no such thread").unwrap() == 0);
    }
}
