//! A drawn world, served: questions in, regions and endpoints out.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use meridian::answer::explain::{Explanation, Question, explain};
use meridian::answer::{self, Client, Lane, Transport};
use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::base::hash::HashKey;
use meridian::dns::RecordType;
use meridian::geo::Places;
use meridian::model::{self, Model};
use meridian::policy::Atlases;
use meridian::snapshot::{Snapshot, Steering, link};
use meridian::table::{self, States};
use meridian::zone::{self, Served, ZoneSet};

use crate::drawn::{ENDPOINTS, Word, World};
use crate::wire::{Message, Record};

const ZONE: &[u8] = b"@ 300 SOA ns hostmaster 1 2 3 4 60\n@ 300 NS ns\nns 300 A 192.0.2.53\nw 300 HTTPS 1 . alpn=h2\n\
    chain 300 CNAME w\nr0 300 A 198.51.100.0\nr1 300 A 198.51.100.1\nr2 300 A 198.51.100.2\nr3 300 A 198.51.100.3\n\
    r9 300 A 198.51.100.9\n";

/// Answers questions about a world.
pub(crate) struct Server {
    snapshot: Snapshot,
    lane: Lane,
}

/// Who asks: a network with its length if the resolver tells it, and the resolver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) told: Option<(IpAddr, u8)>,
    pub(crate) resolver: IpAddr,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) rcode: u16,
    /// The least one; 0 if there is no record.
    pub(crate) ttl: u32,
    /// The regions that the records stand for, each once.
    pub(crate) regions: Vec<usize>,
    /// Region and number of each endpoint whose address stands in the answer, hints included.
    pub(crate) endpoints: Vec<(usize, usize)>,
    /// Their data.
    pub(crate) data: Vec<Vec<u8>>,
    /// What the client subnet of the answer tells; `None` if there is none.
    pub(crate) scope: Option<u8>,
}

impl Server {
    /// Reads, links and compiles what the world says.
    pub(crate) fn new(world: &World) -> Self {
        let key = HashKey::new(5, 6);
        let mut report = Report::new();
        let origin = "example.".parse().expect("a name");
        let loaded = zone::load(key, &"example.zone".into(), ZONE, &origin, &MemoryFiles::new(), &mut report);
        let zones = loaded.map(|loaded| Served::Zone(Arc::new(loaded.zone)));
        let text = world.region_file();
        let read = model::read(&[("regions.toml".into(), text.as_str())], &mut report);
        let model = Arc::new(read.unwrap_or_else(|| panic!("{}\n{text}", report.render())));
        let networks = world.networks_file();
        let places = Places::read(world.databases(), Some(("networks.toml", &networks)), 0, &mut report);
        let linked = link(&ZoneSet::of(key, zones), &model);
        linked.report(&mut report);
        assert!(!report.has_errors(), "{}", report.render());
        let atlases = Arc::new(Atlases::new(&model, Arc::new(places.expect("no errors"))));
        let states = states(world, &model);
        let steering = Arc::new(Steering::with_atlases(model, atlases, &states, 1));
        let zones = Arc::new(linked.zones);
        Self { snapshot: Snapshot { generation: 1, key, zones, steering, options: Arc::default() }, lane: Lane::new(1) }
    }

    pub(crate) fn ask(&mut self, name: &str, rtype: RecordType, asker: Asker) -> Answer {
        let mut packet = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(asker.told.is_some())];
        let name: meridian::dns::Name = name.parse().expect("a name");
        packet.extend(name.as_wire());
        packet.extend(rtype.0.to_be_bytes());
        packet.extend([0, 1]);
        if let Some((address, length)) = asker.told {
            let (family, octets) = match address {
                IpAddr::V4(v4) => (1, v4.octets().to_vec()),
                IpAddr::V6(v6) => (2, v6.octets().to_vec()),
            };
            let octets = &octets[..usize::from(length).div_ceil(8)];
            let len = u8::try_from(octets.len()).expect("at most 16");
            packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 8 + len, 0, 8, 0, 4 + len, 0, family, length, 0]);
            packet.extend(octets);
        }
        // Without EDNS an answer has 512 octets: what does not fit is asked for again over TCP, as resolvers do.
        let over = [Transport::Udp, Transport::Tcp].map(|transport| Client { address: asker.resolver, transport });
        let mut out = [0; 1_232];
        for client in over {
            let reply = answer::respond(&self.snapshot, &mut self.lane, &packet, client, &mut out);
            let is_truncated = out[2] & 2 != 0;
            if !is_truncated {
                return Answer::of(&Message::parse(&out[..reply.len]).expect("an answer"));
            }
        }
        panic!("truncated over TCP: {name} {rtype} {asker:?}");
    }

    pub(crate) fn explain(&self, name: &str, rtype: RecordType, told: (IpAddr, u8), resolver: IpAddr) -> Explanation {
        let question = Question { name: name.parse().expect("a name"), rtype, client: told, resolver };
        explain(&self.snapshot, &question, Vec::new())
    }
}

fn states(world: &World, model: &Model) -> States {
    let mut states = States::all_up(model);
    for (region, endpoints) in world.states.iter().enumerate() {
        for (number, (up, word)) in endpoints.iter().enumerate() {
            let key = match number {
                2 => format!("web/{}/2001:db8:{region}::2", crate::drawn::REGIONS[region]).replace(":0::", "::"),
                _ => format!("web/{}/192.0.{region}.{number}", crate::drawn::REGIONS[region]),
            };
            let id = model.endpoint_by_key(&key).unwrap_or_else(|| panic!("{key}"));
            states.up[id.index()] = *up;
            states.word[id.index()] = match word {
                Word::Nothing => table::Word::Nothing,
                Word::Up => table::Word::Up,
                Word::Drain => table::Word::Drain,
                Word::Down => table::Word::Down,
            };
        }
    }
    states
}

impl Answer {
    fn of(message: &Message) -> Self {
        let [records, ..] = &message.sections;
        let mut endpoints = Vec::new();
        let mut regions: Vec<usize> = records.iter().filter_map(|record| region_of(record, &mut endpoints)).collect();
        regions.extend(endpoints.iter().map(|(region, _)| *region));
        regions.sort_unstable();
        regions.dedup();
        Self {
            rcode: message.rcode,
            ttl: records.iter().map(|record| record.ttl).min().unwrap_or(0),
            regions,
            endpoints,
            data: records.iter().map(|record| record.data.clone()).collect(),
            scope: message.opt.first().and_then(|opt| scope(&opt.data)),
        }
    }

    /// The only region in the answer.
    pub(crate) fn region(&self) -> Option<usize> {
        self.regions.first().copied().filter(|_| self.regions.len() == 1)
    }
}

/// The region that a record is marked with; the endpoints whose addresses it has are added to `endpoints`.
fn region_of(record: &Record, endpoints: &mut Vec<(usize, usize)>) -> Option<usize> {
    let data = record.data.as_slice();
    match RecordType(record.rtype) {
        RecordType::A if data.starts_with(&[192, 0]) => endpoints.push((data[2].into(), data[3].into())),
        RecordType::A => return Some(data[3].into()),
        RecordType::AAAA => endpoints.push((data[5].into(), data[15].into())),
        RecordType::CNAME if data.starts_with(b"\x02r") => return Some((data[2] - b'0').into()),
        RecordType::MX => return Some((data[5] - b'0').into()),
        RecordType::HTTPS => return parameters(&data[3..], endpoints),
        _ => {}
    }
    None
}

/// Walks the parameters of an HTTPS record (RFC 9460 §2.2): the port tells the region.
fn parameters(mut rest: &[u8], endpoints: &mut Vec<(usize, usize)>) -> Option<usize> {
    let mut region = None;
    while let [_, key, _, len, more @ ..] = rest {
        let (value, after) = more.split_at(usize::from(*len));
        match key {
            3 => region = Some(usize::from(u16::from_be_bytes([value[0], value[1]])) - 7_000),
            4 => endpoints.extend(value.chunks(4).map(|address| (address[2].into(), address[3].into()))),
            6 => endpoints.extend(value.chunks(16).map(|address| (address[5].into(), address[15].into()))),
            _ => {}
        }
        rest = after;
    }
    region
}

/// The scope in the client subnet among some options, RFC 7871 §6.
fn scope(mut options: &[u8]) -> Option<u8> {
    while let [_, code, _, len, more @ ..] = options {
        let (value, after) = more.split_at(usize::from(*len));
        if *code == 8 {
            return value.get(3).copied();
        }
        options = after;
    }
    None
}

/// True if a number is that of an endpoint of a family.
pub(crate) const fn is_v6(endpoint: usize) -> bool {
    endpoint + 1 == ENDPOINTS
}

/// A resolver that nobody can locate.
pub(crate) const UNKNOWN_RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200));
