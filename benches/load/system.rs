//! The calls to the kernel that the standard library lacks: batches of datagrams, polling, pinning. All `unsafe` of the
//! load tools stands here and in the bare responder.
#![allow(
    unsafe_code,
    reason = "recvmmsg, sendmmsg, ppoll and sched_setaffinity have no safe form in the standard library"
)]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::time::Duration;

/// Datagrams per system call.
pub const BATCH: usize = 64;
/// Bytes for one datagram: more than the 1,232 a query offers, so that a server that sends more is seen to do so. An odd
/// number of cache lines, so that the buffers of a batch do not fall into the same sets of the cache.
const DATAGRAM_LEN: usize = 64 * 25;

/// Binds the calling thread to one core.
///
/// # Errors
/// If there is no such core.
pub fn pin(core: usize) -> io::Result<()> {
    // SAFETY: `cpu_set_t` is plain bits, for which all zeros is the empty set; CPU_SET checks its bound; the kernel
    // reads `size_of_val` bytes of a live local.
    let result = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    check(result).map(drop)
}

/// Lets the calling thread's timed waits end on time instead of up to 50 µs late.
pub fn wake_on_time() {
    // SAFETY: PR_SET_TIMERSLACK takes a number and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

/// Sends SIGHUP.
///
/// # Errors
/// If there is no such process, or it is not ours.
pub fn hang_up(pid: u32) -> io::Result<()> {
    // Above the largest process id there is none; -1 and 0 would mean many.
    let pid = libc::pid_t::try_from(pid).ok().filter(|&pid| pid > 0).ok_or(io::ErrorKind::NotFound)?;
    // SAFETY: `kill` touches no memory of ours.
    check(unsafe { libc::kill(pid, libc::SIGHUP) }).map(drop)
}

/// Clock ticks per second, the unit of `/proc/PID/stat`.
pub fn ticks_per_second() -> f64 {
    // SAFETY: `sysconf` has no precondition.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u32::try_from(ticks).map_or(100.0, f64::from)
}

/// Asks for a receive buffer of `bytes`, beyond the system's limit where we may.
pub fn set_receive_buffer(socket: &impl AsRawFd, bytes: libc::c_int) {
    for option in [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF] {
        // SAFETY: the option's value is a live `c_int` and its size is given.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw const bytes).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if result == 0 {
            return;
        }
    }
}

/// What one descriptor is waited for.
pub struct Interest {
    /// The descriptor.
    pub fd: RawFd,
    /// Also wait until it can be written.
    pub write: bool,
}

/// Waits until a descriptor is ready or `timeout` has passed. Says nothing about which: the callers try all.
pub fn wait(interests: &[Interest], scratch: &mut Vec<libc::pollfd>, timeout: Duration) {
    scratch.clear();
    scratch.extend(interests.iter().map(|interest| libc::pollfd {
        fd: interest.fd,
        events: libc::POLLIN | if interest.write { libc::POLLOUT } else { 0 },
        revents: 0,
    }));
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos().cast_signed()),
    };
    // SAFETY: the array is live and its length is given; the timespec is live; a null signal mask changes no mask.
    // An error (a signal) is as good as a wake-up.
    unsafe { libc::ppoll(scratch.as_mut_ptr(), scratch.len() as libc::nfds_t, &raw const timeout, ptr::null()) };
}

/// Buffers for a batch of datagrams, received or to be sent over a connected socket.
pub struct Batch {
    buffers: Box<[[u8; DATAGRAM_LEN]]>,
    lengths: [usize; BATCH],
    count: usize,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self { buffers: vec![[0; DATAGRAM_LEN]; BATCH].into(), lengths: [0; BATCH], count: 0 }
    }

    /// Receives what is there, up to a full batch, without waiting; 0 if nothing is.
    ///
    /// # Errors
    /// Other than that nothing was there; a refused port is one.
    pub fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<usize> {
        self.lengths = [DATAGRAM_LEN; BATCH];
        self.count = 0;
        let flags = libc::MSG_DONTWAIT;
        let received = self.with_headers(BATCH, |headers, count| {
            // SAFETY: `headers` holds `count` headers whose buffers outlive the call; a null timeout is allowed.
            unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, count, flags as _, ptr::null_mut()) }
        });
        match received {
            Ok(count) => {
                self.count = count;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The datagrams received.
    pub fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.buffers.iter().zip(self.lengths).take(self.count).map(|(buffer, length)| &buffer[..length])
    }

    /// True if no datagram can be added.
    pub fn is_full(&self) -> bool {
        self.count == BATCH
    }

    /// Lets `write` fill the next datagram; it returns the length.
    pub fn push(&mut self, write: impl FnOnce(&mut [u8]) -> usize) {
        self.lengths[self.count] = write(&mut self.buffers[self.count]);
        self.count += 1;
    }

    /// Sends the batch and forgets it. Returns how many datagrams the kernel took; the others are gone.
    ///
    /// # Errors
    /// If it took none; a refused port is an error of the next call only.
    pub fn send(&mut self, socket: &impl AsRawFd) -> io::Result<usize> {
        let count = mem::take(&mut self.count);
        if count == 0 {
            return Ok(0);
        }
        self.with_headers(count, |headers, count| {
            // SAFETY: `headers` holds `count` headers whose buffers outlive the call.
            unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, count, 0) }
        })
    }

    /// Sends the batch as one large datagram that the kernel cuts into those that were pushed, and forgets it: the way
    /// through the stack is paid once. For batches whose datagrams are all of one length; others go as [`Self::send`]s.
    /// The receiver gets the same datagrams.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_segmented(&mut self, socket: &impl AsRawFd) -> io::Result<usize> {
        let lengths = &self.lengths[..self.count];
        let Some(length) = lengths.first().and_then(|&length| u16::try_from(length).ok()) else { return Ok(0) };
        if self.count == 1 || lengths.iter().any(|&other| other != usize::from(length)) {
            return self.send(socket);
        }
        let count = mem::take(&mut self.count);
        // SAFETY: both are plain C structures for which all zeros is a valid value.
        let (mut vectors, mut header): ([libc::iovec; BATCH], libc::msghdr) = unsafe { (mem::zeroed(), mem::zeroed()) };
        for (vector, buffer) in vectors.iter_mut().zip(&mut self.buffers).take(count) {
            *vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: usize::from(length) };
        }
        // Words, so that the control message is aligned; 24 octets are what one `u16` needs.
        let mut control = [0_u64; 3];
        header.msg_iov = vectors.as_mut_ptr();
        header.msg_iovlen = count;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control);
        // SAFETY: `control` is aligned and holds CMSG_SPACE of a `u16`; all that `header` points to outlives the call.
        let sent = unsafe {
            let message = libc::CMSG_FIRSTHDR(&raw const header);
            (*message).cmsg_level = libc::SOL_UDP;
            (*message).cmsg_type = libc::UDP_SEGMENT;
            (*message).cmsg_len = libc::CMSG_LEN(2) as usize;
            libc::CMSG_DATA(message).cast::<u16>().write_unaligned(length);
            libc::sendmsg(socket.as_raw_fd(), &raw const header, 0)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(count) }
    }

    /// Calls the kernel with headers over the first `count` buffers; keeps the lengths it reports.
    fn with_headers(
        &mut self,
        count: usize,
        call: impl FnOnce(*mut libc::mmsghdr, libc::c_uint) -> libc::c_int,
    ) -> io::Result<usize> {
        // SAFETY: both are plain C structures for which all zeros is a valid value (null pointers, no lengths).
        let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        for index in 0..count {
            vectors[index] =
                libc::iovec { iov_base: self.buffers[index].as_mut_ptr().cast(), iov_len: self.lengths[index] };
            headers[index].msg_hdr.msg_iov = &raw mut vectors[index];
            headers[index].msg_hdr.msg_iovlen = 1;
        }
        let done = check(call(headers.as_mut_ptr(), count as libc::c_uint))?;
        for (length, header) in self.lengths.iter_mut().zip(&headers).take(done) {
            *length = header.msg_len as usize;
        }
        Ok(done)
    }
}

/// The result of a system call as a count, or the error it left.
fn check(result: libc::c_int) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
