//! Asking a running server: one request over HTTP/1.1 to an admin listener, in clear or under TLS.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::admin::{TlsError, certificates};
use crate::probe::Trust;
use crate::run::exchange::exchange;

/// Longer than any answer takes, a reload of a million names among them.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body; a string if it is not JSON.
    pub body: Value,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error("cannot reach the server at {address} (is `meridian serve` running with this configuration?): {reason}")]
    Unreachable {
        /// The admin listener.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// Whoever listens there does not answer as a server does.
    #[error("the server at {address} did not answer as expected: {reason}")]
    Broken {
        /// The admin listener.
        address: SocketAddr,
        /// What went wrong.
        reason: String,
    },
}

/// Where a server is asked.
#[derive(Clone, Debug)]
pub struct Place {
    /// The admin listener.
    pub address: SocketAddr,
    /// The file of its certificate, if it speaks TLS: that one is trusted, and no other.
    pub certificate: Option<PathBuf>,
}

/// A body that is sent.
#[derive(Clone, Copy, Debug)]
pub enum Content<'c> {
    /// JSON.
    Json(&'c Value),
    /// A table as text.
    Table(&'c str),
}

/// The body of what `GET path` answers, over HTTP in clear.
///
/// # Errors
/// [`AskError`]; also if the answer is no success.
pub fn get(address: SocketAddr, path: &str) -> Result<Value, AskError> {
    let answer = ask(&Place { address, certificate: None }, Method::GET, path, None, None)?;
    if answer.status.is_success() {
        Ok(answer.body)
    } else {
        Err(AskError::Broken { address, reason: answer.reason() })
    }
}

/// One request, with a bearer token and a body if there are any.
///
/// # Errors
/// [`AskError`]
pub fn ask(
    place: &Place,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<Content<'_>>,
) -> Result<Answer, AskError> {
    let address = place.address;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| AskError::Unreachable { address, reason: error.to_string() })?;
    runtime.block_on(async {
        let asked = tokio::time::timeout(PATIENCE, connect(place, request(address, method, path, token, body)?)).await;
        asked.unwrap_or_else(|_| Err(AskError::Broken { address, reason: "no answer within a minute".into() }))
    })
}

fn request(
    address: SocketAddr,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<Content<'_>>,
) -> Result<Request<Full<Bytes>>, AskError> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let (kind, bytes) = match body {
        None => (None, String::new()),
        Some(Content::Json(body)) => (Some("application/json"), body.to_string()),
        Some(Content::Table(body)) => (Some("text/csv"), body.to_owned()),
    };
    if let Some(kind) = kind {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let request = request.body(Full::new(Bytes::from(bytes)));
    request.map_err(|error| AskError::Broken { address, reason: error.to_string() })
}

async fn connect(place: &Place, request: Request<Full<Bytes>>) -> Result<Answer, AskError> {
    let address = place.address;
    let broken = |reason: String| AskError::Broken { address, reason };
    let stream = tokio::net::TcpStream::connect(address)
        .await
        .map_err(|error| AskError::Unreachable { address, reason: error.to_string() })?;
    let Some(certificate) = &place.certificate else { return answered(address, stream, request).await };
    let told = |error: &dyn Error| {
        let reason = error.source().map_or(String::new(), |source| format!(": {source}"));
        format!("{error}{reason}")
    };
    let trust = trust(certificate).map_err(|error| broken(told(&error)))?;
    let connector = TlsConnector::from(Arc::new(config(trust).map_err(|error| broken(error.to_string()))?));
    let name = ServerName::IpAddress(address.ip().into());
    let stream = connector.connect(name, stream).await.map_err(|error| broken(error.to_string()))?;
    answered(address, stream, request).await
}

async fn answered<S>(address: SocketAddr, stream: S, request: Request<Full<Bytes>>) -> Result<Answer, AskError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Whoever asks knows whom: the answer may be long.
    let answered = exchange(stream, request, usize::MAX).await;
    let (status, bytes) = answered
        .and_then(|(status, body)| Ok((status, body?)))
        .map_err(|reason| AskError::Broken { address, reason })?;
    let text = || Value::String(String::from_utf8_lossy(&bytes).trim().to_owned());
    Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_else(|_| text()) })
}

/// Trusts the certificate of one file, whatever names it is for and whoever signed it: whoever asks has the file.
fn trust(path: &Path) -> Result<Trust, TlsError> {
    let only = certificates(path)?.into_iter().next();
    let only = only.ok_or_else(|| TlsError::Empty { path: path.to_owned() })?;
    Ok(Trust { only: Some(only), provider: Arc::new(ring::default_provider()) })
}

fn config(trust: Trust) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(&trust.provider));
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(trust)).with_no_client_auth())
}

impl Answer {
    /// What the server says of a refusal, in a line.
    #[must_use]
    pub fn reason(&self) -> String {
        let words = ["detail", "title"].iter().find_map(|key| self.body.get(key)?.as_str().map(str::to_owned));
        words.or_else(|| self.body.as_str().map(str::to_owned)).unwrap_or_else(|| self.status.to_string())
    }
}
