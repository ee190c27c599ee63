//! CORS by configuration (§5.9): who in a browser may read an app's answers.
//!
//! With a policy the gateway answers preflights itself, without a route and without waking the
//! function, and it alone says who may read: what a function says about that is taken out. Without
//! one, everything is the function's own affair.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use serde::{Deserialize, Serialize};

/// A policy as `isle.toml` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    /// Origins, or `*`, `http://*`, `https://*`.
    pub allow_origins: Vec<String>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Request header fields, or `*`.
    pub allow_headers: Vec<String>,
    /// Response header fields that scripts may read, or `*`.
    pub expose_headers: Vec<String>,
    /// Whether requests may carry cookies and credentials.
    pub allow_credentials: bool,
    /// How long a browser may keep a preflight's answer, in seconds.
    pub max_age: Option<u32>,
}

/// A policy, ready to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    origins: Vec<String>,
    any_origin: bool,
    methods: Option<HeaderValue>,
    headers: Option<HeaderValue>,
    exposed: Option<HeaderValue>,
    credentials: bool,
    max_age: Option<HeaderValue>,
}

/// What only the gateway says when there is a policy.
const OURS: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

const ANYTHING: HeaderValue = HeaderValue::from_static("*");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const ORIGIN: HeaderValue = HeaderValue::from_static("origin");

fn list(words: &[String]) -> Option<HeaderValue> {
    // The manifest takes nothing that is no header value.
    if words.is_empty() { None } else { HeaderValue::from_str(&words.join(",")).ok() }
}

impl Policy {
    /// Makes a policy of what the manifest says.
    pub fn new(cors: &Cors) -> Policy {
        Policy {
            any_origin: cors.allow_origins.iter().any(|origin| origin == "*"),
            origins: cors.allow_origins.iter().map(|origin| origin.to_ascii_lowercase()).collect(),
            methods: list(&cors.allow_methods),
            headers: list(&cors.allow_headers),
            exposed: list(&cors.expose_headers),
            credentials: cors.allow_credentials,
            max_age: cors.max_age.map(HeaderValue::from),
        }
    }

    /// Whether a page of this origin may read answers.
    fn allows(&self, origin: &HeaderValue) -> bool {
        if self.any_origin {
            return true;
        }
        let given = origin.as_bytes();
        self.origins.iter().any(|known| match known.strip_suffix('*') {
            Some(scheme) => given.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme.as_bytes())),
            None => given.eq_ignore_ascii_case(known.as_bytes()),
        })
    }

    /// Says who may read; whether the origin is one of those.
    fn admit(&self, request: &HeaderMap, reply: &mut HeaderMap) -> bool {
        if !self.any_origin {
            // Caches must not give one origin's answer to another.
            reply.append(header::VARY, ORIGIN);
        }
        let Some(origin) = request.get(header::ORIGIN).filter(|origin| self.allows(origin)) else { return false };
        let said = if self.any_origin { ANYTHING } else { origin.clone() };
        reply.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, said);
        if self.credentials {
            reply.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        true
    }

    /// The header fields that answer a preflight. An origin that is not allowed is told nothing.
    pub fn preflight(&self, request: &HeaderMap) -> HeaderMap {
        let mut reply = HeaderMap::new();
        if !self.admit(request, &mut reply) {
            return reply;
        }
        // With credentials `*` is a name like any other to browsers: what they ask for is said.
        let said = |configured: &Option<HeaderValue>, asked: HeaderName| match configured {
            Some(value) if self.credentials && value == ANYTHING => request.get(asked).cloned(),
            configured => configured.clone(),
        };
        let methods = said(&self.methods, header::ACCESS_CONTROL_REQUEST_METHOD);
        let headers = said(&self.headers, header::ACCESS_CONTROL_REQUEST_HEADERS);
        let fields = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, headers),
            (header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone()),
        ];
        reply.extend(fields.into_iter().filter_map(|(name, value)| Some((name, value?))));
        reply
    }

    /// Puts the policy's word in the place of the function's.
    pub fn apply(&self, request: &HeaderMap, reply: &mut HeaderMap) {
        OURS.iter().for_each(|name| drop(reply.remove(name)));
        if self.admit(request, reply)
            && let Some(exposed) = &self.exposed
        {
            reply.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }
}

/// The method that a preflight asks about; `None` for every other request.
pub fn preflight_of<B>(request: &Request<B>) -> Option<&str> {
    if request.method() != Method::OPTIONS || !request.headers().contains_key(header::ORIGIN) {
        return None;
    }
    request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&str], credentials: bool) -> Policy {
        let all = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
        Policy::new(&Cors {
            allow_origins: all(origins),
            allow_methods: all(&["GET", "POST"]),
            allow_headers: all(&["*"]),
            expose_headers: all(&["x-total"]),
            allow_credentials: credentials,
            max_age: Some(60),
        })
    }

    fn from(origin: &'static str) -> HeaderMap {
        let asked = (header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("x-one"));
        HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin)), asked])
    }

    #[test]
    fn origins_are_exact_or_a_scheme_or_all() {
        for (allowed, origin, expected) in [
            ("https://a.example", "https://a.example", Some("https://a.example")),
            ("https://A.example", "https://a.EXAMPLE", Some("https://a.EXAMPLE")),
            ("https://a.example", "https://a.example.evil", None),
            ("https://a.example", "http://a.example", None),
            ("https://*", "https://anything.example:8443", Some("https://anything.example:8443")),
            ("https://*", "http://a.example", None),
            ("*", "null", Some("*")),
        ] {
            let mut reply = HeaderMap::new();
            policy(&[allowed], false).apply(&from(origin), &mut reply);
            let said = reply.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap());
            assert_eq!(said, expected, "{allowed} {origin}");
            assert_eq!(reply.contains_key(header::VARY), allowed != "*", "{allowed}");
        }
    }

    #[test]
    fn a_preflight_is_told_everything_and_a_stranger_nothing() {
        let reply = policy(&["https://a.example"], true).preflight(&from("https://a.example"));
        let said = |name| reply.get(name).map(|value: &HeaderValue| value.to_str().unwrap());
        assert_eq!(said(header::ACCESS_CONTROL_ALLOW_METHODS), Some("GET,POST"));
        assert_eq!(said(header::ACCESS_CONTROL_ALLOW_HEADERS), Some("x-one"), "`*` means nothing with credentials");
        assert_eq!(said(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), Some("true"));
        assert_eq!(said(header::ACCESS_CONTROL_MAX_AGE), Some("60"));
        let reply = policy(&["https://a.example"], true).preflight(&from("https://b.example"));
        assert_eq!(reply.keys().collect::<Vec<_>>(), [header::VARY]);
    }

    #[test]
    fn what_a_function_says_is_taken_out() {
        let mut reply = HeaderMap::new();
        reply.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANYTHING);
        reply.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ANYTHING);
        policy(&["https://a.example"], false).apply(&HeaderMap::new(), &mut reply);
        assert_eq!(reply.keys().collect::<Vec<_>>(), [header::VARY]);
    }
}
