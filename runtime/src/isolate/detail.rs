//! What is told of an error: to its author, never to strangers.
//!
//! Describing an error can run the function's code (getters, `Error.prepareStackTrace`), so it
//! happens inside a stay in JavaScript, under its clocks.

use super::{hook, modules};
use deno_core::v8;
use isle_wire::FailureDetail;

/// Characters of a text that are told.
const TEXT_MAX: usize = 8 << 10;
/// Of a stack, whose head is the message and whose first lines may be ours.
const STACK_MAX: usize = 8 * TEXT_MAX;
/// From here on, a text is too long to be made part of another.
const GIANT: usize = 1 << 20;
/// Frames among which the author's is looked for.
const FRAMES_MAX: u32 = 100;
/// Where the platform keeps an error's frames once its stack has been read.
const FRAMES_KEY: &str = "deno_core::call_site_evals";

/// A stack with the author's frames only, and their files as the author names them.
fn own_frames(stack: &str) -> String {
    let ours = |line: &&str| line.trim_start().starts_with("at ") && (line.contains("isle:") || line.contains("ext:"));
    stack.lines().filter(|line| !ours(line)).collect::<Vec<_>>().join("\n").replace("file:///", "")
}

/// The beginning of a text. The function chooses how long its texts are: none is copied whole.
fn beginning(scope: &mut v8::PinScope<'_, '_>, text: v8::Local<'_, v8::String>, units_max: usize) -> String {
    let mut units = vec![0; text.length().min(units_max)];
    text.write_v2(scope, 0, &mut units, v8::WriteFlags::default());
    let beginning = String::from_utf16_lossy(&units);
    if text.length() <= units_max { beginning } else { format!("{beginning}… ({} characters)", text.length()) }
}

fn text_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    name: &str,
) -> Option<v8::Local<'s, v8::String>> {
    let key = v8::String::new(scope, name)?;
    v8::Local::<v8::String>::try_from(object.get(scope, key.into())?).ok()
}

/// A place in a file of the author's.
struct Place {
    file: String,
    line: Option<u32>,
    column: Option<u32>,
}

fn place_in(name: &str, line: Option<u32>, column: Option<u32>) -> Option<Place> {
    Some(Place { file: modules::path_of_name(name)?.to_owned(), line, column })
}

/// The first frame in the author's files. The stack has been read.
fn place_of<'s>(scope: &mut v8::PinScope<'s, '_>, error: v8::Local<'s, v8::Object>) -> Option<Place> {
    let key = v8::String::new(scope, FRAMES_KEY)?;
    let key = v8::Private::for_api(scope, Some(key));
    let frames = error.get_private(scope, key).and_then(|frames| v8::Local::<v8::Array>::try_from(frames).ok());
    let Some(frames) = frames.filter(|frames| frames.length() > 0) else {
        // A syntax error: there is a place, but nothing ran there.
        let message = v8::Exception::create_message(scope, error.into());
        let name = v8::Local::<v8::String>::try_from(message.get_script_resource_name(scope)?).ok()?;
        let line = message.get_line_number(scope).and_then(|line| u32::try_from(line).ok());
        let column = u32::try_from(message.get_start_column() + 1).ok();
        return place_in(&beginning(scope, name, TEXT_MAX), line, column);
    };
    (0..frames.length().min(FRAMES_MAX)).find_map(|index| {
        let frame = v8::Local::<v8::Object>::try_from(frames.get_index(scope, index)?).ok()?;
        let name = v8::Local::<v8::String>::try_from(asked(scope, frame, "getFileName")?).ok()?;
        let name = beginning(scope, name, TEXT_MAX);
        modules::path_of_name(&name)?;
        let mut number = |method| asked(scope, frame, method)?.uint32_value(scope);
        let (line, column) = (number("getLineNumber"), number("getColumnNumber"));
        place_in(&name, line, column)
    })
}

/// What a method without arguments returns.
fn asked<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    method: &str,
) -> Option<v8::Local<'s, v8::Value>> {
    hook(scope, object, method)?.call(scope, object.into(), &[])
}

/// What is told of something thrown that is no error.
fn detail_of_value<'s>(scope: &mut v8::PinScope<'s, '_>, value: v8::Local<'s, v8::Value>) -> FailureDetail {
    let error_type = value.type_of(scope).to_rust_string_lossy(scope);
    let shown = match v8::Local::<v8::Symbol>::try_from(value) {
        Ok(symbol) => symbol.description(scope).to_string(scope),
        Err(_) if value.is_object() => v8::String::new(scope, "(an object)"),
        Err(_) => value.to_string(scope),
    };
    let message = shown.map(|text| beginning(scope, text, TEXT_MAX)).unwrap_or_default();
    FailureDetail { error_type, message, ..Default::default() }
}

/// R80, R81: an exception's name, message, place and stack.
pub(super) fn detail_of<'s>(scope: &mut v8::PinScope<'s, '_>, exception: v8::Local<'s, v8::Value>) -> FailureDetail {
    let error = v8::Local::<v8::Object>::try_from(exception).ok().filter(|_| exception.is_native_error());
    let Some(error) = error else { return detail_of_value(scope, exception) };
    // Each once: a getter may have another answer the next time.
    let (name, message) = (text_of(scope, error, "name"), text_of(scope, error, "message"));
    // A stack is made of both when it is first read.
    let giant = [name, message].iter().flatten().any(|text| text.length() > GIANT);
    let stack = if giant { None } else { text_of(scope, error, "stack") };
    let place = if giant { None } else { place_of(scope, error) };
    let mut told = |text: Option<_>, units_max| Some(beginning(scope, text?, units_max));
    let error_type = told(name, TEXT_MAX).unwrap_or_else(|| "Error".to_owned());
    let message = told(message, TEXT_MAX).unwrap_or_default();
    let stack = told(stack, STACK_MAX);
    let function = modules::function();
    let in_authors_files = |stack: &str| match &function {
        Some(function) => function.maps.rewrite(&function.spec, stack).into_owned(),
        None => stack.to_owned(),
    };
    let cut = |text: &str| text.chars().take(TEXT_MAX).collect::<String>();
    let mut detail = FailureDetail {
        error_type,
        message,
        file: place.as_ref().map(|place| place.file.clone()),
        line: place.as_ref().and_then(|place| place.line),
        column: place.as_ref().and_then(|place| place.column),
        stack: stack.map(|stack| cut(&own_frames(&in_authors_files(&stack)))),
    };
    if let Some(function) = function {
        function.maps.rewrite_detail(&function.spec, &mut detail);
    }
    detail
}
