//! TLS: handshakes, what a certificate must be, and the words for what is wrong with one.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::model::CertificateCheck;

use super::outcome::{Miss, Progress, Seen, Stage, bounded};
use super::trust::Trust;

/// The authorities whose certificates are good.
#[derive(Clone, Debug)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// Those of the system; reads files. None if the system has none: then only checks that verify are affected.
    #[must_use]
    pub fn system() -> Self {
        Self::of(rustls_native_certs::load_native_certs().certs)
    }

    /// These; what is no certificate is left out.
    #[must_use]
    pub fn of(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(certificates);
        Self(Arc::new(store))
    }

    /// A client that trusts them.
    ///
    /// # Errors
    /// If the cryptography at hand speaks no TLS.
    pub fn client(&self) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        Ok(builder.with_root_certificates(Arc::clone(&self.0)).with_no_client_auth())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// What is spoken inside a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Nothing is: the handshake is all.
    Any,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// Its name in ALPN, RFC 7301.
    const fn alpn(self) -> Option<&'static [u8]> {
        match self {
            Self::Any => None,
            Self::Http1 => Some(b"http/1.1"),
            Self::Http2 => Some(b"h2"),
        }
    }
}

/// The settings of all handshakes.
#[derive(Debug)]
pub(super) struct Tls {
    verified: Configs,
    unverified: Configs,
    has_roots: bool,
}

/// By protocol; `None` if the cryptography at hand speaks no version of TLS.
#[derive(Debug)]
struct Configs {
    any: Option<Arc<ClientConfig>>,
    http1: Option<Arc<ClientConfig>>,
    http2: Option<Arc<ClientConfig>>,
}

/// A connection after its handshake.
pub(super) struct Secured {
    pub(super) stream: TlsStream<TcpStream>,
    pub(super) warning: Option<Arc<str>>,
}

impl Tls {
    pub(super) fn new(roots: &Roots) -> Self {
        let provider = Arc::new(ring::default_provider());
        let configs = |verify: bool| {
            let config = |protocol| config(&provider, roots, verify, protocol).ok().map(Arc::new);
            Configs { any: config(Protocol::Any), http1: config(Protocol::Http1), http2: config(Protocol::Http2) }
        };
        Self { verified: configs(true), unverified: configs(false), has_roots: roots.count() > 0 }
    }

    /// The kind `tls`: a handshake, nothing more.
    pub(super) async fn probe(
        &self,
        stream: TcpStream,
        host: &str,
        address: IpAddr,
        check: &CertificateCheck,
        progress: &mut Progress,
    ) -> Seen {
        let mut secured = self.secure(stream, host, address, check, Protocol::Any, progress).await?;
        // What was to be learned is learned: an end that does not want to say goodbye is no failure.
        let _ = secured.stream.shutdown().await;
        Ok(secured.warning)
    }

    /// Does the handshake and looks at the certificate. An empty `host`: the address is what it must be valid for.
    pub(super) async fn secure(
        &self,
        stream: TcpStream,
        host: &str,
        address: IpAddr,
        check: &CertificateCheck,
        protocol: Protocol,
        progress: &mut Progress,
    ) -> Result<Secured, Miss> {
        if check.verify && !self.has_roots {
            return Err(Miss::inconclusive("no root certificates"));
        }
        let configs = if check.verify { &self.verified } else { &self.unverified };
        let config = match protocol {
            Protocol::Any => &configs.any,
            Protocol::Http1 => &configs.http1,
            Protocol::Http2 => &configs.http2,
        };
        let config = config.as_ref().ok_or_else(|| Miss::inconclusive("tls: not available"))?;
        let name = if host.is_empty() {
            ServerName::IpAddress(address.into())
        } else {
            let name = ServerName::try_from(host).map_err(|_| Miss::inconclusive("tls: the host is no server name"))?;
            name.to_owned()
        };
        progress.waits_for(Stage::Tls);
        let connected = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
        let stream = connected.map_err(|error| handshake_miss(&error, host, address))?;
        progress.secured();
        let certificates = stream.get_ref().1.peer_certificates();
        let warning = lifetime(certificates.and_then(<[_]>::first), check, SystemTime::now())?;
        Ok(Secured { stream, warning })
    }
}

fn config(
    provider: &Arc<CryptoProvider>,
    roots: &Roots,
    verify: bool,
    protocol: Protocol,
) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider)).with_safe_default_protocol_versions()?;
    let builder = if verify {
        builder.with_root_certificates(Arc::clone(&roots.0))
    } else {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trust { only: None, provider: Arc::clone(provider) }))
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = protocol.alpn().into_iter().map(<[u8]>::to_vec).collect();
    // A resumed session shows no certificate: a check must see the one that new clients see.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Why a handshake failed.
fn handshake_miss(error: &io::Error, host: &str, address: IpAddr) -> Miss {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return Miss::socket(error);
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
    match error {
        rustls::Error::InvalidCertificate(certificate) => certificate_miss(certificate, host, address),
        rustls::Error::InvalidMessage(_) => Miss::fail("tls: what came is not TLS"),
        rustls::Error::NoApplicationProtocol => Miss::fail("tls: no protocol in common"),
        other => Miss::fail(format!("tls: {}", bounded(&other.to_string()))),
    }
}

/// Why a certificate was not accepted.
fn certificate_miss(error: &CertificateError, host: &str, address: IpAddr) -> Miss {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Miss::fail("certificate expired"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Miss::fail("certificate not valid yet")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let address = address.to_string();
            Miss::fail(format!("certificate not valid for {}", if host.is_empty() { &address } else { host }))
        }
        CertificateError::UnknownIssuer => Miss::fail("certificate signed by an unknown authority"),
        CertificateError::BadSignature => Miss::fail("certificate with a bad signature"),
        CertificateError::Revoked => Miss::fail("certificate revoked"),
        other => Miss::fail(format!("certificate not good: {}", bounded(&other.to_string()))),
    }
}

/// Judges the time a certificate has left: too little fails, little is a warning.
///
/// | time left | `verify` | result |
/// |---|---|---|
/// | less than `days_left` | any | fail |
/// | none | no, and `days_left` is 0 | a warning |
/// | less than `warn_days` | any | a warning |
/// | more | any | nothing |
fn lifetime(
    certificate: Option<&CertificateDer<'_>>,
    check: &CertificateCheck,
    now: SystemTime,
) -> Result<Option<Arc<str>>, Miss> {
    let (asked, warned) = (check.days_left, check.warn_days);
    if asked.is_zero() && warned.is_zero() {
        return Ok(None);
    }
    let Some(expires) = certificate.and_then(|certificate| expiry(certificate)) else {
        // Only without verification; and then only who asks for days cares.
        let unreadable = Miss::fail("certificate not good: its dates cannot be read");
        return if asked.is_zero() { Ok(None) } else { Err(unreadable) };
    };
    let left = expires.duration_since(now).ok();
    if left.unwrap_or_default() < asked {
        return Err(Miss::fail(words(left)));
    }
    Ok((left.unwrap_or_default() < warned).then(|| words(left).into()))
}

fn words(left: Option<Duration>) -> String {
    match left.map(|left| left.as_secs() / 86_400) {
        None => "certificate expired".into(),
        Some(0) => "certificate expires within a day".into(),
        Some(1) => "certificate expires in 1 day".into(),
        Some(days) => format!("certificate expires in {days} days"),
    }
}

/// When a certificate ends, RFC 5280 §4.1.2.5.
fn expiry(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let seconds = parsed.validity().not_after.timestamp();
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}
