//! What an agent in the way of HAProxy (`agent-check`) says of its server, in one line of words.
//!
//! | word | load |
//! |---|---|
//! | `75%` | so much is free: 25 of 100; above `100%` all is |
//! | `drain`, `maint`, `down`, `fail`, `failed`, `stopped` | it wants no more: 100 of 100, whatever stands beside it |
//! | `up`, `ready`, `maxconn:30`, and what follows `#` | says nothing of it |

use super::super::feeds::{FeedError, FeedMiss};
use super::number::{shown, thousandths};

/// All of a server, in thousandths.
pub const AGENT_WHOLE: u64 = 100_000;

/// The load of a server, of [`AGENT_WHOLE`], by what its agent says.
///
/// # Errors
/// If it says no percentage and none of the words above.
pub fn agent_load(text: &str) -> Result<u64, FeedMiss> {
    let line = text.split(['\n', '\r']).next().unwrap_or_default();
    let said = line.split('#').next().unwrap_or_default();
    let words = || said.split([' ', '\t', ',', ';']).filter(|word| !word.is_empty());
    let is_full = |word: &str| {
        let full = ["drain", "maint", "down", "fail", "failed", "stopped"];
        full.iter().any(|known| word.eq_ignore_ascii_case(known))
    };
    if words().any(is_full) {
        return Ok(AGENT_WHOLE);
    }
    match words().find_map(|word| word.strip_suffix('%')) {
        Some(free) => thousandths(free).map(|free| AGENT_WHOLE.saturating_sub(free)),
        None => Err(FeedMiss::new(FeedError::Missing, format!("the agent says no percentage: `{}`", shown(line)))),
    }
}
