//! A stand-in for a node: it notes every request, and answers as it is told, one answer after the other, then with 200.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::process::PATIENCE;

/// Status and headers of an answer.
pub(crate) type Answer = (u16, &'static str);

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    requests: Receiver<Request>,
}

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The first line and the headers, in lower case but the first.
    pub(crate) head: Vec<String>,
    pub(crate) body: Value,
}

impl Node {
    /// One that speaks HTTP in clear, or with `tls` under TLS.
    pub(crate) fn start(answers: &[Answer], tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Mutex::new(answers.iter().copied().collect::<VecDeque<Answer>>());
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let request = match &tls {
                    None => serve(stream, &answers),
                    Some(config) => {
                        let connection = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
                        serve(rustls::StreamOwned::new(connection, stream), &answers)
                    }
                };
                if request.is_some_and(|request| sender.send(request).is_err()) {
                    return;
                }
            }
        });
        Self { address, requests }
    }

    /// The next request.
    pub(crate) fn request(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a report")
    }

    /// What has come since.
    pub(crate) fn rest(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

/// Reads a request and answers it; `None` if the other end goes before that.
fn serve<S: Read + Write>(stream: S, answers: &Mutex<VecDeque<Answer>>) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(if head.is_empty() { line } else { line.to_lowercase() });
    }
    let len = head.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
    let mut body = vec![0; len];
    reader.read_exact(&mut body).ok()?;
    let (status, headers) = answers.lock().unwrap().pop_front().unwrap_or((200, ""));
    let said = r#"{"taken":1,"thinned":0,"refused":[],"refused_in_all":0}"#;
    let length = said.len();
    let stream = reader.get_mut();
    write!(stream, "HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{said}")
        .ok()?;
    stream.flush().ok()?;
    Some(Request { head, body: serde_json::from_slice(&body).unwrap() })
}
