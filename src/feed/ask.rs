//! One asking: a document over HTTP, or an agent's line over TCP.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::base::limits::{FEED_AGENT_LEN_MAX, FEED_BODY_LEN_MAX};
use crate::model::{FeedError, FeedMiss};
use crate::probe::beside;

/// Who asks, so that it can be told from clients in a server's log.
const AGENT: &str = concat!("Meridian/", env!("CARGO_PKG_VERSION"), " (load feed)");

/// The formats that can be read, the best first.
const FORMATS: &str = "application/json, text/plain;version=0.0.4, */*;q=0.1";

/// Fetches the document at `url`. Redirects are not followed: where a feed stands is the operator's word.
pub(super) async fn pull(url: &str, tls: &Arc<ClientConfig>) -> Result<Bytes, FeedMiss> {
    let uri: Uri = url.parse().map_err(|error| connect(format!("{url}: {error}")))?;
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_tls = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await.map_err(connect)?;
    if !is_tls {
        return get(stream, &uri).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(connect)?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(connect)?;
    get(stream, &uri).await
}

async fn get<S>(stream: S, uri: &Uri) -> Result<Bytes, FeedMiss>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority)
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, FORMATS)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(connect)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(connect)?;
        if response.status() != StatusCode::OK {
            return Err(FeedMiss::new(FeedError::Status, format!("it answers {}", response.status())));
        }
        let body = Limited::new(response.into_body(), FEED_BODY_LEN_MAX).collect().await;
        body.map(http_body_util::Collected::to_bytes)
            .map_err(|error| FeedMiss::new(FeedError::Unreadable, error.to_string()))
    };
    beside(exchange, connection).await
}

/// The line of an agent. It speaks first, and closes or not.
pub(super) async fn line(address: &str) -> Result<String, FeedMiss> {
    let mut stream = TcpStream::connect(address).await.map_err(connect)?;
    let mut said = Vec::new();
    let mut buffer = [0; 256];
    while !said.contains(&b'\n') && said.len() < FEED_AGENT_LEN_MAX {
        match stream.read(&mut buffer).await.map_err(connect)? {
            0 => break,
            read => said.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn connect(error: impl ToString) -> FeedMiss {
    FeedMiss::new(FeedError::Connect, error.to_string())
}
