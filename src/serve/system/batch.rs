//! Many datagrams in one system call: `recvmmsg` and `sendmmsg` over buffers that are made once.
//!
//! A [`Batch`] owns one block of memory with the buffers of all slots and the headers that point into it. Answers go
//! back to the source of their query; on a wildcard socket the address the query was sent to travels along as a
//! control message, so that the answer leaves from it.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{NonNull, null_mut};

use crate::answer::BATCH;
use crate::base::limits::{UDP_PAYLOAD_MAX, UDP_QUERY_LEN_MAX};

/// Whether a receive may wait for the first datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until one arrives or the socket's timeout has passed.
    ForOne,
    /// Not at all.
    No,
}

/// What is known of a received datagram besides its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Octets received.
    pub len: usize,
    /// The address it came from. `None` for an address family that no DNS socket has.
    pub address: Option<IpAddr>,
    /// The port it came from. 0 can't be answered.
    pub port: u16,
    /// The datagram was longer than the buffer; its end is lost.
    pub truncated: bool,
}

// Buffers are not a multiple of a page apart: else the first lines of all of them would fall into one cache set.
const IN_STRIDE: usize = UDP_QUERY_LEN_MAX + 64;
const OUT_STRIDE: usize = UDP_PAYLOAD_MAX + 64;
/// Room for one `in_pktinfo` or `in6_pktinfo` with its header: `CMSG_SPACE(20)` is 40 on 64-bit systems.
const CONTROL_LEN: usize = 40;

#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

#[repr(C, align(64))]
struct Arena {
    inputs: [[u8; IN_STRIDE]; BATCH],
    outputs: [[u8; OUT_STRIDE]; BATCH],
    in_headers: [libc::mmsghdr; BATCH],
    out_headers: [libc::mmsghdr; BATCH],
    in_vectors: [libc::iovec; BATCH],
    out_vectors: [libc::iovec; BATCH],
    // sockaddr_in6 is the longest address a DNS socket has; sockaddr_in fits into it.
    sources: [libc::sockaddr_in6; BATCH],
    controls: [Control; BATCH],
}

/// Buffers for [`BATCH`] queries and their answers.
pub struct Batch {
    arena: NonNull<Arena>,
    /// Slots the last receive filled.
    filled: usize,
    /// Answers queued since then.
    queued: usize,
    /// Queued answers that [`Batch::flush`] has handed over.
    sent: usize,
    packet_info: bool,
}

// SAFETY: the arena belongs to this value alone, and every pointer inside it points into the arena itself.
unsafe impl Send for Batch {}

impl Batch {
    /// Buffers for a socket. `packet_info`: the socket is bound to a wildcard address and tells where queries were
    /// sent to (see [`receive_packet_info_v4`](super::receive_packet_info_v4)).
    #[must_use]
    pub fn new(packet_info: bool) -> Self {
        let layout = Layout::new::<Arena>();
        // SAFETY: the layout is not of size zero.
        let raw = unsafe { alloc_zeroed(layout) }.cast::<Arena>();
        let Some(arena) = NonNull::new(raw) else { handle_alloc_error(layout) };
        let batch = Self { arena, filled: 0, queued: 0, sent: 0, packet_info };
        for slot in 0..BATCH {
            // SAFETY: `slot` is in range of each array, the arena is live, and all-zero bytes are a valid Arena. Only
            // raw pointers derived from `arena` are stored, so later accesses through `arena` keep them valid.
            unsafe {
                let vector = batch.in_vector(slot);
                (*vector).iov_base = batch.input(slot).cast();
                (*vector).iov_len = UDP_QUERY_LEN_MAX;
                let header = &raw mut (*batch.in_header(slot)).msg_hdr;
                (*header).msg_iov = vector;
                (*header).msg_iovlen = 1;
                (*header).msg_name = batch.source(slot).cast();
                (*header).msg_control = if packet_info { batch.control(slot).cast() } else { null_mut() };
                (*batch.out_vector(slot)).iov_base = batch.output(slot).cast();
            }
            batch.rearm(slot);
        }
        batch
    }

    /// Receives up to [`BATCH`] datagrams and returns how many; whatever was queued before is forgotten.
    ///
    /// # Errors
    /// As `recvmmsg(2)`: `WouldBlock` after the socket's timeout, `Interrupted` after a signal.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, wait: Wait) -> io::Result<usize> {
        for slot in 0..self.filled {
            self.rearm(slot);
        }
        (self.filled, self.queued, self.sent) = (0, 0, 0);
        let flags = match wait {
            Wait::ForOne => libc::MSG_WAITFORONE,
            Wait::No => libc::MSG_DONTWAIT,
        };
        // SAFETY: `in_headers` are BATCH valid headers whose pointers and lengths describe memory of the arena.
        let count = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), self.in_header(0), BATCH as libc::c_uint, flags as _, null_mut())
        };
        self.filled = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        Ok(self.filled)
    }

    /// What is known of the datagram in `slot`; `None` if the last receive didn't fill it.
    #[must_use]
    pub fn datagram(&self, slot: usize) -> Option<Datagram> {
        if slot >= self.filled {
            return None;
        }
        // SAFETY: `slot` is in range; the kernel has written header and source, and any bytes are valid for them.
        let (header, source) = unsafe { (&*self.in_header(slot), &*self.source(slot)) };
        let (address, port) = match i32::from(source.sin6_family) {
            libc::AF_INET => {
                // SAFETY: the family says it is a sockaddr_in, which is shorter and no more aligned than `source`.
                let source = unsafe { &*self.source(slot).cast::<libc::sockaddr_in>() };
                let octets = source.sin_addr.s_addr.to_ne_bytes();
                (Some(IpAddr::V4(Ipv4Addr::from(octets))), u16::from_be(source.sin_port))
            }
            libc::AF_INET6 => {
                let address = Ipv6Addr::from(source.sin6_addr.s6_addr);
                (Some(IpAddr::V6(address).to_canonical()), u16::from_be(source.sin6_port))
            }
            _ => (None, 0),
        };
        Some(Datagram {
            len: (header.msg_len as usize).min(UDP_QUERY_LEN_MAX),
            address,
            port,
            truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        })
    }

    /// The query in `slot` and the buffer for its answer.
    ///
    /// The query is empty if the last receive didn't fill the slot.
    ///
    /// # Panics
    /// If `slot` is not below [`BATCH`].
    pub fn slot(&mut self, slot: usize) -> (&[u8], &mut [u8]) {
        assert!(slot < BATCH, "slot {slot} of {BATCH}");
        let len = self.datagram(slot).map_or(0, |datagram| datagram.len);
        // SAFETY: `slot` is in range and `len` within the slot; input and output don't overlap, and the borrow of
        // `self` keeps the kernel and other callers away from both.
        unsafe {
            let query = std::slice::from_raw_parts(self.input(slot), len);
            let out = std::slice::from_raw_parts_mut(self.output(slot), UDP_PAYLOAD_MAX);
            (query, out)
        }
    }

    /// Queues the first `len` octets of the answer buffer of `slot` to go back to where its query came from.
    pub fn queue(&mut self, slot: usize, len: usize) {
        if slot >= self.filled || self.queued >= BATCH {
            return;
        }
        // SAFETY: both indexes are in range; the stored pointers are derived from the arena.
        unsafe {
            let vector = self.out_vector(slot);
            (*vector).iov_len = len.min(UDP_PAYLOAD_MAX);
            let asked = &(*self.in_header(slot)).msg_hdr;
            let (name_len, control_len) = (asked.msg_namelen, asked.msg_controllen);
            let header = &raw mut (*self.out_header(self.queued)).msg_hdr;
            (*header).msg_iov = vector;
            (*header).msg_iovlen = 1;
            (*header).msg_name = self.source(slot).cast();
            (*header).msg_namelen = name_len;
            if self.packet_info && self.leave_the_way_open(slot, control_len) {
                (*header).msg_control = self.control(slot).cast();
                (*header).msg_controllen = control_len;
            } else {
                (*header).msg_control = null_mut();
                (*header).msg_controllen = 0;
            }
        }
        self.queued += 1;
    }

    /// Sends what is queued. A datagram the kernel refuses is left out and does not keep back those after it.
    /// Returns the number of datagrams left out.
    pub fn flush(&mut self, socket: BorrowedFd<'_>) -> usize {
        let mut refused = 0;
        while self.sent < self.queued {
            let left = self.queued - self.sent;
            // SAFETY: `sent` is below `queued`, and headers `sent..queued` were filled by `queue`.
            let count =
                unsafe { libc::sendmmsg(socket.as_raw_fd(), self.out_header(self.sent), left as libc::c_uint, 0) };
            match usize::try_from(count) {
                Ok(count) if count > 0 => self.sent += count,
                // The error is about the first datagram: a firewall's EPERM, no buffers, no route, a full queue. It is
                // lost, as any datagram may be.
                _ if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted => {
                    refused += 1;
                    self.sent += 1;
                }
                _ => {}
            }
        }
        refused
    }

    /// Makes the received control message of `slot` fit for sending: the answer leaves from the address that was
    /// asked, but through whatever interface the routes say, which needn't be the one the query came in by. False if
    /// there is no such message.
    ///
    /// # Safety
    /// `slot` must be below [`BATCH`] and `control_len` what the kernel wrote.
    unsafe fn leave_the_way_open(&self, slot: usize, control_len: usize) -> bool {
        let control = self.control(slot);
        if control_len < size_of::<libc::cmsghdr>() || control_len > CONTROL_LEN {
            return false;
        }
        // SAFETY: a control is aligned for a header, longer than one, and filled by the kernel; the length is checked
        // before its data is touched.
        unsafe {
            let header = &*control.cast::<libc::cmsghdr>();
            let data = libc::CMSG_DATA(control.cast());
            match (header.cmsg_level, header.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) if control_len >= cmsg_len::<libc::in_pktinfo>() => {
                    (*data.cast::<libc::in_pktinfo>()).ipi_ifindex = 0;
                    true
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if control_len >= cmsg_len::<libc::in6_pktinfo>() => {
                    let info = data.cast::<libc::in6_pktinfo>();
                    // A link-local address means nothing without its interface.
                    if !Ipv6Addr::from((*info).ipi6_addr.s6_addr).is_unicast_link_local() {
                        (*info).ipi6_ifindex = 0;
                    }
                    true
                }
                _ => false,
            }
        }
    }

    /// Sets the lengths that the kernel overwrites.
    fn rearm(&self, slot: usize) {
        let control_len = if self.packet_info { CONTROL_LEN } else { 0 };
        // SAFETY: callers pass slots below BATCH.
        unsafe {
            let header = &raw mut (*self.in_header(slot)).msg_hdr;
            (*header).msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            (*header).msg_controllen = control_len;
        }
    }
}

/// Pointers to the parts of one slot. SAFETY of each: the arena is live and `slot`, below [`BATCH`] at every caller, is
/// in range of the array; no reference is made, so pointers handed out before stay valid.
impl Batch {
    fn input(&self, slot: usize) -> *mut u8 {
        debug_assert!(slot < BATCH);
        // SAFETY: see above.
        unsafe { (&raw mut (*self.arena.as_ptr()).inputs).cast::<[u8; IN_STRIDE]>().add(slot).cast() }
    }

    fn output(&self, slot: usize) -> *mut u8 {
        debug_assert!(slot < BATCH);
        // SAFETY: see above.
        unsafe { (&raw mut (*self.arena.as_ptr()).outputs).cast::<[u8; OUT_STRIDE]>().add(slot).cast() }
    }

    fn in_header(&self, slot: usize) -> *mut libc::mmsghdr {
        debug_assert!(slot < BATCH);
        // SAFETY: see above.
        unsafe { (&raw mut (*self.arena.as_ptr()).in_headers).cast::<libc::mmsghdr>().add(slot) }
    }

    fn out_header(&self, slot: usize) -> *mut libc::mmsghdr {
        debug_assert!(slot < BATCH);
        // SAFETY: see above.
        unsafe { (&raw mut (*self.arena.as_ptr()).out_headers).cast::<libc::mmsghdr>().add(slot) }
    }

    fn in_vector(&self, slot: usize) -> *mut libc::iovec {
        debug_assert!(slot < BATCH);
        // SAFETY: see above.
        unsafe { (&raw mut (*self.arena.as_ptr()).in_vectors).cast::<libc::iovec>().add(slot) }
    }

    fn out_vector(&self, slot: usize) -> *mut libc::iovec {
        debug_assert!(slot < BATCH);
        // SAFETY: see above.
        unsafe { (&raw mut (*self.arena.as_ptr()).out_vectors).cast::<libc::iovec>().add(slot) }
    }

    fn source(&self, slot: usize) -> *mut libc::sockaddr_in6 {
        debug_assert!(slot < BATCH);
        // SAFETY: see above.
        unsafe { (&raw mut (*self.arena.as_ptr()).sources).cast::<libc::sockaddr_in6>().add(slot) }
    }

    fn control(&self, slot: usize) -> *mut Control {
        debug_assert!(slot < BATCH);
        // SAFETY: see above.
        unsafe { (&raw mut (*self.arena.as_ptr()).controls).cast::<Control>().add(slot) }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout; nothing in it needs dropping.
        unsafe { dealloc(self.arena.as_ptr().cast(), Layout::new::<Arena>()) }
    }
}

/// Bytes of a control message that carries a `T`, without the padding after it.
const fn cmsg_len<T>() -> usize {
    // SAFETY: CMSG_LEN only computes. Both sizes are small.
    unsafe { libc::CMSG_LEN(size_of::<T>() as libc::c_uint) as usize }
}

const _: () = assert!(cmsg_len::<libc::in6_pktinfo>() <= CONTROL_LEN);
const _: () = assert!(size_of::<libc::sockaddr_in>() <= size_of::<libc::sockaddr_in6>());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::system::{receive_packet_info_v4, receive_packet_info_v6};
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    /// Sends `queries` to `server` at `asked` and lets the batch send each back.
    fn echo(server: &UdpSocket, asked: IpAddr, packet_info: bool, queries: &[Vec<u8>]) {
        let port = server.local_addr().unwrap().port();
        let client = UdpSocket::bind((if asked.is_ipv4() { "127.0.0.1" } else { "::1" }, 0)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for query in queries {
            client.send_to(query, (asked, port)).unwrap();
        }
        let mut batch = Batch::new(packet_info);
        let mut seen = 0;
        while seen < queries.len() {
            let count = batch.receive(server.as_fd(), Wait::ForOne).unwrap();
            for slot in 0..count {
                let datagram = batch.datagram(slot).unwrap();
                assert_eq!(datagram.address, Some(client.local_addr().unwrap().ip()));
                assert_eq!(datagram.port, client.local_addr().unwrap().port());
                assert_eq!(datagram.truncated, queries[seen].len() > UDP_QUERY_LEN_MAX);
                let (query, out) = batch.slot(slot);
                assert_eq!(query, &queries[seen][..queries[seen].len().min(UDP_QUERY_LEN_MAX)]);
                let len = query.len();
                out[..len].copy_from_slice(query);
                batch.queue(slot, len);
                seen += 1;
            }
            assert_eq!(batch.datagram(count), None);
            assert_eq!(batch.flush(server.as_fd()), 0);
        }
        let mut buffer = [0; 4096];
        for query in queries {
            let (len, from) = client.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], &query[..query.len().min(UDP_QUERY_LEN_MAX)]);
            assert_eq!(from.ip(), asked, "the answer leaves from the address that was asked");
        }
    }

    fn queries(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|i| vec![i as u8; 1 + i * 7]).collect()
    }

    #[test]
    fn batches_go_there_and_back() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        echo(&server, "127.0.0.1".parse().unwrap(), false, &queries(1));
        echo(&server, "127.0.0.1".parse().unwrap(), false, &queries(100));
        echo(&server, "127.0.0.1".parse().unwrap(), false, &[vec![1; 3000], vec![], vec![2; UDP_QUERY_LEN_MAX]]);
    }

    #[test]
    fn a_wildcard_socket_answers_from_the_address_asked() {
        let server = UdpSocket::bind("0.0.0.0:0").unwrap();
        receive_packet_info_v4(server.as_fd()).unwrap();
        echo(&server, "127.0.0.9".parse().unwrap(), true, &queries(40));
        echo(&server, "127.0.0.10".parse().unwrap(), true, &queries(2));
        let server = UdpSocket::bind("[::]:0").unwrap();
        receive_packet_info_v6(server.as_fd()).unwrap();
        echo(&server, "::1".parse().unwrap(), true, &queries(40));
    }

    #[test]
    fn a_datagram_that_cannot_leave_does_not_keep_back_the_others() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for query in queries(3) {
            client.send_to(&query, server.local_addr().unwrap()).unwrap();
        }
        let mut batch = Batch::new(false);
        let mut count = 0;
        while count < 3 {
            // The datagrams lie in the queue of the loopback interface by now; they come in one batch or in several.
            count = batch.receive(server.as_fd(), Wait::ForOne).unwrap();
            if count < 3 {
                for query in queries(3) {
                    client.send_to(&query, server.local_addr().unwrap()).unwrap();
                }
            }
        }
        // SAFETY: slot 1 is in range. No datagram goes to a multicast-like family: the kernel refuses it.
        unsafe { (*batch.source(1)).sin6_family = 999 };
        for slot in 0..3 {
            batch.queue(slot, 4);
        }
        assert_eq!(batch.flush(server.as_fd()), 1);
        let mut buffer = [0; 16];
        assert_eq!(client.recv(&mut buffer).unwrap(), 4);
        assert_eq!(client.recv(&mut buffer).unwrap(), 4);
    }

    #[test]
    fn nothing_to_receive_is_an_error_that_says_so() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut batch = Batch::new(false);
        let error = batch.receive(server.as_fd(), Wait::No).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(batch.datagram(0), None);
        batch.queue(0, 10);
        assert_eq!(batch.flush(server.as_fd()), 0);
    }
}
