//! The part of a manifest that says how functions are spoken to: payload format, handler, CORS.

use super::{Reader, Result, Value};
use crate::cors::Cors;
use http::{HeaderName, HeaderValue, Method};
use isle_wire::PayloadFormat;

/// Words in one list: far more than any policy needs.
const WORDS_MAX: usize = 64;
/// The longest origin, name or media type, in bytes.
const WORD_BYTES_MAX: usize = 256;
/// The longest time that a browser may keep a preflight's answer, in seconds: no browser keeps it longer.
const CORS_MAX_AGE_MAX: u32 = 86_400;

/// Whether `path` names an export, or a property of one: R75.
fn is_handler_path(path: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
    };
    path.len() <= WORD_BYTES_MAX && path.split('.').all(|name| name == "default" || is_name(name))
}

fn is_media_type(text: &str) -> bool {
    let is_token = |part: &str| !part.is_empty() && part.parse::<HeaderName>().is_ok();
    match text.split_once('/') {
        Some(("*", subtype)) => subtype == "*",
        Some((kind, subtype)) => is_token(kind) && (subtype == "*" || is_token(subtype)),
        None => false,
    }
}

/// `*`, a scheme with `*`, or scheme, host and port, without a path.
fn is_origin(text: &str) -> bool {
    if matches!(text, "*" | "http://*" | "https://*" | "null") {
        return true;
    }
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    uri.scheme().is_some()
        && uri.authority().is_some_and(|authority| !authority.as_str().contains(['@', '*']))
        && !text.trim_start_matches(|c| c != ':').trim_start_matches("://").contains('/')
        && HeaderValue::from_str(text).is_ok()
}

impl Reader<'_> {
    fn words(&self, key: &str, value: &Value<'_>, expected: &str, fits: impl Fn(&str) -> bool) -> Result<Vec<String>> {
        let list = value.get_ref().as_array();
        let list = list.ok_or_else(|| self.wrong_type(key, value, "an array of strings"))?;
        let mut words: Vec<String> = Vec::new();
        for word in list.iter() {
            let text = self.string(key, word)?;
            if text.len() > WORD_BYTES_MAX || !fits(text) {
                let message = format!("has `{}`, expected {expected}", text.escape_debug());
                return Err(self.error(word.span().start, key, message));
            }
            if !words.iter().any(|known| known == text) {
                words.push(text.to_owned());
            }
        }
        if words.len() > WORDS_MAX {
            let message = format!("has {} entries, expected at most {WORDS_MAX}", words.len());
            return Err(self.error(value.span().start, key, message));
        }
        Ok(words)
    }

    pub(super) fn payload_format(&self, key: &str, value: &Value<'_>) -> Result<PayloadFormat> {
        let text = self.string(key, value)?;
        PayloadFormat::ALL.into_iter().find(|format| format.as_str() == text).ok_or_else(|| {
            let message = format!("is `{}`, expected `2.0`, `1.0` or `rest`", text.escape_debug());
            self.error(value.span().start, key, message)
        })
    }

    pub(super) fn binary_media_types(&self, key: &str, value: &Value<'_>) -> Result<Vec<String>> {
        self.words(key, value, "a media type, `type/*` or `*/*`", is_media_type)
    }

    pub(super) fn handler_path(&self, key: &str, value: &Value<'_>) -> Result<String> {
        let text = self.string(key, value)?;
        if !is_handler_path(text) {
            let message = format!(
                "is malformed: `{}`, expected the name of an export of `entry`, with a dot before each property",
                text.escape_debug()
            );
            return Err(self.error(value.span().start, key, message));
        }
        Ok(if text == "handler" { String::new() } else { text.to_owned() })
    }

    pub(super) fn cors(&self, key: &str, value: &Value<'_>) -> Result<Cors> {
        const KEYS: &str =
            "`allow_origins`, `allow_methods`, `allow_headers`, `expose_headers`, `allow_credentials` or `max_age`";
        let at = value.span().start;
        let mut cors = Cors::default();
        for (part, value) in self.table(key, value)? {
            let inner = format!("{key}.{}", part.get_ref());
            let is_name = |text: &str| text == "*" || text.parse::<HeaderName>().is_ok();
            match part.get_ref().as_ref() {
                "allow_origins" => {
                    let expected = "`*`, `http://*`, `https://*` or an origin like `https://example.com`";
                    cors.allow_origins = self.words(&inner, value, expected, is_origin)?;
                }
                "allow_methods" => {
                    let is_method = |text: &str| text == "*" || text.parse::<Method>().is_ok();
                    cors.allow_methods = self.words(&inner, value, "a method or `*`", is_method)?;
                }
                "allow_headers" => {
                    cors.allow_headers = self.words(&inner, value, "a header field's name or `*`", is_name)?;
                }
                "expose_headers" => {
                    cors.expose_headers = self.words(&inner, value, "a header field's name or `*`", is_name)?;
                }
                "allow_credentials" => {
                    let truth = value.get_ref().as_bool();
                    cors.allow_credentials = truth.ok_or_else(|| self.wrong_type(&inner, value, "true or false"))?;
                }
                "max_age" => {
                    let number = value.get_ref().as_integer().and_then(|number| number.as_str().parse::<u32>().ok());
                    let number = number.filter(|seconds| *seconds <= CORS_MAX_AGE_MAX);
                    let expected = format!("expected 0 to {CORS_MAX_AGE_MAX} seconds");
                    cors.max_age = Some(number.ok_or_else(|| self.error(value.span().start, &inner, expected))?);
                }
                _ => return Err(self.unknown(part.span().start, &inner, KEYS)),
            }
        }
        if cors.allow_origins.is_empty() {
            return Err(self.error(at, &format!("{key}.allow_origins"), "is missing or empty; it says who may read"));
        }
        if cors.allow_credentials && cors.allow_origins.iter().any(|origin| origin == "*") {
            let message = "is true, which browsers refuse beside `*` in `allow_origins`: name the origins";
            return Err(self.error(at, &format!("{key}.allow_credentials"), message));
        }
        Ok(cors)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Manifest, parse};
    use isle_wire::{Limits, PayloadFormat};

    fn function(more: &str) -> std::result::Result<Manifest, String> {
        let text = format!("app = \"blog\"\n[functions.f]\nentry = \"f.js\"\n{more}\n");
        parse(&text, &Limits::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_function_says_how_it_is_spoken_to() {
        let manifest = function("payload_format = \"rest\"\nbinary_media_types = [\"image/*\"]\nhandler = \"api.get\"");
        let contract = &manifest.unwrap().functions["f"].contract;
        assert_eq!((contract.payload_format, contract.handler_path()), (PayloadFormat::Rest, "api.get"));
        assert!(function("").unwrap().functions["f"].contract.is_default());
        assert!(
            function("handler = \"handler\"\npayload_format = \"2.0\"").unwrap().functions["f"].contract.is_default()
        );
    }

    #[test]
    fn each_mistake_is_named() {
        for (more, part) in [
            ("payload_format = \"3.0\"", "isle.toml:4: `functions.f.payload_format` is `3.0`, expected"),
            ("payload_format = 2.0", "is of type float, expected a string"),
            ("handler = \"a..b\"", "`functions.f.handler` is malformed: `a..b`"),
            ("handler = \"\"", "is malformed"),
            ("binary_media_types = [\"image/png\"]", "expected only beside `payload_format = \"rest\"`"),
            ("payload_format = \"rest\"\nbinary_media_types = [\"png\"]", "has `png`, expected a media type"),
            ("cors = {}", "`functions.f.cors.allow_origins` is missing"),
            ("cors = { allow_origins = [\"example.com\"] }", "has `example.com`, expected"),
            ("cors = { allow_origins = [\"https://a.example/\"] }", "has `https://a.example/`, expected"),
            ("cors = { allow_origins = [\"*\"], allow_credentials = true }", "browsers refuse"),
            ("cors = { allow_origins = [\"*\"], max_age = 100000 }", "expected 0 to 86400 seconds"),
            ("cors = { allow_origin = [\"*\"] }", "is unknown here"),
        ] {
            let error = function(more).unwrap_err();
            assert!(error.contains(part), "{more}: {error}");
        }
    }

    #[test]
    fn cors_is_an_apps_and_a_functions() {
        let text = "app = \"blog\"\n[cors]\nallow_origins = [\"https://a.example\"]\n\
                    [functions.f]\nentry = \"f.js\"\n[functions.f.cors]\nallow_origins = [\"*\"]\nmax_age = 5\n";
        let manifest = parse(text, &Limits::default()).unwrap();
        assert_eq!(manifest.cors.unwrap().allow_origins, ["https://a.example"]);
        assert_eq!(manifest.functions["f"].cors.as_ref().unwrap().max_age, Some(5));
    }
}
