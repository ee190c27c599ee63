//! One HTTP/1 request head, line by line, as its bytes arrive: is it one that everybody reads alike?
//!
//! Two servers that disagree about where a request ends can be made to disagree about whose request
//! the next bytes are. So whatever could be read in two ways is refused here, before the real
//! parser sees it. This room decides about lines, framing fields and sizes; names, methods and
//! targets are decoded by hyper. Each byte is looked at once, however the head is cut.

use super::counters::Refusal;
use super::names::{self, Kept};

/// Room for method and version around a request target whose line is not complete yet, in bytes.
const REQUEST_LINE_SLACK: usize = 64;

/// Blank lines tolerated before a request line: RFC 9112 §2.2 asks for "at least one".
const BLANK_LINES_MAX: u8 = 2;

/// Longest method, in bytes. The longest registered one has 17.
pub(super) const METHOD_BYTES_MAX: usize = 32;

/// Sizes above which a head is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadCaps {
    pub bytes_max: usize,
    pub headers_max: u32,
    pub uri_bytes_max: usize,
}

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    NextHead,
    Length(u64),
    Chunks,
}

/// How far one head has been read. Offsets count from the head's first byte.
#[derive(Debug, Default)]
pub(super) struct Head {
    line_start: usize,
    searched: usize,
    request_line_seen: bool,
    blank_lines: u8,
    http11: bool,
    headers: u32,
    host_seen: bool,
    length: Option<u64>,
    chunked: bool,
    /// Header names, while somebody wants them.
    pub(super) names: Kept,
}

impl Head {
    /// Reads on in `bytes`, which begin with the head's first byte and may be longer than last time.
    /// `Some((n, follows))`: the head is complete and has `n` bytes.
    pub(super) fn scan(&mut self, bytes: &[u8], caps: &HeadCaps) -> Result<Option<(usize, Follows)>, Refusal> {
        loop {
            // One search finds the line's end and everything that must not be in a line.
            let Some(found) = memchr::memchr3(b'\r', b'\n', 0, &bytes[self.searched..]) else {
                self.searched = bytes.len();
                return self.incomplete(bytes.len(), caps);
            };
            let at = self.searched + found;
            if bytes[at] != b'\r' {
                return Err(Refusal::Malformed);
            }
            match bytes.get(at + 1) {
                Some(b'\n') => (),
                Some(_) => return Err(Refusal::Malformed),
                None => {
                    self.searched = at;
                    return self.incomplete(bytes.len(), caps);
                }
            }
            let line = &bytes[self.line_start..at];
            self.line_start = at + 2;
            self.searched = at + 2;
            if !self.request_line_seen {
                if line.is_empty() {
                    self.blank_lines += 1;
                    if self.blank_lines > BLANK_LINES_MAX {
                        return Err(Refusal::Malformed);
                    }
                    continue;
                }
                self.request_line(line, caps)?;
                self.request_line_seen = true;
            } else if !line.is_empty() {
                self.header(line, caps)?;
            }
            if self.line_start > caps.bytes_max {
                return Err(Refusal::HeadTooLarge);
            }
            if line.is_empty() {
                return Ok(Some((self.line_start, self.follows()?)));
            }
        }
    }

    /// Whether any byte of a request has come, blank lines aside; `held` bytes of it are here.
    pub(super) fn begun(&self, held: usize) -> bool {
        self.request_line_seen || held > self.line_start
    }

    fn incomplete(&self, len: usize, caps: &HeadCaps) -> Result<Option<(usize, Follows)>, Refusal> {
        if !self.request_line_seen && len - self.line_start > caps.uri_bytes_max + REQUEST_LINE_SLACK {
            return Err(Refusal::UriTooLong);
        }
        if len > caps.bytes_max {
            return Err(Refusal::HeadTooLarge);
        }
        Ok(None)
    }

    fn request_line(&mut self, line: &[u8], caps: &HeadCaps) -> Result<(), Refusal> {
        let method = line.iter().take(METHOD_BYTES_MAX + 1).take_while(|b| is_token(**b)).count();
        if method == 0 || line.get(method) != Some(&b' ') {
            return Err(Refusal::Malformed);
        }
        let rest = &line[method + 1..];
        let (target, version) = match memchr::memrchr(b' ', rest) {
            Some(space) => (&rest[..space], &rest[space + 1..]),
            None => return Err(Refusal::Malformed),
        };
        if target.len() > caps.uri_bytes_max {
            return Err(Refusal::UriTooLong);
        }
        match version {
            b"HTTP/1.1" => self.http11 = true,
            b"HTTP/1.0" => self.http11 = false,
            [b'H', b'T', b'T', b'P', b'/', major] if major.is_ascii_digit() => return Err(Refusal::Version),
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
                return Err(Refusal::Version);
            }
            _ => return Err(Refusal::Malformed),
        }
        // CONNECT would turn the connection into a tunnel, and Isle is nobody's proxy.
        let method = &line[..method];
        let form = match target.first() {
            Some(b'/') => true,
            Some(b'*') => target.len() == 1 && method == b"OPTIONS",
            Some(_) => starts_with_ignore_case(target, b"http://") || starts_with_ignore_case(target, b"https://"),
            None => false,
        };
        // A fragment would be cut off without a word by some and taken as part of the path by others.
        let odd = |b: u8| b <= b' ' || b == 0x7f || b == b'#';
        if !form || method == b"CONNECT" || target.iter().any(|b| odd(*b)) {
            return Err(Refusal::Malformed);
        }
        Ok(())
    }

    fn header(&mut self, line: &[u8], caps: &HeadCaps) -> Result<(), Refusal> {
        self.headers += 1;
        if self.headers > caps.headers_max {
            return Err(Refusal::HeadTooLarge);
        }
        // A blank in front is obs-fold, one before the colon has hidden headers from proxies.
        let name = line.iter().take_while(|b| is_token(**b)).count();
        if name == 0 || line.get(name) != Some(&b':') {
            return Err(Refusal::Malformed);
        }
        let (name, value) = (&line[..name], &line[name + 1..]);
        if names::are_wanted() {
            self.names.push(name);
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value.trim_ascii()),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value.trim_ascii()),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::Framing);
                }
                self.chunked = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.host_seen || !value.iter().all(|b| is_host_byte(*b)) {
            return Err(Refusal::Host);
        }
        self.host_seen = true;
        Ok(())
    }

    /// Digits and nothing else: `+5`, `0x5` and `5, 5` have each been read as 5 by somebody.
    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        // 18 digits cannot overflow.
        if self.length.is_some() || value.is_empty() || value.len() > 18 {
            return Err(Refusal::Framing);
        }
        let mut length = 0;
        for byte in value {
            if !byte.is_ascii_digit() {
                return Err(Refusal::Framing);
            }
            length = length * 10 + u64::from(byte - b'0');
        }
        self.length = Some(length);
        Ok(())
    }

    fn follows(&self) -> Result<Follows, Refusal> {
        if self.http11 && !self.host_seen {
            return Err(Refusal::Host);
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Refusal::Framing),
            (true, None) if !self.http11 => Err(Refusal::Framing),
            (true, None) => Ok(Follows::Chunks),
            (false, None | Some(0)) => Ok(Follows::NextHead),
            (false, Some(length)) => Ok(Follows::Length(length)),
        }
    }
}

fn starts_with_ignore_case(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// RFC 9110 `tchar`, as a table: every byte of every header name passes here.
pub(super) fn is_token(byte: u8) -> bool {
    const TABLE: [bool; 256] = table(b"!#$%&'*+-.^_`|~");
    TABLE[usize::from(byte)]
}

/// What may stand in a Host value: names, ports and bracketed IPv6 addresses.
pub(super) fn is_host_byte(byte: u8) -> bool {
    const TABLE: [bool; 256] = table(b"-._~:[]%");
    TABLE[usize::from(byte)]
}

const fn table(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut i = 0;
    while i < others.len() {
        table[others[i] as usize] = true;
        i += 1;
    }
    table
}
