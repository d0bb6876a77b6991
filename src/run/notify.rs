//! Telling the service manager how things stand: the protocol of `sd_notify(3)`.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::serve::system::monotonic_us;

/// What a service manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// Queries are answered; or again so after a reload.
    Ready,
    /// A reload has begun.
    Reloading,
    /// The end of service has begun.
    Stopping,
}

/// Tells the service manager, if there is one.
pub(super) fn notify(notice: Notice) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let text = match notice {
        Notice::Ready => "READY=1".to_owned(),
        // Type=notify-reload wants to know when.
        Notice::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_us()),
        Notice::Stopping => "STOPPING=1".to_owned(),
    };
    if let Err(error) = send(socket.as_encoded_bytes(), &text) {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}

fn send(socket: &[u8], text: &str) -> io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => {
            SocketAddr::from_pathname(std::path::Path::new(std::str::from_utf8(socket).map_err(io::Error::other)?))?
        }
    };
    UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_reach_sockets_of_both_kinds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        send(path.to_str().unwrap().as_bytes(), "READY=1").unwrap();
        let mut buffer = [0; 64];
        let len = manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"READY=1");

        let name = format!("meridian-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(format!("@{name}").as_bytes(), "STOPPING=1").unwrap();
        let len = manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"STOPPING=1");
        assert!(send(b"/nowhere/at/all", "READY=1").is_err());
    }
}
