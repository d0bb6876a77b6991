//! Who may come in and how: the tokens and the certificate of the listener, read at start and with every reload.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;

use crate::admin::auth::Tokens;
use crate::admin::tls::{self, TlsError};

/// The tokens and the certificate in force.
#[derive(Debug)]
pub struct Doors {
    token_file: PathBuf,
    /// Certificates and key, where the listener speaks TLS.
    tls_files: Option<(PathBuf, PathBuf)>,
    /// `None`: nobody may change anything.
    tokens: RwLock<Option<Arc<Tokens>>>,
    tls: RwLock<Option<Arc<ServerConfig>>>,
}

impl Doors {
    /// Doors with these tokens; the certificate and its key are read.
    ///
    /// # Errors
    /// If the certificate or its key can't be used.
    pub fn open(
        token_file: PathBuf,
        tokens: Option<Tokens>,
        tls_files: Option<(PathBuf, PathBuf)>,
    ) -> Result<Self, TlsError> {
        let tls = tls_files.as_ref().map(|(certificate, key)| tls::read(certificate, key)).transpose()?;
        Ok(Self {
            token_file,
            tls_files,
            tokens: RwLock::new(tokens.map(Arc::new)),
            tls: RwLock::new(tls.map(Arc::new)),
        })
    }

    /// Reads the files again. What can't be used is told, and what was before stays in force.
    pub fn renew(&self) {
        match Tokens::read(&self.token_file) {
            Ok(tokens) => *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(tokens)),
            Err(error) => {
                let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(%error, reason, "the tokens of the admin listener stay as they were");
            }
        }
        let Some((certificate, key)) = &self.tls_files else { return };
        match tls::read(certificate, key) {
            Ok(config) => *self.tls.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(config)),
            Err(error) => {
                let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(%error, reason, "the certificate of the admin listener stays as it was");
            }
        }
    }

    /// The tokens in force.
    #[must_use]
    pub fn tokens(&self) -> Option<Arc<Tokens>> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What TLS is spoken with; `None`: it is not.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
