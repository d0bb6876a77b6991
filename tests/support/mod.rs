//! The real server on loopback, on ports of its own, with files of the test.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "each test binary uses its part"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub mod answer;

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a server listens on unless the test says otherwise.
pub const CONFIG: &str = "[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n";

/// The lines a server has logged.
#[derive(Clone, Default)]
struct Lines(Arc<(Mutex<Log>, Condvar)>);

/// Lines, and whether there will be no more.
type Log = (Vec<Value>, bool);

impl Lines {
    fn push(&self, line: Value) {
        self.0.0.lock().unwrap().0.push(line);
        self.0.1.notify_all();
    }

    fn end(&self) {
        self.0.0.lock().unwrap().1 = true;
        self.0.1.notify_all();
    }

    fn all(&self) -> Vec<Value> {
        self.0.0.lock().unwrap().0.clone()
    }

    /// Waits for the `nth` line, from 0, with a message; `None` if the log ends before.
    fn wait(&self, message: &str, nth: usize) -> Option<Value> {
        self.wait_until(message, nth, |line| line["message"] == message)
    }

    /// Waits for the `nth` line, from 0, that is `wanted`; `None` if the log ends before.
    fn wait_until(&self, what: &str, nth: usize, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut guard = self.0.0.lock().unwrap();
        loop {
            if let Some(line) = guard.0.iter().filter(|line| wanted(line)).nth(nth) {
                return Some(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no `{what}` in {:#?}", guard.0);
            if guard.1 {
                return None;
            }
            guard = self.0.1.wait_timeout(guard, left).unwrap().0;
        }
    }
}

/// A running server; it ends with the value.
pub struct TestServer {
    child: Child,
    folder: TempDir,
    lines: Lines,
}

/// A server that has ended.
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// All it logged, one JSON object a line.
    pub log: String,
}

/// Writes files, by path relative to `folder`.
pub fn write_files(folder: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(folder.join("zones")).unwrap();
    if !files.iter().any(|(path, _)| *path == "meridian.toml") {
        fs::write(folder.join("meridian.toml"), CONFIG).unwrap();
    }
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The `meridian` command, to be run in `folder`.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).env_remove("NOTIFY_SOCKET");
    command
}

impl TestServer {
    /// Starts a server with `files`, by path; `meridian.toml` and the folder `zones` are added if they are missing.
    /// Returns when it is ready.
    pub fn start(files: &[(&str, &str)]) -> Self {
        let server = Self::spawn(files, &[]);
        assert!(server.lines.wait("ready", 0).is_some(), "did not start: {:#?}", server.lines.all());
        server
    }

    /// Starts a server that is expected to end by itself.
    pub fn start_and_fail(files: &[(&str, &str)], arguments: &[&str]) -> Ended {
        Self::spawn(files, arguments).wait()
    }

    /// Starts a server and does not wait.
    pub fn spawn(files: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_files(folder.path(), files);
        let all: Vec<&str> = ["serve", "--log-format", "json"].iter().chain(arguments).copied().collect();
        let mut child = command(folder.path(), &all).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Lines::default();
        let (stderr, sink) = (child.stderr.take().unwrap(), lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                sink.push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
            sink.end();
        });
        Self { child, folder, lines }
    }

    /// The folder that `meridian.toml` stands in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the server.
    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.folder().join(path), text).unwrap();
    }

    /// Removes a file of the server.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.folder().join(path)).unwrap();
    }

    /// The first address of a transport, `udp`, `tcp` or `http`.
    pub fn address(&self, transport: &str) -> SocketAddr {
        let lines = self.lines.all();
        let line = lines.iter().find(|line| line["message"] == "listening" && line["transport"] == transport).unwrap();
        line["address"].as_str().unwrap().parse().unwrap()
    }

    /// The first DNS address.
    pub fn dns(&self) -> SocketAddr {
        self.address("udp")
    }

    /// Waits for the `nth` line, from 0, with a message.
    pub fn wait_for_log(&self, message: &str, nth: usize) -> Value {
        self.lines.wait(message, nth).unwrap_or_else(|| panic!("ended without `{message}`: {:#?}", self.lines.all()))
    }

    /// Waits for a line with `text` anywhere in it: what is answered may be read before what is logged.
    pub fn wait_for_text(&self, text: &str) {
        let found = self.lines.wait_until(text, 0, |line| line.to_string().contains(text));
        assert!(found.is_some(), "ended without `{text}`: {:#?}", self.lines.all());
    }

    /// All lines logged so far, as text.
    pub fn log(&self) -> String {
        self.lines.all().iter().map(|line| format!("{line}\n")).collect()
    }

    /// Sends a signal by name, e.g. `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the process.
    pub fn wait(mut self) -> Ended {
        // The log ends with the process.
        assert!(self.lines.wait("a message that nobody logs", 0).is_none());
        let code = self.child.wait().unwrap().code();
        Ended { code, log: self.log() }
    }

    /// Asks the server to end, and waits for that.
    pub fn stop(self) -> Ended {
        self.signal("TERM");
        self.wait()
    }

    /// The token of the admin listener.
    pub fn token(&self) -> String {
        fs::read_to_string(self.folder().join("state/admin.token")).unwrap().trim().to_owned()
    }

    /// Runs an operator's command beside the server: its exit code, and all it says. Commands read the port of the admin
    /// listener, which is known when it listens, from a file of their own.
    pub fn run(&self, arguments: &[&str]) -> (i32, String) {
        let tokens = if self.folder().join("tokens").exists() { "token_file = \"tokens\"\n" } else { "" };
        self.write("operator.toml", &format!("[admin]\nlisten = \"{}\"\n{tokens}", self.address("http")));
        let arguments = [arguments, &["--config", "operator.toml"]].concat();
        let output = command(self.folder(), &arguments).output().expect("the command runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().expect("it ends by itself"), String::from_utf8_lossy(&said).into_owned())
    }

    /// One request to the admin listener: status and body.
    pub fn http(&self, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
        let mut address = self.address("http");
        if address.ip().is_unspecified() {
            address.set_ip("127.0.0.1".parse().unwrap());
        }
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let authorization = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Connection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// A reload over the admin listener: status and outcome.
    pub fn reload(&self, query: &str) -> (u16, Value) {
        let (status, body) = self.http("POST", &format!("/api/v1/reload{query}"), Some(&self.token()));
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// The value of one series.
    pub fn metric(&self, series: &str) -> f64 {
        let (status, text) = self.http("GET", "/metrics", None);
        assert_eq!(status, 200);
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }

    /// Waits until `condition` holds for the value of a series.
    pub fn wait_for_metric(&self, series: &str, condition: impl Fn(f64) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self.metric(series)) {
            assert!(Instant::now() < deadline, "{series} stays {}", self.metric(series));
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A query as it goes over UDP, without EDNS.
pub fn query(id: u16, name: &str, qtype: u16) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    packet.extend_from_slice(&[0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend_from_slice(label.as_bytes());
    }
    packet.push(0);
    packet.extend_from_slice(&qtype.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    packet
}

/// A message as it goes over TCP: its length before it.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(message);
    out
}

/// The id of a message.
pub fn id(message: &[u8]) -> u16 {
    u16::from_be_bytes([message[0], message[1]])
}

/// True if a message says that it is an answer.
pub fn is_answer(message: &[u8]) -> bool {
    message.len() >= 12 && message[2] & 0x80 != 0
}

/// The lower four bits of the response code.
pub fn rcode(message: &[u8]) -> u8 {
    message[3] & 0x0f
}

/// A UDP socket for asking `server`.
pub fn udp_client(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((if server.is_ipv4() { "127.0.0.1" } else { "::1" }, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server).unwrap();
    socket
}

/// Asks over UDP, once.
pub fn ask(server: SocketAddr, packet: &[u8]) -> Vec<u8> {
    let socket = udp_client(server);
    socket.send(packet).unwrap();
    let mut buffer = vec![0; 65_535];
    let len = socket.recv(&mut buffer).unwrap();
    buffer.truncate(len);
    buffer
}

/// A TCP connection for asking `server`, from an address of choice.
pub fn tcp_client_from(source: IpAddr, server: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::for_address(server), socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A TCP connection for asking `server`.
pub fn tcp_client(server: SocketAddr) -> TcpStream {
    tcp_client_from(server.ip(), server)
}

/// Asks over a connection of its own, once.
pub fn ask_tcp(server: SocketAddr, packet: &[u8]) -> Vec<u8> {
    let mut stream = tcp_client(server);
    stream.write_all(&framed(packet)).unwrap();
    read_framed(&mut stream).unwrap()
}

/// True if this machine has IPv6 on loopback; says that a test is skipped if not.
pub fn has_ipv6() -> bool {
    let has = UdpSocket::bind(("::1", 0)).is_ok();
    if !has {
        println!("skipped: no IPv6 on this machine");
    }
    has
}

/// Reads one message; `None` if the connection was closed, in whichever way.
pub fn read_framed(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut prefix = [0; 2];
    stream.read_exact(&mut prefix).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(prefix))];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}
