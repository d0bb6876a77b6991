//! The limit: what a DNS server on sockets costs at least. Receives and sends batches of 32 over UDP, and reads and
//! writes whole buffers over TCP; looks up nothing, and answers every question with one fixed address.
#![allow(unsafe_code, reason = "recvmmsg and sendmmsg have no safe form in the standard library")]
#![allow(clippy::cast_possible_truncation, reason = "sizes of C structures and of a batch fit the C types")]
#![allow(clippy::print_stderr, reason = "a program for the command line")]

use std::io::{self, Read, Write};
use std::mem;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::ptr;
use std::thread;

use clap::Parser;
use socket2::SockRef;

/// Datagrams per system call.
const BATCH: usize = 32;
/// Octets for one message, header and question and a little more.
const MESSAGE_LEN: usize = 64 * 9;
/// Owner (a pointer to the question), type A, class IN, TTL 300, 192.0.2.1.
const ANSWER: [u8; 16] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1];
/// An OPT record without options, payload 1,232.
const OPT: [u8; 11] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];

/// Answers every question with 192.0.2.1, over UDP and TCP.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:5300")]
    listen: SocketAddr,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let Arguments { listen, .. } = Arguments::parse();
    let result = UdpSocket::bind(listen).and_then(|socket| {
        // As far as the system allows; the comparison keeps its window below the default.
        SockRef::from(&socket).set_recv_buffer_size(4 << 20)?;
        let listener = TcpListener::bind(listen)?;
        thread::spawn(move || accept(&listener));
        serve_udp(&socket)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare: {listen}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers datagrams until the socket fails.
fn serve_udp(socket: &UdpSocket) -> io::Result<()> {
    let mut buffers = vec![[0_u8; MESSAGE_LEN]; BATCH];
    // SAFETY: all three are plain C structures for which all zeros is a valid value.
    let (mut addresses, mut vectors, mut headers): (
        [libc::sockaddr_storage; BATCH],
        [libc::iovec; BATCH],
        [libc::mmsghdr; BATCH],
    ) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
    loop {
        for index in 0..BATCH {
            vectors[index] = libc::iovec { iov_base: buffers[index].as_mut_ptr().cast(), iov_len: MESSAGE_LEN };
            let header = &mut headers[index].msg_hdr;
            header.msg_name = (&raw mut addresses[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = &raw mut vectors[index];
            header.msg_iovlen = 1;
        }
        let flags = libc::MSG_WAITFORONE;
        // SAFETY: every header points to an address, a vector and a buffer that outlive the call.
        let received = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), BATCH as libc::c_uint, flags as _, ptr::null_mut())
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        let mut count = 0;
        for index in 0..received {
            let length = headers[index].msg_len as usize;
            // What is no query gets an empty datagram, which the load counts as a message that belongs to no query.
            let answered = answer(&mut buffers[index], length).unwrap_or(0);
            vectors[index].iov_len = answered;
            count += 1;
        }
        // SAFETY: as above; the kernel reads the first `count` headers.
        unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
    }
}

/// One thread per connection: a comparison has few.
fn accept(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || serve_tcp(stream));
    }
}

/// Answers what was read with one write, until the client closes.
fn serve_tcp(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut incoming, mut outgoing) = (Vec::new(), Vec::new());
    let mut read = vec![0; 65_536];
    loop {
        let length = stream.read(&mut read)?;
        if length == 0 {
            return Ok(());
        }
        incoming.extend_from_slice(&read[..length]);
        let mut at = 0;
        while let Some((&prefix, rest)) = incoming[at..].split_first_chunk::<2>() {
            let Some(query) = rest.get(..usize::from(u16::from_be_bytes(prefix))) else { break };
            at += 2 + query.len();
            let mut message = [0; MESSAGE_LEN];
            let Some(room) = message.get_mut(..query.len()) else { continue };
            room.copy_from_slice(query);
            if let Some(length) = answer(&mut message, query.len()) {
                outgoing.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
                outgoing.extend_from_slice(&message[..length]);
            }
        }
        incoming.drain(..at);
        stream.write_all(&outgoing)?;
        outgoing.clear();
    }
}

/// Turns the query of `length` octets in `message` into its answer; the answer's length. `None` if it is no query.
fn answer(message: &mut [u8; MESSAGE_LEN], length: usize) -> Option<usize> {
    let mut end = 12;
    while *message[..length].get(end)? != 0 {
        end += 1 + usize::from(message[end]);
    }
    end += 5;
    if end + ANSWER.len() + OPT.len() > MESSAGE_LEN {
        return None;
    }
    let has_opt = message[11] == 1;
    message[2] |= 0x84;
    message[7] = 1;
    message[end..end + ANSWER.len()].copy_from_slice(&ANSWER);
    end += ANSWER.len();
    if has_opt {
        message[end..end + OPT.len()].copy_from_slice(&OPT);
        end += OPT.len();
    }
    Some(end)
}
