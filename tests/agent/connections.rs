//! Connections on loopback, as the kernel has measured them, on their way to nodes.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::node::{Node, Request};
use crate::process::{Agent, TOKEN, Talk};

/// A listener on loopback, and its port as an argument.
fn listener(address: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

fn id(request: &Request) -> &str {
    request.body["id"].as_str().unwrap()
}

#[test]
fn a_report_is_what_the_api_takes_and_is_sent_again_until_it_is_taken() {
    let (v4, port_v4) = listener("127.0.0.1");
    let (v6, port_v6) = listener("::1");
    let mut talks: Vec<Talk> = (0..3).map(|_| Talk::new(&v4)).chain([Talk::new(&v6)]).collect();
    let node = Node::start(&[(503, ""), (429, "Retry-After: 1\r\n")], None);
    let url = format!("http://{}", node.address);
    let arguments = ["--region", "fra", "--to", &url, "--name", "edge 1", "--every", "1s", "--loopback"];
    let agent = Agent::start(&[&arguments[..], &["--port", &port_v4, "--port", &port_v6]].concat());

    let first = node.request();
    assert_eq!(first.head[0], "POST /api/v1/latency HTTP/1.1");
    for header in [&format!("authorization: bearer {TOKEN}"), "content-type: application/json"] {
        assert!(first.head.iter().any(|line| line == header), "{header} in {:?}", first.head);
    }
    let batch = first.body.as_object().unwrap();
    assert_eq!(batch.keys().collect::<Vec<_>>(), ["id", "measurements", "source"]);
    assert_eq!(batch["source"], "agent");
    assert!(id(&first).starts_with("edge-1/") && id(&first).len() <= 128, "{}", id(&first));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let rows: Vec<&Value> = batch["measurements"].as_array().unwrap().iter().collect();
    for (row, (network, samples)) in rows.iter().zip([("127.0.0.0/24", 3), ("::/48", 1)]) {
        assert_eq!(row.as_object().unwrap().keys().collect::<Vec<_>>(), ["at", "client", "ms", "region", "samples"]);
        assert_eq!(
            (&row["client"], &row["region"], &row["samples"]),
            (&network.into(), &"fra".into(), &samples.into())
        );
        assert!((0.05..1_000.0).contains(&row["ms"].as_f64().unwrap()), "{row}");
        assert!(u128::from(row["at"].as_u64().unwrap()) <= now, "{row}");
    }
    assert_eq!(rows.len(), 2);

    for _ in 0..2 {
        assert_eq!(node.request().body, first.body, "the same again, under the same id");
    }
    // Nothing new was acknowledged; one connection that says something makes a report of its own.
    talks[0].talk();
    let second = node.request();
    assert_ne!(id(&second), id(&first));
    assert_eq!(second.body["measurements"].as_array().unwrap().len(), 1);
    assert_eq!(second.body["measurements"][0]["samples"], 1);
    // What is pending goes out at the end.
    talks[1].talk();
    let (code, log) = agent.stop("TERM");
    assert_eq!(code, Some(0), "{log:#?}");
    let last = node.request();
    assert!(![id(&first), id(&second)].contains(&id(&last)));
    assert_eq!(last.body["measurements"][0]["samples"], 1);
    assert!(node.rest().is_empty());
}

#[test]
fn a_token_that_is_not_taken_is_told_once() {
    let (listener, port) = listener("127.0.0.1");
    let _talk = Talk::new(&listener);
    let bad = Node::start(&[(401, ""), (401, "")], None);
    let good = Node::start(&[], None);
    let urls = [bad.address, good.address].map(|address| format!("http://{address}"));
    let nodes = ["--to", &urls[0], "--to", &urls[1]];
    let arguments = ["--region", "fra", "--every", "1s", "--loopback", "--port", &port];
    let mut agent = Agent::start(&[&arguments[..], &nodes].concat());
    let refused = bad.request();
    let told = agent.wait_for("a node does not take the token");
    assert_eq!((&told["level"], &told["node"]), (&"ERROR".into(), &urls[0].as_str().into()));
    // The other node has its own.
    assert_eq!(good.request().body, refused.body);
    let (code, log) = agent.stop("INT");
    assert_eq!(code, Some(0));
    assert_eq!(bad.request().body, refused.body, "once more at the end");
    let count = |text: &str| log.iter().filter(|line| line["message"].as_str().unwrap().starts_with(text)).count();
    assert_eq!(count("a node does not take the token"), 1, "{log:#?}");
    assert_eq!(count("a node misses reports"), 1, "{log:#?}");
}

#[test]
fn nodes_under_tls_are_known_by_their_certificate() {
    let (listener, port) = listener("127.0.0.1");
    let _talk = Talk::new(&listener);
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let node = Node::start(&[], Some(Arc::new(config)));
    let url = format!("https://{}", node.address);
    let arguments = ["--region", "fra", "--to", &url, "--every", "1s", "--loopback", "--port", &port];
    let known = Agent::start(&[&arguments[..], &["--ca", ca.to_str().unwrap()]].concat());
    assert_eq!(node.request().body["measurements"][0]["client"], "127.0.0.0/24");
    assert_eq!(known.stop("TERM").0, Some(0));
    // Without it the node is a stranger, who is told nothing.
    let mut unknown = Agent::start(&arguments);
    let told = unknown.wait_for("a node does not take a report");
    assert!(told["reason"].as_str().unwrap().contains("certificate"), "{told}");
    assert!(node.rest().is_empty());
}

#[test]
fn anybody_may_look_once() {
    let (listener, port) = listener("127.0.0.1");
    let _talks = [Talk::new(&listener), Talk::new(&listener)];
    // A copy that everybody may run: the folder of the build may be closed to others.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("meridian");
    std::fs::copy(env!("CARGO_BIN_EXE_meridian"), &program).unwrap();
    let look = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["agent", "--once", "--port", &port]).args(arguments).current_dir("/");
        if rustix::process::geteuid().is_root() {
            command.uid(65_534).gid(65_534);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let rows: Value = serde_json::from_str(&look(&["--json", "--loopback"])).unwrap();
    let row = rows[0].as_object().unwrap();
    assert_eq!(row.keys().collect::<Vec<_>>(), ["ms", "network", "samples"]);
    assert_eq!((&row["network"], &row["samples"]), (&"127.0.0.0/24".into(), &2.into()));
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert!(look(&["--loopback"]).lines().nth(1).unwrap().starts_with("127.0.0.0/24 "));
    assert_eq!(look(&["--json"]), "[]\n", "this host is no client");
    assert!(look(&[]).starts_with("no client"));
}

#[test]
fn mistakes_are_told_before_anything_is_done() {
    for (arguments, code, says) in [
        (&["--region", "fra"][..], 2, "--to"),
        (&["--to", "http://192.0.2.1:8053", "--token-file", "x", "--region", "fra"], 2, "in clear"),
        (&["--to", "http://127.0.0.1:1", "--token-file", "/nowhere/token", "--region", "fra"], 3, "/nowhere/token"),
        (&["--dry-run", "--region", "fra", "--port", "0"], 2, "--port"),
        (&["--dry-run", "--beacons", "127.0.0.1:0"], 2, "--beacon-regions"),
        (&["--dry-run", "--beacons", "192.0.2.1:1", "--beacon-regions", "fra"], 1, "192.0.2.1:1"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_meridian")).arg("agent").args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}
