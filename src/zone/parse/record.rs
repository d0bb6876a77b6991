//! One resource record: `[owner] [ttl] [class] type data`, RFC 1035 §5.1.

use crate::base::suggest::nearest;
use crate::dns::RecordType;
use crate::dns::name;
use crate::dns::rdata::{Word, Words, parse_rdata, read_period};
use crate::dns::rtype::Class;
use crate::zone::parse::fault::{Fault, shown};
use crate::zone::parse::state::Current;

/// RFC 2181 §8.
const TTL_MAX: u32 = 0x7fff_ffff;

/// What stands before the data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) rtype: RecordType,
    /// Seconds.
    pub(super) ttl: u32,
    /// True if the TTL is the SOA's MINIMUM for want of another.
    pub(super) ttl_from_minimum: bool,
}

/// Reads the record `words` stand at; its owner goes to `current`, its data to `rdata`. `blank` says that the line
/// begins with a blank, so that the owner is the last one. `None` if there is no word.
pub(super) fn read_record(
    words: &mut Words<'_>,
    blank: bool,
    current: &mut Current,
    rdata: &mut Vec<u8>,
) -> Result<Option<Head>, Box<Fault>> {
    let Some(first) = words.next_word()? else {
        return Ok(None);
    };
    let mut word = first;
    if blank {
        if current.owner.is_empty() {
            return Err(Fault::new("no-owner", "a record has no owner", first.span(), "no record stands before it")
                .hint("a line that begins with a blank takes the owner of the record before; `@` is the origin"));
        }
    } else {
        read_owner(&first, current)?;
        word = next(words, &first)?;
    }
    let mut ttl = None;
    let mut class = false;
    let rtype = loop {
        if word.text.first().is_some_and(u8::is_ascii_digit) {
            if ttl.is_some() {
                return Err(Fault::new("two-ttls", "a record has two TTLs", word.span(), "a type is expected"));
            }
            ttl = Some(read_ttl(&word).map_err(|fault| {
                // `A 192.0.2.1`: the address is taken for a TTL.
                if word.text.iter().any(|b| matches!(b, b'.' | b':')) {
                    owner_hint(fault, blank, &first)
                } else {
                    fault
                }
            })?);
            current.ttl_last = ttl;
        } else if word.text.eq_ignore_ascii_case(b"IN") && !class {
            class = true;
        } else if let Some(rtype) = record_type(word.text) {
            break rtype;
        } else if let Some(found) = Class::from_text(word.text) {
            if class {
                return Err(Fault::new("two-classes", "a record has two classes", word.span(), "a type is expected"));
            }
            if found != Class::IN {
                let message = format!("class `{}` is not served", shown(&word));
                return Err(Fault::new("wrong-class", message, word.span(), "zones are of class IN"));
            }
            class = true;
        } else {
            return Err(unknown_type(words, &word, blank, &first));
        }
        word = next(words, &word)?;
    };
    if rtype.is_meta() {
        let message = format!("{rtype} is no record of a zone");
        return Err(Fault::new("meta-type", message, word.span(), "this type exists in messages only"));
    }
    rdata.clear();
    parse_rdata(rtype, words, Some(&current.origin), rdata)
        .map_err(|error| Fault::rdata(rtype, error, words.text()))?;
    let (ttl, ttl_from_minimum) = match ttl.or(current.ttl_default).or(current.ttl_last) {
        Some(ttl) => (ttl, false),
        None => (soa_minimum(rtype, rdata).ok_or_else(|| missing_ttl(&word))?, true),
    };
    if ttl_from_minimum {
        current.ttl_last = Some(ttl);
    }
    Ok(Some(Head { rtype, ttl, ttl_from_minimum }))
}

/// [`RecordType::from_text`], with the usual spellings of the usual types first.
#[inline]
fn record_type(text: &[u8]) -> Option<RecordType> {
    match text {
        b"A" | b"a" => Some(RecordType::A),
        b"NS" | b"ns" => Some(RecordType::NS),
        b"MX" | b"mx" => Some(RecordType::MX),
        b"TXT" | b"txt" => Some(RecordType::TXT),
        b"PTR" | b"ptr" => Some(RecordType::PTR),
        b"SRV" | b"srv" => Some(RecordType::SRV),
        b"AAAA" | b"aaaa" => Some(RecordType::AAAA),
        b"CNAME" | b"cname" => Some(RecordType::CNAME),
        b"DS" => Some(RecordType::DS),
        b"NSEC" => Some(RecordType::NSEC),
        b"NSEC3" => Some(RecordType::NSEC3),
        b"RRSIG" => Some(RecordType::RRSIG),
        _ => RecordType::from_text(text),
    }
}

fn read_owner(word: &Word<'_>, current: &mut Current) -> Result<(), Box<Fault>> {
    current.owner.clear();
    name::parse_into(word.text, Some(&current.origin), &mut current.owner).map_err(|error| {
        // Lines without an owner that follow must not fail for this one's mistake.
        current.owner.clear();
        current.owner.extend_from_slice(&current.origin);
        let message = format!("the owner `{}` is no name", shown(word));
        Fault::new("bad-name", message, word.span(), error.to_string())
    })
}

/// The word after `last`, which must be there.
fn next<'a>(words: &mut Words<'a>, last: &Word<'_>) -> Result<Word<'a>, Box<Fault>> {
    words.next_word()?.ok_or_else(|| {
        let end = last.span().end;
        Fault::new("missing-type", "a record has no type", end..end, "the entry ends here")
            .hint("a record is written: [owner] [ttl] [class] type data")
    })
}

/// A TTL, RFC 2181 §8: at most 2^31 - 1.
pub(super) fn read_ttl(word: &Word<'_>) -> Result<u32, Box<Fault>> {
    let ttl = read_period(word.text).map_err(|problem| {
        let message = format!("the TTL `{}` is wrong", shown(word));
        Fault::new("bad-ttl", message, word.span(), problem.to_string())
            .hint("seconds, or numbers with units from `w d h m s`, such as `1h30m`")
    })?;
    if ttl > TTL_MAX {
        let message = format!("the TTL `{}` is too large", shown(word));
        return Err(Fault::new("bad-ttl", message, word.span(), "a TTL has at most 2147483647 seconds"));
    }
    Ok(ttl)
}

/// A first word that is a type was meant as one.
fn owner_hint(fault: Box<Fault>, blank: bool, first: &Word<'_>) -> Box<Fault> {
    if blank || RecordType::from_text(first.text).is_none() {
        return fault;
    }
    let hint = format!("`{}` was read as the owner: begin the line with a blank to use the last owner", shown(first));
    fault.hint(hint)
}

fn unknown_type(words: &mut Words<'_>, word: &Word<'_>, blank: bool, first: &Word<'_>) -> Box<Fault> {
    let text = shown(word);
    let fault = Fault::new("unknown-type", format!("`{text}` is not a record type"), word.span(), "no such type");
    // ` www A 192.0.2.1`: an owner, moved off the first column.
    let after = words.next_word().ok().flatten();
    let is_head = |text: &[u8]| RecordType::from_text(text).is_some() || Class::from_text(text).is_some();
    if blank && word.at == first.at && after.is_some_and(|after| is_head(after.text)) {
        return fault.hint("an owner stands in the first column: remove the blank before it");
    }
    match nearest(&text, RecordType::MNEMONICS.iter().map(|(name, _)| *name)) {
        Some(found) => fault.hint(format!("did you mean `{found}`?")),
        None => owner_hint(fault.hint("types not known here are written TYPE123 with `\\# LENGTH HEX`"), blank, first),
    }
}

fn soa_minimum(rtype: RecordType, rdata: &[u8]) -> Option<u32> {
    let minimum = rdata.last_chunk().filter(|_| rtype == RecordType::SOA)?;
    Some(u32::from_be_bytes(*minimum).min(TTL_MAX))
}

fn missing_ttl(word: &Word<'_>) -> Box<Fault> {
    let reason = "neither here nor in a record before nor by `$TTL`";
    Fault::new("missing-ttl", "a record has no TTL", word.span(), reason)
        .hint("put `$TTL 1h` at the head of the file (RFC 2308 §4)")
}
