//! Asking a running server: one request over HTTP/1.1 to an admin listener.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;

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

/// The body of what `GET path` answers.
///
/// # Errors
/// [`AskError`]; also if the answer is no success.
pub fn get(address: SocketAddr, path: &str) -> Result<Value, AskError> {
    let answer = ask(address, Method::GET, path, None, None)?;
    if answer.status.is_success() {
        Ok(answer.body)
    } else {
        Err(AskError::Broken { address, reason: answer.reason() })
    }
}

/// One request, with a bearer token and a JSON body if there are any.
///
/// # Errors
/// [`AskError`]
pub fn ask(
    address: SocketAddr,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Result<Answer, AskError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| AskError::Unreachable { address, reason: error.to_string() })?;
    runtime.block_on(async {
        let asked = tokio::time::timeout(PATIENCE, exchange(address, method, path, token, body)).await;
        asked.unwrap_or_else(|_| Err(AskError::Broken { address, reason: "no answer within a minute".into() }))
    })
}

async fn exchange(
    address: SocketAddr,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Result<Answer, AskError> {
    let broken = |reason: String| AskError::Broken { address, reason };
    let stream = tokio::net::TcpStream::connect(address)
        .await
        .map_err(|error| AskError::Unreachable { address, reason: error.to_string() })?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(error.to_string()))?;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let bytes = body.map(ToString::to_string).unwrap_or_default();
    let request = request.body(Full::new(Bytes::from(bytes))).map_err(|error| broken(error.to_string()))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| broken(error.to_string()))?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(|error| broken(error.to_string()))?.to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&bytes).trim().to_owned());
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_else(|_| text()) })
    };
    tokio::pin!(exchange);
    tokio::pin!(connection);
    // The connection does the work of the exchange, and may end before it.
    tokio::select! {
        answer = &mut exchange => answer,
        _ = &mut connection => exchange.await,
    }
}

impl Answer {
    /// What the server says of a refusal, in a line.
    #[must_use]
    pub fn reason(&self) -> String {
        let words = ["detail", "title"].iter().find_map(|key| self.body.get(key)?.as_str().map(str::to_owned));
        words.or_else(|| self.body.as_str().map(str::to_owned)).unwrap_or_else(|| self.status.to_string())
    }
}
