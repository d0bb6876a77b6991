//! What a server costs: processor time of a process with all its threads and children, from `/proc`.

use std::fs;
use std::ops::Sub;

use serde::Serialize;

use crate::system;

/// Processor time, seconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct CpuTime {
    /// In the program.
    pub user: f64,
    /// In the kernel on its behalf.
    pub system: f64,
}

impl CpuTime {
    /// Of these processes, their living children, and the dead children they have waited for.
    pub fn of(pids: &[u32]) -> Self {
        let tick = 1.0 / system::ticks_per_second();
        let mut sum = Self::default();
        let mut waiting = pids.to_vec();
        let mut seen = Vec::new();
        while let Some(pid) = waiting.pop() {
            if seen.contains(&pid) {
                continue;
            }
            seen.push(pid);
            // A process that has just ended counts no more; its parent's sums have it.
            let [user, system, children_user, children_system] = times(pid).unwrap_or_default();
            sum.user += (user + children_user) * tick;
            sum.system += (system + children_system) * tick;
            waiting.extend(children(pid));
        }
        sum
    }

    /// Both together, seconds.
    pub fn total(self) -> f64 {
        self.user + self.system
    }
}

impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// utime, stime, cutime, cstime of `/proc/PID/stat`, clock ticks.
fn times(pid: u32) -> Option<[f64; 4]> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, and may hold anything.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11).map(|field| field.parse().unwrap_or(0.0));
    Some([fields.next()?, fields.next()?, fields.next()?, fields.next()?])
}

/// The children of all threads of a process.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}
