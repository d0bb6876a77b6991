//! Socket options that the libraries do not have.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets the receive buffer beyond `net.core.rmem_max`.
///
/// # Errors
/// `PermissionDenied` without `CAP_NET_ADMIN`.
pub fn force_receive_buffer(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
}

/// Lets each IPv4 datagram tell the address it was sent to.
///
/// # Errors
/// As `setsockopt(2)`.
pub fn receive_packet_info_v4(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
}

/// Lets each IPv6 datagram tell the address it was sent to.
///
/// # Errors
/// As `setsockopt(2)`.
pub fn receive_packet_info_v6(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
}

/// Lets answers ignore what ICMP says about path MTUs: answers are small, and a forged message must not make them
/// fragments that can be replaced (RFC 9715 §3.1).
///
/// # Errors
/// As `setsockopt(2)`.
pub fn omit_path_mtu(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)
    } else {
        set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
    }
}

/// Datagrams the kernel has dropped because the receive buffer of `socket` was full, since it was opened.
///
/// # Errors
/// As `getsockopt(2)`.
pub fn receive_overflows(socket: BorrowedFd<'_>) -> io::Result<u64> {
    /// The words of `SO_MEMINFO`, `linux/sock_diag.h`.
    const SK_MEMINFO_DROPS: usize = 8;
    const SO_MEMINFO: libc::c_int = 55;
    let mut words = [0_u32; SK_MEMINFO_DROPS + 1];
    let mut len = size_of_val(&words) as libc::socklen_t;
    // SAFETY: the buffer is as long as `len` says, and the kernel writes no more.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_MEMINFO, words.as_mut_ptr().cast(), &raw mut len)
    };
    if result == 0 { Ok(u64::from(words[SK_MEMINFO_DROPS])) } else { Err(io::Error::last_os_error()) }
}

fn set(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: `value` outlives the call, and the length is its own.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn a_full_buffer_is_counted() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket2::SockRef::from(&server).set_recv_buffer_size(1).unwrap();
        assert_eq!(receive_overflows(server.as_fd()).unwrap(), 0);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            client.send_to(&[0; 1000], server.local_addr().unwrap()).unwrap();
        }
        assert!(receive_overflows(server.as_fd()).unwrap() > 50);
    }
}
