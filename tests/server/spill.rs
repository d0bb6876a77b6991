//! Three data centres that count what their clients send them, and feed that as their load: one of them is too small for its
//! clients, and what it has too much goes to the next.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::cockpit::shown;
use crate::support::answer::{TYPE_A, query_for, said, ttls};
use crate::support::{CONFIG, PATIENCE, TestServer, ask};

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n";
const CLIENTS: u8 = 120;
/// What Frankfurt can carry, and what it should: half of what its clients want.
const MAX: usize = 72;
const TARGET: usize = 60;
/// Long enough for feeds and caches to follow: so often each client asks anew, which is once a second.
const RENEWALS: usize = 8;

/// Requests of this round and of the one before.
#[derive(Default)]
struct Center {
    now: AtomicUsize,
    before: AtomicUsize,
}

impl Center {
    fn start(listener: TcpListener) -> Arc<Self> {
        let center = Arc::new(Self::default());
        let answering = Arc::clone(&center);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| answering.answer(stream)));
        center
    }

    /// Whoever asks may have gone.
    fn answer(&self, mut stream: TcpStream) {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = Vec::new();
        let mut octet = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut octet) {
                Ok(1) => head.push(octet[0]),
                Ok(_) | Err(_) => return,
            }
        }
        let body = if head.starts_with(b"GET /load ") {
            format!("{{\"requests\": {}}}", self.before.load(SeqCst))
        } else {
            self.now.fetch_add(1, SeqCst);
            String::new()
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let _ = stream.write_all((head + &body).as_bytes());
    }
}

/// A client network: where it was sent, and until when it asks nobody.
struct Client {
    network: Ipv4Addr,
    sent: Option<(Ipv4Addr, Instant)>,
}

struct World {
    server: TestServer,
    port: u16,
    centers: BTreeMap<Ipv4Addr, Arc<Center>>,
    clients: Vec<Client>,
    /// How often a client asked.
    asked: usize,
    /// How often one was sent elsewhere than before.
    moves: usize,
}

const FRA: Ipv4Addr = Ipv4Addr::new(127, 0, 4, 1);
const AMS: Ipv4Addr = Ipv4Addr::new(127, 0, 4, 2);
const IAD: Ipv4Addr = Ipv4Addr::new(127, 0, 4, 3);

impl World {
    fn start() -> Self {
        let first = TcpListener::bind((FRA, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let mut centers = BTreeMap::from([(FRA, Center::start(first))]);
        for address in [AMS, IAD] {
            centers.insert(address, Center::start(TcpListener::bind((address, port)).unwrap()));
        }
        let region = |key: &str, place: &str, address: Ipv4Addr, capacity: &str| {
            format!(
                "[regions.{key}]\nlocation = {{ {place} }}\n{capacity}\n\
                 load = {{ url = \"http://{address}:{port}/load\", json = \"/requests\", every = \"1s\" }}\n"
            )
        };
        let capacity = format!("capacity = {{ target = {TARGET}, max = {MAX} }}");
        let regions = region("fra", "lat = 50.11, lon = 8.68", FRA, &capacity)
            + &region("ams", "lat = 52.37, lon = 4.90", AMS, "capacity = { max = 500 }")
            + &region("iad", "lat = 38.95, lon = -77.45", IAD, "")
            + &format!(
                "[services.web]\nnames = [\"www.example.com\"]\npolicy = \"nearest\"\nttl = 1\n\
                 [services.web.endpoints]\nfra = [\"{FRA}\"]\nams = [\"{AMS}\"]\niad = [\"{IAD}\"]\n"
            );
        let server = TestServer::start(&[
            ("meridian.toml", CONFIG),
            ("geoip/networks.toml", "[networks]\n\"10.0.0.0/8\" = { country = \"DE\" }\n"),
            ("zones/example.com.zone", ZONE),
            ("zones/regions.toml", &regions),
        ]);
        let clients = (0..CLIENTS).map(|net| Client { network: [10, 7, net, 0].into(), sent: None }).collect();
        Self { server, port, centers, clients, asked: 0, moves: 0 }
    }

    /// Every client sends one request where it was sent, and asks before if its answer is too old. Requests by region.
    fn round(&mut self) -> [usize; 3] {
        let begun = Instant::now();
        for client in &mut self.clients {
            let address = match client.sent {
                Some((address, until)) if begun < until => address,
                before => {
                    let query = query_for(7, "www.example.com", TYPE_A, client.network.into(), 24);
                    let answer = ask(self.server.dns(), &query);
                    let (_, data) = said(&answer);
                    let address: Ipv4Addr = data[0].parse().unwrap();
                    self.asked += 1;
                    self.moves += usize::from(before.is_some_and(|(before, _)| before != address));
                    client.sent = Some((address, begun + Duration::from_secs(ttls(&answer)[0].into())));
                    address
                }
            };
            let mut stream = TcpStream::connect(SocketAddr::from((address, self.port))).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n").unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
        [FRA, AMS, IAD].map(|address| {
            let center = &self.centers[&address];
            let requests = center.now.swap(0, SeqCst);
            center.before.store(requests, SeqCst);
            requests
        })
    }

    /// Rounds until all were as wanted while every client asked [`RENEWALS`] times.
    fn rounds_until(&mut self, wanted: impl Fn([usize; 3]) -> bool) {
        let (deadline, mut good_since) = (Instant::now() + 3 * PATIENCE, self.asked);
        while self.asked - good_since < RENEWALS * self.clients.len() {
            let round = self.round();
            if !wanted(round) {
                good_since = self.asked;
            }
            assert!(Instant::now() < deadline, "it stays {round:?}: {}", shown(&self.server, "/api/v1/plan"));
        }
    }
}

#[test]
fn what_a_region_has_too_much_goes_to_the_next_and_nothing_flaps() {
    let mut world = World::start();
    // Before anything was fed all are where they belong; some seconds later half of them are not.
    world.rounds_until(|[fra, ams, iad]| {
        (TARGET - 15..=MAX).contains(&fra) && ams == usize::from(CLIENTS) - fra && iad == 0
    });
    let (moves, asked) = (world.moves, world.asked);
    while world.asked - asked < RENEWALS * world.clients.len() {
        let [fra, ams, iad] = world.round();
        assert!(fra <= MAX + MAX / 10 && ams > 0 && iad == 0, "{fra} {ams} {iad}");
    }
    let moved = world.moves - moves;
    assert!(moved <= usize::from(CLIENTS) / 4, "{moved} moves while nothing happened");

    let explain =
        |more: &[&str]| world.server.run(&[&["explain", "www.example.com", "--client", "10.7.1.0/24"], more].concat());
    let (code, text) = explain(&[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("spill      fra is at ") && text.contains("% of clients like this one go to ams"), "{text}");
    // The clients that it has, at a third of what they cost: everybody could stay. At ten times as much hardly anybody.
    let suppose = |load: &str| explain(&["--load", load]);
    let (code, text) = suppose("fra=20");
    assert!(code == 0 && text.contains("assumed    fra at a load of 20\n"), "{text}");
    assert!(text.contains("load 20 of 72") && !text.contains("spill      "), "{text}");
    let (code, text) = suppose("fra=600");
    assert!(code == 0 && text.contains("fra is at 833 % of max: 9"), "{text}");
    assert!(suppose("iad=1").1.contains("`iad` has no capacity"), "{:?}", suppose("iad=1"));
    assert!(suppose("lax=1").1.contains("no such region: `lax`"), "{:?}", suppose("lax=1"));
    assert!(suppose("fra").1.contains("`fra` is not a region and its load"), "{:?}", suppose("fra"));
    assert_eq!(explain(&["--offline", "--load", "fra=1"]).0, 2);
    // Nothing has come of it.
    let [fra, ..] = world.round();
    assert!((TARGET - 15..=MAX).contains(&fra), "{fra}");
    let events = shown(&world.server, "/api/v1/events");
    let kinds: Vec<&str> = events.as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| kind.starts_with("spill_")).collect::<Vec<_>>(), [&"spill_begun"]);
    let plan = shown(&world.server, "/api/v1/plan");
    assert_eq!((plan["spills"][0]["from"].as_str(), plan["spills"][0]["to"].as_str()), (Some("fra"), Some("ams")));
    let metrics = crate::cockpit::get(&world.server, "/metrics").body;
    assert!(metrics.contains("meridian_spill_answers{from=\"fra\",to=\"ams\"}"), "{metrics}");

    // Who asked is counted, and what is counted can be played.
    let demand = shown(&world.server, "/api/v1/demand");
    let rows = demand["rows"].as_array().unwrap();
    assert!(rows.len() == 1 && rows[0]["service"] == "web" && rows[0]["network"] == "10.0.0.0/8", "{demand}");
    let run = |arguments: &[&str]| {
        let (code, said) = world.server.run(arguments);
        assert_eq!(code, 0, "{said}");
        said
    };
    let file = run(&["demand"]);
    let (key, rate) = file.lines().last().unwrap().split_once(" = ").unwrap();
    assert!(key == "DE" && rate.parse::<f64>().unwrap() > 1.0, "{file}");
    let text = run(&["simulate", "--running", "--for", "10s"]);
    assert!(text.contains("as the running server counts it") && text.contains("\n  DE  "), "{text}");
}
