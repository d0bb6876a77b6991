//! One TCP connection: queries in, answers out, in the order they came (RFC 7766).
//!
//! A connection owns only what is left over: the start of a query that has not come whole, answers the client has not
//! taken. Everything else lives in the buffers of the thread, so that an idle connection costs a few hundred octets.
//!
//! ```text
//!  reading ── bytes came ──▶ answering ── all whole queries answered, written ──▶ reading
//!     │                          │ the client does not take answers
//!     │                          ▼
//!     │                       writing ── taken ──▶ answering
//!     ▼ closed by the client, idle, query too slow, evicted, end of service, no DNS: closed
//! ```

use std::cell::Cell;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::answer::{self, BATCH, Client, Lane, Transport};
use crate::base::limits::{MESSAGE_LEN_MAX, STREAM_DRAIN_MS, STREAM_READ_LEN, STREAM_WRITE_LEN};
use crate::metrics::CloseReason;
use crate::serve::Tally;
use crate::serve::stream::Worker;
use crate::snapshot::Snapshot;

/// What the thread sees of a connection between its turns.
pub(super) struct Place {
    /// Milliseconds of the thread's clock at which the connection is closed.
    pub(super) deadline_ms: Cell<u64>,
    /// When it last sent or took something.
    pub(super) active_ms: Cell<u64>,
    /// Why it will be closed at its deadline.
    pub(super) reason: Cell<CloseReason>,
    /// Wakes its task.
    pub(super) waker: Cell<Option<Waker>>,
}

impl Place {
    pub(super) fn new(now_ms: u64, idle_ms: u64) -> Self {
        Self {
            deadline_ms: Cell::new((now_ms + idle_ms).max(1)),
            active_ms: Cell::new(now_ms),
            reason: Cell::new(CloseReason::Idle),
            waker: Cell::new(None),
        }
    }

    /// Closes the connection at its next turn, which comes at once.
    pub(super) fn close(&self, reason: CloseReason) {
        self.reason.set(reason);
        self.deadline_ms.set(0);
        self.wake();
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn expect(&self, reason: CloseReason, deadline_ms: u64) {
        // A word from the thread (a deadline of 0) is not taken back.
        if self.deadline_ms.get() != 0 {
            self.reason.set(reason);
            self.deadline_ms.set(deadline_ms);
        }
    }
}

/// A connection; as a future it lasts until the connection is to be closed.
pub(super) struct Connection {
    stream: TcpStream,
    client: Client,
    place: Rc<Place>,
    worker: Rc<Worker>,
    /// Octets read and not answered: less than one query, or more while the client does not take answers.
    held: Vec<u8>,
    /// Answers not yet taken; `taken` octets of them are gone.
    unsent: Vec<u8>,
    taken: usize,
    /// No more queries are read; what is unsent still leaves.
    ending: Option<CloseReason>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, address: IpAddr, place: Rc<Place>, worker: Rc<Worker>) -> Self {
        let client = Client { address, transport: Transport::Tcp };
        Self { stream, client, place, worker, held: Vec::new(), unsent: Vec::new(), taken: 0, ending: None }
    }

    /// Writes what is unsent.
    fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while self.taken < self.unsent.len() {
            let n = ready!(Pin::new(&mut self.stream).poll_write(context, &self.unsent[self.taken..]))?;
            self.taken += n;
        }
        self.unsent = Vec::new();
        self.taken = 0;
        Poll::Ready(Ok(()))
    }

    /// Answers whole queries at the front of what is held, as long as the client takes the answers.
    fn answer_held(&mut self, context: &mut Context<'_>) -> std::io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let rest = self.answer_all(context, &held)?;
        self.held = if rest == 0 { held } else { held[rest..].to_vec() };
        Ok(())
    }

    /// Answers whole queries at the front of `input` and writes the answers; what the client doesn't take is kept in
    /// `unsent` and ends the work. Returns how much of `input` has been answered.
    fn answer_all(&mut self, context: &mut Context<'_>, input: &[u8]) -> std::io::Result<usize> {
        let worker = Rc::clone(&self.worker);
        let mut core = worker.core.borrow_mut();
        let core = &mut *core;
        let mut consumed = 0;
        loop {
            let snapshot: &Snapshot = core.view.load();
            worker.tally.follow(&mut core.lane, snapshot);
            let turn =
                converse(snapshot, &mut core.lane, &worker.tally, self.client, &input[consumed..], &mut core.output);
            consumed += turn.consumed;
            if turn.garbage {
                self.ending = Some(CloseReason::Garbage);
            }
            let answers = &core.output[..turn.written];
            if !answers.is_empty() {
                // Mostly the socket has room for all of it: one write, no copy.
                let n = match Pin::new(&mut self.stream).poll_write(context, answers) {
                    Poll::Ready(result) => result?,
                    Poll::Pending => 0,
                };
                if n < answers.len() {
                    self.unsent.extend_from_slice(&answers[n..]);
                    return Ok(consumed);
                }
            }
            if !turn.more || self.ending.is_some() {
                return Ok(consumed);
            }
        }
    }

    /// Reads once and answers. Ready with the octets read and whether any query was whole.
    fn poll_read_and_answer(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<(usize, bool)>> {
        let worker = Rc::clone(&self.worker);
        let mut input = worker.input.borrow_mut();
        let mut buffer = ReadBuf::new(&mut input);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let got = buffer.filled();
        let before = self.held.len();
        if self.held.is_empty() {
            let consumed = self.answer_all(context, got)?;
            self.held = got[consumed..].to_vec();
        } else {
            self.held.extend_from_slice(got);
            self.answer_held(context)?;
        }
        Poll::Ready(Ok((got.len(), self.held.len() < before + got.len())))
    }

    /// Sets what is waited for from now on.
    fn wait_anew(&self, now_ms: u64) {
        let options = self.worker.options;
        if !self.unsent.is_empty() {
            self.place.expect(CloseReason::SlowReader, now_ms + options.write_timeout_ms);
        } else if !self.held.is_empty() {
            self.place.expect(CloseReason::SlowQuery, now_ms + options.read_timeout_ms);
        } else {
            self.place.expect(CloseReason::Idle, now_ms + options.idle_timeout_ms);
        }
    }

    /// One turn. Ready when the connection is to be closed.
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<CloseReason>> {
        let now_ms = self.worker.now_ms.get();
        loop {
            if !self.unsent.is_empty() {
                match self.poll_unsent(context) {
                    Poll::Ready(result) => result?,
                    Poll::Pending => return self.pending(now_ms),
                }
                self.place.active_ms.set(now_ms);
                self.wait_anew(now_ms);
            }
            if let Some(reason) = self.ending {
                return Poll::Ready(Ok(reason));
            }
            if split_query(&self.held).is_some() {
                self.answer_held(context)?;
                self.wait_anew(now_ms);
                continue;
            }
            let had_start = !self.held.is_empty();
            match self.poll_read_and_answer(context) {
                Poll::Ready(Ok((0, _))) => return Poll::Ready(Ok(CloseReason::Client)),
                Poll::Ready(result) => {
                    let (got, answered) = result?;
                    self.place.active_ms.set(now_ms);
                    // A query is given its time from its first octet: further octets do not extend it.
                    if answered || !had_start {
                        self.wait_anew(now_ms);
                    }
                    if got == STREAM_READ_LEN {
                        // There is more; let others have their turn first.
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Poll::Pending if self.worker.draining.get() => return Poll::Ready(Ok(CloseReason::Shutdown)),
                Poll::Pending => return self.pending(now_ms),
            }
        }
    }

    /// Nothing can be done until the client does something; how long that may take is bounded.
    fn pending(&self, now_ms: u64) -> Poll<std::io::Result<CloseReason>> {
        if self.place.deadline_ms.get() <= now_ms { Poll::Ready(Ok(self.place.reason.get())) } else { Poll::Pending }
    }
}

impl Future for Connection {
    type Output = CloseReason;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<CloseReason> {
        if self.worker.draining.get() {
            let end_ms = self.worker.now_ms.get() + STREAM_DRAIN_MS;
            if self.place.deadline_ms.get() > end_ms {
                self.place.expect(CloseReason::Shutdown, end_ms);
            }
        }
        let turn = self.poll_turn(context);
        if turn.is_pending() {
            let waker = match self.place.waker.take() {
                Some(waker) if waker.will_wake(context.waker()) => waker,
                _ => context.waker().clone(),
            };
            self.place.waker.set(Some(waker));
        }
        // A connection that breaks is one its client has closed, in an unfriendly way.
        turn.map(|result| result.unwrap_or(CloseReason::Client))
    }
}

/// What one call of [`converse`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Turn {
    /// Octets of the input that are done with.
    consumed: usize,
    /// Octets of the output that are answers.
    written: usize,
    /// Whole queries are left because the output is full.
    more: bool,
    /// Something that was no query: the rest can't be trusted.
    garbage: bool,
}

/// Answers the whole queries at the front of `input` into `output`, each with its length before it (RFC 1035 §4.2.2).
fn converse(
    snapshot: &Snapshot,
    lane: &mut Lane,
    tally: &Tally,
    client: Client,
    input: &[u8],
    output: &mut [u8],
) -> Turn {
    let mut turn = Turn::default();
    loop {
        let mut queries = [&[][..]; BATCH];
        let mut count = 0;
        let mut rest = &input[turn.consumed..];
        let mut ends = false;
        while count < BATCH
            && let Some((query, after)) = split_query(rest)
        {
            if query.is_empty() {
                ends = true;
                break;
            }
            answer::read(snapshot, lane, count, query);
            queries[count] = query;
            count += 1;
            rest = after;
        }
        for (slot, query) in queries.iter().take(count).enumerate() {
            let room = output.get_mut(turn.written..turn.written + 2 + MESSAGE_LEN_MAX);
            let Some((prefix, out)) = room.and_then(|room| room.split_first_chunk_mut::<2>()) else {
                turn.more = true;
                return turn;
            };
            let reply = answer::answer(snapshot, lane, slot, query, client, out);
            tally.count(reply.outcome);
            turn.consumed += 2 + query.len();
            let Some(len) = u16::try_from(reply.len).ok().filter(|&len| len > 0) else {
                turn.garbage = true;
                return turn;
            };
            *prefix = len.to_be_bytes();
            turn.written += 2 + reply.len;
        }
        if ends {
            turn.garbage = true;
            return turn;
        }
        if count < BATCH {
            return turn;
        }
    }
}

/// The first query of `input` and what comes after it; `None` if it has not come whole.
fn split_query(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = input.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

const _: () = assert!(STREAM_WRITE_LEN >= 2 + MESSAGE_LEN_MAX, "else no answer could be written");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_split_at_their_lengths() {
        assert_eq!(split_query(b""), None);
        assert_eq!(split_query(b"\x00"), None);
        assert_eq!(split_query(b"\x00\x02a"), None);
        assert_eq!(split_query(b"\x00\x02abc"), Some((&b"ab"[..], &b"c"[..])));
        assert_eq!(split_query(b"\x00\x00"), Some((&b""[..], &b""[..])));
    }
}
