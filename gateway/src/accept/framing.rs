//! A client's whole stream of HTTP/1 bytes: head → body → next head. Pure; no I/O.
//!
//! [`Framing::scan`] says how many of the bytes that have come may be shown to the parser. A head
//! is shown whole or not at all, so the parser is always at a request's border when something is
//! refused; body bytes are shown as they come.

use super::chunks::Chunks;
use super::counters::Refusal;
use super::head::{Follows, Head, HeadCaps};
use super::names::HeaderNames;

#[derive(Debug)]
enum Stage {
    Head(Head),
    Length(u64),
    Chunks(Chunks),
}

/// Where in the stream we are.
#[derive(Debug)]
pub(super) struct Framing {
    stage: Stage,
    caps: HeadCaps,
    /// Heads let through; wraps.
    heads: u32,
    /// Names of the last scan's heads, with the heads' numbers. Nearly always empty.
    pub names: Vec<(u32, HeaderNames)>,
}

/// What [`Framing::scan`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// Leading bytes that may be shown. What is left is the beginning of a head, or refused.
    pub passed: usize,
    /// Heads among them.
    pub heads: u32,
    /// Why nothing more may be shown, ever.
    pub refused: Option<Refusal>,
}

impl Framing {
    pub(super) fn new(caps: HeadCaps) -> Framing {
        Framing { stage: Stage::Head(Head::default()), caps, heads: 0, names: Vec::new() }
    }

    /// Reads `bytes`, which begin with the first byte that has not passed yet.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Scan {
        let mut scan = Scan { passed: 0, heads: 0, refused: None };
        while scan.passed < bytes.len() {
            let rest = &bytes[scan.passed..];
            match &mut self.stage {
                Stage::Head(head) => match head.scan(rest, &self.caps) {
                    Ok(None) => break,
                    Ok(Some((len, follows))) => {
                        scan.passed += len;
                        scan.heads += 1;
                        self.names.extend(head.names.take().map(|names| (self.heads, names)));
                        self.heads = self.heads.wrapping_add(1);
                        self.stage = match follows {
                            Follows::NextHead => Stage::Head(Head::default()),
                            Follows::Length(length) => Stage::Length(length),
                            Follows::Chunks => Stage::Chunks(Chunks::new()),
                        };
                    }
                    Err(refusal) => {
                        scan.refused = Some(refusal);
                        break;
                    }
                },
                Stage::Length(left) => {
                    let here = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    scan.passed += here;
                    *left -= here as u64;
                    if *left == 0 {
                        self.stage = Stage::Head(Head::default());
                    }
                }
                Stage::Chunks(chunks) => match chunks.scan(rest) {
                    Ok((len, ended)) => {
                        scan.passed += len;
                        if ended {
                            self.stage = Stage::Head(Head::default());
                        }
                    }
                    Err(refusal) => {
                        scan.refused = Some(refusal);
                        break;
                    }
                },
            }
        }
        scan
    }

    /// Whether the stream is inside a request's body.
    pub(super) fn in_body(&self) -> bool {
        !matches!(self.stage, Stage::Head(_))
    }

    /// Whether a head has begun, of which `held` bytes are here.
    pub(super) fn head_begun(&self, held: usize) -> bool {
        matches!(&self.stage, Stage::Head(head) if head.begun(held))
    }
}
