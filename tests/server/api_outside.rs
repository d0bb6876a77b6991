//! The admin listener under TLS, and the webhooks it tells of events.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::cockpit::{post, start};
use crate::support::{CONFIG, PATIENCE, TestServer, command};
use crate::world::wait_until;

/// Puts a new certificate for `localhost` and its key into a folder.
fn certify(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("admin.crt"), made.cert.pem()).unwrap();
    fs::write(folder.join("admin.key"), made.signing_key.serialize_pem()).unwrap();
}

#[test]
fn commands_speak_tls_and_the_certificate_is_renewed() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let config = format!(
        "[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:{port}\"\n\
         tls = {{ certificate = {:?}, key = {:?} }}\n",
        path("admin.crt"),
        path("admin.key")
    );
    let server = start(&[("meridian.toml", &config)]);
    let run = |arguments: &[&str]| {
        let output = command(server.folder(), arguments).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, said) = run(&["drain", "fra"]);
    assert_eq!((code, said.trim()), (Some(0), "drain fra"));
    let (code, said) = run(&["status"]);
    assert!(code == Some(0) && said.contains("drained"), "{said}");

    // Somebody who speaks HTTP in clear, and somebody who says nothing, hold up nobody.
    let mut clear = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    clear.set_read_timeout(Some(PATIENCE)).unwrap();
    clear.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let _silent = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");

    // The file is another than what the server has, until it is reloaded.
    certify(folder.path());
    let (code, said) = run(&["status"]);
    assert!(code == Some(1) && said.contains("has it been reloaded?"), "{said}");
    server.signal("HUP");
    wait_until(|| run(&["status"]), |(code, _)| *code == Some(0));
    fs::write(folder.path().join("admin.key"), "this is no key").unwrap();
    server.signal("HUP");
    server.wait_for_text("the certificate of the admin listener stays as it was");
    assert_eq!(run(&["status"]).0, Some(0));
}

#[test]
fn a_certificate_that_is_none_stops_the_start() {
    let config = format!("{CONFIG}tls = {{ certificate = \"none.crt\", key = \"none.key\" }}\n");
    let ended = TestServer::start_and_fail(&[("meridian.toml", &config)], &[]);
    assert_eq!(ended.code, Some(3), "{}", ended.log);
    assert!(ended.log.contains("cannot read certificates from"), "{}", ended.log);
}

/// A request as a receiver of webhooks gets it.
#[derive(Debug)]
struct Hooked {
    kind: String,
    delivery: u64,
    signature: String,
    body: String,
}

/// A receiver: it answers 503 as long as `refuses` says so of a kind and how often it came.
fn receiver(refuses: impl Fn(&str, usize) -> bool + Send + 'static) -> (u16, Receiver<Hooked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, received) = channel();
    std::thread::spawn(move || {
        let mut counts = std::collections::HashMap::<(String, u64), usize>::new();
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut headers = std::collections::HashMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                if let Some((name, value)) = line.trim().split_once(": ") {
                    headers.insert(name.to_ascii_lowercase(), value.to_owned());
                }
            }
            let mut body = vec![0; headers["content-length"].parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let kind = headers["x-meridian-event"].clone();
            let delivery = headers["x-meridian-delivery"].parse().unwrap();
            let count = counts.entry((kind.clone(), delivery)).or_default();
            *count += 1;
            let refused = refuses(&kind, *count);
            let status = if refused { "503 Later" } else { "204 No Content" };
            write!(reader.get_mut(), "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            if !refused {
                let signature = headers["x-meridian-signature"].clone();
                let body = String::from_utf8(body).unwrap();
                if sender.send(Hooked { kind, delivery, signature, body }).is_err() {
                    return;
                }
            }
        }
    });
    (port, received)
}

#[test]
fn webhooks_are_told_again_until_they_listen_and_no_event_holds_up_another() {
    // The first kind is refused twice, and one kind for ever.
    let (port, received) = receiver(|kind, count| kind == "override_set" && count <= 2 || kind == "region_lost");
    let secret = "a secret that is long enough";
    let config = format!(
        "{CONFIG}[[admin.webhooks]]\nurl = \"http://127.0.0.1:{port}/hook?x=1\"\nsecret_file = \"hook.secret\"\n\
         kinds = [\"override_set\", \"change_made\", \"region_lost\"]\n"
    );
    let server = start(&[("meridian.toml", &config), ("hook.secret", secret)]);
    assert_eq!(post(&server, "/api/v1/overrides", r#"{"target": "fra", "action": "drain"}"#).status, 200);
    let mut both = [received.recv_timeout(PATIENCE).unwrap(), received.recv_timeout(PATIENCE).unwrap()];
    both.sort_by(|one, other| one.kind.cmp(&other.kind));
    assert_eq!((both[0].kind.as_str(), both[1].kind.as_str()), ("change_made", "override_set"), "{both:?}");
    for hooked in &both {
        let event: Value = serde_json::from_str(&hooked.body).unwrap();
        assert_eq!((&event["seq"], &event["kind"]), (&hooked.delivery.into(), &hooked.kind.as_str().into()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let tag = ring::hmac::sign(&key, hooked.body.as_bytes());
        let hex: String = tag.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hooked.signature, format!("sha256={hex}"));
    }
    server.wait_for_text("a webhook did not take an event: trying again");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_webhook_without_a_secret_stops_the_start() {
    let hook = "[[admin.webhooks]]\nurl = \"http://127.0.0.1:1/\"\nsecret_file = \"hook.secret\"\n";
    let config = format!("{CONFIG}{hook}");
    for (files, word) in [
        (&[("meridian.toml", config.as_str())][..], "cannot read the secret of a webhook"),
        (&[("meridian.toml", config.as_str()), ("hook.secret", "short")], "is too short"),
        (&[("meridian.toml", &format!("{config}kinds = [\"regon_lost\"]\n"))], "did you mean `region_lost`?"),
    ] {
        let ended = TestServer::start_and_fail(files, &[]);
        assert_eq!(ended.code, Some(3), "{}", ended.log);
        assert!(ended.log.contains(word), "{}", ended.log);
    }
}
