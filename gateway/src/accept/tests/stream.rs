//! The guard alone: valid streams pass unchanged, whatever the cuts; random ones never get through
//! as more requests than they are.

use crate::accept::Refusal;
use crate::accept::framing::Framing;
use crate::accept::head::HeadCaps;
use crate::accept::progress::Progress;
use crate::accept::strict::Guard;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, ReadBuf};

const CAPS: HeadCaps = HeadCaps { bytes_max: 4096, headers_max: 20, uri_bytes_max: 512 };

/// Gives one piece at a time, as far as there is room; then nothing.
struct Pieces(VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(mut piece) = self.0.pop_front() else { return Poll::Pending };
        let rest = piece.split_off(piece.len().min(buf.remaining()));
        buf.put_slice(&piece);
        if !rest.is_empty() {
            self.0.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

/// Cuts `bytes` at each of `cuts`, a fraction of what is left.
fn pieces(bytes: &[u8], cuts: &[prop::sample::Index]) -> VecDeque<Vec<u8>> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.dedup();
    at.windows(2).map(|ends| bytes[ends[0]..ends[1]].to_vec()).collect()
}

/// All that the guard shows to a reader with `room` bytes of buffer, heads seen, refusal.
fn read_all(bytes: &[u8], cuts: &[prop::sample::Index], first: bool, room: usize) -> (Vec<u8>, u32, Option<Refusal>) {
    let mut pieces = pieces(bytes, cuts);
    let first = if first { pieces.pop_front().unwrap_or_default() } else { Vec::new() };
    let progress = Arc::new(Progress::new());
    let mut guard = Guard::new(Pieces(pieces), first, CAPS, progress.clone());
    let (mut shown, mut cx) = (Vec::new(), Context::from_waker(Waker::noop()));
    let mut buffer = vec![0; room];
    loop {
        let mut buf = ReadBuf::new(&mut buffer);
        match Pin::new(&mut guard).poll_read(&mut cx, &mut buf) {
            Poll::Ready(Ok(())) if !buf.filled().is_empty() => shown.extend_from_slice(buf.filled()),
            _ => return (shown, progress.heads(), progress.refused()),
        }
    }
}

fn header() -> impl Strategy<Value = String> {
    ("[A-Za-z!#$%&'*+.^_`|~-]{1,12}", "[ -~\t]{0,30}").prop_filter_map(
        "framing fields come by themselves",
        |(name, value)| {
            let taken = ["host", "content-length", "transfer-encoding"];
            (!taken.contains(&name.to_ascii_lowercase().as_str())).then(|| format!("{name}: {value}\r\n"))
        },
    )
}

fn body() -> impl Strategy<Value = (String, Vec<u8>)> {
    let chunk = prop::collection::vec(any::<u8>(), 1..40);
    prop_oneof![
        Just((String::new(), Vec::new())),
        prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|bytes| (format!("Content-Length: {}\r\n", bytes.len()), bytes)),
        (prop::collection::vec(chunk, 0..5), any::<bool>(), prop::collection::vec(header(), 0..3)).prop_map(
            |(chunks, extension, trailers)| {
                let mut bytes = Vec::new();
                for chunk in chunks {
                    let extension = if extension { ";a=\"b\"" } else { "" };
                    bytes.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(&chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n");
                bytes.extend_from_slice(trailers.concat().as_bytes());
                bytes.extend_from_slice(b"\r\n");
                ("transfer-encoding: chunked\r\n".to_owned(), bytes)
            }
        ),
    ]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let line =
        ("(GET|POST|x-Y)", "/[!\"$-~]{0,40}").prop_map(|(method, target)| format!("{method} {target} HTTP/1.1\r\n"));
    (line, prop::collection::vec(header(), 0..6), body()).prop_map(|(line, mut headers, (framing, body))| {
        headers.insert(headers.len() / 2, "Host: a.test:80\r\n".to_owned());
        headers.push(framing);
        [line.as_bytes(), headers.concat().as_bytes(), b"\r\n", &body].concat()
    })
}

proptest! {
    #[test]
    fn valid_streams_pass_unchanged_and_are_counted(
        requests in prop::collection::vec(request(), 1..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        first in any::<bool>(),
        room in prop_oneof![Just(8192_usize), 1_usize..200],
    ) {
        let stream = requests.concat();
        let (shown, heads, refused) = read_all(&stream, &cuts, first, room);
        prop_assert_eq!(refused, None);
        prop_assert_eq!(shown, stream);
        prop_assert_eq!(heads as usize, requests.len());
    }

    #[test]
    fn what_passes_and_why_it_stops_do_not_depend_on_the_cuts(
        requests in prop::collection::vec(request(), 1..4),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(&b"\r\n \t:\0;,0aA"[..])],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let mut stream = requests.concat();
        let at = at.index(stream.len());
        stream[at] = byte;
        let whole = read_all(&stream, &[], false, 1 << 16);
        let cut = read_all(&stream, &cuts, false, 1 << 16);
        prop_assert_eq!((whole.1, whole.2), (cut.1, cut.2));
        // Of a body that goes bad, more may have been shown before the bad byte came.
        prop_assert!(stream.starts_with(&cut.0) && cut.0.len() >= whole.0.len());
    }

    #[test]
    fn any_bytes_at_all_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let scan = Framing::new(CAPS).scan(&bytes);
        prop_assert!(scan.passed <= bytes.len());
    }

    #[test]
    fn hyper_s_parser_agrees_about_every_head_that_passes(
        mut head in request().prop_map(|r| r[..memchr::memmem::find(&r, b"\r\n\r\n").unwrap() + 4].to_vec()),
        at in any::<prop::sample::Index>(),
        byte in prop::sample::select(&b"\r\n \t:;,+a0\x0b"[..]),
    ) {
        let at = at.index(head.len());
        head[at] = byte;
        let scan = Framing::new(CAPS).scan(&head);
        if scan.heads == 1 && scan.refused.is_none() {
            let mut fields = [httparse::EMPTY_HEADER; 30];
            if let Ok(httparse::Status::Complete(len)) = httparse::Request::new(&mut fields).parse(&head) {
                prop_assert_eq!(len, scan.passed);
            }
        }
    }
}
