//! Views that many ask for at once: whoever comes while one is being made gets the next one, and all of them the same.
//!
//! A published generation sends every open dashboard here. What each is shown was looked at after it asked, so nobody
//! sees less than before; and however many ask, two looks answer all of them.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::admin::problem::unavailable;

/// A view of one kind.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Requests so far.
    arrived: AtomicU64,
    /// The last view, and how many requests had arrived before it was looked at.
    last: Mutex<(u64, Bytes)>,
}

impl Shared {
    /// The view, made by `look` unless somebody else's look began after this request.
    pub(super) async fn show<T, L>(&self, look: impl FnOnce() -> L) -> Response
    where
        T: Serialize + Send + 'static,
        L: Future<Output = Result<T, Response>>,
    {
        let number = self.arrived.fetch_add(1, Ordering::AcqRel) + 1;
        let mut last = self.last.lock().await;
        if last.0 < number {
            let arrived = self.arrived.load(Ordering::Acquire);
            let view = match look().await {
                Ok(view) => view,
                Err(refusal) => return refusal,
            };
            // A large model makes a long text: other requests go on meanwhile.
            let text = tokio::task::spawn_blocking(move || serde_json::to_vec(&view)).await;
            let Ok(Ok(text)) = text else { return unavailable() };
            *last = (arrived, text.into());
        }
        ([(header::CONTENT_TYPE, "application/json")], last.1.clone()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn however_many_ask_two_looks_answer_them() {
        let shared = Arc::new(Shared::default());
        let (looks, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
        let ask = || {
            let (shared, looks, gate) = (Arc::clone(&shared), Arc::clone(&looks), Arc::clone(&gate));
            async move {
                let response = shared
                    .show(|| async {
                        let number = looks.fetch_add(1, Ordering::SeqCst) + 1;
                        gate.acquire().await.unwrap().forget();
                        Ok(number)
                    })
                    .await;
                let body = axum::body::to_bytes(response.into_body(), 99).await.unwrap();
                String::from_utf8(body.to_vec()).unwrap().parse::<u64>().unwrap()
            }
        };
        let mut crowd = tokio::task::JoinSet::new();
        crowd.spawn(ask());
        // The first one looks; the others come while it does.
        while looks.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..99 {
            crowd.spawn(ask());
        }
        while shared.arrived.load(Ordering::SeqCst) < 100 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(2);
        let mut seen = crowd.join_all().await;
        seen.sort_unstable();
        assert_eq!((seen[0], seen[1], seen[99]), (1, 2, 2));
        // Whoever comes later looks anew.
        gate.add_permits(1);
        assert_eq!(ask().await, 3);
    }
}
