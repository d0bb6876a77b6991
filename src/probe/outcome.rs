//! What is probed and what came of it.

use std::borrow::Cow;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::base::limits;
use crate::health::{Observation, Phases, Verdict};
use crate::model::{Check, FeedMiss, Place};

/// One thing to probe: a rule and an address. Identical ones of several services are one target.
#[derive(Clone, Debug)]
pub struct Target {
    /// Given by the caller; the same target keeps it for the life of the process.
    pub id: u64,
    /// The rule.
    pub check: Arc<Check>,
    /// What is probed.
    pub address: IpAddr,
    /// Numbers that load feeds want from the answer; only HTTP has them.
    pub wants: Arc<[Place]>,
}

impl Target {
    /// True if probing `other` is probing the same thing: where the check stands, and what its outcomes are worth
    /// (`fall`, `rise`, `retry`), may differ.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let rule = |target: &Self| (target.id, target.address, target.check.interval, target.check.timeout);
        rule(self) == rule(other) && self.check.kind == other.check.kind && self.wants == other.wants
    }
}

/// How a kind of check reports: a warning, if any, or why it did not pass.
pub(super) type Seen = Result<Option<Arc<str>>, Miss>;

/// Why an execution did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Miss {
    pub(super) verdict: Verdict,
    pub(super) reason: Cow<'static, str>,
}

impl Miss {
    /// The other end's doing.
    pub(super) fn fail(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { verdict: Verdict::Fail, reason: reason.into() }
    }

    /// Ours.
    pub(super) fn inconclusive(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { verdict: Verdict::Inconclusive, reason: reason.into() }
    }

    /// An error of a socket.
    ///
    /// | error | verdict | reason |
    /// |---|---|---|
    /// | EMFILE, ENFILE | inconclusive | too many open files |
    /// | ENOBUFS, ENOMEM | inconclusive | out of memory |
    /// | ENETUNREACH, EAFNOSUPPORT; EINVAL: a black hole, a scope that is missing | inconclusive | no route |
    /// | EADDRNOTAVAIL | inconclusive | no source address |
    /// | EACCES, EPERM | inconclusive | no permission |
    /// | ECONNREFUSED | fail | refused |
    /// | EHOSTUNREACH: a router, or nobody at the address, said so | fail | unreachable |
    /// | ECONNRESET, EPIPE, ECONNABORTED | fail | connection reset |
    /// | end of data | fail | connection closed |
    /// | anything else | fail | its words |
    pub(super) fn socket(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => return Self::inconclusive("too many open files"),
            Some(libc::ENOBUFS | libc::ENOMEM) => return Self::inconclusive("out of memory"),
            Some(libc::ENETUNREACH | libc::EAFNOSUPPORT | libc::EINVAL) => return Self::inconclusive("no route"),
            Some(libc::EADDRNOTAVAIL) => return Self::inconclusive("no source address"),
            Some(libc::EACCES | libc::EPERM) => return Self::inconclusive("no permission"),
            Some(libc::EHOSTUNREACH) => return Self::fail("unreachable"),
            Some(libc::ETIMEDOUT) => return Self::fail("timeout (connect)"),
            _ => {}
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum of forty kinds")]
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::fail("refused"),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Self::fail("connection reset")
            }
            io::ErrorKind::UnexpectedEof => Self::fail("connection closed"),
            _ => Self::fail(bounded(&error.to_string())),
        }
    }
}

/// A text from outside as part of a reason: one line without control characters, not too long.
pub(super) fn bounded(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    line.chars().filter(|c| !c.is_control()).take(limits::PROBE_REASON_LEN_MAX).collect()
}

/// What an execution waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connect,
    Tls,
    FirstByte,
    Body,
    Answer,
    Exit,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "timeout (connect)",
            Self::Tls => "timeout (tls)",
            Self::FirstByte => "timeout (first byte)",
            Self::Body => "timeout (body)",
            Self::Answer => "timeout (no answer)",
            Self::Exit => "timeout (still running)",
        }
    }
}

/// How far an execution has come. It outlives the execution that is cut off by its deadline.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) start: Instant,
    stage: Stage,
    phases: Phases,
    fed: Vec<Result<u64, FeedMiss>>,
}

impl Progress {
    pub(super) fn start() -> Self {
        Self { start: Instant::now(), stage: Stage::Connect, phases: Phases::default(), fed: Vec::new() }
    }

    /// What is waited for from here on.
    pub(super) fn waits_for(&mut self, stage: Stage) {
        self.stage = stage;
    }

    /// The connection is open.
    pub(super) fn connected(&mut self) {
        self.phases.connect = Some(self.start.elapsed());
        self.stage = Stage::FirstByte;
    }

    /// The TLS handshake is done.
    pub(super) fn secured(&mut self) {
        self.phases.tls = Some(self.start.elapsed());
        self.stage = Stage::FirstByte;
    }

    /// The answer begins.
    pub(super) fn answered(&mut self) {
        self.phases.first_byte = Some(self.start.elapsed());
        self.stage = Stage::Body;
    }

    /// These numbers were found in the answer.
    pub(super) fn found(&mut self, fed: Vec<Result<u64, FeedMiss>>) {
        self.fed = fed;
    }

    /// What the other end did not do in time.
    pub(super) fn timeout(&self) -> Miss {
        Miss::fail(self.stage.as_str())
    }

    /// The outcome of an execution that ends now.
    pub(super) fn end(mut self, seen: Seen) -> Observation {
        self.phases.total = self.start.elapsed();
        let Self { phases, fed, .. } = self;
        match seen {
            Ok(warning) => Observation { verdict: Verdict::Pass, reason: "ok".into(), warning, phases, fed },
            Err(Miss { verdict, reason }) => Observation { verdict, reason: reason.into(), warning: None, phases, fed },
        }
    }
}
