//! Reloads a zone again and again while it is asked for: writes the next generation, puts it in place, tells the
//! server, waits until the server reports it done. What is sent from then on must be answered from that generation.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use crate::run::Reloads;
use crate::system;
use crate::zone::{self, Contents};

/// How the server is told, and how it says that it is done.
#[derive(Clone, Debug, clap::Args)]
pub struct Method {
    /// The zone file to replace; its folder is written to
    #[arg(long)]
    pub zone_file: PathBuf,
    /// Milliseconds from one reload to the next; a slower reload is followed at once by the next
    #[arg(long, default_value_t = 1_000)]
    pub every_ms: u64,
    /// End after so many reloads, if that comes before --seconds
    #[arg(long, default_value_t = u32::MAX)]
    pub times: u32,
    /// Reload by sending SIGHUP to this process
    #[arg(long)]
    pub reload_pid: Option<u32>,
    /// Reload by this shell command; GENERATION is in its environment. Without --done-line, done when it returns
    #[arg(long)]
    pub reload_command: Option<String>,
    /// Where to read metrics over HTTP
    #[arg(long, default_value = "127.0.0.1:8053")]
    pub metrics: SocketAddr,
    /// Done when the metric whose line starts so has at least the generation as its value
    #[arg(long)]
    pub done_line: Option<String>,
    /// A reload not done after so many milliseconds has failed
    #[arg(long, default_value_t = 30_000)]
    pub done_timeout_ms: u64,
}

/// One reload.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reload {
    /// What was loaded.
    pub generation: u32,
    /// When the file was put in place, seconds since the start of the run.
    pub at: f64,
    /// From putting the file in place to the report that it is done, milliseconds.
    pub done_ms: f64,
}

/// The load goes on so long after the last reload, so that its answers are seen.
const SETTLE: Duration = Duration::from_millis(200);
/// Metrics are read so often.
const POLL_EVERY: Duration = Duration::from_millis(2);

impl Method {
    /// Finds contradictions before anything is started.
    ///
    /// # Errors
    /// If nothing says how to reload, or when it is done.
    pub fn validate(&self) -> Result<()> {
        ensure!(self.reload_pid.is_some() || self.reload_command.is_some(), "give --reload-pid or --reload-command");
        ensure!(self.reload_command.is_some() || self.done_line.is_some(), "--reload-pid needs --done-line");
        Ok(())
    }

    /// Reloads until `stop` is dropped or it was done as often as asked; ends the run in any case.
    ///
    /// # Errors
    /// If a file cannot be written, or a reload fails or is not reported done in time.
    pub fn drive(
        &self,
        contents: Contents,
        reloads: &Reloads,
        start: Instant,
        stop: &Receiver<()>,
    ) -> Result<Vec<Reload>> {
        let done = self.reload_repeatedly(contents, reloads, start, stop);
        if done.is_ok() {
            // Ended early by the end of the run, which is as well.
            let _ = stop.recv_timeout(SETTLE);
        }
        reloads.finished.store(true, Ordering::Release);
        done
    }

    fn reload_repeatedly(
        &self,
        mut contents: Contents,
        reloads: &Reloads,
        start: Instant,
        stop: &Receiver<()>,
    ) -> Result<Vec<Reload>> {
        let mut done = Vec::new();
        let mut next = Instant::now() + Duration::from_millis(self.every_ms);
        for _ in 0..self.times {
            contents.generation += 1;
            let beside = zone::prepare(&self.zone_file, contents)?;
            // The channel carries no message: it ends when the run does.
            if stop.recv_timeout(next.saturating_duration_since(Instant::now())) != Err(RecvTimeoutError::Timeout) {
                std::fs::remove_file(&beside).context("cannot remove the last zone file")?;
                break;
            }
            reloads.written.store(contents.generation, Ordering::Release);
            std::fs::rename(&beside, &self.zone_file).context("cannot put the zone file in place")?;
            let placed = Instant::now();
            self.reload(contents.generation)?;
            self.wait_done(contents.generation)?;
            let done_ms = placed.elapsed().as_secs_f64() * 1e3;
            reloads.done.store(contents.generation, Ordering::Release);
            let at = placed.saturating_duration_since(start).as_secs_f64();
            done.push(Reload { generation: contents.generation, at, done_ms });
            next = (next + Duration::from_millis(self.every_ms)).max(Instant::now());
        }
        Ok(done)
    }

    /// Tells the server; returns when the command does.
    fn reload(&self, generation: u32) -> Result<()> {
        if let Some(pid) = self.reload_pid {
            system::hang_up(pid).with_context(|| format!("process {pid} takes no signal"))?;
        }
        if let Some(command) = &self.reload_command {
            let status = Command::new("sh")
                .args(["-c", command])
                .env("GENERATION", generation.to_string())
                .stdout(std::process::Stdio::null())
                .status()
                .context("cannot run the reload command")?;
            ensure!(status.success(), "the reload command failed: {status}");
        }
        Ok(())
    }

    fn wait_done(&self, generation: u32) -> Result<()> {
        let Some(line) = &self.done_line else { return Ok(()) };
        let deadline = Instant::now() + Duration::from_millis(self.done_timeout_ms);
        loop {
            let metrics = get(self.metrics, "/metrics").context("cannot read the metrics")?;
            if value(&metrics, line).is_some_and(|value| value >= f64::from(generation)) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("generation {generation} was not reported loaded within {} ms", self.done_timeout_ms);
            }
            thread::sleep(POLL_EVERY);
        }
    }
}

/// The body of an HTTP GET; the server closes the connection.
fn get(server: SocketAddr, path: &str) -> Result<String> {
    let timeout = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&server, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The value of the first metric line that starts with `prefix`.
fn value(metrics: &str, prefix: &str) -> Option<f64> {
    metrics.lines().find(|line| line.starts_with(prefix))?.rsplit(' ').next()?.trim().parse().ok()
}
