//! One request over HTTP/1.1 on a connection that is there, and the answer to it.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// What was answered: the status, and the body as far as it could be read.
pub(super) type Answered = (StatusCode, Result<Bytes, String>);

/// Sends a request and reads the answer, of its body at most `most` octets.
///
/// # Errors
/// In words, if there is no answer.
pub(super) async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, most: usize) -> Result<Answered, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = Limited::new(response.into_body(), most).collect().await;
        Ok((status, body.map(http_body_util::Collected::to_bytes).map_err(|error| error.to_string())))
    };
    tokio::pin!(exchange);
    tokio::pin!(connection);
    // The connection does the work of the exchange, and may end before it.
    tokio::select! {
        answer = &mut exchange => answer,
        _ = &mut connection => exchange.await,
    }
}
