//! What health checks are answered by while they are measured: an HTTP responder for as many addresses as there are
//! checks, all on one port, any of which can be made to fail at a moment.
//!
//! It listens on all addresses; which of 127.0.0.0/8 was asked decides the answer. Commands come on standard input and
//! are answered on standard output, one line each; times are nanoseconds of CLOCK_MONOTONIC, which every program on the
//! machine reads alike:
//!
//! ```text
//! fail 127.1.0.7     from now on it answers 503     failing 127.1.0.7 TIME      when the command was taken
//!                                                   failed 127.1.0.7 TIME       when the first 503 was sent
//! pass 127.1.0.7     from now on it answers 200     passing 127.1.0.7 TIME
//! count              -                              count REQUESTS              answered so far
//! ```
//!
//! The end of standard input ends it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Answers HTTP health checks.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port, on every address of the machine; 0: any, printed as `port N`
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// Connections that wait to be accepted: a thousand checks may come at once.
const BACKLOG: u32 = 4_096;
/// Octets of a request that are read at most.
const REQUEST_MAX: usize = 4_096;
/// A connection that says nothing for so long is closed.
const PATIENCE: Duration = Duration::from_secs(10);
const PASSING: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
const FAILING: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\nConnection: close\r\n\r\ndown\n";

/// What the connections share.
#[derive(Default)]
struct State {
    /// The addresses that fail, and whether one has said so yet.
    failing: Mutex<HashMap<IpAddr, bool>>,
    requests: AtomicU64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("target: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let state = Arc::<State>::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let listener = {
        let _inside = runtime.enter();
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::UNSPECIFIED, arguments.port).into())?;
        socket.listen(BACKLOG)?
    };
    println!("port {}", listener.local_addr()?.port());
    let shared = Arc::clone(&state);
    runtime.spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(answer(stream, Arc::clone(&shared)))),
                // Out of descriptors: those that are open close soon.
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    });
    for line in io::stdin().lines() {
        obey(&line?, &state);
    }
    Ok(())
}

/// Does one command.
fn obey(line: &str, state: &State) {
    let mut words = line.split_whitespace();
    let (command, address) = (words.next(), words.next().and_then(|word| word.parse::<IpAddr>().ok()));
    let mut failing = state.failing.lock().unwrap_or_else(PoisonError::into_inner);
    match (command, address) {
        (Some("fail"), Some(address)) => {
            println!("failing {address} {}", now_ns());
            failing.insert(address, false);
        }
        (Some("pass"), Some(address)) => {
            println!("passing {address} {}", now_ns());
            failing.remove(&address);
        }
        (Some("count"), None) => println!("count {}", state.requests.load(Ordering::Relaxed)),
        _ => eprintln!("target: no command: {line}"),
    }
}

/// Reads one request and answers it; the connection is not used again.
async fn answer(mut stream: TcpStream, state: Arc<State>) {
    let exchange = async {
        let address = stream.local_addr()?.ip();
        let mut request = Vec::new();
        let mut chunk = [0; 1_024];
        while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_MAX {
            let length = stream.read(&mut chunk).await?;
            if length == 0 {
                return io::Result::Ok(());
            }
            request.extend_from_slice(&chunk[..length]);
        }
        let first_failure = {
            let mut failing = state.failing.lock().unwrap_or_else(PoisonError::into_inner);
            failing.get_mut(&address).map(|said| !std::mem::replace(said, true))
        };
        stream.write_all(if first_failure.is_some() { FAILING } else { PASSING }).await?;
        if first_failure == Some(true) {
            println!("failed {address} {}", now_ns());
        }
        state.requests.fetch_add(1, Ordering::Relaxed);
        stream.shutdown().await?;
        // Until the other side closes, so that the port it used is the one that waits.
        while stream.read(&mut chunk).await? > 0 {}
        Ok(())
    };
    // A check that gives up is no error of ours.
    let _ = tokio::time::timeout(PATIENCE, exchange).await;
}

/// CLOCK_MONOTONIC, nanoseconds.
fn now_ns() -> i64 {
    #![allow(unsafe_code, reason = "the standard library gives no number that other programs understand")]
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the timespec is live.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
