//! `$GENERATE`, as BIND has it: one line of text for each number of a range.
//!
//! `$GENERATE start-stop[/step] owner [ttl] [class] type data`, where `$` stands for the number, `${offset,width,base}`
//! for the number plus `offset`, padded to `width`, in base `d`, `o`, `x`, `X`, or as reversed hexadecimal labels (`n`,
//! `N`); `$$` and `\$` are the character. Data that is one quoted string loses its quotes.

use std::io::Write;

use crate::base::limits::GENERATE_MAX;
use crate::dns::RecordType;
use crate::dns::rdata::{Word, Words};
use crate::zone::parse::directive::argument;
use crate::zone::parse::fault::{Fault, shown};

/// Wider numbers fit in no label.
const WIDTH_MAX: usize = 63;

/// A range of numbers and what to make of each.
pub(super) struct Generate {
    /// The next number; past `stop` at the end.
    number: i64,
    stop: i64,
    step: i64,
    pieces: Vec<Piece>,
}

enum Piece {
    Text(Vec<u8>),
    Number { offset: i64, width: usize, base: u8 },
}

impl Generate {
    /// Reads the rest of the entry after its name.
    pub(super) fn read(words: &mut Words<'_>, name: &Word<'_>) -> Result<Self, Box<Fault>> {
        let range = argument(words, name, "$GENERATE needs a range")?;
        let (start, stop, step) = read_range(&range)?;
        let mut template = vec![argument(words, &range, "$GENERATE needs an owner")?];
        while let Some(word) = words.next_word()? {
            template.push(word);
        }
        let lone_data = lone_data(&template);
        let mut pieces = Vec::new();
        for (i, word) in template.iter().enumerate() {
            if i > 0 {
                push_text(&mut pieces, b" ");
            }
            if word.quoted && lone_data == Some(i) {
                read_pieces(word, &unquote(word.text), start, &mut pieces)?;
            } else if word.quoted {
                push_text(&mut pieces, b"\"");
                read_pieces(word, word.text, start, &mut pieces)?;
                push_text(&mut pieces, b"\"");
            } else {
                read_pieces(word, word.text, start, &mut pieces)?;
            }
        }
        Ok(Self { number: start, stop, step, pieces })
    }

    /// Writes the next line; false at the end.
    pub(super) fn next_line(&mut self, line: &mut Vec<u8>) -> bool {
        if self.number > self.stop {
            return false;
        }
        line.clear();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => line.extend_from_slice(text),
                &Piece::Number { offset, width, base } => write_number(self.number + offset, width, base, line),
            }
        }
        self.number += self.step;
        true
    }
}

/// Index of the only word of data, if there is just one.
fn lone_data(template: &[Word<'_>]) -> Option<usize> {
    let is_type = |word: &Word<'_>| !word.quoted && RecordType::from_text(word.text).is_some();
    let at = 2 + template.iter().skip(1).position(is_type)?;
    (template.len() == at + 1).then_some(at)
}

/// The text of a quoted word with its inner quotes bare.
fn unquote(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'\\', Some(b'"')) => {}
            (b'\\', Some(&next)) => {
                out.extend_from_slice(&[byte, next]);
                bytes.next();
            }
            _ => out.push(byte),
        }
    }
    out
}

/// `start-stop[/step]`, all up to 2^31 - 1 as in BIND.
fn read_range(word: &Word<'_>) -> Result<(i64, i64, i64), Box<Fault>> {
    let wrong = |reason: &str| {
        let message = format!("the range `{}` is wrong", shown(word));
        Fault::new("bad-generate", message, word.span(), reason)
            .hint("a range is written start-stop or start-stop/step")
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|_| digits).map(i64::from)
    };
    let parsed = std::str::from_utf8(word.text).ok().and_then(|text| {
        let (start, rest) = text.split_once('-')?;
        let (stop, step) = rest.split_once('/').unwrap_or((rest, "1"));
        Some((number(start)?, number(stop)?, number(step)?))
    });
    let (start, stop, step) = parsed.ok_or_else(|| wrong("not whole numbers up to 2147483647"))?;
    if step == 0 {
        return Err(wrong("a step of 0 never ends"));
    }
    if start > stop {
        return Err(wrong("it ends before it starts"));
    }
    if ((stop - start) / step).unsigned_abs() >= GENERATE_MAX {
        return Err(wrong(&format!("one $GENERATE makes at most {GENERATE_MAX} records")));
    }
    Ok((start, stop, step))
}

fn push_text(pieces: &mut Vec<Piece>, text: &[u8]) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.extend_from_slice(text),
        _ => pieces.push(Piece::Text(text.to_vec())),
    }
}

/// Splits `text`, what `word` says, at its numbers.
fn read_pieces(word: &Word<'_>, text: &[u8], start: i64, pieces: &mut Vec<Piece>) -> Result<(), Box<Fault>> {
    let mut rest = text;
    loop {
        match rest {
            [] => return Ok(()),
            [b'\\', next, after @ ..] => {
                push_text(pieces, &[b'\\', *next]);
                rest = after;
            }
            [b'$', b'$', after @ ..] => {
                push_text(pieces, b"$");
                rest = after;
            }
            [b'$', b'{', after @ ..] => {
                let close = after.iter().position(|&b| b == b'}');
                let number = close.and_then(|close| read_number(&after[..close], start));
                let (Some(close), Some(number)) = (close, number) else {
                    let message = format!("`{}` holds a wrong `${{…}}`", shown(word));
                    let reason = "it is written ${offset,width,base}, base one of d o x X n N, the result not negative";
                    return Err(Fault::new("bad-generate", message, word.span(), reason));
                };
                pieces.push(number);
                rest = &after[close + 1..];
            }
            [b'$', after @ ..] => {
                pieces.push(Piece::Number { offset: 0, width: 0, base: b'd' });
                rest = after;
            }
            [byte, after @ ..] => {
                push_text(pieces, &[*byte]);
                rest = after;
            }
        }
    }
}

/// `offset[,width[,base]]`; the first number plus the offset must not be negative, so that none is.
fn read_number(text: &[u8], start: i64) -> Option<Piece> {
    let mut parts = std::str::from_utf8(text).ok()?.split(',');
    let offset = i64::from(parts.next()?.parse::<i32>().ok()?);
    let width = parts.next().map_or(Some(0), |width| width.parse().ok().filter(|&width| width <= WIDTH_MAX))?;
    let &[base @ (b'd' | b'o' | b'x' | b'X' | b'n' | b'N')] = parts.next().unwrap_or("d").as_bytes() else {
        return None;
    };
    (parts.next().is_none() && start + offset >= 0).then_some(Piece::Number { offset, width, base })
}

fn write_number(value: i64, width: usize, base: u8, line: &mut Vec<u8>) {
    let written = match base {
        b'o' => write!(line, "{value:0width$o}"),
        b'x' => write!(line, "{value:0width$x}"),
        b'X' => write!(line, "{value:0width$X}"),
        b'n' | b'N' => {
            write_nibbles(value, width, base == b'N', line);
            Ok(())
        }
        _ => write!(line, "{value:0width$}"),
    };
    debug_assert!(written.is_ok(), "a vector takes everything");
}

/// Hexadecimal digits from the lowest, dots between them; dots count for the width.
fn write_nibbles(value: i64, width: usize, upper: bool, line: &mut Vec<u8>) {
    let digits: &[u8; 16] = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let (mut value, mut left) = (value, width);
    loop {
        line.push(digits[(value & 15) as usize]);
        value >>= 4;
        left = left.saturating_sub(1);
        if value == 0 && left == 0 {
            return;
        }
        line.push(b'.');
        left = left.saturating_sub(1);
        if value == 0 && left == 0 {
            return;
        }
    }
}
