//! Reading files, for rooms that must not touch the file system themselves.

use std::collections::BTreeMap;

/// A file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {path}: {reason}")]
pub struct FileError {
    /// The file as it was asked for.
    pub path: String,
    /// What the system says.
    pub reason: String,
}

/// Where file contents come from: the disk when serving, a map in tests.
pub trait Files {
    /// The whole file.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError>;

    /// The path of `to` as it is named inside file `from`: relative paths count from the folder of `from`.
    fn resolve(&self, from: &str, to: &str) -> String {
        match from.rsplit_once('/') {
            Some((folder, _)) if !to.starts_with('/') => format!("{folder}/{}", to.trim_start_matches("./")),
            _ => to.trim_start_matches("./").to_owned(),
        }
    }
}

/// Files that exist in memory only.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryFiles {
    /// No files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, or replaces it.
    #[must_use]
    pub fn with(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let missing = || FileError { path: path.to_owned(), reason: "no such file".to_owned() };
        self.files.get(path).cloned().ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_from_the_folder_of_the_file_that_names_them() {
        let files = MemoryFiles::new();
        for (from, to, path) in [
            ("zones/a.zone", "b.zone", "zones/b.zone"),
            ("zones/a.zone", "./sub/b.zone", "zones/sub/b.zone"),
            ("zones/a.zone", "/etc/b.zone", "/etc/b.zone"),
            ("a.zone", "b.zone", "b.zone"),
            ("/a.zone", "b.zone", "/b.zone"),
            ("z/a.zone", "../b.zone", "z/../b.zone"),
        ] {
            assert_eq!(files.resolve(from, to), path, "{to} in {from}");
        }
    }
}
