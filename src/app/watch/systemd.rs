//! What a service manager is told (sd_notify(3)): that watching has begun, that it goes on, that it ends.

#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::time::Timestamp;

/// The way to the service manager; nothing is told where there is none.
pub struct Manager {
    #[cfg(unix)]
    socket: Option<UnixDatagram>,
    /// How often it wants to hear.
    watchdog: Option<Duration>,
    next: Timestamp,
}

impl Manager {
    /// The one that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`). To be called before sockets are forbidden.
    pub fn find() -> Self {
        let micros = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse::<u64>().ok());
        Self {
            #[cfg(unix)]
            socket: std::env::var_os("NOTIFY_SOCKET").and_then(|path| connect(&path)),
            // Half of what it waits, as sd_watchdog_enabled(3) recommends.
            watchdog: micros.map(|micros| Duration::from_micros(micros / 2)),
            next: Timestamp::from_nanos(i64::MIN),
        }
    }

    /// Watching goes on.
    pub fn alive(&mut self, now: Timestamp) {
        if let Some(every) = self.watchdog
            && now >= self.next
        {
            self.next = now + every;
            self.tell("WATCHDOG=1");
        }
    }

    /// Tells one thing: `READY=1`, `STOPPING=1`, `STATUS=...`.
    pub fn tell(&self, what: &str) {
        #[cfg(unix)]
        if let Some(socket) = &self.socket {
            // A manager that does not listen has its own ways to find out.
            let _ = socket.send(what.as_bytes());
        }
        #[cfg(not(unix))]
        let _ = what;
    }
}

#[cfg(unix)]
fn connect(path: &std::ffi::OsStr) -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = path.to_str().and_then(|path| path.strip_prefix('@')) {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name).ok()?;
        socket.connect_addr(&address).ok()?;
        return Some(socket);
    }
    socket.connect(path).ok()?;
    // A manager that is slow must not hold up the judge.
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}
