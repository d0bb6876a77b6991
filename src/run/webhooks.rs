//! Webhooks: events go to receivers as signed POST requests, each again and again until it is taken.
//!
//! ```text
//! POST url
//! Content-Type: application/json
//! X-Meridian-Event: region_lost
//! X-Meridian-Delivery: 4711                the event's number: the same in every attempt
//! X-Meridian-Signature: sha256=HEX         HMAC-SHA256 of the body, RFC 2104
//!
//! {"seq":4711,"at":…,"kind":"region_lost",…}
//! ```
//!
//! Every receiver has a queue of its own, and in it every event its own pauses: neither a slow receiver nor an event that
//! is not taken holds up anything else. What is not taken after [`WEBHOOK_ATTEMPTS_MAX`] attempts is given up, loudly.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri, header};
use ring::hmac;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;

use crate::base::limits::{
    WEBHOOK_ANSWER_LEN_MAX, WEBHOOK_ATTEMPTS_MAX, WEBHOOK_FLIGHTS_MAX, WEBHOOK_PAUSE_MAX_MS, WEBHOOK_PAUSE_MS,
    WEBHOOK_QUEUE_MAX, WEBHOOK_TIMEOUT_MS,
};
use crate::config::Webhook;
use crate::probe::Roots;
use crate::run::exchange::exchange;
use crate::run::recorder::Listener;
use crate::serve::Stop;

/// Why a webhook can't be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Its secret can't be read.
    #[error("cannot read the secret of a webhook from {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The cryptography at hand speaks no TLS.
    #[error("cannot speak TLS to webhooks")]
    Tls(#[source] rustls::Error),
    /// A secret that could be guessed.
    #[error("the secret in {path} is too short: it has at least {SECRET_LEN_MIN} characters")]
    Short {
        /// The file.
        path: PathBuf,
    },
}

/// Characters below which a secret could be guessed.
const SECRET_LEN_MIN: usize = 16;

/// Starts a task for each webhook; they end with the service. What is returned takes events and never waits.
///
/// # Errors
/// [`WebhookError`].
pub(super) fn start(webhooks: &[Webhook], stop: &Stop) -> Result<Listener, WebhookError> {
    let mut queues = Vec::new();
    let roots = if webhooks.is_empty() { Roots::of([]) } else { Roots::system() };
    let tls = Arc::new(roots.client().map_err(WebhookError::Tls)?);
    for webhook in webhooks {
        let receiver = Arc::new(Target::new(webhook, &tls)?);
        let (queue, events) = mpsc::channel(WEBHOOK_QUEUE_MAX);
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = deliver(receiver, events) => {}
                () = stop.wait() => {}
            }
        });
        queues.push((webhook.clone(), queue));
    }
    Ok(Box::new(move |entry| {
        let kind = entry.event.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default();
        for (webhook, queue) in &queues {
            if !webhook.kinds.is_empty() && !webhook.kinds.iter().any(|wanted| wanted == kind) {
                continue;
            }
            let body = serde_json::to_vec(entry).unwrap_or_default();
            let event = Delivery { number: entry.seq, kind: kind.to_owned(), body: body.into(), attempts: 0 };
            match queue.try_send(event) {
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(_)) => {
                    tracing::error!(
                        url = webhook.url,
                        event = entry.seq,
                        "a webhook is too slow: an event is not sent"
                    );
                }
            }
        }
    }))
}

/// An event on its way.
#[derive(Clone, Debug)]
struct Delivery {
    number: u64,
    kind: String,
    body: Bytes,
    /// How often it was sent.
    attempts: u32,
}

/// Sends what comes until nobody sends anything any more.
async fn deliver(target: Arc<Target>, mut events: Receiver<Delivery>) {
    // By the moment of the next attempt and the number: no two are equal.
    let mut waiting: BTreeMap<(Instant, u64), Delivery> = BTreeMap::new();
    let mut flights: JoinSet<(Delivery, Result<(), String>)> = JoinSet::new();
    loop {
        while flights.len() < WEBHOOK_FLIGHTS_MAX
            && let Some(next) = waiting.first_entry()
            && next.key().0 <= Instant::now()
        {
            let (target, event) = (Arc::clone(&target), next.remove());
            flights.spawn(async move {
                let sent = target.send(&event).await;
                (event, sent)
            });
        }
        let next = waiting.keys().next().map(|(at, _)| *at).filter(|_| flights.len() < WEBHOOK_FLIGHTS_MAX);
        tokio::select! {
            event = events.recv(), if waiting.len() < WEBHOOK_QUEUE_MAX => match event {
                Some(event) => drop(waiting.insert((Instant::now(), event.number), event)),
                None => return,
            },
            Some(landed) = flights.join_next() => {
                // A task that panicked has been logged.
                if let Ok((event, Err(reason))) = landed {
                    again(&target, event, &reason, &mut waiting);
                }
            }
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
    }
}

/// Plans the next attempt of an event that was not taken.
fn again(target: &Target, mut event: Delivery, reason: &str, waiting: &mut BTreeMap<(Instant, u64), Delivery>) {
    event.attempts += 1;
    if event.attempts >= WEBHOOK_ATTEMPTS_MAX {
        tracing::error!(url = target.url, event = event.number, reason, "a webhook does not take an event: given up");
        return;
    }
    if event.attempts == 1 {
        tracing::warn!(url = target.url, event = event.number, reason, "a webhook did not take an event: trying again");
    }
    waiting.insert((Instant::now() + pause(event.attempts), event.number), event);
}

/// The pause after so many attempts.
fn pause(attempts: u32) -> Duration {
    let factor = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_millis(WEBHOOK_PAUSE_MS.saturating_mul(factor).min(WEBHOOK_PAUSE_MAX_MS))
}

/// A receiver.
struct Target {
    url: String,
    uri: Uri,
    key: hmac::Key,
    tls: Arc<ClientConfig>,
}

impl Target {
    fn new(webhook: &Webhook, tls: &Arc<ClientConfig>) -> Result<Self, WebhookError> {
        let path = &webhook.secret_file;
        let secret = std::fs::read_to_string(path).map_err(|error| WebhookError::Read { path: path.clone(), error })?;
        let secret = secret.trim();
        if secret.len() < SECRET_LEN_MIN {
            return Err(WebhookError::Short { path: path.clone() });
        }
        Ok(Self {
            url: webhook.url.clone(),
            // The settings are checked: it is a URL.
            uri: webhook.url.parse().unwrap_or_default(),
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            tls: Arc::clone(tls),
        })
    }

    async fn send(&self, event: &Delivery) -> Result<(), String> {
        let sent = timeout(Duration::from_millis(WEBHOOK_TIMEOUT_MS), self.exchange(event)).await;
        match sent.unwrap_or_else(|_| Err("no answer in time".into()))? {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answers {status}")),
        }
    }

    async fn exchange(&self, event: &Delivery) -> Result<StatusCode, String> {
        let host = self.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_tls = self.uri.scheme_str() == Some("https");
        let port = self.uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
        let request = self.request(event)?;
        if !is_tls {
            return post(stream, request).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
        post(stream, request).await
    }

    fn request(&self, event: &Delivery) -> Result<Request<Full<Bytes>>, String> {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path)
            .header(header::HOST, authority)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("meridian/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .header("x-meridian-event", &event.kind)
            .header("x-meridian-delivery", event.number)
            .header("x-meridian-signature", signature(&self.key, &event.body));
        request.body(Full::new(event.body.clone())).map_err(|error| error.to_string())
    }
}

/// `sha256=` and the HMAC of the body in hex.
fn signature(key: &hmac::Key, body: &[u8]) -> String {
    let mut text = String::from("sha256=");
    for octet in hmac::sign(key, body).as_ref() {
        // Writing to a string can't fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

/// What it says beside its status is read, so that it can end in peace, and forgotten.
async fn post<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    exchange(stream, request, WEBHOOK_ANSWER_LEN_MAX).await.map(|(status, _)| status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_signed() {
        // RFC 4231 §4.3, test case 2.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let signed = signature(&key, b"what do ya want for nothing?");
        assert_eq!(signed, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        assert_eq!(pause(1), Duration::from_millis(WEBHOOK_PAUSE_MS));
        assert_eq!(pause(2), 2 * pause(1));
        assert_eq!(pause(WEBHOOK_ATTEMPTS_MAX), Duration::from_millis(WEBHOOK_PAUSE_MAX_MS));
        assert_eq!(pause(200), Duration::from_millis(WEBHOOK_PAUSE_MAX_MS));
    }

    #[test]
    fn secrets_are_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let tls = Arc::new(Roots::of([]).client().unwrap());
        let webhook = Webhook { url: "http://127.0.0.1:1/".into(), kinds: Vec::new(), secret_file: path.clone() };
        assert!(matches!(Target::new(&webhook, &tls), Err(WebhookError::Read { .. })));
        std::fs::write(&path, "short\n").unwrap();
        assert!(matches!(Target::new(&webhook, &tls), Err(WebhookError::Short { .. })));
        std::fs::write(&path, "long enough, this is\n").unwrap();
        assert!(Target::new(&webhook, &tls).is_ok());
    }
}
