//! Randomness from the operating system.

use std::fs::File;
use std::io::{self, Read};

/// `N` random octets.
///
/// # Errors
/// If the system has no source of randomness.
pub(super) fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A random word.
///
/// # Errors
/// As [`bytes`].
pub(super) fn word() -> io::Result<u64> {
    bytes().map(u64::from_le_bytes)
}
