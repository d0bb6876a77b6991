//! One node and its batches: what is due is sent, and what changes is told.

use std::sync::Arc;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};

use super::node::{Node, Trusted};
use super::outbox::{Outbox, Sent};
use super::report::Batch;

/// Sends the batches that come to a node until no more can come, and then what waits, once.
pub(super) async fn deliver(
    node: Node,
    trusted: Trusted,
    mut batches: Receiver<Arc<Batch>>,
    mut chance: impl FnMut() -> u64,
) {
    let mut outbox = Outbox::default();
    let mut told = Told { node, standing: None, lost: 0 };
    loop {
        let due = outbox.due(Instant::now().into_std());
        tokio::select! {
            batch = batches.recv() => match batch {
                Some(batch) => {
                    let lost = outbox.push(Instant::now().into_std(), batch);
                    told.lost(lost, "too many reports wait");
                }
                None => break,
            },
            () = sleep_until(due.unwrap_or_else(std::time::Instant::now).into()), if due.is_some() => {
                let lost = outbox.expire(Instant::now().into_std());
                told.lost(lost, "reports are too old");
                if let Some(batch) = outbox.next() {
                    let sent = told.node.send(batch, &trusted).await;
                    told.sent(batch, &sent);
                    outbox.sent(Instant::now().into_std(), &sent, chance());
                }
            }
        }
    }
    while let Some(batch) = outbox.next() {
        let sent = told.node.send(batch, &trusted).await;
        told.sent(batch, &sent);
        if !matches!(sent, Sent::Taken) {
            break;
        }
        outbox.sent(Instant::now().into_std(), &sent, 0);
    }
    told.lost(outbox.len(), "the agent ends");
}

/// How a node stands to reports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Takes,
    Refuses,
    Bars,
    Fails,
}

/// What was told of a node last: only what changes is told.
struct Told {
    node: Node,
    /// `None` before the first report.
    standing: Option<Standing>,
    /// Reports that it has missed since it took one.
    lost: usize,
}

impl Told {
    fn sent(&mut self, batch: &Batch, sent: &Sent) {
        let (node, id) = (self.node.to_string(), batch.id.as_str());
        let standing = match sent {
            Sent::Taken => Standing::Takes,
            Sent::Refused(_) => Standing::Refuses,
            Sent::Unauthorized(_) => Standing::Bars,
            Sent::Failed(..) => Standing::Fails,
        };
        let is_news = self.standing.replace(standing) != Some(standing);
        match sent {
            Sent::Taken if is_news => {
                tracing::info!(node, id, missed = std::mem::take(&mut self.lost), "a node takes reports");
            }
            Sent::Taken => tracing::debug!(node, id, networks = batch.count, "a report is taken"),
            Sent::Refused(reason) if is_news => {
                tracing::warn!(node, id, reason, "a node refuses a report: it is not sent again");
            }
            Sent::Unauthorized(reason) if is_news => tracing::error!(
                node,
                reason,
                "a node does not take the token: it needs one of scope `feed` or `operate`; reports wait"
            ),
            Sent::Failed(reason, _) if is_news => {
                tracing::warn!(node, id, reason, "a node does not take a report: trying again");
            }
            Sent::Refused(reason) | Sent::Unauthorized(reason) | Sent::Failed(reason, _) => {
                tracing::debug!(node, id, reason, "a node still does not take a report");
            }
        }
        if standing == Standing::Refuses {
            self.lost += 1;
        }
    }

    fn lost(&mut self, count: usize, reason: &str) {
        if count > 0 {
            if self.lost == 0 {
                tracing::warn!(node = self.node.to_string(), count, reason, "a node misses reports");
            }
            self.lost += count;
        }
    }
}
