//! How a command ends when it does not end well.

/// Why a command stopped. `main` turns it into a message on standard error and an exit code.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// Something the user can read and act on; shown after `error: `.
    Said(String),
    /// A report that is complete in itself, such as a refused deployment with its excerpt.
    Report(String),
    /// Whoever read our output has left (`isle logs blog | head`): nothing to say, and no error.
    OutputClosed,
}

/// What every command returns.
pub type Done<T = ()> = Result<T, Failure>;

impl Failure {
    /// A message for the user.
    pub fn said(message: impl Into<String>) -> Failure {
        Failure::Said(message.into())
    }

    /// A file or folder that could not be used, and why.
    pub fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Failure {
        Failure::Said(format!("cannot {what} {}: {}", path.display(), plain(error)))
    }
}

/// An I/O error in words, without the `(os error 2)` that helps nobody.
pub fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::AddrInUse => "the address is in use".to_owned(),
        _ => error.to_string(),
    }
}
