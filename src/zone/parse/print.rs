//! Records as text.

use std::fmt;

use crate::dns::name::write_wire_name;
use crate::dns::rdata::print_rdata;
use crate::zone::parse::reader::Entry;

/// Writes a record on a line of its own, with every name absolute, so that it reads back the same after any other
/// line.
///
/// # Errors
/// Only if writing fails.
pub fn print_entry(entry: &Entry<'_>, out: &mut impl fmt::Write) -> fmt::Result {
    write_wire_name(out, entry.owner)?;
    write!(out, "\t{}\tIN\t{}\t", entry.ttl, entry.rtype)?;
    print_rdata(entry.rtype, entry.rdata, out)?;
    out.write_char('\n')
}
