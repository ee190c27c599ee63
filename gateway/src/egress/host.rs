//! Names of hosts in rules: `api.example.com`, `*.example.com:443`, `127.0.0.1:8080`, `[::1]`.
//!
//! One grammar for an app's `[egress] allow` and for the operator's `[egress] open`. A wildcard
//! stands for one or more labels before the rest and never for the rest itself. Without a port the
//! rule holds for every port.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A host and perhaps a port that a rule speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    /// In lower case, without the wildcard, brackets or a trailing dot.
    name: String,
    wildcard: bool,
    port: Option<u16>,
}

/// What a rule must look like, for messages.
pub const EXPECTED: &str = "expected a host such as \"api.example.com\", \"*.example.com:443\" or \"127.0.0.1:8080\"";

impl HostPattern {
    /// Reads a rule.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<HostPattern, &'static str> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or("lacks a `]`")?;
                host.parse::<Ipv6Addr>().map_err(|_| "is no IPv6 address in its brackets")?;
                match after.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if after.is_empty() => (host, None),
                    None => return Err("goes on after its `]` with something that is no port"),
                }
            }
            None => match text.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => return Err("is an IPv6 address without brackets"),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse::<u16>().ok().filter(|port| *port > 0).ok_or("has a port that is not 1 to 65535")?)
            }
            Some(_) => return Err("has a port that is no number, or is a URL"),
            None => None,
        };
        let (wildcard, name) = match host.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, host),
        };
        let name = normal(name);
        let is_address = name.parse::<Ipv4Addr>().is_ok() || name.parse::<Ipv6Addr>().is_ok();
        if !is_address && !name.split('.').all(is_label) || name.len() > 253 {
            return Err("is no host name");
        }
        if wildcard && is_address {
            return Err("is an address with a wildcard");
        }
        Ok(HostPattern { name, wildcard, port })
    }

    /// Whether the rule holds for `host` (as [`normal`] has it) and `port`.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        let fits = if self.wildcard {
            host.strip_suffix(self.name.as_str()).is_some_and(|before| before.len() > 1 && before.ends_with('.'))
        } else {
            host == self.name
        };
        fits && self.port.is_none_or(|own| own == port)
    }
}

/// The form in which hosts are compared: lower case, no trailing dot, no brackets.
pub fn normal(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.parse::<Ipv6Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.to_ascii_lowercase(),
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, host: &str, port: u16) -> bool {
        HostPattern::parse(pattern).unwrap().matches(&normal(host), port)
    }

    #[test]
    fn a_rule_holds_for_its_host_and_nobody_else() {
        assert!(matches("api.example.com", "API.example.com.", 443));
        assert!(matches("Api.Example.com", "api.example.com", 80));
        assert!(!matches("api.example.com", "xapi.example.com", 443));
        assert!(!matches("api.example.com", "api.example.com.evil.test", 443));
        assert!(matches("api.example.com:443", "api.example.com", 443));
        assert!(!matches("api.example.com:443", "api.example.com", 80));
        assert!(matches("127.0.0.1:8080", "127.0.0.1", 8080));
        assert!(!matches("127.0.0.1:8080", "127.0.0.2", 8080));
        assert!(matches("[::1]:80", "[0:0:0:0:0:0:0:1]", 80));
        assert!(matches("[::1]", "[::1]", 9));
    }

    #[test]
    fn a_wildcard_stands_for_labels_before_the_rest() {
        assert!(matches("*.example.com", "a.example.com", 443));
        assert!(matches("*.example.com", "a.b.example.com", 443));
        assert!(!matches("*.example.com", "example.com", 443));
        assert!(!matches("*.example.com", ".example.com", 443));
        assert!(!matches("*.example.com", "aexample.com", 443));
        assert!(!matches("*.example.com:443", "a.example.com", 444));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for bad in [
            "",
            "*",
            "*.",
            "*.*.com",
            "a*.com",
            "https://a.test",
            "a.test/",
            "a.test:",
            "a.test:0",
            "a.test:65536",
            "a.test:80x",
            "::1",
            "[::1",
            "[::1]80",
            "[a.test]",
            "*.127.0.0.1",
            "a..test",
            "a b.test",
            "a.test:+80",
        ] {
            assert!(HostPattern::parse(bad).is_err(), "{bad:?}");
        }
    }
}
