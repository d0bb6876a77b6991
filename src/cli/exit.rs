//! Exit codes: part of the interface, so scripts may rely on them.

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// It didn't work: an address in use, a system call refused.
    Failed = 1,
    /// The arguments can't be understood.
    Usage = 2,
    /// The configuration, or a file it names, has errors.
    BadConfig = 3,
    /// The server that was asked is not well.
    Unhealthy = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
