//! What functions fetch, counted.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};
use std::time::Duration;

/// Upper bounds in seconds: from a function of the same node to a slow API.
const BUCKETS: [f64; 12] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// How a fetch can end; see `egress::failure`.
pub(super) const OUTCOMES: [&str; 9] =
    ["ok", "refused", "unresolved", "unreachable", "tls", "timeout", "too_large", "broken", "aborted"];

/// `isle_fetches_total{outcome}` and `isle_fetch_duration_seconds` per function; for the node
/// `isle_fetch_refusals_total{reason}` and `isle_egress_connections_open`.
#[derive(Debug)]
pub(super) struct Family {
    fetches: IntCounterVec,
    duration: HistogramVec,
    refusals: IntCounterVec,
    pub connections: IntGauge,
}

impl Family {
    pub fn new(registry: &Registry) -> prometheus::Result<Family> {
        let family = Family {
            fetches: IntCounterVec::new(
                Opts::new("isle_fetches_total", "Outbound requests by how they ended."),
                &super::OUTCOME,
            )?,
            duration: HistogramVec::new(
                HistogramOpts::new("isle_fetch_duration_seconds", "From a function's request to its response's head.")
                    .buckets(BUCKETS.to_vec()),
                &super::FUNCTION,
            )?,
            refusals: IntCounterVec::new(
                Opts::new("isle_fetch_refusals_total", "Outbound requests refused, by the rule."),
                &["reason"],
            )?,
            connections: IntGauge::new("isle_egress_connections_open", "Connections that functions' requests use.")?,
        };
        registry.register(Box::new(family.fetches.clone()))?;
        registry.register(Box::new(family.duration.clone()))?;
        registry.register(Box::new(family.refusals.clone()))?;
        registry.register(Box::new(family.connections.clone()))?;
        Ok(family)
    }

    pub fn ended(&self, function: [&str; 3], outcome: &str, took: Duration) {
        let [tenant, app, name] = function;
        self.fetches.with_label_values(&[tenant, app, name, outcome]).inc();
        self.duration.with_label_values(&function).observe(took.as_secs_f64());
    }

    pub fn refused(&self, reason: &str) {
        self.refusals.with_label_values(&[reason]).inc();
    }

    /// Drops a function's series, if it has any.
    pub fn forget(&self, function: [&str; 3]) {
        let [tenant, app, name] = function;
        let _ = self.duration.remove_label_values(&function);
        for outcome in OUTCOMES {
            let _ = self.fetches.remove_label_values(&[tenant, app, name, outcome]);
        }
    }
}
