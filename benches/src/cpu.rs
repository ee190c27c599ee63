//! CPU time from `/proc`: of a server's whole process tree, of this process, of the machine.

use std::collections::HashMap;

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
        let below = |pid: u32| {
            let line = std::iter::successors(Some(pid), |pid| processes.get(pid).map(|process| process.parent));
            line.take(processes.len() + 1).any(|pid| pid == root)
        };
        let server_us = processes.iter().filter(|&(&pid, _)| below(pid)).map(|(_, process)| process.tree_us).sum();
        let own_us = processes.get(&std::process::id()).map_or(0, |process| process.own_us);
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

struct Process {
    parent: u32,
    /// Of its own threads.
    own_us: u64,
    /// With the children it has waited for: a cell's time stays in the sum after the cell has ended.
    tree_us: u64,
}

impl Process {
    fn parse(stat: &str) -> Option<Process> {
        // the name, in brackets, may hold anything, brackets and blanks too
        let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let own = ticks(11)? + ticks(12)?;
        let waited = ticks(13)? + ticks(14)?;
        Some(Process { parent: fields.get(1)?.parse().ok()?, own_us: own * TICK_US, tree_us: (own + waited) * TICK_US })
    }
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
        assert_eq!((process.parent, process.own_us, process.tree_us), (12, 3_000_000, 3_100_000));
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
        assert!(used.server_us > 0);
        assert!(Sample::take(u32::MAX).is_err());
    }
}
