//! Percent-decoding that refuses nothing: `%` that starts no valid escape stands for itself.

/// The decoded bytes of `raw`, one by one, without allocation.
pub(super) struct Decoded<'a>(pub(super) &'a [u8]);

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        if first == b'%'
            && let [high, low, rest @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            self.0 = rest;
            return Some(high << 4 | low);
        }
        self.0 = rest;
        Some(first)
    }
}

/// Whether `raw`, decoded, is `text`.
pub(super) fn reads(raw: &str, text: &[u8]) -> bool {
    Decoded(raw.as_bytes()).eq(text.iter().copied())
}

/// The decoded bytes of `raw`.
pub(super) fn decode(raw: &str) -> bytes::Bytes {
    if raw.as_bytes().contains(&b'%') {
        Decoded(raw.as_bytes()).collect()
    } else {
        bytes::Bytes::copy_from_slice(raw.as_bytes())
    }
}
