//! A measurement as it comes in, and what cannot be meant.
//!
//! ```text
//! refused as       when
//! bad-client       neither an address nor a network; a network wider than /24 (IPv6: /48); an address no client has
//! unknown-region   no such region in the model
//! absurd           not from 50 µs to 10 s
//! impossible       light in vacuum is slower, whatever the location database is wrong by
//! too-old          measured more than ten minutes ago
//! too-new          measured more than ten seconds ahead
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::base::limits::{LATENCY_AGE_MAX_MS, LATENCY_AHEAD_MAX_MS, LATENCY_US_MAX, LATENCY_US_MIN};
use crate::base::moment::Moment;
use crate::geo::undressed;

/// Bits of an IPv4 address that are kept of a client.
pub const V4_BITS: u8 = 24;
/// Bits of an IPv6 address that are kept of a client.
pub const V6_BITS: u8 = 48;

/// A network of clients: the least that is ever kept of one, /24 or /48.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientNetwork(u64);

/// Characters of a text that is shown as it came.
const TEXT_SHOWN_MAX: usize = 64;

/// Marks IPv6.
const V6: u64 = 1 << 63;

impl ClientNetwork {
    /// The network of a client; `None` for an address that no client asks from: multicast, of one link, unspecified.
    #[must_use]
    pub fn of(address: IpAddr) -> Option<Self> {
        match undressed(address, u8::MAX).0 {
            IpAddr::V4(v4) => {
                let is_client = !(v4.is_multicast() || v4.is_unspecified() || v4.is_broadcast() || v4.is_link_local());
                is_client.then(|| Self(u64::from(v4.to_bits() >> 8)))
            }
            IpAddr::V6(v6) => {
                let is_client = !(v6.is_multicast() || v6.is_unspecified() || v6.is_unicast_link_local());
                is_client.then(|| Self(V6 | u64::try_from(v6.to_bits() >> 80).unwrap_or(0)))
            }
        }
    }

    /// The network of a text that names an address or a network no wider than what is kept.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |reason: String| Refusal { kind: RefusalKind::BadClient, reason };
        let shown = || text.chars().take(TEXT_SHOWN_MAX).collect::<String>().escape_debug().to_string();
        let (address, length) = match text.split_once('/') {
            None => (text, None),
            Some((address, length)) => (address, Some(length)),
        };
        let parsed = address.parse::<IpAddr>();
        let address = parsed.map_err(|_| refuse(format!("`{}` is no address or network", shown())))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        if let Some(length) = length {
            let length = length.parse::<u8>().ok().filter(|length| *length <= most);
            let length = length.ok_or_else(|| refuse(format!("`{}` has no length after the slash", shown())))?;
            // As it is looked up: IPv4 behind IPv6 is IPv4.
            let (naked, length) = undressed(address, length);
            let least = if naked.is_ipv4() { V4_BITS } else { V6_BITS };
            if length < least {
                return Err(refuse(format!("{} is wider than /{least}: measurements are of one network", shown())));
            }
        }
        Self::of(address).ok_or_else(|| refuse(format!("{address} is nobody's address")))
    }

    /// Its first address, and its length.
    #[must_use]
    pub fn network(self) -> (IpAddr, u8) {
        if self.0 & V6 == 0 {
            let bits = u32::try_from(self.0 << 8).unwrap_or(0);
            (Ipv4Addr::from_bits(bits).into(), V4_BITS)
        } else {
            (Ipv6Addr::from_bits(u128::from(self.0 & !V6) << 80).into(), V6_BITS)
        }
    }
}

impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, length) = self.network();
        write!(f, "{address}/{length}")
    }
}

impl fmt::Debug for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What somebody measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// Whose way.
    pub client: ClientNetwork,
    /// To which region: its key.
    pub region: String,
    /// There and back, microseconds.
    pub us: u32,
    /// Round trips that it is the median of.
    pub samples: u32,
    /// When; `None`: now.
    pub at: Option<Moment>,
}

/// Why a measurement is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In a word.
    pub kind: RefusalKind,
    /// In a sentence.
    pub reason: String,
}

/// Why a measurement is not taken, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalKind {
    /// Its client is none.
    BadClient,
    /// There is no such region.
    UnknownRegion,
    /// Nothing takes so long, or so short.
    Absurd,
    /// Light is slower.
    Impossible,
    /// Measured too long ago.
    TooOld,
    /// Measured in the future.
    TooNew,
}

impl RefusalKind {
    /// All, in their order.
    pub const ALL: [Self; 6] =
        [Self::BadClient, Self::UnknownRegion, Self::Absurd, Self::Impossible, Self::TooOld, Self::TooNew];

    /// The word for it, everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadClient => "bad-client",
            Self::UnknownRegion => "unknown-region",
            Self::Absurd => "absurd",
            Self::Impossible => "impossible",
            Self::TooOld => "too-old",
            Self::TooNew => "too-new",
        }
    }
}

/// Milliseconds as they are written → microseconds.
///
/// # Errors
/// If nothing takes so long or so short.
pub fn microseconds(ms: f64) -> Result<u32, Refusal> {
    let us = ms * 1_000.0;
    if !(f64::from(LATENCY_US_MIN)..=f64::from(LATENCY_US_MAX)).contains(&us) {
        let reason = format!("{ms} ms is no round trip: 0.05 to 10000 is believed");
        return Err(Refusal { kind: RefusalKind::Absurd, reason });
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in the range above")]
    Ok(us.round() as u32)
}

/// Refuses what was measured too long ago, or will be.
pub(super) fn timely(at: Moment, now: Moment) -> Result<(), Refusal> {
    let (age, ahead) = (now.0.saturating_sub(at.0), at.0.saturating_sub(now.0));
    if age > LATENCY_AGE_MAX_MS {
        let reason = format!("measured {} s ago, at most {} s", age / 1_000, LATENCY_AGE_MAX_MS / 1_000);
        return Err(Refusal { kind: RefusalKind::TooOld, reason });
    }
    if ahead > LATENCY_AHEAD_MAX_MS {
        return Err(Refusal { kind: RefusalKind::TooNew, reason: format!("measured {} s from now", ahead / 1_000) });
    }
    Ok(())
}

/// Microseconds per kilometer, there and back, in vacuum.
const LIGHT_US_PER_KM: f64 = 6.671;
/// What a location database may be wrong by when it names a city, kilometers.
const SLACK_CITY_KM: f64 = 500.0;
/// And when it names a country only, of which we take the middle.
const SLACK_COUNTRY_KM: f64 = 3_000.0;

/// Refuses what is faster than light.
pub(super) fn possible(us: u32, distance_km: f64, names_city: bool) -> Result<(), Refusal> {
    let slack = if names_city { SLACK_CITY_KM } else { SLACK_COUNTRY_KM };
    if f64::from(us) >= (distance_km - slack) * LIGHT_US_PER_KM {
        return Ok(());
    }
    let reason = format!("{} ms for {distance_km:.0} km is faster than light", f64::from(us) / 1_000.0);
    Err(Refusal { kind: RefusalKind::Impossible, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_a_network_is_kept() {
        for (text, expected) in [
            ("203.0.113.77", Ok("203.0.113.0/24")),
            ("203.0.113.64/26", Ok("203.0.113.0/24")),
            ("203.0.113.0/24", Ok("203.0.113.0/24")),
            ("2001:db8:1:2:3::4", Ok("2001:db8:1::/48")),
            ("2001:db8:1:2::/64", Ok("2001:db8:1::/48")),
            ("::ffff:192.0.2.1", Ok("192.0.2.0/24")),
            ("2002:c000:204::1", Ok("192.0.2.0/24")),
            ("2002:c000:204::/48", Ok("192.0.2.0/24")),
            ("64:ff9b::192.0.2.4", Ok("192.0.2.0/24")),
            ("::ffff:192.0.0.0/100", Err("::ffff:192.0.0.0/100 is wider than /24: measurements are of one network")),
            ("203.0.112.0/23", Err("203.0.112.0/23 is wider than /24: measurements are of one network")),
            ("2001:db8::/32", Err("2001:db8::/32 is wider than /48: measurements are of one network")),
            ("224.0.0.1", Err("224.0.0.1 is nobody's address")),
            ("0.0.0.0", Err("0.0.0.0 is nobody's address")),
            ("169.254.1.1", Err("169.254.1.1 is nobody's address")),
            ("fe80::1", Err("fe80::1 is nobody's address")),
            ("192.0.2.0/33", Err("`192.0.2.0/33` has no length after the slash")),
            ("here", Err("`here` is no address or network")),
        ] {
            let found = ClientNetwork::parse(text).map(|network| network.to_string());
            assert_eq!(
                found.map_err(|refusal| refusal.reason),
                expected.map(str::to_owned).map_err(str::to_owned),
                "{text}"
            );
        }
    }

    #[test]
    fn times_that_cannot_be_meant_are_refused() {
        for ms in [f64::NAN, f64::INFINITY, -1.0, 0.0, 0.049, 10_001.0, 1e300] {
            assert_eq!(microseconds(ms).map_err(|refusal| refusal.kind), Err(RefusalKind::Absurd), "{ms}");
        }
        assert_eq!(microseconds(23.4), Ok(23_400));
        let now = Moment(10_000_000);
        let timely = |at| timely(Moment(at), now).map_err(|refusal| refusal.kind);
        assert_eq!(timely(9_400_000), Ok(()));
        assert_eq!(timely(9_399_999), Err(RefusalKind::TooOld));
        assert_eq!(timely(10_010_000), Ok(()));
        assert_eq!(timely(10_010_001), Err(RefusalKind::TooNew));
        // Frankfurt to Washington: 44 ms by light, and what a database may be wrong by.
        for (ms, names_city, is_taken) in [(90, true, true), (41, true, true), (39, true, false), (30, false, true)] {
            assert_eq!(possible(ms * 1_000, 6_540.0, names_city).is_ok(), is_taken, "{ms}");
        }
    }
}
