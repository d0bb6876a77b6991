//! Which resolver is measured next, if any: those who asked, seldom, and no more than may be.
//!
//! ```text
//! a resolver                                     is measured
//! that did not ask within the last hour          never
//! denied, or not allowed where some are          never
//! on a loopback address                          only if it is allowed by name
//! on a link-local address                        never
//! whose network was measured lately              after `per_network`
//! whose network did not answer n times           after `per_network` × 2ⁿ, a day at most
//! else                                           once there is room in the rate, the one that waits longest first
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::base::limits::{VANTAGE_FORGET_MS, VANTAGE_PAUSE_MAX_MS, VANTAGE_SEEN_MS, VANTAGE_TARGETS_MAX};
use crate::base::moment::Moment;
use crate::geo::network_around;
use crate::latency::ClientNetwork;

/// What may be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// A network is not measured again before this has passed.
    pub per_network: Duration,
    /// Networks that may be measured; empty: all.
    pub allow: Vec<(IpAddr, u8)>,
    /// Networks that are never measured.
    pub deny: Vec<(IpAddr, u8)>,
}

/// Resolvers that asked, and when their networks may be measured.
#[derive(Clone, Debug)]
pub struct Targets {
    rules: Rules,
    networks: BTreeMap<ClientNetwork, Target>,
    /// Networks that are due, the one that waits longest first.
    waiting: VecDeque<ClientNetwork>,
    /// When it was looked last whom to forget.
    forgot: Moment,
}

#[derive(Clone, Copy, Debug)]
struct Target {
    address: IpAddr,
    seen: Moment,
    /// Not before.
    due: Moment,
    /// In a row.
    unanswered: u32,
    is_waiting: bool,
}

impl Targets {
    /// Nobody has asked.
    #[must_use]
    pub const fn new(rules: Rules) -> Self {
        Self { rules, networks: BTreeMap::new(), waiting: VecDeque::new(), forgot: Moment(0) }
    }

    /// An address has asked us.
    pub fn asked(&mut self, now: Moment, address: IpAddr) {
        let address = address.to_canonical();
        let Some(network) = ClientNetwork::of(address).filter(|_| self.may(address)) else { return };
        if now.0.saturating_sub(self.forgot.0) > VANTAGE_FORGET_MS {
            self.forgot = now;
            self.forget(now);
        }
        if self.networks.len() >= VANTAGE_TARGETS_MAX && !self.networks.contains_key(&network) {
            return;
        }
        let fresh = Target { address, seen: now, due: now, unanswered: 0, is_waiting: false };
        let target = self.networks.entry(network).or_insert(fresh);
        (target.address, target.seen) = (address, now);
        if !target.is_waiting && target.due <= now {
            target.is_waiting = true;
            self.waiting.push_back(network);
        }
    }

    /// The next resolver to measure, if there is one; its network is not measured again before its time.
    pub fn next(&mut self, now: Moment) -> Option<IpAddr> {
        while let Some(network) = self.waiting.pop_front() {
            let Some(target) = self.networks.get_mut(&network) else { continue };
            target.is_waiting = false;
            if now.0.saturating_sub(target.seen.0) <= VANTAGE_SEEN_MS && target.due <= now {
                target.due = now.after(self.rules.per_network);
                return Some(target.address);
            }
        }
        None
    }

    /// What came of it.
    pub fn ended(&mut self, now: Moment, address: IpAddr, has_answered: bool) {
        let target = ClientNetwork::of(address).and_then(|network| self.networks.get_mut(&network));
        let Some(target) = target else { return };
        if has_answered {
            target.unanswered = 0;
            return;
        }
        target.unanswered = target.unanswered.saturating_add(1);
        let doubled = 1_u32.checked_shl(target.unanswered).unwrap_or(u32::MAX);
        let most = Duration::from_millis(VANTAGE_PAUSE_MAX_MS).max(self.rules.per_network);
        target.due = now.after(self.rules.per_network.saturating_mul(doubled).min(most));
    }

    /// Networks that are remembered.
    #[must_use]
    pub fn networks(&self) -> usize {
        self.networks.len()
    }

    /// Forgets who may be measured again by now, and did not ask for an hour, or did not answer when there is no more room.
    fn forget(&mut self, now: Moment) {
        let is_full = self.networks.len() >= VANTAGE_TARGETS_MAX;
        self.networks.retain(|_, target| {
            let is_gone = now.0.saturating_sub(target.seen.0) > VANTAGE_SEEN_MS || is_full && target.unanswered > 0;
            // Who is asked less and less must not be new when he comes again.
            !(is_gone && target.due <= now)
        });
    }

    fn may(&self, address: IpAddr) -> bool {
        let is_near = match address {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
        };
        let is_in = |networks: &[(IpAddr, u8)]| {
            networks.iter().any(|(network, length)| {
                network.is_ipv4() == address.is_ipv4()
                    && network_around(address, *length) == network_around(*network, *length)
            })
        };
        let is_allowed = if self.rules.allow.is_empty() { !is_near } else { is_in(&self.rules.allow) };
        is_allowed && !is_in(&self.rules.deny)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const START: u64 = 1_000 * MINUTE;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn targets(allow: &[(&str, u8)], deny: &[(&str, u8)]) -> Targets {
        let networks = |of: &[(&str, u8)]| of.iter().map(|(address, length)| (ip(address), *length)).collect();
        Targets::new(Rules { per_network: Duration::from_secs(600), allow: networks(allow), deny: networks(deny) })
    }

    #[test]
    fn a_network_is_measured_seldom() {
        let mut targets = targets(&[], &[]);
        assert_eq!(targets.next(Moment(START)), None, "nobody has asked");
        let mut measured = Vec::new();
        for minute in 0..60 {
            let now = Moment(START + minute * MINUTE);
            // Two resolvers of one network, all the time.
            targets.asked(now, ip("192.0.2.1"));
            targets.asked(now, ip("192.0.2.2"));
            while let Some(address) = targets.next(now) {
                targets.ended(now, address, true);
                measured.push(minute);
            }
        }
        assert_eq!(measured, [0, 10, 20, 30, 40, 50]);
    }

    #[test]
    fn one_that_does_not_answer_is_asked_less_and_less() {
        let mut targets = targets(&[], &[]);
        let mut measured = Vec::new();
        for minute in 0..6_000 {
            let now = Moment(START + minute * MINUTE);
            targets.asked(now, ip("192.0.2.1"));
            if let Some(address) = targets.next(now) {
                targets.ended(now, address, false);
                measured.push(minute);
            }
        }
        assert_eq!(measured, [0, 20, 60, 140, 300, 620, 1_260, 2_540, 3_980, 5_420], "doubled, a day at most");
    }

    #[test]
    fn nobody_is_measured_who_did_not_ask_or_must_not_be() {
        let mut denied = targets(&[], &[("198.51.100.0", 24), ("2001:db8::", 32)]);
        let never =
            ["198.51.100.7", "2001:db8:7::1", "127.0.0.1", "::1", "169.254.1.1", "fe80::1", "224.0.0.1", "0.0.0.0"];
        for address in never {
            denied.asked(Moment(START), ip(address));
            assert_eq!(denied.next(Moment(START)), None, "{address}");
        }
        denied.asked(Moment(START), ip("::ffff:203.0.113.9"));
        assert_eq!(denied.next(Moment(START)), Some(ip("203.0.113.9")));
        let mut allowed = targets(&[("127.0.0.0", 8)], &[("127.0.9.0", 24)]);
        for (address, expected) in [("127.0.1.1", true), ("127.0.9.1", false), ("203.0.113.9", false)] {
            allowed.asked(Moment(START), ip(address));
            assert_eq!(allowed.next(Moment(START)).is_some(), expected, "{address}");
        }
        // Asked an hour ago, and not since.
        let mut late = targets(&[], &[]);
        late.asked(Moment(START), ip("203.0.113.9"));
        assert_eq!(late.next(Moment(START + VANTAGE_SEEN_MS + 1)), None);
    }

    #[test]
    fn who_does_not_answer_is_not_new_when_the_table_is_full() {
        let mut targets = targets(&[], &[]);
        targets.asked(Moment(START), ip("192.0.2.1"));
        assert_eq!(targets.next(Moment(START)), Some(ip("192.0.2.1")));
        targets.ended(Moment(START), ip("192.0.2.1"), false);
        for n in 0..u32::try_from(VANTAGE_TARGETS_MAX).unwrap() {
            targets.asked(Moment(START), IpAddr::from((0x0a00_0000 + (n << 8)).to_be_bytes()));
        }
        let later = Moment(START + 2 * VANTAGE_FORGET_MS);
        targets.asked(later, ip("192.0.2.1"));
        let asked = std::iter::from_fn(|| targets.next(later)).any(|address| address == ip("192.0.2.1"));
        assert!(!asked, "its time has not come");
    }

    #[test]
    fn memory_is_bounded() {
        let mut targets = targets(&[], &[]);
        for n in 0..u32::try_from(VANTAGE_TARGETS_MAX).unwrap() + 1_000 {
            targets.asked(Moment(START), IpAddr::from((0x0a00_0000 + (n << 8)).to_be_bytes()));
        }
        assert_eq!(targets.networks(), VANTAGE_TARGETS_MAX);
        targets.asked(Moment(START + VANTAGE_PAUSE_MAX_MS + 1), ip("203.0.113.9"));
        assert_eq!(targets.networks(), 1, "those of yesterday are forgotten");
    }
}
