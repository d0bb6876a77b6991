//! The queries under way on one socket or connection, by message id.

use crate::question::Question;

/// A query that was sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// What was asked.
    pub question: Question,
    /// When, nanoseconds since the start of the run. With a fixed rate the time it was due, so that a server that
    /// stalls cannot hide the queries it held up.
    pub at_ns: u64,
    /// The zone's generation that had been reported loaded.
    pub generation: u32,
}

/// What an answer's id stands for.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// A query that waits for it.
    Waiting(Sent),
    /// One that was given up.
    Late,
    /// One that was answered before.
    Duplicate,
    /// Nothing that we remember.
    Unknown,
}

/// Queries by id. Ids count up and pass over those still waiting, so that a lost query holds up no other, and an id
/// comes again as late as possible.
#[derive(Debug)]
pub struct Ledger {
    slots: Box<[Slot]>,
    next_id: u16,
    in_flight: usize,
    window: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    sent: Option<Sent>,
    id: u16,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Never,
    Waiting,
    Answered,
    GivenUp,
}

impl Ledger {
    /// The largest window: a quarter of the ids, so that late answers still find their own query.
    pub const WINDOW_MAX: usize = 16_384;

    /// A ledger for at most `window` queries at a time (1 to [`Self::WINDOW_MAX`]).
    pub fn new(window: usize) -> Self {
        let window = window.clamp(1, Self::WINDOW_MAX);
        let slot = Slot { sent: None, id: 0, state: State::Never };
        Self { slots: vec![slot; (window * 4).next_power_of_two()].into(), next_id: 0, in_flight: 0, window }
    }

    /// How many more queries may be sent.
    pub fn room(&self) -> usize {
        self.window - self.in_flight
    }

    /// How many wait for an answer.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Notes a query; its id. The caller has seen that there is room.
    pub fn open(&mut self, sent: Sent) -> u16 {
        let mask = self.slots.len() - 1;
        loop {
            let id = self.next_id;
            self.next_id = self.next_id.wrapping_add(1);
            let slot = &mut self.slots[usize::from(id) & mask];
            if slot.state != State::Waiting {
                *slot = Slot { sent: Some(sent), id, state: State::Waiting };
                self.in_flight += 1;
                return id;
            }
        }
    }

    /// What the answer with this id belongs to; a query that waited is answered from here on.
    pub fn close(&mut self, id: u16) -> Found {
        let mask = self.slots.len() - 1;
        let slot = &mut self.slots[usize::from(id) & mask];
        if slot.id != id {
            return Found::Unknown;
        }
        match (slot.state, slot.sent) {
            (State::Waiting, Some(sent)) => {
                slot.state = State::Answered;
                self.in_flight -= 1;
                Found::Waiting(sent)
            }
            (State::Answered, _) => Found::Duplicate,
            (State::GivenUp, _) => Found::Late,
            (State::Never | State::Waiting, _) => Found::Unknown,
        }
    }

    /// Gives up the queries sent before `before_ns`; returns how many.
    pub fn give_up(&mut self, before_ns: u64) -> u64 {
        let mut given_up = 0;
        for slot in &mut self.slots {
            if slot.state == State::Waiting && slot.sent.is_some_and(|sent| sent.at_ns < before_ns) {
                slot.state = State::GivenUp;
                given_up += 1;
                self.in_flight -= 1;
            }
        }
        given_up
    }
}
