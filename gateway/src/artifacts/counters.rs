//! What the artifact store counts. The price is sixteen series a node, whatever it serves.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// How a build ended, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildEnd {
    /// There is a plan.
    Ok,
    /// The version does not start.
    Refused,
    /// No builder could say.
    Failed,
}

/// The counts.
#[derive(Debug)]
pub struct Counters {
    pub(super) hits: IntCounter,
    pub(super) loads: IntCounter,
    pub(super) misses: IntCounterVec,
    pub(super) evictions: IntCounterVec,
    pub(super) bytes: IntGaugeVec,
    lookups: IntCounterVec,
    builds: IntCounterVec,
    pub(super) rebuilds: IntCounter,
    pub(super) unfit: IntCounter,
    pub(super) building: IntGauge,
}

impl Counters {
    pub(super) fn new() -> prometheus::Result<Counters> {
        let lookups = IntCounterVec::new(
            Opts::new("isle_artifact_lookups_total", "Artifacts asked for by cells, by where they were found."),
            &["found"],
        )?;
        let misses = IntCounterVec::new(
            Opts::new("isle_artifact_misses_total", "Artifacts asked for and not found, by why."),
            &["why"],
        )?;
        let evictions = IntCounterVec::new(
            Opts::new("isle_artifact_evictions_total", "Artifacts that went to make room, by where."),
            &["place"],
        )?;
        let bytes = IntGaugeVec::new(Opts::new("isle_artifact_bytes", "Artifacts kept, by where."), &["place"])?;
        let builds = IntCounterVec::new(Opts::new("isle_builds_total", "Builders run, by how they ended."), &["end"])?;
        let rebuilds = IntCounter::new("isle_rebuilds_total", "Builds in the background, for want of an artifact.")?;
        let unfit = IntCounter::new("isle_artifacts_unfit_total", "Artifacts that a cell could not use.")?;
        let building = IntGauge::new("isle_builders", "Builders that run now.")?;
        // Every series from the start: what has not happened yet is 0, not absent.
        for why in ["absent", "damaged", "unreadable", "barred"] {
            misses.with_label_values(&[why]);
        }
        for place in ["memory", "disk"] {
            evictions.with_label_values(&[place]);
            bytes.with_label_values(&[place]);
        }
        for end in ["ok", "refused", "failed"] {
            builds.with_label_values(&[end]);
        }
        Ok(Counters {
            hits: lookups.with_label_values(&["memory"]),
            loads: lookups.with_label_values(&["disk"]),
            misses,
            evictions,
            bytes,
            builds,
            rebuilds,
            unfit,
            building,
            lookups,
        })
    }

    /// Makes them part of a registry.
    ///
    /// # Errors
    /// When it has metrics of these names.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.lookups.clone()))?;
        registry.register(Box::new(self.misses.clone()))?;
        registry.register(Box::new(self.evictions.clone()))?;
        registry.register(Box::new(self.bytes.clone()))?;
        registry.register(Box::new(self.builds.clone()))?;
        registry.register(Box::new(self.rebuilds.clone()))?;
        registry.register(Box::new(self.unfit.clone()))?;
        registry.register(Box::new(self.building.clone()))
    }

    pub(super) fn built(&self, end: BuildEnd) {
        let end = match end {
            BuildEnd::Ok => "ok",
            BuildEnd::Refused => "refused",
            BuildEnd::Failed => "failed",
        };
        self.builds.with_label_values(&[end]).inc();
    }
}
