//! What a process may use, and how it stands back.

use std::io;

/// Raises the number of files the process may open to the hard limit and returns it.
///
/// # Errors
/// As `setrlimit(2)`.
pub fn raise_file_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a valid rlimit.
    let result = unsafe {
        let result = libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        if result == 0 { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } else { result }
    };
    if result == 0 { Ok(limit.rlim_cur) } else { Err(io::Error::last_os_error()) }
}

/// Lowers the priority of the calling thread to niceness `level`, 0..=19: work that nobody waits for.
///
/// # Errors
/// As `setpriority(2)`.
pub fn be_nice(level: u8) -> io::Result<()> {
    // SAFETY: no pointers. On Linux the call concerns one thread, 0 is the calling one.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, libc::c_int::from(level)) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Gives freed memory back to the system: a zone file's text is large, and the allocator would keep its room for the
/// next one.
pub fn return_freed_memory() {
    // SAFETY: no pointers; the call takes the allocator's own locks.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Microseconds of the monotonic clock, as service managers want to be told them.
#[must_use]
pub fn monotonic_us() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid timespec; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000) + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_clock() {
        assert!(raise_file_limit().unwrap() > 0);
        let before = monotonic_us();
        assert!(before > 0 && monotonic_us() >= before);
        std::thread::spawn(|| be_nice(10).unwrap()).join().unwrap();
    }
}
