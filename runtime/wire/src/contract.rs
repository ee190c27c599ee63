//! The shape of events and responses that a function was written for.

use serde::{Deserialize, Serialize};

/// The route key of an invocation through the Invoke API: the body is the event itself, and the
/// result goes back as JSON. No manifest can have such a route and no client can ask for it.
pub const INVOKE_ROUTE: &[u8] = b"$invoke";

/// A payload format of API Gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PayloadFormat {
    /// HTTP APIs' own (§5.1, R20 to R36).
    #[default]
    #[serde(rename = "2.0")]
    V2,
    /// 1.0 as HTTP APIs have it (§5.2, R41): lenient with what a function returns.
    #[serde(rename = "1.0")]
    V1,
    /// 1.0 as REST APIs have it (§5.2, R40 to R53): strict, with binary media types.
    #[serde(rename = "rest")]
    Rest,
}

impl PayloadFormat {
    /// Every format, in the order of their words.
    pub const ALL: [PayloadFormat; 3] = [PayloadFormat::V2, PayloadFormat::V1, PayloadFormat::Rest];

    /// The word for it in `isle.toml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            PayloadFormat::V2 => "2.0",
            PayloadFormat::V1 => "1.0",
            PayloadFormat::Rest => "rest",
        }
    }

    /// Whether it is [`PayloadFormat::V2`], the one that goes without saying.
    pub fn is_v2(&self) -> bool {
        *self == PayloadFormat::V2
    }
}

/// What of a function's manifest decides how its handler is found and spoken to. The default is a
/// function that says nothing about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Contract {
    /// The format of events and responses.
    #[serde(skip_serializing_if = "PayloadFormat::is_v2")]
    pub payload_format: PayloadFormat,
    /// Media types whose bodies are bytes (R12, R51): for [`PayloadFormat::Rest`] alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub binary_media_types: Vec<String>,
    /// The export that is the handler, with dots where it is a property of one (R75); empty for `handler`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub handler: String,
}

impl Contract {
    /// Whether nothing differs from the default.
    pub fn is_default(&self) -> bool {
        *self == Contract::default()
    }

    /// The path to the handler from the module's exports.
    pub fn handler_path(&self) -> &str {
        if self.handler.is_empty() { "handler" } else { &self.handler }
    }

    /// Whether bodies of this media type are bytes: an entry is a type, `type/*` or `*/*` (R12).
    pub fn is_binary(&self, media_type: &[u8]) -> bool {
        self.binary_media_types.iter().any(|entry| match entry.strip_suffix("/*") {
            Some("*") => true,
            Some(kind) => media_type
                .split(|byte| *byte == b'/')
                .next()
                .is_some_and(|given| given.eq_ignore_ascii_case(kind.as_bytes())),
            None => media_type.eq_ignore_ascii_case(entry.as_bytes()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_that_says_nothing_is_written_as_nothing() {
        assert_eq!(serde_json::to_string(&Contract::default()).unwrap(), "{}");
        for format in PayloadFormat::ALL {
            let contract = Contract { payload_format: format, ..Contract::default() };
            let text = serde_json::to_string(&contract).unwrap();
            assert_eq!(serde_json::from_str::<Contract>(&text).unwrap(), contract);
            assert_eq!(text.contains(format.as_str()), !format.is_v2());
        }
    }

    #[test]
    fn binary_media_types_are_exact_or_whole_families() {
        let of = |types: &[&str]| Contract {
            binary_media_types: types.iter().map(|t| t.to_string()).collect(),
            ..Contract::default()
        };
        assert!(of(&["image/png"]).is_binary(b"IMAGE/png") && !of(&["image/png"]).is_binary(b"image/jpeg"));
        assert!(of(&["image/*"]).is_binary(b"image/jpeg") && !of(&["image/*"]).is_binary(b"imagex/jpeg"));
        assert!(of(&["*/*"]).is_binary(b"text/plain") && !of(&[]).is_binary(b"image/png"));
    }
}
