//! What live functions take: resident bytes of the process tree before and after so many different versions were
//! called once and kept, and after they were evicted.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::client::Client;
use super::function::Function;
use super::starts::settle;
use super::tenant::{Tenant, Versions};
use crate::servers::isle::Node;
use crate::servers::workerd::Loaders;
use crate::{Error, cpu};

/// Memory that has not become less for this long stays.
const STEADY: Duration = Duration::from_secs(10);
/// Nobody waits longer for it.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(40);

/// Of one function on one server, in bytes.
#[derive(Clone, Serialize)]
pub struct Memory {
    /// Which function.
    pub function: &'static str,
    /// Which server.
    pub server: &'static str,
    /// How many versions of it were live.
    pub versions: usize,
    /// The whole tree before.
    pub before_bytes: u64,
    /// With all of them live and idle.
    pub live_bytes: u64,
    /// The difference for each.
    pub bytes_per_function: f64,
    /// After all of them were evicted; nothing where there is no such call.
    pub evicted_bytes: Option<u64>,
    /// The part of the difference that came back, 0 to 1.
    pub given_back_share: Option<f64>,
}

impl Memory {
    fn new(function: Function, server: &'static str, versions: usize, before: u64, live: u64) -> Memory {
        let bytes_per_function = live.saturating_sub(before) as f64 / versions.max(1) as f64;
        Memory {
            function: function.name(),
            server,
            versions,
            before_bytes: before,
            live_bytes: live,
            bytes_per_function,
            evicted_bytes: None,
            given_back_share: None,
        }
    }
}

/// Of Isle. The node has just been started: what earlier functions left behind would hide what these take.
///
/// # Errors
/// A wrong answer, or the node's.
pub async fn of_isle(
    node: &Node,
    tenant: &Tenant,
    function: Function,
    first: &Versions,
    versions: &Versions,
    expected: &[u8],
) -> Result<Memory, Error> {
    let mut client = Client::connect(node.public).await?;
    // the tenant's cell gets its owner, and the function's text has been read once
    client.ask_for(&first.requests()[0], expected).await?;
    settle(node.pid()).await?;
    let before = resident_bytes(node.pid())?;
    for request in versions.requests() {
        client.ask_for(request, expected).await?;
    }
    settle(node.pid()).await?;
    // what the burst of starts needed beside them (spares, garbage) goes by itself
    let live = when_given_back(node.pid()).await?;
    tenant.evict(versions).await?;
    let evicted = when_given_back(node.pid()).await?;
    let given_back = live.saturating_sub(evicted) as f64 / live.saturating_sub(before).max(1) as f64;
    Ok(Memory {
        evicted_bytes: Some(evicted),
        given_back_share: Some(given_back),
        ..Memory::new(function, "isle", versions.requests().len(), before, live)
    })
}

/// Resident bytes when they have not become less for a while: V8 keeps freed pages for some seconds.
async fn when_given_back(root: u32) -> Result<u64, Error> {
    let (mut least, mut since) = (u64::MAX, Instant::now());
    let started = since;
    while since.elapsed() < STEADY && started.elapsed() < GIVEN_BACK_WITHIN {
        let bytes = resident_bytes(root)?;
        if bytes < least.saturating_sub(1 << 20) {
            (least, since) = (bytes, Instant::now());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(least)
}

/// Of workerd, just started, whose loader keeps what it has loaded.
///
/// # Errors
/// A wrong answer, or workerd's end.
pub async fn of_workerd(
    loaders: &Loaders,
    function: Function,
    versions: usize,
    expected: &[u8],
) -> Result<Memory, Error> {
    let address = loaders.address(function as usize);
    let mut client = Client::connect(address).await?;
    let request = function.request(&address.to_string());
    client.ask_for(&request, expected).await?;
    settle(loaders.pid()).await?;
    let before = resident_bytes(loaders.pid())?;
    for _ in 0..versions {
        client.ask_for(&request, expected).await?;
    }
    settle(loaders.pid()).await?;
    Ok(Memory::new(function, "workerd", versions, before, when_given_back(loaders.pid()).await?))
}

/// Resident bytes of a process tree. Pages that several of its processes share count in each.
///
/// # Errors
/// The tree's root has ended.
pub fn resident_bytes(root: u32) -> Result<u64, Error> {
    let resident = |pid: &u32| {
        // a process may end meanwhile
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"))?;
        Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? << 10)
    };
    Ok(cpu::tree(root)?.keys().filter_map(resident).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_touched_is_resident() {
        let before = resident_bytes(std::process::id()).unwrap();
        let held = std::hint::black_box(vec![1u8; 64 << 20]);
        let grown = resident_bytes(std::process::id()).unwrap() - before;
        assert!(grown >= 60 << 20, "{grown}");
        drop(held);
    }
}
