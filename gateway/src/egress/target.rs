//! Where a request goes, read from its URL by us, whatever a cell made of it, and judged by the
//! rules that need no address. Pure.

use super::failure::Refused;
use super::host::{HostPattern, normal};
use http::Uri;
use http::uri::Scheme;
use std::net::{IpAddr, SocketAddr};

/// Ports from 1024 on that well-known services listen on which do not speak HTTP: the Fetch
/// Standard's "bad ports". Those below 1024 are refused anyway.
const BAD_PORTS: [u16; 18] =
    [1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 10080];
/// The longest URL, in bytes; hyper takes no longer one.
const URL_BYTES_MAX: usize = 65_534;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The whole URL, without fragment and credentials.
    pub uri: Uri,
    /// In lower case, without brackets or a trailing dot.
    pub host: String,
    /// The URL's, or its scheme's.
    pub port: u16,
    /// Whether it is `https`.
    pub tls: bool,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`Refused::Url`].
    pub fn parse(url: &[u8]) -> Result<Target, Refused> {
        if url.len() > URL_BYTES_MAX {
            return Err(Refused::Url("is too long"));
        }
        let uri = Uri::try_from(url).map_err(|_| Refused::Url("is malformed"))?;
        Target::of(uri)
    }

    /// Reads a URL that is one already.
    ///
    /// # Errors
    /// [`Refused::Url`].
    pub fn of(uri: Uri) -> Result<Target, Refused> {
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(Refused::Url("is neither http nor https")),
        };
        let authority = uri.authority().ok_or(Refused::Url("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(Refused::Url("contains credentials"));
        }
        let host = normal(authority.host());
        if host.is_empty() {
            return Err(Refused::Url("names no host"));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("" | ":") if tls => 443,
            Some("" | ":") => 80,
            Some(given) => {
                let digits = given.strip_prefix(':').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
                let port = digits.and_then(|digits| digits.parse().ok()).filter(|port| *port > 0);
                port.ok_or(Refused::Url("has no usable port"))?
            }
            None => return Err(Refused::Url("is malformed")),
        };
        Ok(Target { host, port, tls, uri })
    }

    /// The address, when the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// What the node and the app say about targets.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Whether functions may fetch at all.
    pub enabled: bool,
    /// Hosts that the operator opened.
    pub open: Vec<HostPattern>,
    /// `.localhost`: what follows an app's label in its host name.
    pub suffix: String,
    /// The public listener.
    pub public: Option<SocketAddr>,
    /// Every listener of the node.
    pub own: Vec<SocketAddr>,
}

/// What the rules say about a target, as long as its address is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A function of this node, called within it.
    Inside,
    /// Out, to addresses that are public.
    Public,
    /// Out, to whatever address: the operator opened the host.
    Open,
}

impl Rules {
    /// Judges a target by its name and port.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn judge(&self, target: &Target, allow: Option<&[HostPattern]>) -> Result<Way, Refused> {
        if !self.enabled {
            return Err(Refused::Disabled);
        }
        if let Some(allow) = allow
            && !allow.iter().any(|rule| rule.matches(&target.host, target.port))
        {
            return Err(Refused::NotAllowed(format!("{}:{}", target.host, target.port)));
        }
        if self.is_inside(target) {
            return Ok(Way::Inside);
        }
        self.outside(target)
    }

    /// [`Rules::judge`] for a connection that is to be opened.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn outside(&self, target: &Target) -> Result<Way, Refused> {
        if let Some(address) = target.address()
            && self.is_own(SocketAddr::new(address, target.port))
        {
            return Err(Refused::OwnListener);
        }
        if self.open.iter().any(|rule| rule.matches(&target.host, target.port)) {
            return Ok(Way::Open);
        }
        let fits = matches!(target.port, 80 | 443) || target.port >= 1_024 && !BAD_PORTS.contains(&target.port);
        if fits { Ok(Way::Public) } else { Err(Refused::Port(target.port)) }
    }

    /// Whether strangers would reach a function of this node by this URL: an app's name at the
    /// listener's port, or at the scheme's, where something in front of the node listens.
    fn is_inside(&self, target: &Target) -> bool {
        let Some(public) = self.public else { return false };
        let own_port = target.port == public.port();
        let is_app = !self.suffix.is_empty()
            && target.host.strip_suffix(self.suffix.as_str()).is_some_and(|app| !app.is_empty() && !app.contains('.'));
        if is_app {
            return own_port || target.port == if target.tls { 443 } else { 80 };
        }
        let here = match target.address() {
            Some(address) => address == public.ip() || address.is_loopback() && covers(public.ip(), address),
            None => target.host == "localhost" && (public.ip().is_loopback() || public.ip().is_unspecified()),
        };
        own_port && here
    }

    /// Whether one of the node's listeners is reached at this address.
    pub fn is_own(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.own.iter().any(|own| own.port() == address.port() && covers(own.ip().to_canonical(), ip))
    }

    /// Whether a connection that was made from `local` to `peer` must not be used, since it leads back
    /// to this machine: there nothing is public, and what the operator opened is not our listeners.
    pub fn leads_home(&self, local: IpAddr, peer: SocketAddr, way: Way) -> bool {
        let ip = peer.ip().to_canonical();
        // Who reaches an address from that same address is the machine it belongs to.
        if local.to_canonical() != ip {
            return false;
        }
        let listens = |own: &SocketAddr| {
            own.port() == peer.port() && (own.ip().is_unspecified() || own.ip().to_canonical() == ip)
        };
        way != Way::Open || self.own.iter().any(listens)
    }
}

/// Whether who listens at `own` may be reached at `ip`: the same, or `own` is every local address
/// and `ip` is one for certain. Other local addresses show when a connection is made.
fn covers(own: IpAddr, ip: IpAddr) -> bool {
    own == ip
        || own.is_unspecified() && (ip.is_loopback() || ip.is_unspecified())
        || own.is_loopback() && ip.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(url.as_bytes()).unwrap_or_else(|refused| panic!("{url}: {refused}"))
    }

    fn rules() -> Rules {
        Rules {
            enabled: true,
            open: ["127.0.0.1:8080", "internal.test:22", "[::1]"].map(|text| HostPattern::parse(text).unwrap()).into(),
            suffix: ".node.test".into(),
            public: Some("0.0.0.0:3000".parse().unwrap()),
            own: vec!["0.0.0.0:3000".parse().unwrap(), "127.0.0.1:3001".parse().unwrap()],
        }
    }

    #[test]
    fn a_url_is_read_by_us() {
        let read = |url| {
            let target = target(url);
            (target.host.clone(), target.port, target.tls)
        };
        assert_eq!(read("http://A.test/x?y"), ("a.test".into(), 80, false));
        assert_eq!(read("https://a.test./"), ("a.test".into(), 443, true));
        assert_eq!(read("https://[2001:DB8::1]:8443/"), ("2001:db8::1".into(), 8443, true));
        for bad in [
            "/x",
            "a.test",
            "ftp://a.test/",
            "http://",
            "http://me@a.test/",
            "http://a b/",
            "http://a.test:0/",
            "http://a.test:99999/",
        ] {
            assert!(matches!(Target::parse(bad.as_bytes()), Err(Refused::Url(_))), "{bad}");
        }
        assert!(Target::parse(format!("http://a.test/{}", "x".repeat(70_000)).as_bytes()).is_err());
    }

    #[test]
    fn ports_of_other_services_are_refused_unless_opened() {
        let way = |url: &str| rules().judge(&target(url), None);
        for url in ["http://a.test/", "https://a.test/", "http://a.test:1024/", "https://a.test:8443/"] {
            assert_eq!(way(url), Ok(Way::Public), "{url}");
        }
        for port in [1, 22, 25, 53, 79, 81, 442, 444, 587, 993, 1_023, 2_049, 6_000, 6_667, 10_080] {
            assert_eq!(way(&format!("http://a.test:{port}/")), Err(Refused::Port(port)));
        }
        assert_eq!(way("http://internal.test:22/"), Ok(Way::Open));
        assert_eq!(way("http://internal.test:23/"), Err(Refused::Port(23)));
        assert_eq!(way("http://127.0.0.1:8080/"), Ok(Way::Open));
        assert_eq!(way("http://[::1]:7777/"), Ok(Way::Open));
    }

    #[test]
    fn functions_of_this_node_are_inside() {
        let way = |url: &str| rules().judge(&target(url), None);
        for url in [
            "http://blog.node.test:3000/x",
            "http://blog.node.test/",
            "https://BLOG.node.test./",
            "http://localhost:3000/",
            "http://127.0.0.1:3000/",
        ] {
            assert_eq!(way(url), Ok(Way::Inside), "{url}");
        }
        assert_eq!(way("http://blog.node.test:3002/"), Ok(Way::Public), "another server on the same name");
        assert_eq!(way("http://a.b.node.test/"), Ok(Way::Public));
        assert_eq!(way("http://node.test/"), Ok(Way::Public));
    }

    #[test]
    fn listeners_of_this_node_stay_closed_even_when_opened() {
        let mut rules = rules();
        rules.open.push(HostPattern::parse("127.0.0.1").unwrap());
        assert_eq!(rules.judge(&target("http://127.0.0.1:3001/v1/apps"), None), Err(Refused::OwnListener));
        assert_eq!(rules.judge(&target("http://0.0.0.0:3001/"), None), Err(Refused::OwnListener));
        assert_eq!(rules.judge(&target("http://[::ffff:127.0.0.1]:3001/"), None), Err(Refused::OwnListener));
        assert!(rules.is_own("127.0.0.9:3000".parse().unwrap()), "0.0.0.0 is every address of this machine");
        assert!(!rules.is_own("127.0.0.1:3002".parse().unwrap()));
    }

    #[test]
    fn a_connection_that_leads_to_a_listener_of_this_node_shows_when_it_is_made() {
        let mut rules = rules();
        rules.own.push("192.168.1.5:3005".parse().unwrap());
        let home = |local: &str, peer: &str, way| rules.leads_home(local.parse().unwrap(), peer.parse().unwrap(), way);
        for (local, peer) in [
            ("192.168.1.7", "192.168.1.7:3000"),
            ("192.168.1.5", "192.168.1.5:3005"),
            ("fd00::7", "[fd00::7]:3000"),
            ("192.168.1.7", "[::ffff:192.168.1.7]:3000"),
        ] {
            assert!(home(local, peer, Way::Open) && home(local, peer, Way::Public), "{peer}");
        }
        for peer in ["192.168.1.7:8080", "192.168.1.7:3001", "192.168.1.7:3005"] {
            assert!(!home("192.168.1.7", peer, Way::Open), "{peer}: another's on this machine, which was opened");
            assert!(home("192.168.1.7", peer, Way::Public), "{peer}");
        }
        assert!(!home("192.168.1.7", "192.168.1.8:3000", Way::Open), "another machine");
        assert!(!home("192.168.1.7", "93.184.216.34:3000", Way::Public));
    }

    #[test]
    fn an_apps_list_is_all_that_it_may_reach() {
        let allow = ["api.test", "*.cdn.test:443"].map(|text| HostPattern::parse(text).unwrap());
        let way = |url: &str| rules().judge(&target(url), Some(&allow));
        assert_eq!(way("http://api.test/"), Ok(Way::Public));
        assert_eq!(way("https://a.cdn.test/"), Ok(Way::Public));
        assert_eq!(way("http://a.cdn.test/"), Err(Refused::NotAllowed("a.cdn.test:80".into())));
        assert_eq!(way("http://blog.node.test/"), Err(Refused::NotAllowed("blog.node.test:80".into())));
        assert_eq!(
            rules().judge(&target("http://api.test/"), Some(&[])),
            Err(Refused::NotAllowed("api.test:80".into()))
        );
        let off = Rules { enabled: false, ..rules() };
        assert_eq!(off.judge(&target("http://api.test/"), None), Err(Refused::Disabled));
    }
}
