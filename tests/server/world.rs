//! A world to steer: three data centres that speak HTTP and can die, a server that checks them, and clients of three
//! countries, whose resolvers tell their networks.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Instant;

use serde_json::Value;

use crate::support::answer::{NOERROR, TYPE_A, query_for, said, subnet};
use crate::support::{PATIENCE, TestServer, ask};

/// The addresses of the data centres, and the first two octets of the clients that each is nearest to.
pub(crate) const FRANKFURT: (&str, [u8; 2]) = ("127.0.1.1", [10, 1]);
pub(crate) const ASHBURN: (&str, [u8; 2]) = ("127.0.2.1", [10, 2]);
pub(crate) const SINGAPORE: (&str, [u8; 2]) = ("127.0.3.1", [10, 3]);
pub(crate) const ALL: [(&str, [u8; 2]); 3] = [FRANKFURT, ASHBURN, SINGAPORE];

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n";

const NETWORKS: &str = r#"[networks]
"10.1.0.0/16" = { country = "DE", name = "a German network" }
"10.2.0.0/16" = { country = "US", name = "an American network" }
"10.3.0.0/16" = { country = "SG", name = "a Singaporean network" }
"#;

/// The time for an answer is ample, so that a busy machine is no dead data centre; a dead one says so at once.
const REGIONS: &str = r#"[regions.fra]
location = { lat = 50.11, lon = 8.68 }
[regions.iad]
location = { lat = 38.95, lon = -77.45 }
[regions.sin]
location = { lat = 1.35, lon = 103.99 }

[checks.web]
http     = { path = "/healthz", port = PORT }
interval = "500ms"
timeout  = "450ms"
retry    = "100ms"
fall     = 3
rise     = 3

[policies.near]
mode = "active-active"
ramp = "5s"
[policies.hand]
mode     = "active-passive"
failback = "manual"

[services.web]
names  = ["www.example.com"]
policy = "near"
check  = "web"
ttl    = { min = 1, max = 5 }
[services.web.endpoints]
fra = ["127.0.1.1"]
iad = ["127.0.2.1"]
sin = ["127.0.3.1"]

[services.mail]
names  = ["mail.example.com"]
policy = "hand"
order  = ["iad", "fra", "sin"]
check  = "web"
[services.mail.endpoints]
fra = ["127.0.1.1"]
iad = ["127.0.2.1"]
sin = ["127.0.3.1"]
"#;

/// A data centre: how many health checks it will still pass, and how many it has passed and failed.
#[derive(Debug, Default)]
pub(crate) struct Center {
    left: AtomicU64,
    passed: AtomicU64,
    failed: AtomicU64,
}

impl Center {
    fn start(listener: TcpListener) -> Arc<Self> {
        let center = Arc::new(Self::default());
        center.live();
        let answering = Arc::clone(&center);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| answering.answer(stream)));
        center
    }

    /// Whoever asks may have gone.
    fn answer(&self, mut stream: TcpStream) {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = [0; 4_096];
        let mut len = 0;
        while !head[..len].ends_with(b"\r\n\r\n") {
            match stream.read(&mut head[len..]) {
                Ok(more @ 1..) => len += more,
                Ok(0) | Err(_) => return,
            }
        }
        let passes = self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        let (count, status) = if passes { (&self.passed, "200 OK") } else { (&self.failed, "503 Dead") };
        count.fetch_add(1, SeqCst);
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }

    /// From here on it passes.
    pub(crate) fn live(&self) {
        self.left.store(u64::MAX, SeqCst);
    }

    /// From here on it answers 503.
    pub(crate) fn die(&self) {
        self.pass(0);
    }

    /// It passes so many times more, then it answers 503.
    pub(crate) fn pass(&self, times: u64) {
        self.left.store(times, SeqCst);
    }

    pub(crate) fn passed(&self) -> u64 {
        self.passed.load(SeqCst)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(SeqCst)
    }
}

pub(crate) struct World {
    pub(crate) server: TestServer,
    /// In the order of [`ALL`].
    pub(crate) centers: Vec<Arc<Center>>,
}

impl World {
    /// Starts everything; returns when all clients are answered from where they are to be. `guard` is a section of the
    /// configuration.
    pub(crate) fn start(guard: &str) -> Self {
        let listeners = listeners();
        let port = listeners[0].local_addr().unwrap().port();
        let centers = listeners.into_iter().map(Center::start).collect();
        let config = format!("{}{guard}", crate::support::CONFIG);
        let server = TestServer::start(&[
            ("meridian.toml", &config),
            ("zones/example.com.zone", ZONE),
            ("zones/regions.toml", &REGIONS.replace("PORT", &port.to_string())),
            ("geoip/networks.toml", NETWORKS),
        ]);
        let world = Self { server, centers };
        for (address, [a, b]) in ALL {
            world.wait_for([a, b, 0], address);
        }
        world
    }

    /// What clients of a /24 get for a name, and the scope of that.
    pub(crate) fn ask(&self, name: &str, network: [u8; 3]) -> (String, u8) {
        let [a, b, c] = network;
        let network = Ipv4Addr::new(a, b, c, 0).into();
        let answer = ask(self.server.dns(), &query_for(7, name, TYPE_A, network, 24));
        let (rcode, mut data) = said(&answer);
        assert_eq!((rcode, data.len()), (NOERROR, 1), "{data:?}");
        let (told, source, scope) = subnet(&answer).expect("a client subnet comes back");
        assert_eq!((told, source), (network, 24));
        (data.remove(0), scope)
    }

    pub(crate) fn web(&self, network: [u8; 3]) -> String {
        self.ask("www.example.com", network).0
    }

    pub(crate) fn mail(&self) -> String {
        self.ask("mail.example.com", [10, 1, 0]).0
    }

    /// Waits until clients of a /24 get `wanted` for the web.
    pub(crate) fn wait_for(&self, network: [u8; 3], wanted: &str) {
        wait_until(|| self.web(network), |got| got == wanted);
    }

    /// How many of 200 networks of a country get `address`.
    pub(crate) fn count(&self, [a, b]: [u8; 2], address: &str) -> usize {
        (0..200).filter(|&c| self.web([a, b, c]) == address).count()
    }

    /// Runs a command beside the server: its exit code, and all it says.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String) {
        self.server.run(arguments)
    }

    /// Runs a command that ends with `code` and says these words.
    pub(crate) fn expect(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let (found, said) = self.run(arguments);
        assert_eq!(found, code, "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?} does not say {word:?}: {said}");
        }
    }

    /// Waits until `status` ends with `code` and says these words.
    pub(crate) fn wait_for_status(&self, code: i32, words: &[&str]) -> String {
        let all = |(found, said): &(i32, String)| *found == code && words.iter().all(|word| said.contains(word));
        wait_until(|| self.run(&["status"]), all).1
    }

    /// A command's JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let (code, said) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {said}");
        serde_json::from_str(&said).unwrap()
    }

    /// What the admin interface shows.
    pub(crate) fn get(&self, path: &str) -> Vec<Value> {
        let (status, body) = self.server.http("GET", path, None);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Events of a kind so far.
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        self.get("/api/v1/events").into_iter().filter(|event| event["kind"] == kind).collect()
    }

    /// Waits for an event of a kind with all these words somewhere in it.
    pub(crate) fn wait_for_event(&self, kind: &str, words: &[&str]) {
        let all = |event: &Value| words.iter().all(|word| event.to_string().contains(word));
        wait_until(|| self.events(kind), |events| events.iter().any(all));
    }

    /// How many checks are in a state.
    pub(crate) fn checks(&self, state: &str) -> usize {
        self.get("/api/v1/checks").iter().filter(|check| check["state"] == state).count()
    }
}

/// Looks until what is seen is what is wanted.
pub(crate) fn wait_until<T: Debug>(mut look: impl FnMut() -> T, wanted: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look();
        if wanted(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "it stays {seen:#?}");
    }
}

/// Listeners of the data centres: one port, as a check has one, on all their addresses.
fn listeners() -> Vec<TcpListener> {
    let address = |text: &str, port: u16| SocketAddr::new(text.parse().unwrap(), port);
    let all = (0..100).find_map(|_| {
        let first = TcpListener::bind(address(ALL[0].0, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let others = ALL[1..].iter().map(|(text, _)| TcpListener::bind(address(text, port)).ok());
        std::iter::once(Some(first)).chain(others).collect()
    });
    all.expect("a port that is free on three addresses")
}
