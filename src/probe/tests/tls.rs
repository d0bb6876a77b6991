//! `https`, `tls` and `grpc` against servers with good, bad and odd certificates.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Full};
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::support::*;
use crate::probe::Roots;

const DAY: u64 = 86_400;

/// An authority.
struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        Self::named("an authority")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A server's side of TLS with a certificate for `name` that is good until so many seconds from now.
    fn acceptor(&self, name: &str, seconds_left: i64, alpn: &[&[u8]]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(now - 400 * DAY);
        params.not_after = epoch + Duration::from_secs(now.checked_add_signed(seconds_left).unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A server that says `200 OK` and the server name it was asked for, inside TLS.
async fn https(acceptor: TlsAcceptor) -> u16 {
    serves(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let name = stream.get_ref().1.server_name().unwrap_or("none").to_owned();
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
            let _ = stream.write_all(reply.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

#[tokio::test]
async fn certificates_are_judged() {
    let (known, unknown, forger) = (Authority::new(), Authority::named("another"), Authority::new());
    let bench = Bench::trusting(Roots::of([known.certificate.clone()]));
    let half = i64::try_from(DAY / 2).unwrap();
    let days = |days: i64| 2 * half * days + half;
    let good = known.acceptor("www.example.com", days(90), &[]);
    let soon = known.acceptor("www.example.com", days(9), &[]);
    let last = known.acceptor("www.example.com", half, &[]);
    let over = known.acceptor("www.example.com", -half, &[]);
    let address = known.acceptor("127.0.0.1", days(90), &[]);
    let forged = forger.acceptor("www.example.com", days(90), &[]);
    let foreign = unknown.acceptor("www.example.com", days(90), &[]);
    #[rustfmt::skip]
    let rows: &[(&TlsAcceptor, &str, &str)] = &[
        (&good,    "host = \"www.example.com\"",                     "pass: ok"),
        (&good,    "host = \"other.example.com\"",                   "fail: certificate not valid for other.example.com"),
        (&good,    "host = \"other.example.com\", verify = false",   "pass: ok"),
        (&good,    "",                                               "fail: certificate not valid for 127.0.0.1"),
        (&address, "",                                               "pass: ok"),
        (&foreign, "host = \"www.example.com\"",                     "fail: certificate signed by an unknown authority"),
        (&foreign, "host = \"www.example.com\", verify = false",     "pass: ok"),
        (&forged,  "host = \"www.example.com\"",                     "fail: certificate with a bad signature"),
        (&over,    "host = \"www.example.com\"",                     "fail: certificate expired"),
        (&over,    "host = \"www.example.com\", verify = false",     "pass: ok (certificate expired)"),
        (&over,    "verify = false, warn_days = 0",                  "pass: ok"),
        (&over,    "verify = false, days_left = 1",                  "fail: certificate expired"),
        (&soon,    "host = \"www.example.com\"",                     "pass: ok (certificate expires in 9 days)"),
        (&soon,    "host = \"www.example.com\", warn_days = 9",      "pass: ok"),
        (&soon,    "host = \"www.example.com\", days_left = 10",     "fail: certificate expires in 9 days"),
        (&soon,    "host = \"www.example.com\", days_left = 9, warn_days = 0", "pass: ok"),
        (&last,    "host = \"www.example.com\"",                     "pass: ok (certificate expires within a day)"),
    ];
    for (acceptor, keys, says) in rows {
        let port = https((*acceptor).clone()).await;
        let comma = if keys.is_empty() { "" } else { ", " };
        for kind in ["https", "tls"] {
            let text = format!("{kind} = {{ port = {port}{comma}{keys} }}\n{PATIENT}");
            assert_eq!(bench.says(&text).await, *says, "{kind} {keys}");
        }
    }
}

#[tokio::test]
async fn the_host_is_the_server_name() {
    let authority = Authority::new();
    let bench = Bench::trusting(Roots::of([authority.certificate.clone()]));
    let port = https(authority.acceptor("www.example.com", 86_400 * 90, &[b"http/1.1"])).await;
    let text =
        |body| format!("https = {{ port = {port}, host = \"www.example.com:8443\", body = \"{body}\" }}\n{PATIENT}");
    let outcome = bench.outcome(&text("www.example.com")).await;
    assert_eq!(line(&outcome), "pass: ok");
    let phases = outcome.phases;
    assert!(phases.connect.unwrap() <= phases.tls.unwrap() && phases.tls.unwrap() <= phases.first_byte.unwrap());
    assert_eq!(phases.server(), Some(phases.first_byte.unwrap() - phases.tls.unwrap()));
    assert_eq!(bench.says(&text("none")).await, "fail: body mismatch");
    let bare = format!("https = {{ port = {port}, verify = false, body = \"none\" }}\n{PATIENT}");
    assert_eq!(bench.says(&bare).await, "pass: ok", "an address is no server name, RFC 6066 §3");
}

#[tokio::test]
async fn without_authorities_only_verification_is_in_vain() {
    let port = https(Authority::new().acceptor("www.example.com", 86_400 * 90, &[])).await;
    let bench = Bench::new();
    let text = |verify| format!("https = {{ port = {port}, verify = {verify} }}\n{PATIENT}");
    assert_eq!(bench.says(&text(true)).await, "inconclusive: no root certificates");
    assert_eq!(bench.says(&text(false)).await, "pass: ok");
}

#[tokio::test]
async fn handshakes_fail_with_words() {
    let bench = Bench::new();
    let plain = serves(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let closing = serves(|mut stream| async move {
        let _ = stream.read_u8().await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let held = replies("", Then::Hold).await;
    for (port, times, says) in [
        (plain, PATIENT, "fail: tls: what came is not TLS"),
        (closing, PATIENT, "fail: connection closed"),
        (held, SHORT, "fail: timeout (tls)"),
    ] {
        let text = format!("tls = {{ port = {port}, verify = false }}\n{times}");
        assert_eq!(bench.says(&text).await, says);
    }
    // Both ends name protocols, and have none in common.
    let h2 = https(Authority::new().acceptor("www.example.com", 86_400 * 90, &[b"h2"])).await;
    let said = bench.says(&format!("https = {{ port = {h2}, verify = false }}\n{PATIENT}")).await;
    assert!(said.starts_with("fail: tls: "), "{said}");
}

/// What a gRPC server answers: a message, a status in the trailers.
#[derive(Clone, Copy)]
struct Answer(&'static [u8], &'static str);

async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, Answer(message, status): Answer) {
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| async move {
        assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
        assert_eq!(request.headers()["content-type"], "application/grpc");
        let asked = request.into_body().collect().await?.to_bytes();
        // A message that names its service gets the answer; the whole server is well.
        let (message, status) = if asked.len() > 5 { (message, status) } else { (&[0_u8, 0, 0, 0, 2, 8, 1][..], "0") };
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", status.parse().unwrap());
        let body = Full::new(Bytes::from_static(message)).with_trailers(async move { Some(Ok(trailers)) });
        let response = hyper::Response::builder().header("content-type", "application/grpc");
        Ok::<_, hyper::Error>(response.body(body).unwrap())
    });
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[tokio::test]
async fn grpc_health_is_understood() {
    let bench = Bench::new();
    for (message, status, says) in [
        (&[0, 0, 0, 0, 2, 8, 1][..], "0", "pass: ok"),
        (&[0, 0, 0, 0, 2, 8, 2], "0", "fail: NOT_SERVING"),
        (&[0, 0, 0, 0, 2, 8, 3], "0", "fail: SERVICE_UNKNOWN"),
        (&[0, 0, 0, 0, 0], "0", "fail: UNKNOWN"),
        (&[], "5", "fail: SERVICE_UNKNOWN"),
        (&[], "12", "fail: the other end has no health service"),
        (&[0, 0, 0, 0, 2, 8, 1], "13", "fail: grpc status 13"),
        (&[], "0", "fail: the answer is not gRPC"),
        (&[b'x'; 6_000], "0", "fail: the answer is too large"),
    ] {
        let port = serves(move |stream| answer(stream, Answer(message, status))).await;
        let text = format!("grpc = {{ port = {port}, service = \"shop\" }}\n{PATIENT}");
        assert_eq!(bench.says(&text).await, says);
        assert_eq!(bench.says(&format!("grpc.port = {port}\n{PATIENT}")).await, "pass: ok");
    }
    let http1 = replies("HTTP/1.1 400 Bad Request\r\n\r\n", Then::Close).await;
    let said = bench.says(&format!("grpc.port = {http1}\n{PATIENT}")).await;
    assert!(said.starts_with("fail: "), "{said}");
    let held = replies("", Then::Hold).await;
    assert_eq!(bench.says(&format!("grpc.port = {held}\n{SHORT}")).await, "fail: timeout (first byte)");
}

#[tokio::test]
async fn grpc_goes_inside_tls() {
    let authority = Authority::new();
    let bench = Bench::trusting(Roots::of([authority.certificate.clone()]));
    let acceptor = authority.acceptor("api.example.com", 86_400 * 5 + 3_600, &[b"h2"]);
    let port = serves(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            answer(stream, Answer(&[0, 0, 0, 0, 2, 8, 1], "0")).await;
        }
    })
    .await;
    let text = |host| format!("grpc = {{ port = {port}, tls = true, host = \"{host}\" }}\n{PATIENT}");
    assert_eq!(bench.says(&text("api.example.com:443")).await, "pass: ok (certificate expires in 5 days)");
    assert_eq!(bench.says(&text("www.example.com")).await, "fail: certificate not valid for www.example.com");
}
