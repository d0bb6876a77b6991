//! The region files that were good last: what is steered when the newest are not and the server starts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::write_atomically;

/// Region files as they were when all of them were good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGood {
    /// Seconds since 1970.
    pub saved_at: u64,
    /// Path and text of each.
    pub files: Vec<(String, String)>,
}

impl LastGood {
    /// The file in a state folder.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("last-good-regions.json")
    }

    /// Reads what was saved; `None` if nothing was.
    ///
    /// # Errors
    /// If there is something that cannot be read.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        match fs::read(Self::path(folder)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Saves the files.
    ///
    /// # Errors
    /// If they cannot be written; what was saved before stays.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec(self).map_err(io::Error::other)?;
        write_atomically(&Self::path(folder), &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(LastGood::read(folder.path()).unwrap(), None);
        let saved = LastGood { saved_at: 7, files: vec![("zones/a.toml".into(), "[regions.a]\n".into())] };
        saved.write(folder.path()).unwrap();
        assert_eq!(LastGood::read(folder.path()).unwrap(), Some(saved));
        fs::write(LastGood::path(folder.path()), "{").unwrap();
        assert!(LastGood::read(folder.path()).is_err());
    }
}
