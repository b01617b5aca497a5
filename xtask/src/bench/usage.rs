//! What processes use, as the kernel counts it (proc(5)), and the cores they may use.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, bail};

/// Clock ticks of a second in /proc: USER_HZ, which Linux keeps at 100 for programs whatever the kernel's own rate is.
const TICK_US: u64 = 10_000;

/// Sums over processes since their start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// User and system time of all threads, and of children that ended.
    pub(super) cpu_us: u64,
    /// `write_bytes`: bytes that the process caused to be sent to the storage layer. Pages that were removed before
    /// they were written out count all the same. A memory file system counts nothing.
    pub(super) written_bytes: u64,
}

impl Usage {
    /// Of these processes, now.
    pub(super) fn of(pids: &[u32]) -> anyhow::Result<Self> {
        let mut sum = Self::default();
        for pid in pids {
            let read = |name: &str| {
                let path = format!("/proc/{pid}/{name}");
                std::fs::read_to_string(&path).context(path)
            };
            sum.cpu_us += cpu_us(&read("stat")?).with_context(|| format!("/proc/{pid}/stat"))?;
            sum.written_bytes += field(&read("io")?, "write_bytes").with_context(|| format!("/proc/{pid}/io"))?;
        }
        Ok(sum)
    }

    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            cpu_us: self.cpu_us.saturating_sub(earlier.cpu_us),
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
        }
    }
}

/// The greatest resident set the process ever had, in KiB.
pub(super) fn peak_kib(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    field(&std::fs::read_to_string(&path).context(path.clone())?, "VmHWM").context(path)
}

/// The resident set now, in KiB.
pub(super) fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    field(&std::fs::read_to_string(&path).context(path.clone())?, "VmRSS").context(path)
}

/// Descriptors that are open now.
pub(super) fn descriptors(pid: u32) -> anyhow::Result<usize> {
    let path = format!("/proc/{pid}/fd");
    Ok(std::fs::read_dir(&path).context(path)?.count())
}

/// utime, stime, cutime and cstime. The name may hold spaces and brackets: fields count from behind its last bracket.
fn cpu_us(stat: &str) -> Option<u64> {
    let rest = stat.rsplit_once(')')?.1;
    let times: Vec<u64> = rest.split_whitespace().skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    (times.len() == 4).then(|| times.iter().sum::<u64>() * TICK_US)
}

/// The number behind `name:`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Lets processes, with all their threads and children, run on these cores alone (taskset(1)'s list).
pub(super) fn pin(pids: &[u32], cores: &str) -> anyhow::Result<()> {
    for pid in with_children(pids)? {
        let out =
            Command::new("taskset").args(["--all-tasks", "--cpu-list", "--pid", cores, &pid.to_string()]).output()?;
        // A child that served one connection may be gone.
        if !out.status.success() && std::path::Path::new(&format!("/proc/{pid}/stat")).exists() {
            bail!("taskset {cores} {pid}: {}", String::from_utf8_lossy(&out.stderr).trim());
        }
    }
    Ok(())
}

/// These processes and all below them, now.
pub(super) fn with_children(pids: &[u32]) -> anyhow::Result<Vec<u32>> {
    Ok(family(pids, &parents()?))
}

/// Every process and its parent.
fn parents() -> anyhow::Result<BTreeMap<u32, u32>> {
    let mut parents = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // It may have ended since.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        parents.insert(pid, parent.unwrap_or(0));
    }
    Ok(parents)
}

/// These processes and all below them.
fn family(pids: &[u32], parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut out = pids.to_vec();
    let mut at = 0;
    while let Some(parent) = out.get(at).copied() {
        out.extend(parents.iter().filter(|(_, its)| **its == parent).map(|(child, _)| *child));
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 7 3 20 0 4 0 1000 1 1";
        assert_eq!(cpu_us(stat), Some(2_100_000));
        assert_eq!(cpu_us("42 (a) S 1"), None);
        let io = "rchar: 1\nwchar: 2\nread_bytes: 3\nwrite_bytes: 4096\ncancelled_write_bytes: 5\n";
        assert_eq!(field(io, "write_bytes"), Some(4096));
        assert_eq!(field("VmPeak:\t 9 kB\nVmHWM:\t   123 kB\n", "VmHWM"), Some(123));
        assert_eq!(field(io, "VmHWM"), None);
        // Of this process, and it exists.
        let own = std::process::id();
        assert!(peak_kib(own).unwrap() > 100);
        assert!(Usage::of(&[own]).is_ok() && Usage::of(&[u32::MAX]).is_err());
    }

    #[test]
    fn differences_and_families() {
        let usage = |cpu_us, written_bytes| Usage { cpu_us, written_bytes };
        assert_eq!(usage(5, 9).since(usage(2, 4)), usage(3, 5));
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1)]);
        assert_eq!(family(&[2], &parents), [2, 3, 4]);
        assert_eq!(family(&[9], &parents), [9]);
    }
}
