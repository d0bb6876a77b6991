//! What the server says about itself: class CH, NSID, keepalive.

use crate::support::answer::{TYPE_A, TYPE_TXT, option, query_with_option, said, saying};
use crate::support::{TestServer, ask, ask_tcp, query};

const NSID: u16 = 3;
const KEEPALIVE: u16 = 11;
const REFUSED: u16 = 5;

fn config(dns: &str) -> String {
    format!("[dns]\nlisten = [\"127.0.0.1:0\"]\n{dns}\n[admin]\nlisten = \"127.0.0.1:0\"\n")
}

fn chaos(name: &str) -> Vec<u8> {
    let mut packet = query(1, name, TYPE_TXT);
    let class_at = packet.len() - 1;
    packet[class_at] = 3;
    packet
}

#[test]
fn version_and_id_are_told_only_if_that_is_wanted() {
    let server = TestServer::start(&[]);
    for name in ["version.bind", "version.server", "id.server", "hostname.bind"] {
        assert_eq!(said(&ask(server.dns(), &chaos(name))), saying(REFUSED, &[]), "{name}");
    }
    server.write("meridian.toml", &config("version = \"none of your business\"\nid = \"fra-1\""));
    assert_eq!(server.reload("").1["needs_restart"], serde_json::json!([]));
    for ask in [ask, ask_tcp] {
        for name in ["version.bind", "VERSION.Server"] {
            assert_eq!(said(&ask(server.dns(), &chaos(name))), saying(0, &["none of your business"]), "{name}");
        }
        for name in ["id.server", "hostname.bind"] {
            assert_eq!(said(&ask(server.dns(), &chaos(name))), saying(0, &["fra-1"]), "{name}");
        }
        assert_eq!(said(&ask(server.dns(), &chaos("authors.bind"))), saying(REFUSED, &[]));
    }
}

#[test]
fn nsid_is_told_to_those_who_ask() {
    let server = TestServer::start(&[("meridian.toml", &config("nsid = \"fra-1\""))]);
    for ask in [ask, ask_tcp] {
        let asked = ask(server.dns(), &query_with_option(1, "example.com", TYPE_A, NSID, b""));
        assert_eq!(option(&asked, NSID).as_deref(), Some(&b"fra-1"[..]));
        let unasked = ask(server.dns(), &query_with_option(1, "example.com", TYPE_A, 65_001, b"x"));
        assert_eq!(option(&unasked, NSID), None);
    }
    server.write("meridian.toml", &config(""));
    assert_eq!(server.reload("").0, 200);
    assert_eq!(option(&ask(server.dns(), &query_with_option(1, "example.com", TYPE_A, NSID, b"")), NSID), None);
}

/// RFC 7828 §3.3.2: over TCP and for those who ask alone, in units of 100 ms.
#[test]
fn the_idle_timeout_is_told_over_tcp() {
    let server = TestServer::start(&[("meridian.toml", &config("tcp = { idle = \"25s\" }"))]);
    let asked = query_with_option(1, "example.com", TYPE_A, KEEPALIVE, b"");
    assert_eq!(option(&ask_tcp(server.dns(), &asked), KEEPALIVE), Some(250_u16.to_be_bytes().to_vec()));
    assert_eq!(option(&ask(server.dns(), &asked), KEEPALIVE), None);
    let unasked = query_with_option(1, "example.com", TYPE_A, NSID, b"");
    assert_eq!(option(&ask_tcp(server.dns(), &unasked), KEEPALIVE), None);
}
