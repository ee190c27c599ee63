//! The progress bar: on standard error, where somebody watches, and nowhere else.

use crate::bench::plan::Plan;
use crate::bench::units::{grouped, micros};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often it is drawn: often enough to move, too rarely to be seen in what is measured.
const EVERY: Duration = Duration::from_millis(100);
/// What the bar is divided into when it shows time.
const STEPS: u64 = 1_000;

/// Counts that are watched while they grow.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    failed: AtomicU64,
}

impl Progress {
    /// Counts a request.
    pub fn count(&self, succeeded: bool) {
        self.done.fetch_add(1, Ordering::Relaxed);
        if !succeeded {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is written behind the bar.
    fn message(&self, elapsed: Duration) -> String {
        let (done, failed) = (self.done.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        let rate = grouped((done as f64 / elapsed.as_secs_f64().max(1e-3)).round() as u64);
        let failed = if failed > 0 { format!(", {} failed", grouped(failed)) } else { String::new() };
        format!("{} requests, {rate}/s{failed}", grouped(done))
    }

    /// How far a run is, 0 to 1: by number or by time, whichever ends it first.
    fn share(&self, plan: &Plan, elapsed: Duration) -> f64 {
        let by_number = match plan.requests.or(plan.total()) {
            Some(total) => self.done.load(Ordering::Relaxed) as f64 / total.max(1) as f64,
            None => 0.0,
        };
        let by_time = plan.duration.map_or(0.0, |duration| elapsed.as_secs_f64() / duration.as_secs_f64());
        by_number.max(by_time).min(1.0)
    }
}

/// A bar that draws itself until it is dropped.
pub struct Bar {
    bar: ProgressBar,
    drawing: Option<tokio::task::JoinHandle<()>>,
}

impl Bar {
    /// Draws the progress of a plan, unless standard error is no terminal.
    pub fn start(what: &'static str, plan: Plan, progress: Arc<Progress>) -> Bar {
        if !std::io::stderr().is_terminal() {
            return Bar { bar: ProgressBar::hidden(), drawing: None };
        }
        let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{prefix:9} {bar:20} {wide_msg}") {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_prefix(what);
        let (shown, began) = (bar.clone(), Instant::now());
        let drawing = tokio::spawn(async move {
            let mut every = tokio::time::interval(EVERY);
            loop {
                every.tick().await;
                let elapsed = began.elapsed();
                shown.set_position((progress.share(&plan, elapsed) * STEPS as f64) as u64);
                let left = plan.duration.map(|duration| duration.saturating_sub(elapsed));
                let left = left.map_or(String::new(), |left| format!(", {} left", micros(left.as_secs_f64() * 1e6)));
                shown.set_message(progress.message(elapsed) + &left);
            }
        });
        Bar { bar, drawing: Some(drawing) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(drawing) = self.drawing.take() {
            drawing.abort();
        }
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_by_number_or_by_time() {
        let progress = Progress::default();
        (0..50).for_each(|index| progress.count(index % 10 > 0));
        let plan = Plan { rate: None, requests: Some(200), duration: None, grace: Duration::ZERO };
        let second = Duration::from_secs(1);
        assert_eq!(progress.share(&plan, second), 0.25);
        assert_eq!(progress.share(&Plan { duration: Some(2 * second), ..plan }, second), 0.5);
        assert_eq!(progress.share(&Plan { duration: Some(2 * second), requests: None, ..plan }, 3 * second), 1.0);
        assert_eq!(progress.message(second), "50 requests, 50/s, 5 failed");
    }
}
