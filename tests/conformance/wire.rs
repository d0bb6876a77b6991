//! A DNS message reader of the tests' own: it judges what Meridian writes, so it shares no code with it.

/// A resource record. Names stand in wire form without compression.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The owner's name.
    pub(crate) owner: Vec<u8>,
    /// The type.
    pub(crate) rtype: u16,
    /// The class; in an OPT the payload size.
    pub(crate) class: u16,
    /// Seconds; in an OPT extended rcode, version and flags.
    pub(crate) ttl: u32,
    /// The data, names in it uncompressed.
    pub(crate) data: Vec<u8>,
    /// The same with names in lower case.
    pub(crate) folded: Vec<u8>,
}

/// What two equal records share.
pub(crate) type Key = (Vec<u8>, u16, u16, u32, Vec<u8>);

impl Record {
    /// A record of class IN; `data` is wire form.
    pub(crate) fn new(owner: Vec<u8>, rtype: u16, ttl: u32, data: &[u8]) -> Result<Self, Malformed> {
        let (data, folded) = read_data(data, 0, data.len(), rtype)?;
        Ok(Self { owner, rtype, class: 1, ttl, data, folded })
    }

    /// Names compare without case (RFC 4343 §3) unless `exact`.
    pub(crate) fn key(&self, exact: bool) -> Key {
        let (owner, data) = match exact {
            true => (self.owner.clone(), self.data.clone()),
            false => (self.owner.to_ascii_lowercase(), self.folded.clone()),
        };
        (owner, self.rtype, self.class, self.ttl, data)
    }
}

/// A record that cannot be read, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A message taken apart.
#[derive(Debug)]
pub(crate) struct Message {
    /// The identifier.
    pub(crate) id: u16,
    /// The second 16 bits of the header.
    pub(crate) flags: u16,
    /// The rcode with the extended bits of an OPT.
    pub(crate) rcode: u16,
    /// The question section's octets as they came.
    pub(crate) question: Vec<u8>,
    /// Answer, authority and additional without OPT.
    pub(crate) sections: [Vec<Record>; 3],
    /// The OPT records.
    pub(crate) opt: Vec<Record>,
}

impl Message {
    /// Reads all of `octets`.
    pub(crate) fn parse(octets: &[u8]) -> Result<Self, Malformed> {
        match Self::parse_prefix(octets)? {
            (message, end) if end == octets.len() => Ok(message),
            _ => Err(Malformed("octets after the last record")),
        }
    }

    /// Reads a message and says where it ends: what we send may be followed by garbage.
    pub(crate) fn parse_prefix(octets: &[u8]) -> Result<(Self, usize), Malformed> {
        let word = |at: usize| number16(octets, at);
        let (id, flags) = (word(0)?, word(2)?);
        let counts = [word(4)?, word(6)?, word(8)?, word(10)?];
        let mut position = 12;
        for _ in 0..counts[0] {
            position = read_name(octets, position)?.1 + 4;
        }
        let question = octets.get(12..position).ok_or(Malformed("question cut short"))?.to_vec();
        let mut sections = [Vec::new(), Vec::new(), Vec::new()];
        for (section, count) in sections.iter_mut().zip(&counts[1..]) {
            for _ in 0..*count {
                let (record, next) = read_record(octets, position)?;
                section.push(record);
                position = next;
            }
        }
        let (opt, rest) = std::mem::take(&mut sections[2]).into_iter().partition(|record| record.rtype == 41);
        sections[2] = rest;
        let opt: Vec<Record> = opt;
        let extended = opt.first().map_or(0, |record| u16::from(record.ttl.to_be_bytes()[0])) << 4;
        Ok((Self { id, flags, rcode: extended | (flags & 15), question, sections, opt }, position))
    }

    /// What two answers to one question share, whatever the order of their records.
    pub(crate) fn essence(&self) -> (u16, u16, &[u8], [Vec<Key>; 3]) {
        let sections = [0, 1, 2].map(|index: usize| {
            let mut keys: Vec<Key> = self.sections[index].iter().map(|record| record.key(true)).collect();
            keys.sort();
            keys
        });
        (self.flags, self.rcode, &self.question, sections)
    }

    /// 0 is a query.
    pub(crate) fn opcode(&self) -> u16 {
        (self.flags >> 11) & 15
    }
}

/// Where a part of record data is a name.
enum Step {
    Name,
    Octets(usize),
}

/// Types whose data holds names, as far as the last of them; what follows is taken as it is.
fn layout(rtype: u16) -> &'static [Step] {
    use Step::{Name, Octets};
    match rtype {
        2 | 5 | 12 | 39 | 47 => &[Name],
        6 | 17 => &[Name, Name],
        15 | 18 => &[Octets(2), Name],
        33 => &[Octets(6), Name],
        _ => &[],
    }
}

/// Record data without compression, and the same with its names in lower case.
fn read_data(octets: &[u8], start: usize, end: usize, rtype: u16) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
    let (mut data, mut folded, mut position) = (Vec::new(), Vec::new(), start);
    for step in layout(rtype) {
        match step {
            Step::Name => {
                let (name, next) = read_name(octets, position)?;
                folded.extend(name.to_ascii_lowercase());
                data.extend(name);
                position = next;
            }
            Step::Octets(count) => {
                let part = octets.get(position..position + count).ok_or(Malformed("data cut short"))?;
                data.extend(part);
                folded.extend(part);
                position += count;
            }
        }
    }
    let rest = octets.get(position..end).ok_or(Malformed("data cut short"))?;
    data.extend(rest);
    folded.extend(rest);
    Ok((data, folded))
}

fn read_record(octets: &[u8], start: usize) -> Result<(Record, usize), Malformed> {
    let (owner, position) = read_name(octets, start)?;
    let rtype = number16(octets, position)?;
    let class = number16(octets, position + 2)?;
    let ttl = u32::from(number16(octets, position + 4)?) << 16 | u32::from(number16(octets, position + 6)?);
    let end = position + 10 + usize::from(number16(octets, position + 8)?);
    if end > octets.len() {
        return Err(Malformed("data past the end"));
    }
    let (data, folded) = read_data(octets, position + 10, end, rtype)?;
    Ok((Record { owner, rtype, class, ttl, data, folded }, end))
}

/// A name without compression, and the position after it.
fn read_name(octets: &[u8], start: usize) -> Result<(Vec<u8>, usize), Malformed> {
    let (mut name, mut position, mut end) = (Vec::new(), start, None);
    loop {
        let length = usize::from(*octets.get(position).ok_or(Malformed("name cut short"))?);
        match length {
            0 => {
                name.push(0);
                return Ok((name, end.unwrap_or(position + 1)));
            }
            1..=63 => {
                let label = octets.get(position..=position + length).ok_or(Malformed("label cut short"))?;
                name.extend(label);
                if name.len() > 254 {
                    return Err(Malformed("name too long"));
                }
                position += length + 1;
            }
            192.. => {
                let target = usize::from(number16(octets, position)? & 0x3FFF);
                end = end.or(Some(position + 2));
                if target >= position {
                    return Err(Malformed("pointer does not lead back"));
                }
                position = target;
            }
            64..=191 => return Err(Malformed("reserved label type")),
        }
    }
}

fn number16(octets: &[u8], at: usize) -> Result<u16, Malformed> {
    let part = octets.get(at..at + 2).ok_or(Malformed("message cut short"))?;
    Ok(u16::from_be_bytes([part[0], part[1]]))
}
