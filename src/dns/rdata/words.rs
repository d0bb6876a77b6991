//! The words of one entry in presentation format: blanks, quotes, escapes, parentheses and comments, RFC 1035 §5.1.

use std::ops::Range;

/// One word, as it stands in the text: escapes are not resolved yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// The bytes, without the quotes around them.
    pub text: &'a [u8],
    /// True if the word stood in quotes.
    pub quoted: bool,
    /// Offset of `text` in the whole text.
    pub at: usize,
}

impl Word<'_> {
    /// Where the word stands in the whole text, its quotes included.
    #[must_use]
    pub const fn span(&self) -> Range<usize> {
        let quote = self.quoted as usize;
        self.at - quote..self.at + self.text.len() + quote
    }
}

/// Why a text does not fall into words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordsError {
    /// An opening parenthesis without its closing one; the offset of the outermost.
    UnclosedParenthesis(usize),
    /// A closing parenthesis that closes nothing; its offset.
    StrayParenthesis(usize),
    /// A quote that is not closed on its line; the string from the quote to the end of the line.
    UnclosedQuote(Range<usize>),
    /// A quote in the middle of a word, other than after `=`; its offset.
    StrayQuote(usize),
}

/// A cursor over the words of one entry. An entry ends at the end of a line outside parentheses, or with the text.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    text: &'a [u8],
    at: usize,
    /// Parentheses open, and where the outermost is.
    depth: u32,
    opened_at: usize,
    lines: u32,
}

/// What a byte does between and inside words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Plain,
    Blank,
    Newline,
    Comment,
    Open,
    Close,
    Quote,
    Escape,
}

const ROLES: [Role; 256] = {
    let mut roles = [Role::Plain; 256];
    roles[b' ' as usize] = Role::Blank;
    roles[b'\t' as usize] = Role::Blank;
    // A carriage return belongs to the line end after it.
    roles[b'\r' as usize] = Role::Blank;
    roles[b'\n' as usize] = Role::Newline;
    roles[b';' as usize] = Role::Comment;
    roles[b'(' as usize] = Role::Open;
    roles[b')' as usize] = Role::Close;
    roles[b'"' as usize] = Role::Quote;
    roles[b'\\' as usize] = Role::Escape;
    roles
};

impl<'a> Words<'a> {
    /// The words of the entry at `at` of `text`.
    #[must_use]
    pub const fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, depth: 0, opened_at: 0, lines: 0 }
    }

    /// The whole text, which offsets count in.
    #[must_use]
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Offset of the first byte not read yet.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Line ends passed since [`Words::new`].
    #[must_use]
    pub const fn lines(&self) -> u32 {
        self.lines
    }

    /// The next word; `None` at the end of the entry, however often it is asked.
    ///
    /// # Errors
    /// If the text does not fall into words. Reading can go on behind the mistake.
    #[inline]
    pub fn next_word(&mut self) -> Result<Option<Word<'a>>, WordsError> {
        // Nearly every word is plain, between blanks: two short loops. Anything else takes the long way.
        let start = self.at + self.run(self.at, Role::Blank);
        let end = start + self.run(start, Role::Plain);
        if end > start && !matches!(self.role(end), Some(Role::Quote | Role::Escape)) {
            self.at = end;
            return Ok(Some(Word { text: &self.text[start..end], quoted: false, at: start }));
        }
        self.at = start;
        self.other_word()
    }

    /// Number of bytes of one role from `at` on.
    #[inline]
    fn run(&self, at: usize, role: Role) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        rest.iter().position(|&byte| ROLES[usize::from(byte)] != role).unwrap_or(rest.len())
    }

    #[inline]
    fn role(&self, at: usize) -> Option<Role> {
        self.text.get(at).map(|&byte| ROLES[usize::from(byte)])
    }

    fn other_word(&mut self) -> Result<Option<Word<'a>>, WordsError> {
        while let Some(role) = self.role(self.at) {
            match role {
                Role::Plain | Role::Escape => return self.plain_word().map(Some),
                Role::Blank => self.at += 1,
                Role::Newline if self.depth == 0 => return Ok(None),
                Role::Newline => {
                    self.at += 1;
                    self.lines += 1;
                }
                Role::Comment => self.at = line_end(self.text, self.at),
                Role::Open => {
                    if self.depth == 0 {
                        self.opened_at = self.at;
                    }
                    self.depth += 1;
                    self.at += 1;
                }
                Role::Close => {
                    self.at += 1;
                    self.depth = self.depth.checked_sub(1).ok_or(WordsError::StrayParenthesis(self.at - 1))?;
                }
                Role::Quote => return self.quoted_word().map(Some),
            }
        }
        if self.depth > 0 { Err(WordsError::UnclosedParenthesis(self.opened_at)) } else { Ok(None) }
    }

    /// Passes what is left of the entry and its line end, whatever it holds. After an unclosed parenthesis, whose
    /// offset is given back, the next entry is taken to start at the next line that does not begin with a blank.
    pub fn skip_entry(&mut self) -> Option<usize> {
        loop {
            match self.next_word() {
                Ok(None) => {
                    self.end_line();
                    return None;
                }
                Err(WordsError::UnclosedParenthesis(at)) => {
                    self.depth = 0;
                    self.at = next_entry(self.text, at);
                    return Some(at);
                }
                Ok(Some(_)) | Err(_) => {}
            }
        }
    }

    /// Passes the line end the cursor stands at, after [`Words::next_word`] gave `None`.
    pub fn end_line(&mut self) {
        if self.at < self.text.len() {
            self.at += 1;
            self.lines += 1;
        }
    }

    fn plain_word(&mut self) -> Result<Word<'a>, WordsError> {
        let start = self.at;
        let mut end = start;
        while let Some(&byte) = self.text.get(end) {
            match ROLES[usize::from(byte)] {
                Role::Plain => end += 1,
                // The escaped byte belongs to the word, but a line always ends at its end.
                Role::Escape => end += if matches!(self.text.get(end + 1), None | Some(b'\n')) { 1 } else { 2 },
                // `key="value"` of RFC 9460 §2.1 is one word.
                Role::Quote => {
                    self.at = end;
                    let inner = self.quoted_word()?;
                    if self.text[end - 1] != b'=' {
                        return Err(WordsError::StrayQuote(end));
                    }
                    end = inner.span().end;
                }
                Role::Blank | Role::Newline | Role::Comment | Role::Open | Role::Close => break,
            }
        }
        self.at = end;
        Ok(Word { text: &self.text[start..end], quoted: false, at: start })
    }

    fn quoted_word(&mut self) -> Result<Word<'a>, WordsError> {
        let start = self.at + 1;
        let mut end = start;
        loop {
            match self.text.get(end) {
                Some(b'"') => {
                    self.at = end + 1;
                    return Ok(Word { text: &self.text[start..end], quoted: true, at: start });
                }
                Some(b'\\') if !matches!(self.text.get(end + 1), None | Some(b'\n')) => end += 2,
                None | Some(b'\n') => {
                    self.at = end;
                    return Err(WordsError::UnclosedQuote(start - 1..end));
                }
                Some(_) => end += 1,
            }
        }
    }
}

/// The first line after `at` that begins with neither a blank nor a closing parenthesis, or the end.
fn next_entry(text: &[u8], at: usize) -> usize {
    let mut at = at;
    loop {
        at = line_end(text, at) + 1;
        match text.get(at) {
            None => return text.len(),
            Some(b' ' | b'\t' | b'\r' | b'\n' | b')') => {}
            Some(_) => return at,
        }
    }
}

/// Offset of the line end at or after `at`, or the end of the text.
fn line_end(text: &[u8], at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.iter().position(|&b| b == b'\n')).map_or(text.len(), |i| at + i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Vec<(&str, bool)>, WordsError> {
        let mut words = Words::new(text.as_bytes(), 0);
        let mut found = Vec::new();
        while let Some(word) = words.next_word()? {
            found.push((&text[word.at..word.at + word.text.len()], word.quoted));
        }
        Ok(found)
    }

    #[test]
    fn falls_into_words() {
        for (text, expected) in [
            ("a b\tc\r\nd", vec![("a", false), ("b", false), ("c", false)]),
            ("a ; comment ( \"\nb", vec![("a", false)]),
            ("a ( b ; one\n c\n) d\ne", vec![("a", false), ("b", false), ("c", false), ("d", false)]),
            (r#""x y" "a\"b;(" """#, vec![("x y", true), (r#"a\"b;("#, true), ("", true)]),
            (r#""a""b"c"#, vec![("a", true), ("b", true), ("c", false)]),
            (r"a\ b\;c \\ d", vec![(r"a\ b\;c", false), (r"\\", false), ("d", false)]),
            (r#"alpn="h2, h3" port=1"#, vec![(r#"alpn="h2, h3""#, false), ("port=1", false)]),
            ("a\\\nb", vec![("a\\", false)]),
            ("((a) b\n)c", vec![("a", false), ("b", false), ("c", false)]),
            ("", vec![]),
        ] {
            assert_eq!(words(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn names_the_mistake() {
        for (text, error) in [
            ("a ( b\nc", WordsError::UnclosedParenthesis(2)),
            ("a ) b", WordsError::StrayParenthesis(2)),
            ("a \"b\nc", WordsError::UnclosedQuote(2..4)),
            ("a \"b", WordsError::UnclosedQuote(2..4)),
            ("a b\"c\"", WordsError::StrayQuote(3)),
        ] {
            assert_eq!(words(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_entry_is_skipped_whole() {
        for (text, rest) in [
            ("a ( b\n c ) d\ne", "e"),
            ("a \"b\ne", "e"),
            ("a ) b ( c\n)\ne", "e"),
            ("a ( b\n c\n\n)\ne f", "e f"),
            ("a ( b\n c\n\ne f", "e f"),
            ("a ( b", ""),
        ] {
            let mut words = Words::new(text.as_bytes(), 0);
            words.skip_entry();
            assert_eq!(&text[words.at()..], rest, "{text}");
        }
    }
}
