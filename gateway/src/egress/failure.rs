//! Every way in which an outbound request ends without a response: a word for metrics and logs, and
//! a sentence for the function's author. Nothing of the node's inside is in either.

use std::fmt;

/// Function-to-function requests that may be inside one another.
pub const HOPS_MAX: u8 = 8;

/// Why a request was not sent: some rule, by which an operator can count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The node lets no function fetch.
    Disabled,
    /// The URL is none that can be fetched: what is wrong with it.
    Url(&'static str),
    /// A header field or the method is none: which, and what is wrong with it.
    Malformed(&'static str),
    /// Not on the app's list.
    NotAllowed(String),
    /// The port is not open to functions.
    Port(u16),
    /// The address is not on the public internet: of which kind it is.
    Address(&'static str),
    /// The node itself, by another way than a function's URL.
    OwnListener,
    /// Functions that call each other too deeply.
    Loop,
    /// The cell has more under way than it may.
    TooMany,
}

impl Refused {
    /// Every reason that has a word of its own besides the kinds of addresses.
    pub fn reason(&self) -> &'static str {
        match self {
            Refused::Disabled => "disabled",
            Refused::Url(_) => "url",
            Refused::Malformed(_) => "malformed",
            Refused::NotAllowed(_) => "not_allowed",
            Refused::Port(_) => "port",
            Refused::Address(kind) => kind,
            Refused::OwnListener => "own_listener",
            Refused::Loop => "loop",
            Refused::TooMany => "too_many",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Disabled => f.write_str("outbound requests are turned off on this node"),
            Refused::Url(why) => write!(f, "the URL {why}"),
            Refused::Malformed(what) => f.write_str(what),
            Refused::NotAllowed(host) => write!(f, "{host} is not in the app's list `[egress] allow`"),
            Refused::Port(port) => {
                write!(
                    f,
                    "port {port} is not open to functions: 80, 443 and those from 1024 on are, except known services"
                )
            }
            Refused::Address(kind) => {
                write!(f, "the host's address is not on the public internet ({})", kind.replace('_', " "))
            }
            Refused::OwnListener => f.write_str("the host is this node itself; call a function by its own URL"),
            Refused::Loop => write!(f, "functions call each other more than {HOPS_MAX} deep: this looks like a loop"),
            Refused::TooMany => f.write_str("too many requests are under way"),
        }
    }
}

/// Why there is no response, or no more of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A rule is against it.
    Refused(Refused),
    /// The host's name has no address.
    Unresolved,
    /// Nobody could be reached: in a few words.
    Unreachable(&'static str),
    /// No secure connection: in a few words.
    Tls(String),
    /// It took too long: what did, and the limit in ms.
    Late(&'static str, u32),
    /// The response is over the limit, in bytes.
    TooLarge(u32),
    /// The other side broke off or does not speak HTTP: in a few words.
    Broken(&'static str),
    /// The function gave the request up.
    Aborted,
}

impl Failure {
    /// The metric label and log word.
    pub fn outcome(&self) -> &'static str {
        match self {
            Failure::Refused(_) => "refused",
            Failure::Unresolved => "unresolved",
            Failure::Unreachable(_) => "unreachable",
            Failure::Tls(_) => "tls",
            Failure::Late(..) => "timeout",
            Failure::TooLarge(_) => "too_large",
            Failure::Broken(_) => "broken",
            Failure::Aborted => "aborted",
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Failure {
        Failure::Refused(refused)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(refused) => write!(f, "refused: {refused}"),
            Failure::Unresolved => f.write_str("the host's name cannot be resolved"),
            Failure::Unreachable(how) => write!(f, "the host cannot be reached: {how}"),
            Failure::Tls(how) => write!(f, "no secure connection: {how}"),
            Failure::Late(what, ms) => write!(f, "{what} took longer than {ms} ms (limit fetch_ms)"),
            Failure::TooLarge(bytes) => {
                write!(f, "the response body is over {bytes} bytes (limit fetch_response_bytes_max)")
            }
            Failure::Broken(how) => f.write_str(how),
            Failure::Aborted => f.write_str("the request was aborted"),
        }
    }
}

impl std::error::Error for Failure {}
