//! The codec, without a socket: what is encoded is decoded whole, however the stream is cut, and
//! garbage is an error, never a panic.

use super::*;
use proptest::prelude::*;

fn blob() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

/// Without the character that stands for one that was cut in the middle: a text that ends in it
/// could lose its last byte and be the same.
fn text() -> impl Strategy<Value = String> {
    "[^\u{FFFD}]*"
}

fn pairs() -> impl Strategy<Value = Vec<(Bytes, Bytes)>> {
    proptest::collection::vec((blob(), blob()), 0..6)
}

fn head() -> impl Strategy<Value = RequestHead> {
    (proptest::collection::vec(blob(), 9), pairs(), pairs(), any::<u64>()).prop_map(
        |(texts, path_parameters, headers, time_ms)| RequestHead {
            method: texts[0].clone(),
            path: texts[1].clone(),
            query: texts[2].clone(),
            route_key: texts[3].clone(),
            host: texts[4].clone(),
            protocol: texts[5].clone(),
            scheme: texts[6].clone(),
            source_ip: texts[7].clone(),
            request_id: texts[8].clone(),
            path_parameters,
            headers,
            time_ms,
        },
    )
}

fn response() -> impl Strategy<Value = ResponseFrame> {
    (
        0..Outcome::ALL.len(),
        0..StartKind::ALL.len(),
        any::<[u32; 4]>(),
        any::<u16>(),
        pairs(),
        blob(),
        any::<bool>(),
        blob(),
    )
        .prop_map(|(outcome, start, t, status, headers, detail, body_follows, body)| ResponseFrame {
            outcome: Outcome::ALL[outcome],
            start: StartKind::ALL[start],
            timing: Timing { queue_us: t[0], start_us: t[1], run_us: t[2], cpu_us: t[3] },
            status,
            headers,
            detail,
            body_follows,
            streamed: body_follows && status % 2 == 0,
            takes_whole: status % 3 == 0,
            body,
        })
}

fn frame() -> impl Strategy<Value = Frame> {
    let id = any::<u32>();
    prop_oneof![
        blob().prop_map(Frame::Configure),
        id.prop_map(Frame::Ready),
        (id, 0..StartKind::ALL.len(), any::<(bool, bool)>(), blob()).prop_map(
            |(version, plan, (artifact, texts), spec)| Frame::Load {
                version,
                plan: StartKind::ALL[plan],
                artifact,
                texts,
                spec,
            }
        ),
        (id, text()).prop_map(|(version, why)| Frame::Unfit { version, why }),
        id.prop_map(|version| Frame::Unload { version }),
        id.prop_map(|version| Frame::Check { version }),
        (id, 0..Outcome::ALL.len(), id, blob()).prop_map(|(version, outcome, cpu_us, detail)| Frame::Checked {
            version,
            reply: LoadReply { outcome: Outcome::ALL[outcome], cpu_us, detail },
        }),
        (id, id, id, any::<bool>(), head(), blob()).prop_map(|(id, version, wall_ms, body_follows, head, body)| {
            Frame::Invoke { id, invoke: Invoke { version, wall_ms, body_follows, head, body } }
        }),
        (id, any::<bool>(), blob()).prop_map(|(id, last, data)| Frame::Body { id, last, data }),
        (id, id).prop_map(|(id, bytes)| Frame::Credit { id, bytes }),
        id.prop_map(|id| Frame::Cancel { id }),
        (id, response()).prop_map(|(id, response)| Frame::Response { id, response }),
        (id, id, blob(), text()).prop_map(|(version, invocation, request_id, text)| {
            Frame::Console(Console { version, invocation, request_id, level: ConsoleLevel::Warn, text })
        }),
        (id, 0..Outcome::ALL.len(), any::<[u32; 4]>(), blob()).prop_map(|(id, outcome, t, detail)| {
            let timing = Timing { queue_us: t[0], start_us: t[1], run_us: t[2], cpu_us: t[3] };
            Frame::End { id, end: End { outcome: Outcome::ALL[outcome], timing, detail } }
        }),
        id.prop_map(Frame::Ping),
        id.prop_map(Frame::Pong),
        blob().prop_map(Frame::Stats),
        id.prop_map(|version| Frame::Evict { version }),
        id.prop_map(|version| Frame::Gone { version }),
        any::<bool>().prop_map(Frame::Lingers),
    ]
}

proptest! {
    #[test]
    fn frames_survive_any_cutting_of_the_stream(
        frames in proptest::collection::vec(frame(), 1..8),
        piece in 1usize..97,
    ) {
        let mut stream = BytesMut::new();
        frames.iter().for_each(|f| f.encode(&mut stream));
        let mut decoder = Decoder::default();
        let mut seen = Vec::new();
        for part in stream.chunks(piece) {
            decoder.buffer.extend_from_slice(part);
            while let Some(frame) = decoder.next_frame().unwrap() {
                seen.push(frame);
            }
        }
        prop_assert!(decoder.buffer.is_empty());
        prop_assert_eq!(seen, frames);
    }

    #[test]
    fn garbage_is_an_error_or_a_wait_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut decoder = Decoder { buffer: BytesMut::from(&bytes[..]) };
        for _ in 0..bytes.len() {
            match decoder.next_frame() {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
    }

    #[test]
    fn a_truncated_payload_names_its_field(frame in frame(), cut: proptest::sample::Index) {
        let mut whole = BytesMut::new();
        frame.encode(&mut whole);
        let length = whole.len() - HEADER_BYTES;
        if length == 0 {
            return Ok(());
        }
        let cut = 1 + cut.index(length);
        whole.truncate(whole.len() - cut);
        let shorter = (length - cut) as u32;
        whole[..4].copy_from_slice(&shorter.to_le_bytes());
        let mut decoder = Decoder { buffer: whole };
        // Kinds whose tail is raw bytes decode to a shorter frame; the others must say what is missing.
        if let Ok(Some(decoded)) = decoder.next_frame() {
            prop_assert_ne!(decoded, frame);
        }
    }
}

#[test]
fn an_oversized_frame_is_refused_before_it_is_buffered() {
    let mut decoder = Decoder::default();
    decoder.buffer.put_u32_le(FRAME_BYTES_MAX as u32 + 1);
    decoder.buffer.put_bytes(0, 8);
    assert_eq!(decoder.next_frame(), Err(WireError::TooLong(FRAME_BYTES_MAX + 1)));
}
