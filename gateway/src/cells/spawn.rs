//! Spawn: a cell's process, with nothing of ours but three descriptors.
//!
//! A cell is this same binary, started again. It inherits an empty environment and
//!
//! | descriptor | what it is |
//! |---|---|
//! | 0 | its end of the socket for frames |
//! | 1 | the memory file of its board |
//! | 2 | a pipe that is read here line by line |
//!
//! Everything else is close-on-exec, as the standard library makes it. Starting is behind a trait,
//! so that tests of everything around cells bring their own.

use isle_wire::Board;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::ffi::OsString;
use std::fs::File;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, ChildStderr, Command};

/// What to run as a cell.
#[derive(Clone, Debug)]
pub struct CellCommand {
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl CellCommand {
    /// This very binary, as `isle __cell`.
    ///
    /// # Errors
    /// What the kernel says when it does not tell where the binary is.
    pub fn this_binary() -> io::Result<CellCommand> {
        Ok(CellCommand { program: std::env::current_exe()?, args: vec!["__cell".into()] })
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Nobody knows.
    Unknown,
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Unknown,
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(number) => match nix::sys::signal::Signal::try_from(*number) {
                Ok(signal) => write!(f, "{signal}"),
                Err(_) => write!(f, "signal {number}"),
            },
            Exit::Unknown => write!(f, "unknown"),
        }
    }
}

/// A cell's process. Dropping it kills it and leaves no zombie.
pub trait Process: Send + 'static {
    /// Its id; 0 when it has ended.
    fn id(&self) -> u32;
    /// Ends it, `kill -9`. Does not wait.
    fn kill(&mut self);
    /// Waits for its end. May be called again.
    fn wait(&mut self) -> Pin<Box<dyn Future<Output = Exit> + Send + '_>>;
}

impl Process for Child {
    fn id(&self) -> u32 {
        Child::id(self).unwrap_or_default()
    }

    fn kill(&mut self) {
        // The one error is that it has ended already.
        let _ = self.start_kill();
    }

    fn wait(&mut self) -> Pin<Box<dyn Future<Output = Exit> + Send + '_>> {
        Box::pin(async move { Child::wait(self).await.map_or(Exit::Unknown, Exit::from) })
    }
}

/// A process just started, and the gateway's ends of what it was given.
pub struct NewCell {
    /// The frames.
    pub socket: UnixStream,
    /// The board.
    pub board: Board,
    /// The process.
    pub process: Box<dyn Process>,
    /// What it says outside of frames, if anything.
    pub stderr: Option<ChildStderr>,
}

/// Starts cells.
pub trait CellSource: Send + Sync + 'static {
    /// Starts one. May take a millisecond or two; called inside a tokio runtime, on a thread that
    /// may block.
    ///
    /// # Errors
    /// What the kernel says.
    fn start(&self) -> io::Result<NewCell>;
}

impl CellSource for CellCommand {
    fn start(&self) -> io::Result<NewCell> {
        let (socket, theirs) = UnixStream::pair()?;
        let memory = File::from(memfd_create("isle-board", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?);
        let board = Board::new(memory.try_clone()?)?;
        // A cell may write marks, but neither make the file a store of memory nor take it away.
        let fixed = SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
        fcntl(&memory, FcntlArg::F_ADD_SEALS(fixed))?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(OwnedFd::from(memory)))
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let stderr = child.stderr.take();
        Ok(NewCell { socket, board, process: Box::new(child), stderr })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use tokio::io::AsyncReadExt;

    fn sh(script: &str) -> CellCommand {
        CellCommand { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()] }
    }

    /// Descriptors that this process was itself started with and that say nothing about exec: the
    /// test's parent left them open, and a cell closes such before anything else.
    fn left_open_by_our_parent() -> Vec<u32> {
        let flags = |entry: &std::fs::DirEntry| {
            let text = std::fs::read_to_string(entry.path()).ok()?;
            let octal = text.lines().find_map(|line| line.strip_prefix("flags:"))?.trim().to_owned();
            u32::from_str_radix(&octal, 8).ok()
        };
        let entries = std::fs::read_dir("/proc/self/fdinfo").unwrap().map(Result::unwrap);
        let kept = entries.filter(|entry| flags(entry).is_some_and(|flags| flags & 0o2_000_000 == 0));
        kept.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_cell_gets_three_descriptors_and_no_environment() {
        let theirs = left_open_by_our_parent();
        let script = "for fd in /proc/self/fd/*; do [ -e $fd ] && echo ${fd##*/}; done >&2; \
                      echo ${HOME-none} >&2; printf x >&0";
        let mut cell = sh(script).start().unwrap();
        assert_eq!(cell.process.wait().await, Exit::Code(0));
        let mut said = String::new();
        cell.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
        let lines: Vec<&str> = said.lines().collect();
        let (home, descriptors) = lines.split_last().unwrap();
        let open: Vec<u32> = descriptors.iter().map(|line| line.parse().unwrap()).collect();
        // The shell itself keeps what it redirects away at 10 and above.
        let ours: Vec<u32> = open.into_iter().filter(|fd| !theirs.contains(fd) && *fd < 10).collect();
        let three: Vec<u32> = (0..3).filter(|fd| !theirs.contains(fd)).collect();
        assert_eq!((ours, *home), (three, "none"));
        let mut byte = [0];
        cell.socket.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
    }

    #[tokio::test]
    async fn a_killed_cell_is_reaped_and_its_signal_named() {
        let mut cell = sh("while :; do :; done").start().unwrap();
        assert_ne!(cell.process.id(), 0);
        cell.process.kill();
        let exit = cell.process.wait().await;
        assert_eq!((exit, exit.to_string().as_str()), (Exit::Signal(9), "SIGKILL"));
        assert_eq!(cell.process.id(), 0);
    }
}
