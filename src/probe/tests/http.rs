//! `http` and `tcp` against servers that behave in every way.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::*;
use crate::health::Verdict;
use crate::model::{FeedError, Place};
use crate::probe::outcome::Miss;

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn answers_are_judged() {
    let bench = Bench::new();
    let large = format!("{}needle", "x".repeat(100_000));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n";
    let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nneedle\r\n";
    let redirect = "HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n";
    let unfinished = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok";
    let huge_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1_000_000));
    let continued = format!("HTTP/1.1 100 Continue\r\n\r\n{}", ok("ok"));
    #[rustfmt::skip]
    let rows: &[(&str, &str, &str)] = &[
        (&ok("ok"),                                     "",                                         "pass: ok"),
        (&continued,                                    "",                                         "pass: ok"),
        ("HTTP/1.0 200 OK\r\n\r\nok",                   "body = \"ok\"",                            "pass: ok"),
        ("HTTP/1.1 204 No Content\r\n\r\n",             "",                                         "pass: ok"),
        ("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "",                                      "fail: status 503"),
        ("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "status = [\"200-299\", 401]",             "pass: ok"),
        (&ok("ok"),                                     "status = [401]",                           "fail: status 200"),
        (redirect,                                      "",                                         "fail: status 301"),
        (redirect,                                      "status = [301]",                           "pass: ok"),
        (&ok("all is well"),                            "body = \"is\"",                            "pass: ok"),
        (&ok("all is well"),                            "body = \"IS\"",                            "fail: body mismatch"),
        (&ok("all is well"),                            "body_regex = \"^all .* well$\"",           "pass: ok"),
        (&ok("all is well, not"),                       "body_regex = \"^all .* well$\"",           "fail: body mismatch"),
        (&ok("all is well"),                            "body_regex = \"(?i)WELL\"",                "pass: ok"),
        (&ok(""),                                       "body = \"ok\"",                            "fail: body mismatch"),
        (chunked,                                       "body = \"needle\"",                        "pass: ok"),
        (endless,                                       "body = \"needle\"",                        "pass: ok"),
        (&ok(&large),                                   "body = \"needle\"",                        "fail: body mismatch"),
        (&ok(&large),                                   "body = \"needle\"\nhttp.body_max = 200000", "pass: ok"),
        (&ok(&large),                                   "body = \"needle\"\nhttp.body_max = 100005", "fail: body mismatch"),
        (&ok(&large),                                   "body_max = 0",                             "pass: ok"),
        (unfinished,                                    "body = \"missing\"",                       "fail: connection closed"),
        (unfinished,                                    "",                                         "pass: ok"),
        ("",                                            "",                                         "fail: connection closed"),
        ("HTTP/1.1 200",                                "",                                         "fail: connection closed"),
        ("SSH-2.0-OpenSSH_9.2\r\n",                     "",                                         "fail: the answer is not HTTP"),
        (&huge_head,                                    "",                                         "fail: the head of the answer is too large"),
        ("HTTP/1.1 200 OK\r\n\r\n",                     "method = \"HEAD\"",                        "pass: ok"),
    ];
    for (reply, keys, says) in rows {
        let then = if *reply == endless { Then::Hold } else { Then::Close };
        let port = replies(*reply, then).await;
        let text = if keys.is_empty() { String::new() } else { format!("http.{keys}\n") };
        let said = bench.says(&format!("http.port = {port}\n{text}{PATIENT}")).await;
        assert_eq!(said, *says, "{keys} {:?}", &reply[..reply.len().min(80)]);
    }
}

#[tokio::test]
async fn answers_feed_whether_they_pass_or_not() {
    let bench = Bench::new();
    let wants = [Place::Header("x-load".into()), Place::Json("/load".into())];
    let answer = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nX-Load: 17.5\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let long = format!("{{\"load\": 3, \"rest\": \"{}\"}}", "x".repeat(100_000));
    let (pass, fail) = (Verdict::Pass, Verdict::Fail);
    #[rustfmt::skip]
    let rows = [
        (answer("200 OK", "{\"load\": 3}"),   "",                         pass, Ok(3_000)),
        (answer("503 Busy", "{\"load\": 3}"), "",                         fail, Ok(3_000)),
        (answer("200 OK", "{\"load\": 3}"),   "http.body = \"load\"",     pass, Ok(3_000)),
        (answer("200 OK", "{\"load\": 3}"),   "http.body = \"other\"",    fail, Ok(3_000)),
        (answer("200 OK", "fine"),            "",                         pass, Err(FeedError::Unreadable)),
        (answer("200 OK", &long),             "",                         pass, Err(FeedError::Unreadable)),
        (answer("200 OK", &long),             "http.body_max = 200000",   pass, Ok(3_000)),
    ];
    for (reply, keys, verdict, load) in rows {
        let port = replies(reply.as_str(), Then::Close).await;
        let text = format!("http.port = {port}\n{keys}\n{PATIENT}");
        assert_eq!(bench.finds(&text, &wants).await, (verdict, vec![Ok(17_500), load]), "{keys} {reply:.60}");
    }
    // What is missing of a body takes nothing from the verdict.
    let port = replies("HTTP/1.1 200 OK\r\nX-Load: 17.5\r\nContent-Length: 100\r\n\r\n{", Then::Close).await;
    let found = bench.finds(&format!("http.port = {port}\n{PATIENT}"), &wants).await;
    assert_eq!(found, (pass, vec![Ok(17_500), Err(FeedError::Unreadable)]));
    let port = replies(answer("503 Busy", ""), Then::Close).await;
    let found = bench.finds(&format!("http.port = {port}\n{PATIENT}"), &wants[..1]).await;
    assert_eq!(found, (fail, vec![Ok(17_500)]));
    // Who did not answer says nothing, and who is not asked is not listened to.
    let text = format!("http.port = {}\n{PATIENT}", closed_port().await);
    assert_eq!(bench.finds(&text, &wants).await, (fail, Vec::new()));
    let port = replies(answer("200 OK", "{\"load\": 3}"), Then::Close).await;
    assert_eq!(bench.finds(&format!("http.port = {port}\n{PATIENT}"), &[]).await, (pass, Vec::new()));
}

#[tokio::test]
async fn silence_is_named_by_what_was_waited_for() {
    let bench = Bench::new();
    for (reply, keys, says) in [
        ("", "", "fail: timeout (first byte)"),
        ("HTTP/1.1 200 OK\r\n", "", "fail: timeout (first byte)"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "http.body = \"ok\"\n", "fail: timeout (body)"),
    ] {
        let port = replies(reply, Then::Hold).await;
        assert_eq!(bench.says(&format!("http.port = {port}\n{keys}{SHORT}")).await, says);
    }
    let port = closed_port().await;
    assert_eq!(bench.says(&format!("http.port = {port}\n{PATIENT}")).await, "fail: refused");
}

#[tokio::test]
async fn a_connection_that_nobody_accepts_times_out_while_connecting() {
    // A queue of one place that is taken: further connections are not answered.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::new(LOOPBACK, 0).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _first = std::net::TcpStream::connect(address).unwrap();
    let outcome = Bench::new().outcome(&format!("tcp.port = {}\n{SHORT}", address.port())).await;
    assert_eq!(line(&outcome), "fail: timeout (connect)");
    assert_eq!((outcome.phases.connect, outcome.phases.first_byte), (None, None));
    assert!(outcome.phases.total.as_millis() >= 100);
}

#[tokio::test]
async fn the_request_is_what_the_check_says() {
    let seen: Arc<Mutex<String>> = Arc::default();
    let port = serves({
        let seen = Arc::clone(&seen);
        move |mut stream| {
            let seen = Arc::clone(&seen);
            async move {
                let head = head(&mut stream).await;
                *seen.lock().unwrap() = head;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            }
        }
    })
    .await;
    let bench = Bench::new();
    assert_eq!(bench.says(&format!("http.port = {port}\n{PATIENT}")).await, "pass: ok");
    let head = std::mem::take(&mut *seen.lock().unwrap());
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        head,
        format!(
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
             User-Agent: Meridian/{version} (health check)\r\nAccept: */*\r\n\r\n"
        )
    );
    let text = format!(
        "http = {{ port = {port}, path = \"/a?b=c\", host = \"www.example.com:81\", method = \"OPTIONS\", \
         headers = {{ X-Probe = \"1\", user-agent = \"me\" }} }}\n{PATIENT}"
    );
    assert_eq!(bench.says(&text).await, "pass: ok");
    let head = std::mem::take(&mut *seen.lock().unwrap());
    for line in ["OPTIONS /a?b=c HTTP/1.1\r\n", "Host: www.example.com:81\r\n", "X-Probe: 1\r\n", "User-Agent: me\r\n"]
    {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(!head.contains("Meridian"), "{head}");
    let outcome = bench.outcome(&format!("http.port = {port}\n{PATIENT}")).await;
    let (connect, first) = (outcome.phases.connect.unwrap(), outcome.phases.first_byte.unwrap());
    assert!(connect <= first && first <= outcome.phases.total);
    assert_eq!(outcome.phases.server(), Some(first - connect));
    assert_eq!(outcome.phases.tls, None);
}

#[tokio::test]
async fn tcp_says_and_hears() {
    let bench = Bench::new();
    let greets = |greeting: &'static [u8]| {
        serves(move |mut stream| async move {
            let _ = stream.write_all(greeting).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
    };
    let echoes = serves(|mut stream| async move {
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await;
    let smtp = greets(b"220 mail.example.com ESMTP\r\n").await;
    let mute = greets(b"").await;
    let large = greets(&[b'x'; 5_000]).await;
    let held = replies("", Then::Hold).await;
    #[rustfmt::skip]
    let rows: &[(u16, &str, &str, &str)] = &[
        (smtp,   "",                                                      PATIENT, "pass: ok"),
        (smtp,   "tcp.expect = \"220 \"",                                 PATIENT, "pass: ok"),
        (smtp,   "tcp.expect = \"421 \"",                                 PATIENT, "fail: answer mismatch"),
        (mute,   "tcp.expect = \"220 \"",                                 PATIENT, "fail: connection closed"),
        (large,  "tcp.expect = \"220 \"",                                 PATIENT, "fail: answer mismatch"),
        (echoes, "tcp.send = \"PING\\r\\n\"\ntcp.expect = \"PING\\r\\n\"", PATIENT, "pass: ok"),
        (echoes, "tcp.send = \"PING\\r\\n\"",                             PATIENT, "pass: ok"),
        (held,   "tcp.expect = \"220 \"",                                 SHORT,   "fail: timeout (first byte)"),
    ];
    for (port, keys, times, says) in rows {
        assert_eq!(bench.says(&format!("tcp.port = {port}\n{keys}\n{times}")).await, *says, "{keys}");
    }
    let port = closed_port().await;
    assert_eq!(bench.says(&format!("tcp.port = {port}\n{PATIENT}")).await, "fail: refused");
}

#[test]
fn what_we_cannot_do_is_not_the_other_ends_failure() {
    for (error, verdict, reason) in [
        (libc::EMFILE, Verdict::Inconclusive, "too many open files"),
        (libc::ENFILE, Verdict::Inconclusive, "too many open files"),
        (libc::ENOBUFS, Verdict::Inconclusive, "out of memory"),
        (libc::ENOMEM, Verdict::Inconclusive, "out of memory"),
        (libc::ENETUNREACH, Verdict::Inconclusive, "no route"),
        (libc::EAFNOSUPPORT, Verdict::Inconclusive, "no route"),
        (libc::EINVAL, Verdict::Inconclusive, "no route"),
        (libc::EADDRNOTAVAIL, Verdict::Inconclusive, "no source address"),
        (libc::EACCES, Verdict::Inconclusive, "no permission"),
        (libc::EPERM, Verdict::Inconclusive, "no permission"),
        (libc::EHOSTUNREACH, Verdict::Fail, "unreachable"),
        (libc::ECONNREFUSED, Verdict::Fail, "refused"),
        (libc::ECONNRESET, Verdict::Fail, "connection reset"),
        (libc::EPIPE, Verdict::Fail, "connection reset"),
        (libc::ETIMEDOUT, Verdict::Fail, "timeout (connect)"),
    ] {
        assert_eq!(Miss::socket(&io::Error::from_raw_os_error(error)), Miss { verdict, reason: reason.into() });
    }
}
