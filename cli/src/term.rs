//! The terminal: lines out, colour only where somebody looks, nothing that steers the terminal.

use crate::failure::{Done, Failure, plain};
use std::borrow::Cow;
use std::io::{BufRead, IsTerminal, Write};

/// Colours, or their absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Never any colour.
    #[cfg(test)]
    pub const OFF: Paint = Paint { on: false };

    /// Colour when standard output is a terminal that wants it (`NO_COLOR`, `TERM=dumb`).
    pub fn stdout() -> Paint {
        Paint { on: std::io::stdout().is_terminal() && wanted() }
    }

    /// The same for standard error.
    pub fn stderr() -> Paint {
        Paint { on: std::io::stderr().is_terminal() && wanted() }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Of less importance.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// Of more importance.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Went wrong.
    pub fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// Went well.
    pub fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// To be looked at.
    pub fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// A name.
    pub fn cyan(self, text: &str) -> String {
        self.wrap("36", text)
    }
}

fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|value| value != "dumb")
}

/// Text from elsewhere (a function's console, a node's message) made harmless: control characters
/// other than tab are shown, not obeyed. `keep_newlines` is for texts of several lines.
pub fn harmless(text: &str, keep_newlines: bool) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && c != '\t' && !(keep_newlines && c == '\n');
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if obeyed(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Writes text and a line end to standard output.
///
/// # Errors
/// [`Failure::OutputClosed`] when the reader has left, a message for anything else.
pub fn line(text: &str) -> Done {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::OutputClosed),
        Err(error) => Err(Failure::said(format!("cannot write to standard output: {}", plain(&error)))),
    }
}

/// Writes a remark to standard error. A remark that cannot be written is not worth an error.
pub fn remark(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Asks before something that cannot be undone. `yes` is the user's `--yes`.
///
/// # Errors
/// When there is nobody to ask, or the answer is not yes.
pub fn confirm(question: &str, yes: bool) -> Done {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::said(format!("{question} Not a terminal, so nobody can be asked: pass --yes")));
    }
    drop(write!(std::io::stderr().lock(), "{question} [y/N] "));
    let mut answer = String::new();
    match stdin.lock().read_line(&mut answer) {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::said("nothing was changed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_is_no_escape_code() {
        assert_eq!(Paint::OFF.red("x"), "x");
        assert_eq!(Paint { on: true }.red("x"), "\x1b[31mx\x1b[0m");
    }

    #[test]
    fn escape_codes_of_strangers_are_shown_not_obeyed() {
        assert_eq!(harmless("plain ünïcode\t.", false), "plain ünïcode\t.");
        assert_eq!(harmless("\x1b[2Jgone\r", false), "\\u{1b}[2Jgone\\r");
        assert_eq!(harmless("a\nb", false), "a\\nb");
        assert_eq!(harmless("a\nb\u{9b}31m", true), "a\nb\\u{9b}31m");
    }
}
