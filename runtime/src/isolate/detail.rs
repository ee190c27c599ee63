//! What is told of an error: to its author, never to strangers.
//!
//! Describing an error can run the function's code (getters, `Error.prepareStackTrace`), so it
//! happens inside a stay in JavaScript, under its clocks.

use super::modules;
use deno_core::error::JsError;
use deno_core::v8;
use isle_wire::FailureDetail;

/// A stack with the author's frames only, and their files as the author names them.
fn own_frames(stack: &str) -> String {
    let ours = |line: &&str| line.trim_start().starts_with("at ") && (line.contains("isle:") || line.contains("ext:"));
    stack.lines().filter(|line| !ours(line)).collect::<Vec<_>>().join("\n").replace("file:///", "")
}

/// The beginning of an error's message that is too long to be copied around.
fn detail_of_giant<'s>(scope: &mut v8::PinScope<'s, '_>, exception: v8::Local<'s, v8::Value>) -> Option<FailureDetail> {
    const GIANT: usize = 1 << 20;
    const KEPT: usize = 1 << 10;
    let key = v8::String::new(scope, "message")?;
    let message = v8::Local::<v8::Object>::try_from(exception).ok()?.get(scope, key.into())?;
    let message = v8::Local::<v8::String>::try_from(message).ok()?;
    if message.length() < GIANT {
        return None;
    }
    let mut units = [0u16; KEPT];
    message.write_v2(scope, 0, &mut units, v8::WriteFlags::default());
    let message = format!("{}… ({} characters)", String::from_utf16_lossy(&units), message.length());
    Some(FailureDetail { error_type: "Error".to_owned(), message, ..FailureDetail::default() })
}

/// R80, R81: an exception's name, message, place and stack.
pub(super) fn detail_of<'s>(scope: &mut v8::PinScope<'s, '_>, exception: v8::Local<'s, v8::Value>) -> FailureDetail {
    const TEXT_MAX: usize = 8 << 10;
    let cut = |text: &str| text.chars().take(TEXT_MAX).collect::<String>();
    if !exception.is_native_error() {
        let error_type = exception.type_of(scope).to_rust_string_lossy(scope);
        let message = match v8::Local::<v8::Symbol>::try_from(exception) {
            Ok(symbol) => symbol.description(scope).to_rust_string_lossy(scope),
            Err(_) if exception.is_object() => String::from("(an object)"),
            Err(_) => exception.to_rust_string_lossy(scope),
        };
        return FailureDetail { error_type, message: cut(&message), ..Default::default() };
    }
    if let Some(detail) = detail_of_giant(scope, exception) {
        return detail;
    }
    let error = JsError::from_v8_exception(scope, exception);
    let function = modules::function();
    let in_authors_files = |stack: &str| match &function {
        Some(function) => function.maps.rewrite(&function.spec, stack).into_owned(),
        None => stack.to_owned(),
    };
    let frame = error
        .frames
        .iter()
        .find(|frame| frame.file_name.as_deref().is_some_and(|name| modules::path_of_name(name).is_some()));
    let mut detail = FailureDetail {
        error_type: error.name.clone().unwrap_or_else(|| "Error".to_owned()),
        message: cut(error.message.as_deref().unwrap_or_default()),
        file: frame.and_then(|f| Some(modules::path_of_name(f.file_name.as_deref()?)?.to_owned())),
        line: frame.and_then(|f| u32::try_from(f.line_number?).ok()),
        column: frame.and_then(|f| u32::try_from(f.column_number?).ok()),
        stack: error.stack.as_deref().map(|stack| cut(&own_frames(&in_authors_files(stack)))),
    };
    if let Some(function) = function {
        function.maps.rewrite_detail(&function.spec, &mut detail);
    }
    detail
}
