//! Many named tests against one node: what `#[test]` cannot share without leaking a process.
//!
//! `cargo test --test cases -- r20` runs the tests whose names contain `r20`; `--list` names them.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

/// Named tests, run by [`Suite::run`].
pub struct Suite<'a> {
    tests: VecDeque<(String, Box<dyn FnOnce() + Send + 'a>)>,
}

/// Whether this run asks for anything but a list of names that `names` provides.
pub fn only_listed(names: &[String]) -> bool {
    let listed = std::env::args().any(|argument| argument == "--list");
    if listed {
        names.iter().for_each(|name| println!("{name}: test"));
    }
    listed
}

/// Whether the command line asks for this test.
pub fn selected(name: &str) -> bool {
    let mut filters = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    filters.peek().is_none() || filters.any(|filter| name.contains(&filter))
}

impl<'a> Suite<'a> {
    pub fn new() -> Suite<'a> {
        Suite { tests: VecDeque::new() }
    }

    /// Adds a test, if the command line asks for it.
    pub fn add(&mut self, name: &str, test: impl FnOnce() + Send + 'a) {
        if selected(name) {
            self.tests.push_back((name.to_owned(), Box::new(test)));
        }
    }

    /// Runs the tests, `threads` at a time; fails when one panicked.
    pub fn run(self, threads: usize) -> ExitCode {
        let begun = Instant::now();
        let count = self.tests.len();
        println!("\nrunning {count} tests");
        let (queue, failed) = (Mutex::new(self.tests), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let Some((name, test)) = queue.lock().expect("the queue").pop_front() else { return };
                        // A thread for each, so that a panic's message carries the test's name.
                        let ran = std::thread::scope(|one| {
                            let thread = std::thread::Builder::new().name(name.clone());
                            thread.spawn_scoped(one, test).expect("a thread").join()
                        });
                        println!("test {name} ... {}", if ran.is_ok() { "ok" } else { "FAILED" });
                        if ran.is_err() {
                            failed.lock().expect("the list").push(name);
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().expect("the list");
        let word = if failed.is_empty() { "ok" } else { "FAILED" };
        let seconds = begun.elapsed().as_secs_f32();
        println!("\ntest result: {word}. {} passed; {} failed; {seconds:.1} s", count - failed.len(), failed.len());
        failed.iter().for_each(|name| println!("    {name}"));
        if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
