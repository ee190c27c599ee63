//! Warm-up events: what a builder calls a function with before it keeps the function's state.
//!
//! In `isle.toml`, `warmup` is `false` for no call, an inline table whose members replace those of
//! the default event, the path of a JSON file with a whole event, or a list of these. Without it
//! the one event is a `GET` of the function's first route.

mod v1;

use super::manifest::normal_path;
use crate::route::Pattern;
use isle_wire::PayloadFormat;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Warm-up events of one function: each is called in each of the builder's steps.
pub const WARM_UPS_MAX: usize = 8;
/// One event, as JSON, in bytes: a builder compares whole answers, not data sets.
pub const EVENT_BYTES_MAX: usize = 64 << 10;
/// How deep tables in an event may be.
const DEPTH_MAX: usize = 16;

/// A warm-up event as the manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WarmUp {
    /// Members that replace those of the default event, and where it is written (counted from 1).
    Event(Map<String, Value>, usize),
    /// Normalised path of a file with a whole event, and where it is written (counted from 1).
    File(String, usize),
}

/// Where in the text, in bytes, and what is wrong.
type Wrong = (usize, String);

/// Reads `warmup`; `line` says in which line a byte of the manifest is.
pub(super) fn parse(value: &Spanned<DeValue<'_>>, line: &dyn Fn(usize) -> usize) -> Result<Vec<WarmUp>, Wrong> {
    let at = value.span().start;
    match value.get_ref() {
        DeValue::Boolean(false) => Ok(Vec::new()),
        DeValue::Boolean(true) => Err((at, "is true; leave it out for a GET of the first route".to_owned())),
        DeValue::Array(list) => {
            let events = list.iter().map(|item| one(item, line)).collect::<Result<Vec<_>, _>>()?;
            if events.len() > WARM_UPS_MAX {
                return Err((at, format!("has {} events, expected at most {WARM_UPS_MAX}", events.len())));
            }
            if events.is_empty() {
                return Err((at, "is empty; say `false` for no warm-up call".to_owned()));
            }
            Ok(events)
        }
        _ => Ok(vec![one(value, line)?]),
    }
}

fn one(value: &Spanned<DeValue<'_>>, line: &dyn Fn(usize) -> usize) -> Result<WarmUp, Wrong> {
    let at = value.span().start;
    match value.get_ref() {
        DeValue::Table(table) => {
            let event = object(table, 0)?;
            let bytes = serde_json::to_string(&event).map_or(0, |text| text.len());
            if bytes > EVENT_BYTES_MAX {
                return Err((at, format!("has an event of {bytes} bytes, expected at most {EVENT_BYTES_MAX}")));
            }
            Ok(WarmUp::Event(event, line(at)))
        }
        DeValue::String(path) => {
            let path = normal_path(path).map_err(|why| (at, format!("`{path}` {why}")))?;
            if !path.ends_with(".json") {
                return Err((at, format!("is `{path}`, expected a file whose name ends in .json")));
            }
            Ok(WarmUp::File(path, line(at)))
        }
        other => {
            let expected = "`false`, an event (a table), the path of a JSON file, or a list of these";
            Err((at, format!("is of type {}, expected {expected}", other.type_str())))
        }
    }
}

fn object(table: &DeTable<'_>, depth: usize) -> Result<Map<String, Value>, Wrong> {
    table.iter().map(|(key, value)| Ok((key.get_ref().to_string(), json_of(value, depth + 1)?))).collect()
}

fn json_of(value: &Spanned<DeValue<'_>>, depth: usize) -> Result<Value, Wrong> {
    let at = value.span().start;
    if depth > DEPTH_MAX {
        return Err((at, format!("is nested deeper than {DEPTH_MAX} levels")));
    }
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(yes) => Value::Bool(*yes),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            parsed.map_err(|_| (at, format!("is {number}, expected a number of 64 bits")))?.into()
        }
        DeValue::Float(number) => {
            let parsed = number.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            Value::Number(parsed.ok_or_else(|| (at, "is a number that JSON does not have".to_owned()))?)
        }
        DeValue::Array(list) => list.iter().map(|item| json_of(item, depth + 1)).collect::<Result<Vec<_>, _>>()?.into(),
        DeValue::Table(table) => Value::Object(object(table, depth)?),
        DeValue::Datetime(_) => {
            return Err((at, "is a date, which JSON does not have; write it as a string".to_owned()));
        }
    })
}

/// The events of a function as JSON texts, in one form whatever the manifest's spelling. `None`
/// stays `None`: the default may change with Isle, and then nothing was deployed differently.
///
/// # Errors
/// The line of the manifest and what is wrong: a file that is not there or holds no event.
pub(super) fn resolve(
    warm_ups: Option<Vec<WarmUp>>,
    routes: &[Pattern],
    format: PayloadFormat,
    files: &BTreeMap<String, String>,
) -> Result<Option<Vec<String>>, (usize, String)> {
    let Some(warm_ups) = warm_ups else { return Ok(None) };
    let event = |warm_up| match warm_up {
        WarmUp::Event(given, _) => {
            let mut event = event_in(format, routes);
            merge(&mut event, given);
            Ok(Value::Object(event).to_string())
        }
        WarmUp::File(path, line) => {
            let text = files
                .get(&path)
                .ok_or_else(|| (line, format!("is `{path}`, which is not among the deployment's files")))?;
            if text.len() > EVENT_BYTES_MAX {
                let message = format!("is `{path}`, of {} bytes, expected at most {EVENT_BYTES_MAX}", text.len());
                return Err((line, message));
            }
            match serde_json::from_str(text) {
                Ok(Value::Object(event)) => Ok(Value::Object(event).to_string()),
                Ok(_) => Err((line, format!("is `{path}`, which holds no JSON object"))),
                Err(error) => Err((line, format!("is `{path}`, which is no JSON: {error}"))),
            }
        }
    };
    warm_ups.into_iter().map(event).collect::<Result<Vec<_>, _>>().map(Some)
}

/// The events of a function whose manifest says nothing.
pub(super) fn default_warm_ups(routes: &[Pattern], format: PayloadFormat) -> Vec<String> {
    vec![Value::Object(event_in(format, routes)).to_string()]
}

fn event_in(format: PayloadFormat, routes: &[Pattern]) -> Map<String, Value> {
    let event = default_event(routes);
    match format {
        PayloadFormat::V2 => event,
        PayloadFormat::V1 => v1::event(&event, route(routes).1, false),
        PayloadFormat::Rest => v1::event(&event, route(routes).1, true),
    }
}

fn merge(event: &mut Map<String, Value>, given: Map<String, Value>) {
    for (name, value) in given {
        match (event.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(value)) => merge(inner, value),
            (_, value) => drop(event.insert(name, value)),
        }
    }
}

/// The route that can be had by `GET`, or else the first one's path.
fn route(routes: &[Pattern]) -> (&str, &str) {
    let gets = |route: &&Pattern| {
        let key = route.key();
        key.starts_with(b"GET ") || key.starts_with(b"ANY ") || key[..] == *b"$default"
    };
    let found = routes.iter().find(gets).or(routes.first());
    found.map_or(("$default", "/"), |route| (std::str::from_utf8(route.key()).unwrap_or("$default"), route.path()))
}

/// A synthetic `GET` in payload format 2.0, with placeholders for path parameters. It says nothing
/// that a handler could take for a real caller.
fn default_event(routes: &[Pattern]) -> Map<String, Value> {
    let (key, pattern) = route(routes);
    let mut parameters = Map::new();
    let segments = pattern.split('/').map(|segment| {
        let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else { return segment };
        parameters.insert(name.trim_end_matches('+').to_owned(), "warm-up".into());
        "warm-up"
    });
    let path = segments.collect::<Vec<_>>().join("/");
    let mut event = json!({
        "version": "2.0",
        "routeKey": key,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"accept": "*/*", "host": "warm-up.invalid", "user-agent": "isle-warm-up"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "warm-up",
            "domainName": "warm-up.invalid",
            "domainPrefix": "warm-up",
            "http": {
                "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "isle-warm-up",
            },
            "requestId": "warm-up",
            "routeKey": key,
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000u64,
        },
        "isBase64Encoded": false,
    });
    if let Some(event) = event.as_object_mut()
        && !parameters.is_empty()
    {
        event.insert("pathParameters".to_owned(), Value::Object(parameters));
    }
    match event {
        Value::Object(event) => event,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest;
    use super::*;
    use isle_wire::Limits;

    fn function(more: &str) -> Result<manifest::Function, String> {
        let text = format!(
            "app = \"b\"\n[functions.h]\nentry = \"h.js\"\nroutes = [\"POST /in\", \"GET /a/{{x}}/{{y+}}\"]\n{more}"
        );
        let parsed = manifest::parse(&text, &Limits::default()).map_err(|error| error.to_string())?;
        Ok(parsed.functions["h"].clone())
    }

    fn events(more: &str, files: &[(&str, &str)]) -> Result<Option<Vec<Value>>, String> {
        let function = function(more)?;
        let files = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        let events = resolve(function.warm_ups, &function.routes, PayloadFormat::V2, &files)
            .map_err(|(line, what)| format!("{line}: {what}"))?;
        Ok(events.map(|events| events.iter().map(|event| serde_json::from_str(event).unwrap()).collect()))
    }

    #[test]
    fn the_default_is_a_get_of_the_first_route_that_takes_one() {
        assert_eq!(events("", &[]).unwrap(), None);
        let routes = function("").unwrap().routes;
        let event: Value = serde_json::from_str(&default_warm_ups(&routes, PayloadFormat::V2)[0]).unwrap();
        assert_eq!(event["rawPath"], "/a/warm-up/warm-up");
        assert_eq!(event["pathParameters"], json!({"x": "warm-up", "y": "warm-up"}));
        assert_eq!(event["requestContext"]["http"]["method"], "GET");
        assert_eq!((&event["routeKey"], &event["version"]), (&json!("GET /a/{x}/{y+}"), &json!("2.0")));
        let event = |routes: &[&str]| {
            let routes: Vec<Pattern> = routes.iter().map(|route| Pattern::parse(route).unwrap()).collect();
            serde_json::from_str::<Value>(&default_warm_ups(&routes, PayloadFormat::V2)[0]).unwrap()["rawPath"].clone()
        };
        assert_eq!(event(&["$default"]), "/");
        assert_eq!(event(&["POST /only"]), "/only");
        assert_eq!(event(&[]), "/");
    }

    #[test]
    fn a_manifest_can_say_off_an_event_a_file_or_several() {
        assert_eq!(events("warmup = false", &[]).unwrap(), Some(Vec::new()));
        let table = "warmup = { rawPath = \"/a/1/2\", requestContext.http.method = \"POST\", n = [1, 1.5, true] }";
        let event = &events(table, &[]).unwrap().unwrap()[0];
        assert_eq!((&event["rawPath"], &event["n"]), (&json!("/a/1/2"), &json!([1, 1.5, true])));
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
        assert_eq!(event["requestContext"]["http"]["protocol"], "HTTP/1.1", "what is not given stays");
        let both = events("warmup = [\"./w/e.json\", {}]", &[("w/e.json", "{\"only\": 1}")]).unwrap().unwrap();
        assert_eq!((both.len(), &both[0]), (2, &json!({"only": 1})));
    }

    #[test]
    fn what_is_wrong_is_said_with_key_and_line() {
        for (more, part) in [
            ("warmup = true", "isle.toml:5: `functions.h.warmup` is true"),
            ("warmup = 3", "isle.toml:5: `functions.h.warmup` is of type integer, expected `false`"),
            ("warmup = []", "is empty; say `false`"),
            ("warmup = [\n\"a.json\",\n4]", "isle.toml:7: "),
            ("warmup = [{}, {}, {}, {}, {}, {}, {}, {}, {}]", "9 events, expected at most 8"),
            ("warmup = \"a.txt\"", "ends in .json"),
            ("warmup = \"../a.json\"", "`..`"),
            ("warmup = { when = 2026-01-01 }", "is a date"),
            ("warmup = { n = nan }", "JSON does not have"),
        ] {
            let message = function(more).map(|_| ()).unwrap_err();
            assert!(message.contains(part), "{more}: {message}");
        }
        let deep = format!("warmup = {}1{}", "{ a = ".repeat(20), " }".repeat(20));
        assert!(function(&deep).unwrap_err().contains("nested deeper"));
        assert!(function(&format!("warmup = {{ a = \"{}\" }}", "x".repeat(70_000))).unwrap_err().contains("65536"));
        for (file, part) in [("[1]", "no JSON object"), ("{", "no JSON")] {
            let message = events("warmup = \"a.json\"", &[("a.json", file)]).unwrap_err();
            assert!(message.starts_with("5: ") && message.contains(part), "{message}");
        }
        assert!(events("warmup = \"a.json\"", &[]).unwrap_err().contains("not among"));
    }
}
