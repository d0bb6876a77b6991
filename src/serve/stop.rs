//! The end of service, announced once to threads and tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// A handle on the end of service; clones share it.
#[derive(Clone, Debug)]
pub struct Stop {
    begun: Arc<AtomicBool>,
    announce: Arc<watch::Sender<bool>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { begun: Arc::default(), announce: Arc::new(watch::Sender::new(false)) }
    }
}

impl Stop {
    /// Announces the end of service. Further calls do nothing.
    pub fn begin(&self) {
        self.begun.store(true, Ordering::Release);
        self.announce.send_replace(true);
    }

    /// True once the end has been announced: for threads, which look now and then.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// Waits for the announcement: for tasks.
    pub async fn wait(&self) {
        // The sender lives as long as this handle, so the only way out is the announcement.
        let _ = self.announce.subscribe().wait_for(|begun| *begun).await;
    }
}
