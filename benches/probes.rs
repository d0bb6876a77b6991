//! What health checks cost: processor time of the probes' thread for each outcome, kind by kind, at some hundred a second.
//!
//! `cargo bench --bench probes [-- SECONDS]`. The servers live in the same process on threads of their own;
//! what a program of `exec` uses itself is not counted.
#![allow(clippy::print_stdout, reason = "a program for the command line")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use meridian::base::diagnostic::Report;
use meridian::health::Observation;
use meridian::model;
use meridian::probe::{Judge, Prober, Roots, Settings, Target};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
/// Each is probed once a second. So few leave the machine idle between them, as it is where a server has little to do:
/// more of them at one time cost less each.
const TARGETS: u64 = 200;

fn main() -> anyhow::Result<()> {
    // `cargo bench` appends `--bench`.
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(10);
    let (authority, tls) = certificates()?;
    let http = serve(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(REPLY);
    })?;
    let https = serve(move |stream| {
        let Ok(connection) = ServerConnection::new(Arc::clone(&tls)) else { return };
        let mut stream = StreamOwned::new(connection, stream);
        if stream.read(&mut [0; 1024]).is_ok_and(|len| len > 0) {
            let _ = stream.write_all(REPLY);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    })?;
    let dns = serve_dns()?;
    println!("{:<24} {:>9} {:>7} {:>9} {:>12}", "check", "passed", "others", "us each", "late max us");
    for (name, kind) in [
        ("tcp", format!("tcp.port = {http}")),
        ("http", format!("http.port = {http}")),
        ("http, body", format!("http = {{ port = {http}, body = \"ok\" }}")),
        ("https", format!("https = {{ port = {https}, host = \"www.example.com\" }}")),
        ("https, verify = false", format!("https = {{ port = {https}, verify = false }}")),
        ("dns", format!("dns = {{ port = {dns}, name = \"www.example.com\" }}")),
        ("exec, true", "exec.command = [\"true\"]".to_owned()),
    ] {
        measure(name, &kind, Roots::of([authority.clone()]), Duration::from_secs(seconds))?;
    }
    Ok(())
}

struct Steady;

impl Judge for Steady {
    async fn judge(&self, _target: u64, _outcome: Observation) -> Duration {
        Duration::from_secs(1)
    }
}

fn measure(name: &str, kind: &str, roots: Roots, time: Duration) -> anyhow::Result<()> {
    let text = format!("[checks.x]\n{kind}\ninterval = \"1s\"\ntimeout = \"900ms\"\n");
    let mut report = Report::new();
    let model = model::read(&[(Arc::from("bench.toml"), text)], &mut report).with_context(|| report.render())?;
    let check = Arc::new(model.checks.into_iter().next().context("a check")?);
    let targets = (0..TARGETS)
        .map(|id| Target { id, check: Arc::clone(&check), address: LOOPBACK, wants: Arc::default() })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let prober = Prober::start(Arc::new(Steady), Settings { max_concurrent: 4_096, seed: 1, roots });
        prober.set_targets(targets);
        // The first round spreads the targets and warms what can be warm.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let stats = prober.stats();
        let passed = || stats.pass.load(Ordering::Relaxed);
        stats.late_max.store(0, Ordering::Relaxed);
        let (passed_before, used_before) = (passed(), used()?);
        tokio::time::sleep(time).await;
        let (outcomes, used) = (passed() - passed_before, used()? - used_before);
        ensure!(outcomes > 0, "{name}: nothing passed");
        let others = stats.fail.load(Ordering::Relaxed) + stats.inconclusive.load(Ordering::Relaxed);
        let each = used.as_secs_f64() * 1e6 / outcomes as f64;
        println!("{name:<24} {outcomes:>9} {others:>7} {each:>9.1} {:>12}", stats.late_max.load(Ordering::Relaxed));
        Ok(())
    })
}

/// Processor time of this thread.
fn used() -> anyhow::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().context("a number")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// A server that treats one connection after the other; its port.
fn serve(treat: impl Fn(std::net::TcpStream) + Send + 'static) -> anyhow::Result<u16> {
    let listener = TcpListener::bind((LOOPBACK, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || listener.incoming().flatten().for_each(treat));
    Ok(port)
}

fn serve_dns() -> anyhow::Result<u16> {
    let socket = UdpSocket::bind((LOOPBACK, 0))?;
    let port = socket.local_addr()?.port();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((len, client)) = socket.recv_from(&mut buffer) {
            buffer[2] |= 0x80;
            let _ = socket.send_to(&buffer[..len], client);
        }
    });
    Ok(port)
}

/// An authority and a server with its certificate.
fn certificates() -> anyhow::Result<(CertificateDer<'static>, Arc<ServerConfig>)> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?.der().clone();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["www.example.com".to_owned()])?.signed_by(&key, &issuer)?;
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    Ok((authority, Arc::new(config)))
}
