//! Reads `tests/corpus/*.rows`; the format is told in `tests/corpus/README.md`.

use std::path::{Path, PathBuf};

use super::text;
use super::wire::Record;

/// One file of rows and the zones it is asked of.
pub(crate) struct Theme {
    /// The file's name without `.rows`.
    pub(crate) name: String,
    /// Each zone's origin as it is written, and its file.
    pub(crate) zones: Vec<(String, PathBuf)>,
    /// The questions.
    pub(crate) rows: Vec<Row>,
    signed: Vec<Signed>,
}

/// A record of a ready-signed zone that rows refer to.
struct Signed {
    owner: Vec<u8>,
    rtype: u16,
    covered: u16,
    signer: String,
    data: Vec<u8>,
}

/// UDP or TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// What must come back for the question section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// The same octets.
    AsSent,
    /// An empty section.
    Empty,
    /// The RFCs leave it open.
    Any,
}

/// What must come back for an OPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opt {
    /// One for one, none for none.
    AsAsked,
    /// None.
    Absent,
    /// The RFCs leave it open.
    Any,
}

/// One question and what must come back.
pub(crate) struct Row {
    /// The line of the question.
    pub(crate) line: usize,
    /// The question's text.
    pub(crate) question: String,
    /// What is sent.
    pub(crate) packet: Vec<u8>,
    /// The transports it is sent over.
    pub(crate) transports: Vec<Transport>,
    /// The answer, or silence.
    pub(crate) expected: Option<Expected>,
    /// The RFCs that decide.
    pub(crate) why: Vec<String>,
}

/// An answer.
pub(crate) struct Expected {
    /// With the extended bits.
    pub(crate) rcode: u16,
    /// The flag bits of the header, QR and opcode and rcode not among them.
    pub(crate) flags: u16,
    /// Answer, authority, additional: these records.
    pub(crate) sections: [Vec<Record>; 3],
    /// Records that may stand there or not.
    pub(crate) optional: [Vec<Record>; 3],
    /// The question section.
    pub(crate) echo: Echo,
    /// The OPT.
    pub(crate) opt: Opt,
    /// Names must be equal in case too.
    pub(crate) exact_case: bool,
}

const FLAGS: [(&str, u16); 7] =
    [("AA", 0x400), ("TC", 0x200), ("RD", 0x100), ("RA", 0x80), ("Z", 0x40), ("AD", 0x20), ("CD", 0x10)];

const RCODES: [(&str, u16); 9] = [
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("NOTAUTH", 9),
    ("BADVERS", 16),
];

/// Every theme, in the order of the files' names; an error names its file and line.
pub(crate) fn load_all() -> Result<Vec<Theme>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .map_err(|error| error.to_string())?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rows"))
        .collect();
    paths.sort();
    paths.iter().map(|path| load(path)).collect()
}

fn load(path: &Path) -> Result<Theme, String> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut theme = Theme { name, zones: Vec::new(), rows: Vec::new(), signed: Vec::new() };
    for (index, line) in read(path)?.lines().enumerate() {
        theme
            .read_line(index + 1, line.trim_end())
            .map_err(|error| format!("{}:{}: {error}", path.display(), index + 1))?;
    }
    Ok(theme)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

impl Theme {
    fn read_line(&mut self, number: usize, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') || line.starts_with("about: ") {
            return Ok(());
        }
        if let Some(question) = line.strip_prefix("> ") {
            self.rows.push(Row::new(number, question)?);
            return Ok(());
        }
        if let Some(zone) = line.strip_prefix("zone: ") {
            let (origin, file) = zone.split_once(' ').ok_or("a zone needs an origin and a file")?;
            text::name(origin)?;
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/zones").join(file);
            self.read_signed(&path)?;
            self.zones.push((origin.to_owned(), path));
            return Ok(());
        }
        self.read_expectation(line)
    }

    /// RRSIG and DNSKEY of ready-signed zones, which stand one to a line with every field given.
    fn read_signed(&mut self, path: &Path) -> Result<(), String> {
        for line in read(path)?.lines() {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let [owner, _, class, kind, data @ ..] = words.as_slice() else { continue };
            if class != "IN" || !["RRSIG", "DNSKEY"].contains(&kind.as_str()) {
                continue;
            }
            let rtype = text::rtype(kind)?;
            let (covered, signer) = match (kind.as_str(), data.first(), data.get(7)) {
                ("RRSIG", Some(covered), Some(signer)) => (text::rtype(covered)?, signer.clone()),
                _ => (0, String::new()),
            };
            let owner = text::name(owner)?.to_ascii_lowercase();
            self.signed.push(Signed { owner, rtype, covered, signer, data: text::rdata(rtype, data)? });
        }
        Ok(())
    }

    fn read_expectation(&mut self, line: &str) -> Result<(), String> {
        if let Some(words) = line.strip_prefix("< ") {
            let row = self.rows.last_mut().ok_or("an answer before the first question")?;
            row.expected = Expected::new(words, row.question.starts_with("raw"))?;
            return Ok(());
        }
        let (key, value) = line.split_once(": ").ok_or("not a line of a row")?;
        let section = match key.trim_end_matches('?') {
            "answer" => Some(0),
            "authority" => Some(1),
            "additional" => Some(2),
            _ => None,
        };
        let records = if section.is_some() { self.records(value)? } else { Vec::new() };
        let row = self.rows.last_mut().ok_or("an expectation before the first question")?;
        if key == "why" {
            row.why.push(value.to_owned());
            return Ok(());
        }
        let expected = row.expected.as_mut().ok_or("an expectation beside silence")?;
        match (section, key, value) {
            (Some(index), ..) if key.ends_with('?') => expected.optional[index].extend(records),
            (Some(index), ..) => expected.sections[index].extend(records),
            (None, "question", "any") => expected.echo = Echo::Any,
            (None, "question", "none") => expected.echo = Echo::Empty,
            (None, "opt", "any") => expected.opt = Opt::Any,
            (None, "opt", "none") => expected.opt = Opt::Absent,
            (None, "case", "exact") => expected.exact_case = true,
            _ => return Err(format!("unknown word {key}")),
        }
        Ok(())
    }

    /// `OWNER TTL TYPE DATA`; for `DNSKEY as-signed` and `RRSIG TYPE [of OWNER] [by ZONE]` the data is the zone file's.
    fn records(&self, line: &str) -> Result<Vec<Record>, String> {
        let fields = text::fields(line)?;
        let [owner, ttl, kind, data @ ..] = fields.as_slice() else { return Err("fields are missing".to_owned()) };
        let (name, rtype) = (text::name(owner)?, text::rtype(kind)?);
        let ttl = ttl.parse().map_err(|_| format!("bad TTL {ttl}"))?;
        let make = |data: &[u8]| Record::new(name.clone(), rtype, ttl, data).map_err(|error| error.0.to_owned());
        let short = rtype == 46 && [1, 3, 5].contains(&data.len());
        if !short && data.first().map(String::as_str) != Some("as-signed") {
            return Ok(vec![make(&text::rdata(rtype, data)?)?]);
        }
        let word = |key: &str| data.iter().skip(1).position(|word| word == key).and_then(|at| data.get(at + 2));
        let signed = text::name(word("of").unwrap_or(owner))?.to_ascii_lowercase();
        let covered = if short { text::rtype(&data[0])? } else { 0 };
        let found: Vec<_> = self
            .signed
            .iter()
            .filter(|at| (&at.owner, at.rtype, at.covered) == (&signed, rtype, covered))
            .filter(|at| word("by").is_none_or(|zone| *zone == at.signer))
            .collect();
        if found.is_empty() {
            return Err("not in the theme's signed zones".to_owned());
        }
        found.into_iter().map(|at| make(&at.data)).collect()
    }
}

impl Row {
    /// `NAME TYPE OPTIONS...` or `raw HEX...`.
    fn new(line: usize, question: &str) -> Result<Self, String> {
        let words: Vec<&str> = question.split_whitespace().collect();
        let transports = match (words.contains(&"+udp"), words.contains(&"+tcp")) {
            (true, _) => vec![Transport::Udp],
            (_, true) => vec![Transport::Tcp],
            _ => vec![Transport::Udp, Transport::Tcp],
        };
        let packet = match words.as_slice() {
            ["raw", hex @ ..] => text::hex(&hex.concat())?,
            [name, kind, options @ ..] => build(text::name(name)?, text::rtype(kind)?, options)?,
            _ => return Err("a question needs a name and a type".to_owned()),
        };
        Ok(Self { line, question: question.to_owned(), packet, transports, expected: None, why: Vec::new() })
    }

    /// What is sent, with an id of its own where the packet is not spelled out.
    pub(crate) fn packet_with_id(&self, id: u16) -> Vec<u8> {
        let mut packet = self.packet.clone();
        if !self.question.starts_with("raw") {
            packet.splice(..2, id.to_be_bytes());
        }
        packet
    }
}

impl Expected {
    /// None for silence.
    fn new(words: &str, raw: bool) -> Result<Option<Self>, String> {
        let mut words = words.split_whitespace();
        let rcode = words.next().unwrap_or_default();
        if rcode == "silence" {
            return Ok(None);
        }
        let find = |table: &[(&str, u16)], word: &str| {
            table
                .iter()
                .find(|(name, _)| *name == word)
                .map(|(_, value)| *value)
                .ok_or_else(|| format!("unknown {word}"))
        };
        let rcode = find(&RCODES, rcode)?;
        let flags = words.map(|word| find(&FLAGS, word)).sum::<Result<u16, String>>()?;
        Ok(Some(Self {
            rcode,
            flags,
            sections: Default::default(),
            optional: Default::default(),
            echo: Echo::AsSent,
            opt: if raw { Opt::Any } else { Opt::AsAsked },
            exact_case: false,
        }))
    }
}

/// A query with one question and id 0.
fn build(name: Vec<u8>, rtype: u16, options: &[&str]) -> Result<Vec<u8>, String> {
    let (mut flags, mut class) = (0_u16, 1_u16);
    let (mut edns, mut size, mut edns_ttl, mut edns_data) = (false, 1232_u16, 0_u32, Vec::new());
    for option in options {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        let number = || value.parse::<u16>().map_err(|_| format!("bad number in {option}"));
        edns |= ["+edns", "+do", "+bufsize", "+version", "+ednsflags", "+option"].contains(&key);
        match key {
            "+udp" | "+tcp" | "+edns" => {}
            "opcode" => flags |= number()? << 11,
            "class" => class = class_number(value)?,
            "+do" => edns_ttl |= 0x8000,
            "+bufsize" => size = number()?,
            "+version" => edns_ttl |= u32::from(number()?) << 16,
            "+ednsflags" => edns_ttl |= u32::from_str_radix(value, 16).map_err(|error| error.to_string())?,
            "+option" => {
                let (code, data) = value.split_once(':').ok_or("an option needs a colon")?;
                let data = text::hex(data)?;
                edns_data.extend(code.parse::<u16>().map_err(|error| error.to_string())?.to_be_bytes());
                edns_data.extend(text::length16(data.len()));
                edns_data.extend(data);
            }
            _ => {
                let flag = key.trim_start_matches('+').to_ascii_uppercase();
                let known = FLAGS.iter().find(|(name, _)| *name == flag);
                flags |= known.ok_or_else(|| format!("unknown option {option}"))?.1;
            }
        }
    }
    let mut packet = Vec::new();
    for word in [0, flags, 1, 0, 0, u16::from(edns)] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend(name);
    packet.extend([rtype.to_be_bytes(), class.to_be_bytes()].concat());
    if edns {
        packet.extend([0, 0, 41]);
        packet.extend(size.to_be_bytes());
        packet.extend(edns_ttl.to_be_bytes());
        packet.extend(text::length16(edns_data.len()));
        packet.extend(edns_data);
    }
    Ok(packet)
}

fn class_number(text: &str) -> Result<u16, String> {
    match text {
        "IN" => Ok(1),
        "CH" => Ok(3),
        "HS" => Ok(4),
        "NONE" => Ok(254),
        "ANY" => Ok(255),
        _ => text.strip_prefix("CLASS").and_then(|digits| digits.parse().ok()).ok_or_else(|| format!("class {text}")),
    }
}
