use super::*;
use crate::function::Function;
use isle_wire::{Decoder, FunctionSpec, Invoke};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::task::Wake;

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

#[test]
fn a_response_body_never_runs_ahead_of_its_credit() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let reader = std::thread::spawn(move || {
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
    });
    let outbox = Outbox::new(ours);
    let outgoing = Outgoing::default();
    outgoing.start(9, Bytes::from(vec![1u8; WINDOW_BYTES + 10]), &outbox);
    outgoing.credit(9, 4, &outbox);
    outgoing.credit(9, 100, &outbox);
    assert!(outgoing.streams().is_empty());
    outbox.flush();
    drop(outbox);
    let sizes = reader.join().unwrap();
    assert_eq!(sizes.iter().map(|(size, _)| size).sum::<usize>(), WINDOW_BYTES + 10);
    assert_eq!(sizes[4..], [(4, false), (6, true)]);
}
