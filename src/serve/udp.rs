//! DNS over UDP: one thread per core and listening socket, a batch of queries at a time.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::answer::{self, BATCH, Client, Lane, Transport};
use crate::base::limits::{UDP_DRAIN_MS, UDP_IDLE_MS, UDP_TIMED_BATCHES};
use crate::metrics::DropReason;
use crate::serve::system::{Batch, Wait};
use crate::serve::{MakeLane, Stop, Tally};
use crate::snapshot::{Snapshot, View};

const _: () = assert!(BATCH <= u32::BITS as usize, "a set of slots is one u32");

/// One thread that answers datagrams.
pub struct UdpServer {
    socket: Arc<UdpSocket>,
    batch: Batch,
    view: View,
    make_lane: MakeLane,
    tally: Arc<Tally>,
    stop: Stop,
    /// Batches until one is timed.
    untimed: u32,
}

impl UdpServer {
    /// A server for one bound socket.
    ///
    /// # Errors
    /// If the socket can't be asked for its address or be given timeouts.
    pub fn new(
        socket: Arc<UdpSocket>,
        view: View,
        make_lane: MakeLane,
        tally: Arc<Tally>,
        stop: Stop,
    ) -> io::Result<Self> {
        let idle = Some(Duration::from_millis(UDP_IDLE_MS));
        socket.set_read_timeout(idle)?;
        socket.set_write_timeout(idle)?;
        let wildcard = socket.local_addr()?.ip().is_unspecified();
        Ok(Self { socket, batch: Batch::new(wildcard), view, make_lane, tally, stop, untimed: 0 })
    }

    /// Answers until the end of service, then what is still queued.
    pub fn run(mut self) {
        let mut lane = (self.make_lane)();
        let mut drain_until = None;
        loop {
            let wait = match drain_until {
                None if self.stop.begun() => {
                    drain_until = Some(Instant::now() + Duration::from_millis(UDP_DRAIN_MS));
                    Wait::No
                }
                None => Wait::ForOne,
                Some(end) if Instant::now() >= end => return,
                Some(_) => Wait::No,
            };
            match self.batch.receive(self.socket.as_fd(), wait) {
                Ok(count) => {
                    // A defect met by one packet must not end the service of all.
                    if catch_unwind(AssertUnwindSafe(|| self.answer(&mut lane, count))).is_err() {
                        self.tally.panicked();
                        lane = (self.make_lane)();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if wait == Wait::No {
                        return;
                    }
                    // Idle: move on to the current snapshot, so that the one held can be freed.
                    self.tally.follow(&mut lane, self.view.load());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot receive");
                    thread::sleep(Duration::from_millis(UDP_IDLE_MS));
                }
            }
        }
    }

    /// Answers the `count` datagrams of the batch.
    #[inline]
    fn answer(&mut self, lane: &mut Lane, count: usize) {
        let begun = self.time();
        // Loaded after the queries came in: whoever asks after a publication is answered from it.
        let snapshot: &Snapshot = self.view.load();
        self.tally.follow(lane, snapshot);
        let mut taken = 0_u32;
        for slot in 0..count {
            let Some(datagram) = self.batch.datagram(slot) else { break };
            if datagram.truncated {
                self.tally.dropped(DropReason::Oversized, 1);
            } else if datagram.port == 0 || datagram.address.is_none() {
                self.tally.dropped(DropReason::PortZero, 1);
            } else {
                taken |= 1 << slot;
                answer::read(snapshot, lane, slot, self.batch.slot(slot).0);
            }
        }
        for slot in 0..count {
            if taken & 1 << slot != 0 {
                answer::locate(snapshot, lane, slot);
            }
        }
        for slot in 0..count {
            let Some(address) = self.batch.datagram(slot).and_then(|datagram| datagram.address) else { continue };
            if taken & 1 << slot == 0 {
                continue;
            }
            let client = Client { address, transport: Transport::Udp };
            let (query, out) = self.batch.slot(slot);
            let reply = answer::answer(snapshot, lane, slot, query, client, out);
            self.tally.count(reply.outcome);
            if reply.len > 0 {
                self.batch.queue(slot, reply.len);
            }
        }
        // One of a batch: whoever asks often is among them.
        if let Some(address) = self.batch.datagram(0).and_then(|datagram| datagram.address).filter(|_| taken & 1 == 1) {
            self.tally.asked.note(address);
        }
        let refused = self.batch.flush(self.socket.as_fd());
        self.tally.dropped(DropReason::SendFailed, refused as u64);
        if let Some(begun) = begun {
            self.tally.took(begun.elapsed());
        }
    }

    /// The time, if this batch is to be timed: one in [`UDP_TIMED_BATCHES`].
    #[inline]
    fn time(&mut self) -> Option<Instant> {
        let is_timed = self.untimed == 0;
        self.untimed = if is_timed { UDP_TIMED_BATCHES - 1 } else { self.untimed - 1 };
        is_timed.then(Instant::now)
    }
}
