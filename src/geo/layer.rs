//! What one source says about addresses of both families, as ranges.

use std::net::IpAddr;

use super::prefix::{Naked, Network};
use super::ranges::{Ranges, flatten};

/// Ranges of both families, each with a value.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) v4: Ranges<u32>,
    pub(super) v6: Ranges<u128>,
}

impl Layer {
    /// The same value everywhere.
    pub(super) fn all(value: u32) -> Self {
        Self { v4: Ranges::all(value), v6: Ranges::all(value) }
    }

    /// The longest network around an address gives its value, `gap` where there is none.
    pub(super) fn of_networks(networks: impl IntoIterator<Item = (Network, u32)>, gap: u32) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (network, value) in networks {
            let (is_v6, first, last) = network.undressed().range();
            if is_v6 { &mut v6 } else { &mut v4 }.push((first, last, value));
        }
        Self { v4: flatten(v4, gap), v6: flatten(v6, gap) }
    }

    /// Adds a prefix of a database, whose prefixes come in the order of their addresses. After it comes 0.
    pub(super) fn push(&mut self, network: Network, value: u32) {
        let (is_v6, first, last) = network.range();
        // An IPv6 tree holds IPv4 below ::/96; a leaf above that holds for all of IPv4.
        let holds_v4 = is_v6 && first == 0 && network.length <= 96;
        if is_v6 && !(holds_v4 && network.length == 96) {
            self.v6.push(first, value);
            if let Some(next) = last.checked_add(1) {
                self.v6.push(next, 0);
            }
        }
        if is_v6 && !holds_v4 {
            return;
        }
        let (first, last) = if holds_v4 { (0, u128::from(u32::MAX)) } else { (first, last) };
        if let Ok(first) = u32::try_from(first) {
            self.v4.push(first, value);
        }
        if let Ok(next) = u32::try_from(last.saturating_add(1)) {
            self.v4.push(next, 0);
        }
    }

    /// The value at an address, and the longest network around it that has it alone.
    pub(super) fn find(&self, address: IpAddr) -> (u32, u8) {
        match Naked::new(address) {
            Naked::V4(bits) => self.v4.find(bits),
            Naked::V6(bits) => self.v6.find(bits),
            Naked::Clothed { inside, bits, .. } => {
                let (value, scope) = self.v4.find(inside);
                (value, scope + bits)
            }
        }
    }

    /// The same ranges, their values replaced.
    pub(super) fn map(&self, mut value: impl FnMut(u32) -> u32) -> Self {
        Self { v4: self.v4.map(&mut value), v6: self.v6.map(&mut value) }
    }
}
