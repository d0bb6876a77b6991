//! The node as a vantage: resolvers that ask are measured, those alone, and what health checks find counts for clients
//! beside the node.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use serde_json::Value;

use crate::support::{CONFIG, TestServer, query, rcode};
use crate::world::wait_until;

const ZONE: &str = "$TTL 300\n@ 3600 SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\nns1 A 192.0.2.1\n";

/// One service of two regions, whose endpoints are checked at a port.
fn regions(port: u16) -> String {
    format!(
        "[regions.fra]\nlocation = {{ country = \"DE\" }}\n[regions.iad]\nlocation = {{ country = \"US\" }}\n\
         [checks.web]\ntcp = {{ port = {port} }}\ninterval = \"200ms\"\ntimeout = \"150ms\"\n\
         [services.web]\nnames = [\"www.example.com\"]\npolicy = \"latency\"\ncheck = \"web\"\n\
         [services.web.endpoints]\nfra = [\"127.0.0.1\"]\niad = [\"127.0.0.2\"]\n"
    )
}

fn server(latency: &str, port: u16) -> TestServer {
    let config = format!("{CONFIG}\n{latency}");
    let files = [("zones/example.com.zone", ZONE), ("zones/regions.toml", &regions(port)), ("meridian.toml", &config)];
    TestServer::start(&files)
}

/// Asks from an address of this machine.
fn ask_from(source: &str, server: SocketAddr) {
    let socket = UdpSocket::bind(SocketAddr::new(source.parse::<IpAddr>().unwrap(), 0)).unwrap();
    socket.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    socket.send_to(&query(1, "www.example.com", 1), server).unwrap();
    let mut answer = [0; 512];
    let (length, _) = socket.recv_from(&mut answer).unwrap();
    assert_eq!(rcode(&answer[..length]), 0);
}

/// The lines of the export that are of a network.
fn ways(server: &TestServer, network: &str) -> Vec<String> {
    let (status, file) = server.http("GET", "/api/v1/latency/export", None);
    // Whoever looks too often has to wait.
    assert!(status == 200 || status == 429, "{status} {file}");
    file.lines().filter(|line| status == 200 && line.starts_with(network)).map(str::to_owned).collect()
}

#[test]
fn resolvers_that_ask_are_measured_and_nobody_else() {
    let latency = "[latency]\nevery = \"1s\"\n[latency.vantage]\nregion = \"fra\"\nmethods = [\"tcp\"]\n\
                   per_second = 50\nallow = [\"127.0.0.0/8\"]\ndeny = [\"127.0.9.0/24\"]\n";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = server(latency, listener.local_addr().unwrap().port());
    for source in ["127.0.9.1", "127.0.8.1", "127.0.7.1"] {
        ask_from(source, server.dns());
    }
    for network in ["127.0.8.0/24", "127.0.7.0/24"] {
        let found = wait_until(|| ways(&server, network), |ways| ways.len() == 1);
        assert!(found[0].starts_with(&format!("{network},fra,")) && found[0].ends_with(",vantage"), "{found:?}");
    }
    assert_eq!(ways(&server, "127.0.9.0/24"), [""; 0], "it is denied");
    let view: Value = wait_until(
        || serde_json::from_str(&server.http("GET", "/api/v1/latency", None).1).unwrap(),
        |view: &Value| view["networks"].is_u64(),
    );
    assert_eq!(view["networks"], 2, "{view}");
    server.wait_for_metric("meridian_latency_measurements_total{source=\"vantage\",result=\"taken\"}", |n| n == 2.0);
}

#[test]
fn nobody_is_measured_unless_it_is_wanted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let latency = "[latency]\nevery = \"1s\"\nprobes_for = [\"198.51.100.0/24\"]\n";
    let server = server(latency, listener.local_addr().unwrap().port());
    ask_from("127.0.8.1", server.dns());
    // What health checks find is known by then: whoever measured who asked would have done so too.
    let found = wait_until(|| ways(&server, "198.51.100.0/24"), |ways| !ways.is_empty());
    // Only Frankfurt's endpoint listens.
    assert!(found.len() == 1 && found[0].contains(",fra,") && found[0].ends_with(",probe"), "{found:?}");
    assert_eq!(ways(&server, "127.0.8.0/24"), [""; 0]);
}
