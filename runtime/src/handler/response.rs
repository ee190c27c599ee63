//! What a handler's result means (R20 to R36).
//!
//! Reading a result can run the function's code (getters, `toJSON`, proxies), so it happens inside
//! a stay in JavaScript, under its clocks. Every V8 call that answers `None` has left an exception
//! in the caller's `TryCatch`: [`Unreadable::Threw`].

use super::{Expects, Reading, response_v1};
use bytes::Bytes;
use deno_core::v8;

/// A response as it goes to the gateway.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub status: u16,
    /// Names in lower case; names and values are valid in HTTP.
    pub headers: Vec<(Bytes, Bytes)>,
    /// The body.
    pub body: Bytes,
}

/// Why a result is no response.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The function's own code threw while the result was read.
    Threw,
    /// The result breaks a rule; the text says which, for the author.
    Invalid(String),
    /// The body is longer than the function's limit, in bytes.
    TooLarge(usize),
}

/// Property names, kept as V8 strings for the isolate's life.
pub struct Names {
    pub(super) status_code: v8::Global<v8::String>,
    pub(super) headers: v8::Global<v8::String>,
    pub(super) body: v8::Global<v8::String>,
    cookies: v8::Global<v8::String>,
    pub(super) is_base64: v8::Global<v8::String>,
    pub(super) multi_value_headers: v8::Global<v8::String>,
}

impl Names {
    /// Interns the names.
    pub fn new(scope: &mut v8::PinScope<'_, '_>) -> Names {
        let intern = |name: &str| {
            let text = v8::String::new_from_utf8(scope, name.as_bytes(), v8::NewStringType::Internalized);
            v8::Global::new(scope, text.unwrap_or_else(|| v8::String::empty(scope)))
        };
        Names {
            status_code: intern("statusCode"),
            headers: intern("headers"),
            body: intern("body"),
            cookies: intern("cookies"),
            is_base64: intern("isBase64Encoded"),
            multi_value_headers: intern("multiValueHeaders"),
        }
    }
}

type Value<'s> = v8::Local<'s, v8::Value>;

pub(super) fn get<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    name: &v8::Global<v8::String>,
) -> Result<Value<'s>, Unreadable> {
    let name = v8::Local::new(scope, name);
    object.get(scope, name.into()).ok_or(Unreadable::Threw)
}

pub(super) fn json_type() -> (Bytes, Bytes) {
    (Bytes::from_static(b"content-type"), Bytes::from_static(b"application/json"))
}

/// Reads a handler's result.
///
/// # Errors
/// See [`Unreadable`].
pub fn read<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: Value<'s>,
    names: &Names,
    expects: &Expects,
) -> Result<Reply, Unreadable> {
    let max = expects.bytes_max;
    match expects.reading {
        Reading::V2 => read_v2(scope, value, names, max),
        Reading::V1 => response_v1::read(scope, value, names, false, true, max),
        Reading::Rest { decodes } => response_v1::read(scope, value, names, true, decodes, max),
        Reading::Direct => Ok(Reply { status: 200, headers: Vec::new(), body: json_bytes(scope, value, max)? }),
    }
}

fn read_v2<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: Value<'s>,
    names: &Names,
    body_bytes_max: usize,
) -> Result<Reply, Unreadable> {
    if let Ok(text) = v8::Local::<v8::String>::try_from(value) {
        // R21: not quoted.
        return Ok(Reply { status: 200, headers: vec![json_type()], body: text_bytes(scope, text, body_bytes_max)? });
    }
    let structured = match v8::Local::<v8::Object>::try_from(value) {
        Ok(object) if !value.is_function() && !value.is_array() => {
            let status = get(scope, object, &names.status_code)?;
            if status.is_undefined() { None } else { Some((object, status)) }
        }
        _ => None,
    };
    match structured {
        Some((object, status)) => read_structured(scope, object, status, names, body_bytes_max),
        None => Ok(Reply { status: 200, headers: vec![json_type()], body: json_bytes(scope, value, body_bytes_max)? }),
    }
}

/// R20, R22 to R24: the value as JSON. What JSON has no word for (`undefined`, a function) is
/// `null`, as the runtime that the contract comes from has it.
fn json_bytes(scope: &mut v8::PinScope<'_, '_>, value: Value<'_>, max: usize) -> Result<Bytes, Unreadable> {
    if value.is_null_or_undefined() {
        return Ok(Bytes::from_static(b"null"));
    }
    let text = v8::json::stringify(scope, value).ok_or(Unreadable::Threw)?;
    // Where `JSON.stringify` is undefined, V8's call gives that as its text, which no JSON text is.
    let text = text_bytes(scope, text, max)?;
    Ok(if text == "undefined" { Bytes::from_static(b"null") } else { text })
}

pub(crate) fn text_bytes(
    scope: &mut v8::PinScope<'_, '_>,
    text: v8::Local<'_, v8::String>,
    max: usize,
) -> Result<Bytes, Unreadable> {
    // A UTF-8 text has at least a byte a UTF-16 unit: refuse before copying.
    if text.length() > max {
        return Err(Unreadable::TooLarge(text.length()));
    }
    let text = text.to_rust_string_lossy(scope);
    if text.len() > max { Err(Unreadable::TooLarge(text.len())) } else { Ok(Bytes::from(text)) }
}

fn read_structured<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    status: Value<'s>,
    names: &Names,
    body_bytes_max: usize,
) -> Result<Reply, Unreadable> {
    let status = read_status(scope, status)?;
    let mut headers = Vec::new();
    let value = get(scope, object, &names.headers)?;
    read_headers(scope, value, &mut headers)?;
    let value = get(scope, object, &names.cookies)?;
    read_cookies(scope, value, &mut headers)?;
    if !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(json_type()); // R31
    }
    let is_base64 = get(scope, object, &names.is_base64)?.boolean_value(scope);
    let value = get(scope, object, &names.body)?;
    let body = read_body(scope, value, is_base64, body_bytes_max)?;
    Ok(Reply { status, headers, body })
}

/// R26, R27. Statuses below 200 are not an answer, and above 599 mean nothing.
pub(super) fn read_status(scope: &mut v8::PinScope<'_, '_>, value: Value<'_>) -> Result<u16, Unreadable> {
    let number = if value.is_string() {
        value.to_rust_string_lossy(scope).parse::<u16>().ok()
    } else if value.is_number() {
        value.number_value(scope).filter(|n| n.fract() == 0.0 && (0.0..1000.0).contains(n)).map(|n| n as u16)
    } else {
        None
    };
    match number {
        Some(status @ 200..=599) => Ok(status),
        _ => Err(Unreadable::Invalid(format!(
            "`statusCode` is {}, expected an integer from 200 to 599",
            brief(scope, value)
        ))),
    }
}

/// R28, R30, R36.
pub(super) fn read_headers<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: Value<'s>,
    out: &mut Vec<(Bytes, Bytes)>,
) -> Result<(), Unreadable> {
    if value.is_null_or_undefined() {
        return Ok(());
    }
    let object = v8::Local::<v8::Object>::try_from(value)
        .map_err(|_| Unreadable::Invalid("`headers` is not an object".to_owned()))?;
    let arguments =
        v8::GetPropertyNamesArgsBuilder::new().key_conversion(v8::KeyConversionMode::ConvertToString).build();
    let names = object.get_own_property_names(scope, arguments).ok_or(Unreadable::Threw)?;
    for index in 0..names.length() {
        let name = names.get_index(scope, index).ok_or(Unreadable::Threw)?;
        let value = object.get(scope, name).ok_or(Unreadable::Threw)?;
        let name = name.to_rust_string_lossy(scope);
        if value.is_null_or_undefined() {
            continue;
        }
        if !(value.is_string() || value.is_number() || value.is_boolean()) {
            return Err(Unreadable::Invalid(format!("header `{name}` is neither string, number nor boolean")));
        }
        let value = value.to_rust_string_lossy(scope);
        push_header(out, &name, value)?;
    }
    Ok(())
}

/// R29: an array of strings; anything else is ignored.
fn read_cookies<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: Value<'s>,
    out: &mut Vec<(Bytes, Bytes)>,
) -> Result<(), Unreadable> {
    let Ok(cookies) = v8::Local::<v8::Array>::try_from(value) else { return Ok(()) };
    for index in 0..cookies.length() {
        let cookie = cookies.get_index(scope, index).ok_or(Unreadable::Threw)?;
        if cookie.is_string() {
            let cookie = cookie.to_rust_string_lossy(scope);
            push_header(out, "set-cookie", cookie)?;
        }
    }
    Ok(())
}

/// Header fields of one response. 256: several times what any site sends.
const HEADERS_MAX: usize = 256;
/// Names and values of one response together, in bytes.
const HEADER_BYTES_MAX: usize = 64 << 10;

pub(super) fn push_header(out: &mut Vec<(Bytes, Bytes)>, name: &str, value: String) -> Result<(), Unreadable> {
    check_field(name.as_bytes(), value.as_bytes())?;
    let used: usize = out.iter().map(|(n, v)| n.len() + v.len()).sum();
    check_room(out.len() + 1, used + name.len() + value.len())?;
    out.push((Bytes::from(name.to_ascii_lowercase()), Bytes::from(value)));
    Ok(())
}

fn check_field(name: &[u8], value: &[u8]) -> Result<(), Unreadable> {
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let printed = || String::from_utf8_lossy(name).escape_debug().to_string();
    if name.is_empty() || !name.iter().all(is_token) {
        return Err(Unreadable::Invalid(format!("`{}` is no valid header name", printed())));
    }
    if value.iter().any(|&b| b == b'\r' || b == b'\n' || (b < 0x20 && b != b'\t') || b == 0x7f) {
        return Err(Unreadable::Invalid(format!("the value of header `{}` has control characters", printed())));
    }
    Ok(())
}

fn check_room(fields: usize, bytes: usize) -> Result<(), Unreadable> {
    if fields > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(Unreadable::Invalid("the response has too many header fields or too long ones".to_owned()));
    }
    Ok(())
}

/// Fields as they are, if they can be sent.
pub(crate) fn checked_fields(fields: Vec<(Bytes, Bytes)>) -> Result<Vec<(Bytes, Bytes)>, Unreadable> {
    check_room(fields.len(), fields.iter().map(|(name, value)| name.len() + value.len()).sum())?;
    fields.iter().try_for_each(|(name, value)| check_field(name, value))?;
    Ok(fields)
}

/// R32 to R35. Numbers and booleans are printed, like header values.
pub(super) fn read_body(
    scope: &mut v8::PinScope<'_, '_>,
    value: Value<'_>,
    is_base64: bool,
    max: usize,
) -> Result<Bytes, Unreadable> {
    if value.is_null_or_undefined() {
        return Ok(Bytes::new());
    }
    if !(value.is_string() || value.is_number() || value.is_boolean()) {
        return Err(Unreadable::Invalid(format!(
            "`body` is {}, expected a string: use JSON.stringify",
            brief(scope, value)
        )));
    }
    let text = value.to_string(scope).ok_or(Unreadable::Threw)?;
    if !is_base64 {
        return text_bytes(scope, text, max);
    }
    let text = text_bytes(scope, text, max.saturating_mul(4) / 3 + 4)?;
    let body = super::decode_base64(&text)
        .ok_or_else(|| Unreadable::Invalid("`isBase64Encoded` is set, but `body` is not valid base64".to_owned()))?;
    if body.len() > max { Err(Unreadable::TooLarge(body.len())) } else { Ok(Bytes::from(body)) }
}

/// A value for a message, without running any of its code.
pub(super) fn brief(scope: &mut v8::PinScope<'_, '_>, value: Value<'_>) -> String {
    if value.is_object() {
        return if value.is_array() { "an array".to_owned() } else { "an object".to_owned() };
    }
    let text = if value.is_symbol() { "a symbol".to_owned() } else { value.to_rust_string_lossy(scope) };
    text.chars().take(60).collect()
}
