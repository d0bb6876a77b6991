//! TCP: opening a connection, for every kind that needs one, and the kind `tcp` itself.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::base::limits;
use crate::model::contains;

use super::outcome::{Miss, Progress, Seen};

/// A connection opens; if `expect` is not empty, it stands in what is received after `send` was sent.
pub(super) async fn probe(address: IpAddr, port: u16, send: &str, expect: &str, progress: &mut Progress) -> Seen {
    let mut stream = dial(address, port, progress).await?;
    if !send.is_empty() {
        stream.write_all(send.as_bytes()).await.map_err(|error| Miss::socket(&error))?;
    }
    if !expect.is_empty() {
        expected(&mut stream, expect.as_bytes(), progress).await?;
    }
    if send.is_empty() || !expect.is_empty() {
        // Closed by a reset: neither end keeps a connection that waits for its end. What was sent and not yet
        // acknowledged would be lost with it, so a plain `send` closes the usual way.
        let _ = stream.set_zero_linger();
    }
    Ok(None)
}

/// Opens a connection.
pub(super) async fn dial(address: IpAddr, port: u16, progress: &mut Progress) -> Result<TcpStream, Miss> {
    let stream = TcpStream::connect((address, port)).await.map_err(|error| Miss::socket(&error))?;
    progress.connected();
    // A probe sends one small thing and waits: nothing is gained by holding it back. Failing costs only time.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn expected(stream: &mut TcpStream, expect: &[u8], progress: &mut Progress) -> Result<(), Miss> {
    let mut received = Vec::with_capacity(512);
    loop {
        let room = limits::PROBE_EXPECT_LEN_MAX.saturating_sub(received.len());
        if room == 0 {
            return Err(Miss::fail("answer mismatch"));
        }
        let room = u64::try_from(room).unwrap_or(u64::MAX);
        let len = (&mut *stream).take(room).read_buf(&mut received).await.map_err(|error| Miss::socket(&error))?;
        if len == 0 {
            let silent = received.is_empty();
            return Err(Miss::fail(if silent { "connection closed" } else { "answer mismatch" }));
        }
        if received.len() == len {
            progress.answered();
        }
        if contains(&received, expect) {
            return Ok(());
        }
    }
}
