//! Binding: every address gets one UDP socket per UDP thread and one TCP listener per stream thread.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use crate::base::limits::{STREAM_BACKLOG, UDP_RECEIVE_BUFFER};
use crate::serve::system;

/// The sockets of one address.
#[derive(Debug)]
pub struct Listener {
    /// The address, with its real port.
    pub address: SocketAddr,
    /// One for each UDP thread.
    pub udp: Vec<Arc<UdpSocket>>,
    /// One for each stream thread; non-blocking.
    pub tcp: Vec<TcpListener>,
    /// The receive buffer that UDP sockets got, in bytes, if it is smaller than wanted.
    pub short_buffer: Option<usize>,
}

/// Why an address could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({protocol}){}", hint(.error))]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// `UDP` or `TCP`.
    pub protocol: &'static str,
    /// What the system said.
    #[source]
    pub error: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    let kind = error.kind();
    if kind == io::ErrorKind::AddrInUse {
        ": another program listens there; `ss -lnptu` shows which"
    } else if kind == io::ErrorKind::PermissionDenied {
        ": ports below 1024 need the capability CAP_NET_BIND_SERVICE (or net.ipv4.ip_unprivileged_port_start)"
    } else if kind == io::ErrorKind::AddrNotAvailable {
        ": no interface of this machine has that address"
    } else {
        ""
    }
}

/// Attempts to find one free port for both UDP and TCP.
const PORT_ATTEMPTS: usize = 20;

/// Binds `address` for UDP and TCP. Port 0 lets the system choose one port for both.
///
/// # Errors
/// [`BindError`] if either can't be bound.
pub fn bind(address: SocketAddr, udp_threads: usize, tcp_threads: usize) -> Result<Listener, BindError> {
    let attempts = if address.port() == 0 { PORT_ATTEMPTS } else { 1 };
    let mut result = bind_both(address, udp_threads, tcp_threads);
    for _ in 1..attempts {
        match &result {
            Err(error) if error.error.kind() == io::ErrorKind::AddrInUse => {
                result = bind_both(address, udp_threads, tcp_threads);
            }
            _ => break,
        }
    }
    result
}

fn bind_both(address: SocketAddr, udp_threads: usize, tcp_threads: usize) -> Result<Listener, BindError> {
    let failed = |protocol| move |error| BindError { address, protocol, error };
    let mut listener = Listener { address, udp: Vec::new(), tcp: Vec::new(), short_buffer: None };
    if address.port() != 0 {
        // Sockets that share a port would also share it with another server of this user, and each would get half of
        // the queries: a first one, which shares with nobody, finds that out.
        udp_socket(address, false).map_err(failed("UDP"))?;
        tcp_socket(address, false).map_err(failed("TCP"))?;
    }
    for _ in 0..udp_threads.max(1) {
        let socket = udp_socket(listener.address, true).map_err(failed("UDP"))?;
        listener.short_buffer = widen(&socket).map_err(failed("UDP"))?;
        let socket = UdpSocket::from(socket);
        listener.address = socket.local_addr().map_err(failed("UDP"))?;
        listener.udp.push(Arc::new(socket));
    }
    for _ in 0..tcp_threads.max(1) {
        let socket = tcp_socket(listener.address, true).map_err(failed("TCP"))?;
        listener.tcp.push(socket.into());
    }
    Ok(listener)
}

fn udp_socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(shared)?;
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => system::receive_packet_info_v4(socket.as_fd())?,
            SocketAddr::V6(_) => system::receive_packet_info_v6(socket.as_fd())?,
        }
    }
    system::omit_path_mtu(socket.as_fd(), address.is_ipv6())?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn tcp_socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of the server before this one may still linger.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    // Accepted connections inherit it. Answers are written once per batch; none may wait for an acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(STREAM_BACKLOG)?;
    Ok(socket)
}

/// Gives a socket its receive buffer; returns the size it got if that is less than wanted.
fn widen(socket: &Socket) -> io::Result<Option<usize>> {
    if system::force_receive_buffer(socket.as_fd(), UDP_RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(UDP_RECEIVE_BUFFER)?;
    }
    // The kernel reports twice what was asked for: its own bookkeeping is counted in.
    let got = socket.recv_buffer_size()? / 2;
    Ok((got < UDP_RECEIVE_BUFFER).then_some(got))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_port_for_both_and_for_all_threads() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
            let listener = bind(address.parse().unwrap(), 3, 2).unwrap();
            assert_eq!((listener.udp.len(), listener.tcp.len()), (3, 2));
            for socket in &listener.udp {
                assert_eq!(socket.local_addr().unwrap(), listener.address);
            }
            for socket in &listener.tcp {
                assert_eq!(socket.local_addr().unwrap(), listener.address);
            }
        }
    }

    #[test]
    fn a_port_in_use_is_refused_even_by_ourselves() {
        let first = bind("127.0.0.1:0".parse().unwrap(), 1, 1).unwrap();
        let error = bind(first.address, 1, 1).unwrap_err();
        assert_eq!((error.protocol, error.error.kind()), ("UDP", io::ErrorKind::AddrInUse));
        assert_eq!(
            error.to_string(),
            format!("cannot listen on {} (UDP): another program listens there; `ss -lnptu` shows which", first.address)
        );
        let error = bind("192.0.2.1:0".parse().unwrap(), 1, 1).unwrap_err();
        assert!(error.to_string().ends_with("no interface of this machine has that address"), "{error}");
    }
}
