//! What a health check does, kind by kind: everything a probe needs, ready to use.

use std::time::Duration;

use crate::base::limits;
use crate::dns::{Name, RecordType};

/// What a health check does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckKind {
    /// A request over HTTP/1.1.
    Http(HttpCheck),
    /// A request over HTTP/1.1 inside TLS; the server name is the request's host.
    Https {
        /// The request.
        request: HttpCheck,
        /// What the certificate must be.
        certificate: CertificateCheck,
    },
    /// A connection opens, and the other end says what it should.
    Tcp {
        /// TCP port.
        port: u16,
        /// What is sent once the connection is open; empty: nothing.
        send: String,
        /// What must be among the first [`limits::PROBE_EXPECT_LEN_MAX`] bytes received; empty: nothing is read.
        expect: String,
    },
    /// A TLS handshake succeeds.
    Tls {
        /// TCP port.
        port: u16,
        /// The server name sent and verified; empty: none is sent, and the address itself is verified.
        host: String,
        /// What the certificate must be.
        certificate: CertificateCheck,
    },
    /// A DNS query over UDP is answered with one of the response codes.
    Dns {
        /// UDP port.
        port: u16,
        /// What is asked.
        name: Name,
        /// And for which type.
        rtype: RecordType,
        /// The response codes that pass, RFC 1035 §4.1.1 and RFC 2136 §2.2; not empty.
        rcodes: Vec<u8>,
    },
    /// The gRPC health protocol says SERVING.
    Grpc {
        /// TCP port.
        port: u16,
        /// The service asked about; empty: the whole server.
        service: String,
        /// The authority of the request, a host or `host:port`, and the server name of TLS; empty: the address.
        host: String,
        /// What the certificate must be; `None`: HTTP/2 without TLS.
        certificate: Option<CertificateCheck>,
    },
    /// An echo request is answered.
    Icmp,
    /// A program exits with 0.
    Exec {
        /// The program and its arguments; the address is appended. Not empty.
        command: Vec<String>,
    },
}

impl CheckKind {
    /// The key it is written with.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Https { .. } => "https",
            Self::Tcp { .. } => "tcp",
            Self::Tls { .. } => "tls",
            Self::Dns { .. } => "dns",
            Self::Grpc { .. } => "grpc",
            Self::Icmp => "icmp",
            Self::Exec { .. } => "exec",
        }
    }

    /// True if it sees how long a server works on an answer.
    #[must_use]
    pub const fn sees_server_time(&self) -> bool {
        match self {
            Self::Http(_) | Self::Https { .. } | Self::Grpc { .. } => true,
            Self::Tcp { expect, .. } => !expect.is_empty(),
            Self::Tls { .. } | Self::Dns { .. } | Self::Icmp | Self::Exec { .. } => false,
        }
    }
}

/// An HTTP request and what must come back. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// A token of RFC 9110 §9.1 in capital letters; not `CONNECT`.
    pub method: String,
    /// Starts with `/`.
    pub path: String,
    /// TCP port.
    pub port: u16,
    /// The `Host` header, a host or `host:port`; empty: the address.
    pub host: String,
    /// More headers: valid names and values of visible ASCII, spaces and tabs.
    pub headers: Vec<(String, String)>,
    /// Status codes that pass, as inclusive ranges; not empty.
    pub status: Vec<(u16, u16)>,
    /// What the body must be.
    pub body: BodyRule,
    /// Bytes of the body read at most; 0 to [`limits::PROBE_BODY_LEN_MAX`].
    pub body_max: usize,
}

/// What the body of an HTTP answer must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyRule {
    /// It is not read.
    Anything,
    /// These bytes stand somewhere in it.
    Contains(String),
    /// It matches.
    Matches(Pattern),
}

impl BodyRule {
    /// True if the body, as far as it was read, is what it must be.
    #[must_use]
    pub fn accepts(&self, body: &[u8]) -> bool {
        match self {
            Self::Anything => true,
            Self::Contains(text) => contains(body, text.as_bytes()),
            Self::Matches(pattern) => pattern.0.is_match(body),
        }
    }
}

/// True if `part` stands somewhere in `whole`.
#[must_use]
pub fn contains(whole: &[u8], part: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

/// A regular expression over bytes, compiled. Two are equal if their texts are.
#[derive(Clone, Debug)]
pub struct Pattern(regex::bytes::Regex);

impl Pattern {
    /// Compiles it.
    ///
    /// # Errors
    /// What is wrong with the text, in one line.
    pub fn new(text: &str) -> Result<Self, String> {
        let built = regex::bytes::RegexBuilder::new(text).size_limit(limits::PATTERN_SIZE_MAX).build();
        built.map(Self).map_err(|error| {
            if let regex::Error::CompiledTooBig(limit) = error {
                return format!("compiled it would take more than {limit} bytes");
            }
            // A syntax error is shown under the text over several lines; the last one is the reason.
            let shown = error.to_string();
            let last = shown.lines().last().unwrap_or_default().trim();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        })
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

/// What a server's certificate must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateCheck {
    /// If it must be valid now, for the host, and signed by an authority of the system.
    pub verify: bool,
    /// One that expires sooner fails; whole days, 0: what `verify` says alone counts.
    pub days_left: Duration,
    /// One that expires sooner passes with a warning; whole days, 0: never.
    pub warn_days: Duration,
}

/// The host of `host`, `host:port`, `[address]` or `[address]:port`.
#[must_use]
pub fn without_port(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    }
}
