//! Why control refuses what an operator says.

use thiserror::Error;

use crate::base::limits::{OVERRIDE_TEXT_LEN_MAX, OVERRIDES_MAX};
use crate::health::Override;

use super::safety::Breach;

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// There is no model to order about.
    #[error("no region files are in force yet: they are being read, or the log says what is wrong with them")]
    NotReady,
    /// The target is not in the model.
    #[error("`{target}` is no region, SERVICE/REGION or SERVICE/REGION/ADDRESS{}", hint(.near))]
    UnknownTarget {
        /// What was named.
        target: String,
        /// What may have been meant.
        near: Option<String>,
    },
    /// `force up` without an end, or one too far away.
    #[error("`force up` hides failures, so it needs an end at most 24 hours away")]
    NeedsEnd,
    /// An owner or a reason that is a document.
    #[error("owner and reason have at most {OVERRIDE_TEXT_LEN_MAX} octets each")]
    TooLong,
    /// More words than people say.
    #[error("there are {OVERRIDES_MAX} overrides already")]
    TooMany,
    /// The last eligible region would go.
    #[error("this takes away the last eligible region of {}; confirm it (--yes) to do so all the same", list(.services, *.count))]
    LastRegion {
        /// Some of the services.
        services: Vec<String>,
        /// How many there are.
        count: usize,
    },
    /// No word is on exactly this target.
    #[error("there is no override on `{target}` itself{}", elsewhere(.still))]
    NothingToEnable {
        /// What was named.
        target: String,
        /// Words that cover it: on what it is part of, or on parts of it.
        still: Vec<Override>,
    },
    /// No such service.
    #[error("there is no service `{service}`{}", hint(.near))]
    UnknownService {
        /// What was named.
        service: String,
        /// What may have been meant.
        near: Option<String>,
    },
    /// Active-active services have no active region.
    #[error("`{service}` is not active-passive, so no region of it is the active one")]
    NotActivePassive {
        /// The service.
        service: String,
    },
    /// Not a region of the service's order.
    #[error("`{region}` is not in the order of `{service}`: {order}")]
    NotInOrder {
        /// The service.
        service: String,
        /// What was named.
        region: String,
        /// What could be.
        order: String,
    },
    /// A region that may not be answered cannot be active.
    #[error("`{region}` is not eligible for `{service}`: {why}")]
    NotEligible {
        /// The service.
        service: String,
        /// The region.
        region: String,
        /// In a word.
        why: String,
    },
    /// There is nowhere better.
    #[error("no better region of `{service}` is eligible")]
    NothingBetter {
        /// The service.
        service: String,
    },
    /// The guard suspects nothing.
    #[error("the guard holds nothing")]
    NothingHeld,
    /// No such region.
    #[error("there is no region `{region}`{}", hint(.near))]
    UnknownRegion {
        /// What was named.
        region: String,
        /// What may have been meant.
        near: Option<String>,
    },
    /// It goes on already.
    #[error("`{region}` is being evacuated already; cancel that first (evacuate {region} --cancel)")]
    Evacuated {
        /// The region.
        region: String,
    },
    /// There is nothing to cancel.
    #[error("`{region}` is not being evacuated")]
    NotEvacuated {
        /// The region.
        region: String,
    },
    /// No service is answered with it, so nobody can be sent away from it.
    #[error("`{region}` is eligible for no service: there is nobody to send away")]
    NotOn {
        /// The region.
        region: String,
    },
    /// Safety rules do not allow it.
    #[error("{}", unsafe_words(.0))]
    Unsafe(Vec<Breach>),
    /// A rule was named that there is not.
    #[error("there is no safety rule `{rule}`{}", hint(.near))]
    UnknownRule {
        /// What was named.
        rule: String,
        /// What may have been meant.
        near: Option<String>,
    },
    /// Rules are overridden for a reason.
    #[error("to override a safety rule a reason is needed: it stands in the journal")]
    NeedsReason,
}

/// Which rules refuse and why, and what to do if it has to be all the same.
fn unsafe_words(breaches: &[Breach]) -> String {
    let told: Vec<String> = breaches.iter().map(Breach::to_string).collect();
    let rules: Vec<String> = breaches.iter().map(|breach| format!("--override-safety {}", breach.rule)).collect();
    format!("{}; if it has to be all the same: {} --reason \"…\"", told.join("; "), rules.join(" "))
}

fn hint(near: &Option<String>) -> String {
    near.as_ref().map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

fn list(some: &[String], count: usize) -> String {
    let more = count.saturating_sub(some.len());
    let named = some.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

fn elsewhere(still: &[Override]) -> String {
    if still.is_empty() {
        return String::new();
    }
    let words = still.iter().map(|word| format!("`{} {}`", word.action.as_str(), word.target));
    format!("; it is covered by {}", words.collect::<Vec<_>>().join(", "))
}
