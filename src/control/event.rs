//! What happened, and what is to be done about it.

use serde::Serialize;

use crate::base::ids::ServiceId;
use crate::base::limits::EVENT_NAMES_MAX;
use crate::base::moment::Moment;

/// What follows from a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Whose states changed: what is to be published.
    pub changed: Changed,
    /// What happened, in order: for the journal, the log and the stream.
    pub events: Vec<Event>,
    /// The targets to probe are others than before.
    pub retarget: bool,
    /// The load feeds to ask may be others than before.
    pub refeed: bool,
    /// The state file should be written.
    pub save: bool,
}

impl Effects {
    /// True if nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed == Changed::None && self.events.is_empty() && !self.retarget && !self.refeed && !self.save
    }
}

/// Whose states changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Changed {
    /// Nobody's.
    #[default]
    None,
    /// Those of these services, each once, by id.
    Services(Vec<ServiceId>),
    /// Everything may be another: the model is.
    All,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// What.
    pub kind: EventKind,
    /// How much it matters.
    pub severity: Severity,
    /// The region it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The service it is about; `None` with a `count` above 1: several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The endpoint it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What is probed (`check@address`), or what a word of an operator is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Why, in words.
    pub cause: String,
    /// Who wanted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When it ends or follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// Owner names that are affected; at most [`EVENT_NAMES_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// How many names are affected.
    pub name_count: usize,
    /// How many things of this kind happened at once; this event stands for all.
    pub count: usize,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the journal")]
pub enum EventKind {
    CheckDown,
    CheckUp,
    EndpointDown,
    EndpointUp,
    RegionLost,
    RegionBack,
    ServiceAllDown,
    ServiceRecovered,
    ActiveMoved,
    FailbackScheduled,
    FailedBack,
    RampBegun,
    RampEnded,
    OverrideSet,
    OverrideCleared,
    OverrideExpired,
    GuardSuspects,
    GuardHolds,
    GuardReleased,
    GuardApplied,
    ProbeInconclusive,
    CertificateWarning,
    FeedStale,
    FeedLost,
    FeedBack,
    FeedRefused,
    FeedDoubted,
    FeedBelieved,
    LatencyMoved,
    LatencyHeld,
    SpillBegun,
    SpillEnded,
    SpillFull,
    SafetyBroken,
    SafetyKept,
    SafetyOverridden,
    SafetyHeld,
    EvacuationBegun,
    EvacuationStep,
    EvacuationHeld,
    EvacuationDone,
    EvacuationCancelled,
    MoveLimited,
    ModelAdopted,
    ChangeMade,
    ChangeRefused,
    AccessRefused,
    Reloaded,
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something is not as it should be.
    Warning,
    /// Somebody should look now.
    Error,
}

impl Severity {
    /// The word used in the log and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl EventKind {
    /// Every kind, in the order of the manual.
    pub const ALL: [Self; 48] = [
        Self::CheckDown,
        Self::CheckUp,
        Self::EndpointDown,
        Self::EndpointUp,
        Self::RegionLost,
        Self::RegionBack,
        Self::ServiceAllDown,
        Self::ServiceRecovered,
        Self::ActiveMoved,
        Self::FailbackScheduled,
        Self::FailedBack,
        Self::RampBegun,
        Self::RampEnded,
        Self::OverrideSet,
        Self::OverrideCleared,
        Self::OverrideExpired,
        Self::GuardSuspects,
        Self::GuardHolds,
        Self::GuardReleased,
        Self::GuardApplied,
        Self::ProbeInconclusive,
        Self::CertificateWarning,
        Self::FeedStale,
        Self::FeedLost,
        Self::FeedBack,
        Self::FeedRefused,
        Self::FeedDoubted,
        Self::FeedBelieved,
        Self::LatencyMoved,
        Self::LatencyHeld,
        Self::SpillBegun,
        Self::SpillEnded,
        Self::SpillFull,
        Self::SafetyBroken,
        Self::SafetyKept,
        Self::SafetyOverridden,
        Self::SafetyHeld,
        Self::EvacuationBegun,
        Self::EvacuationStep,
        Self::EvacuationHeld,
        Self::EvacuationDone,
        Self::EvacuationCancelled,
        Self::MoveLimited,
        Self::ModelAdopted,
        Self::ChangeMade,
        Self::ChangeRefused,
        Self::AccessRefused,
        Self::Reloaded,
    ];

    /// The word used in the journal, the stream and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.words().0
    }

    /// How much events of this kind matter.
    #[must_use]
    pub const fn severity(self) -> Severity {
        self.words().2
    }

    /// The word, what an event of the kind says of its subject, and how much it matters.
    const fn words(self) -> (&'static str, &'static str, Severity) {
        use Severity::{Error, Info, Warning};
        match self {
            Self::CheckDown => ("check_down", "fails", Warning),
            Self::CheckUp => ("check_up", "passes", Info),
            Self::EndpointDown => ("endpoint_down", "is down", Warning),
            Self::EndpointUp => ("endpoint_up", "is up", Info),
            Self::RegionLost => ("region_lost", "is no longer eligible", Warning),
            Self::RegionBack => ("region_back", "is eligible again", Info),
            Self::ServiceAllDown => ("service_all_down", "has nothing up", Error),
            Self::ServiceRecovered => ("service_recovered", "has something up again", Info),
            Self::ActiveMoved => ("active_moved", "is active now", Warning),
            Self::FailbackScheduled => ("failback_scheduled", "waits for its work", Info),
            Self::FailedBack => ("failed_back", "has its work back", Info),
            Self::RampBegun => ("ramp_begun", "gets its share back step by step", Info),
            Self::RampEnded => ("ramp_ended", "has its whole share", Info),
            Self::OverrideSet => ("override_set", "has a word of an operator", Warning),
            Self::OverrideCleared => ("override_cleared", "has one word of an operator less", Info),
            Self::OverrideExpired => ("override_expired", "has a word of an operator that ended", Info),
            Self::GuardSuspects => ("guard_suspects", "the guard suspects our own uplink", Error),
            Self::GuardHolds => ("guard_holds", "the guard holds what was up", Error),
            Self::GuardReleased => ("guard_released", "the guard lets go", Info),
            Self::GuardApplied => ("guard_applied", "the guard believes the failures", Error),
            Self::ProbeInconclusive => ("probe_inconclusive", "cannot be probed", Warning),
            Self::CertificateWarning => ("certificate_warning", "has a certificate to see to", Warning),
            Self::FeedStale => ("feed_stale", "has a load feed that is overdue: its last value stands", Warning),
            Self::FeedLost => ("feed_lost", "has a load feed that is lost: our own answers are all there is", Warning),
            Self::FeedBack => ("feed_back", "has its load feed back", Info),
            Self::FeedRefused => ("feed_refused", "has a load feed that says what cannot be meant", Warning),
            Self::FeedDoubted => {
                ("feed_doubted", "has a load that its clients do not explain: it is not believed yet", Warning)
            }
            Self::FeedBelieved => ("feed_believed", "has a load that is believed again", Info),
            Self::LatencyMoved => ("latency_moved", "networks go elsewhere by what is measured of their ways", Info),
            Self::LatencyHeld => {
                ("latency_held", "more networks would go elsewhere than may within ten minutes", Warning)
            }
            Self::SpillBegun => ("spill_begun", "is full: clients go elsewhere", Warning),
            Self::SpillEnded => ("spill_ended", "has all its own clients again", Info),
            Self::SpillFull => ("spill_full", "is to be filled above its target: nobody else has room", Error),
            Self::SafetyBroken => ("safety_broken", "has too few regions on", Warning),
            Self::SafetyKept => ("safety_kept", "has regions enough on again", Info),
            Self::SafetyOverridden => ("safety_overridden", "was overridden by an operator", Warning),
            Self::SafetyHeld => ("safety_held", "waits, because a safety rule does not allow it", Warning),
            Self::EvacuationBegun => ("evacuation_begun", "gives up its share step by step", Warning),
            Self::EvacuationStep => ("evacuation_step", "has given up a part of its share", Info),
            Self::EvacuationHeld => ("evacuation_held", "keeps what it has left of its share", Warning),
            Self::EvacuationDone => ("evacuation_done", "has given up all of its share", Warning),
            Self::EvacuationCancelled => ("evacuation_cancelled", "is not evacuated any more", Info),
            Self::MoveLimited => ("move_limited", "automation is held back: too many clients would move", Warning),
            Self::ModelAdopted => ("model_adopted", "region files are in force", Info),
            Self::ChangeMade => ("change_made", "was changed by an operator", Info),
            Self::ChangeRefused => ("change_refused", "was not changed, though an operator wanted it", Warning),
            Self::AccessRefused => ("access_refused", "somebody without the right token wanted a change", Warning),
            Self::Reloaded => ("reloaded", "files were read again", Info),
        }
    }
}

impl Event {
    /// An event of a kind, about nothing yet.
    #[must_use]
    pub fn new(at: Moment, kind: EventKind, cause: impl Into<String>) -> Self {
        Self {
            at,
            kind,
            severity: kind.severity(),
            region: None,
            service: None,
            endpoint: None,
            target: None,
            cause: cause.into(),
            owner: None,
            until: None,
            names: Vec::new(),
            name_count: 0,
            count: 1,
        }
    }

    /// What it is about, in a word or two; empty for the whole node.
    #[must_use]
    pub fn subject(&self) -> String {
        match (&self.target, &self.endpoint, &self.service, &self.region) {
            (Some(target), ..) => target.clone(),
            (None, Some(endpoint), ..) => endpoint.clone(),
            (None, None, Some(service), Some(region)) => format!("{region} for {service}"),
            (None, None, Some(service), None) => service.clone(),
            (None, None, None, Some(region)) => region.clone(),
            (None, None, None, None) => String::new(),
        }
    }

    /// A sentence for people, without the moment.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = self.subject();
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(self.kind.words().1);
        if self.count > 1 {
            line.push_str(&format!(" ({} of them)", self.count));
        }
        if !self.cause.is_empty() {
            line.push_str(&format!(": {}", self.cause));
        }
        if let Some(owner) = &self.owner {
            line.push_str(&format!(", by {owner}"));
        }
        if !self.names.is_empty() {
            let more = self.name_count.saturating_sub(self.names.len());
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            line.push_str(&format!(" [{}{rest}]", self.names.join(", ")));
        }
        line
    }

    /// Adds names that are affected.
    pub(super) fn add_names(&mut self, count: usize, names: impl Iterator<Item = String>) {
        self.name_count += count;
        let room = EVENT_NAMES_MAX.saturating_sub(self.names.len());
        self.names.extend(names.take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct() {
        let words: std::collections::HashSet<&str> = EventKind::ALL.into_iter().map(EventKind::as_str).collect();
        assert_eq!(words.len(), EventKind::ALL.len());
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn lines_say_who_what_and_why() {
        let mut event = Event::new(Moment(0), EventKind::RegionLost, "down");
        event.region = Some("fra".into());
        event.service = Some("web".into());
        event.add_names(18, (0..18).map(|n| format!("w{n}.example.com.")));
        assert_eq!(event.names.len(), EVENT_NAMES_MAX);
        let line = event.line();
        assert!(line.starts_with("fra for web is no longer eligible: down [w0.example.com., "), "{line}");
        assert!(line.ends_with(" and 2 more]"), "{line}");
    }
}
