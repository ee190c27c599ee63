//! Reads HTTP/1.1 responses off a connection: just enough for a load generator, with bodies by length or in chunks.
//! It asks for little CPU, because it shares the machine with what it measures.

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::Error;

/// Nothing that is asked answers with more than this, in bytes: the longest are a node's metrics, with a thousand
/// functions.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// One response. Borrowed from the reader's buffer until the next one is read.
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The header lines, as they came.
    pub head: &'a [u8],
    /// The body, out of its chunks.
    pub body: &'a [u8],
}

/// A connection's read buffer.
#[derive(Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that belong to the answer handed out last.
    taken: usize,
}

impl Reader {
    /// Waits for the next response's first byte.
    ///
    /// # Errors
    /// The connection closed or broke.
    pub async fn begun(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<(), Error> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        match self.buffer.is_empty() {
            true => self.fill(stream).await,
            false => Ok(()),
        }
    }

    /// Reads the next response.
    ///
    /// # Errors
    /// The connection closed or broke, or what came is no HTTP/1.1 response.
    pub async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Answer<'_>, Error> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let head_end = loop {
            if let Some(at) = memmem::find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill(stream).await?;
        };
        let status = self.buffer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let status: u16 = status.ok_or("no status line")?;
        let head = &self.buffer[..head_end];
        let body = if let Some(length) = header(head, b"content-length") {
            let length: usize = std::str::from_utf8(length)?.parse()?;
            if length > ANSWER_BYTES_MAX {
                return Err("a body longer than any that is asked for".into());
            }
            while self.buffer.len() < head_end + length {
                self.fill(stream).await?;
            }
            self.taken = head_end + length;
            head_end..head_end + length
        } else if header(head, b"transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
            head_end..self.chunks(stream, head_end).await?
        } else if status == 204 || status == 304 {
            self.taken = head_end;
            head_end..head_end
        } else {
            return Err("a response without a length".into());
        };
        Ok(Answer { status, head: &self.buffer[..head_end], body: &self.buffer[body] })
    }

    /// Reads chunks and moves their contents together, from `start` on; says where the contents end.
    async fn chunks(&mut self, stream: &mut (impl AsyncRead + Unpin), start: usize) -> Result<usize, Error> {
        let (mut end, mut at) = (start, start);
        loop {
            let line = loop {
                if let Some(length) = memmem::find(&self.buffer[at..], b"\r\n") {
                    break at..at + length;
                }
                self.fill(stream).await?;
            };
            let data = line.end + 2;
            let size = std::str::from_utf8(&self.buffer[line])?.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16)?;
            if size > ANSWER_BYTES_MAX {
                return Err("a chunk longer than any answer".into());
            }
            while self.buffer.len() < data + size + 2 {
                self.fill(stream).await?;
            }
            self.buffer.copy_within(data..data + size, end);
            end += size;
            at = data + size + 2;
            if size == 0 {
                self.taken = at;
                return Ok(end);
            }
        }
    }

    async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<(), Error> {
        if self.buffer.len() > ANSWER_BYTES_MAX {
            return Err("an answer longer than any that is asked for".into());
        }
        self.buffer.reserve(4096);
        match stream.read_buf(&mut self.buffer).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }
}

/// The value of a header in a response's head, without the blanks around it.
pub fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').find_map(|line| {
        let (key, value) = line.split_at_checked(name.len())?;
        (key.eq_ignore_ascii_case(name) && value.first() == Some(&b':')).then(|| value[1..].trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(wire: &[u8], pieces: usize) -> Vec<(u16, Vec<u8>)> {
        let mut stream = tokio_test_stream(wire, pieces);
        let mut reader = Reader::default();
        let mut answers = Vec::new();
        while let Ok(answer) = reader.next(&mut stream).await {
            answers.push((answer.status, answer.body.to_vec()));
        }
        answers
    }

    /// Gives `wire` in reads of at most `piece` bytes.
    fn tokio_test_stream(wire: &[u8], piece: usize) -> impl AsyncRead + Unpin {
        struct Pieces(Vec<u8>, usize, usize);
        impl AsyncRead for Pieces {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                into: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                let end = self.0.len().min(self.1 + self.2.min(into.remaining()));
                into.put_slice(&self.0[self.1..end]);
                self.1 = end;
                std::task::Poll::Ready(Ok(()))
            }
        }
        Pieces(wire.to_vec(), 0, piece)
    }

    #[test]
    fn answers_are_read_whole_however_the_bytes_arrive() {
        let wire = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello\
            HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n\
            HTTP/1.1 204 No Content\r\n\r\n\
            HTTP/1.1 200 OK\r\nCONTENT-LENGTH:0\r\n\r\n";
        let expected = [(200, b"Hello".to_vec()), (404, b"abcde".to_vec()), (204, vec![]), (200, vec![])];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for piece in [1, 2, 7, 4096] {
            assert_eq!(runtime.block_on(read_all(wire, piece)), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_header_is_found_by_its_whole_name() {
        let head = b"HTTP/1.1 200 OK\r\nX-Content-Length: 9\r\nContent-Length:  12 \r\n\r\n";
        assert_eq!(header(head, b"content-length"), Some(&b"12"[..]));
        assert_eq!(header(head, b"content"), None);
    }
}
