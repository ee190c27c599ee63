//! Rounds of cold starts: one request at a time over a kept connection, and the CPU that all of them cost.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::Client;
use super::report::Row;
use crate::Error;
use crate::cpu::Sample;

/// A server that uses less than this per look has settled, in µs.
const SETTLED_US: u64 = 1_000;
/// How far two looks are apart.
const LOOK: Duration = Duration::from_millis(100);
/// After so many looks it counts as settled: it may have something else to do.
const LOOKS_MAX: usize = 30;

/// Waits until the process tree has done what was left to do: isolates made anew or torn down, code compiled.
///
/// # Errors
/// The server has ended.
pub async fn settle(pid: u32) -> Result<(), Error> {
    let mut last = Sample::take(pid)?;
    for _ in 0..LOOKS_MAX {
        tokio::time::sleep(LOOK).await;
        let now = Sample::take(pid)?;
        if now.since(&last).server_us < SETTLED_US {
            break;
        }
        last = now;
    }
    Ok(())
}

/// Sends each request once, one after the other with a pause between them, and adds them to `row`. What the server does
/// in the pauses and until it has settled is counted as CPU, but nobody waits for it: as with requests that come when
/// they come.
///
/// # Errors
/// Any answer that is not the expected one.
pub async fn batch(
    client: &mut Client,
    pid: u32,
    requests: &[Bytes],
    expected: &[u8],
    pause: Duration,
    row: &mut Row,
) -> Result<(), Error> {
    settle(pid).await?;
    let (started, before) = (Instant::now(), Sample::take(pid)?);
    let mut latencies = Vec::with_capacity(requests.len());
    for request in requests {
        latencies.push(client.ask_for(request, expected).await?);
        tokio::time::sleep(pause).await;
    }
    settle(pid).await?;
    let used = Sample::take(pid)?.since(&before);
    row.add(&latencies, used, started.elapsed());
    Ok(())
}
