//! Why record data is refused.

use std::ops::Range;

use crate::base::limits::RDATA_LEN_MAX;
use crate::dns::name::NameError;
use crate::dns::rdata::words::WordsError;

/// A mistake in record data as text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct RdataError {
    /// Where, in the text the words came from; an empty range at the end of the entry if something is missing.
    pub span: Range<usize>,
    /// The field, as [`crate::dns::rdata::syntax`] calls it.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The entry ends before the field.
    #[error("missing")]
    Missing,
    /// A word after the last field.
    #[error("nothing is expected here")]
    Extra,
    /// Not a whole number, or too large.
    #[error("not a whole number from 0 to {0}")]
    Number(u64),
    /// A domain name is wrong.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Not a service parameter key; the nearest one.
    #[error("not a service parameter key")]
    Key(Option<&'static str>),
    /// Anything else that is wrong with one field.
    #[error("{0}")]
    Invalid(&'static str),
    /// `\#` data of another length than it says.
    #[error("the data has {found} octets, not {said}")]
    Length {
        /// The length as written.
        said: usize,
        /// The octets that follow.
        found: usize,
    },
    /// `\#` data that its type does not allow.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The type has no text form here but `\#`.
    #[error("this type is written as `\\# LENGTH HEX` only")]
    GenericOnly,
    /// More than a record can hold.
    #[error("record data has at most {RDATA_LEN_MAX} octets")]
    TooLong,
    /// The text does not fall into words.
    #[error("the text does not fall into words")]
    Words(WordsError),
}

/// Wire octets that are no data of their type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the octets are malformed at the {field}")]
pub struct Malformed {
    /// The field that does not fit, or `end` if octets are left over.
    pub field: &'static str,
}
