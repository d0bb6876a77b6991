//! HTTP/1.1: one request on a connection of its own, and what its answer must be.

use std::error::Error as _;
use std::io;
use std::net::IpAddr;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::base::limits;
use crate::model::{BodyRule, HttpCheck, Place, contains, document};

use super::beside::beside;
use super::outcome::{Miss, Progress, bounded};

/// Who asks, so that it can be told from clients in a server's log.
pub(super) const AGENT: &str = concat!("Meridian/", env!("CARGO_PKG_VERSION"), " (health check)");

/// What is asked of whom.
pub(super) struct Asked<'t> {
    pub(super) check: &'t HttpCheck,
    pub(super) address: IpAddr,
    /// That of the scheme.
    pub(super) default_port: u16,
    /// Numbers that load feeds want from the answer, whether it passes or not.
    pub(super) wants: &'t [Place],
}

/// Sends the request and judges the answer.
pub(super) async fn exchange<S>(stream: S, asked: &Asked<'_>, progress: &mut Progress) -> Result<(), Miss>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Asked { check, address, default_port, wants } = *asked;
    let authority = authority(&check.host, address, check.port, default_port);
    let request = request(check, &authority)?;
    let mut builder = http1::Builder::new();
    // Names of headers have no case, RFC 9110 §5.1; some old servers differ.
    builder.title_case_headers(true).max_buf_size(limits::PROBE_HEAD_LEN_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| miss(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| miss(&error))?;
        progress.answered();
        let passed = passes(response.status(), &check.status);
        let (head, incoming) = response.into_parts();
        let is_whole = wants.iter().any(|place| matches!(place, Place::Json(_)));
        let mut read = Vec::new();
        let judged = match passed {
            Err(miss) if !is_whole => Err(miss),
            passed => {
                let judged = body(incoming, check, is_whole, &mut read).await;
                passed.and(judged)
            }
        };
        if !wants.is_empty() {
            let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
            progress.found(document::answer(wants, header, &read));
        }
        judged
    };
    beside(exchange, connection).await
}

/// The host a request is for: `host` as it is, else the address, with the port unless it is the default.
pub(super) fn authority(host: &str, address: IpAddr, port: u16, default_port: u16) -> String {
    match (host.is_empty(), address) {
        (false, _) => host.to_owned(),
        (true, IpAddr::V4(address)) if port == default_port => address.to_string(),
        (true, IpAddr::V6(address)) if port == default_port => format!("[{address}]"),
        (true, _) => std::net::SocketAddr::new(address, port).to_string(),
    }
}

fn request(check: &HttpCheck, authority: &str) -> Result<Request<Empty<Bytes>>, Miss> {
    let mut request = Request::builder()
        .method(check.method.as_str())
        .uri(check.path.as_str())
        .header(HOST, authority)
        .header(CONNECTION, "close");
    let given = |name: &str| check.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    for (name, text) in [(USER_AGENT, AGENT), (ACCEPT, "*/*")] {
        if !given(name.as_str()) {
            request = request.header(name, text);
        }
    }
    for (name, text) in &check.headers {
        request = request.header(name.as_str(), text.as_str());
    }
    // What a request is made of was validated with the model.
    request.body(Empty::new()).map_err(|error| Miss::inconclusive(format!("no request: {error}")))
}

fn passes(status: StatusCode, ranges: &[(u16, u16)]) -> Result<(), Miss> {
    let code = status.as_u16();
    let good = ranges.iter().any(|&(from, to)| (from..=to).contains(&code));
    if good { Ok(()) } else { Err(Miss::fail(format!("status {code}"))) }
}

/// Reads as much of the body as the rule needs; all of it, as far as it may be read, if the `whole` is wanted.
async fn body(mut body: Incoming, check: &HttpCheck, whole: bool, read: &mut Vec<u8>) -> Result<(), Miss> {
    let (rule, max) = (&check.body, check.body_max);
    if *rule == BodyRule::Anything && !whole {
        return Ok(());
    }
    while read.len() < max
        && let Some(frame) = body.frame().await
    {
        let frame = match frame {
            Ok(frame) => frame,
            // What a load feed reads beyond what the rule needs takes nothing from the verdict.
            Err(_) if whole && !matches!(rule, BodyRule::Matches(_)) && rule.accepts(read) => return Ok(()),
            Err(error) => return Err(miss(&error)),
        };
        let Ok(data) = frame.into_data() else { continue };
        // What is new may complete what is looked for; a pattern can be judged only by the whole.
        let from = match rule {
            BodyRule::Contains(text) => read.len().saturating_sub(text.len()),
            BodyRule::Anything | BodyRule::Matches(_) => usize::MAX,
        };
        let room = max - read.len();
        read.extend_from_slice(data.get(..room).unwrap_or(&data));
        if let BodyRule::Contains(text) = rule
            && !whole
            && read.get(from..).is_some_and(|new| contains(new, text.as_bytes()))
        {
            return Ok(());
        }
    }
    if rule.accepts(read) { Ok(()) } else { Err(Miss::fail("body mismatch")) }
}

/// Why there was no answer, or only a part of one.
pub(super) fn miss(error: &hyper::Error) -> Miss {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            return Miss::socket(error);
        }
        source = inner.source();
    }
    if error.is_parse_too_large() {
        Miss::fail("the head of the answer is too large")
    } else if error.is_parse() {
        Miss::fail("the answer is not HTTP")
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        Miss::fail("connection closed")
    } else {
        Miss::fail(format!("http: {}", bounded(&error.to_string())))
    }
}
