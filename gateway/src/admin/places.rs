//! Places for request bodies that are being read: each may be tens of MB, and as slow as its sender
//! likes. The operator's are apart, and no tenant can have all of the others.

use crate::control::Caller;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies of the operator's at one time.
const OPERATOR_MAX: usize = 2;
/// Bodies of all tenants at one time.
const TENANTS_MAX: usize = 6;
/// Bodies of one tenant at one time.
const TENANT_MAX: usize = 2;

/// The places of an admin listener.
pub(super) struct Places {
    operator: Arc<Semaphore>,
    tenants: Arc<Semaphore>,
    /// Each tenant's own.
    each: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A place, as long as it is kept. No semaphore here is ever closed, so what is waited for is got.
pub(super) struct Place {
    _own: Option<OwnedSemaphorePermit>,
    _shared: Option<OwnedSemaphorePermit>,
}

impl Default for Places {
    fn default() -> Places {
        Places {
            operator: Arc::new(Semaphore::new(OPERATOR_MAX)),
            tenants: Arc::new(Semaphore::new(TENANTS_MAX)),
            each: Mutex::default(),
        }
    }
}

impl Places {
    /// Waits for a place for a body of the caller's.
    pub(super) async fn take(&self, caller: &Caller) -> Place {
        match caller {
            Caller::Admin => Place { _own: self.operator.clone().acquire_owned().await.ok(), _shared: None },
            Caller::Tenant(name) => {
                // Its own first: while it waits for that, it has none of the others'.
                let _own = self.of(name).acquire_owned().await.ok();
                Place { _own, _shared: self.tenants.clone().acquire_owned().await.ok() }
            }
        }
    }

    fn of(&self, tenant: &str) -> Arc<Semaphore> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        // Places that nobody has or awaits go here, so there are never more than callers.
        each.retain(|_, places| Arc::strong_count(places) > 1);
        each.entry(tenant.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(TENANT_MAX))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn tenant(name: &str) -> Caller {
        Caller::Tenant(name.into())
    }

    /// A place, if there is one now.
    fn try_take(places: &Places, caller: &Caller) -> Option<Place> {
        match pin!(places.take(caller)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => Some(place),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_tenant_waits_for_itself_and_nobody_else_waits_for_it() {
        let places = Places::default();
        let mut kept: Vec<_> = (0..TENANT_MAX).map(|_| try_take(&places, &tenant("acme")).unwrap()).collect();
        assert!(try_take(&places, &tenant("acme")).is_none());
        assert!(try_take(&places, &tenant("zeta")).is_some());
        assert!(try_take(&places, &Caller::Admin).is_some());
        kept.pop();
        assert!(try_take(&places, &tenant("acme")).is_some());
    }

    #[test]
    fn all_tenants_together_have_a_bound_and_leave_the_operator_room() {
        let places = Places::default();
        let kept: Vec<_> = (0..TENANTS_MAX).map(|n| try_take(&places, &tenant(&n.to_string())).unwrap()).collect();
        assert!(try_take(&places, &tenant("zeta")).is_none());
        assert!(try_take(&places, &Caller::Admin).is_some());
        drop(kept);
        assert!(try_take(&places, &tenant("zeta")).is_some());
        assert_eq!(places.each.lock().unwrap().len(), 1, "who has left is forgotten");
    }
}
