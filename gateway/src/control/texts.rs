//! Texts: what cells are sent of a function, read from the store when one asks.
//!
//! Ten thousand deployed functions are ten thousand [`FunctionVersion`]s of about a kilobyte; the
//! text of those that were loaded lately is in a cache weighed in bytes.

use super::bundle::Bundle;
use super::store::Store;
use crate::artifacts::cache::Coalesced;
use crate::route::{FunctionVersion, Packed, TextLost, Texts};
use isle_wire::{FunctionSpec, ModuleSource};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};

/// The texts of everything in the store.
#[derive(Debug)]
pub(super) struct StoredTexts {
    /// Weak: versions outlive the API that made them, and must not keep the data folder locked.
    store: Weak<Store>,
    cache: Coalesced<u64, Packed>,
}

impl StoredTexts {
    pub(super) fn new(store: &Arc<Store>, bytes_max: u64) -> StoredTexts {
        let cache = Coalesced::new(bytes_max, Packed::bytes, || ());
        StoredTexts { store: Arc::downgrade(store), cache }
    }

    /// Has the texts of these versions, which share `modules`, at hand. Takes milliseconds for each MB.
    pub(super) fn put(&self, versions: &[Arc<FunctionVersion>], modules: &BTreeMap<String, ModuleSource>) {
        for version in versions {
            let whole = FunctionSpec { modules: modules.clone(), ..version.spec.clone() };
            self.cache.insert(version.id, Packed::of(whole));
        }
    }

    async fn read(&self, spec: &FunctionSpec) -> Result<Packed, TextLost> {
        let store = self.store.upgrade().ok_or_else(|| TextLost("the store has stopped".to_owned()))?;
        let stored = store.load(spec.app.clone(), spec.deployment.clone()).await;
        let stored = stored.map_err(|error| TextLost(error.to_string()))?;
        drop(store);
        let spec = spec.clone();
        let text = tokio::task::spawn_blocking(move || text_of(&spec, &stored.content));
        text.await.map_err(|error| TextLost(error.to_string()))?
    }
}

/// The whole spec, packed: everything as the version has it, the modules from the bundle.
fn text_of(spec: &FunctionSpec, content: &[u8]) -> Result<Packed, TextLost> {
    let lost = |error: &dyn std::fmt::Display| TextLost(error.to_string());
    let bundle = Bundle::decode(content).map_err(|error| lost(&error))?;
    let whole = FunctionSpec { modules: bundle.into_modules(), ..spec.clone() };
    Ok(Packed::of(whole))
}

impl Texts for StoredTexts {
    fn load<'a>(
        &'a self,
        function: &'a FunctionVersion,
    ) -> Pin<Box<dyn Future<Output = Result<Packed, TextLost>> + Send + 'a>> {
        Box::pin(async move {
            let read = || self.read(&function.spec);
            Ok(self.cache.get(&function.id, read).await?.0)
        })
    }
}
