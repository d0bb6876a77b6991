//! A node of Meridian: where it is, how it is trusted, and one batch sent to it.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, pem};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::outbox::Sent;
use super::report::Batch;
use super::work::reasons;
use crate::base::limits::{AGENT_ANSWER_LEN_MAX, AGENT_TIMEOUT_MS};
use crate::probe::{Roots, beside};

const PATH: &str = "/api/v1/latency";
/// Who reports, so that it can be told from others in a server's log.
const AGENT: &str = concat!("Meridian/", env!("CARGO_PKG_VERSION"), " (agent)");

/// A node: the address of its admin listener, as `https://ns1.example.net:8053`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    host: String,
    port: u16,
    is_tls: bool,
}

/// Why a node can't be reported to.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The text is not where a node is.
    #[error("not a URL of a node such as https://ns1.example.net:8053")]
    Url,
    /// The file of authorities can't be read, or has none.
    #[error("cannot read certificates from {path}")]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: pem::Error,
    },
    /// The cryptography at hand speaks no TLS.
    #[error("cannot speak TLS to nodes")]
    Tls(#[source] rustls::Error),
    /// The file of the token can't be read.
    #[error("cannot read the token from {path}")]
    Token {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The file has no token that could be sent. What it has is secret, and not repeated.
    #[error("there is no token in {path}: a line of letters, digits and signs")]
    NoToken {
        /// The file.
        path: PathBuf,
    },
}

impl Node {
    /// True if the token does not go in clear to another machine.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.is_tls || self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// Sends a batch on a connection of its own.
    pub(super) async fn send(&self, batch: &Batch, trusted: &Trusted) -> Sent {
        let patience = Duration::from_millis(AGENT_TIMEOUT_MS);
        match tokio::time::timeout(patience, self.exchange(batch, trusted)).await {
            Err(_) => Sent::Failed("no answer in time".into(), None),
            Ok(Err(reason)) => Sent::Failed(reason, None),
            Ok(Ok((status, headers, body))) => judge(status, &headers, &body),
        }
    }

    async fn exchange(&self, batch: &Batch, trusted: &Trusted) -> Result<Answer, String> {
        let request = self.request(batch, trusted)?;
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| error.to_string())?;
        if !self.is_tls {
            return post(stream, request).await;
        }
        let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::clone(&trusted.tls));
        let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
        post(stream, request).await
    }

    fn request(&self, batch: &Batch, trusted: &Trusted) -> Result<Request<Full<Bytes>>, String> {
        // Read anew each time: a token that was exchanged is good at once.
        let token = token(&trusted.token_file).map_err(|error| format!("{error}: {}", reasons(&error)))?;
        let request = Request::post(PATH)
            .header(HOST, self.authority())
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "close")
            .header(AUTHORIZATION, format!("Bearer {token}"));
        request.body(Full::new(Bytes::from(batch.body.clone()))).map_err(|error| error.to_string())
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", if self.is_tls { "https" } else { "http" }, self.authority())
    }
}

impl FromStr for Node {
    type Err = NodeError;

    /// `https://HOST:PORT` or `http://HOST:PORT`, the port being that of the scheme if there is none.
    fn from_str(text: &str) -> Result<Self, NodeError> {
        let uri: Uri = text.parse().map_err(|_| NodeError::Url)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(NodeError::Url),
        };
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let is_bare = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
        let has_user = uri.authority().is_none_or(|authority| authority.as_str().contains('@'));
        if host.is_empty() || !is_bare || has_user || text.contains('#') {
            return Err(NodeError::Url);
        }
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Self { host: host.to_owned(), port, is_tls })
    }
}

/// Whom to trust, and how to be trusted.
#[derive(Clone, Debug)]
pub struct Trusted {
    tls: Arc<ClientConfig>,
    token_file: PathBuf,
}

impl Trusted {
    /// With the token of a file, and the authorities of a PEM file instead of the system's.
    ///
    /// # Errors
    /// [`NodeError`], also if there is no token now.
    pub fn new(token_file: &Path, authorities: Option<&Path>) -> Result<Self, NodeError> {
        token(token_file)?;
        let roots = match authorities {
            None => Roots::system(),
            Some(path) => {
                let failed = |error| NodeError::Roots { path: path.to_owned(), error };
                let read = CertificateDer::pem_file_iter(path).map_err(failed)?;
                let read = read.collect::<Result<Vec<_>, _>>().map_err(failed)?;
                if read.is_empty() {
                    return Err(failed(pem::Error::NoItemsFound));
                }
                Roots::of(read)
            }
        };
        let mut tls = roots.client().map_err(NodeError::Tls)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: Arc::new(tls), token_file: token_file.to_owned() })
    }
}

/// The token of a file: the last word of its first line that is no comment, so that a line of the server's own token file,
/// `name scope token`, can be copied as it is.
fn token(path: &Path) -> Result<String, NodeError> {
    let text = std::fs::read_to_string(path).map_err(|error| NodeError::Token { path: path.to_owned(), error })?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let word = lines.next().and_then(|line| line.split_whitespace().next_back());
    let word = word.filter(|word| word.bytes().all(|byte| byte.is_ascii_graphic()));
    word.map(str::to_owned).ok_or_else(|| NodeError::NoToken { path: path.to_owned() })
}

type Answer = (StatusCode, HeaderMap, Bytes);

async fn post<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, AGENT_ANSWER_LEN_MAX).collect().await;
        // The status decides; a body that can't be read says no more.
        Ok((head.status, head.headers, body.map(http_body_util::Collected::to_bytes).unwrap_or_default()))
    };
    beside(exchange, connection).await
}

/// What an answer means for the batch.
fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Sent {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = ["detail", "title"].iter().find_map(|key| body.get(key)?.as_str());
    let reason = words.map_or_else(|| format!("it answers {status}"), |words| format!("it answers {status}: {words}"));
    match status {
        status if status.is_success() => Sent::Taken,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Sent::Unauthorized(reason),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Sent::Failed(reason, retry_after(headers)),
        status if status.is_client_error() => Sent::Refused(reason),
        _ => Sent::Failed(reason, retry_after(headers)),
    }
}

/// In seconds, as our nodes say it; a date is as good as nothing.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_urls() {
        for (text, node) in [
            ("https://ns1.example.net", "https://ns1.example.net:443"),
            ("http://127.0.0.1:8053/", "http://127.0.0.1:8053"),
            ("https://[2001:db8::1]:8053", "https://[2001:db8::1]:8053"),
        ] {
            assert_eq!(text.parse::<Node>().unwrap().to_string(), node);
        }
        for text in [
            "ns1.example.net",
            "ftp://ns1",
            "https://ns1/api",
            "https://ns1?x",
            "https://",
            "https://me@ns1/",
            "ns1:53",
        ] {
            assert!(text.parse::<Node>().is_err(), "{text}");
        }
    }

    #[test]
    fn tokens_go_in_clear_to_this_machine_alone() {
        for (text, private) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://192.0.2.1", false),
            ("https://192.0.2.1", true),
        ] {
            assert_eq!(text.parse::<Node>().unwrap().is_private(), private, "{text}");
        }
    }

    #[test]
    fn tokens_are_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(matches!(token(&path), Err(NodeError::Token { .. })));
        for (text, expected) in [
            ("0123456789abcdef\n", Some("0123456789abcdef")),
            ("# agents\n\nfra-edge feed 0123456789abcdef\n", Some("0123456789abcdef")),
            ("", None),
            ("# nothing\n", None),
            ("schlüssel-für-alles\n", None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(token(&path).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn answers_are_judged() {
        let judged = |status: u16, retry: Option<&str>, body: &str| {
            let mut headers = HeaderMap::new();
            retry.map(|retry| headers.insert(RETRY_AFTER, retry.parse().unwrap()));
            judge(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
        };
        let failed = |reason: &str, seconds: Option<u64>| Sent::Failed(reason.into(), seconds.map(Duration::from_secs));
        assert_eq!(judged(200, None, "{}"), Sent::Taken);
        let refusal = Sent::Refused("it answers 422 Unprocessable Entity: no measurement was taken".into());
        assert_eq!(judged(422, None, r#"{"title":"x","detail":"no measurement was taken"}"#), refusal);
        assert_eq!(judged(413, None, ""), Sent::Refused("it answers 413 Payload Too Large".into()));
        assert_eq!(judged(401, None, ""), Sent::Unauthorized("it answers 401 Unauthorized".into()));
        assert_eq!(judged(403, None, ""), Sent::Unauthorized("it answers 403 Forbidden".into()));
        assert_eq!(judged(429, Some("30"), ""), failed("it answers 429 Too Many Requests", Some(30)));
        assert_eq!(judged(429, Some("soon"), ""), failed("it answers 429 Too Many Requests", None));
        assert_eq!(judged(503, None, "busy"), failed("it answers 503 Service Unavailable", None));
        assert_eq!(judged(302, None, ""), failed("it answers 302 Found", None));
    }
}
