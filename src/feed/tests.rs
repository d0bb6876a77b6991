//! Feeds that are really asked, on loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::{Feeder, Settings, Teller, Told};
use crate::base::limits::FEED_BODY_LEN_MAX;
use crate::control::{FeedTarget, Source};
use crate::model::{Feed, FeedError, FeedWay, Pick, Place};
use crate::probe::Roots;

impl Teller for UnboundedSender<Told> {
    fn tell(&self, told: Told) {
        let _ = self.send(told);
    }
}

/// A feeder at work, and what it is told.
struct Bench {
    feeder: Feeder,
    told: UnboundedReceiver<Told>,
    _work: JoinSet<()>,
}

impl Bench {
    fn new() -> Self {
        Self::trusting(&Roots::of([]))
    }

    fn trusting(roots: &Roots) -> Self {
        let (teller, told) = unbounded_channel();
        let tls = Arc::new(roots.client().unwrap());
        let (feeder, work) = Feeder::new(teller, Settings { seed: 7, tls });
        let mut tasks = JoinSet::new();
        tasks.spawn(work);
        Self { feeder, told, _work: tasks }
    }

    /// The load that the next asking comes to, or what went wrong.
    async fn next(&mut self) -> (Source, Result<u64, FeedError>) {
        let told = self.told.recv().await.unwrap();
        let (source, said) = told.said.into_iter().next().unwrap();
        (source, said.map(|said| said.metrics.get("load").unwrap()).map_err(|miss| miss.kind))
    }

    async fn load_of(&mut self, way: FeedWay, picks: Vec<Pick>) -> Result<u64, FeedError> {
        self.feeder.set_feeds(vec![target("x", way, picks, 1_000)]);
        let (_, load) = self.next().await;
        self.feeder.set_feeds(Vec::new());
        load
    }
}

fn target(key: &str, way: FeedWay, picks: Vec<Pick>, every_ms: u64) -> FeedTarget {
    let every = Duration::from_millis(every_ms);
    let feed = Feed { way, picks, every, max_age: every * 6 };
    FeedTarget { source: Source::Region(key.into()), feed: Arc::new(feed) }
}

fn json(pointer: &str) -> Vec<Pick> {
    vec![Pick { metric: "load".into(), place: Place::Json(pointer.into()) }]
}

/// A server that answers each connection so, after it has read a request if it `reads`; its port, and how often it was
/// asked.
async fn server(answer: Vec<u8>, reads: bool) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(treat(stream, answer.clone(), reads));
        }
    });
    (port, asked)
}

async fn treat(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Vec<u8>, reads: bool) {
    let mut read = Vec::new();
    while reads && !read.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => read.push(octet),
            Err(_) => return,
        }
    }
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

fn http(status: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

async fn pulled(answer: Vec<u8>) -> Result<u64, FeedError> {
    let (port, _) = server(answer, true).await;
    let url = format!("http://127.0.0.1:{port}/load?x=1");
    Bench::new().load_of(FeedWay::Pull { url }, json("/load")).await
}

#[tokio::test]
async fn documents_are_fetched() {
    assert_eq!(pulled(http("200 OK", b"{\"load\": 12.5}")).await, Ok(12_500));
    assert_eq!(pulled(http("200 OK", b"{\"lode\": 12.5}")).await, Err(FeedError::Missing));
    assert_eq!(pulled(http("503 Busy", b"{\"load\": 12.5}")).await, Err(FeedError::Status));
    assert_eq!(pulled(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\n\r\n".to_vec()).await, Err(FeedError::Status));
    assert_eq!(pulled(b"SSH-2.0-x\r\n".to_vec()).await, Err(FeedError::Connect));
    let long = vec![b' '; FEED_BODY_LEN_MAX + 1];
    assert_eq!(pulled(http("200 OK", &long)).await, Err(FeedError::Unreadable));
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"loa\r\n7\r\nd\": 3 }\r\n0\r\n\r\n";
    assert_eq!(pulled(chunked.to_vec()).await, Ok(3_000));
}

#[tokio::test]
async fn nobody_there_is_no_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut bench = Bench::new();
    let url = format!("http://127.0.0.1:{port}/");
    assert_eq!(bench.load_of(FeedWay::Pull { url }, json("")).await, Err(FeedError::Connect));
    let address = format!("127.0.0.1:{port}");
    assert_eq!(bench.load_of(FeedWay::Agent { address }, Vec::new()).await, Err(FeedError::Connect));
}

#[tokio::test]
async fn agents_say_a_line() {
    for (line, expected) in [("75%\n", Ok(25_000)), ("drain", Ok(100_000)), ("up\n", Err(FeedError::Missing))] {
        let (port, _) = server(line.as_bytes().to_vec(), false).await;
        let address = format!("127.0.0.1:{port}");
        assert_eq!(Bench::new().load_of(FeedWay::Agent { address }, Vec::new()).await, expected, "{line}");
    }
}

#[tokio::test]
async fn documents_come_over_tls_from_those_who_are_trusted() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(treat(stream, http("200 OK", b"7"), true));
            }
        }
    });
    let way = || FeedWay::Pull { url: url.clone() };
    assert_eq!(Bench::new().load_of(way(), json("")).await, Err(FeedError::Connect), "nobody vouches for it");
    let mut bench = Bench::trusting(&Roots::of([made.cert.der().clone()]));
    assert_eq!(bench.load_of(way(), json("")).await, Ok(7_000));
}

#[tokio::test]
async fn a_slow_feed_delays_no_other() {
    // It accepts and never says anything.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let slow = FeedWay::Agent { address: silent.local_addr().unwrap().to_string() };
    let (port, _) = server(http("200 OK", b"1"), true).await;
    let quick = FeedWay::Pull { url: format!("http://127.0.0.1:{port}/") };
    let mut bench = Bench::new();
    bench.feeder.set_feeds(vec![target("quick", quick, json(""), 1_000), target("slow", slow, Vec::new(), 60_000)]);
    let mut quick = 0;
    loop {
        let (source, load) = bench.next().await;
        if source == Source::Region("slow".into()) {
            assert_eq!(load, Err(FeedError::Timeout));
            break;
        }
        assert_eq!(load, Ok(1_000));
        quick += 1;
    }
    // Its patience is 5 s; the other one is asked each second.
    assert!(quick >= 3, "{quick}");
}

#[tokio::test]
async fn one_document_feeds_all_who_want_it() {
    let (port, asked) = server(http("200 OK", b"{\"a\": 1, \"b\": 2}"), true).await;
    let way = || FeedWay::Pull { url: format!("http://127.0.0.1:{port}/") };
    let mut bench = Bench::new();
    bench.feeder.set_feeds(vec![target("a", way(), json("/a"), 3_600_000), target("b", way(), json("/b"), 3_600_000)]);
    let told = bench.told.recv().await.unwrap();
    let loads: Vec<u64> =
        told.said.iter().map(|(_, said)| said.as_ref().unwrap().metrics.get("load").unwrap()).collect();
    assert_eq!((loads, asked.load(Ordering::SeqCst)), (vec![1_000, 2_000], 1));
}

#[tokio::test]
async fn other_feeds_replace_those_before() {
    let (port, asked) = server(http("200 OK", b"1"), true).await;
    let way = |path: &str| FeedWay::Pull { url: format!("http://127.0.0.1:{port}/{path}") };
    let mut bench = Bench::new();
    bench.feeder.set_feeds(vec![target("a", way("a"), json(""), 1_000), target("b", way("b"), json(""), 3_600_000)]);
    let (first, second) = (bench.told.recv().await.unwrap().job, bench.told.recv().await.unwrap().job);
    assert!(bench.feeder.is_current(first) && bench.feeder.is_current(second));
    // One stays as it is, one is for another now, and one is new.
    bench.feeder.set_feeds(vec![target("a", way("a"), json(""), 1_000), target("c", way("b"), json(""), 3_600_000)]);
    let stays = bench.told.recv().await.unwrap();
    let (a, b) = if first < second { (first, second) } else { (second, first) };
    assert!(!bench.feeder.is_current(b) && bench.feeder.is_current(a), "{stays:?}");
    // Nobody is asked once there are no feeds.
    bench.feeder.set_feeds(Vec::new());
    assert!(!bench.feeder.is_current(a));
    while bench.told.try_recv().is_ok() {}
    let before = asked.load(Ordering::SeqCst);
    let (port, _) = server(http("200 OK", b"1"), true).await;
    let other = FeedWay::Pull { url: format!("http://127.0.0.1:{port}/") };
    bench.feeder.set_feeds(vec![target("d", other, json(""), 1_000)]);
    for _ in 0..3 {
        assert_eq!(bench.next().await.0, Source::Region("d".into()));
    }
    assert!(asked.load(Ordering::SeqCst) <= before + 1, "one may have been on its way");
}
