//! What the tests of the admin interface share: a small world without anything to ask, and an HTTP client that sends
//! whatever it is told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::support::{CONFIG, PATIENCE, TestServer};

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n";

const NETWORKS: &str = r#"[networks]
"10.1.0.0/16" = { country = "DE" }
"10.2.0.0/16" = { country = "US" }
"10.3.0.0/16" = { country = "SG" }
"#;

/// Checks pass and ask nobody; `web` goes to the nearest region, `mail` to one for everybody.
const REGIONS: &str = r#"
[regions.fra]
label    = "Frankfurt"
location = { lat = 50.11, lon = 8.68 }
capacity = { target = 40, max = 50 }
[regions.iad]
location = { lat = 38.95, lon = -77.45 }
[regions.sin]
location = { country = "SG" }
load     = { push = true, max_age = "1h" }
[checks]
ok = { exec = { command = ["true"] } }
[policies.hand]
mode = "active-passive"
failback = "manual"
[services.web]
names = ["www.example.com"]
policy = "nearest"
check = "ok"
[services.web.endpoints]
fra = ["192.0.2.10", "192.0.2.11"]
iad = ["198.51.100.10"]
sin = ["203.0.113.10"]
[services.mail]
names = ["mail.example.com"]
policy = "hand"
order = ["iad", "fra"]
check = "ok"
[services.mail.endpoints]
fra = ["192.0.2.25"]
iad = ["198.51.100.25"]
"#;

/// Starts a server of the small world. Files of the test come on top.
pub(crate) fn start(files: &[(&str, &str)]) -> TestServer {
    let mut all: BTreeMap<&str, &str> = BTreeMap::from([
        ("meridian.toml", CONFIG),
        ("zones/example.com.zone", ZONE),
        ("zones/regions.toml", REGIONS),
        ("geoip/networks.toml", NETWORKS),
    ]);
    all.extend(files.iter().copied());
    TestServer::start(&all.into_iter().collect::<Vec<_>>())
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A connection over which a request was sent, its head read.
pub(crate) struct Opened {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) stream: BufReader<TcpStream>,
}

/// Sends a request and reads the head of the answer.
pub(crate) fn open(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Opened {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str("Host: localhost\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("Connection: close\r\n\r\n");
    let mut writer = stream.try_clone().unwrap();
    writer.write_all(head.as_bytes()).unwrap();
    // A body that is refused need not be taken whole.
    let _ = writer.write_all(body);
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
    let pair = |line: &String| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    Opened { status, headers: lines[1..].iter().map(pair).collect(), stream }
}

/// One request.
pub(crate) fn send(server: &TestServer, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let opened = open(server.address("http"), method, path, headers, body.as_bytes());
    let Opened { status, headers, mut stream } = opened;
    let mut body = String::new();
    stream.read_to_string(&mut body).unwrap();
    Reply { status, headers, body }
}

pub(crate) fn get(server: &TestServer, path: &str) -> Reply {
    send(server, "GET", path, &[], "")
}

/// A change, with the token of the server and JSON.
pub(crate) fn post(server: &TestServer, path: &str, body: &str) -> Reply {
    post_with(server, path, &[], body)
}

pub(crate) fn post_with(server: &TestServer, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let authorization = format!("Bearer {}", server.token());
    let own = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    send(server, "POST", path, &[&own, headers].concat(), body)
}

/// What is to be shown, as JSON.
pub(crate) fn shown(server: &TestServer, path: &str) -> Value {
    let reply = get(server, path);
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    reply.json()
}
