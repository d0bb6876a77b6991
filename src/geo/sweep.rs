//! Layers of ranges → one layer of ranges of classes, in one pass over all of them.

use std::collections::HashMap;

use super::distance::{Gathered, Point};
use super::layer::Layer;
use super::place::Place;
use super::places::{NO_NETWORK, Places};
use super::prefix::CLOTHES;
use super::ranges::{Bits, Ranges};
use super::rank::{Class, Ranker};

/// Classes by id and the ranges of addresses that have them.
#[derive(Debug)]
pub(super) struct Classified {
    pub(super) classes: Vec<Class>,
    /// By class: the middle of its places, where any is known.
    pub(super) middles: Vec<Option<Point>>,
    pub(super) v4: Ranges<u32>,
    pub(super) v6: Ranges<u128>,
}

/// The class of the unknown.
pub(super) const UNKNOWN: u32 = 0;
/// In IPv6: addresses that are looked up as IPv4.
const CLOTHED: u32 = u32::MAX;
const NO_ENTRY: u32 = u32::MAX;

/// Works out the class of every address. Each distinct place is ranked once.
pub(super) fn classify(places: &Places, ranker: &Ranker) -> Classified {
    let mut classes = Classes::new(places, ranker);
    if ranker.is_trivial() {
        let everybody = classes.intern(ranker.everything());
        let (v4, v6) = (Ranges::all(everybody), Ranges::all(everybody));
        return classes.classified(v4, v6);
    }
    let entries = ranker.entries();
    let map = Layer::of_networks(entries.networks.iter().copied(), NO_ENTRY);
    let systems: Vec<Layer> = if entries.asns.is_empty() {
        Vec::new()
    } else {
        let system = |asn| System::of(asn, entries.asns.get(&asn).copied()).0;
        places.databases.iter().map(|database| database.asns.map(system)).collect()
    };
    let locations = places.databases.iter().map(|database| &database.locations);
    let layers: Vec<&Layer> = [&places.own, &map].into_iter().chain(&systems).chain(locations).collect();
    let split = layers.len() - places.databases.len();

    let v4_layers: Vec<&Ranges<u32>> = layers.iter().map(|layer| &layer.v4).collect();
    let v4 = sweep(&v4_layers, |values| classes.of(values, split));

    // IPv4 in IPv6 clothes is looked up as IPv4. If that is one class, its addresses can join their neighbors.
    let clothed = if let [only] = v4.values() { *only } else { CLOTHED };
    let clothes = CLOTHES.iter().map(|&(first, bits)| (first, first | (u128::MAX >> bits), 1));
    let clothes = super::ranges::flatten(clothes.collect(), 0);
    let mut v6_layers: Vec<&Ranges<u128>> = layers.iter().map(|layer| &layer.v6).collect();
    v6_layers.push(&clothes);
    let v6 = sweep(&v6_layers, |values| match values {
        [values @ .., 0] => classes.of(values, split),
        _ => clothed,
    });
    classes.classified(v4, v6)
}

/// What a database says about the system of an address, as far as it matters to a map: 0 for nothing, 1 for one
/// without an entry (which hides what later databases say), from 2 on the entry.
struct System(u32);

impl System {
    fn of(asn: u32, entry: Option<u32>) -> Self {
        Self(if asn == 0 { 0 } else { entry.map_or(1, |entry| entry.saturating_add(2)) })
    }

    fn entry(self) -> Option<u32> {
        self.0.checked_sub(2)
    }
}

/// Goes over all layers at once; `class` makes a value of the layers' values at a range.
fn sweep<B: Bits>(layers: &[&Ranges<B>], mut class: impl FnMut(&[u32]) -> u32) -> Ranges<B> {
    let mut at = vec![0; layers.len()];
    let value_at = |layer: &Ranges<B>, at: usize| layer.values().get(at).copied().unwrap_or_default();
    let mut values: Vec<u32> = layers.iter().map(|layer| value_at(layer, 0)).collect();
    let mut ranges = Ranges::all(class(&values));
    loop {
        let nexts = layers.iter().zip(&at).filter_map(|(layer, at)| layer.starts().get(at + 1));
        let Some(&next) = nexts.min() else { break };
        for ((layer, at), value) in layers.iter().zip(&mut at).zip(&mut values) {
            if layer.starts().get(*at + 1) == Some(&next) {
                *at += 1;
                *value = value_at(layer, *at);
            }
        }
        ranges.push(next, class(&values));
    }
    ranges
}

/// Classes being collected, each content once.
struct Classes<'p> {
    places: &'p Places,
    ranker: &'p Ranker,
    rows: Vec<Class>,
    /// By class: its places.
    gathered: Vec<Gathered>,
    id_of: HashMap<Class, u32>,
    /// By location, then by network of the operator; [`NOT_YET`] where nobody has asked.
    of_place: Vec<u32>,
    /// By the same and the entry that matched: for networks and systems of the map.
    of_entry: HashMap<(u32, u32), u32>,
}

const NOT_YET: u32 = u32::MAX;

impl<'p> Classes<'p> {
    fn new(places: &'p Places, ranker: &'p Ranker) -> Self {
        let of_place = vec![NOT_YET; places.locations.len() + places.networks.len()];
        // The unknown are not among the contents: nobody else is as unknown as they.
        let rows = vec![ranker.unknown()];
        let gathered = vec![Gathered::default()];
        Self { places, ranker, rows, gathered, id_of: HashMap::new(), of_place, of_entry: HashMap::new() }
    }

    fn classified(self, v4: Ranges<u32>, v6: Ranges<u128>) -> Classified {
        let middles = self.gathered.into_iter().map(Gathered::middle).collect();
        Classified { classes: self.rows, middles, v4, v6 }
    }

    /// The class where the layers have these values: the operator's network, the map's network, each database's
    /// system if systems matter, and from `split` on each database's location.
    fn of(&mut self, values: &[u32], split: usize) -> u32 {
        let (&[own, network, ref systems @ ..], locations) = values.split_at(split) else { return UNKNOWN };
        let own = self.places.networks.get(own as usize).map(|_| own);
        let (index, system) = match own {
            Some(own) => (index(self.places.locations.len(), own), None),
            None => {
                let first = systems.iter().find(|&&system| system != 0);
                (self.places.believed(locations.iter().copied()), first.and_then(|&system| System(system).entry()))
            }
        };
        let entry = if network == NO_ENTRY { system } else { Some(network) };
        match entry {
            None => match self.of_place.get(index as usize) {
                Some(&known) if known != NOT_YET => known,
                Some(_) | None => {
                    let place = self.place(index);
                    let entries = self.ranker.entries();
                    let system = place.asn.and_then(|asn| entries.asns.get(&asn).copied());
                    let id = self.rank(&place, system.or_else(|| entries.of_place(&place)));
                    if let Some(slot) = self.of_place.get_mut(index as usize) {
                        *slot = id;
                    }
                    id
                }
            },
            Some(entry) => match self.of_entry.get(&(index, entry)) {
                Some(&known) => known,
                None => {
                    let id = self.rank(&self.place(index), Some(entry));
                    self.of_entry.insert((index, entry), id);
                    id
                }
            },
        }
    }

    /// The place at an index into `of_place`. Of locations it has no system: those have a layer of their own.
    fn place(&self, index: u32) -> Place {
        let own = (index as usize).checked_sub(self.places.locations.len());
        match own.and_then(|own| self.places.networks.get(own)) {
            Some(own) => own.place.clone(),
            None => self.places.locations.place(index),
        }
    }

    fn rank(&mut self, place: &Place, entry: Option<u32>) -> u32 {
        let id = self.ranker.class(place.coordinates, entry).map_or(UNKNOWN, |class| self.intern(class));
        if let (Some(coordinates), Some(gathered)) = (place.coordinates, self.gathered.get_mut(id as usize)) {
            gathered.add(coordinates.into());
        }
        id
    }

    fn intern(&mut self, class: Class) -> u32 {
        if let Some(&id) = self.id_of.get(&class) {
            return id;
        }
        let id = u32::try_from(self.rows.len()).unwrap_or(UNKNOWN);
        self.rows.push(class.clone());
        self.gathered.push(Gathered::default());
        self.id_of.insert(class, id);
        id
    }
}

fn index(locations: usize, own: u32) -> u32 {
    u32::try_from(locations).unwrap_or(NO_NETWORK).saturating_add(own)
}
