//! The demo, as the README starts it: real data centres, one of which dies and comes back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::PATIENCE;
use crate::support::answer::{NOERROR, TYPE_A, query_for, said, subnet};

/// Clients of three countries, as resolvers tell them, and the data centre that is near.
const CLIENTS: [(&str, [u8; 3], &str); 3] = [
    ("Germany", [88, 198, 0], "127.0.1.1"),
    ("the United States", [4, 4, 4], "127.0.2.1"),
    ("Singapore", [203, 116, 1], "127.0.3.1"),
];

/// Until the first answers: a database of the whole world is read, by a thread that lets everybody else go first.
const START: Duration = PATIENCE.saturating_mul(4);

struct Demo {
    child: Child,
    dns: SocketAddr,
    admin: SocketAddr,
    http_port: u16,
    /// What it says to try.
    guide: Vec<String>,
    /// Where it writes: one that is killed leaves its files behind.
    folder: tempfile::TempDir,
}

impl Demo {
    /// Starts the demo on free ports, with the databases of the repository.
    fn start() -> Self {
        let dns = free_port(Ipv4Addr::LOCALHOST);
        let admin = free_port(Ipv4Addr::LOCALHOST);
        // The data centres have one port on three addresses.
        let http_port = (0..100)
            .map(|_| free_port(Ipv4Addr::new(127, 0, 1, 1)).port())
            .find(|&port| {
                [2, 3].iter().all(|&third| TcpListener::bind((Ipv4Addr::new(127, 0, third, 1), port)).is_ok())
            })
            .expect("a port that is free on three addresses");
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_meridian"))
            .env("TMPDIR", folder.path())
            .args(["demo", "--dns", &dns.to_string(), "--admin", &admin.to_string()])
            .args(["--http-port", &http_port.to_string()])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Its guide ends with how to end it.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut guide = Vec::new();
        while !guide.last().is_some_and(|line: &String| line.contains("Ctrl-C")) {
            guide.push(lines.next().expect("the guide is cut short"));
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, dns, admin, http_port, guide, folder }
    }

    /// The address that clients of a network get, and the scope of that; `None` while nobody answers.
    fn ask(&self, network: [u8; 3]) -> Option<(String, u8)> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let [a, b, c] = network;
        let network = Ipv4Addr::new(a, b, c, 0).into();
        socket.send_to(&query_for(7, "www.example.com", TYPE_A, network, 24), self.dns).unwrap();
        let mut buffer = [0; 1_232];
        let len = socket.recv(&mut buffer).ok()?;
        let (rcode, records) = said(&buffer[..len]);
        assert_eq!(rcode, NOERROR);
        assert_eq!(records.len(), 1, "{records:?}");
        Some((records[0].clone(), scope(&buffer[..len])))
    }

    /// Asks until clients of a network get `wanted`.
    fn wait_for(&self, network: [u8; 3], wanted: &str) {
        let deadline = Instant::now() + START;
        let mut last = None;
        while last.as_ref().is_none_or(|(address, _)| address != wanted) {
            assert!(Instant::now() < deadline, "{network:?} is answered {last:?}, not {wanted}");
            last = self.ask(network);
        }
    }

    fn frankfurt(&self) -> SocketAddr {
        (Ipv4Addr::new(127, 0, 1, 1), self.http_port).into()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `GET` of a data centre or of the admin interface.
fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn free_port(address: Ipv4Addr) -> SocketAddr {
    TcpListener::bind((address, 0)).unwrap().local_addr().unwrap()
}

/// SCOPE PREFIX-LENGTH of an answer.
fn scope(answer: &[u8]) -> u8 {
    subnet(answer).expect("a client subnet comes back").2
}

#[test]
fn clients_get_the_nearest_data_centre_that_lives() {
    let demo = Demo::start();
    for (place, network, address) in CLIENTS {
        demo.wait_for(network, address);
        let (_, scope) = demo.ask(network).unwrap();
        assert!((1..=24).contains(&scope), "{place}: scope {scope}");
    }
    // Frankfurt dies: its clients get the next nearest, nobody else notices.
    assert!(get(demo.frankfurt(), "/kill").contains("is dead"));
    demo.wait_for([88, 198, 0], "127.0.2.1");
    for (_, network, address) in &CLIENTS[1..] {
        assert_eq!(demo.ask(*network).unwrap().0, *address);
    }
    let events = get(demo.admin, "/api/v1/events");
    for word in ["check_down", "status 503", "region_lost", "www.example.com."] {
        assert!(events.contains(word), "{word}: {events}");
    }
    // It lives again, and its clients come back little by little.
    get(demo.frankfurt(), "/revive");
    let some = || (0..32).filter_map(|third| demo.ask([88, 198, third])).filter(|(a, _)| a == "127.0.1.1").count();
    let mut deadline = Instant::now() + PATIENCE;
    let mut first = 0;
    while first == 0 {
        assert!(Instant::now() < deadline, "nobody came back");
        first = some();
    }
    assert!(first < 32, "all came back at once");
    let events = get(demo.admin, "/api/v1/events");
    assert!(events.contains("ramp_begun"), "{events}");
    // The ramp alone takes most of what anything may take.
    deadline += PATIENCE;
    while some() < 32 {
        assert!(Instant::now() < deadline, "not all came back");
    }
}

#[test]
fn the_demo_ends_when_it_is_told_to() {
    let mut demo = Demo::start();
    demo.wait_for([4, 4, 4], "127.0.2.1");
    Command::new("kill").args(["-TERM", &demo.child.id().to_string()]).status().unwrap();
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
    // What it wrote has gone with it.
    assert_eq!(std::fs::read_dir(demo.folder.path()).unwrap().count(), 0);
}

/// As in a container of its own, where its health is asked by the same program.
#[test]
fn a_data_centre_of_the_demo_can_stand_alone() {
    let address = free_port(Ipv4Addr::new(127, 0, 4, 1));
    let listen = address.to_string();
    let program = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
        command.args(["demo", "center", "Nowhere", "--listen", &listen]).args(more);
        command
    };
    let ask = || program(&["--ask"]).status().unwrap().code();
    assert_eq!(ask(), Some(4), "nobody is there");
    let mut child = program(&[]).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while ask() != Some(0) {
        assert!(Instant::now() < deadline, "it does not live");
    }
    assert!(get(address, "/").contains("Hello from Nowhere"));
    assert!(get(address, "/kill").contains("Nowhere is dead"));
    assert_eq!(ask(), Some(4), "it was killed");
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Word for word, with the program that operators have.
#[test]
fn the_guide_can_be_followed_with_dig() {
    if Command::new("dig").arg("-v").output().is_err() {
        println!("skipped: no `dig` on this machine");
        return;
    }
    let demo = Demo::start();
    let told: Vec<&str> = demo.guide.iter().map(|line| line.trim()).filter(|line| line.starts_with("dig ")).collect();
    assert_eq!(told.len(), CLIENTS.len() + 1, "{:#?}", demo.guide);
    let wanted = CLIENTS.iter().map(|(_, _, address)| *address).chain(["127.0.2.1"]);
    for (line, wanted) in told.iter().zip(wanted) {
        let command = line.split('#').next().unwrap();
        let deadline = Instant::now() + START;
        loop {
            let output = Command::new("dig").args(command.split_whitespace().skip(1)).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            if said.trim() == wanted {
                break;
            }
            assert!(Instant::now() < deadline, "{line}: {said}, not {wanted}");
        }
    }
}
