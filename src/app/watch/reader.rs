//! Whether anybody is left at the other end of an output. A pipe whose reader has gone is told by the next write alone, and on a quiet network that may be hours away.

use std::time::Duration;

/// Whether what is written there reaches nobody any more: a pipe or socket that its reader has closed, a terminal that was hung up. Files always have a reader.
#[cfg(unix)]
pub fn is_gone(output: &impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    // Asked for nothing, the system still tells of what ends an output.
    let mut fds = [PollFd::new(output, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&at_once)).is_ok() && fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// Elsewhere the next write tells.
#[cfg(not(unix))]
pub fn is_gone<T>(_: &T) -> bool {
    false
}

/// How often it is looked: who ends a reader waits no longer for the watch to end.
pub const LOOK: Duration = Duration::from_secs(1);

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_has_a_reader_until_that_closes_it_and_a_file_always() {
        let (reader, writer) = std::io::pipe().unwrap();
        assert!(!is_gone(&writer));
        drop(reader);
        assert!(is_gone(&writer));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_gone(file.as_file()));
    }
}
