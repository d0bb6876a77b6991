//! One service at one moment, as sets of regions; and why a region is answered.

use crate::base::ids::{RegionId, ServiceId};
use crate::model::Service;
use crate::table::{PartState, RegionTable, Standing, States, Why};

use super::reason::Reason;
use super::split::{Ramped, WHOLE};

/// The regions of a service by what is so about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Masks {
    /// All of the service.
    pub(super) all: u128,
    /// May be answered.
    pub(super) usable: u128,
    /// Would be usable but for a drain.
    pub(super) drained: u128,
    /// Have something up, too little.
    pub(super) some_up: u128,
    /// Have nothing up, and something that is not taken away.
    pub(super) down: u128,
    /// Lost by an operator's word.
    pub(super) by_word: u128,
    /// Disabled: nobody waits for them.
    pub(super) disabled: u128,
    /// Of weight 0: they wait for the others.
    pub(super) weightless: u128,
    /// Usable only because the guard holds them.
    pub(super) guarded: u128,
    /// Being reintroduced.
    pub(super) ramping: u128,
    /// What the service's state as a whole says about every answer.
    pub(super) standing: Standing,
}

impl Masks {
    /// Why a region is answered that `better` ones stand before, or no others.
    ///
    /// ```text
    /// better regions             → reason
    /// none lost                    preferred
    /// all lost by words            override
    /// some lost                    failover
    /// (service drained)            override
    /// (service all down)           all-down
    /// ```
    pub(super) const fn reason_after(&self, better: u128) -> Reason {
        match self.standing {
            Standing::Drained => return Reason::Override,
            Standing::AllDown | Standing::Gone => return Reason::AllDown,
            Standing::Eligible | Standing::SomeUp => {}
        }
        let lost = better & self.all & !self.usable & !self.disabled;
        if lost == 0 {
            Reason::Preferred
        } else if lost & !self.by_word == 0 {
            Reason::Override
        } else {
            Reason::Failover
        }
    }

    /// `usual`, unless the region is there only because the guard disbelieves its failure.
    pub(super) fn guarded_reason(&self, region: RegionId, usual: Reason) -> Reason {
        let is_guarded = self.guarded >> region.index() & 1 == 1;
        if is_guarded && usual != Reason::AllDown { Reason::GuardHold } else { usual }
    }
}

/// One service at one moment.
pub(super) struct Situation<'a> {
    pub(super) id: ServiceId,
    pub(super) service: &'a Service,
    pub(super) masks: Masks,
    /// By region: the steering hash of its key.
    pub(super) hashes: &'a [u64],
    pub(super) states: &'a States,
}

impl Masks {
    /// Those of a service, from all that the table says of it.
    pub(super) fn new(service: &Service, table: &RegionTable, states: &States, id: ServiceId) -> Self {
        let mut masks = Self {
            all: service.region_mask(),
            usable: 0,
            drained: 0,
            some_up: 0,
            down: 0,
            by_word: 0,
            disabled: 0,
            weightless: 0,
            guarded: 0,
            ramping: 0,
            standing: Standing::Gone,
        };
        for (part, state) in service.regions.iter().zip(table.parts(id)) {
            masks = masks.with(part.region, state);
            masks.weightless |= if part.weight == 0 { 1 << part.region.index() } else { 0 };
        }
        masks.of_now(table, states, id)
    }

    /// The same with a region that has become something else.
    pub(super) const fn with(mut self, region: RegionId, state: PartState) -> Self {
        let bit = 1_u128 << region.index();
        self.drained &= !bit;
        self.some_up &= !bit;
        self.down &= !bit;
        self.by_word &= !bit;
        self.disabled &= !bit;
        self.guarded &= !bit;
        match state.why {
            Why::Eligible => {}
            Why::Disabled => self.disabled |= bit,
            Why::ForcedDown => self.by_word |= bit,
            Why::Drained => {
                self.by_word |= bit;
                self.drained |= bit;
            }
            Why::BelowMinUp => self.some_up |= bit,
            Why::Down => self.down |= bit,
        }
        if state.is_guarded {
            self.guarded |= bit;
        }
        self
    }

    /// The same with what the service resorts to now, and what is being reintroduced now.
    pub(super) fn of_now(mut self, table: &RegionTable, states: &States, id: ServiceId) -> Self {
        self.usable = table.usable.get(id.index()).copied().unwrap_or(0);
        self.standing = table.standing.get(id.index()).copied().unwrap_or(Standing::Gone);
        let ramping = states.ramp.of(id).iter().fold(0, |mask, (region, _)| mask | 1_u128 << region.index());
        self.ramping = ramping & self.usable;
        self
    }
}

impl Situation<'_> {
    /// The regions of a set that take part in a tier: those with a weight; if none of them is usable, those without.
    pub(super) fn members(&self, tier: u128) -> Vec<Ramped> {
        let weighted = tier & !self.masks.weightless;
        let is_weighted = weighted & self.masks.usable != 0;
        let taken = if is_weighted { weighted } else { tier & self.masks.weightless };
        let parts = self.service.regions.iter().filter(|part| taken >> part.region.index() & 1 == 1);
        let ramped = parts.map(|part| {
            let part_now = self.states.ramp.get(self.id, part.region).map_or(WHOLE, u32::from);
            Ramped { region: part.region, weight: if is_weighted { part.weight } else { 1 }, part: part_now }
        });
        weighed(ramped.collect(), self.states.region_weight.of(self.id))
    }
}

/// The same with what regions weigh by what is fed or measured; one of which nothing is known weighs as much as the others on
/// average.
fn weighed(mut members: Vec<Ramped>, weights: &[(RegionId, u32)]) -> Vec<Ramped> {
    if weights.is_empty() {
        return members;
    }
    let sum: u64 = weights.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let mean = sum / (weights.len() as u64).max(1);
    let known = |region: RegionId| weights.iter().find(|(own, _)| *own == region).map(|(_, weight)| u64::from(*weight));
    let product = |member: &Ramped| u64::from(member.weight) * known(member.region).unwrap_or(mean);
    let products: Vec<u64> = members.iter().map(product).collect();
    // Only what they are to each other counts: as exact as a weight can be.
    let most = products.iter().max().copied().unwrap_or(0);
    let excess = (u64::BITS - most.leading_zeros()).saturating_sub(u16::BITS);
    for (member, product) in members.iter_mut().zip(products) {
        member.weight = u32::try_from((product >> excess).max(1)).unwrap_or(u32::MAX);
    }
    members
}

/// The set of these regions.
pub(super) fn mask(regions: impl IntoIterator<Item = RegionId>) -> u128 {
    regions.into_iter().fold(0, |mask, region| mask | 1 << region.index())
}
