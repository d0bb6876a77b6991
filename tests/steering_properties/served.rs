//! A drawn world, served: questions in, endpoints out.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use meridian::answer::{self, Client, Lane, Transport};
use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::base::hash::HashKey;
use meridian::model;
use meridian::snapshot::{Snapshot, Steering, link};
use meridian::table::States;
use meridian::zone::{self, Served, ZoneSet};

use crate::drawn::World;
use crate::wire::{Message, Record};

const ZONE: &[u8] = b"@ 300 SOA ns hostmaster 1 2 3 4 60\n@ 300 NS ns\nns 300 A 192.0.2.53\n";

/// Answers questions about a world.
pub(crate) struct Server {
    snapshot: Snapshot,
    lane: Lane,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) rcode: u16,
    /// Of the addresses; 0 if there are none.
    pub(crate) ttl: u32,
    pub(crate) addresses: Vec<Found>,
}

/// An endpoint in an answer, by number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) service: usize,
    pub(crate) region: usize,
    pub(crate) endpoint: usize,
    pub(crate) v6: bool,
}

impl Server {
    /// Reads and links what the world says in text.
    pub(crate) fn new(world: &World) -> Self {
        let key = HashKey::new(3, 4);
        let mut report = Report::new();
        let origin = "example.".parse().expect("a name");
        let loaded = zone::load(key, &"example.zone".into(), ZONE, &origin, &MemoryFiles::new(), &mut report);
        let zones = loaded.map(|loaded| Served::Zone(Arc::new(loaded.zone)));
        let read = model::read(&[("regions.toml".into(), world.model())], &mut report);
        let model = Arc::new(read.unwrap_or_else(|| panic!("{}", report.render())));
        let states = States::from_script(&model, "script", &world.script(), &mut report);
        let linked = link(&ZoneSet::of(key, zones), &model);
        linked.report(&mut report);
        assert!(!report.has_errors(), "{}", report.render());
        let steering = Arc::new(Steering::new(model, &states, 1));
        let zones = Arc::new(linked.zones);
        let snapshot = Snapshot { generation: 1, key, zones, steering, options: Arc::default() };
        Self { snapshot, lane: Lane::new(1) }
    }

    /// What a client of the network with this number gets for a service.
    pub(crate) fn ask(&mut self, service: usize, client: u32, v6: bool) -> Answer {
        let mut packet = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, b's', b'0' + small(service)];
        packet.extend(b"\x07example\0");
        packet.extend([0, if v6 { 28 } else { 1 }, 0, 1]);
        let address = IpAddr::V4(Ipv4Addr::from_bits(172 << 24 | client << 8 | 9));
        let mut out = [0; 512];
        let client = Client { address, transport: Transport::Udp };
        let reply = answer::respond(&self.snapshot, &mut self.lane, &packet, client, &mut out);
        let message = Message::parse(&out[..reply.len]).expect("an answer");
        assert_eq!(message.question, packet[12..]);
        let [answers, ..] = &message.sections;
        Answer {
            rcode: message.rcode,
            ttl: answers.first().map_or(0, |record| record.ttl),
            addresses: answers.iter().map(found).collect(),
        }
    }
}

/// The endpoint that an address stands for.
fn found(record: &Record) -> Found {
    let at = |index: usize| usize::from(record.data[index]);
    match record.rtype {
        1 => Found { service: at(1), region: at(2), endpoint: at(3), v6: false },
        28 => Found { service: at(5), region: at(7), endpoint: at(15), v6: true },
        other => panic!("type {other}"),
    }
}

fn small(number: usize) -> u8 {
    u8::try_from(number).expect("a digit")
}
