//! What a handler's result means in payload format 1.0 (R40 to R53): nothing is inferred.

use super::response::{
    Names, Reply, Unreadable, brief, get, json_type, push_header, read_body, read_headers, read_status,
};
use bytes::Bytes;
use deno_core::v8;

/// R40: what a REST API takes. The last two are names that emulators tolerate.
const KEYS: [&str; 7] =
    ["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded", "base64Encoded", "cookies"];

/// Reads a handler's result. `rest`: as a REST API does, which is strict about keys and takes a
/// result without a status; `decodes`: whether `isBase64Encoded` has a meaning for this request.
///
/// # Errors
/// See [`Unreadable`].
pub fn read<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: v8::Local<'s, v8::Value>,
    names: &Names,
    rest: bool,
    decodes: bool,
    body_bytes_max: usize,
) -> Result<Reply, Unreadable> {
    let object = match v8::Local::<v8::Object>::try_from(value) {
        Ok(object) if !value.is_function() && !value.is_array() => object,
        // R44
        _ => {
            let given = brief(scope, value);
            let message = format!("the result is {given}, expected an object with `statusCode`");
            return Err(Unreadable::Invalid(message));
        }
    };
    if rest {
        refuse_other_keys(scope, object)?;
    }
    let status = get(scope, object, &names.status_code)?;
    let status = match status.is_null_or_undefined() {
        true if rest => 200,                                                                  // R42
        true => return Err(Unreadable::Invalid("the result has no `statusCode`".to_owned())), // R41
        false => read_status(scope, status)?,
    };
    // R49: of both maps, the lists come first, and what is the same in both comes once.
    let mut headers = Vec::new();
    let value = get(scope, object, &names.multi_value_headers)?;
    read_lists(scope, value, &mut headers)?;
    let mut single = Vec::new();
    let value = get(scope, object, &names.headers)?;
    read_headers(scope, value, &mut single)?;
    single.retain(|pair| !headers.contains(pair));
    headers.append(&mut single);
    if !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(json_type()); // R52
    }
    let is_base64 = get(scope, object, &names.is_base64)?.boolean_value(scope);
    let value = get(scope, object, &names.body)?;
    let body = read_body(scope, value, is_base64 && decodes, body_bytes_max)?;
    Ok(Reply { status, headers, body })
}

fn own_names<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
) -> Result<v8::Local<'s, v8::Array>, Unreadable> {
    let arguments =
        v8::GetPropertyNamesArgsBuilder::new().key_conversion(v8::KeyConversionMode::ConvertToString).build();
    object.get_own_property_names(scope, arguments).ok_or(Unreadable::Threw)
}

/// R40. What is `undefined` would not be in the result's JSON.
fn refuse_other_keys<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
) -> Result<(), Unreadable> {
    let names = own_names(scope, object)?;
    for index in 0..names.length() {
        let name = names.get_index(scope, index).ok_or(Unreadable::Threw)?;
        let text = name.to_rust_string_lossy(scope);
        if KEYS.contains(&text.as_str()) || object.get(scope, name).ok_or(Unreadable::Threw)?.is_undefined() {
            continue;
        }
        let text: String = text.chars().take(60).collect();
        return Err(Unreadable::Invalid(format!(
            "the result has `{text}`, expected nothing but {}",
            KEYS[..5].join(", ")
        )));
    }
    Ok(())
}

/// R48: names with lists of values.
fn read_lists<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: v8::Local<'s, v8::Value>,
    out: &mut Vec<(Bytes, Bytes)>,
) -> Result<(), Unreadable> {
    if value.is_null_or_undefined() {
        return Ok(());
    }
    let object = match v8::Local::<v8::Object>::try_from(value) {
        Ok(object) if !value.is_array() => object,
        _ => return Err(Unreadable::Invalid("`multiValueHeaders` is not an object".to_owned())),
    };
    let names = own_names(scope, object)?;
    for index in 0..names.length() {
        let name = names.get_index(scope, index).ok_or(Unreadable::Threw)?;
        let value = object.get(scope, name).ok_or(Unreadable::Threw)?;
        let name = name.to_rust_string_lossy(scope);
        if value.is_null_or_undefined() {
            continue;
        }
        let Ok(list) = v8::Local::<v8::Array>::try_from(value) else {
            return Err(Unreadable::Invalid(format!("`{name}` of `multiValueHeaders` is not a list")));
        };
        for index in 0..list.length() {
            let value = list.get_index(scope, index).ok_or(Unreadable::Threw)?;
            if !(value.is_string() || value.is_number() || value.is_boolean()) {
                let message = format!("header `{name}` has a value that is neither string, number nor boolean");
                return Err(Unreadable::Invalid(message));
            }
            let value = value.to_rust_string_lossy(scope);
            push_header(out, &name, value)?;
        }
    }
    Ok(())
}
