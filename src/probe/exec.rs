//! Programs of the operator: exit status 0 passes.

use std::net::IpAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::base::limits;

use super::outcome::{Miss, Progress, Seen, Stage, bounded};

/// Runs the program, with the address as its last argument, in a process group of its own. Its environment is `PATH`
/// alone. Of what it writes the first line is kept for the reason; all else is read and forgotten.
pub(super) async fn probe(command: &[String], address: IpAddr, progress: &mut Progress) -> Seen {
    progress.waits_for(Stage::Exit);
    let Some((program, arguments)) = command.split_first() else {
        return Err(Miss::inconclusive("cannot start: no program"));
    };
    let mut command = Command::new(program);
    command.args(arguments).arg(address.to_string()).env_clear().process_group(0).kill_on_drop(true);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| Miss::inconclusive(format!("cannot start: {}", bounded(&error.to_string()))))?;
    let mut group = Group::of(child.id());
    let (mut out, mut err) = (Line::default(), Line::default());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let status = {
        let read = async {
            tokio::join!(out.read(stdout), err.read(stderr));
        };
        let mut read = std::pin::pin!(read);
        let mut is_read = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                () = &mut read, if !is_read => is_read = true,
            }
        };
        // Reaped: from here on its number may be another's.
        group.leave();
        if !is_read {
            // What it has written may still be in the pipes; what it has started may hold them open for ever.
            let _ = timeout(Duration::from_millis(limits::PROBE_DRAIN_MS), read).await;
        }
        status
    };
    progress.answered();
    match status {
        Ok(status) if status.success() => Ok(None),
        Ok(status) => Err(Miss::fail(reason(status, &out, &err))),
        Err(error) => Err(Miss::inconclusive(format!("cannot wait: {}", bounded(&error.to_string())))),
    }
}

/// The process group of a program; killed with all it started when the probe is cut off.
struct Group(Option<Pid>);

impl Group {
    fn of(id: Option<u32>) -> Self {
        Self(id.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// The program has ended by itself.
    fn leave(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // An error means that nobody is left.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// The first line of a stream.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    /// Reads to the end, keeps the beginning.
    async fn read(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut buffer = [0; 1024];
        while let Ok(len @ 1..) = stream.read(&mut buffer).await {
            // Four bytes are the most a character takes.
            let room = (4 * limits::PROBE_REASON_LEN_MAX).saturating_sub(self.0.len());
            self.0.extend(buffer.iter().take(len.min(room)));
        }
    }

    fn text(&self) -> String {
        bounded(String::from_utf8_lossy(&self.0).trim_start())
    }
}

fn reason(status: ExitStatus, out: &Line, err: &Line) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    let ended = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended".into(),
    };
    match [out.text(), err.text()].into_iter().find(|text| !text.is_empty()) {
        Some(text) => format!("{ended}: {text}"),
        None => ended,
    }
}
