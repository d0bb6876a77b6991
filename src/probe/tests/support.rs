//! Checks from their text, and servers that do what a row says.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::base::diagnostic::Report;
use crate::health::{Observation, Verdict};
use crate::model::{self, Check, FeedError, Place};
use crate::probe::execute::Execution;
use crate::probe::lag::Lag;
use crate::probe::schedule::Execute as _;
use crate::probe::{Roots, Target};

pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// A timeout that nothing on loopback reaches.
pub(super) const PATIENT: &str = "interval = \"1h\"\ntimeout = \"1m\"";
/// A timeout that is to be reached.
pub(super) const SHORT: &str = "interval = \"1s\"\ntimeout = \"100ms\"";

/// The check that this text is, e.g. `http.port = 80`.
pub(super) fn check(text: &str) -> Arc<Check> {
    let text = format!("[checks.x]\n{text}\n");
    let mut report = Report::new();
    let model = model::read(&[(Arc::from("test.toml"), text)], &mut report);
    let model = model.unwrap_or_else(|| panic!("{}", report.render()));
    Arc::new(model.checks.into_iter().next().unwrap())
}

pub(super) fn target(id: u64, text: &str) -> Target {
    Target { id, check: check(text), address: LOOPBACK, wants: Arc::default() }
}

/// Executes checks once.
pub(super) struct Bench(Execution);

impl Bench {
    pub(super) fn new() -> Self {
        Self::trusting(Roots::of([]))
    }

    pub(super) fn trusting(roots: Roots) -> Self {
        let lag = Arc::new(Lag::new());
        let execution = Execution::new(&roots, Arc::clone(&lag));
        tokio::spawn(async move { lag.watch().await });
        Self(execution)
    }

    /// The outcome; on a machine so busy that it is excused, it is tried again.
    pub(super) async fn outcome(&self, text: &str) -> Observation {
        self.outcome_at(LOOPBACK, text).await
    }

    pub(super) async fn outcome_at(&self, address: IpAddr, text: &str) -> Observation {
        let target = Target { id: 1, check: check(text), address, wants: Arc::default() };
        loop {
            let outcome = self.0.execute(&target).await;
            if &*outcome.reason != "we were late" {
                return outcome;
            }
        }
    }

    /// The numbers found at these places of the answer, and whether it passes.
    pub(super) async fn finds(&self, text: &str, wants: &[Place]) -> (Verdict, Vec<Result<u64, FeedError>>) {
        let target = Target { wants: wants.into(), ..target(1, text) };
        let outcome = self.0.execute(&target).await;
        (outcome.verdict, outcome.fed.into_iter().map(|found| found.map_err(|miss| miss.kind)).collect())
    }

    /// Result and reason in a line.
    pub(super) async fn says(&self, text: &str) -> String {
        let outcome = self.outcome(text).await;
        line(&outcome)
    }
}

pub(super) fn line(outcome: &Observation) -> String {
    let warning = outcome.warning.as_ref().map_or_else(String::new, |warning| format!(" ({warning})"));
    format!("{}: {}{warning}", outcome.verdict.as_str(), outcome.reason)
}

#[derive(Clone, Copy)]
pub(super) enum Then {
    Close,
    Hold,
}

/// A server that reads a request to its empty line, writes `reply` and does `then`; its port.
pub(super) async fn replies(reply: impl Into<Vec<u8>>, then: Then) -> u16 {
    let reply = reply.into();
    serves(move |mut stream| {
        let reply = reply.clone();
        async move {
            head(&mut stream).await;
            let _ = stream.write_all(&reply).await;
            match then {
                Then::Close => {
                    let _ = stream.shutdown().await;
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                }
                Then::Hold => std::future::pending().await,
            }
        }
    })
    .await
}

/// What comes before the first empty line.
pub(super) async fn head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => read.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// A server that treats each connection so; its port.
pub(super) async fn serves<F: Future<Output = ()> + Send + 'static>(
    treat: impl Fn(TcpStream) -> F + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(treat(stream));
        }
    });
    port
}

/// A port that nobody listens on.
pub(super) async fn closed_port() -> u16 {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    listener.local_addr().unwrap().port()
}

pub(super) fn passed(reason: &str) -> Observation {
    Observation {
        verdict: Verdict::Pass,
        reason: reason.into(),
        warning: None,
        phases: Default::default(),
        fed: Vec::new(),
    }
}
