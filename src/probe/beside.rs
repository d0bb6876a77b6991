//! One future that is wanted, and what has to be polled for it.

use std::future::{Future, pending};

/// Awaits an exchange, polling the connection that carries it. An error of the connection reaches the exchange as its own,
/// and the connection's end may come before all that arrived was read: only the exchange ends this.
pub async fn beside<T>(exchange: impl Future<Output = T>, connection: impl Future) -> T {
    let connection = async {
        let _ = connection.await;
        pending().await
    };
    tokio::select! {
        biased;
        done = exchange => done,
        never = connection => never,
    }
}
