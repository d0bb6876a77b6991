//! `dns`, `icmp` and `exec`.

use std::io::Read as _;
use std::net::{IpAddr, Ipv6Addr};

use tokio::net::UdpSocket;

use super::support::*;

/// A DNS server that sends what `answers` makes of a query; its port.
async fn dns(answers: fn(&[u8]) -> Vec<Vec<u8>>) -> u16 {
    let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((len, client)) = socket.recv_from(&mut buffer).await {
            for answer in answers(&buffer[..len]) {
                let _ = socket.send_to(&answer, client).await;
            }
        }
    });
    port
}

fn answer(query: &[u8], rcode: u8) -> Vec<u8> {
    let mut answer = query.to_vec();
    answer[2] |= 0x80;
    answer[3] = rcode;
    answer
}

#[tokio::test]
async fn dns_answers_are_judged_by_their_code() {
    let bench = Bench::new();
    let good = dns(|query| vec![answer(query, 0)]).await;
    let absent = dns(|query| vec![answer(query, 3)]).await;
    let odd = dns(|query| vec![answer(query, 12)]).await;
    let forged = dns(|query| {
        let mut forgery = answer(query, 5);
        forgery[0] ^= 1;
        vec![forgery, vec![1, 2, 3], query.to_vec(), answer(query, 0)]
    })
    .await;
    let silent = dns(|_| Vec::new()).await;
    let closed = {
        let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
        socket.local_addr().unwrap().port()
    };
    for (port, keys, times, says) in [
        (good, "", PATIENT, "pass: ok"),
        (good, "dns.type = \"SOA\"\n", PATIENT, "pass: ok"),
        (absent, "", PATIENT, "fail: NXDOMAIN"),
        (absent, "dns.rcode = [\"NOERROR\", \"NXDOMAIN\"]\n", PATIENT, "pass: ok"),
        (good, "dns.rcode = [\"REFUSED\"]\n", PATIENT, "fail: NOERROR"),
        (odd, "", PATIENT, "fail: rcode 12"),
        (forged, "", PATIENT, "pass: ok"),
        (silent, "", SHORT, "fail: timeout (no answer)"),
        (closed, "", PATIENT, "fail: refused"),
    ] {
        let text = format!("dns.port = {port}\ndns.name = \"www.example.com\"\n{keys}{times}");
        assert_eq!(bench.says(&text).await, says, "{keys}");
    }
}

#[tokio::test]
async fn echo_requests_come_back_where_they_may_be_sent() {
    let bench = Bench::new();
    for address in [LOOPBACK, IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let said = line(&bench.outcome_at(address, &format!("icmp = {{}}\n{PATIENT}")).await);
        // Not every machine has IPv6, and not everybody may send them.
        let fine = ["pass: ok", "inconclusive: no permission (CAP_NET_RAW)"].contains(&said.as_str());
        let no_v6 =
            address.is_ipv6() && ["inconclusive: no source address", "inconclusive: no route"].contains(&said.as_str());
        assert!(fine || no_v6, "{address}: {said}");
    }
}

fn shell(script: &str, times: &str) -> String {
    format!("exec.command = [\"sh\", \"-c\", '''{script}''']\n{times}")
}

#[tokio::test]
async fn programs_are_judged_by_their_end() {
    let bench = Bench::new();
    for (script, says) in [
        ("exit 0", "pass: ok"),
        ("test $0 = 127.0.0.1", "pass: ok"),
        ("exit 7", "fail: exit 7"),
        ("echo; echo first; echo second; exit 2", "fail: exit 2: first"),
        ("echo said >&2; exit 2", "fail: exit 2: said"),
        ("printf \"a\\tb\\001c\\n\"; exit 1", "fail: exit 1: abc"),
        ("kill -9 $$", "fail: killed by signal 9"),
        ("test -z \"$HOME$CARGO$USER\" && test -n \"$PATH\"", "pass: ok"),
        ("yes 2>&1 | head -c 3000000; exit 3", "fail: exit 3: y"),
        ("cat; exit 0", "pass: ok"),
        // What it leaves behind holds its output open; its end counts.
        ("sleep 1000 & echo left; exit 4", "fail: exit 4: left"),
    ] {
        assert_eq!(bench.says(&shell(script, PATIENT)).await, says, "{script}");
    }
    let said = bench.says(&format!("exec.command = [\"/nowhere/to/be/found\"]\n{PATIENT}")).await;
    assert!(said.starts_with("inconclusive: cannot start: "), "{said}");
}

#[tokio::test]
async fn a_program_that_is_late_dies_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let opened = pipe.clone();
    // The pipe ends when the last process that has it open is gone.
    let ended = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        std::fs::File::open(opened).unwrap().read_to_string(&mut text).unwrap();
        text
    });
    let script = format!("exec 3>{}; echo begun >&3; sleep 1000 & sleep 1000", pipe.display());
    let times = "interval = \"10s\"\ntimeout = \"2s\"";
    assert_eq!(Bench::new().says(&shell(&script, times)).await, "fail: timeout (still running)");
    assert!(ended.await.unwrap().starts_with("begun\n"));
}
