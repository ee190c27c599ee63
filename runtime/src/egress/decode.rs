//! Content codings, undone piece by piece: no more comes out at a time than is asked for, so a body
//! that unpacks to gigabytes costs its reader's patience and nobody's memory.

use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, HeapAlloc, HuffmanCode};
use bytes::{Buf, Bytes};
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

/// Codings that one response may have on top of each other. Two are seen now and then; more is
/// made to cost.
const CODINGS_MAX: usize = 3;

/// RFC 9659: what a decoder of this coding must have room for is 8 MB, and nobody may want more.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// What the decoders read from: what has come so far.
#[derive(Clone, Default)]
struct Feed(Rc<RefCell<Fed>>);

#[derive(Default)]
struct Fed {
    data: Bytes,
    ended: bool,
}

impl Read for Feed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut fed = self.0.borrow_mut();
        if fed.data.is_empty() {
            return if fed.ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let count = fed.data.len().min(out.len());
        fed.data.copy_to_slice(&mut out[..count]);
        Ok(count)
    }
}

/// A response's body with its content codings undone.
pub struct Decoder {
    feed: Feed,
    codings: Vec<Coding>,
    reader: Option<Box<dyn Read>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip = 1,
    Deflate = 2,
    Brotli = 4,
    Zstd = 8,
}

impl Coding {
    fn named(word: &[u8]) -> Option<Coding> {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        match () {
            () if is(b"gzip") || is(b"x-gzip") => Some(Coding::Gzip),
            () if is(b"deflate") => Some(Coding::Deflate),
            () if is(b"br") => Some(Coding::Brotli),
            () if is(b"zstd") => Some(Coding::Zstd),
            () => None,
        }
    }
}

/// Codings that somebody takes, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codings(pub u8);

impl Codings {
    /// What the values of `accept-encoding` name. `*` names nothing that can be counted on.
    pub fn accepted<'a>(values: impl Iterator<Item = &'a [u8]>) -> Codings {
        let mut codings = 0;
        for part in values.flat_map(|value| value.split(|byte| *byte == b',')) {
            let mut words = part.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let coding = words.next().and_then(Coding::named);
            let refused = words.any(|word| {
                let weight = word.strip_prefix(b"q=").or(word.strip_prefix(b"Q="));
                weight.is_some_and(|weight| weight.iter().all(|byte| b"0.".contains(byte)))
            });
            if let Some(coding) = coding.filter(|_| !refused) {
                codings |= coding as u8;
            }
        }
        Codings(codings)
    }
}

impl Decoder {
    /// A decoder for the values of `content-encoding`. With a coding that is not known, or too
    /// many, `None`: the body stays as it came.
    pub fn for_codings<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Decoder> {
        let mut codings = Vec::new();
        for word in values.flat_map(|value| value.split(|byte| *byte == b',')) {
            let word = word.trim_ascii();
            match Coding::named(word) {
                Some(coding) => codings.push(coding),
                None if word.is_empty() || word.eq_ignore_ascii_case(b"identity") => {}
                None => return None,
            }
        }
        let fits = (1..=CODINGS_MAX).contains(&codings.len());
        fits.then(|| Decoder { feed: Feed::default(), codings, reader: None })
    }

    /// Whether nothing was read through it and all its codings are among these: the body can be sent
    /// on as it came.
    pub fn can_be_passed_over(&self, codings: Codings) -> bool {
        self.reader.is_none() && self.codings.iter().all(|coding| codings.0 & *coding as u8 != 0)
    }

    /// Adds what has come; only after [`Decoder::read`] said `None`.
    pub fn feed(&mut self, data: Bytes) {
        self.feed.0.borrow_mut().data = data;
    }

    /// Nothing more will come.
    pub fn end(&mut self) {
        self.feed.0.borrow_mut().ended = true;
    }

    /// Fills `out` from its start. `None`: more must be fed first; `Some(0)`: the end.
    ///
    /// # Errors
    /// The body is not in its coding, or is cut off.
    pub fn read(&mut self, out: &mut [u8]) -> io::Result<Option<usize>> {
        if self.reader.is_none() {
            let fed = self.feed.0.borrow();
            if fed.data.is_empty() {
                // A body without a byte has nothing to decode, whatever its head says.
                return Ok(fed.ended.then_some(0));
            }
            drop(fed);
            let raw: Box<dyn Read> = Box::new(self.feed.clone());
            self.reader = Some(self.codings.iter().rev().try_fold(raw, |inner, coding| layer(*coding, inner))?);
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        match reader.read(out) {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn layer(coding: Coding, inner: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    Ok(match coding {
        Coding::Gzip => Box::new(MultiGzDecoder::new(BufReader::new(inner))),
        Coding::Deflate => Box::new(Deflate::Unknown(Some(BufReader::new(inner)))),
        Coding::Brotli => Box::new(Brotli::new(inner)),
        Coding::Zstd => {
            let mut decoder = zstd::Decoder::new(inner)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    })
}

/// `deflate` means zlib's format; some servers send the bare one.
enum Deflate {
    Unknown(Option<BufReader<Box<dyn Read>>>),
    Zlib(ZlibDecoder<BufReader<Box<dyn Read>>>),
    Bare(DeflateDecoder<BufReader<Box<dyn Read>>>),
}

impl Read for Deflate {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Deflate::Unknown(inner) = self {
            let Some(reader) = inner else { return Err(io::ErrorKind::InvalidData.into()) };
            let first = reader.fill_buf()?.first().copied();
            let Some(reader) = inner.take() else { return Err(io::ErrorKind::InvalidData.into()) };
            // Zlib's first byte says "deflate" in its low half and a window of 2^(8+n), n ≤ 7.
            let zlib = first.is_some_and(|byte| byte & 0x0f == 8 && byte >> 4 <= 7);
            *self =
                if zlib { Deflate::Zlib(ZlibDecoder::new(reader)) } else { Deflate::Bare(DeflateDecoder::new(reader)) };
        }
        match self {
            Deflate::Zlib(decoder) => decoder.read(out),
            Deflate::Bare(decoder) => decoder.read(out),
            Deflate::Unknown(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Brotli with windows as RFC 7932 has them: larger ones would take a gigabyte.
struct Brotli {
    state: BrotliState<HeapAlloc<u8>, HeapAlloc<u32>, HeapAlloc<HuffmanCode>>,
    inner: Box<dyn Read>,
    input: Box<[u8]>,
    at: usize,
    filled: usize,
    total_out: usize,
    done: bool,
}

impl Brotli {
    fn new(inner: Box<dyn Read>) -> Brotli {
        let state =
            BrotliState::new_strict(HeapAlloc::new(0), HeapAlloc::new(0), HeapAlloc::new(HuffmanCode::default()));
        Brotli { state, inner, input: vec![0; 8 << 10].into(), at: 0, filled: 0, total_out: 0, done: false }
    }
}

impl Read for Brotli {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.done {
            return Ok(0);
        }
        let (mut room, mut written) = (out.len(), 0);
        loop {
            let mut left = self.filled - self.at;
            let input = &self.input[..self.filled];
            let result = BrotliDecompressStream(
                &mut left,
                &mut self.at,
                input,
                &mut room,
                &mut written,
                out,
                &mut self.total_out,
                &mut self.state,
            );
            match result {
                BrotliResult::ResultSuccess => {
                    self.done = true;
                    return Ok(written);
                }
                BrotliResult::ResultFailure => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the data is no brotli"));
                }
                BrotliResult::NeedsMoreOutput => return Ok(written),
                BrotliResult::NeedsMoreInput if written > 0 => return Ok(written),
                BrotliResult::NeedsMoreInput => {
                    // All of it was consumed, so the buffer can be filled anew.
                    self.filled = self.inner.read(&mut self.input)?;
                    self.at = 0;
                    if self.filled == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Write;

    fn text() -> Vec<u8> {
        (0..50_000).flat_map(|n: u32| format!("line {n}\n").into_bytes()).collect()
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn brotli(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        brotli::CompressorReader::new(data, 4_096, 4, 22).read_to_end(&mut out).unwrap();
        out
    }

    /// Decodes `data`, fed in pieces of `step` bytes.
    fn decoded(codings: &str, data: &[u8], step: usize) -> io::Result<Vec<u8>> {
        let mut decoder = Decoder::for_codings([codings.as_bytes()].into_iter()).expect("known codings");
        let (mut pieces, mut all, mut out) = (data.chunks(step), Vec::new(), [0; 1_000]);
        loop {
            match decoder.read(&mut out)? {
                Some(0) => return Ok(all),
                Some(count) => all.extend_from_slice(&out[..count]),
                None => match pieces.next() {
                    Some(piece) => decoder.feed(Bytes::copy_from_slice(piece)),
                    None => decoder.end(),
                },
            }
        }
    }

    #[test]
    fn every_coding_is_undone_however_it_arrives() {
        let text = text();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&text).unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(&text).unwrap();
        let cases = [
            ("gzip", gzip(&text)),
            ("X-GZIP", gzip(&text)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", bare.finish().unwrap()),
            ("br", brotli(&text)),
            ("gzip, br", brotli(&gzip(&text))),
            ("zstd", zstd::encode_all(&text[..], 3).unwrap()),
            ("identity, gzip", gzip(&text)),
        ];
        for (codings, data) in cases {
            for step in [1, 7, 4_096, usize::MAX] {
                assert!(decoded(codings, &data, step).unwrap() == text, "{codings} in steps of {step}");
            }
        }
    }

    #[test]
    fn what_is_accepted_may_be_passed_over_until_it_is_read() {
        let codings = |value: &str| Codings::accepted([value.as_bytes()].into_iter());
        assert_eq!(codings("gzip, deflate, br, zstd"), Codings(15));
        assert_eq!(codings("GZIP;q=0.5, br;q=0, deflate ; q=0.000"), Codings(Coding::Gzip as u8));
        assert_eq!(codings("*, identity, compress, "), Codings(0));
        let mut decoder = Decoder::for_codings([&b"gzip, br"[..]].into_iter()).unwrap();
        assert!(decoder.can_be_passed_over(codings("br, gzip")));
        assert!(!decoder.can_be_passed_over(codings("br")));
        decoder.feed(brotli(&gzip(b"text")).into());
        decoder.read(&mut [0; 2]).unwrap();
        assert!(!decoder.can_be_passed_over(codings("br, gzip")));
    }

    #[test]
    fn two_members_of_gzip_are_one_body() {
        let both = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(decoded("gzip", &both, 3).unwrap(), b"one two");
    }

    #[test]
    fn what_is_broken_or_cut_off_is_an_error() {
        let zstd = zstd::encode_all(&text()[..], 3).unwrap();
        for (codings, data) in [("gzip", gzip(&text())), ("br", brotli(&text())), ("zstd", zstd)] {
            assert!(decoded(codings, &data[..data.len() / 2], 999).is_err(), "{codings} cut off");
            assert!(decoded(codings, b"this is plain text", 4).is_err(), "{codings} that is none");
        }
    }

    #[test]
    fn nothing_decodes_to_nothing_and_the_unknown_is_left_alone() {
        assert_eq!(decoded("gzip", b"", 1).unwrap(), b"");
        for none in ["compress", "gzip, what", "identity", "", "gzip,gzip,gzip,gzip"] {
            assert!(Decoder::for_codings([none.as_bytes()].into_iter()).is_none(), "{none}");
        }
    }
}
