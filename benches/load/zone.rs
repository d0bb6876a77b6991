//! Writes the zone file that every server of a comparison serves.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::question::{self, Owner};

/// What stands in the zone.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Contents {
    /// Hosts h0000000 and on, each with its own address
    #[arg(long, default_value_t = 1_000)]
    pub names: u32,
    /// Names c0000000 and on whose address changes with every generation
    #[arg(long, default_value_t = 0)]
    pub churned: u32,
    /// The zone's generation: its serial, and the address of `marker`
    #[arg(long, default_value_t = 1)]
    pub generation: u32,
}

/// Writes the zone to `path`: first beside it, then put in place by renaming, so that nobody reads half a file.
///
/// # Errors
/// If the folder cannot be written.
pub fn write(path: &Path, contents: Contents) -> Result<()> {
    let beside = prepare(path, contents)?;
    fs::rename(&beside, path).with_context(|| format!("cannot put {} in place", path.display()))
}

/// Writes the zone beside `path` under a name that servers ignore (a leading dot); returns where.
///
/// # Errors
/// If the folder cannot be written.
pub fn prepare(path: &Path, contents: Contents) -> Result<std::path::PathBuf> {
    let file_name = path.file_name().context("the path names no file")?.to_string_lossy();
    let beside = path.with_file_name(format!(".{file_name}.next"));
    let file = fs::File::create(&beside).with_context(|| format!("cannot write {}", beside.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    print(&mut out, contents).with_context(|| format!("cannot write {}", beside.display()))?;
    Ok(beside)
}

fn print(out: &mut impl Write, contents: Contents) -> std::io::Result<()> {
    let (ttl, soa_ttl, minimum) = (question::TTL, question::SOA_TTL, question::NEGATIVE_TTL);
    let Contents { names, churned, generation } = contents;
    let generation_address = question::generation_address(generation);
    writeln!(out, "$ORIGIN example.com.\n$TTL {ttl}")?;
    writeln!(out, "@ {soa_ttl} IN SOA ns1 hostmaster {generation} 3600 600 604800 {minimum}")?;
    writeln!(out, "@ IN NS ns1\n@ IN NS ns2\nns1 IN A 192.0.2.1\nns2 IN A 192.0.2.2")?;
    writeln!(out, "marker IN A {generation_address}")?;
    for number in 0..churned {
        writeln!(out, "{} IN A {generation_address}", Owner::Churned(number).text())?;
    }
    for number in 0..names.min(question::HOSTS_MAX) {
        writeln!(out, "{} IN A {}", Owner::Host(number).text(), question::host_address(number))?;
    }
    out.flush()
}
