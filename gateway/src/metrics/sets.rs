//! Sets: which functions have series of their own, and how many each tenant has of them. No tenant
//! has more than a quarter, so that one that deploys ever new names leaves room for others.

use super::{FunctionMetrics, Labels, OTHER};
use std::collections::HashMap;
use std::sync::Arc;

/// Label sets by their labels; one of them may be that of `other`, which counts against nobody.
#[derive(Debug)]
pub(super) struct Sets {
    all: HashMap<Labels, Arc<FunctionMetrics>>,
    tenants: HashMap<String, usize>,
    max: usize,
}

impl Sets {
    pub fn new(max: usize) -> Sets {
        Sets { all: HashMap::new(), tenants: HashMap::new(), max }
    }

    fn is_full(&self) -> bool {
        self.tenants.values().sum::<usize>() >= self.max
    }

    fn is_full_for(&self, tenant: &str) -> bool {
        self.tenants.get(tenant).is_some_and(|&own| own >= (self.max / 4).max(1))
    }

    pub fn get(&self, labels: &Labels) -> Option<&Arc<FunctionMetrics>> {
        self.all.get(labels)
    }

    /// The set of these labels, made when there is none and room for it, else that of `other`.
    pub fn get_or_make(
        &mut self,
        labels: Labels,
        make: impl FnOnce(Labels) -> FunctionMetrics,
    ) -> Arc<FunctionMetrics> {
        if let Some(set) = self.all.get(&labels) {
            return set.clone();
        }
        let labels = if self.is_full() || self.is_full_for(&labels[0]) { OTHER.map(str::to_owned) } else { labels };
        let set = self.all.entry(labels.clone()).or_insert_with(|| Arc::new(make(labels.clone()))).clone();
        if !set.is_other() {
            *self.tenants.entry(labels[0].clone()).or_default() += 1;
        }
        set
    }

    /// Keeps what `keep` says; returns the others.
    pub fn retain(&mut self, mut keep: impl FnMut(&Arc<FunctionMetrics>) -> bool) -> Vec<Arc<FunctionMetrics>> {
        let dropped: Vec<_> = self.all.extract_if(|_, set| !keep(set)).map(|(_, set)| set).collect();
        for set in dropped.iter().filter(|set| !set.is_other()) {
            if let Some(own) = self.tenants.get_mut(&set.labels[0]) {
                *own -= 1;
            }
        }
        self.tenants.retain(|_, own| *own > 0);
        dropped
    }

    /// Where there is no room for another, drops the sets that nobody holds; returns them.
    pub fn make_room(&mut self) -> Vec<Arc<FunctionMetrics>> {
        let full = self.is_full();
        let crowded: Vec<String> = self.tenants.keys().filter(|tenant| self.is_full_for(tenant)).cloned().collect();
        if !full && crowded.is_empty() {
            return Vec::new();
        }
        self.retain(|set| Arc::strong_count(set) > 1 || !(full || crowded.contains(&set.labels[0])))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Labels, &Arc<FunctionMetrics>)> {
        self.all.iter()
    }
}
