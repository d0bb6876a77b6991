//! The agent as a process: its log, its end, and connections for it to see.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const TOKEN: &str = "agent-test-token-0123456789";

pub(crate) struct Agent {
    child: Child,
    lines: Receiver<Value>,
    seen: Vec<Value>,
    _folder: TempDir,
}

impl Agent {
    /// Starts one with a token file, and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), format!("fra-edge feed {TOKEN}\n")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_meridian"))
            .args(["agent", "--log-format", "json", "--token-file", "token"])
            .args(arguments)
            .current_dir(folder.path())
            .env_remove("MERIDIAN_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let mut agent = Self { child, lines, seen: Vec::new(), _folder: folder };
        agent.wait_for("ready");
        agent
    }

    /// Waits for a line that begins so, the next of those that were not waited for.
    pub(crate) fn wait_for(&mut self, message: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no `{message}` in {:#?}", self.seen));
            self.seen.push(line.clone());
            if line["message"].as_str().is_some_and(|said| said.starts_with(message)) {
                return line;
            }
        }
    }

    /// Where beacons go to: it was said before it was ready.
    pub(crate) fn beacons(&self) -> SocketAddr {
        let line = self.seen.iter().find(|line| line["message"] == "listening").unwrap();
        line["address"].as_str().unwrap().parse().unwrap()
    }

    /// Asks it to end; its exit code, and all it has logged.
    pub(crate) fn stop(mut self, signal: &str) -> (Option<i32>, Vec<Value>) {
        let killed = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        // The log ends with the process.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server with a client: both ends of a connection.
pub(crate) struct Talk {
    server: TcpStream,
    client: TcpStream,
}

impl Talk {
    pub(crate) fn new(listener: &TcpListener) -> Self {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let mut talk = Self { server, client };
        talk.talk();
        talk
    }

    /// The server says something, and what the client says then acknowledges it.
    pub(crate) fn talk(&mut self) {
        let mut octet = [0];
        self.server.write_all(b"a").unwrap();
        self.client.read_exact(&mut octet).unwrap();
        self.client.write_all(b"b").unwrap();
        self.server.read_exact(&mut octet).unwrap();
    }
}
