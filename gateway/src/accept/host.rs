//! Which host a request is for: the one question that routing must not get wrong.

use http::Request;
use http::header::HOST;

/// The request does not say for which host it is, or says it twice and differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostUnclear(());

impl std::fmt::Display for HostUnclear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the request names no host, or more than one")
    }
}

impl std::error::Error for HostUnclear {}

/// The host that `request` is for, without port, as the client wrote it (any case; an IPv6 address
/// keeps its brackets). Empty for HTTP/1.0 without Host. An authority in the target (HTTP/2's
/// `:authority`, or an absolute URL) and a Host header must agree.
///
/// # Errors
/// No host, two hosts, hosts that differ, user information, a port that is none, or a host that is not
/// text: answer 400.
pub fn host_of<B>(request: &Request<B>) -> Result<&str, HostUnclear> {
    let mut headers = request.headers().get_all(HOST).iter();
    let header = match headers.next() {
        Some(value) => Some(value.to_str().map_err(|_| HostUnclear(()))?),
        None => None,
    };
    if headers.next().is_some() {
        return Err(HostUnclear(()));
    }
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = match (authority, header) {
        (Some(authority), Some(header)) if !authority.eq_ignore_ascii_case(header) => return Err(HostUnclear(())),
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) if request.version() == http::Version::HTTP_10 => "",
        (None, None) => return Err(HostUnclear(())),
    };
    if host.contains(['@', '/', ',', ' ']) {
        return Err(HostUnclear(()));
    }
    without_port(host).ok_or(HostUnclear(()))
}

/// The host, unless what follows it is no port: a URL with that is none, and handlers get one.
fn without_port(host: &str) -> Option<&str> {
    let Some(at) = host.rfind([':', ']']).filter(|at| host.as_bytes()[*at] == b':') else { return Some(host) };
    let port = &host[at + 1..];
    let digits = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    (port.is_empty() || digits && port.parse::<u16>().is_ok()).then_some(&host[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Version;

    fn host(uri: &str, headers: &[&str], version: Version) -> Result<String, HostUnclear> {
        let mut request = Request::builder().uri(uri).version(version);
        for header in headers {
            request = request.header(HOST, *header);
        }
        host_of(&request.body(()).unwrap()).map(str::to_owned)
    }

    #[test]
    fn one_host_from_wherever_it_is_said() {
        let (h1, h2) = (Version::HTTP_11, Version::HTTP_2);
        assert_eq!(host("/", &["Blog.localhost:3000"], h1).unwrap(), "Blog.localhost");
        assert_eq!(host("http://a.test:80/", &[], h2).unwrap(), "a.test");
        assert_eq!(host("http://a.test/", &["A.test"], h2).unwrap(), "a.test");
        assert_eq!(host("/", &["[::1]:3000"], h1).unwrap(), "[::1]");
        assert_eq!(host("/", &["[::1]"], h1).unwrap(), "[::1]");
        for port in ["", "0", "00080", "65535"] {
            assert_eq!(host("/", &[&format!("a.test:{port}")], h1).unwrap(), "a.test");
        }
        assert_eq!(host("/", &[], Version::HTTP_10).unwrap(), "");
    }

    #[test]
    fn no_host_two_hosts_and_odd_hosts_are_refused() {
        let (h1, h2) = (Version::HTTP_11, Version::HTTP_2);
        assert!(host("/", &[], h1).is_err());
        assert!(host("/", &["a", "a"], h1).is_err());
        assert!(host("http://a.test/", &["b.test"], h2).is_err());
        assert!(host("http://a.test:81/", &["a.test"], h2).is_err());
        assert!(host("http://u@a.test/", &[], h2).is_err());
        for port in ["65536", "99999", "000080", "abc", "8a", "+80", "-1"] {
            assert!(host("/", &[&format!("a.test:{port}")], h1).is_err(), "{port}");
            assert!(host("/", &[&format!("[::1]:{port}")], Version::HTTP_10).is_err(), "{port}");
        }
    }
}
