//! A kept connection that measures the time to the first byte, and calls the admin API.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Error;
use crate::answer::{Answer, Reader};

/// A server that stays silent for this long has failed. A deploy builds in this time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// One connection.
pub struct Client {
    address: SocketAddr,
    stream: TcpStream,
    reader: Reader,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn connect(address: SocketAddr) -> Result<Client, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Client { address, stream, reader: Reader::default() })
    }

    /// Sends a request; gives the time from the sending to the answer's first byte, and the answer.
    ///
    /// # Errors
    /// Silence, a broken connection, no HTTP.
    pub async fn ask(&mut self, request: &[u8]) -> Result<(Duration, Answer<'_>), Error> {
        let Client { address, stream, reader } = self;
        let asking = async {
            let asked = Instant::now();
            stream.write_all(request).await?;
            reader.begun(stream).await?;
            let first_byte = asked.elapsed();
            Ok::<_, Error>((first_byte, reader.next(stream).await?))
        };
        let seconds = ANSWER_TIMEOUT.as_secs();
        timeout(ANSWER_TIMEOUT, asking).await.map_err(|_| format!("{address}: no answer within {seconds} s"))?
    }

    /// As [`Client::ask`], and holds the answer against what it must be.
    ///
    /// # Errors
    /// The answer is another one.
    pub async fn ask_for(&mut self, request: &[u8], expected: &[u8]) -> Result<Duration, Error> {
        let (first_byte, answer) = self.ask(request).await?;
        if answer.status == 200 && answer.body == expected {
            return Ok(first_byte);
        }
        let start: String = String::from_utf8_lossy(answer.body).chars().take(200).collect();
        let head = String::from_utf8_lossy(request).lines().take(2).collect::<Vec<_>>().join(", ");
        Err(format!("{head}: status {} and {} bytes: {start}", answer.status, answer.body.len()).into())
    }

    /// Calls the admin API; gives the body of an answer of the 200s.
    ///
    /// # Errors
    /// Any other answer.
    pub async fn call(&mut self, method: &str, path: &str, token: &str, body: &[u8]) -> Result<&[u8], Error> {
        let host = self.address;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        let (_, answer) = self.ask(&request).await?;
        match answer.status {
            200..=299 => Ok(answer.body),
            status => Err(format!("{method} {path}: {status}: {}", String::from_utf8_lossy(answer.body)).into()),
        }
    }
}
