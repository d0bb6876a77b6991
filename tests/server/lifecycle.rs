//! Start, reload, end.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use crate::support::{
    CONFIG, PATIENCE, TestServer, ask, command, framed, id, query, rcode, read_framed, tcp_client, udp_client,
    write_files,
};

/// `web1` to `web200`, each with an address of its own.
const ZONE: &str =
    "$TTL 300\n@ SOA ns h 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n$GENERATE 1-200 web$ A 192.0.2.$\n";

#[test]
fn the_end_answers_what_has_come_in() {
    let server = TestServer::start(&[("zones/example.com.zone", ZONE)]);
    let udp = udp_client(server.dns());
    let mut tcp = tcp_client(server.dns());
    let question = |id: u16| query(id, &format!("web{id}.example.com"), 1);
    let is_right = |id_sent: u16, answer: &[u8]| {
        id(answer) == id_sent && rcode(answer) == 0 && answer.last().copied().map(u16::from) == Some(id_sent)
    };
    tcp.write_all(&framed(&question(1))).unwrap();
    assert!(is_right(1, &read_framed(&mut tcp).unwrap()));
    for id in 1..=200 {
        udp.send(&question(id)).unwrap();
        tcp.write_all(&framed(&question(id))).unwrap();
    }
    server.signal("TERM");
    for expected in 1..=200 {
        let mut buffer = [0; 512];
        let len = udp.recv(&mut buffer).unwrap();
        assert!(is_right(expected, &buffer[..len]), "{:?} for {expected}", &buffer[..len]);
        let answer = read_framed(&mut tcp).unwrap();
        assert!(is_right(expected, &answer), "{answer:?} for {expected}");
    }
    assert!(read_framed(&mut tcp).is_none());
    let ended = server.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(ended.log.contains("\"stopped\""), "{}", ended.log);
}

#[test]
fn an_idle_server_ends_at_once_and_so_do_its_connections() {
    let server = TestServer::start(&[]);
    let mut idle = tcp_client(server.dns());
    server.wait_for_metric("meridian_tcp_connections", |n| n == 1.0);
    server.signal("INT");
    assert!(read_framed(&mut idle).is_none());
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn no_query_is_lost_by_reloads() {
    let server = TestServer::start(&[]);
    let udp = udp_client(server.dns());
    for nth in 1..=20 {
        server.signal("HUP");
        for id_sent in 0..100 {
            udp.send(&query(id_sent, "example.com", 1)).unwrap();
            let mut buffer = [0; 512];
            let len = udp.recv(&mut buffer).unwrap();
            assert_eq!(id(&buffer[..len]), id_sent);
        }
        server.wait_for_log("loaded", nth);
    }
    assert_eq!(server.metric("meridian_snapshot_generation"), 21.0);
    assert_eq!(server.metric("meridian_reloads_total{result=\"ok\"}"), 21.0);
    // Twenty were replaced; idle threads let go of each of them.
    server.wait_for_metric("meridian_snapshots_retired", |n| n == 0.0);
}

#[test]
fn a_reload_reads_the_configuration_too() {
    let server = TestServer::start(&[]);
    server.write("meridian.toml", &CONFIG.replace("[dns]\n", "[dns]\nthreads = 3\nnsid = \"x\"\n"));
    let (status, outcome) = server.reload("");
    assert_eq!((status, &outcome["result"]), (200, &"ok".into()));
    assert_eq!(outcome["needs_restart"], serde_json::json!(["dns.threads"]));
    // Said again until it is done.
    assert_eq!(server.reload("").1["needs_restart"], serde_json::json!(["dns.threads"]));

    server.write("meridian.toml", "[dns]\nlsiten = []\n");
    let (status, outcome) = server.reload("");
    assert_eq!((status, &outcome["result"]), (409, &"refused".into()));
    assert!(outcome["findings"][0].as_str().unwrap().contains("meridian.toml:2:1"), "{outcome}");
    assert_eq!(server.metric("meridian_reloads_total{result=\"refused\"}"), 1.0);
    assert_eq!(id(&ask(server.dns(), &query(3, "example.com", 1))), 3);
}

#[test]
fn the_service_manager_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &[]);
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut child =
        command(folder.path(), &["serve"]).env("NOTIFY_SOCKET", &socket).stderr(Stdio::null()).spawn().unwrap();
    let next = || {
        let mut buffer = [0; 256];
        let len = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    };
    let kill = |name: &str| {
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    };
    assert_eq!(next(), "READY=1");
    kill("HUP");
    assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(next(), "READY=1");
    kill("TERM");
    assert_eq!(next(), "STOPPING=1");
    assert!(child.wait().unwrap().success());
}
