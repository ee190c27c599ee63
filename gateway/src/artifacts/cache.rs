//! A cache weighed in bytes whose entries are loaded once, however many wait for them.

use super::lock;
use moka::sync::Cache;
use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, Weak};

/// Values by key, up to a weight; what is not there is loaded by the first who asks.
pub struct Coalesced<K, V> {
    cache: Cache<K, V>,
    loading: Mutex<HashMap<K, Weak<tokio::sync::Mutex<()>>>>,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// It was there, or somebody else had just loaded it.
    Cache,
    /// It was loaded for this caller.
    Load,
}

impl<K, V> std::fmt::Debug for Coalesced<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coalesced").finish_non_exhaustive()
    }
}

impl<K, V> Coalesced<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of at most `bytes_max`; `weigh` says a value's bytes, `evicted` is told of each that
    /// had to go for another.
    pub fn new(
        bytes_max: u64,
        weigh: impl Fn(&V) -> u64 + Send + Sync + 'static,
        evicted: impl Fn() + Send + Sync + 'static,
    ) -> Coalesced<K, V> {
        let cache = Cache::builder()
            .max_capacity(bytes_max)
            .weigher(move |_, value| u32::try_from(weigh(value)).unwrap_or(u32::MAX).max(1))
            .eviction_listener(move |_, _, cause| {
                if cause.was_evicted() {
                    evicted();
                }
            })
            .build();
        Coalesced { cache, loading: Mutex::default() }
    }

    /// The value, loaded if it is not there. A load that fails is the next caller's to try again.
    ///
    /// # Errors
    /// What `load` says.
    pub async fn get<E, F>(&self, key: &K, load: impl FnOnce() -> F) -> Result<(V, From), E>
    where
        F: Future<Output = Result<V, E>>,
    {
        if let Some(value) = self.cache.get(key) {
            return Ok((value, From::Cache));
        }
        let turn = self.turn(key);
        let _alone = turn.lock().await;
        if let Some(value) = self.cache.get(key) {
            return Ok((value, From::Cache));
        }
        let value = load().await?;
        self.cache.insert(key.clone(), value.clone());
        Ok((value, From::Load))
    }

    /// The lock of those who want to load this.
    fn turn(&self, key: &K) -> Arc<tokio::sync::Mutex<()>> {
        let mut loading = lock(&self.loading);
        // Locks that nobody holds or awaits go here, so there are never more than callers.
        loading.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = loading.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        loading.insert(key.clone(), Arc::downgrade(&turn));
        turn
    }

    /// Puts a value there that was not loaded.
    pub fn insert(&self, key: K, value: V) {
        self.cache.insert(key, value);
    }

    /// Forgets a value.
    pub fn remove(&self, key: &K) {
        self.cache.invalidate(key);
    }

    /// The weight of what is there, in bytes, after what is due has gone.
    pub fn bytes(&self) -> u64 {
        self.cache.run_pending_tasks();
        self.cache.weighted_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn cache(bytes_max: u64) -> (Coalesced<u32, Arc<Vec<u8>>>, Arc<AtomicUsize>) {
        let evictions = Arc::new(AtomicUsize::new(0));
        let counted = evictions.clone();
        let count = move || {
            counted.fetch_add(1, Ordering::SeqCst);
        };
        (Coalesced::new(bytes_max, |value: &Arc<Vec<u8>>| value.len() as u64, count), evictions)
    }

    #[tokio::test]
    async fn a_hundred_who_want_the_same_load_it_once() {
        let (cache, _) = cache(1_000);
        let cache = Arc::new(cache);
        let loads = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let callers: Vec<_> = (0..100)
            .map(|_| {
                let (cache, loads, gate) = (cache.clone(), loads.clone(), gate.clone());
                tokio::spawn(async move {
                    let load = || async {
                        loads.fetch_add(1, Ordering::SeqCst);
                        gate.acquire().await.unwrap().forget();
                        Ok::<_, Infallible>(Arc::new(vec![7]))
                    };
                    cache.get(&1, load).await.unwrap()
                })
            })
            .collect();
        tokio::task::yield_now().await;
        gate.add_permits(1);
        let mut loaded = 0;
        for caller in callers {
            let (value, from) = caller.await.unwrap();
            assert_eq!(*value, [7]);
            loaded += usize::from(from == From::Load);
        }
        assert_eq!((loads.load(Ordering::SeqCst), loaded), (1, 1));
    }

    #[tokio::test]
    async fn a_load_that_fails_is_tried_again_by_the_next() {
        let (cache, _) = cache(1_000);
        assert_eq!(cache.get(&1, || async { Err("no") }).await, Err("no"));
        let second = cache.get(&1, || async { Ok::<_, &str>(Arc::new(vec![1])) }).await.unwrap();
        assert_eq!(second.1, From::Load);
        cache.remove(&1);
        assert_eq!(cache.get(&1, || async { Err("no") }).await, Err("no"));
    }

    #[tokio::test]
    async fn it_never_weighs_more_than_it_may() {
        let (cache, evictions) = cache(1_000);
        for key in 0..50 {
            cache.get(&key, || async { Ok::<_, Infallible>(Arc::new(vec![0; 100])) }).await.unwrap();
            assert!(cache.bytes() <= 1_000);
        }
        assert!(evictions.load(Ordering::SeqCst) >= 40);
        cache.insert(99, Arc::new(vec![0; 2_000]));
        assert!(cache.bytes() <= 1_000, "what is heavier than the whole is not kept");
    }
}
