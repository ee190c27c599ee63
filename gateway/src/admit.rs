//! Admit: whether a request may enter now, decided before a byte of its body is read.
//!
//! ```text
//!   function's permit ──▶ tenant's permit ──▶ node's permit ──▶ Admitted
//!     full: refused         full: queue         full: refused      dropping it gives all three back
//!                           (bounded, late: refused)
//! ```
//!
//! The function's permit comes first because waiting counts against it: a function that is slow
//! fills its own share of the queue and no more. Only a tenant's limit has a queue: a burst is
//! smoothed there, while a full node or a full function would only collect what it cannot serve.
//! The way in is three atomic operations when there is room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a request may wait for its tenant's other requests. 1 s: clients that retry on 429
/// should do so sooner than a person gives up.
pub const QUEUE_WAIT: Duration = Duration::from_secs(1);

/// The node has as many requests as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeFull(());
/// The function has as many requests as its `concurrency` allows, those that wait included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionBusy(());
/// The tenant has as many requests as it may have, and as many waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantBusy(());
/// The request waited its time and its tenant was still busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantLate(());

/// Why a request was not admitted. Only this room can make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// See [`NodeFull`].
    Node(NodeFull),
    /// See [`FunctionBusy`].
    Function(FunctionBusy),
    /// See [`TenantBusy`].
    Tenant(TenantBusy),
    /// See [`TenantLate`].
    Late(TenantLate),
}

impl Refused {
    /// The metric labels, in the order of [`Refused::index`].
    pub const REASONS: [&'static str; 4] = ["node_full", "function_busy", "tenant_busy", "tenant_late"];

    /// Position in [`Refused::REASONS`].
    pub const fn index(self) -> usize {
        match self {
            Refused::Node(_) => 0,
            Refused::Function(_) => 1,
            Refused::Tenant(_) => 2,
            Refused::Late(_) => 3,
        }
    }

    /// The metric label and log word.
    pub const fn as_str(self) -> &'static str {
        Self::REASONS[self.index()]
    }
}

/// A number of permits without a queue.
#[derive(Debug)]
pub struct Gate {
    taken: AtomicU32,
    max: u32,
}

impl Gate {
    /// A gate with `max` permits.
    pub const fn new(max: u32) -> Gate {
        Gate { taken: AtomicU32::new(0), max }
    }

    /// Permits that are out.
    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    fn try_take(&self) -> bool {
        // Never above `max`, not even for a moment: a counter that overshoots refuses others.
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < self.max).then_some(taken + 1))
            .is_ok()
    }

    fn give_back(&self) {
        let before = self.taken.fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "a permit was given back twice");
    }
}

/// A tenant's permits and its queue.
#[derive(Debug)]
pub struct TenantGate {
    permits: Semaphore,
    waiting: Gate,
}

impl TenantGate {
    /// `concurrency_max` requests at one time, and `queue_max` that wait for them.
    pub fn new(concurrency_max: u32, queue_max: u32) -> TenantGate {
        TenantGate { permits: Semaphore::new(concurrency_max as usize), waiting: Gate::new(queue_max) }
    }

    /// Requests that wait now.
    pub fn waiting(&self) -> u32 {
        self.waiting.taken()
    }
}

/// Gives one permit of a gate back when dropped.
struct Held<'a>(&'a Gate);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// The three gates that a function's requests pass.
#[derive(Debug)]
pub struct Gates {
    function: Gate,
    tenant: Arc<TenantGate>,
    node: Arc<Gate>,
}

impl Gates {
    /// Gates of a function with this `concurrency`.
    pub fn new(concurrency: u32, tenant: Arc<TenantGate>, node: Arc<Gate>) -> Gates {
        Gates { function: Gate::new(concurrency), tenant, node }
    }

    /// Requests of the function that are in, those that wait included.
    pub fn taken(&self) -> u32 {
        self.function.taken()
    }

    /// Admits a request, or says why not. Waits at most `wait` for the tenant's other requests.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn admit(self: &Arc<Self>, wait: Duration) -> Result<Admitted, Refused> {
        if !self.function.try_take() {
            return Err(Refused::Function(FunctionBusy(())));
        }
        let function = Held(&self.function);
        match self.tenant.permits.try_acquire() {
            Ok(permit) => permit.forget(),
            Err(_) => self.queue(wait).await?,
        }
        if !self.node.try_take() {
            self.tenant.permits.add_permits(1);
            return Err(Refused::Node(NodeFull(())));
        }
        std::mem::forget(function);
        Ok(Admitted { gates: self.clone() })
    }

    async fn queue(&self, wait: Duration) -> Result<(), Refused> {
        if !self.tenant.waiting.try_take() {
            return Err(Refused::Tenant(TenantBusy(())));
        }
        let _waiting = Held(&self.tenant.waiting);
        match tokio::time::timeout(wait, self.tenant.permits.acquire()).await {
            Ok(Ok(permit)) => {
                permit.forget();
                Ok(())
            }
            // The semaphore is never closed, so this is the time.
            Ok(Err(_)) | Err(_) => Err(Refused::Late(TenantLate(()))),
        }
    }
}

/// Proof that a request was admitted. Dropping it makes room for another.
#[derive(Debug)]
pub struct Admitted {
    gates: Arc<Gates>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.gates.node.give_back();
        self.gates.tenant.permits.add_permits(1);
        self.gates.function.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    const NO_WAIT: Duration = Duration::ZERO;

    fn gates(function: u32, tenant: u32, queue: u32, node: u32) -> Arc<Gates> {
        let tenant = Arc::new(TenantGate::new(tenant, queue));
        Arc::new(Gates::new(function, tenant, Arc::new(Gate::new(node))))
    }

    #[tokio::test]
    async fn each_limit_refuses_with_its_own_reason_and_recovers() {
        for (gates, reason) in [
            (gates(1, 9, 0, 9), "function_busy"),
            (gates(9, 1, 0, 9), "tenant_busy"),
            (gates(9, 1, 9, 9), "tenant_late"),
            (gates(9, 9, 9, 1), "node_full"),
        ] {
            let first = gates.admit(NO_WAIT).await.unwrap();
            assert_eq!(gates.admit(NO_WAIT).await.unwrap_err().as_str(), reason);
            drop(first);
            assert!(gates.admit(NO_WAIT).await.is_ok(), "{reason} must not outlive its cause");
        }
    }

    #[tokio::test]
    async fn who_waits_is_served_in_turn_and_counts_against_its_function() {
        let gates = gates(2, 1, 5, 9);
        let first = gates.admit(NO_WAIT).await.unwrap();
        let mut second = pin!(gates.admit(Duration::from_secs(60)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert_eq!((gates.taken(), gates.tenant.waiting()), (2, 1));
        assert_eq!(gates.admit(NO_WAIT).await.unwrap_err().as_str(), "function_busy");
        drop(first);
        let Poll::Ready(Ok(_second)) = second.as_mut().poll(&mut context) else { panic!("it was its turn") };
        assert_eq!((gates.taken(), gates.tenant.waiting()), (1, 0));
    }

    #[tokio::test]
    async fn one_tenants_flood_leaves_room_for_another() {
        let node = Arc::new(Gate::new(100));
        let of = |max| Arc::new(Gates::new(9, Arc::new(TenantGate::new(max, 2)), node.clone()));
        let (noisy, quiet) = (of(1), of(1));
        let _held = noisy.admit(NO_WAIT).await.unwrap();
        for _ in 0..20 {
            assert!(noisy.admit(NO_WAIT).await.is_err());
        }
        assert!(quiet.admit(NO_WAIT).await.is_ok());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Enter(usize),
        Leave(usize),
        Poll,
        GiveUp(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0usize..4).prop_map(Step::Enter),
            3 => any::<usize>().prop_map(Step::Leave),
            2 => Just(Step::Poll),
            1 => any::<usize>().prop_map(Step::GiveUp),
        ]
    }

    proptest! {
        /// Whatever the order of arrivals, departures and clients that give up: no limit is ever
        /// exceeded, and when everybody has gone every permit is back.
        #[test]
        fn counters_keep_their_limits_and_come_back_to_zero(
            steps in proptest::collection::vec(step(), 1..120),
            (function, tenant, queue, node) in (1u32..5, 1u32..5, 0u32..4, 1u32..7),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _inside = runtime.enter();
            let node_gate = Arc::new(Gate::new(node));
            let tenants: Vec<_> = (0..2).map(|_| Arc::new(TenantGate::new(tenant, queue))).collect();
            let all: Vec<_> = (0..4)
                .map(|at| Arc::new(Gates::new(function, tenants[at % 2].clone(), node_gate.clone())))
                .collect();
            let mut inside: Vec<Admitted> = Vec::new();
            let mut waiting = Vec::new();
            let mut context = Context::from_waker(Waker::noop());
            for step in steps {
                match step {
                    Step::Enter(at) => {
                        let gates = all[at].clone();
                        waiting.push(Box::pin(async move { gates.admit(Duration::from_secs(3_600)).await }));
                    }
                    Step::Leave(at) if !inside.is_empty() => { inside.swap_remove(at % inside.len()); }
                    Step::GiveUp(at) if !waiting.is_empty() => { drop(waiting.swap_remove(at % waiting.len())); }
                    Step::Leave(_) | Step::GiveUp(_) | Step::Poll => {}
                }
                waiting.retain_mut(|wait| match wait.as_mut().poll(&mut context) {
                    Poll::Pending => true,
                    Poll::Ready(Ok(admitted)) => { inside.push(admitted); false }
                    Poll::Ready(Err(_)) => false,
                });
                prop_assert!(node_gate.taken() <= node && node_gate.taken() as usize == inside.len());
                for gates in &all {
                    prop_assert!(gates.taken() <= function && gates.tenant.waiting() <= queue);
                    let in_tenant = inside.iter().filter(|one| Arc::ptr_eq(&one.gates.tenant, &gates.tenant)).count();
                    prop_assert!(in_tenant as u32 <= tenant);
                }
            }
            drop((inside, waiting));
            prop_assert_eq!(node_gate.taken(), 0);
            for gates in &all {
                prop_assert_eq!((gates.taken(), gates.tenant.waiting()), (0, 0));
                prop_assert_eq!(gates.tenant.permits.available_permits(), tenant as usize);
            }
        }
    }
}
