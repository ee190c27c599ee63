//! What a node says about one request: where the time went and how the isolate came to be.
//!
//! A node answers a request that carries `isle-timing: 1` with
//!
//! ```text
//! server-timing: queue;dur=0.012, start;dur=1.234, run;dur=0.050, cpu;dur=0.041     (in ms)
//! isle-start: snapshot
//! ```
//!
//! Servers that are no Isle, and proxies that strip headers, say neither; then the split is not known.

use isle_wire::StartKind;
use std::time::Duration;

/// The request header that asks for the answers below.
pub const ASK: &str = "isle-timing";

/// A node's own account of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Waiting to be admitted, and for a cell.
    pub queue: Duration,
    /// Making an isolate ready: restoring it or evaluating the module. 0 when it was warm.
    pub start: Duration,
    /// From entering the handler to its answer.
    pub run: Duration,
    /// CPU time of start and handler, where the node says it.
    pub cpu: Option<Duration>,
}

/// Reads a `server-timing` header. `None` when it lacks one of Isle's three parts: another server
/// may use the header for parts of its own.
pub fn server_timing(header: &str) -> Option<Timing> {
    let (mut queue, mut start, mut run, mut cpu) = (None, None, None, None);
    for metric in header.split(',') {
        let mut words = metric.split(';').map(str::trim);
        let part = match words.next() {
            Some("queue") => &mut queue,
            Some("start") => &mut start,
            Some("run") => &mut run,
            Some("cpu") => &mut cpu,
            _ => continue,
        };
        *part = words.find_map(|word| word.strip_prefix("dur=")).and_then(milliseconds);
    }
    Some(Timing { queue: queue?, start: start?, run: run?, cpu })
}

fn milliseconds(text: &str) -> Option<Duration> {
    let ms: f64 = text.trim_matches('"').parse().ok()?;
    // An hour: what is longer, negative or no number is no time that a request took.
    (0.0..3_600_000.0).contains(&ms).then(|| Duration::from_secs_f64(ms / 1e3))
}

/// Reads an `isle-start` header.
pub fn start_kind(header: &str) -> Option<StartKind> {
    StartKind::ALL.into_iter().find(|kind| kind.as_str() == header)
}

/// Whether a start of this kind had to make an isolate ready.
pub fn is_cold(kind: StartKind) -> bool {
    match kind {
        StartKind::Pooled | StartKind::Source | StartKind::Snapshot => true,
        StartKind::Warm | StartKind::None => false,
    }
}

/// What a request's time is divided into, in the order in which it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Open loop: from the intended moment to the real one, because all connections were busy.
    Backlog,
    /// Connecting, where each request has a new connection.
    Connect,
    /// In the node, before an isolate was found.
    Queue,
    /// Making the isolate ready.
    Start,
    /// The function itself.
    Handler,
    /// All the rest: the network, both kernels, the gateway, the client.
    Rest,
}

impl Part {
    /// Every part, in order.
    pub const ALL: [Part; 6] = [Part::Backlog, Part::Connect, Part::Queue, Part::Start, Part::Handler, Part::Rest];

    /// Its name in JSON.
    pub const fn key(self) -> &'static str {
        match self {
            Part::Backlog => "backlog",
            Part::Connect => "connect",
            Part::Queue => "queue",
            Part::Start => "start",
            Part::Handler => "handler",
            Part::Rest => "network_gateway",
        }
    }

    /// Its name for people.
    pub const fn label(self) -> &'static str {
        match self {
            Part::Backlog => "waiting to be sent",
            Part::Connect => "connect",
            Part::Queue => "queue",
            Part::Start => "isolate start",
            Part::Handler => "handler",
            Part::Rest => "network + gateway",
        }
    }
}

/// Divides a latency. The parts add up to it exactly, whatever the node claims: should its own
/// account be longer than what was seen here, the rest is 0 and the node's parts are scaled down.
pub fn split(latency: Duration, backlog: Duration, connect: Duration, timing: &Timing) -> [f64; 6] {
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let node = [us(timing.queue), us(timing.start), us(timing.run)];
    let seen = us(latency.saturating_sub(backlog).saturating_sub(connect));
    let claimed: f64 = node.iter().sum();
    let scale = if claimed > seen { seen / claimed } else { 1.0 };
    let [queue, start, run] = node.map(|part| part * scale);
    [us(backlog), us(connect), queue, start, run, (seen - claimed).max(0.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: fn(u64) -> Duration = Duration::from_micros;

    #[test]
    fn a_nodes_account_is_read() {
        let header = "queue;dur=0.012, start;dur=1.234, run;dur=0.050, cpu;dur=0.041";
        let timing = Timing { queue: US(12), start: US(1_234), run: US(50), cpu: Some(US(41)) };
        assert_eq!(server_timing(header), Some(timing));
        let other = "cdn;desc=\"hit\", run;desc=x;dur=\"0.05\",start;dur=1.234 , queue;dur=0.012";
        assert_eq!(server_timing(other), Some(Timing { cpu: None, ..timing }));
    }

    #[test]
    fn other_servers_accounts_and_nonsense_are_not() {
        for header in [
            "",
            "db;dur=53, app;dur=47.2",
            "queue;dur=0.012, start;dur=1.234",
            "queue;dur=-1, start;dur=1, run;dur=1",
            "queue;dur=NaN, start;dur=1, run;dur=1",
            "queue;dur=9e99, start;dur=1, run;dur=1",
            "queue, start, run",
            ";;,,;dur=",
        ] {
            assert_eq!(server_timing(header), None, "{header}");
        }
    }

    #[test]
    fn starts_are_cold_or_not() {
        let cold: Vec<&str> = StartKind::ALL.into_iter().filter(|kind| is_cold(*kind)).map(StartKind::as_str).collect();
        assert_eq!(cold, ["pooled", "source", "snapshot"]);
        assert_eq!(start_kind("snapshot"), Some(StartKind::Snapshot));
        assert_eq!(start_kind("lukewarm"), None);
    }

    #[test]
    fn the_parts_add_up_to_the_whole() {
        let timing = Timing { queue: US(10), start: US(200), run: US(40), cpu: None };
        assert_eq!(split(US(1_000), US(100), US(50), &timing), [100.0, 50.0, 10.0, 200.0, 40.0, 600.0]);
        let scaled = split(US(125), US(0), US(0), &timing);
        assert!(scaled.iter().zip([0.0, 0.0, 5.0, 100.0, 20.0, 0.0]).all(|(is, want)| (is - want).abs() < 1e-6));
    }
}
