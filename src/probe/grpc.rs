//! The gRPC health protocol: `grpc.health.v1.Health/Check` over HTTP/2, its two messages read and written by hand.

use std::net::IpAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::HeaderMap;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, TE, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::base::limits;

use super::beside::beside;
use super::http::{AGENT, authority, miss};
use super::outcome::{Miss, Progress};

/// What a target may send unasked for, octets: the least that RFC 9113 §6.9.2 begins with. An answer is far smaller.
const WINDOW: u32 = 65_535;

/// What is asked.
pub(super) struct Request<'a> {
    pub(super) scheme: &'static str,
    pub(super) service: &'a str,
    pub(super) host: &'a str,
    pub(super) address: IpAddr,
    pub(super) port: u16,
}

/// Asks for the health of the service and judges the answer.
pub(super) async fn exchange<S>(stream: S, request: &Request<'_>, progress: &mut Progress) -> Result<(), Miss>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (executor, mut work) = Executor::new();
    let exchange = async {
        let handshake = http2::Builder::new(executor)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(TokioIo::new(stream))
            .await;
        let (mut sender, connection) = handshake.map_err(|error| miss(&error))?;
        let asked = async {
            sender.ready().await.map_err(|error| miss(&error))?;
            let response = sender.send_request(call(request)?).await.map_err(|error| miss(&error))?;
            progress.answered();
            let status = response.status();
            if status != hyper::StatusCode::OK {
                return Err(Miss::fail(format!("status {}", status.as_u16())));
            }
            // An answer without a message has its status in the head.
            grpc_status(response.headers())?;
            judge(response.into_body()).await
        };
        beside(asked, connection).await
    };
    // What HTTP/2 wants done beside ends with this function.
    let mut tasks = JoinSet::new();
    let work = async {
        while let Some(future) = work.recv().await {
            tasks.spawn(future);
        }
    };
    beside(exchange, work).await
}

type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Hands on what the HTTP/2 connection wants done beside, so that nothing outlives the probe.
#[derive(Clone)]
struct Executor(mpsc::UnboundedSender<Work>);

impl Executor {
    fn new() -> (Self, mpsc::UnboundedReceiver<Work>) {
        // One request starts a task or two.
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, future: F) {
        // Without a receiver the probe has ended.
        let _ = self.0.send(Box::pin(future));
    }
}

fn call(request: &Request<'_>) -> Result<hyper::Request<Full<Bytes>>, Miss> {
    let default_port = if request.scheme == "https" { 443 } else { 80 };
    let authority = authority(request.host, request.address, request.port, default_port);
    let message = encode(request.service);
    hyper::Request::post(format!("{}://{authority}/grpc.health.v1.Health/Check", request.scheme))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, AGENT)
        .body(Full::new(message.into()))
        .map_err(|error| Miss::inconclusive(format!("no request: {error}")))
}

/// `HealthCheckRequest { string service = 1; }` in its frame: a flag, four bytes of length, the message.
fn encode(service: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(service.len() + 3);
    if !service.is_empty() {
        message.push(0x0a);
        varint(service.len() as u64, &mut message);
        message.extend_from_slice(service.as_bytes());
    }
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&message);
    frame
}

fn varint(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    into.push(u8::try_from(value).unwrap_or(0));
}

/// Reads the message and the trailers.
async fn judge(mut body: Incoming) -> Result<(), Miss> {
    let mut read: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| miss(&error))?;
        match frame.into_data() {
            Ok(data) if read.len() + data.len() > limits::PROBE_GRPC_LEN_MAX => {
                return Err(Miss::fail("the answer is too large"));
            }
            Ok(data) => read.extend_from_slice(&data),
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    grpc_status(&trailers)?;
                }
            }
        }
    }
    match decode(&read) {
        Some(1) => Ok(()),
        Some(2) => Err(Miss::fail("NOT_SERVING")),
        Some(3) => Err(Miss::fail("SERVICE_UNKNOWN")),
        Some(_) => Err(Miss::fail("UNKNOWN")),
        None => Err(Miss::fail("the answer is not gRPC")),
    }
}

/// `HealthCheckResponse { ServingStatus status = 1; }` in its frame; other fields are passed over.
fn decode(frame: &[u8]) -> Option<u64> {
    let (&[flag, a, b, c, d], message) = frame.split_first_chunk::<5>()?;
    let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    let mut rest = message.get(..len)?;
    if flag != 0 {
        return None;
    }
    // What is not written is zero: UNKNOWN.
    let mut status = 0;
    while !rest.is_empty() {
        let key = read_varint(&mut rest)?;
        match key & 7 {
            0 => {
                let value = read_varint(&mut rest)?;
                status = if key >> 3 == 1 { value } else { status };
            }
            1 => rest = rest.get(8..)?,
            2 => {
                let len = usize::try_from(read_varint(&mut rest)?).ok()?;
                rest = rest.get(len..)?;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The status of a call, in the head or in the trailers.
fn grpc_status(headers: &HeaderMap) -> Result<(), Miss> {
    match headers.get("grpc-status").map(|value| value.to_str().unwrap_or_default()) {
        None | Some("0") => Ok(()),
        // What the health protocol answers for a service it does not know.
        Some("5") => Err(Miss::fail("SERVICE_UNKNOWN")),
        Some("12") => Err(Miss::fail("the other end has no health service")),
        Some(code) => Err(Miss::fail(format!("grpc status {}", super::outcome::bounded(code)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        assert_eq!(encode(""), [0, 0, 0, 0, 0]);
        assert_eq!(encode("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(encode(&"x".repeat(200))[4..8], [203, 0x0a, 0xc8, 1]);
        for (frame, status) in [
            (&[0, 0, 0, 0, 2, 8, 1][..], Some(1)),
            (&[0, 0, 0, 0, 2, 8, 2], Some(2)),
            (&[0, 0, 0, 0, 0], Some(0)),
            (&[0, 0, 0, 0, 6, 0x12, 2, 9, 9, 8, 3], Some(3)),
            (&[1, 0, 0, 0, 2, 8, 1], None),
            (&[0, 0, 0, 0, 3, 8, 1], None),
            (&[0, 0, 0, 0, 1, 8], None),
            (&[0, 0, 0], None),
            (&[0, 255, 255, 255, 255, 8, 1], None),
        ] {
            assert_eq!(decode(frame), status, "{frame:?}");
        }
    }
}
