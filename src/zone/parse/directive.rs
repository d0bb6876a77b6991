//! Control entries: `$ORIGIN`, `$TTL`, `$INCLUDE`, `$GENERATE`.

use std::ops::Range;
use std::sync::Arc;

use crate::base::suggest::nearest;
use crate::dns::name;
use crate::dns::rdata::{Word, Words};
use crate::zone::parse::fault::{Fault, shown};
use crate::zone::parse::generate::Generate;
use crate::zone::parse::record::read_ttl;
use crate::zone::parse::state::Current;

/// What the reader has to do about a control entry.
pub(super) enum Directive {
    /// Nothing more.
    Done,
    /// Read another file, with its own origin if one is given.
    Include { path: String, origin: Option<Arc<[u8]>>, span: Range<usize> },
    /// Read the lines this makes.
    Generate(Box<Generate>),
}

const NAMES: [&str; 4] = ["$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE"];

/// Reads the control entry `words` stand at.
pub(super) fn read_directive(words: &mut Words<'_>, current: &mut Current) -> Result<Directive, Box<Fault>> {
    let Some(name) = words.next_word()? else {
        return Ok(Directive::Done);
    };
    let directive = match name.text.to_ascii_uppercase().as_slice() {
        b"$ORIGIN" => {
            let word = argument(words, &name, "$ORIGIN needs a name")?;
            current.origin = read_origin(&word, current)?;
            Directive::Done
        }
        b"$TTL" => {
            let word = argument(words, &name, "$TTL needs a period")?;
            current.ttl_default = Some(read_ttl(&word)?);
            Directive::Done
        }
        b"$INCLUDE" => {
            let file = argument(words, &name, "$INCLUDE needs a file")?;
            let origin = words.next_word()?.map(|word| read_origin(&word, current)).transpose()?;
            Directive::Include { path: String::from_utf8_lossy(file.text).into_owned(), origin, span: file.span() }
        }
        b"$GENERATE" => Directive::Generate(Box::new(Generate::read(words, &name)?)),
        _ => return Err(unknown(&name)),
    };
    match words.next_word()? {
        Some(extra) => {
            let message = format!("{}: a word too many", shown(&name));
            Err(Fault::new("extra-field", message, extra.span(), "nothing is expected here"))
        }
        None => Ok(directive),
    }
}

/// The next word, which must be there.
pub(super) fn argument<'a>(words: &mut Words<'a>, last: &Word<'_>, need: &str) -> Result<Word<'a>, Box<Fault>> {
    let end = last.span().end;
    words.next_word()?.ok_or_else(|| Fault::new("missing-field", need, end..end, "the entry ends here"))
}

fn read_origin(word: &Word<'_>, current: &Current) -> Result<Arc<[u8]>, Box<Fault>> {
    let mut wire = Vec::new();
    name::parse_into(word.text, Some(&current.origin), &mut wire).map_err(|error| {
        let message = format!("the origin `{}` is no name", shown(word));
        Fault::new("bad-name", message, word.span(), error.to_string())
    })?;
    Ok(wire.into())
}

fn unknown(name: &Word<'_>) -> Box<Fault> {
    let text = shown(name);
    let message = format!("`{text}` is not a control entry");
    let fault = Fault::new("unknown-directive", message, name.span(), "no such control entry");
    match nearest(&text, NAMES) {
        Some(found) => fault.hint(format!("did you mean `{found}`?")),
        None => fault.hint(format!("there are {}; an owner that begins with `$` is written `\\$`", NAMES.join(", "))),
    }
}
