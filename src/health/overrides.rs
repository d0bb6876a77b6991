//! What operators say about targets, and for how long.
//!
//! A target is a text: `REGION`, `SERVICE/REGION` or `SERVICE/REGION/ADDRESS`. Words are kept by it, so that they survive
//! a restart and a reload; one whose target is not in the model waits for it. Of all words that cover an endpoint the
//! strongest counts:
//!
//! ```text
//! words that cover it    counts
//! down, drain, up        down
//! drain, up              drain
//! up                     up
//! ```
//!
//! A target has at most one word of each kind: saying it again replaces owner, reason and end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::limits::FORCE_UP_MS_MAX;
use crate::base::moment::Moment;
use crate::table::Word;

/// A kind of word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Counts as up, whatever its checks say.
    Up,
    /// Not answered while another region is eligible.
    Drain,
    /// Never answered.
    Down,
}

impl Action {
    /// All of them, the weakest first.
    pub const ALL: [Self; 3] = [Self::Up, Self::Drain, Self::Down];

    /// As a command says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "force up",
            Self::Drain => "drain",
            Self::Down => "force down",
        }
    }

    /// As the region table knows it.
    #[must_use]
    pub const fn word(self) -> Word {
        match self {
            Self::Up => Word::Up,
            Self::Drain => Word::Drain,
            Self::Down => Word::Down,
        }
    }

    /// Whether a word of this kind may last so long.
    ///
    /// ```text
    /// kind         without an end   up to 24 h   longer
    /// drain        yes              yes          yes
    /// force down   yes              yes          yes
    /// force up     no               yes          no       it hides a failure: it must not be forgotten
    /// ```
    #[must_use]
    pub fn may_last(self, lasting: Option<Duration>) -> bool {
        match self {
            Self::Up => lasting.is_some_and(|lasting| lasting <= Duration::from_millis(FORCE_UP_MS_MAX)),
            Self::Drain | Self::Down => true,
        }
    }
}

/// One operator's word about one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// What it is about.
    pub target: String,
    /// What it says.
    pub action: Action,
    /// Who said it.
    pub owner: String,
    /// And why.
    pub reason: String,
    /// When it was said.
    pub since: Moment,
    /// When it ends; `None`: when somebody says so.
    pub expires: Option<Moment>,
}

/// A target, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'t> {
    /// A whole region.
    Region(&'t str),
    /// A service in a region.
    Part(&'t str, &'t str),
    /// An endpoint, by its whole key.
    Endpoint(&'t str),
}

impl<'t> Target<'t> {
    /// Takes a target apart; whether it exists is not said.
    #[must_use]
    pub fn of(text: &'t str) -> Self {
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(service), Some(region), None) => Self::Part(service, region),
            (Some(_), Some(_), Some(_)) => Self::Endpoint(text),
            _ => Self::Region(text),
        }
    }
}

/// All words that stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    words: BTreeMap<(String, Action), Override>,
    next: Option<Moment>,
}

impl Overrides {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// True if no operator said anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// All words, by target.
    pub fn iter(&self) -> impl Iterator<Item = &Override> {
        self.words.values()
    }

    /// The words on exactly this target.
    pub fn on(&self, target: &str) -> impl Iterator<Item = &Override> {
        let from = (target.to_owned(), Action::Up);
        let until = (target.to_owned(), Action::Down);
        self.words.range(from..=until).map(|(_, word)| word)
    }

    /// Says a word; the one of its kind on the same target that it replaces.
    pub fn set(&mut self, word: Override) -> Option<Override> {
        let replaced = self.words.insert((word.target.clone(), word.action), word);
        self.look_ahead();
        replaced
    }

    /// Takes back one word.
    pub fn remove(&mut self, target: &str, action: Action) -> Option<Override> {
        let removed = self.words.remove(&(target.to_owned(), action));
        self.look_ahead();
        removed
    }

    /// Takes back the words on exactly this target.
    pub fn enable(&mut self, target: &str) -> Vec<Override> {
        let actions: Vec<Action> = self.on(target).map(|word| word.action).collect();
        actions.into_iter().filter_map(|action| self.remove(target, action)).collect()
    }

    /// Takes away the words that have ended.
    pub fn expire(&mut self, now: Moment) -> Vec<Override> {
        if self.next.is_none_or(|next| next > now) {
            return Vec::new();
        }
        let ended = |word: &Override| word.expires.is_some_and(|expires| expires <= now);
        let expired: Vec<Override> = self.iter().filter(|word| ended(word)).cloned().collect();
        self.words.retain(|_, word| !ended(word));
        self.look_ahead();
        expired
    }

    /// When the next word ends.
    #[must_use]
    pub const fn next_expiry(&self) -> Option<Moment> {
        self.next
    }

    fn look_ahead(&mut self) {
        self.next = self.words.values().filter_map(|word| word.expires).min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(target: &str, action: Action, expires: Option<u64>) -> Override {
        Override {
            target: target.into(),
            action,
            owner: "ana".into(),
            reason: "maintenance".into(),
            since: Moment(0),
            expires: expires.map(Moment),
        }
    }

    #[test]
    fn targets_come_apart() {
        assert_eq!(Target::of("fra"), Target::Region("fra"));
        assert_eq!(Target::of("web/fra"), Target::Part("web", "fra"));
        assert_eq!(Target::of("web/fra/192.0.2.1"), Target::Endpoint("web/fra/192.0.2.1"));
        assert_eq!(Target::of("web/fra/a/b"), Target::Endpoint("web/fra/a/b"));
        assert_eq!(Target::of(""), Target::Region(""));
    }

    #[test]
    fn the_table_of_ends_holds() {
        let (day, longer) = (Duration::from_secs(86_400), Duration::from_secs(86_401));
        for (action, without, within, beyond) in
            [(Action::Drain, true, true, true), (Action::Down, true, true, true), (Action::Up, false, true, false)]
        {
            assert_eq!(
                [None, Some(day), Some(longer)].map(|lasting| action.may_last(lasting)),
                [without, within, beyond]
            );
        }
    }

    #[test]
    fn the_strongest_word_counts() {
        assert!(Action::Down.word() > Action::Drain.word() && Action::Drain.word() > Action::Up.word());
        assert!(Action::Down > Action::Drain && Action::Drain > Action::Up && Action::Up.word() > Word::Nothing);
    }

    #[test]
    fn words_are_kept_by_target_and_kind() {
        let mut overrides = Overrides::default();
        assert_eq!(overrides.set(word("fra", Action::Drain, None)), None);
        assert_eq!(overrides.set(word("fra", Action::Down, Some(60_000))), None);
        assert_eq!(overrides.set(word("web/fra", Action::Up, Some(30_000))), None);
        assert!(overrides.set(word("fra", Action::Drain, Some(90_000))).is_some());
        assert_eq!((overrides.len(), overrides.next_expiry()), (3, Some(Moment(30_000))));
        assert_eq!(overrides.on("fra").count(), 2);

        assert_eq!(overrides.expire(Moment(29_999)), []);
        assert_eq!(overrides.expire(Moment(30_000)), [word("web/fra", Action::Up, Some(30_000))]);
        assert_eq!(overrides.next_expiry(), Some(Moment(60_000)));
        // Exactly this target.
        assert_eq!(overrides.enable("web/fra"), []);
        assert_eq!(overrides.enable("fra").len(), 2);
        assert!(overrides.is_empty() && overrides.next_expiry().is_none());
    }
}
