//! CPU time from `/proc`: of a server's whole process tree, of this process, of the machine.

use std::collections::HashMap;

use nix::sys::time::TimeValLike;
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use crate::Error;

/// Microseconds of one clock tick: Linux counts in 1/100 s here whatever the kernel's own tick is.
const TICK_US: u64 = 10_000;

/// CPU times since their beginnings, in µs. Two of them make a [`Used`].
#[derive(Clone, Copy)]
pub struct Sample {
    server_us: u64,
    own_us: u64,
    machine_us: u64,
}

/// CPU used between two samples, in µs.
#[derive(Clone, Copy, Default)]
pub struct Used {
    /// By the server: every process of its tree, those that ended included.
    pub server_us: u64,
    /// By anything that is neither the server nor this process. What it is large in was disturbed.
    pub others_us: u64,
}

impl Sample {
    /// Looks now, at the tree below and including process `root`.
    ///
    /// # Errors
    /// `/proc` cannot be read, or `root` is no more.
    pub fn take(root: u32) -> Result<Sample, Error> {
        let tree = tree(root)?;
        let server_us = tree.iter().map(|(&pid, process)| process.tree_us(pid)).sum();
        let own_us = clock_us(std::process::id()).unwrap_or_default();
        Ok(Sample { server_us, own_us, machine_us: machine_us(&std::fs::read_to_string("/proc/stat")?)? })
    }

    /// What was used since `earlier`.
    pub fn since(&self, earlier: &Sample) -> Used {
        let server_us = self.server_us.saturating_sub(earlier.server_us);
        let own_us = self.own_us.saturating_sub(earlier.own_us);
        let machine_us = self.machine_us.saturating_sub(earlier.machine_us);
        Used { server_us, others_us: machine_us.saturating_sub(server_us + own_us) }
    }
}

/// The processes of the tree below and including `root`.
///
/// # Errors
/// `/proc` cannot be read, or `root` is no more.
pub fn tree(root: u32) -> Result<HashMap<u32, Process>, Error> {
    let mut processes = HashMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // a process may end between the listing and the reading
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        processes.insert(pid, Process::parse(&stat).ok_or_else(|| format!("/proc/{pid}/stat is odd: {stat}"))?);
    }
    if !processes.contains_key(&root) {
        return Err(format!("the server (process {root}) has ended").into());
    }
    let parents: HashMap<u32, u32> = processes.iter().map(|(&pid, process)| (pid, process.parent)).collect();
    processes.retain(|&pid, _| {
        let line = std::iter::successors(Some(pid), |pid| parents.get(pid).copied());
        line.take(parents.len() + 1).any(|pid| pid == root)
    });
    Ok(processes)
}

/// A process as `/proc` has it.
pub struct Process {
    parent: u32,
    /// Of its own threads, in whole ticks.
    own_us: u64,
    /// Of the children it has waited for: a cell's time stays in the sum after the cell has ended.
    waited_us: u64,
}

impl Process {
    fn parse(stat: &str) -> Option<Process> {
        // the name, in brackets, may hold anything, brackets and blanks too
        let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let own = ticks(11)? + ticks(12)?;
        let waited = ticks(13)? + ticks(14)?;
        Some(Process { parent: fields.get(1)?.parse().ok()?, own_us: own * TICK_US, waited_us: waited * TICK_US })
    }

    /// With the children that are gone. The clock is finer than the ticks, but is gone with its process.
    fn tree_us(&self, pid: u32) -> u64 {
        clock_us(pid).unwrap_or(self.own_us) + self.waited_us
    }
}

/// A process's CPU clock, all its threads together.
fn clock_us(pid: u32) -> Option<u64> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).ok()?;
    u64::try_from(clock.now().ok()?.num_microseconds()).ok()
}

/// Time that all CPUs together were busy. Guests' time is in the user time already; idle, waiting and stolen time is not.
fn machine_us(stat: &str) -> Result<u64, Error> {
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_ascii_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
    let [user, nice, system, _idle, _wait, irq, softirq, ..] = ticks[..] else {
        return Err(format!("/proc/stat begins with {line:?}").into());
    };
    Ok((user + nice + system + irq + softirq) * TICK_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_with_an_odd_name_is_read() {
        let stat = "77 (a) b (c) S 12 77 77 0 -1 4194304 1 0 0 0 250 50 7 3 20 0 1 0 100 0 0";
        let process = Process::parse(stat).unwrap();
        assert_eq!((process.parent, process.own_us, process.waited_us), (12, 3_000_000, 100_000));
        assert!(Process::parse("77 (cut) S 1").is_none());
    }

    #[test]
    fn this_process_is_found_and_its_work_is_counted() {
        let before = Sample::take(std::process::id()).unwrap();
        let started = std::time::Instant::now();
        while started.elapsed().as_millis() < 60 {
            std::hint::spin_loop();
        }
        let used = Sample::take(std::process::id()).unwrap().since(&before);
        assert!(used.server_us > 10_000, "{} µs", used.server_us);
        assert!(Sample::take(u32::MAX).is_err());
    }
}
