//! The command line, and what each command does.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::check::{Checker, Expected};
use crate::processes::CpuTime;
use crate::question;
use crate::reload::{Method, Reload};
use crate::report::Report;
use crate::run::{Limits, Reloads, Run};
use crate::system;
use crate::tcp::Connections;
use crate::udp::Sockets;
use crate::workload::{Kind, Network, Order, Workload};
use crate::zone::{self, Contents};

/// Asks a DNS server as fast as it answers, or at a fixed rate, and checks every answer.
#[derive(Debug, Parser)]
#[command(name = "load", after_help = "Exit codes: 0 every answer right, 1 not so, 2 the run failed.")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What `cargo bench` adds
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask over UDP
    Udp(Load),
    /// Ask over TCP: connections stay open, queries are pipelined
    Tcp(Load),
    /// Ask over UDP while the zone is reloaded; every answer must be of a generation that may be answered
    Reload {
        #[command(flatten)]
        load: Load,
        #[command(flatten)]
        method: Method,
        /// Hosts of the zone written; --names says how many of them are asked
        #[arg(long, default_value_t = 1_000)]
        zone_names: u32,
        /// Names whose address changes with every generation
        #[arg(long, default_value_t = 100)]
        churned: u32,
        /// The generation that the server holds at the start
        #[arg(long, default_value_t = 1)]
        generation: u32,
        /// Every so many-th query asks for a name that changes
        #[arg(long, default_value_t = 4)]
        marker_every: u32,
    },
    /// Write the zone that is asked for
    MakeZone {
        /// The file, put in place whole
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        contents: Contents,
    },
}

/// What is asked, how fast, and what is measured.
#[derive(Clone, Debug, clap::Args)]
struct Load {
    /// The server
    #[arg(long)]
    server: SocketAddr,
    /// What is asked
    #[arg(long, value_enum, default_value = "names")]
    workload: Kind,
    /// How many of the zone's hosts are asked for
    #[arg(long, default_value_t = 1_000)]
    names: u32,
    /// In which order
    #[arg(long, value_enum, default_value = "random")]
    order: Order,
    /// Equal seeds ask equal questions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Send no OPT record
    #[arg(long)]
    no_edns: bool,
    /// Right is one of these addresses for whatever name (weighted names, the bare responder)
    #[arg(long)]
    expect_address: Vec<Ipv4Addr>,
    /// The names are steered among so many sites: right is the address at the client's site, or at any where it has none
    #[arg(long, conflicts_with = "expect_address")]
    sites: Option<u8>,
    /// Draw client subnets from the networks of this file, one a line, each with its site if that is known
    #[arg(long)]
    networks: Option<PathBuf>,
    /// Accept any TTL
    #[arg(long)]
    any_ttl: bool,
    /// Sockets or connections
    #[arg(long, default_value_t = 1)]
    channels: usize,
    /// Queries under way on each
    #[arg(long, default_value_t = 128)]
    window: usize,
    /// Send when there is room for so many: 1 refills at once, more makes a client that writes in batches
    #[arg(long, default_value_t = 1)]
    refill: usize,
    /// Let the kernel cut datagrams from large ones (UDP_SEGMENT): the load costs a third less, and the server receives the same datagrams
    #[arg(long)]
    segmented: bool,
    /// Queries a second, evenly spaced; without it as fast as the window lets through
    #[arg(long)]
    rate: Option<f64>,
    /// How long queries are sent
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// At most so many queries
    #[arg(long, default_value_t = u64::MAX)]
    queries: u64,
    /// A query without an answer after so many milliseconds is lost
    #[arg(long, default_value_t = 1_000)]
    timeout_ms: u64,
    /// Run on this core
    #[arg(long)]
    core: Option<usize>,
    /// Measure the processor time of this process, its threads and children; may be given again
    #[arg(long)]
    pid: Vec<u32>,
    /// Lost queries that are no failure
    #[arg(long, default_value_t = 0)]
    lost_max: u64,
    /// Print figures as JSON
    #[arg(long)]
    json: bool,
}

/// How the questions travel.
#[derive(Clone, Copy, Debug)]
enum Transport {
    Udp,
    Tcp,
}

impl Arguments {
    /// Does what was asked; true if every answer was right.
    ///
    /// # Errors
    /// If there was no run.
    pub fn run(self) -> Result<bool> {
        match self.command {
            Command::Udp(load) => run_load(&load, Transport::Udp),
            Command::Tcp(load) => run_load(&load, Transport::Tcp),
            Command::Reload { load, method, zone_names, churned, generation, marker_every } => {
                method.validate()?;
                let contents = Contents { names: zone_names, churned, generation };
                run_reload(&load, &method, contents, marker_every)
            }
            Command::MakeZone { out, contents } => zone::write(&out, contents).map(|()| true),
        }
    }
}

fn run_load(load: &Load, transport: Transport) -> Result<bool> {
    load.pin()?;
    let mut run = load.start(load.workload()?, Arc::default());
    let cpu_before = load.cpu();
    match transport {
        Transport::Udp => Sockets::connect(load.server, load.channels, load.window, load.segmented)?.drive(&mut run),
        Transport::Tcp => Connections::connect(load.server, load.channels, load.window)?.drive(&mut run)?,
    }
    let report = load.report(run, cpu_before);
    load.print(&report)?;
    Ok(report.is_clean(load.lost_max))
}

fn run_reload(load: &Load, method: &Method, contents: Contents, marker_every: u32) -> Result<bool> {
    let reloads = Arc::new(Reloads {
        written: AtomicU32::new(contents.generation),
        done: AtomicU32::new(contents.generation),
        finished: AtomicBool::new(false),
    });
    let workload = load.workload()?.with_markers(marker_every, contents.churned);
    let mut sockets = Sockets::connect(load.server, load.channels, load.window, load.segmented)?;
    let (end, stop) = mpsc::channel();
    let mut run = load.start(workload, Arc::clone(&reloads));
    let start = run.start;
    let (report, reloaded) = thread::scope(|scope| {
        // Started before this thread is bound to its core, so that it is not bound with it.
        let driver = scope.spawn(move || method.drive(contents, &reloads, start, &stop));
        let pinned = load.pin();
        let cpu_before = load.cpu();
        sockets.drive(&mut run);
        drop(end);
        let reloaded = driver.join().map_err(|_| anyhow!("the reloads panicked"))??;
        let first_answers = std::mem::take(&mut run.tally.first_answers);
        pinned?;
        anyhow::Ok((load.report(run, cpu_before), ReloadReport::new(&reloaded, &first_answers)))
    })?;
    load.print(&Both { load: &report, reloads: &reloaded })?;
    Ok(report.is_clean(load.lost_max) && reloaded.count > 0)
}

impl Load {
    fn pin(&self) -> Result<()> {
        system::wake_on_time();
        self.core.map_or(Ok(()), system::pin).context("cannot run on that core")
    }

    fn workload(&self) -> Result<Workload> {
        let workload = Workload::new(self.workload, self.order, self.names, self.seed);
        let Some(path) = &self.networks else { return Ok(workload) };
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(workload.with_networks(Network::read_all(&text).map_err(|error| anyhow!(error))?))
    }

    fn start(&self, workload: Workload, reloads: Arc<Reloads>) -> Run {
        let expected = match (self.sites, self.expect_address.is_empty()) {
            (Some(sites), _) => Expected::Sites(sites),
            (None, true) => Expected::Zone,
            (None, false) => Expected::Address(self.expect_address.clone()),
        };
        let ttl = (!self.any_ttl).then_some(question::TTL);
        let limits = Limits {
            duration: Duration::from_secs_f64(self.seconds.clamp(0.0, 86_400.0)),
            queries: self.queries,
            rate: self.rate,
            timeout: Duration::from_millis(self.timeout_ms),
            refill: self.refill,
        };
        Run::new(workload, Checker { expected, edns: !self.no_edns, ttl }, reloads, limits)
    }

    fn report(&self, run: Run, before: [CpuTime; 2]) -> Report {
        let seconds = run.now_ns() as f64 / 1e9;
        let [server, client] = self.cpu();
        let server = (!self.pid.is_empty()).then(|| server - before[0]);
        Report::new(run.tally, seconds, server, client - before[1])
    }

    /// Processor time so far of the server and of this program.
    fn cpu(&self) -> [CpuTime; 2] {
        [CpuTime::of(&self.pid), CpuTime::of(&[std::process::id()])]
    }

    fn print<T: Serialize + std::fmt::Display>(&self, report: &T) -> Result<()> {
        match self.json {
            true => println!("{}", serde_json::to_string(report)?),
            false => println!("{report}"),
        }
        Ok(())
    }
}

/// What came of the reloads; milliseconds, and none if there were none.
#[derive(Debug, Serialize)]
struct ReloadReport {
    count: usize,
    /// From putting the file in place to the report that it is loaded.
    done_ms_median: Option<f64>,
    done_ms_max: Option<f64>,
    /// From putting the file in place to the first answer from it.
    first_answer_ms_median: Option<f64>,
    first_answer_ms_max: Option<f64>,
}

impl ReloadReport {
    fn new(reloads: &[Reload], first_answers: &[(u32, u64)]) -> Self {
        let done = sorted(reloads.iter().map(|reload| reload.done_ms));
        let first = sorted(reloads.iter().filter_map(|reload| {
            let (_, at_ns) = first_answers.iter().find(|(generation, _)| *generation >= reload.generation)?;
            Some(*at_ns as f64 / 1e6 - reload.at * 1e3)
        }));
        Self {
            count: reloads.len(),
            done_ms_median: done.get(done.len() / 2).copied(),
            done_ms_max: done.last().copied(),
            first_answer_ms_median: first.get(first.len() / 2).copied(),
            first_answer_ms_max: first.last().copied(),
        }
    }
}

fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures
}

/// A run and its reloads.
#[derive(Debug, Serialize)]
struct Both<'a> {
    load: &'a Report,
    reloads: &'a ReloadReport,
}

impl std::fmt::Display for Both<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { load, reloads } = self;
        write!(f, "{load}\n{} reloads", reloads.count)?;
        if let (Some(median), Some(max)) = (reloads.done_ms_median, reloads.done_ms_max) {
            write!(f, ", reported done after {median:.1} ms (max {max:.1})")?;
        }
        if let (Some(median), Some(max)) = (reloads.first_answer_ms_median, reloads.first_answer_ms_max) {
            write!(f, ", first answer from it after {median:.1} ms (max {max:.1})")?;
        }
        Ok(())
    }
}
