//! The data centres of the demo: one HTTP server each, that can be killed.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::signal::unix::{SignalKind, signal};

use super::DemoError;

/// All data centres.
#[derive(Debug)]
pub struct Centers(Vec<Arc<Center>>);

/// One data centre.
#[derive(Debug)]
pub struct Center {
    /// Its key in the region file.
    pub key: String,
    /// Its name for people.
    pub label: String,
    /// Where it listens.
    pub address: SocketAddr,
    dead: AtomicBool,
    served: AtomicU64,
}

/// Key, name and address of each.
pub(super) const CENTERS: [(&str, &str, Ipv4Addr); 3] = [
    ("fra", "Frankfurt", Ipv4Addr::new(127, 0, 1, 1)),
    ("iad", "Ashburn", Ipv4Addr::new(127, 0, 2, 1)),
    ("sin", "Singapore", Ipv4Addr::new(127, 0, 3, 1)),
];

impl Centers {
    /// Binds and serves all of them, on a thread of their own, until the process ends.
    ///
    /// # Errors
    /// [`DemoError::Center`] if an address is taken, [`DemoError::System`] if there is no thread.
    pub(super) fn start(port: u16) -> Result<Self, DemoError> {
        let mut listeners = Vec::new();
        let mut centers = Vec::new();
        for (key, label, ip) in CENTERS {
            let address = SocketAddr::from((ip, port));
            let failed = |error| DemoError::Center { address, error };
            let listener = TcpListener::bind(address).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            listeners.push(listener);
            centers.push(Arc::new(Center::new(key, label, address)));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served: Vec<(TcpListener, Arc<Center>)> =
            listeners.into_iter().zip(centers.iter().map(Arc::clone)).collect();
        thread::Builder::new().name("demo-centers".into()).spawn(move || {
            runtime.block_on(async {
                let mut all = tokio::task::JoinSet::new();
                for (listener, center) in served {
                    all.spawn(async move {
                        let listener = tokio::net::TcpListener::from_std(listener)?;
                        axum::serve(listener, router(center)).await
                    });
                }
                while all.join_next().await.is_some() {}
            });
        })?;
        Ok(Self(centers))
    }

    /// By number, from 1, or by key.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<&Center> {
        let by_number = word.parse::<usize>().ok().and_then(|number| self.0.get(number.checked_sub(1)?));
        by_number.or_else(|| self.0.iter().find(|center| center.key == word)).map(AsRef::as_ref)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Center> {
        self.0.iter().map(AsRef::as_ref)
    }
}

impl Center {
    fn new(key: &str, label: &str, address: SocketAddr) -> Self {
        let (dead, served) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { key: key.into(), label: label.into(), address, dead, served }
    }

    /// If it was killed.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Requests of visitors it has answered; health checks do not count.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Kills it, or revives it; says which.
    pub(super) fn toggle(&self) -> String {
        let dead = !self.is_dead();
        self.set_dead(dead)
    }

    fn set_dead(&self, dead: bool) -> String {
        self.dead.store(dead, Ordering::Relaxed);
        let what = if dead { "is dead: it answers 503" } else { "lives again" };
        format!("{} {what}", self.label)
    }
}

/// Serves one data centre alone until SIGTERM or SIGINT, e.g. in a container of its own. `label` is its name for people.
///
/// # Errors
/// [`DemoError::Center`] if the address is taken, [`DemoError::System`] if there is no thread or no signal.
pub fn serve_center(label: &str, address: SocketAddr) -> Result<(), DemoError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let failed = |error| DemoError::Center { address, error };
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
        let center = Arc::new(Center::new(label, label, listener.local_addr()?));
        let end = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        Ok(axum::serve(listener, router(center)).with_graceful_shutdown(end).await?)
    })
}

fn router(center: Arc<Center>) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/kill", get(async |State(center): State<Arc<Center>>| center.set_dead(true) + "\n"))
        .route("/revive", get(async |State(center): State<Arc<Center>>| center.set_dead(false) + "\n"))
        .fallback(get(page))
        .with_state(center)
}

async fn health(State(center): State<Arc<Center>>) -> Response {
    if center.is_dead() { (StatusCode::SERVICE_UNAVAILABLE, "dead\n").into_response() } else { "ok\n".into_response() }
}

async fn page(State(center): State<Arc<Center>>) -> Response {
    if center.is_dead() {
        return (StatusCode::SERVICE_UNAVAILABLE, "dead\n").into_response();
    }
    center.served.fetch_add(1, Ordering::Relaxed);
    format!("Hello from {}\n", center.label).into_response()
}
