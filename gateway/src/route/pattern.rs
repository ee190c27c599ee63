//! Routes as manifests write them: `GET /hello/{name}`, `ANY /{proxy+}`, `$default`.

use super::decode::decode;
use bytes::Bytes;

/// The longest route, in bytes: no link that a person could use is longer.
pub const ROUTE_BYTES_MAX: usize = 1024;
/// The most segments of a route: bounds the depth of the matcher's recursion.
pub const ROUTE_SEGMENTS_MAX: usize = 64;

/// Methods that a route can name, in the order of the trie's slots. `ANY` stands for these and for
/// every other method.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// How many slots a resource has: one for each of [`METHODS`], and one for `ANY`.
pub(super) const SLOTS: usize = METHODS.len() + 1;
/// The slot of `GET`.
pub(super) const GET: usize = 0;
/// The slot of `HEAD`.
pub(super) const HEAD: usize = 5;
/// The slot of `ANY`, and of methods that no route can name.
pub(super) const ANY: usize = METHODS.len();

/// The slot of a request's method. Methods are case-sensitive.
pub(super) fn slot(method: &str) -> usize {
    METHODS.iter().position(|m| *m == method).unwrap_or(ANY)
}

/// One segment of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Exactly these (decoded) bytes.
    Literal(Bytes),
    /// Any one segment.
    Parameter(Bytes),
    /// The rest of the path.
    Greedy(Bytes),
}

/// A route that is well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    key: Bytes,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Default,
    Path { slot: usize, segments: Vec<Segment> },
}

/// What is wrong with a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

fn name_of(braced: &str) -> Result<Bytes, PatternError> {
    let well_formed = braced.len() <= 64
        && braced.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && braced.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if well_formed {
        Ok(Bytes::copy_from_slice(braced.as_bytes()))
    } else {
        Err(PatternError(format!(
            "`{braced}` cannot be a parameter's name; expected a letter or `_`, then letters, digits, `_`, `-`, `.`"
        )))
    }
}

fn segment_of(text: &str) -> Result<Segment, PatternError> {
    if let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return match inner.strip_suffix('+') {
            Some(name) => name_of(name).map(Segment::Greedy),
            None => name_of(inner).map(Segment::Parameter),
        };
    }
    if text.contains(['{', '}']) {
        return Err(PatternError(format!("a parameter is one whole segment; `{text}` mixes it with other text")));
    }
    if let Some(bad) = text.chars().find(|c| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '\\')) {
        return Err(PatternError(format!("segment `{}` contains {bad:?}", text.escape_debug())));
    }
    Ok(Segment::Literal(decode(text)))
}

impl Pattern {
    /// Reads a route.
    ///
    /// # Errors
    /// What is wrong and what was expected.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        let key = Bytes::copy_from_slice(text.as_bytes());
        if text == "$default" {
            return Ok(Pattern { key, kind: Kind::Default });
        }
        if text.len() > ROUTE_BYTES_MAX {
            return Err(PatternError(format!("is {} bytes long, expected at most {ROUTE_BYTES_MAX}", text.len())));
        }
        let Some((method, path)) = text.split_once(' ') else {
            return Err(PatternError("expected `$default` or `METHOD /path`".into()));
        };
        if method != "ANY" && !METHODS.contains(&method) {
            return Err(PatternError(format!("method `{method}`, expected ANY or one of {}", METHODS.join(", "))));
        }
        let Some(path) = path.strip_prefix('/') else {
            return Err(PatternError(format!("path `{path}` does not begin with `/`")));
        };
        let segments = path.split('/').map(segment_of).collect::<Result<Vec<_>, _>>()?;
        if segments.len() > ROUTE_SEGMENTS_MAX {
            return Err(PatternError(format!(
                "has {} segments, expected at most {ROUTE_SEGMENTS_MAX}",
                segments.len()
            )));
        }
        let mut names = Vec::new();
        for (position, segment) in segments.iter().enumerate() {
            let last = position + 1 == segments.len();
            match segment {
                Segment::Literal(bytes) if bytes.is_empty() && !last => {
                    return Err(PatternError("has an empty segment (`//`)".into()));
                }
                Segment::Literal(_) => {}
                Segment::Greedy(_) if !last => {
                    return Err(PatternError("a greedy parameter must be the last segment".into()));
                }
                Segment::Parameter(name) | Segment::Greedy(name) => {
                    if names.contains(&name) {
                        return Err(PatternError(format!("names `{}` twice", String::from_utf8_lossy(name))));
                    }
                    names.push(name);
                }
            }
        }
        Ok(Pattern { key, kind: Kind::Path { slot: slot(method), segments } })
    }

    /// The route as it was written; the event's `routeKey`.
    pub fn key(&self) -> &Bytes {
        &self.key
    }

    /// The route's path as it was written; `/` for `$default`.
    pub fn path(&self) -> &str {
        let key = std::str::from_utf8(&self.key).unwrap_or_default();
        key.split_once(' ').map_or("/", |(_, path)| path)
    }

    /// Whether both are the same method (`ANY` is one) of the same path, whatever parameters are called.
    pub fn collides_with(&self, other: &Pattern) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Default, Kind::Default) => true,
            (Kind::Path { slot: a, segments: left }, Kind::Path { slot: b, segments: right }) => {
                a == b
                    && left.len() == right.len()
                    && left.iter().zip(right).all(|pair| match pair {
                        (Segment::Literal(a), Segment::Literal(b)) => a == b,
                        (Segment::Parameter(_), Segment::Parameter(_)) | (Segment::Greedy(_), Segment::Greedy(_)) => {
                            true
                        }
                        _ => false,
                    })
            }
            _ => false,
        }
    }
}
