//! Turns: a bounded number at one time, given out fairly by tenant.
//!
//! Each tenant that waits gets one turn in its turn, however many it waits for; work that nobody
//! waits for gets one when no tenant wants it.

use super::lock;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

#[derive(Debug, Default)]
struct State {
    free: usize,
    /// Who waits, by tenant; the front is next.
    tenants: VecDeque<(String, VecDeque<oneshot::Sender<Turn>>)>,
    background: VecDeque<oneshot::Sender<Turn>>,
}

impl State {
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        while let Some((tenant, mut waiting)) = self.tenants.pop_front() {
            let next = waiting.pop_front();
            if !waiting.is_empty() {
                self.tenants.push_back((tenant, waiting));
            }
            if next.is_some() {
                return next;
            }
        }
        self.background.pop_front()
    }
}

/// The turns.
#[derive(Debug)]
pub struct Turns(Arc<Mutex<State>>);

/// A turn; dropping it passes it on.
#[derive(Debug)]
pub struct Turn(Option<Arc<Mutex<State>>>);

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(state) = self.0.take() else { return };
        loop {
            let next = {
                let mut state = lock(&state);
                let next = state.next();
                if next.is_none() {
                    state.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(Turn(Some(state.clone()))) {
                Ok(()) => return,
                // Whoever waited has gone; the turn must not come back here through its own end.
                Err(mut turn) => turn.0 = None,
            }
        }
    }
}

impl Turns {
    /// As many turns as `count` at one time.
    pub fn new(count: usize) -> Turns {
        Turns(Arc::new(Mutex::new(State { free: count.max(1), ..State::default() })))
    }

    /// Waits for a turn. Without a tenant it is background work.
    pub async fn take(&self, tenant: Option<&str>) -> Turn {
        let receiver = {
            let mut state = lock(&self.0);
            if state.free > 0 {
                state.free -= 1;
                return Turn(Some(self.0.clone()));
            }
            let (sender, receiver) = oneshot::channel();
            match tenant {
                None => state.background.push_back(sender),
                Some(tenant) => match state.tenants.iter_mut().find(|(name, _)| name == tenant) {
                    Some((_, waiting)) => waiting.push_back(sender),
                    None => state.tenants.push_back((tenant.to_owned(), [sender].into())),
                },
            }
            receiver
        };
        match receiver.await {
            Ok(turn) => turn,
            // The sender is dropped only with the state, which `self` holds.
            Err(_) => Turn(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_order::order;

    /// Lets tasks that wait for turns note the order in which they got them.
    mod futures_order {
        use super::*;

        pub async fn order(count: usize, waiting: &[Option<&'static str>]) -> Vec<Option<&'static str>> {
            let turns = Arc::new(Turns::new(count));
            let held: Vec<Turn> = {
                let mut held = Vec::new();
                for _ in 0..count {
                    held.push(turns.take(Some("first")).await);
                }
                held
            };
            let noted = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = Vec::new();
            for tenant in waiting.iter().copied() {
                let (turns, noted) = (turns.clone(), noted.clone());
                tasks.push(tokio::spawn(async move {
                    let _turn = turns.take(tenant).await;
                    lock(&noted).push(tenant);
                }));
                // The current-thread test runtime runs it up to its wait.
                tokio::task::yield_now().await;
            }
            assert!(lock(&noted).is_empty());
            drop(held);
            for task in tasks {
                task.await.unwrap();
            }
            let noted = lock(&noted);
            noted.clone()
        }
    }

    #[tokio::test]
    async fn a_tenant_with_many_does_not_keep_another_waiting() {
        let (a, b) = (Some("a"), Some("b"));
        assert_eq!(order(1, &[None, a, a, a, b, b]).await, [a, b, a, b, a, None]);
    }

    #[tokio::test]
    async fn who_leaves_while_waiting_takes_no_turn_along() {
        let turns = Arc::new(Turns::new(1));
        let held = turns.take(Some("a")).await;
        {
            let gone = turns.take(Some("b"));
            tokio::pin!(gone);
            assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(gone.as_mut().poll(cx).is_pending())).await);
        }
        drop(held);
        drop(turns.take(Some("a")).await);
        drop(turns.take(None).await);
    }
}
