//! Reading a socket that descriptors come through.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// Room for descriptors in one read. The gateway sends one with a frame's first byte, and the
/// kernel ends a read there.
const DESCRIPTORS: usize = 4;

/// Reads bytes, and keeps the descriptors that come with them until somebody takes them.
pub struct Receiver {
    files: VecDeque<File>,
    control: Vec<u8>,
}

impl Default for Receiver {
    fn default() -> Receiver {
        Receiver { files: VecDeque::new(), control: cmsg_space!([RawFd; DESCRIPTORS]) }
    }
}

impl Receiver {
    /// Reads once; 0 at the end.
    ///
    /// # Errors
    /// What the kernel says, or more descriptors than there is room for.
    pub fn read(&mut self, socket: &UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut pieces = [IoSliceMut::new(buffer)];
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            let message = match recvmsg::<()>(socket.as_raw_fd(), &mut pieces, Some(&mut self.control), flags) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            for control in message.cmsgs()? {
                if let ControlMessageOwned::ScmRights(descriptors) = control {
                    // SAFETY: the kernel has just made these descriptors for this process, and
                    // nobody else knows of them.
                    let owned = descriptors.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
                    self.files.extend(owned.map(File::from));
                }
            }
            return Ok(message.bytes);
        }
    }

    /// The oldest descriptor that nobody has taken.
    pub fn take_file(&mut self) -> Option<File> {
        self.files.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{ControlMessage, sendmsg};
    use std::io::{IoSlice, Read, Seek, Write};

    #[test]
    fn a_descriptor_comes_with_its_byte_and_not_before() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"artifact").unwrap();
        ours.write_all(b"abc").unwrap();
        let rights = [file.as_raw_fd()];
        let sent = sendmsg::<()>(
            ours.as_raw_fd(),
            &[IoSlice::new(b"def")],
            &[ControlMessage::ScmRights(&rights)],
            MsgFlags::empty(),
            None,
        );
        assert_eq!(sent, Ok(3));
        drop(ours);
        let (mut receiver, mut all) = (Receiver::default(), Vec::new());
        loop {
            let mut buffer = [0; 64];
            let count = receiver.read(&theirs, &mut buffer).unwrap();
            if count == 0 {
                break;
            }
            all.extend_from_slice(&buffer[..count]);
            assert_eq!(receiver.files.len(), usize::from(all.len() > 3));
        }
        assert_eq!(all, b"abcdef");
        let mut taken = receiver.take_file().unwrap();
        let mut text = String::new();
        taken.rewind().unwrap();
        taken.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), receiver.take_file().is_none()), ("artifact", true));
    }
}
