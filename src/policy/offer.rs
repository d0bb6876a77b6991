//! What the capacity plan may do with the clients of a service: where they are sent without it, and where else they may go.
//!
//! ```text
//! the service is                               home                              choices            may move
//! active-active, and its policy spills         the shares of its first tier      its tiers in order  yes
//! active-active, and it does not               the same                          the same            no
//! active-active, drained or with little up     the same                          the same            no
//! active-passive                               the active region                 none                no
//! `all`                                        every region alike                none                no
//! answered with no region                      -                                 -                   -
//! ```
//!
//! What a choice costs is the distance from the middle of the class in kilometers, or a thousand for each rank where no
//! distance is known, but never less than what is ranked above it. Where latency ranks, it is the mean estimated time of the
//! class, as the kilometers that it would be expected for: so services of both kinds are planned together.

use crate::base::ids::{RegionId, ServiceId};
use crate::geo::{Atlas, ClassId};
use crate::model::{Mode, Model};
use crate::table::Standing;

use super::all;
use super::place::Placements;
use super::ranked::Ranked;
use super::situation::{Situation, mask};
use super::split::ramped;
use super::verdict::{Choice, Placement, State};

/// What may be done with a class of clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Where it is sent without a plan, with weights.
    pub home: Vec<(RegionId, u32)>,
    /// Where it may be sent, best first, with what that costs; the home is among it.
    pub choices: Vec<(RegionId, u32)>,
    /// If not, it stays where it is.
    pub spills: bool,
}

/// What services have in common that decide alike and are in the same state, whatever is planned for them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kin(State);

impl Kin {
    /// The regions that may be answered.
    #[must_use]
    pub const fn usable(&self) -> u128 {
        self.0.masks.usable
    }
}

/// Cost of a rank where no distance is known, kilometers.
const RANK_KM: u32 = 1_000;

impl Placements {
    /// What a service has in common with others; `None` if it takes over a decision, or is of another model.
    #[must_use]
    pub fn kin(&self, id: ServiceId) -> Option<Kin> {
        let placement = self.of.get(id.index()).filter(|placement| placement.decided_by == id)?;
        Some(Kin(State { plan: 0, ..placement.verdict.state.clone() }))
    }

    /// What may be done with a class of the clients of a service that decides by itself; `None` if it is answered with no
    /// region.
    #[must_use]
    pub fn offer(&self, model: &Model, id: ServiceId, class: ClassId) -> Option<Offer> {
        let (placement, service) = (self.of.get(id.index())?, model.services.get(id.index())?);
        let Placement { verdict, .. } = placement;
        let state = &verdict.state;
        let now = Situation::new((id, service), state, self.hashes(), None);
        let spills = match model.policy(service).mode {
            Mode::ActiveActive { spill, .. } => spill && state.masks.standing == Standing::Eligible,
            Mode::ActivePassive { .. } | Mode::All => false,
        };
        match &verdict.choice {
            Choice::Ranked(ranked) => of_ranked(&now, ranked, class, spills),
            // What a passive region gets on purpose no plan changes.
            Choice::Split(split) if split.has_aside() => {
                let shares = split.shares().into_iter();
                let home = shares.map(|(region, buckets)| (region, u32::try_from(buckets).unwrap_or(u32::MAX)));
                let choices = regions(split.members()).map(|region| (region, 0)).collect();
                Some(Offer { home: home.collect(), choices, spills: false })
            }
            Choice::Split(split) => {
                let choices = regions(split.members()).map(|region| (region, 0)).collect();
                Some(Offer { home: home(&now, state.masks.all, 0), choices, spills })
            }
            Choice::Region(region) => Some(fixed([*region])),
            Choice::All(set) => Some(fixed(regions(*set))),
            Choice::Fallback | Choice::NoData | Choice::ServFail => None,
        }
    }
}

fn fixed(regions: impl IntoIterator<Item = RegionId>) -> Offer {
    let home: Vec<(RegionId, u32)> = regions.into_iter().map(|region| (region, 1)).collect();
    Offer { choices: home.iter().map(|&(region, _)| (region, 0)).collect(), home, spills: false }
}

fn of_ranked(now: &Situation<'_>, ranked: &Ranked, id: ClassId, spills: bool) -> Option<Offer> {
    let class = ranked.class(id);
    let usable = now.masks.usable;
    let tiers = || class.tiers.iter().map(|&tier| tier & now.masks.all).filter(|tier| tier & usable != 0);
    let first = tiers().next()?;
    let home = home(now, first, ranked.next_tier(class, first));
    let costs = ranked.atlas.as_ref().map(|atlas| costs(atlas, id)).unwrap_or_default();
    let mut choices: Vec<(RegionId, u32)> = Vec::new();
    for tier in tiers() {
        // Those of weight 0 wait until the others of their tier are lost, not until they are full.
        let members = mask(now.members(tier).into_iter().map(|member| member.region)) & usable;
        let above = choices.last().map(|&(_, cost)| cost);
        let nearest =
            costs.iter().filter(|(region, _)| members >> region.index() & 1 == 1).filter_map(|(_, km)| *km).min();
        let cost = match (above, nearest) {
            (None, Some(km)) => km,
            (Some(above), Some(km)) => km.max(above),
            // Equals cost the same whoever is chosen.
            (None, None) => 0,
            (Some(above), None) => above.saturating_add(RANK_KM),
        };
        choices.extend(regions(members).map(|region| (region, cost)));
    }
    Some(Offer { home, choices, spills })
}

/// The shares of a tier that are not planned, and of the next one while the tier is being reintroduced.
fn home(now: &Situation<'_>, tier: u128, next: u128) -> Vec<(RegionId, u32)> {
    let usable = |region: RegionId| now.masks.usable >> region.index() & 1 == 1;
    let next: Vec<_> = now.members(next).into_iter().filter(|member| usable(member.region)).collect();
    let mut home = ramped(&now.members(tier), &next, usable);
    home.retain(|&(region, weight)| usable(region) && weight > 0);
    home
}

/// Kilometers to each region from the middle of a class.
fn costs(atlas: &Atlas, class: ClassId) -> Vec<(RegionId, Option<u32>)> {
    let costs = atlas.costs(class).into_iter();
    costs.map(|(region, meters)| (region, meters.map(|meters| meters / 1_000))).collect()
}

fn regions(set: u128) -> impl Iterator<Item = RegionId> {
    all::regions(set, u128::MAX)
}
