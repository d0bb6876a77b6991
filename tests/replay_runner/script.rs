//! How a replay is written.
//!
//! ```text
//! rule: in words, the rule that the replay shows
//! ZONE example.com.                     a zone file up to END; several zones are served together
//! FAILED example.net.                   a zone that could not be loaded
//! REGIONS                               a region file up to END
//! NETWORKS                              a networks.toml up to END: where clients are
//!
//! STATE | REGION | OVERRIDE …           a line of the script of region states; it adds to those before it
//! CLEAR                                 everything up, no words of operators
//! LANE 2                                the next queries are answered by another thread's lane; the first is 1
//!
//! QUERY name type FROM address|N [IPV6] CLIENTS [UDP|TCP] [+do] [+edns=N] [+subnet=NETWORK/N]
//! EXPECT RCODE [AA] [TC] [SCOPE N] [REASON word]
//!                                       holds for every one of the clients; SCOPE: of the client subnet (RFC 7871);
//!                                       REASON: why the region was answered, as `explain` and metrics tell it
//!   ANSWER owner ttl type data          all records of a section, in any order; likewise AUTHORITY and ADDITIONAL
//!   OR                                  begins another set of records that is as good
//! EXPECT NODATA|NXDOMAIN apex ttl [SCOPE N] [REASON word]  AA, nothing but the SOA of that zone, with that TTL
//! EXPECT SAME REGION                    as the answer before it
//!
//! SHARE name type OVER N [IPV6] CLIENTS | QUERIES      queries are of one client
//!   fra 0.66 ± 0.03                     a region, or an address; what is not listed gets nothing
//! MOVED FROM fra | TO fra | NONE        between the last two shares: which clients, all of them and no others
//! MOVED ONLY FROM fra | TO fra [BUT 0.01]   some did, others stayed; BUT: this part of all clients may have gone elsewhere
//! AGREE name type AND name type OVER N [IPV6] CLIENTS  both answers come from one region
//! TURNS name type FROM address OVER N QUERIES [CONTINUES]
//!   192.0.2.1 192.0.2.2                 the answers in turn, over and over; CONTINUES where this lane stopped
//! ```
//!
//! What lets things happen to control (outcomes, commands, time) stands in `happening.rs`.

use std::net::IpAddr;

use super::happening::{self, Happening};

/// A replay that can be played.
pub(crate) struct Replay {
    /// What it shows.
    pub(crate) rule: String,
    /// Origins and texts.
    pub(crate) zones: Vec<(String, String)>,
    /// Apexes of zones that could not be loaded.
    pub(crate) failed: Vec<String>,
    /// Region files.
    pub(crate) regions: Vec<String>,
    /// Where clients are.
    pub(crate) networks: Option<String>,
    /// What happens, each with its line.
    pub(crate) steps: Vec<(usize, Step)>,
}

/// One thing that happens.
pub(crate) enum Step {
    /// A line of the script of region states.
    State(String),
    /// Something happens to control, or is expected of it.
    Happening(Happening),
    /// No states, no words.
    Clear,
    /// Another lane answers.
    Lane(u64),
    /// Questions, what each must be answered with, and why.
    Query(Question, Crowd, Ask, Expect, Option<String>),
    /// Who is answered, by region or address.
    Share(Question, Crowd, Vec<Share>),
    /// Who moved between the last two shares.
    Moved(Moved),
    /// Two questions are answered from one region.
    Agree(Question, Question, Crowd),
    /// Answers take turns.
    Turns { question: Question, client: IpAddr, queries: usize, rows: Vec<Vec<String>>, continues: bool },
}

/// A name, as it is asked, and a type.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) rtype: String,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crowd {
    /// One client, so many times.
    One(IpAddr, usize),
    /// So many networks, IPv6 or IPv4, one client of each.
    Networks(usize, bool),
}

/// How it is asked.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ask {
    pub(crate) tcp: bool,
    pub(crate) dnssec: bool,
    /// The payload size offered.
    pub(crate) edns: Option<u16>,
    /// The client subnet told.
    pub(crate) subnet: Option<(IpAddr, u8)>,
}

/// What must be answered.
pub(crate) enum Expect {
    /// Any of these sets of records, `SECTION record` each.
    Records { rcode: String, flags: Vec<String>, scope: Option<u8>, sets: Vec<Vec<String>> },
    /// A negative answer with the SOA of this zone and this TTL.
    Negative { nxdomain: bool, apex: String, ttl: u32, scope: Option<u8> },
    /// The region of the answer before.
    SameRegion,
}

/// A share, and how far it may be off.
pub(crate) struct Share {
    pub(crate) key: String,
    pub(crate) part: f64,
    pub(crate) tolerance: f64,
}

/// Which clients moved.
pub(crate) enum Moved {
    From(String),
    To(String),
    None,
    /// Not all need have moved, and a part may have moved otherwise.
    OnlyFrom(String, f64),
    OnlyTo(String, f64),
}

impl Replay {
    /// Reads a replay; an error begins with the line.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut lines = Lines { lines: text.lines().collect(), next: 0 };
        let rule =
            lines.next().and_then(|line| line.strip_prefix("rule: ")).ok_or("1: the first line names no rule")?;
        let mut replay = Self {
            rule: rule.to_owned(),
            zones: vec![],
            failed: vec![],
            regions: vec![],
            networks: None,
            steps: vec![],
        };
        while let Some(line) = lines.next() {
            let number = lines.next;
            let bare = without_comment(line);
            if !bare.is_empty() {
                replay.add(number, bare, &mut lines).map_err(|error| format!("{number}: {error}: {line}"))?;
            }
        }
        Ok(replay)
    }

    fn add(&mut self, number: usize, line: &str, lines: &mut Lines<'_>) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["RELOAD"] = words.as_slice() {
            let text = lines.verbatim()?;
            let block: Vec<String> = lines.block().into_iter().map(str::to_owned).collect();
            self.steps
                .push((number, Step::Happening(Happening::Reload { text, expected: happening::answer(&block)? })));
            return Ok(());
        }
        let mut block = || lines.block().into_iter().map(str::to_owned).collect();
        if let Some(happening) = Happening::read(&words, &mut block).filter(|_| !line.starts_with(char::is_whitespace))
        {
            self.steps.push((number, Step::Happening(happening?)));
            return Ok(());
        }
        let step = match words.as_slice() {
            _ if line.starts_with(char::is_whitespace) => return Err("belongs to no step".into()),
            ["ZONE", origin] => {
                self.zones.push(((*origin).to_owned(), lines.verbatim()?));
                return Ok(());
            }
            ["REGIONS"] => {
                self.regions.push(lines.verbatim()?);
                return Ok(());
            }
            ["NETWORKS"] => {
                self.networks = Some(lines.verbatim()?);
                return Ok(());
            }
            ["FAILED", apex] => {
                self.failed.push((*apex).to_owned());
                return Ok(());
            }
            ["STATE" | "REGION" | "OVERRIDE", ..] => Step::State(line.to_owned()),
            ["CLEAR"] => Step::Clear,
            ["LANE", lane] => Step::Lane(parse(lane)?),
            ["QUERY", name, rtype, "FROM", rest @ ..] => {
                let (crowd, rest) = Crowd::read(rest)?;
                let (ask, (expect, reason)) = (ask(rest)?, expect(lines)?);
                Step::Query(Question::new(name, rtype), crowd, ask, expect, reason)
            }
            ["SHARE", name, rtype, "OVER", rest @ ..] => {
                let rows = lines.block().into_iter().map(share).collect::<Result<Vec<_>, _>>()?;
                if rows.is_empty() {
                    return Err("nothing is expected".into());
                }
                Step::Share(Question::new(name, rtype), Crowd::all(rest)?, rows)
            }
            ["MOVED", how @ ..] => Step::Moved(Moved::read(how)?),
            ["AGREE", name, rtype, "AND", other, other_type, "OVER", rest @ ..] => {
                Step::Agree(Question::new(name, rtype), Question::new(other, other_type), Crowd::all(rest)?)
            }
            ["TURNS", name, rtype, "FROM", client, "OVER", queries, "QUERIES", rest @ ..] => {
                let rows: Vec<Vec<String>> =
                    lines.block().iter().map(|row| row.split_whitespace().map(str::to_owned).collect()).collect();
                if rows.is_empty() {
                    return Err("nothing is expected".into());
                }
                let continues = match rest {
                    [] => false,
                    ["CONTINUES"] => true,
                    _ => return Err("CONTINUES or nothing".into()),
                };
                let (client, queries) = (parse(client)?, parse(queries)?);
                Step::Turns { question: Question::new(name, rtype), client, queries, rows, continues }
            }
            _ => return Err("no such step".into()),
        };
        self.steps.push((number, step));
        Ok(())
    }
}

impl Moved {
    fn read(words: &[&str]) -> Result<Self, String> {
        let (words, but) = match words {
            [words @ .., "BUT", part] => (words, parse(part)?),
            words => (words, 0.0),
        };
        match words {
            ["NONE"] if but == 0.0 => Ok(Self::None),
            ["FROM", key] if but == 0.0 => Ok(Self::From((*key).to_owned())),
            ["TO", key] if but == 0.0 => Ok(Self::To((*key).to_owned())),
            ["ONLY", "FROM", key] => Ok(Self::OnlyFrom((*key).to_owned(), but)),
            ["ONLY", "TO", key] => Ok(Self::OnlyTo((*key).to_owned(), but)),
            _ => Err("[ONLY] FROM, TO or NONE".into()),
        }
    }
}

impl Question {
    fn new(name: &str, rtype: &str) -> Self {
        Self { name: name.to_owned(), rtype: rtype.to_owned() }
    }
}

impl Crowd {
    /// `address`, `N CLIENTS`, `N IPV6 CLIENTS` or `N QUERIES`, and what follows.
    fn read<'w>(words: &'w [&'w str]) -> Result<(Self, &'w [&'w str]), String> {
        match words {
            [count, "CLIENTS", rest @ ..] => Ok((Self::Networks(parse(count)?, false), rest)),
            [count, "IPV6", "CLIENTS", rest @ ..] => Ok((Self::Networks(parse(count)?, true), rest)),
            [count, "QUERIES", rest @ ..] => Ok((Self::One(IpAddr::from([10, 0, 0, 1]), parse(count)?), rest)),
            [address, rest @ ..] => Ok((Self::One(parse(address)?, 1), rest)),
            [] => Err("who asks?".into()),
        }
    }

    /// The same with nothing behind it.
    fn all(words: &[&str]) -> Result<Self, String> {
        match Self::read(words)? {
            (crowd, []) => Ok(crowd),
            _ => Err("too many words".into()),
        }
    }

    /// The addresses that ask, one after the other.
    pub(crate) fn clients(self) -> Vec<IpAddr> {
        match self {
            Self::One(address, times) => vec![address; times],
            Self::Networks(count, false) => (0..u32::try_from(count).expect("a small number"))
                .map(|i| IpAddr::V4((10 << 24 | i << 8 | 1).into()))
                .collect(),
            Self::Networks(count, true) => {
                (0..count as u128).map(|i| IpAddr::V6((0x2001_0db8 << 96 | i << 72 | 1).into())).collect()
            }
        }
    }
}

fn ask(words: &[&str]) -> Result<Ask, String> {
    let mut ask = Ask::default();
    for word in words {
        if let Some(subnet) = word.strip_prefix("+subnet=") {
            let (address, bits) = subnet.split_once('/').ok_or("a subnet is NETWORK/N")?;
            ask.subnet = Some((parse(address)?, parse(bits)?));
            continue;
        }
        match (*word, word.strip_prefix("+edns=")) {
            (_, Some(size)) => ask.edns = Some(parse(size)?),
            ("UDP", _) => ask.tcp = false,
            ("TCP", _) => ask.tcp = true,
            ("+do", _) => ask.dnssec = true,
            _ => return Err(format!("what is {word}")),
        }
    }
    Ok(ask)
}

/// What is expected, and the reason if that is too.
fn expect(lines: &mut Lines<'_>) -> Result<(Expect, Option<String>), String> {
    let head = lines.next().map(without_comment).and_then(|line| line.strip_prefix("EXPECT "));
    let words: Vec<&str> = head.ok_or("no EXPECT follows")?.split_whitespace().collect();
    let (words, reason) = match words.as_slice() {
        [words @ .., "REASON", reason] => (words, Some((*reason).to_owned())),
        words => (words, None),
    };
    let (words, scope) = match words {
        [words @ .., "SCOPE", scope] => (words, Some(parse(scope)?)),
        words => (words, None),
    };
    Ok((answer(words, scope, lines)?, reason))
}

fn answer(words: &[&str], scope: Option<u8>, lines: &mut Lines<'_>) -> Result<Expect, String> {
    match words {
        ["SAME", "REGION"] => Ok(Expect::SameRegion),
        [kind @ ("NODATA" | "NXDOMAIN"), apex, ttl] => {
            Ok(Expect::Negative { nxdomain: *kind == "NXDOMAIN", apex: (*apex).to_owned(), ttl: parse(ttl)?, scope })
        }
        [rcode @ ("NOERROR" | "SERVFAIL" | "REFUSED" | "NXDOMAIN"), flags @ ..] => {
            if let Some(other) = flags.iter().find(|flag| !matches!(**flag, "AA" | "TC")) {
                return Err(format!("no such flag: {other}"));
            }
            let mut sets = vec![Vec::new()];
            for line in lines.block() {
                match line.split_whitespace().next() {
                    Some("OR") => sets.push(Vec::new()),
                    Some("ANSWER" | "AUTHORITY" | "ADDITIONAL") => {
                        sets.last_mut()
                            .expect("there is one")
                            .push(line.split_whitespace().collect::<Vec<_>>().join(" "));
                    }
                    _ => return Err(format!("no such section: {line}")),
                }
            }
            Ok(Expect::Records {
                rcode: (*rcode).to_owned(),
                flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
                scope,
                sets,
            })
        }
        _ => Err("nothing that can be expected".into()),
    }
}

fn share(row: &str) -> Result<Share, String> {
    match row.split_whitespace().collect::<Vec<_>>().as_slice() {
        [key, part, "±", tolerance] => {
            Ok(Share { key: (*key).to_owned(), part: parse(part)?, tolerance: parse(tolerance)? })
        }
        _ => Err(format!("not a share: {row}")),
    }
}

/// The lines of a replay, and the number of the line read last.
struct Lines<'t> {
    lines: Vec<&'t str>,
    next: usize,
}

impl<'t> Lines<'t> {
    fn next(&mut self) -> Option<&'t str> {
        let line = *self.lines.get(self.next)?;
        self.next += 1;
        Some(line)
    }

    /// Everything up to END.
    fn verbatim(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.next().ok_or("no END")? {
                "END" => return Ok(text),
                line => text.extend([line, "\n"]),
            }
        }
    }

    /// The indented lines that follow.
    fn block(&mut self) -> Vec<&'t str> {
        let mut block = Vec::new();
        while let Some(line) = self.lines.get(self.next).filter(|line| line.starts_with("  ")) {
            self.next += 1;
            block.extend(Some(without_comment(line).trim_start()).filter(|line| !line.is_empty()));
        }
        block
    }
}

/// A comment begins with `#` at the start of a word; `\#` begins record data.
fn without_comment(line: &str) -> &str {
    let starts_word = |&(at, _): &(usize, &str)| line[..at].ends_with(char::is_whitespace) || at == 0;
    let end = line.match_indices('#').find(starts_word).map_or(line.len(), |(at, _)| at);
    line[..end].trim_end()
}

fn parse<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("cannot read {word}"))
}
