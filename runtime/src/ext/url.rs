//! URLs by Ada, behind the names of deno_web's operations: it agrees with the standard where the
//! crate they were written for does not (opaque paths, file URLs, empty hosts).
//!
//! The components go to JavaScript as offsets into the serialisation, as `00_url.js` wants them.

use ada_url::Url;
use deno_core::{OpState, op2};

const OK: u32 = 0;
const OK_WITH_SERIALIZATION: u32 = 1;
const FAILED: u32 = 2;
/// What `00_url.js` takes for the absence of a port.
const NO_PORT: u32 = 65_536;

/// A serialisation that differs from the input, until JavaScript takes it.
struct Serialized(String);

fn answer(state: &mut OpState, url: Url, input: &str, out: &mut [u32]) -> u32 {
    let parts = url.components();
    let href = url.href();
    let Some(out) = out.first_chunk_mut::<8>() else { return FAILED };
    // Ada's protocol ends after the colon, and its host begins at the `@` where there is one.
    let at = href.as_bytes().get(parts.host_start as usize) == Some(&b'@');
    let path = parts.pathname_start.unwrap_or(parts.host_end);
    // Without a host there may be "/." before the path, to keep it apart: no part of anything.
    let (host_start, host_end) = match parts.host_start == parts.host_end {
        true => (path, path),
        false => (parts.host_start + u32::from(at), parts.host_end),
    };
    *out = [
        parts.protocol_end - 1,
        parts.username_end,
        host_start,
        host_end,
        parts.port.unwrap_or(NO_PORT),
        path,
        parts.search_start.unwrap_or(0),
        parts.hash_start.unwrap_or(0),
    ];
    if href == input {
        return OK;
    }
    let href = href.to_owned();
    state.put(Serialized(href));
    OK_WITH_SERIALIZATION
}

#[op2(fast)]
#[smi]
pub fn op_url_parse(state: &mut OpState, #[string] href: &str, #[buffer] out: &mut [u32]) -> u32 {
    Url::parse(href, None).map_or(FAILED, |url| answer(state, url, href, out))
}

#[op2(fast)]
#[smi]
pub fn op_url_parse_with_base(
    state: &mut OpState,
    #[string] href: &str,
    #[string] base: &str,
    #[buffer] out: &mut [u32],
) -> u32 {
    Url::parse(href, Some(base)).map_or(FAILED, |url| answer(state, url, href, out))
}

#[op2]
#[string]
pub fn op_url_get_serialization(state: &mut OpState) -> String {
    state.try_take::<Serialized>().map(|serialized| serialized.0).unwrap_or_default()
}

/// A setter of `URL`. `which` numbers them as `00_url.js` does.
#[op2(fast)]
#[smi]
pub fn op_url_reparse(
    state: &mut OpState,
    #[string] href: &str,
    #[smi] which: u8,
    #[string] value: &str,
    #[buffer] out: &mut [u32],
) -> u32 {
    let Ok(mut url) = Url::parse(href, None) else { return FAILED };
    let some = Some(value).filter(|value| !value.is_empty());
    let set = match which {
        0 => {
            url.set_hash(some);
            Ok(())
        }
        1 => url.set_host(Some(value)),
        2 => url.set_hostname(Some(value)),
        3 => url.set_password(Some(value)),
        4 => url.set_pathname(Some(value)),
        5 => url.set_port(Some(value)),
        6 => url.set_protocol(value),
        7 => {
            url.set_search(some);
            Ok(())
        }
        8 => url.set_username(Some(value)),
        _ => return FAILED,
    };
    match set {
        Ok(()) => answer(state, url, href, out),
        Err(_) => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_as_the_script_takes_them() {
        let mut state = OpState::new(None);
        let mut out = [0; 8];
        let mut parse = |href: &str| {
            let status = answer(&mut state, Url::parse(href, None).unwrap(), href, &mut out);
            assert_eq!(status, OK, "{href}");
            out
        };
        assert_eq!(parse("https://user:pass@example.com:1234/foo?bar#baz"), [5, 12, 18, 29, 1234, 34, 38, 42]);
        assert_eq!(parse("https://user@example.com/"), [5, 12, 13, 24, NO_PORT, 24, 0, 0]);
        assert_eq!(parse("http://a/"), [4, 7, 7, 8, NO_PORT, 8, 0, 0]);
        assert_eq!(parse("mailto:x"), [6, 7, 7, 7, NO_PORT, 7, 0, 0]);
        assert_eq!(parse("x:/.//y"), [1, 2, 4, 4, NO_PORT, 4, 0, 0]);
    }
}
