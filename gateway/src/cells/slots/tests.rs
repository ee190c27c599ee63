use super::*;
use isle_wire::Outcome;
use proptest::prelude::*;
use std::collections::HashMap;

fn response() -> ResponseFrame {
    ResponseFrame::failed(Outcome::Ok, Bytes::new())
}

fn insert(slots: &mut Slots) -> u32 {
    slots.insert(Bytes::from_static(b"r"), 100).unwrap()
}

#[test]
fn an_invocation_keeps_its_depth_beyond_its_end() {
    let mut slots = Slots::default();
    let (first, second) = (slots.insert(Bytes::new(), 0).unwrap(), slots.insert_at(3, Bytes::new(), 0).unwrap());
    assert_eq!((slots.depth(first), slots.depth(second)), (0, 3));
    assert_eq!(slots.depth(0), 3, "nobody's: the deepest known");
    slots.answer(second, ResponseFrame::failed(isle_wire::Outcome::Ok, Bytes::new()));
    let _ = slots.poll_response(second, std::task::Waker::noop());
    assert_eq!((slots.used(), slots.depth(second)), (1, 3), "work that outlives its invocation is as deep");
    let third = slots.insert(Bytes::new(), 0).unwrap();
    assert_eq!((slots.depth(third), slots.depth(second)), (0, 0), "its slot is another's now");
}

#[test]
fn a_start_up_is_no_deeper_than_what_is_inside() {
    let mut slots = Slots::default();
    let (shallow, deep) = (slots.insert_at(2, Bytes::new(), 0).unwrap(), slots.insert_at(8, Bytes::new(), 0).unwrap());
    assert_eq!(slots.depth(0), 8);
    for (id, left) in [(deep, 2), (shallow, 0)] {
        slots.answer(id, response());
        assert!(slots.poll_response(id, Waker::noop()).is_ready());
        assert_eq!(slots.depth(0), left);
    }
}

#[test]
fn ids_are_never_zero_and_differ_when_a_slot_is_reused() {
    let mut slots = Slots::default();
    let mut last = 0;
    for _ in 0..10 {
        let id = insert(&mut slots);
        assert!(id != 0 && id != last);
        last = id;
        slots.answer(id, response());
        assert!(slots.poll_response(id, Waker::noop()).is_ready());
        assert_eq!(slots.used(), 0);
    }
}

#[test]
fn a_cell_holds_no_more_than_its_board() {
    let mut slots = Slots::default();
    for _ in 0..BOARD_SLOTS_MAX {
        insert(&mut slots);
    }
    assert_eq!(slots.insert(Bytes::new(), 0), Err(NoSlot::Full));
}

#[test]
fn an_abandoned_slot_is_free_only_when_the_cell_has_answered() {
    let mut slots = Slots::default();
    let id = insert(&mut slots);
    assert!(slots.release(id), "the cell must be told");
    assert!(!slots.release(id));
    assert_eq!(slots.used(), 1);
    assert!(matches!(slots.answer(id, response()), Answered::Waited(None)));
    assert_eq!(slots.used(), 0);
}

#[test]
fn a_body_that_nobody_takes_is_given_up_again_when_its_response_comes() {
    let mut slots = Slots::default();
    let (left, late) = (insert(&mut slots), insert(&mut slots));
    slots.release(left);
    let with_body = || ResponseFrame { body_follows: true, ..response() };
    assert!(matches!(slots.answer(left, with_body()), Answered::Unwanted));
    slots.expire(100, 50);
    let _ = slots.poll_response(late, Waker::noop());
    assert!(matches!(slots.answer(late, with_body()), Answered::Unwanted));
    assert_eq!(slots.used(), 0);
}

#[test]
fn what_is_overdue_is_reported_once_and_a_cell_that_keeps_it_is_stuck() {
    let mut slots = Slots::default();
    let id = insert(&mut slots);
    assert!(slots.expire(99, 50).ids.is_empty());
    assert_eq!(slots.expire(100, 50).ids, [id]);
    assert!(slots.expire(100, 50).ids.is_empty());
    assert_eq!(slots.poll_response(id, Waker::noop()), Poll::Ready(Err(Miss::Overdue)));
    assert!(!slots.release(id), "it was told already");
    assert!(!slots.expire(149, 50).stuck);
    assert!(slots.expire(150, 50).stuck);
}

#[test]
fn a_body_beyond_the_window_is_a_breach() {
    let mut slots = Slots::default();
    let id = insert(&mut slots);
    slots.answer(id, ResponseFrame { body_follows: true, ..response() });
    let piece = vec![0; BODY_CHUNK_BYTES_MAX];
    for _ in 0..WINDOW_BYTES / BODY_CHUNK_BYTES_MAX + 1 {
        slots.body(id, false, &piece).unwrap();
    }
    assert!(slots.body(id, false, b"x").is_err());
}

#[test]
fn what_arrived_before_the_cell_died_is_read_before_its_end_is_missed() {
    let mut slots = Slots::default();
    let (whole, broken, waiting) = (insert(&mut slots), insert(&mut slots), insert(&mut slots));
    slots.answer(whole, response());
    slots.answer(broken, ResponseFrame { body_follows: true, ..response() });
    slots.body(broken, false, b"half").unwrap();
    slots.lose_all();
    assert!(matches!(slots.poll_response(whole, Waker::noop()), Poll::Ready(Ok(_))));
    assert!(matches!(slots.poll_response(broken, Waker::noop()), Poll::Ready(Ok(_))));
    assert_eq!(slots.poll_body(broken, Waker::noop()), Poll::Ready(Ok(Piece::Bytes(Bytes::from_static(b"half")))));
    assert_eq!(slots.poll_body(broken, Waker::noop()), Poll::Ready(Err(Miss::Gone)));
    assert_eq!(slots.poll_response(waiting, Waker::noop()), Poll::Ready(Err(Miss::Gone)));
    assert_eq!((slots.used(), slots.insert(Bytes::new(), 0)), (0, Err(NoSlot::Closed)));
}

#[test]
fn a_body_fails_with_its_stream_or_its_cell_and_not_when_all_of_it_is_there() {
    let mut slots = Slots::default();
    let ids: [u32; 4] = std::array::from_fn(|_| insert(&mut slots));
    for id in ids {
        slots.answer(id, ResponseFrame { body_follows: true, streamed: true, ..response() });
        assert!(slots.poll_response(id, Waker::noop()).is_ready());
        slots.body(id, false, b"unread").unwrap();
        assert!(slots.poll_failed(id, Waker::noop()).is_pending());
    }
    let [well, late, whole, _half] = ids;
    for (id, outcome) in [(well, Outcome::Ok), (late, Outcome::WallExceeded)] {
        let [woken, _] = slots.end(id, End { outcome, timing: Default::default(), detail: Bytes::new() }).unwrap();
        assert!(woken.is_some());
    }
    slots.body(whole, true, b"").unwrap();
    let failed = |slots: &mut Slots| ids.map(|id| slots.poll_failed(id, Waker::noop()).is_ready());
    assert_eq!(failed(&mut slots), [false, true, false, false]);
    assert!(!slots.lose_all().is_empty());
    assert_eq!(failed(&mut slots), [false, true, false, true]);
}

#[derive(Clone, Debug)]
enum Step {
    Insert,
    Answer(usize, bool),
    Body(usize, bool),
    Take(usize),
    Read(usize),
    Release(usize),
    Stray(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0usize..8;
    prop_oneof![
        3 => Just(Step::Insert),
        3 => (which.clone(), any::<bool>()).prop_map(|(at, follows)| Step::Answer(at, follows)),
        2 => (which.clone(), any::<bool>()).prop_map(|(at, last)| Step::Body(at, last)),
        3 => which.clone().prop_map(Step::Take),
        2 => which.clone().prop_map(Step::Read),
        2 => which.prop_map(Step::Release),
        1 => any::<u32>().prop_map(Step::Stray),
    ]
}

proptest! {
    /// Whatever a cell and its clients do, in any order: no panic, no slot given twice, and once
    /// everybody has left and everything is answered, no slot is taken.
    #[test]
    fn slots_never_leak_and_are_never_shared(steps in proptest::collection::vec(step(), 1..200)) {
        let mut slots = Slots::default();
        let mut held: Vec<u32> = Vec::new();
        let mut unanswered: HashMap<u32, ()> = HashMap::new();
        let pick = |held: &Vec<u32>, at: usize| held.get(at % held.len().max(1)).copied();
        for step in steps {
            match step {
                Step::Insert => {
                    let id = insert(&mut slots);
                    prop_assert!(!held.iter().chain(unanswered.keys()).any(|other| other & 0xfff == id & 0xfff));
                    held.push(id);
                    unanswered.insert(id, ());
                }
                Step::Answer(at, body_follows) => if let Some(id) = pick(&held, at) {
                    slots.answer(id, ResponseFrame { body_follows, ..response() });
                    unanswered.remove(&id);
                },
                Step::Body(at, last) => if let Some(id) = pick(&held, at) {
                    let _ = slots.body(id, last, b"piece");
                },
                Step::Take(at) => if let Some(id) = pick(&held, at) {
                    // Waiting twice for one response is what no invocation does.
                    if let Poll::Ready(Ok(response)) = slots.poll_response(id, Waker::noop()) && !response.body_follows {
                        held.retain(|other| *other != id);
                    }
                },
                Step::Read(at) => if let Some(id) = pick(&held, at)
                    && !unanswered.contains_key(&id)
                    && !matches!(slots.poll_body(id, Waker::noop()), Poll::Ready(Ok(Piece::Bytes(_))) | Poll::Pending)
                {
                    held.retain(|other| *other != id);
                },
                Step::Release(at) => if let Some(id) = pick(&held, at) {
                    slots.release(id);
                    held.retain(|other| *other != id);
                },
                Step::Stray(id) => {
                    if !held.contains(&id) && !unanswered.contains_key(&id) {
                        slots.answer(id, response());
                        let _ = slots.body(id, true, b"stray");
                        slots.credit(id, 1);
                    }
                }
            }
        }
        held.iter().for_each(|&id| { slots.release(id); });
        unanswered.keys().for_each(|&id| { slots.answer(id, response()); });
        prop_assert_eq!(slots.used(), 0);
    }
}
