//! `POST /beacon`, and the preflight that browsers send before it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    CONNECTION, HOST, ORIGIN, RETRY_AFTER, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::IncomingStream;
use tokio::net::TcpListener;

use super::client::{client, is_listed, is_ours};
use super::document::read;
use super::listener::BriefListener;
use super::pace::Pace;
use crate::agent::prefix::Prefix;
use crate::agent::tally::{Medians, Tally};
use crate::base::limits::BEACON_LEN_MAX;
use crate::latency::ClientNetwork;

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Seconds for which a browser need not ask again if it may.
const PREFLIGHT_S: HeaderValue = HeaderValue::from_static("86400");

/// Where browsers tell what they have measured, and what they may tell.
#[derive(Clone, Debug)]
pub struct Beacons {
    /// Where to listen, over HTTP in clear.
    pub listen: SocketAddr,
    /// The regions that may be told of, by key.
    pub regions: Vec<String>,
    /// Networks of web servers in front, which tell in `X-Forwarded-For` for whom they speak.
    pub proxies: Vec<Prefix>,
    /// Origins whose pages may send beacons to another host than their own.
    pub origins: Vec<String>,
    /// If this host itself is taken for a client: else that is a web server in front, whose network nobody named.
    pub loopback: bool,
}

/// What was told since it was taken last; clones count together.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Counter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    beacons: Beacons,
    counted: Mutex<(Pace, Tally)>,
}

impl Beacons {
    /// Listens. What is returned counts; the future serves for as long as it is waited for.
    ///
    /// # Errors
    /// If the address can't be listened on.
    pub(in crate::agent) async fn bind(self) -> io::Result<(Counter, impl Future<Output = ()>)> {
        let listener = TcpListener::bind(self.listen).await?;
        tracing::info!(transport = "http", address = %listener.local_addr()?, "listening");
        let counted = Mutex::new((Pace::new(Instant::now()), Tally::default()));
        let counter = Counter(Arc::new(Shared { beacons: self, counted }));
        let router = Router::new()
            .route("/beacon", post(take).options(preflight))
            .layer(from_fn(closing))
            .with_state(counter.clone());
        let service = router.into_make_service_with_connect_info::<Peer>();
        let serving = async {
            // It ends with nobody waiting for it, and has no errors.
            let _ = axum::serve(BriefListener::new(listener), service).await;
        };
        Ok((counter, serving))
    }
}

impl Counter {
    /// The medians of the `most` networks and regions with most beacons.
    pub(in crate::agent) fn take(&self, most: usize) -> Medians {
        self.0.counted.lock().unwrap_or_else(PoisonError::into_inner).1.take(most)
    }

    /// The regions that medians are of.
    pub(in crate::agent) fn regions(&self) -> &[String] {
        &self.0.beacons.regions
    }
}

/// Who has connected.
#[derive(Clone, Copy, Debug)]
struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, BriefListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, BriefListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A connection carries one request: there is seldom a second, and places are few.
async fn closing(request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn take(
    State(counter): State<Counter>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Beacons { regions, proxies, origins, loopback, .. } = &counter.0.beacons;
    let taken = async {
        if !is_ours(word(&headers, ORIGIN), word(&headers, HOST), origins) {
            return Err(refuse(StatusCode::FORBIDDEN, "a page of another origin"));
        }
        let forwarded = headers.get_all(FORWARDED);
        let forwarded: Vec<&str> = forwarded.iter().map(|value| value.to_str().unwrap_or_default()).collect();
        let client = client(peer.ip(), forwarded.into_iter(), proxies);
        let client = client.filter(|client| *loopback || !client.is_loopback());
        let network = client.and_then(ClientNetwork::of);
        let network = network.ok_or_else(|| refuse(StatusCode::BAD_REQUEST, "whose beacon is it?"))?;
        let body = to_bytes(body, BEACON_LEN_MAX).await;
        let body = body.map_err(|_| refuse(StatusCode::PAYLOAD_TOO_LARGE, "more than 2048 octets"))?;
        let mut counted = counter.0.counted.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever sends nonsense has no more tries than others.
        counted.0.count(Instant::now(), network).map_err(busy)?;
        let measured = read(&body, regions);
        let measured = measured.map_err(|refusal| refuse(StatusCode::UNPROCESSABLE_ENTITY, &refusal.to_string()))?;
        measured.into_iter().for_each(|(region, us)| counted.1.count(network, region, us));
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    let mut response = taken.await.unwrap_or_else(|refusal| refusal);
    allow(&headers, origins, &mut response);
    response
}

async fn preflight(State(counter): State<Counter>, headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if allow(&headers, &counter.0.beacons.origins, &mut response) {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
        headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_S);
    }
    response
}

/// Tells a browser that pages of its origin may do this, if it is listed. True: they may.
fn allow(asked: &HeaderMap, origins: &[String], response: &mut Response) -> bool {
    response.headers_mut().insert(VARY, HeaderValue::from_static("origin"));
    let origin = asked.get(ORIGIN).filter(|origin| origin.to_str().is_ok_and(|origin| is_listed(origin, origins)));
    if let Some(origin) = origin {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    origin.is_some()
}

fn word(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    (status, format!("{reason}\n")).into_response()
}

fn busy(wait: Duration) -> Response {
    let seconds = wait.as_secs().saturating_add(1).to_string();
    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds)], "too many beacons\n").into_response()
}
