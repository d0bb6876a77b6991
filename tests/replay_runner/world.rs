//! What is asked: the files of a replay as a snapshot, in the state that its script says.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use meridian::answer::{self, Client, Lane, Made, Trace, Transport};
use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::base::hash::HashKey;
use meridian::geo::Places;
use meridian::model::{self, Model};
use meridian::policy::Atlases;
use meridian::snapshot::{Snapshot, Steering, link};
use meridian::table::States;
use meridian::zone::{self, Served, ZoneSet};

use super::controlled::Controlled;
use super::happening::{Answer, Happening};
use super::script::{Ask, Question, Replay};
use crate::text;
use crate::wire::Message;

/// The zones and the model, linked, and what happened to the regions so far.
pub(crate) struct World {
    model: Arc<Model>,
    atlases: Arc<Atlases>,
    script: String,
    snapshot: Snapshot,
    lanes: HashMap<u64, Lane>,
    lane: u64,
    /// By type and data: the region that has the record.
    regions: HashMap<(u16, Vec<u8>), String>,
    /// Where states come from, if not from the script.
    control: Option<Controlled>,
    /// Why the last steered name was answered as it was.
    reason: Reasons,
    /// The zones as they were before steered names were linked into them.
    bare: ZoneSet,
}

impl World {
    /// Reads and links the files; the findings if anything is wrong with them.
    pub(crate) fn new(replay: &Replay) -> Result<Self, String> {
        let key = HashKey::new(1, 2);
        let mut report = Report::new();
        let mut served = Vec::new();
        for (origin, text) in &replay.zones {
            let name = origin.parse().map_err(|error| format!("{origin}: {error}"))?;
            let path = format!("{origin}zone").into();
            let loaded = zone::load(key, &path, text.as_bytes(), &name, &MemoryFiles::new(), &mut report);
            served.extend(loaded.map(|loaded| Served::Zone(Arc::new(loaded.zone))));
        }
        for apex in &replay.failed {
            served.push(Served::Failed(apex.parse().map_err(|error| format!("{apex}: {error}"))?));
        }
        let files: Vec<(Arc<str>, &str)> =
            replay.regions.iter().zip(1..).map(|(text, n)| (format!("{n}.toml").into(), text.as_str())).collect();
        let model = model::read(&files, &mut report);
        let networks = replay.networks.as_deref().map(|text| ("networks.toml", text));
        let places = Places::read(Vec::new(), networks, 0, &mut report).unwrap_or_else(Places::none);
        let bare = ZoneSet::of(key, served);
        let linked = model.as_ref().map(|model| link(&bare, model));
        if let Some(linked) = &linked {
            linked.report(&mut report);
        }
        match (model, linked) {
            (Some(model), Some(linked)) if !report.has_errors() => {
                let model = Arc::new(model);
                let atlases = Arc::new(Atlases::new(&model, Arc::new(places)));
                let (states, atlases_too) = (States::all_up(&model), Arc::clone(&atlases));
                let steering = Arc::new(Steering::with_atlases(Arc::clone(&model), atlases_too, &states, 1));
                let zones = Arc::new(linked.zones);
                let snapshot = Snapshot { generation: 1, key, zones, steering, options: Arc::default() };
                let regions = regions(&model);
                let (lanes, script) = (HashMap::new(), String::new());
                Ok(Self {
                    model,
                    atlases,
                    script,
                    snapshot,
                    lanes,
                    lane: 1,
                    regions,
                    control: None,
                    reason: Reasons(None),
                    bare,
                })
            }
            _ => Err(report.render()),
        }
    }

    /// Another line of the script: the next generation.
    pub(crate) fn change(&mut self, line: &str) -> Result<(), String> {
        self.script.push_str(line);
        self.script.push('\n');
        self.publish()
    }

    /// Everything up, no words: the next generation.
    pub(crate) fn clear(&mut self) -> Result<(), String> {
        self.script.clear();
        self.publish()
    }

    /// Something happens to control: the next generation.
    pub(crate) fn happen(&mut self, happening: &Happening) -> Result<(), String> {
        match (happening, &mut self.control) {
            (Happening::Control(settings), _) => {
                self.control = Some(Controlled::new(settings.clone(), &self.model)?);
            }
            (_, None) => return Err("CONTROL has not begun".into()),
            (Happening::Reload { text, expected }, Some(_)) => match (self.reload(text), expected) {
                (Ok(()), Answer::Done(_)) => {}
                (Err(error), Answer::Refused(words)) if error.contains(words) => {}
                (Ok(()), Answer::Refused(_)) => return Err("not refused".into()),
                (Err(error), _) => return Err(error),
            },
            (_, Some(control)) => control.step(happening)?,
        }
        let states = self.control.as_ref().ok_or("CONTROL has not begun")?.states();
        let generation = self.snapshot.generation + 1;
        let (model, atlases) = (Arc::clone(&self.model), Arc::clone(&self.atlases));
        let steering = Arc::new(Steering::with_atlases(model, atlases, states, generation));
        self.snapshot = Snapshot { generation, steering, ..self.snapshot.clone() };
        Ok(())
    }

    /// Another region file: it comes into force, or its mistakes are told.
    fn reload(&mut self, text: &str) -> Result<(), String> {
        let mut report = Report::new();
        let model = model::read(&[("1.toml".into(), text)], &mut report).ok_or_else(|| report.render())?;
        let linked = link(&self.bare, &model);
        linked.report(&mut report);
        if report.has_errors() {
            return Err(report.render());
        }
        self.atlases = Arc::new(Atlases::new(&model, Arc::clone(self.atlases.places())));
        self.model = Arc::new(model);
        self.regions.extend(regions(&self.model));
        self.snapshot.zones = Arc::new(linked.zones);
        self.control.as_mut().map_or(Ok(()), |control| control.adopt(&self.model))
    }

    fn publish(&mut self) -> Result<(), String> {
        let mut report = Report::new();
        let states = States::from_script(&self.model, "script", &self.script, &mut report);
        let generation = self.snapshot.generation + 1;
        let (model, atlases) = (Arc::clone(&self.model), Arc::clone(&self.atlases));
        let steering = Arc::new(Steering::with_atlases(model, atlases, &states, generation));
        self.snapshot = Snapshot { generation, steering, ..self.snapshot.clone() };
        if report.is_empty() { Ok(()) } else { Err(report.render()) }
    }

    /// The lane that answers from here on.
    pub(crate) const fn use_lane(&mut self, lane: u64) {
        self.lane = lane;
    }

    /// The lane that answers.
    pub(crate) const fn lane(&self) -> u64 {
        self.lane
    }

    /// The answer to one question.
    pub(crate) fn ask(&mut self, question: &Question, client: IpAddr, ask: Ask) -> Result<Message, String> {
        let packet = packet(question, ask)?;
        let transport = if ask.tcp { Transport::Tcp } else { Transport::Udp };
        let lane = self.lanes.entry(self.lane).or_insert_with(|| Lane::new(self.lane));
        let mut out = vec![0; 65_535];
        let client = Client { address: client, transport };
        self.reason = Reasons(None);
        let reply = answer::respond_traced(&self.snapshot, lane, &packet, client, &mut out, &mut self.reason);
        let limit = ask.edns.unwrap_or(if has_opt(ask) { 1232 } else { 512 }).min(1232);
        if !ask.tcp && reply.len > usize::from(limit.max(512)) {
            return Err(format!("{} octets, {limit} were offered", reply.len));
        }
        let message = Message::parse(&out[..reply.len]).map_err(|error| format!("{error:?}"))?;
        if message.question != packet[12..packet.len() - opt_len(ask)] {
            return Err("the question came back changed".into());
        }
        if message.opt.len() != usize::from(has_opt(ask)) {
            return Err(format!("{} OPT records", message.opt.len()));
        }
        Ok(message)
    }

    /// Why the steered name that was asked for last was answered as it was; of several the last.
    pub(crate) const fn reason(&self) -> Option<&'static str> {
        self.reason.0
    }

    /// The region that an answer came from: the first record that one has.
    pub(crate) fn region(&self, message: &Message) -> Option<&str> {
        message.sections[0]
            .iter()
            .find_map(|record| self.regions.get(&(record.rtype, record.data.clone())))
            .map(String::as_str)
    }
}

/// Remembers reasons.
struct Reasons(Option<&'static str>);

impl Trace for Reasons {
    fn decided(&mut self, made: &Made<'_>) {
        self.0 = Some(made.decision.reason.as_str());
    }
}

/// Which region has a record; none of those that several have.
fn regions(model: &Model) -> HashMap<(u16, Vec<u8>), String> {
    let (mut regions, mut shared) = (HashMap::new(), Vec::new());
    for endpoint in &model.endpoints {
        for record in &endpoint.records {
            let key = (record.rtype.0, record.wire.to_vec());
            let region = model.regions[endpoint.region.index()].key.to_string();
            if regions.insert(key.clone(), region.clone()).is_some_and(|other| other != region) {
                shared.push(key);
            }
        }
    }
    shared.iter().for_each(|key| {
        regions.remove(key);
    });
    regions
}

const fn has_opt(ask: Ask) -> bool {
    ask.dnssec || ask.edns.is_some() || ask.subnet.is_some()
}

fn opt_len(ask: Ask) -> usize {
    let subnet = ask.subnet.map_or(0, |(_, bits)| 8 + usize::from(bits).div_ceil(8));
    if has_opt(ask) { 11 + subnet } else { 0 }
}

fn small(number: usize) -> Result<u8, String> {
    u8::try_from(number).map_err(|_| format!("{number} is no length of a subnet"))
}

fn packet(question: &Question, ask: Ask) -> Result<Vec<u8>, String> {
    let mut packet = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(has_opt(ask))];
    packet.extend(text::name(&question.name)?);
    packet.extend(text::rtype(&question.rtype)?.to_be_bytes());
    packet.extend([0, 1]);
    if has_opt(ask) {
        packet.extend([0, 0, 41]);
        packet.extend(ask.edns.unwrap_or(1232).to_be_bytes());
        packet.extend([0, 0, if ask.dnssec { 0x80 } else { 0 }, 0, 0, small(opt_len(ask) - 11)?]);
        if let Some((address, bits)) = ask.subnet {
            let octets = match address {
                IpAddr::V4(v4) => v4.octets().to_vec(),
                IpAddr::V6(v6) => v6.octets().to_vec(),
            };
            let told = &octets[..usize::from(bits).div_ceil(8)];
            let len = small(told.len())?;
            packet.extend([0, 8, 0, 4 + len, 0, if address.is_ipv4() { 1 } else { 2 }, bits, 0]);
            packet.extend(told);
        }
    }
    Ok(packet)
}
