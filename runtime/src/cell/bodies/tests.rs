use super::*;
use crate::function::Function;
use isle_wire::{Decoder, FunctionSpec, Invoke};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::time::Duration;

fn collecting(limit: usize, announced: Option<&'static str>) -> Collecting {
    let mut invoke = Invoke { body_follows: true, ..Invoke::default() };
    invoke.head.headers.extend(announced.map(|length| ("content-length".into(), length.into())));
    let spec = FunctionSpec {
        tenant: "t".into(),
        app: "a".into(),
        function: "f".into(),
        deployment: "d".into(),
        entry: "index.js".into(),
        kind: Default::default(),
        modules: Default::default(),
        env: Default::default(),
        limits: Default::default(),
        code_generation: true,
        contract: Default::default(),
        egress_allow: None,
        artifact: String::new(),
    };
    let version = Version::new(1, Function::from_source(spec), isle_wire::StartKind::Source);
    Collecting { job: Job { id: 5, invoke, arrived: Instant::now() }, version, limit }
}

fn inbound() -> Inbound {
    let inbound = Inbound::default();
    inbound.open(5);
    inbound
}

#[test]
fn a_request_body_is_put_together_within_its_limit() {
    let bodies = inbound();
    assert!(matches!(bodies.collect(5, collecting(6, None)), Collected::Coming(0)));
    assert!(matches!(bodies.piece(5, false, "abc".into()), Piece::Credit(3)));
    match bodies.piece(5, true, "def".into()) {
        Piece::Whole(whole) => {
            assert_eq!((&whole.job.invoke.body[..], whole.job.invoke.body_follows), (&b"abcdef"[..], false))
        }
        _ => panic!("the body is whole"),
    }
    assert!(matches!(bodies.piece(5, true, "x".into()), Piece::Stray));

    let bodies = inbound();
    bodies.collect(5, collecting(2, None));
    assert!(matches!(bodies.piece(5, false, "abc".into()), Piece::TooLarge));
    assert!(matches!(bodies.piece(5, true, "".into()), Piece::Stray));
    assert!(matches!(inbound().collect(5, collecting(2, Some("3"))), Collected::TooLarge));
}

#[test]
fn what_came_before_the_function_was_known_is_not_lost() {
    let bodies = inbound();
    assert!(matches!(bodies.piece(5, false, "abc".into()), Piece::Held));
    assert!(matches!(bodies.collect(5, collecting(6, None)), Collected::Coming(3)));
    assert!(matches!(bodies.piece(5, true, "".into()), Piece::Whole(_)));

    let bodies = inbound();
    bodies.piece(5, false, "abc".into());
    bodies.piece(5, true, "d".into());
    assert!(
        matches!(bodies.collect(5, collecting(6, None)), Collected::Whole(whole) if whole.job.invoke.body == "abcd")
    );

    let bodies = inbound();
    assert_eq!(bodies.break_off(5), Broken::Read);
    assert!(matches!(bodies.collect(5, collecting(6, None)), Collected::Broken));
    bodies.open(5);
    bodies.collect(5, collecting(6, None));
    assert_eq!((bodies.break_off(5), bodies.break_off(5)), (Broken::Collecting, Broken::Unknown));
}

struct Woken(std::sync::atomic::AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_reader_is_woken_by_each_piece_by_the_end_and_by_a_break() {
    let woken = Arc::new(Woken(false.into()));
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    let was_woken = || woken.0.swap(false, std::sync::atomic::Ordering::Relaxed);
    let bodies = inbound();
    assert!(bodies.poll_arrived(5, &mut cx).is_pending());
    bodies.piece(5, false, "abc".into());
    assert!(was_woken() && bodies.poll_arrived(5, &mut cx).is_ready());
    assert!(matches!(bodies.take(5), Taken::Bytes(bytes) if bytes == "abc"));
    assert!(matches!(bodies.take(5), Taken::Nothing));
    assert!(bodies.poll_arrived(5, &mut cx).is_pending());
    bodies.piece(5, true, "".into());
    assert!(was_woken() && matches!(bodies.take(5), Taken::End));

    let bodies = inbound();
    assert!(bodies.poll_arrived(5, &mut cx).is_pending());
    bodies.break_off(5);
    assert!(was_woken() && matches!(bodies.take(5), Taken::Broken));
}

#[test]
fn a_body_nobody_wants_is_passed_over() {
    let bodies = inbound();
    bodies.piece(5, false, "abc".into());
    assert_eq!(bodies.discard(5), 3);
    assert!(matches!(bodies.piece(5, false, "defg".into()), Piece::Credit(4)));
    assert!(matches!(bodies.take(5), Taken::Broken));
}

#[test]
fn what_is_written_waits_for_credit_and_has_a_limit() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let outbox = Outbox::new(ours);
    let outgoing = Outgoing::default();
    let mut cx = Context::from_waker(Waker::noop());
    outgoing.open(9, WINDOW_BYTES as u64 + 10);
    let bytes = vec![1; WINDOW_BYTES + 1];
    assert_eq!(outgoing.write(9, &bytes, &outbox), WINDOW_BYTES as i32);
    assert_eq!(outgoing.write(9, b"x", &outbox), 0);
    assert!(outgoing.poll_room(9, &mut cx).is_pending());
    outgoing.credit(9, 4, &outbox);
    assert!(outgoing.poll_room(9, &mut cx).is_ready());
    assert_eq!(outgoing.write(9, b"123456", &outbox), 4);
    assert_eq!(outgoing.write(9, b"1234567", &outbox), TOO_LARGE);
    let progress = outgoing.progress(9).unwrap();
    assert_eq!((progress.passed, progress.too_large), (WINDOW_BYTES as u64 + 4, true));
    outgoing.close(9);
    assert!(outgoing.poll_room(9, &mut cx).is_ready());
    assert_eq!(outgoing.write(9, b"x", &outbox), UNWANTED);
}

/// How long the body pieces are that come until the cell's end closes, and which are the last.
fn pieces(theirs: &mut UnixStream) -> Vec<(usize, bool)> {
    let mut all = Vec::new();
    theirs.read_to_end(&mut all).unwrap();
    let mut decoder = Decoder { buffer: BytesMut::from(&all[..]) };
    let mut sizes = Vec::new();
    while let Some(frame) = decoder.next_frame().unwrap() {
        if let Frame::Body { last, data, .. } = frame {
            sizes.push((data.len(), last));
        }
    }
    sizes
}

#[test]
fn a_response_body_never_runs_ahead_of_its_credit() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let reader = std::thread::spawn(move || pieces(&mut theirs));
    let outbox = Outbox::new(ours);
    let outgoing = Outgoing::default();
    outgoing.keep(9, Bytes::from(vec![1u8; WINDOW_BYTES + 10]));
    outgoing.go(9, &outbox);
    outgoing.credit(9, 4, &outbox);
    outgoing.credit(9, 100, &outbox);
    assert!(outgoing.streams().is_empty());
    outbox.flush();
    drop(outbox);
    let sizes = reader.join().unwrap();
    assert_eq!(sizes.iter().map(|(size, _)| size).sum::<usize>(), WINDOW_BYTES + 10);
    assert_eq!(sizes[4..], [(4, false), (6, true)]);
}

#[test]
fn credit_that_comes_before_the_body_goes_counts() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (outbox, outgoing) = (Outbox::new(ours), Outgoing::default());
    const BODY: usize = 3 * 1_024;
    // Another thread flushed the head, and the gateway has read that already.
    outgoing.keep(9, vec![1; BODY].into());
    outgoing.credit(9, 1_024, &outbox);
    outgoing.go(9, &outbox);
    assert!(outgoing.streams().is_empty());
    outbox.flush();
    drop(outbox);
    assert_eq!(pieces(&mut theirs), [(BODY, true)]);
}

#[test]
fn a_body_that_nobody_wants_before_it_goes_is_not_kept() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (outbox, outgoing) = (Outbox::new(ours), Outgoing::default());
    outgoing.keep(9, vec![1; 2 * WINDOW_BYTES].into());
    outgoing.close(9);
    outgoing.go(9, &outbox);
    assert!(outgoing.streams().is_empty());
    outbox.flush();
    drop(outbox);
    assert_eq!(pieces(&mut theirs), []);
}

/// A gateway that credits at once what it reads, and a thread of the cell that flushes at any time.
#[test]
fn a_body_goes_on_however_soon_it_is_credited() {
    const BODIES: u32 = 500;
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (outbox, outgoing, over) = (Outbox::new(ours), Outgoing::default(), AtomicBool::new(false));
    let (ended, end) = std::sync::mpsc::sync_channel(0);
    let stalled = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (ended, mut decoder, mut chunk) = (ended, Decoder::default(), vec![0; 1 << 20]);
            // A body that stands still ends this with the time limit, and the sender is told.
            while let Ok(count) = theirs.read(&mut chunk) {
                decoder.buffer.extend_from_slice(&chunk[..count]);
                while let Some(Frame::Body { id, last, data }) = decoder.next_frame().unwrap() {
                    outgoing.credit(id, data.len(), &outbox);
                    if last && (ended.send(id).is_err() || id == BODIES) {
                        return;
                    }
                }
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                outbox.flush();
            }
        });
        let stalled = (1..=BODIES).find(|&id| {
            outgoing.keep(id, vec![0; 2 * WINDOW_BYTES].into());
            outgoing.go(id, &outbox);
            end.recv() != Ok(id)
        });
        over.store(true, Ordering::Relaxed);
        stalled
    });
    assert_eq!(stalled, None, "the body that stood still");
    assert!(outgoing.streams().is_empty());
}
