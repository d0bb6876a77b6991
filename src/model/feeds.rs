//! Load feeds: where numbers about regions and endpoints come from, and which of them are taken.
//!
//! Numbers are kept in thousandths, so that everything behind a feed reckons with whole numbers.

use std::sync::Arc;
use std::time::Duration;

use crate::base::ids::CheckId;

/// The load itself: what is compared with `target` and `max`.
pub const METRIC_LOAD: &str = "load";
/// What the load should not exceed, as the source says.
pub const METRIC_TARGET: &str = "target";
/// What the load can be at most, as the source says.
pub const METRIC_MAX: &str = "max";
/// Open connections of an endpoint.
pub const METRIC_CONNECTIONS: &str = "connections";
/// Milliseconds an endpoint takes to answer.
pub const METRIC_RESPONSE_MS: &str = "response_ms";
/// What an endpoint sends, in bits a second.
pub const METRIC_BANDWIDTH: &str = "bandwidth";

/// A source of numbers about one region or one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// How its readings come.
    pub way: FeedWay,
    /// What is taken from a document, each metric once; empty where the way says it all.
    pub picks: Vec<Pick>,
    /// How often a reading is expected.
    pub every: Duration,
    /// How long a value is trusted; at least `every`.
    pub max_age: Duration,
}

/// How readings come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FeedWay {
    /// A document is fetched over HTTP.
    Pull {
        /// `http://` or `https://`.
        url: String,
    },
    /// An agent in the way of HAProxy says how much of a server is free.
    Agent {
        /// `host:port`.
        address: String,
    },
    /// Whoever has a token for it tells them.
    Push,
    /// They stand in the answer to a health check over HTTP.
    Check(CheckId),
}

/// One number of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pick {
    /// What it is called.
    pub metric: Arc<str>,
    /// Where it stands.
    pub place: Place,
}

/// Where a number stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a JSON document, by a JSON pointer (RFC 6901); empty: the document is the number.
    Json(String),
    /// In the text format of Prometheus.
    Series(Series),
    /// In a header field of an HTTP answer.
    Header(String),
}

/// Which series of a Prometheus text are meant: the sum of all that have this name and these labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// The name of the metric.
    pub name: String,
    /// Labels and their values; others may stand beside them.
    pub labels: Vec<(String, String)>,
}

/// Whether something has a feed of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LoadFeed {
    /// None. For a region the feeds of its endpoints count, and without these our own answers.
    #[default]
    Nothing,
    /// This one.
    Feed(Arc<Feed>),
}

impl LoadFeed {
    /// The feed, if there is one.
    #[must_use]
    pub const fn feed(&self) -> Option<&Arc<Feed>> {
        match self {
            Self::Nothing => None,
            Self::Feed(feed) => Some(feed),
        }
    }
}

impl Feed {
    /// How long a value is as good as new: one reading may be missing.
    #[must_use]
    pub fn fresh_for(&self) -> Duration {
        self.every.saturating_mul(2).min(self.max_age)
    }

    /// True if its readings may have this metric.
    #[must_use]
    pub fn tells(&self, metric: &str) -> bool {
        match self.way {
            FeedWay::Pull { .. } | FeedWay::Check(_) => self.picks.iter().any(|pick| &*pick.metric == metric),
            FeedWay::Agent { .. } => [METRIC_LOAD, METRIC_MAX].contains(&metric),
            FeedWay::Push => true,
        }
    }

    /// True if a value of the one means the same as a value of the other.
    #[must_use]
    pub fn means_the_same(&self, other: &Self) -> bool {
        let same_way = match (&self.way, &other.way) {
            // Numbers of checks are another model's.
            (FeedWay::Check(_), FeedWay::Check(_)) => true,
            (one, other) => one == other,
        };
        same_way && self.picks == other.picks
    }
}

impl FeedWay {
    /// Every word of [`FeedWay::as_str`].
    pub const WORDS: [&'static str; 4] = ["pull", "agent", "push", "check"];

    /// The word used in the API.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pull { .. } => "pull",
            Self::Agent { .. } => "agent",
            Self::Push => "push",
            Self::Check(_) => "check",
        }
    }
}

/// True if a metric may be called so: 1 to 63 letters, digits and `_`.
#[must_use]
pub fn is_metric_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=63).contains(&name.len()) && name.bytes().all(is_plain)
}

/// The numbers of one reading by their names, in thousandths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics(Vec<(Arc<str>, u64)>);

impl Metrics {
    /// The number of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        let at = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.0.get(at).map(|(_, value)| *value)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// True if there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Arc<str>, u64)> for Metrics {
    /// Of two with one name the later counts.
    fn from_iter<I: IntoIterator<Item = (Arc<str>, u64)>>(items: I) -> Self {
        let by_name: std::collections::BTreeMap<Arc<str>, u64> = items.into_iter().collect();
        Self(by_name.into_iter().collect())
    }
}

/// Why there is no reading, or why one is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedMiss {
    /// In a word.
    pub kind: FeedError,
    /// In a sentence without a full stop.
    pub reason: String,
}

impl FeedMiss {
    /// A kind, and what there is to say about it.
    #[must_use]
    pub fn new(kind: FeedError, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }
}

/// What can go wrong with a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedError {
    /// There is no connection.
    Connect,
    /// There was no answer in time.
    Timeout,
    /// The answer is not a good one: another status than 200.
    Status,
    /// The answer is too long, or not in its format.
    Unreadable,
    /// The answer does not have the number.
    Missing,
    /// What stands there is no number from 0 to [`crate::base::limits::FEED_VALUE_MAX`].
    Number,
    /// Its numbers contradict each other.
    Contradictory,
    /// It is too far from what can be.
    Absurd,
    /// It is from the future.
    Future,
    /// Something newer is known, or it is too old to mean anything.
    Old,
    /// Nothing is expected from there.
    Unknown,
}

impl FeedError {
    /// Every kind, in the order of the manual.
    pub const ALL: [Self; 11] = [
        Self::Connect,
        Self::Timeout,
        Self::Status,
        Self::Unreadable,
        Self::Missing,
        Self::Number,
        Self::Contradictory,
        Self::Absurd,
        Self::Future,
        Self::Old,
        Self::Unknown,
    ];

    /// The word used in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::Number => "number",
            Self::Contradictory => "contradictory",
            Self::Absurd => "absurd",
            Self::Future => "future",
            Self::Old => "old",
            Self::Unknown => "unknown",
        }
    }

    /// True if something was said that cannot be meant; otherwise nothing was said, and silence tells itself.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        !matches!(self, Self::Connect | Self::Timeout | Self::Status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_by_name() {
        let metrics: Metrics =
            [("max", 3), ("load", 1), ("load", 2)].map(|(name, value)| (name.into(), value)).into_iter().collect();
        assert_eq!((metrics.get("load"), metrics.get("max"), metrics.get("target")), (Some(2), Some(3), None));
        assert_eq!(metrics.iter().collect::<Vec<_>>(), [("load", 2), ("max", 3)]);
    }

    #[test]
    fn words_are_distinct() {
        let words: std::collections::HashSet<&str> = FeedError::ALL.into_iter().map(FeedError::as_str).collect();
        assert_eq!(words.len(), FeedError::ALL.len());
    }
}
