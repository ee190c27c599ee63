//! Where a node's log lines go: a buffer that one thread writes out, many lines at a time.
//!
//! A request must not wait for a terminal or a pipe, and a system call per request would cost more
//! than routing it. The buffer is bounded: when nobody reads the log, lines are dropped and
//! counted, and the node goes on serving.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that wait to be written. 4 MiB: about ten thousand lines, a quarter of a second at full load.
const BUFFER_BYTES_MAX: usize = 4 << 20;
/// Lines are collected for this long before they are written: far below what a reader notices.
const COLLECT: Duration = Duration::from_millis(4);

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    lines_dropped: u64,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    filled: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes lines from `tracing`.
#[derive(Clone)]
pub struct Sink(Arc<Shared>);

/// Writes out what is left when it is dropped.
pub struct Flush {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

/// Starts the thread that writes to `out`.
///
/// # Errors
/// When no thread can be started.
pub fn start(out: impl Write + Send + 'static) -> std::io::Result<(Sink, Flush)> {
    let shared = Arc::new(Shared::default());
    let theirs = Arc::clone(&shared);
    let writer = std::thread::Builder::new().name("log".to_owned()).spawn(move || write_out(&theirs, out))?;
    Ok((Sink(Arc::clone(&shared)), Flush { shared, writer: Some(writer) }))
}

fn write_out(shared: &Shared, mut out: impl Write) {
    let mut lines = Vec::new();
    loop {
        let mut buffer = shared.lock();
        while buffer.bytes.is_empty() && !buffer.closed {
            buffer = shared.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner);
        }
        if !buffer.closed {
            // More lines are likely on their way. Closing ends the wait early.
            let waited = shared.filled.wait_timeout_while(buffer, COLLECT, |buffer| !buffer.closed);
            buffer = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let closed = buffer.closed;
        // The two vectors change places for ever: no line is copied, nothing is allocated.
        std::mem::swap(&mut lines, &mut buffer.bytes);
        let dropped = std::mem::take(&mut buffer.lines_dropped);
        drop(buffer);
        // A log that cannot be written has nobody to be told.
        drop(out.write_all(&lines));
        if dropped > 0 {
            drop(writeln!(out, "isle: {dropped} log lines dropped: whoever reads this log is too slow"));
        }
        drop(out.flush());
        lines.clear();
        if closed {
            return;
        }
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = &'a Sink;

    fn make_writer(&'a self) -> &'a Sink {
        self
    }
}

impl Write for &Sink {
    /// Takes a whole line or drops it: `tracing` hands over one event at a time.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let mut buffer = self.0.lock();
        if buffer.bytes.len() + line.len() > BUFFER_BYTES_MAX {
            buffer.lines_dropped += 1;
            return Ok(line.len());
        }
        let first = buffer.bytes.is_empty();
        buffer.bytes.extend_from_slice(line);
        drop(buffer);
        if first {
            self.0.filled.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.filled.notify_one();
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// A log file that is written only when the test lets it.
    struct Slow {
        entered: SyncSender<()>,
        go_on: Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let (_, _) = (self.entered.try_send(()), self.go_on.recv());
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_by_the_end() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let (go, go_on) = sync_channel(0);
        drop(go);
        let slow = Slow { entered: sync_channel(1).0, go_on, written: Arc::clone(&written) };
        let (sink, flush) = start(slow).unwrap();
        for number in 0..1_000 {
            writeln!(&sink, "{number}").unwrap();
        }
        drop(flush);
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1_000);
        assert!(text.ends_with("\n999\n"));
    }

    #[test]
    fn a_reader_that_hangs_costs_lines_and_nothing_else() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let ((go, go_on), (entered, is_writing)) = (sync_channel(0), sync_channel(1));
        let (sink, flush) = start(Slow { entered, go_on, written: Arc::clone(&written) }).unwrap();
        (&sink).write_all(b"first\n").unwrap();
        is_writing.recv().unwrap();
        let line = [b'x'; 1 << 20];
        for _ in 0..6 {
            (&sink).write_all(&line).unwrap();
        }
        drop(go);
        drop(flush);
        let written = written.lock().unwrap();
        let text = String::from_utf8_lossy(&written);
        assert!(text.starts_with("first\n"));
        assert_eq!(text.matches('x').count(), 4 << 20);
        assert!(text.ends_with("isle: 2 log lines dropped: whoever reads this log is too slow\n"));
    }
}
