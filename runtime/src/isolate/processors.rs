//! Which processors a process has, and which of them background work keeps to.
//!
//! However much of it there is, and whosever, who serves finds the others free of it. The
//! scheduler's weights alone do not see to that: a thread that just ran has had its share for some
//! microseconds, and if it wakes during those, who is in the background stays on its processor until
//! the next tick, up to 4 ms later, even while another processor is idle.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::sync::OnceLock;

/// Where threads may run.
struct Processors {
    all: CpuSet,
    background: CpuSet,
}

/// Has the calling thread, and those that it makes, run on those processors that background work
/// keeps to, or on all that the process had when this was first called.
pub fn keep_to(background: bool) {
    static PROCESSORS: OnceLock<Option<Processors>> = OnceLock::new();
    if let Some(processors) = PROCESSORS.get_or_init(look) {
        let set = if background { &processors.background } else { &processors.all };
        // Refused only when the process has meanwhile been given none of these.
        let _ = sched_setaffinity(Pid::from_raw(0), set);
    }
}

/// `None` where there is a single one, or too many for the kernel's fixed set.
fn look() -> Option<Processors> {
    let all = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let numbers: Vec<usize> = (0..CpuSet::count()).filter(|&number| all.is_set(number) == Ok(true)).collect();
    let first = numbers.first()?;
    let siblings = format!("/sys/devices/system/cpu/cpu{first}/topology/thread_siblings_list");
    let stride = std::fs::read_to_string(siblings).ok().and_then(|list| stride(&list)).unwrap_or(1);
    let mut background = CpuSet::new();
    for number in half(&numbers, stride) {
        background.set(number).ok()?;
    }
    (numbers.len() > 1).then_some(Processors { all, background })
}

/// How far apart the numbers of a core's two threads are, of the kernel's list of them for one
/// core: `0-1` or `0,32`.
fn stride(list: &str) -> Option<usize> {
    let mut numbers = list.trim().split([',', '-']).map(str::parse::<usize>);
    let (first, second) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    second.checked_sub(first).filter(|&stride| stride > 0)
}

/// The half of the processors for background work, the smaller one. Threads of a core stay together:
/// they slow each other down.
fn half(numbers: &[usize], stride: usize) -> Vec<usize> {
    let mut by_core = numbers.to_vec();
    by_core.sort_by_key(|&number| (number % stride, number));
    by_core.split_off(numbers.len().div_ceil(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_cores_with_both_their_threads() {
        assert_eq!([stride("0-1\n"), stride("0,32\n"), stride("5\n"), stride("")], [Some(1), Some(32), None, None]);
        assert_eq!(half(&[0, 1, 2, 3], 1), [2, 3]);
        assert_eq!(half(&[0, 1, 2, 3, 4, 5, 6, 7], 4), [2, 6, 3, 7]);
        assert_eq!(half(&[0, 1], 1), [1]);
        assert_eq!(half(&[3, 5, 9], 1), [9]);
        assert_eq!(half(&[7], 1), [0; 0]);
    }

    #[test]
    fn a_thread_keeps_to_half_and_comes_back() {
        let set = || {
            let set = sched_getaffinity(Pid::from_raw(0)).unwrap();
            (0..CpuSet::count()).filter(|&number| set.is_set(number) == Ok(true)).count()
        };
        let all = set();
        for _ in 0..2 {
            keep_to(true);
            assert_eq!(set(), (all / 2).max(1));
            keep_to(false);
            assert_eq!(set(), all);
        }
    }
}
