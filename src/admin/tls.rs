//! TLS for the admin listener: its certificate, and a connection that does its handshake when it is first used, so that
//! nobody waits for somebody else's.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// Why TLS can't be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or has not what it should.
    #[error("cannot read {what} from {path}")]
    Read {
        /// `certificates` or `a private key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: rustls::pki_types::pem::Error,
    },
    /// There is no certificate in the file.
    #[error("there is no certificate in {path}")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The two do not fit, or can't be used.
    #[error("cannot use the certificate {path} with its key")]
    Unusable {
        /// The file of the certificate.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: rustls::Error,
    },
}

/// The certificates of a PEM file, the server's own first.
///
/// # Errors
/// [`TlsError`].
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error| TlsError::Read { what: "certificates", path: path.to_owned(), error };
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if found.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(found) }
}

/// What a server speaks TLS with: the certificates and the key of two PEM files.
///
/// # Errors
/// [`TlsError`].
pub(super) fn read(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::Read {
        what: "a private key",
        path: key.to_owned(),
        error,
    })?;
    let unusable = |error| TlsError::Unusable { path: certificate.to_owned(), error };
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A connection, in clear or under TLS.
pub(super) enum Wire {
    /// In clear.
    Plain(TcpStream),
    /// Its handshake is under way.
    Greeting(Box<Accept<TcpStream>>),
    /// Its handshake is done.
    Secured(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub(super) fn new(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Self {
        match tls {
            None => Self::Plain(stream),
            Some(config) => Self::Greeting(Box::new(TlsAcceptor::from(config).accept(stream))),
        }
    }

    /// True while it is not known whether the other end speaks TLS.
    pub(super) const fn is_greeting(&self) -> bool {
        matches!(self, Self::Greeting(_))
    }

    fn poll_greeting(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Greeting(accept) = self {
            let stream = ready!(Pin::new(accept.as_mut()).poll(context))?;
            *self = Self::Secured(Box::new(stream));
        }
        Poll::Ready(Ok(()))
    }
}

/// Does something with the stream once it can be used.
macro_rules! through {
    ($wire:expr, $context:expr, $stream:ident => $done:expr) => {{
        ready!($wire.poll_greeting($context))?;
        match &mut *$wire {
            Wire::Plain(stream) => {
                let $stream = Pin::new(stream);
                $done
            }
            Wire::Secured(stream) => {
                let $stream = Pin::new(stream.as_mut());
                $done
            }
            // The handshake above is done, or has ended the connection.
            Wire::Greeting(_) => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }};
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        through!(self, context, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        through!(self, context, stream => stream.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        through!(self, context, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        through!(self, context, stream => stream.poll_shutdown(context))
    }
}
