//! A chunked body, byte by byte: where it ends, and whether everybody would say so.
//!
//! Stricter than RFC 9112 in one point: no blanks around a chunk's size. Extensions and trailers
//! are let through to hyper, which ignores the ones and hands on the others.

use super::counters::Refusal;
use super::head::is_token;

/// Hexadecimal digits of a chunk size: enough for 2^60 bytes, too few to overflow.
const SIZE_DIGITS_MAX: u8 = 15;

/// Extensions and trailers of one body, in bytes. Nobody needs them; 8 KiB is what others allow.
const EXTRA_BYTES_MAX: u32 = 8 << 10;

/// Trailer lines of one body; hyper allows 100.
const TRAILERS_MAX: u8 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
}

/// How far one chunked body has been read.
#[derive(Debug)]
pub(super) struct Chunks {
    at: At,
    left: u64,
    digits: u8,
    extra: u32,
    trailers: u8,
}

impl Chunks {
    pub(super) fn new() -> Chunks {
        Chunks { at: At::Size, left: 0, digits: 0, extra: 0, trailers: 0 }
    }

    /// Reads on in `bytes`, which follow those of last time. `(n, true)`: the body ended after `n`
    /// bytes; `(bytes.len(), false)`: it goes on.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut i = 0;
        while i < bytes.len() {
            if self.at == At::Data {
                let here = (bytes.len() - i).min(usize::try_from(self.left).unwrap_or(usize::MAX));
                i += here;
                self.left -= here as u64;
                if self.left == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            let byte = bytes[i];
            i += 1;
            match (self.at, byte) {
                (At::Size, b';') if self.digits > 0 => self.at = At::Extension,
                (At::Size, b'\r') if self.digits > 0 => self.at = At::SizeLf,
                (At::Size, _) => self.size(byte)?,
                (At::Extension, b'\r') => self.at = At::SizeLf,
                (At::Extension | At::TrailerValue, b'\n' | 0) => return Err(Refusal::Framing),
                (At::Extension, _) => self.extra()?,
                (At::SizeLf, b'\n') if self.left == 0 => self.at = At::TrailerStart,
                (At::SizeLf, b'\n') => self.at = At::Data,
                (At::DataCr, b'\r') => self.at = At::DataLf,
                (At::DataLf, b'\n') => {
                    self.digits = 0;
                    self.at = At::Size;
                }
                (At::TrailerStart, b'\r') => self.at = At::EndLf,
                (At::TrailerStart, _) if is_token(byte) => {
                    self.trailers += 1;
                    if self.trailers > TRAILERS_MAX {
                        return Err(Refusal::Framing);
                    }
                    self.extra()?;
                    self.at = At::TrailerName;
                }
                (At::TrailerName, b':') => self.at = At::TrailerValue,
                (At::TrailerName, _) if is_token(byte) => self.extra()?,
                (At::TrailerValue, b'\r') => self.at = At::TrailerLf,
                (At::TrailerValue, _) => self.extra()?,
                (At::TrailerLf, b'\n') => self.at = At::TrailerStart,
                (At::EndLf, b'\n') => return Ok((i, true)),
                _ => return Err(Refusal::Framing),
            }
        }
        Ok((i, false))
    }

    fn size(&mut self, byte: u8) -> Result<(), Refusal> {
        let digit = char::from(byte).to_digit(16).ok_or(Refusal::Framing)?;
        if self.digits == SIZE_DIGITS_MAX {
            return Err(Refusal::Framing);
        }
        self.left = if self.digits == 0 { 0 } else { self.left << 4 } | u64::from(digit);
        self.digits += 1;
        Ok(())
    }

    fn extra(&mut self) -> Result<(), Refusal> {
        self.extra += 1;
        if self.extra > EXTRA_BYTES_MAX { Err(Refusal::Framing) } else { Ok(()) }
    }
}
