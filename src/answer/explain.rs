//! What a client would get, and why: the serving code path, watched.
//!
//! The query is a real packet and goes through [`respond_traced`]; what is told here is what was decided there. Ranks and
//! distances are looked up beside it, from the same snapshot.

use std::net::IpAddr;

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use crate::answer::message::Section;
use crate::answer::trace::{Made, Trace};
use crate::answer::ways::{WayView, group_text};
use crate::answer::{Client, Lane, Transport, respond_traced};
use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::limits::MESSAGE_LEN_MAX;
use crate::dns::{Name, RecordType};
use crate::geo::{ClassId, Matched, Place};
use crate::model::{GeoMatch, Mode, Service};
use crate::policy::{Choice, PREFIX_V4_MAX, PREFIX_V6_MAX, Pick, Ranked};
use crate::snapshot::{Asker, Outcome, Snapshot, Steering};
use crate::table::{States, Word};

pub use crate::answer::explanation::{EndpointView, Explanation, PlaceView, RegionLoad, RegionView, Step};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The type.
    pub rtype: RecordType,
    /// The client, and how many bits of its address the resolver tells; at most 32 or 128.
    pub client: (IpAddr, u8),
    /// The resolver it asks through.
    pub resolver: IpAddr,
}

/// The question for a client behind a resolver, as resolvers send it: with the first 24 or 56 bits of its address.
#[must_use]
const fn told_bits(client: IpAddr) -> u8 {
    if client.is_ipv4() { PREFIX_V4_MAX } else { PREFIX_V6_MAX }
}

/// Reads a client as people write it: an address, told as resolvers tell it, or a network.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn client(text: &str) -> Result<(IpAddr, u8), String> {
    let wrong = || format!("`{text}` is neither an address nor a network like 203.0.113.0/24");
    let Some((address, bits)) = text.split_once('/') else {
        let address: IpAddr = text.parse().map_err(|_| wrong())?;
        return Ok((address, told_bits(address)));
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.parse().ok().filter(|&bits| bits <= width).ok_or_else(wrong)?;
    Ok((address, bits))
}

/// Explains an answer. `assumed` says what of the snapshot is not so.
#[must_use]
pub fn explain(snapshot: &Snapshot, question: &Question, assumed: Vec<String>) -> Explanation {
    let mut steps = Steps { steering: &snapshot.steering, steps: Vec::new() };
    let mut out = vec![0; MESSAGE_LEN_MAX];
    let client = Client { address: question.resolver, transport: Transport::Tcp };
    let packet = packet(question);
    let reply = respond_traced(snapshot, &mut Lane::new(0), &packet, client, &mut out, &mut steps);
    let message = Message::from_vec(out.get(..reply.len).unwrap_or_default());
    let (rcode, answers) = match &message {
        Ok(message) => {
            let answers = message.answers.iter().map(ToString::to_string).collect();
            (rcode_text(message.metadata.response_code.into()), answers)
        }
        Err(_) => (String::from("no answer"), Vec::new()),
    };
    let steps = steps.steps;
    Explanation {
        question: format!("{} {}", question.name, question.rtype),
        client: format!("{}/{}", question.client.0, question.client.1),
        resolver: question.resolver.to_string(),
        generation: snapshot.generation,
        assumed,
        rcode,
        answers,
        scope: message.as_ref().ok().and_then(scope).unwrap_or(0),
        steps,
    }
}

/// The snapshot as it would be if all endpoints of these regions failed, and so the states.
#[must_use]
pub fn without_regions(snapshot: &Snapshot, states: &mut States, down: &[RegionId]) -> Snapshot {
    let model = &snapshot.steering.model;
    for (index, _) in model.endpoints.iter().enumerate().filter(|(_, endpoint)| down.contains(&endpoint.region)) {
        if let (Some(up), Some(word)) = (states.up.get_mut(index), states.word.get_mut(index)) {
            *up = false;
            // A word that says it is up would hide the failure.
            *word = if *word == Word::Up { Word::Nothing } else { *word };
        }
        if let Some(guarded) = states.guarded.get_mut(index) {
            *guarded = false;
        }
    }
    let touched = |service: &Service| service.regions.iter().any(|part| down.contains(&part.region));
    let changed: Vec<ServiceId> = model.services().filter(|(_, service)| touched(service)).map(|(id, _)| id).collect();
    let steering = snapshot.steering.repaired(states, &changed, snapshot.generation);
    Snapshot { steering: steering.into(), ..snapshot.clone() }
}

/// The scope that an answer tells.
fn scope(message: &Message) -> Option<u8> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
    match message.edns.as_ref()?.option(EdnsCode::Subnet)? {
        EdnsOption::Subnet(subnet) => Some(subnet.scope_prefix()),
        _ => None,
    }
}

/// A response code by its mnemonic.
fn rcode_text(code: u16) -> String {
    const MNEMONICS: [&str; 6] = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
    MNEMONICS.get(usize::from(code)).map_or_else(|| format!("RCODE{code}"), |text| (*text).to_owned())
}

/// A query with EDNS and the client's network.
fn packet(question: &Question) -> Vec<u8> {
    let (address, bits) = question.client;
    let mut octets = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    octets.truncate(usize::from(bits).div_ceil(8));
    if let Some(last) = octets.last_mut().filter(|_| bits % 8 != 0) {
        *last &= 0xff << (8 - bits % 8);
    }
    let mut packet = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    packet.extend(question.name.as_wire());
    packet.extend(question.rtype.0.to_be_bytes());
    packet.extend([0, 1, 0, 0, 41, 0xff, 0xff, 0, 0, 0, 0, 0]);
    let len = u8::try_from(octets.len()).unwrap_or(0);
    packet.extend([8 + len, 0, 8, 0, 4 + len, 0, if address.is_ipv4() { 1 } else { 2 }, bits, 0]);
    packet.extend(octets);
    packet
}

/// Collects what is decided.
struct Steps<'s> {
    steering: &'s Steering,
    steps: Vec<Step>,
}

impl Trace for Steps<'_> {
    fn decided(&mut self, made: &Made<'_>) {
        let Some(service) = self.steering.model.services.get(made.service.index()) else { return };
        if made.section == Section::Answer {
            self.steps.push(step(self.steering, service, made));
        }
    }
}

fn step(steering: &Steering, service: &Service, made: &Made<'_>) -> Step {
    let model = &steering.model;
    let policy = model.policy(service);
    let decider = model.services.get(made.decision.decided_by.index()).unwrap_or(service);
    let (chosen, region) = match made.decision.outcome {
        Outcome::Region(region) => (region_key(steering, region), Some(region)),
        Outcome::Together => ("together".into(), None),
        Outcome::Fallback => ("fallback".into(), None),
        Outcome::NoData => ("nodata".into(), None),
        Outcome::ServFail => ("servfail".into(), None),
    };
    let (place, regions) = ranking(steering, decider, made);
    let pick = made.ring.map_or("none", |(ring, _)| match ring.pick() {
        Pick::Fixed => "fixed",
        Pick::Turn { .. } => "turn",
        Pick::Bucket(_) => "hash",
        Pick::Draw(_) => "draw",
    });
    Step {
        service: service.key.to_string(),
        follows: (made.decision.decided_by != made.service).then(|| decider.key.to_string()),
        rtype: made.rtype.to_string(),
        policy: policy.key.to_string(),
        mode: mode(&policy.mode, decider),
        place,
        regions,
        chosen,
        reason: made.decision.reason.as_str().into(),
        spill: None,
        ttl: made.decision.ttl,
        scope: made.decision.scope,
        pick: pick.into(),
        endpoints: region.map(|region| endpoints(steering, service, region, made)).unwrap_or_default(),
    }
}

fn mode(mode: &Mode, service: &Service) -> String {
    match (mode, service.trickle) {
        (Mode::ActiveActive { .. }, _) => "active-active: each client its best region".into(),
        (Mode::ActivePassive { .. }, 0) => "active-passive: one region for everybody".into(),
        (Mode::ActivePassive { .. }, percent) => {
            format!("active-passive: one region for everybody, but {percent} % of clients trickle to the next one")
        }
        (Mode::All, _) => "every endpoint of every region".into(),
    }
}

fn region_key(steering: &Steering, region: RegionId) -> String {
    steering.model.regions.get(region.index()).map_or_else(String::new, |region| region.key.to_string())
}

/// Where the client is, and how that ranks the regions of the service that decides.
fn ranking(steering: &Steering, decider: &Service, made: &Made<'_>) -> (Option<PlaceView>, Vec<RegionView>) {
    let id = made.decision.decided_by;
    let why = steering.table.why(id);
    let mut regions: Vec<RegionView> = decider
        .regions
        .iter()
        .zip(why)
        .map(|(part, why)| RegionView {
            region: region_key(steering, part.region),
            tier: 1,
            distance_km: None,
            latency: None,
            state: why.as_str().into(),
            share: None,
            weighed: None,
            load: None,
        })
        .collect();
    let choice = steering.placement(id).map(|placement| &placement.verdict.choice);
    if let Some(Choice::Split(split)) = choice {
        share_out(steering, decider, &split.shares(), &mut regions);
    }
    if let Mode::ActivePassive { .. } = steering.model.policy(decider).mode {
        for (view, part) in regions.iter_mut().zip(&decider.regions) {
            view.tier = decider.order.iter().position(|&region| region == part.region).map_or(1, |at| at + 1);
        }
        regions.sort_by_key(|view| view.tier);
    }
    let Some(Choice::Ranked(ranked)) = choice else { return (None, regions) };
    let place = located(steering, decider, ranked, made.asker, &mut regions);
    (place, regions)
}

fn share_out(steering: &Steering, decider: &Service, shares: &[(RegionId, usize)], regions: &mut [RegionView]) {
    let total: usize = shares.iter().map(|(_, count)| count).sum();
    for &(region, count) in shares {
        let key = region_key(steering, region);
        if decider.regions.len() > 1
            && let Some(view) = regions.iter_mut().find(|view| view.region == key)
        {
            #[expect(clippy::cast_precision_loss, reason = "counts of a few thousand buckets")]
            let share = count as f64 / total.max(1) as f64;
            view.share = Some(share);
        }
    }
}

/// Ranks the regions for the client, and says where it is.
fn located(
    steering: &Steering,
    decider: &Service,
    ranked: &Ranked,
    asker: Asker,
    regions: &mut [RegionView],
) -> Option<PlaceView> {
    let atlas = ranked.atlas.as_ref()?;
    let (model, places) = (&steering.model, steering.atlases.places());
    let subnet = asker.subnet.filter(|_| decider.ecs);
    let candidates = subnet.map(|(address, _)| ("client-subnet", address)).into_iter();
    let mut links = candidates.chain(std::iter::once(("resolver", asker.resolver)));
    let found = links.find(|(_, address)| atlas.locate(*address).0 != ClassId::UNKNOWN);
    let (link, address) = found.unwrap_or(("nobody", subnet.map_or(asker.resolver, |(address, _)| address)));
    let why = atlas.explain(places, model, address);
    let id = if link == "nobody" { ClassId::UNKNOWN } else { why.class };
    let class = ranked.class(id);
    for (view, part) in regions.iter_mut().zip(&decider.regions) {
        let tier = class.tiers.iter().position(|tier| tier >> part.region.index() & 1 == 1);
        view.tier = tier.map_or(0, |tier| tier + 1);
        let distance = why.distances_km.iter().find(|(region, _)| *region == part.region);
        view.distance_km = distance.and_then(|(_, distance)| *distance);
        let estimate = why.estimates.iter().find(|(region, _)| *region == part.region);
        view.latency = estimate.map(|(_, estimate)| WayView::new(*estimate));
    }
    if let Some(split) = ranked.split_of(id) {
        share_out(steering, decider, &split.shares(), regions);
    }
    regions.sort_by(|a, b| {
        let far = |view: &RegionView| {
            let ms = view.latency.as_ref().map(|latency| latency.ms);
            ms.or(view.distance_km).unwrap_or(f64::INFINITY)
        };
        let key = |view: &RegionView| (view.tier.wrapping_sub(1), far(view));
        key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal)
    });
    Some(PlaceView {
        link: link.into(),
        address: Some(address),
        place: place_text(&why.located.place),
        sources: why.located.sources.iter().map(|(who, network, what)| format!("{who}: {network} {what}")).collect(),
        ranked_by: match (&why.matched, link) {
            (_, "nobody") => "nobody knows the client: default, order, all".into(),
            (Matched::Entry(entry), _) => format!("map entry {}", entry_text(entry)),
            (Matched::Latency(group), _) => format!("latency, as measured of {}", group_text(group)),
            (Matched::Distance, _) if atlas.is_measured() => {
                "latency, as distance lets expect: nothing is measured".into()
            }
            (Matched::Distance, _) => "distance".into(),
            (Matched::Nothing, _) => "nothing".into(),
        },
        is_fenced: class.is_fenced,
    })
}

/// A place in one line: `Berlin office, DE, 52.50 13.40`.
#[must_use]
pub fn place_text(place: &Place) -> String {
    let code = |code: Option<[u8; 2]>| code.map(|code| String::from_utf8_lossy(&code).into_owned());
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
    let point = place.coordinates.map(|point| format!("{:.2} {:.2}", point.latitude, point.longitude));
    let system = place.asn.map(|number| format!("AS{number}"));
    let subdivision = text(&place.subdivision);
    // A subdivision's code begins with its country's.
    let country = code(place.country).filter(|_| subdivision.is_none());
    let parts = [text(&place.name), text(&place.city), subdivision, country, code(place.continent), point, system];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nobody knows where".into() } else { parts.join(", ") }
}

fn entry_text(entry: &GeoMatch) -> String {
    let code = |code: &[u8; 2]| String::from_utf8_lossy(code).into_owned();
    match entry {
        GeoMatch::Network(address, length) => format!("network {address}/{length}"),
        GeoMatch::Asn(number) => format!("AS{number}"),
        GeoMatch::Subdivision(subdivision) => format!("subdivision {subdivision}"),
        GeoMatch::Country(country) => format!("country {}", code(country)),
        GeoMatch::Continent(continent) => format!("continent {}", code(continent)),
    }
}

fn endpoints(steering: &Steering, service: &Service, region: RegionId, made: &Made<'_>) -> Vec<EndpointView> {
    let shares = steering.endpoint_shares(made.service, region, made.rtype);
    let share = |id: EndpointId| shares.iter().find(|(own, _)| *own == id).filter(|_| shares.len() > 1);
    let part = service.regions.iter().find(|part| part.region == region);
    let ids: Vec<EndpointId> = part.map(|part| part.endpoint_ids().collect()).unwrap_or_default();
    let views = ids.into_iter().filter_map(|id| {
        let endpoint = steering.model.endpoints.get(id.index())?;
        Some(EndpointView {
            endpoint: endpoint.key.to_string(),
            up: steering.table.up.get(id.index()),
            answerable: steering.table.is_answerable(id),
            share: share(id).map(|(_, share)| *share),
            load: None,
        })
    });
    views.collect()
}
