//! `GET /api/v1/stream`: what happens, as it happens, as server-sent events.
//!
//! ```text
//! event: event     id: its number in the journal   data: the journal's entry
//! event: state     data: {"generation", "at"}: another generation is published; look again at what you show
//! event: traffic   data: what GET /api/v1/traffic answers
//! : alive          nothing has been said for a while
//! ```
//!
//! Whoever comes back with `Last-Event-ID` gets the events it has missed. A message is put into words once, whoever
//! follows; each client has a queue, and whoever does not keep up is let go, to come back and be told what it missed.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep};

use crate::admin::problem::{problem, unavailable};
use crate::admin::query::{Parameters, bad_request};
use crate::admin::routes::Admin;
use crate::base::limits::{JOURNAL_RECENT_MAX, STREAM_ALIVE_MS, STREAM_CLIENTS_MAX, STREAM_QUEUE_MAX};
use crate::base::moment::Moment;
use crate::journal::{Entry, Wanted};

/// Everybody who follows; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stream(Arc<Mutex<Followers>>);

#[derive(Debug, Default)]
struct Followers {
    queues: Vec<mpsc::Sender<Message>>,
    has_ended: bool,
}

/// A message in its final words.
#[derive(Clone, Debug)]
struct Message {
    /// Its number, if it is an event.
    number: Option<u64>,
    bytes: Bytes,
}

/// What is told when another generation is published.
#[derive(Clone, Copy, Debug, Serialize)]
struct Published {
    generation: u64,
    at: Moment,
}

impl Stream {
    /// Tells an event.
    pub fn event(&self, entry: &Entry) {
        if self.is_followed() {
            self.tell(&Message::event(entry));
        }
    }

    /// Tells that a generation was published.
    pub fn state(&self, generation: u64, at: Moment) {
        if self.is_followed() {
            self.tell(&Message::plain("state", &Published { generation, at }));
        }
    }

    /// Tells the traffic.
    pub fn traffic(&self, traffic: &impl Serialize) {
        self.tell(&Message::plain("traffic", traffic));
    }

    /// Whether anybody follows.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).queues.is_empty()
    }

    /// Lets everybody go, and nobody in any more.
    pub fn end(&self) {
        let mut followers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followers.has_ended = true;
        followers.queues.clear();
    }

    fn tell(&self, message: &Message) {
        let mut followers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has gone, or does not keep up, is not told any more: its queue ends.
        followers.queues.retain(|queue| queue.try_send(message.clone()).is_ok());
    }

    /// Follows from here on; `None`: there is no room, or no more to follow.
    fn follow(&self) -> Option<mpsc::Receiver<Message>> {
        let mut followers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followers.queues.retain(|queue| !queue.is_closed());
        if followers.has_ended || followers.queues.len() >= STREAM_CLIENTS_MAX {
            return None;
        }
        let (queue, messages) = mpsc::channel(STREAM_QUEUE_MAX);
        followers.queues.push(queue);
        Some(messages)
    }
}

impl Message {
    fn event(entry: &Entry) -> Self {
        let data = serde_json::to_string(entry).unwrap_or_default();
        let text = format!("id: {}\nevent: event\ndata: {data}\n\n", entry.seq);
        Self { number: Some(entry.seq), bytes: text.into() }
    }

    fn plain(event: &str, data: &impl Serialize) -> Self {
        let data = serde_json::to_string(data).unwrap_or_default();
        Self { number: None, bytes: format!("event: {event}\ndata: {data}\n\n").into() }
    }
}

/// `?since=NUMBER`, or `Last-Event-ID` in the header, which wins: it is what a browser says when it comes back.
pub(super) async fn stream(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let since = match since(query.as_deref(), &headers) {
        Ok(since) => since,
        Err(reason) => return bad_request(reason),
    };
    let Some(messages) = admin.stream.follow() else {
        let mut refusal = problem(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{STREAM_CLIENTS_MAX} clients follow already, or the server ends"),
        );
        refusal.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("10"));
        return refusal;
    };
    // What is missed is read after following began, so that nothing falls between the two.
    let operations = Arc::clone(&admin.operations);
    let missed = match since {
        None => Vec::new(),
        Some(since) => {
            let wanted = Wanted { since: Some(since), ..Wanted::default() };
            match tokio::task::spawn_blocking(move || operations.events(&wanted, JOURNAL_RECENT_MAX)).await {
                Ok(missed) => missed,
                Err(_) => return unavailable(),
            }
        }
    };
    let state = Published { generation: admin.operations.facts().generation, at: admin.operations.now() };
    let body = Following::new(messages, &missed, state, missed.len() >= JOURNAL_RECENT_MAX);
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::HeaderName::from_static("x-accel-buffering"), "no")];
    (headers, Body::new(body)).into_response()
}

fn since(query: Option<&str>, headers: &HeaderMap) -> Result<Option<u64>, String> {
    let asked = Parameters::of(query, &["since"])?.number("since")?;
    let Some(last) = headers.get("last-event-id") else { return Ok(asked) };
    let number = last.to_str().ok().and_then(|text| text.trim().parse().ok());
    number.map(Some).ok_or_else(|| "`Last-Event-ID` is the number of an event".into())
}

/// The body of one client.
struct Following {
    messages: mpsc::Receiver<Message>,
    /// What is said before anything else.
    first: Option<Bytes>,
    /// The number of the last event said.
    last: u64,
    /// More was missed than is said at once: the client comes back for the rest with the number it has got to.
    ends: bool,
    alive: Pin<Box<Sleep>>,
}

const ALIVE: Duration = Duration::from_millis(STREAM_ALIVE_MS);

impl Following {
    fn new(messages: mpsc::Receiver<Message>, missed: &[Entry], state: Published, ends: bool) -> Self {
        // A browser that loses us comes back after two seconds.
        let mut first = b"retry: 2000\n\n".to_vec();
        first.extend(&Message::plain("state", &state).bytes);
        missed.iter().for_each(|entry| first.extend(&Message::event(entry).bytes));
        let last = missed.last().map_or(0, |entry| entry.seq);
        Self { messages, first: Some(first.into()), last, ends, alive: Box::pin(sleep(ALIVE)) }
    }
}

impl hyper::body::Body for Following {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if self.ends {
            return Poll::Ready(None);
        }
        loop {
            match self.messages.poll_recv(context) {
                // It was among what was missed.
                Poll::Ready(Some(message)) if message.number.is_some_and(|number| number <= self.last) => {}
                Poll::Ready(Some(message)) => {
                    self.last = message.number.unwrap_or(self.last);
                    self.alive.as_mut().reset(Instant::now() + ALIVE);
                    return Poll::Ready(Some(Ok(Frame::data(message.bytes))));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        if self.alive.as_mut().poll(context).is_ready() {
            self.alive.as_mut().reset(Instant::now() + ALIVE);
            // The timer is asked once more, so that it wakes us again.
            let _ = self.alive.as_mut().poll(context);
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b": alive\n\n")))));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn entry(seq: u64) -> Entry {
        Entry { seq, event: serde_json::json!({"kind": "check_up"}) }
    }

    async fn next(following: &mut Following) -> Option<String> {
        let frame = following.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    const STATE: Published = Published { generation: 7, at: Moment(5) };

    #[tokio::test(start_paused = true)]
    async fn what_was_missed_comes_first_and_once() {
        let stream = Stream::default();
        stream.event(&entry(1));
        let messages = stream.follow().unwrap();
        stream.event(&entry(2));
        stream.event(&entry(3));
        stream.state(8, Moment(6));
        let mut following = Following::new(messages, &[entry(1), entry(2)], STATE, false);
        let first = next(&mut following).await.unwrap();
        let (two, three) = ("id: 2\nevent: event\ndata: {\"seq\":2,\"kind\":\"check_up\"}\n\n", "id: 3\n");
        assert!(first.starts_with("retry: 2000\n\nevent: state\ndata: {\"generation\":7,\"at\":5}\n\n"), "{first}");
        assert!(first.ends_with(two), "{first}");
        assert!(next(&mut following).await.unwrap().starts_with(three));
        assert_eq!(next(&mut following).await.unwrap(), "event: state\ndata: {\"generation\":8,\"at\":6}\n\n");
        // Time is paused: it passes when nothing else can.
        assert_eq!(next(&mut following).await.unwrap(), ": alive\n\n");
        assert_eq!(next(&mut following).await.unwrap(), ": alive\n\n");
        stream.end();
        assert_eq!(next(&mut following).await, None);
        assert!(stream.follow().is_none());
    }

    #[tokio::test]
    async fn who_missed_too_much_comes_back_for_the_rest() {
        let stream = Stream::default();
        let mut following = Following::new(stream.follow().unwrap(), &[entry(1)], STATE, true);
        stream.event(&entry(9));
        assert!(next(&mut following).await.unwrap().contains("id: 1\n"));
        assert_eq!(next(&mut following).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_keep_up_is_let_go_and_nobody_else() {
        let stream = Stream::default();
        let (slow, quick) = (stream.follow().unwrap(), stream.follow().unwrap());
        let mut quick = Following::new(quick, &[], STATE, false);
        next(&mut quick).await.unwrap();
        for seq in 1..=STREAM_QUEUE_MAX as u64 + 1 {
            stream.event(&entry(seq));
            assert!(next(&mut quick).await.unwrap().starts_with(&format!("id: {seq}\n")));
        }
        // What was in its queue is said, then its connection ends.
        let mut slow = Following::new(slow, &[], STATE, false);
        let mut count = 0;
        while next(&mut slow).await.is_some() {
            count += 1;
        }
        assert_eq!(count, STREAM_QUEUE_MAX + 1);
        assert!(stream.is_followed());
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_and_who_goes_makes_room() {
        let stream = Stream::default();
        let mut all: Vec<_> = (0..STREAM_CLIENTS_MAX).map(|_| stream.follow().unwrap()).collect();
        assert!(stream.follow().is_none());
        all.pop();
        assert!(stream.follow().is_some());
    }

    #[test]
    fn the_place_to_go_on_from_is_a_number() {
        let headers = |value: Option<&str>| {
            let mut headers = HeaderMap::new();
            value.map(|value| headers.insert("last-event-id", value.parse().unwrap()));
            headers
        };
        assert_eq!(since(Some("since=3"), &headers(None)), Ok(Some(3)));
        assert_eq!(since(Some("since=3"), &headers(Some("9"))), Ok(Some(9)));
        assert_eq!(since(None, &headers(None)), Ok(None));
        assert!(since(None, &headers(Some("x"))).is_err());
        assert!(since(Some("from=3"), &headers(None)).is_err());
    }
}
