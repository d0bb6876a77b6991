//! Who may do what: scopes, pace, the address of the browser's page, and what the journal is told about changes.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;

use crate::admin::auth::Scope;
use crate::admin::capped::CappedListener;
use crate::admin::problem::{Detail, problem, unavailable};
use crate::admin::routes::Admin;
use crate::base::limits::{ACCESS_REFUSED_MS, AUDIT_TEXT_LEN_MAX};
use crate::base::moment::Moment;
use crate::control::{Event, EventKind};

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, CappedListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, CappedListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Who asks, once that is known: the name of the token.
#[derive(Clone, Debug, Default)]
pub(super) struct Who(pub(super) Option<String>);

/// What a handler says about a change for the journal.
#[derive(Clone, Debug, Default)]
pub(super) struct Audit {
    /// What was to be done, in words: `drain fra`.
    pub(super) what: String,
    /// What it is about, where that is a target.
    pub(super) target: Option<String>,
    /// The service, where it is about one.
    pub(super) service: Option<String>,
    /// The region, where it is about one.
    pub(super) region: Option<String>,
    /// Why, as the operator says.
    pub(super) reason: String,
    /// Who wants it.
    pub(super) owner: Option<String>,
    /// When it ends.
    pub(super) until: Option<Moment>,
    /// Whoever does it tells the journal.
    pub(super) is_told: bool,
}

/// Reading is open on loopback, and elsewhere to every token. A wrong token is refused everywhere.
pub(super) async fn may_read(State(admin): State<Arc<Admin>>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let who = if headers.contains_key(header::AUTHORIZATION) {
        match bearer(&admin, headers) {
            Some((who, Scope::Read | Scope::Operate)) => who,
            Some((_, Scope::Feed)) => return problem(StatusCode::FORBIDDEN, "this token may feed, not read"),
            None => return unauthorized(),
        }
    } else if !admin.local {
        return unauthorized();
    } else if !is_here(headers) {
        let detail = "without a token this machine is asked by an address or as localhost: a page of another site may \
                      have been given our address";
        return problem(StatusCode::MISDIRECTED_REQUEST, detail);
    } else {
        Who::default()
    };
    request.extensions_mut().insert(who);
    next.run(request).await
}

/// Changes need a token that may operate, and have a pace. What is changed or refused is told to the journal.
pub(super) async fn may_change(State(admin): State<Arc<Admin>>, mut request: Request, next: Next) -> Response {
    if !admin.pace.allows_client(peer(&request), Instant::now()) {
        return too_fast();
    }
    let who = match bearer(&admin, request.headers()) {
        Some((who, Scope::Operate)) => who,
        Some((who, scope @ (Scope::Read | Scope::Feed))) => {
            let (name, may) = (who.0.unwrap_or_default(), if scope == Scope::Read { "read" } else { "feed" });
            refused_access(&admin, &request, &format!("the token of {name} may only {may}"));
            return problem(StatusCode::FORBIDDEN, format!("this token may {may}, not operate"));
        }
        None => {
            let given = request.headers().contains_key(header::AUTHORIZATION);
            refused_access(&admin, &request, if given { "a wrong token" } else { "no token" });
            return unauthorized();
        }
    };
    // Only whoever may change something takes from what all may together.
    if !admin.pace.allows_one_more(Instant::now()) {
        return too_fast();
    }
    request.extensions_mut().insert(who.clone());
    // A client that hangs up ends its request, but not what it has begun: the journal is told of every change.
    tokio::spawn(async move { audited(&admin, who, next, request).await }).await.unwrap_or_else(|_| unavailable())
}

/// Readings need a token that may feed or operate, and have a pace of their own. They are no changes: the journal is told
/// of those alone that cannot be meant.
pub(super) async fn may_feed(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let now = Instant::now();
    if !admin.feeding.allows_client(peer(&request), now) {
        return too_fast();
    }
    match bearer(&admin, request.headers()) {
        Some((_, Scope::Feed | Scope::Operate)) => {}
        Some((who, Scope::Read)) => {
            let name = who.0.unwrap_or_default();
            refused_access(&admin, &request, &format!("the token of {name} may only read"));
            return problem(StatusCode::FORBIDDEN, "this token may read, not feed");
        }
        None => {
            let given = request.headers().contains_key(header::AUTHORIZATION);
            refused_access(&admin, &request, if given { "a wrong token" } else { "no token" });
            return unauthorized();
        }
    }
    if admin.feeding.allows_one_more(now) { next.run(request).await } else { too_fast() }
}

/// Does what is asked, and tells the journal.
async fn audited(admin: &Admin, who: Who, next: Next, request: Request) -> Response {
    let asked = request.uri().path().trim_start_matches("/api/v1/").to_owned();
    let mut response = next.run(request).await;
    let audit = response.extensions_mut().remove::<Audit>();
    let audit = audit.unwrap_or_else(|| Audit { what: asked, owner: who.0, ..Audit::default() });
    let status = response.status();
    if audit.is_told {
        return response;
    }
    if status.is_success() {
        admin.operations.note(event(EventKind::ChangeMade, admin.operations.now(), audit, None));
    } else if status.is_client_error() {
        let why = response.extensions().get::<Detail>().map(|Detail(why)| why.clone());
        admin.operations.note(event(EventKind::ChangeRefused, admin.operations.now(), audit, why));
    }
    response
}

/// What changes nothing but is work: it has a pace of its own, like that of changes.
pub(super) async fn paced(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    if may_think(&admin, peer(&request)) { next.run(request).await } else { too_fast() }
}

/// Whether a client may have one more thing thought about now.
pub(super) fn may_think(admin: &Admin, client: IpAddr) -> bool {
    let now = Instant::now();
    admin.thinking.allows_client(client, now) && admin.thinking.allows_one_more(now)
}

pub(super) fn too_fast() -> Response {
    let mut refusal = problem(StatusCode::TOO_MANY_REQUESTS, "too much is asked for: wait a second");
    refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    refusal
}

/// Who bears a token that the file has, and what it may do.
fn bearer(admin: &Admin, headers: &HeaderMap) -> Option<(Who, Scope)> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let tokens = admin.doors.tokens()?;
    let bearer = tokens.bearer(given)?;
    Some((Who(bearer.name.map(str::to_owned)), bearer.scope))
}

/// True if the request was meant for this machine. A page of another site may resolve its own name to loopback; it
/// cannot make the browser say another name than that. Nor can it keep the browser from saying whose page asks.
fn is_here(headers: &HeaderMap) -> bool {
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return false;
    }
    // HTTP/1.0 knows no names.
    let Some(host) = headers.get(header::HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(v6) => return v6.split(']').next().is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok()),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost") || name.ends_with(".localhost")
}

fn unauthorized() -> Response {
    let detail = "a bearer token is needed: Authorization: Bearer TOKEN (admin.token_file names the file that has it)";
    let mut refusal = problem(StatusCode::UNAUTHORIZED, detail);
    refusal.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refusal
}

fn peer(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    peer.map_or(IpAddr::from([0; 4]), |ConnectInfo(Peer(address))| address.ip())
}

/// Refusals that the journal was not told of, and when it was told last.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<(Option<Instant>, usize)>);

impl Refusals {
    /// Counts a refusal; how many there were since the journal was told, if it is time to tell it.
    fn count(&self, now: Instant) -> Option<usize> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        let pause = Duration::from_millis(ACCESS_REFUSED_MS);
        if state.0.is_some_and(|last| now.saturating_duration_since(last) < pause) {
            return None;
        }
        state.0 = Some(now);
        Some(std::mem::take(&mut state.1))
    }
}

fn refused_access(admin: &Admin, request: &Request, why: &str) {
    let (client, path) = (peer(request), request.uri().path());
    tracing::warn!(%client, path, why, "a change was refused");
    if let Some(count) = admin.refusals.count(Instant::now()) {
        let cause = format!("{why}, from {client}, for {path}");
        let mut event = Event::new(admin.operations.now(), EventKind::AccessRefused, cause);
        event.count = count;
        admin.operations.note(event);
    }
}

/// What the journal is told.
fn event(kind: EventKind, at: Moment, audit: Audit, refusal: Option<String>) -> Event {
    let Audit { what, target, service, region, reason, owner, until, is_told: _ } = audit;
    let reason = if reason.is_empty() { reason } else { format!(" ({reason})") };
    let refusal = refusal.map_or_else(String::new, |refusal| format!(": {refusal}"));
    let mut event = Event::new(at, kind, bounded(format!("{what}{reason}{refusal}")));
    event.target = target.map(bounded);
    event.service = service.map(bounded);
    event.region = region.map(bounded);
    event.owner = owner.map(bounded);
    event.until = until;
    event
}

/// A text of a stranger, cut where it becomes a document.
fn bounded(mut text: String) -> String {
    if text.len() > AUDIT_TEXT_LEN_MAX {
        let end = (0..=AUDIT_TEXT_LEN_MAX).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

/// What every answer says to browsers: scripts, styles and connections of this server alone, no frame around it, no
/// guessing of types, no address of it told to others. There is no CORS header: pages of other sites read nothing.
const SECURITY: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Adds what every answer says.
pub(super) async fn secured(request: Request, next: Next) -> impl IntoResponse {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What is served is how things are at this moment, unless a route says more.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_names_are_here() {
        for (host, here) in [
            (Some("localhost:8053"), true),
            (Some("LOCALHOST"), true),
            (Some("127.0.0.1:8053"), true),
            (Some("[::1]:8053"), true),
            (Some("[::1]"), true),
            (Some("192.0.2.1"), true),
            (Some("demo.localhost:1"), true),
            (Some("evil.example:8053"), false),
            (Some("localhost.evil.example"), false),
            (Some("[evil.example]"), false),
            (Some(""), false),
            (None, true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(header::HOST, host.parse().unwrap());
            }
            assert_eq!(is_here(&headers), here, "{host:?}");
            headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
            assert_eq!(is_here(&headers), here, "{host:?}");
            headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
            assert!(!is_here(&headers), "{host:?}");
        }
    }

    #[test]
    fn refusals_are_told_now_and_then() {
        let refusals = Refusals::default();
        let start = Instant::now();
        assert_eq!(refusals.count(start), Some(1));
        assert_eq!((0..5).filter_map(|_| refusals.count(start)).count(), 0);
        assert_eq!(refusals.count(start + Duration::from_millis(ACCESS_REFUSED_MS)), Some(6));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(bounded("short".into()), "short");
        let cut = bounded("ä".repeat(AUDIT_TEXT_LEN_MAX));
        assert!(cut.ends_with('…') && cut.len() <= AUDIT_TEXT_LEN_MAX + 3);
    }
}
