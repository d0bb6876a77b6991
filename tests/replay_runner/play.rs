//! Plays a replay and says what went otherwise.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use meridian::dns::RecordType;
use meridian::dns::rdata::print_rdata;

use super::script::{Ask, Crowd, Expect, Moved, Question, Replay, Share, Step};
use super::world::World;
use crate::text;
use crate::wire::{Key, Message, Record};

/// Everything that did not go as the replay says, each with its line.
pub(crate) fn play(replay: &Replay) -> Vec<String> {
    let world = match World::new(replay) {
        Ok(world) => world,
        Err(findings) => return vec![format!("1: {findings}")],
    };
    let mut player = Player { world, last_region: None, shares: Vec::new(), turns: HashMap::new() };
    let failures =
        replay.steps.iter().filter_map(|(line, step)| player.step(step).err().map(|error| format!("{line}: {error}")));
    failures.collect()
}

struct Player {
    world: World,
    last_region: Option<String>,
    shares: Vec<Crossing>,
    /// By lane, name and type: the row answered last.
    turns: HashMap<(u64, String, String), usize>,
}

/// Where each client of a crowd was sent.
struct Crossing {
    question: Question,
    crowd: Crowd,
    keys: Vec<String>,
}

impl Player {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::State(line) => self.world.change(line),
            Step::Happening(happening) => self.world.happen(happening),
            Step::Clear => self.world.clear(),
            Step::Lane(lane) => {
                self.world.use_lane(*lane);
                Ok(())
            }
            Step::Query(question, crowd, ask, expect, reason) => {
                self.query(question, *crowd, *ask, expect, reason.as_deref())
            }
            Step::Share(question, crowd, rows) => self.share(question, *crowd, rows),
            Step::Moved(moved) => self.moved(moved),
            Step::Agree(one, other, crowd) => self.agree(one, other, *crowd),
            Step::Turns { question, client, queries, rows, continues } => {
                self.take_turns(question, *client, *queries, rows, *continues)
            }
        }
    }

    fn query(
        &mut self,
        question: &Question,
        crowd: Crowd,
        ask: Ask,
        expect: &Expect,
        reason: Option<&str>,
    ) -> Result<(), String> {
        for client in crowd.clients() {
            let message = self.world.ask(question, client, ask)?;
            let region = self.world.region(&message).map(str::to_owned);
            let outcome = match expect {
                Expect::SameRegion if region.is_none() => Err("the answer is from no region".to_owned()),
                Expect::SameRegion if region != self.last_region => {
                    Err(format!("from {region:?}, not {:?}", self.last_region))
                }
                Expect::SameRegion => Ok(()),
                Expect::Negative { nxdomain, apex, ttl, scope } => {
                    negative(&message, *nxdomain, apex, *ttl).and_then(|()| scoped(&message, ask, *scope))
                }
                Expect::Records { rcode, flags, scope, sets } => {
                    records(&message, rcode, flags, sets).and_then(|()| scoped(&message, ask, *scope))
                }
            };
            outcome.map_err(|error| format!("{client} {error}"))?;
            let found = self.world.reason();
            if let Some(reason) = reason.filter(|reason| found != Some(*reason)) {
                return Err(format!("{client} was answered for the reason {found:?}, not {reason}"));
            }
            self.last_region = region;
        }
        Ok(())
    }

    fn share(&mut self, question: &Question, crowd: Crowd, rows: &[Share]) -> Result<(), String> {
        let by_address = rows.iter().any(|row| row.key.parse::<IpAddr>().is_ok());
        let mut keys = Vec::new();
        for client in crowd.clients() {
            let message = self.world.ask(question, client, Ask::default())?;
            let key = match by_address {
                true => message.sections[0].first().map(data),
                false => self.world.region(&message).map(str::to_owned),
            };
            keys.push(key.ok_or_else(|| format!("{client} was answered {}", show(&message)))?);
        }
        let mut counts: BTreeMap<&str, usize> = keys.iter().map(|key| (key.as_str(), 0)).collect();
        keys.iter().for_each(|key| *counts.entry(key).or_default() += 1);
        let part = |key: &str| counts.get(key).copied().unwrap_or(0) as f64 / keys.len() as f64;
        let off = rows.iter().find(|row| (part(&row.key) - row.part).abs() > row.tolerance);
        let stranger = counts.keys().find(|key| !rows.iter().any(|row| row.key == **key));
        let outcome = match (off, stranger) {
            (None, None) => Ok(()),
            (Some(row), _) => Err(format!("{} has {:.3}: {counts:?}", row.key, part(&row.key))),
            (None, Some(key)) => Err(format!("{key} has {:.3}: {counts:?}", part(key))),
        };
        self.shares.push(Crossing { question: question.clone(), crowd, keys });
        outcome
    }

    fn moved(&self, moved: &Moved) -> Result<(), String> {
        let [.., before, after] = self.shares.as_slice() else { return Err("there are no two shares".into()) };
        if before.question != after.question || before.crowd != after.crowd {
            return Err("the last two shares are of different questions".into());
        }
        let pairs = || before.keys.iter().zip(&after.keys);
        let count = pairs().filter(|(from, to)| from != to).count();
        let wrong = |belongs: &dyn Fn(&String, &String) -> bool| {
            pairs().filter(|(from, to)| (from != to) != belongs(from, to)).count()
        };
        let only = |belongs: &dyn Fn(&String, &String) -> bool| {
            pairs().filter(|(from, to)| from != to && !belongs(from, to)).count()
        };
        let (wrong, key) = match moved {
            Moved::OnlyFrom(key, _) => (only(&|from, _| from == key), key.as_str()),
            Moved::OnlyTo(key, _) => (only(&|_, to| to == key), key.as_str()),
            Moved::None => (count, "none"),
            Moved::From(key) => (wrong(&|from, _| from == key), key.as_str()),
            Moved::To(key) => (wrong(&|_, to| to == key), key.as_str()),
        };
        match (wrong, count, moved) {
            (_, 0, Moved::From(_) | Moved::To(_) | Moved::OnlyFrom(..) | Moved::OnlyTo(..)) => {
                Err(format!("no clients moved, {key} was expected to matter"))
            }
            (0, ..) => Ok(()),
            (wrong, _, Moved::OnlyFrom(_, but) | Moved::OnlyTo(_, but))
                if wrong as f64 <= but * before.keys.len() as f64 =>
            {
                Ok(())
            }
            _ => Err(format!("{count} clients moved, of {wrong} this was not expected ({key})")),
        }
    }

    fn agree(&mut self, one: &Question, other: &Question, crowd: Crowd) -> Result<(), String> {
        for client in crowd.clients() {
            let mut regions = Vec::new();
            for question in [one, other] {
                let message = self.world.ask(question, client, Ask::default())?;
                let region = self.world.region(&message).map(str::to_owned);
                regions.push(region.ok_or_else(|| format!("{client} was answered {}", show(&message)))?);
            }
            if regions[0] != regions[1] {
                return Err(format!("{client}: {} and {} do not agree", regions[0], regions[1]));
            }
        }
        Ok(())
    }

    fn take_turns(
        &mut self,
        question: &Question,
        client: IpAddr,
        queries: usize,
        rows: &[Vec<String>],
        continues: bool,
    ) -> Result<(), String> {
        let turn = (self.world.lane(), question.name.clone(), question.rtype.clone());
        let mut last = match (continues, self.turns.get(&turn)) {
            (false, _) => None,
            (true, Some(&last)) => Some(last),
            (true, None) => return Err("this lane did not begin".into()),
        };
        for number in 0..queries {
            let message = self.world.ask(question, client, Ask::default())?;
            let answer: Vec<String> = message.sections[0].iter().map(data).collect();
            let row = rows.iter().position(|row| *row == answer);
            let due = last.map(|last| (last + 1) % rows.len());
            match row {
                Some(row) if due.is_none_or(|due| due == row) => last = Some(row),
                _ => {
                    return Err(format!(
                        "answer {number} is {}, not {:?}",
                        answer.join(" "),
                        due.map(|due| &rows[due])
                    ));
                }
            }
        }
        self.turns.extend(last.map(|last| (turn, last)));
        Ok(())
    }
}

const RCODES: [&str; 6] = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
const SECTIONS: [&str; 3] = ["ANSWER", "AUTHORITY", "ADDITIONAL"];

fn negative(message: &Message, nxdomain: bool, apex: &str, ttl: u32) -> Result<(), String> {
    let soa = [(text::name(apex)?, RecordType::SOA.0, ttl)];
    let authority: Vec<_> = message.sections[1].iter().map(|r| (r.owner.clone(), r.rtype, r.ttl)).collect();
    let others = message.sections[0].len() + message.sections[2].len();
    match head(message) == head_of(if nxdomain { "NXDOMAIN" } else { "NOERROR" }, &["AA".to_owned()]) {
        true if others == 0 && authority == soa => Ok(()),
        _ => Err(format!("answered {}, not the SOA of {apex} with {ttl}", show(message))),
    }
}

fn records(message: &Message, rcode: &str, flags: &[String], sets: &[Vec<String>]) -> Result<(), String> {
    let found =
        sections(message.sections.iter().map(|section| section.iter().map(|record| record.key(true)).collect()));
    let mut fits = head(message) == head_of(rcode, flags);
    let mut any = false;
    for set in sets {
        let mut wanted: [Vec<Key>; 3] = Default::default();
        for line in set {
            let (section, record) = line.split_once(' ').ok_or("no record")?;
            let section = SECTIONS.iter().position(|name| *name == section).ok_or("no such section")?;
            wanted[section].push(read_record(record)?.key(true));
        }
        any |= sections(wanted.into_iter()) == found;
    }
    fits &= any;
    if fits { Ok(()) } else { Err(format!("answered {}, not {rcode} {flags:?} {sets:?}", show(message))) }
}

/// RFC 7871 §7.2.1: a subnet that was told comes back with a scope, and none comes to those who told none.
fn scoped(message: &Message, ask: Ask, wanted: Option<u8>) -> Result<(), String> {
    let options = message.opt.first().map(|opt| opt.data.as_slice()).unwrap_or_default();
    match (options, ask.subnet) {
        ([0, 8, _, _, _, family, bits, scope, ..], Some((address, told))) => {
            if (*family, *bits) != (if address.is_ipv4() { 1 } else { 2 }, told) {
                return Err(format!("the subnet came back as family {family}, {bits} bits"));
            }
            match wanted {
                Some(wanted) if wanted != *scope => Err(format!("answered scope {scope}, not {wanted}")),
                _ => Ok(()),
            }
        }
        ([0, 8, ..], None) => Err("a subnet came back that nobody told".to_owned()),
        (_, Some(_)) => Err("the subnet did not come back".to_owned()),
        (_, None) if wanted.is_some() => Err("a scope without a subnet".to_owned()),
        (_, None) => Ok(()),
    }
}

fn sections(sections: impl Iterator<Item = Vec<Key>>) -> Vec<Vec<Key>> {
    sections
        .map(|mut section| {
            section.sort();
            section
        })
        .collect()
}

/// `OWNER TTL TYPE DATA`.
fn read_record(line: &str) -> Result<Record, String> {
    let fields = text::fields(line)?;
    let [owner, ttl, rtype, data @ ..] = fields.as_slice() else { return Err(format!("no record: {line}")) };
    let (ttl, rtype) = (ttl.parse().map_err(|_| format!("no TTL: {line}"))?, text::rtype(rtype)?);
    let wire = text::rdata(rtype, data)?;
    Record::new(text::name(owner)?, rtype, ttl, &wire).map_err(|error| format!("{line}: {error:?}"))
}

/// QR, AA, TC and rcode.
fn head(message: &Message) -> (u16, u16) {
    (message.flags & 0x8680, message.rcode)
}

fn head_of(rcode: &str, flags: &[String]) -> (u16, u16) {
    let bit = |flag: &String| if flag == "AA" { 0x400 } else { 0x200 };
    let rcode = RCODES.iter().position(|name| *name == rcode).and_then(|at| u16::try_from(at).ok());
    (flags.iter().fold(0x8000, |all, flag| all | bit(flag)), rcode.unwrap_or(u16::MAX))
}

/// A message in words.
fn show(message: &Message) -> String {
    let mut words = vec![RCODES.get(usize::from(message.rcode)).copied().unwrap_or("?").to_owned()];
    words.extend([(0x400, "AA"), (0x200, "TC")].iter().filter(|(bit, _)| message.flags & bit != 0).map(|f| f.1.into()));
    for (section, name) in message.sections.iter().zip(SECTIONS) {
        for record in section {
            let mut owner = String::new();
            // Writing to a string cannot fail.
            let _ = print_rdata(RecordType::CNAME, &record.owner, &mut owner);
            words.push(format!("| {name} {owner} {} {} {}", record.ttl, RecordType(record.rtype), data(record)));
        }
    }
    words.join(" ")
}

/// Record data in text.
fn data(record: &Record) -> String {
    let octets = record.data.as_slice();
    if record.rtype == RecordType::A.0
        && let Ok(octets) = <[u8; 4]>::try_from(octets)
    {
        return Ipv4Addr::from(octets).to_string();
    }
    if record.rtype == RecordType::AAAA.0
        && let Ok(octets) = <[u8; 16]>::try_from(octets)
    {
        return Ipv6Addr::from(octets).to_string();
    }
    let mut shown = String::new();
    // Writing to a string cannot fail.
    let _ = print_rdata(RecordType(record.rtype), octets, &mut shown);
    shown
}
