//! One execution: the kind's own work within the deadline, and the excuse if the deadline was ours to miss.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::timeout_at;

use crate::health::Observation;
use crate::model::CheckKind;

use super::lag::Lag;
use super::outcome::{Miss, Progress, Seen, Target};
use super::schedule::Execute;
use super::tls::{Protocol, Roots, Tls};
use super::{dns, exec, grpc, http, icmp, tcp};

/// What all executions share.
#[derive(Debug)]
pub(super) struct Execution {
    tls: Tls,
    lag: Arc<Lag>,
    numbers: Numbers,
}

impl Execution {
    pub(super) fn new(roots: &Roots, lag: Arc<Lag>) -> Self {
        Self { tls: Tls::new(roots), lag, numbers: Numbers::default() }
    }

    async fn kind(&self, target: &Target, progress: &mut Progress) -> Seen {
        let (address, wants) = (target.address, &*target.wants);
        match &target.check.kind {
            CheckKind::Http(request) => {
                let stream = tcp::dial(address, request.port, progress).await?;
                http::exchange(stream, &http::Asked { check: request, address, default_port: 80, wants }, progress)
                    .await
                    .map(|()| None)
            }
            CheckKind::Https { request, certificate } => {
                let stream = tcp::dial(address, request.port, progress).await?;
                let host = crate::model::without_port(&request.host);
                let secured = self.tls.secure(stream, host, address, certificate, Protocol::Http1, progress).await?;
                let asked = http::Asked { check: request, address, default_port: 443, wants };
                http::exchange(secured.stream, &asked, progress).await?;
                Ok(secured.warning)
            }
            CheckKind::Tcp { port, send, expect } => tcp::probe(address, *port, send, expect, progress).await,
            CheckKind::Tls { port, host, certificate } => {
                let stream = tcp::dial(address, *port, progress).await?;
                self.tls.probe(stream, host, address, certificate, progress).await
            }
            CheckKind::Dns { port, name, rtype, rcodes } => {
                let query = dns::Query::new(self.numbers.next(), name, *rtype);
                dns::probe(address, *port, &query, rcodes, progress).await
            }
            CheckKind::Grpc { port, service, host, certificate } => {
                let stream = tcp::dial(address, *port, progress).await?;
                let Some(certificate) = certificate else {
                    let request = grpc::Request { scheme: "http", service, host, address, port: *port };
                    return Box::pin(grpc::exchange(stream, &request, progress)).await.map(|()| None);
                };
                let name = crate::model::without_port(host);
                let secured = self.tls.secure(stream, name, address, certificate, Protocol::Http2, progress).await?;
                let request = grpc::Request { scheme: "https", service, host, address, port: *port };
                Box::pin(grpc::exchange(secured.stream, &request, progress)).await?;
                Ok(secured.warning)
            }
            CheckKind::Icmp => icmp::probe(address, [self.numbers.next(), self.numbers.next()], progress).await,
            CheckKind::Exec { command } => exec::probe(command, address, progress).await,
        }
    }
}

impl Execute for Execution {
    async fn execute(&self, target: &Target) -> Observation {
        let timeout = target.check.timeout;
        let lag_before = self.lag.sum();
        let mut progress = Progress::start();
        let deadline = progress.start + timeout;
        let seen = timeout_at(deadline, self.kind(target, &mut progress)).await;
        let seen = seen.unwrap_or_else(|_| {
            let lag = self.lag.sum().saturating_sub(lag_before);
            Err(if Lag::excuses(lag, timeout) { Miss::inconclusive("we were late") } else { progress.timeout() })
        });
        progress.end(seen)
    }
}

/// Numbers that nobody outside can guess: the ids by which answers are told from forgeries.
#[derive(Debug, Default)]
struct Numbers {
    key: RandomState,
    count: AtomicU64,
}

impl Numbers {
    fn next(&self) -> u64 {
        self.key.hash_one(self.count.fetch_add(1, Ordering::Relaxed))
    }
}
