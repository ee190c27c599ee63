//! Length-prefixed fields: how structured payloads are put into frames and taken out.
//!
//! Reading checks every length against what is there: a cell is not trusted, and a frame it
//! garbles must end as an error that names the field, never as a panic or a wild read.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A frame that does not say what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The payload ended inside this field.
    Truncated(&'static str),
    /// This field holds a value that means nothing.
    Invalid(&'static str),
    /// A frame announces more than [`crate::FRAME_BYTES_MAX`] bytes.
    TooLong(usize),
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WireError::Truncated(field) => write!(f, "frame ends inside field `{field}`"),
            WireError::Invalid(field) => write!(f, "frame field `{field}` has no meaning"),
            WireError::TooLong(length) => write!(f, "frame of {length} bytes is over the limit"),
        }
    }
}

impl std::error::Error for WireError {}

/// Writes fields to a buffer.
pub struct Writer<'a>(pub &'a mut BytesMut);

impl Writer<'_> {
    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.put_u8(value);
        self
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.0.put_u32_le(value);
        self
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.put_u64_le(value);
        self
    }

    /// A byte string with its length before it.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.0.reserve(4 + value.len());
        self.0.put_u32_le(value.len() as u32);
        self.0.put_slice(value);
        self
    }

    /// What is left of the payload, without a length.
    pub fn rest(&mut self, value: &[u8]) -> &mut Self {
        self.0.put_slice(value);
        self
    }
}

/// Takes fields from a payload without copying.
pub struct Reader(pub Bytes);

impl Reader {
    fn need(&self, count: usize, field: &'static str) -> Result<(), WireError> {
        if self.0.len() < count { Err(WireError::Truncated(field)) } else { Ok(()) }
    }

    /// One byte.
    ///
    /// # Errors
    /// [`WireError::Truncated`] with `field`.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        self.need(1, field)?;
        Ok(self.0.get_u8())
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// [`WireError::Truncated`] with `field`.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, WireError> {
        self.need(4, field)?;
        Ok(self.0.get_u32_le())
    }

    /// Eight bytes, little-endian.
    ///
    /// # Errors
    /// [`WireError::Truncated`] with `field`.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, WireError> {
        self.need(8, field)?;
        Ok(self.0.get_u64_le())
    }

    /// A byte string with its length before it.
    ///
    /// # Errors
    /// [`WireError::Truncated`] with `field`.
    pub fn bytes(&mut self, field: &'static str) -> Result<Bytes, WireError> {
        let length = self.u32(field)? as usize;
        self.need(length, field)?;
        Ok(self.0.split_to(length))
    }

    /// UTF-8 text with its length before it.
    ///
    /// # Errors
    /// [`WireError::Truncated`] or [`WireError::Invalid`] with `field`.
    pub fn text(&mut self, field: &'static str) -> Result<String, WireError> {
        let bytes = self.bytes(field)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(WireError::Invalid(field)),
        }
    }

    /// What is left.
    pub fn rest(self) -> Bytes {
        self.0
    }
}
