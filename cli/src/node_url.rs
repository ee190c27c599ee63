//! Where a node's admin API is: `http://127.0.0.1:3001`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A checked node URL. A path before `/v1` is allowed, for nodes behind a reverse proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeUrl {
    /// Whether to speak TLS.
    pub tls: bool,
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path before `/v1`, without a slash at the end: mostly empty.
    pub prefix: String,
}

impl NodeUrl {
    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether what is sent there stays on this machine.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.prefix)
    }
}

impl FromStr for NodeUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<NodeUrl, String> {
        let (tls, rest) = if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else {
            return Err("expected http://HOST:PORT or https://HOST:PORT".to_owned());
        };
        if let Some(odd) = rest.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#' | '@' | '\\')) {
            return Err(format!("a node URL has no {odd:?}"));
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
            let (host, port) = bracketed.split_once(']').ok_or("the `[` of an IPv6 address is never closed")?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| format!("[{host}] is no IPv6 address"))?;
            (host, port)
        } else {
            authority.split_at(authority.find(':').unwrap_or(authority.len()))
        };
        if host.is_empty() {
            return Err("the host is missing".to_owned());
        }
        let port = match port.strip_prefix(':') {
            Some(digits) => match digits.parse::<u16>() {
                Ok(number) if number > 0 => number,
                _ => return Err(format!("{digits:?} is no port, expected 1 to 65535")),
            },
            None if port.is_empty() => {
                if tls {
                    443
                } else {
                    80
                }
            }
            None => return Err(format!("unexpected {port:?} after the address")),
        };
        let prefix = path.trim_end_matches('/').to_owned();
        Ok(NodeUrl { tls, host: host.to_ascii_lowercase(), port, prefix })
    }
}

/// Escapes one path segment or query value. Names are checked by the node, not here; this only
/// keeps them in their place in the URL.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    // A segment that is only dots would be resolved away by proxies.
    if escaped.bytes().all(|b| b == b'.') { escaped.replace('.', "%2E") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_put_together() {
        let url: NodeUrl = "http://127.0.0.1:3001".parse().unwrap();
        assert_eq!((url.tls, url.host.as_str(), url.port, url.prefix.as_str()), (false, "127.0.0.1", 3001, ""));
        assert!(url.is_loopback());
        assert_eq!(url.to_string(), "http://127.0.0.1:3001");

        let url: NodeUrl = "https://Edge.example/isle/".parse().unwrap();
        assert_eq!(url.to_string(), "https://edge.example:443/isle");
        assert!(!url.is_loopback());

        let url: NodeUrl = "http://[::1]:80/".parse().unwrap();
        assert_eq!((url.host.as_str(), url.authority().as_str()), ("::1", "[::1]:80"));
        assert!(url.is_loopback());
        assert_eq!("http://localhost".parse::<NodeUrl>().unwrap().port, 80);
    }

    #[test]
    fn what_is_no_node_url_is_refused_with_the_reason() {
        let reason = |text: &str| text.parse::<NodeUrl>().unwrap_err();
        assert_eq!(reason("localhost:3001"), "expected http://HOST:PORT or https://HOST:PORT");
        assert_eq!(reason("http://"), "the host is missing");
        assert_eq!(reason("http://:3001"), "the host is missing");
        assert_eq!(reason("http://a:70000"), "\"70000\" is no port, expected 1 to 65535");
        assert_eq!(reason("http://a:0"), "\"0\" is no port, expected 1 to 65535");
        assert_eq!(reason("http://user:secret@host"), "a node URL has no '@'");
        assert_eq!(reason("http://a/?x"), "a node URL has no '?'");
        assert_eq!(reason("http://a b"), "a node URL has no ' '");
        assert_eq!(reason("http://[::1"), "the `[` of an IPv6 address is never closed");
        assert_eq!(reason("http://[x]:1"), "[x] is no IPv6 address");
        assert_eq!(reason("http://[::1]x"), "unexpected \"x\" after the address");
    }

    #[test]
    fn names_stay_in_their_place() {
        assert_eq!(escape("blog-1"), "blog-1");
        assert_eq!(escape("a/b?c=ü"), "a%2Fb%3Fc%3D%C3%BC");
        assert_eq!(escape(".."), "%2E%2E");
    }
}
