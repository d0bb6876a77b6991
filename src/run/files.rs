//! Files on disk: their bytes, and whether they have changed.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::base::files::{FileError, Files};
use crate::base::limits::{FRESH_FILE_MS, READ_ATTEMPTS_MAX};

/// The files of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct DiskFiles;

impl Files for DiskFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        fs::read(path).map_err(|error| FileError { path: path.to_owned(), reason: error.to_string() })
    }
}

/// What tells one version of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    inode: u64,
    device: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of the file at `path`; links are followed.
    ///
    /// # Errors
    /// As the file system says.
    pub(super) fn of(path: impl AsRef<Path>) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::from_metadata(&metadata))
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            inode: metadata.ino(),
            device: metadata.dev(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// True if the file was written so shortly before `now` that another write might leave the same stamp: clocks of
    /// file systems are coarse.
    #[must_use]
    pub(super) fn is_fresh(&self, now: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.modified.max(self.changed);
        let since_epoch = Duration::new(
            u64::try_from(seconds).unwrap_or(0),
            u32::try_from(nanoseconds).unwrap_or(0).min(999_999_999),
        );
        // A time in the future proves nothing either.
        now.duration_since(SystemTime::UNIX_EPOCH + since_epoch)
            .map_or(true, |age| age < Duration::from_millis(FRESH_FILE_MS))
    }
}

/// The bytes of a file and the stamp they belong to: a file that changes while it is read is read again.
///
/// # Errors
/// As the file system says.
pub(super) fn read_whole(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    let mut attempt = 1;
    loop {
        // One handle for everything: a file put in its place meanwhile is another matter, for the next reload.
        // Opened without waiting: a pipe would wait for its writer.
        let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let before = Stamp::from_metadata(&metadata);
        // Room for one more octet: the end is found without growing.
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0).saturating_add(1));
        file.read_to_end(&mut bytes)?;
        if before == Stamp::from_metadata(&file.metadata()?) || attempt == READ_ATTEMPTS_MAX {
            return Ok((bytes, before));
        }
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_changes_the_stamp_or_leaves_it_fresh() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let (bytes, stamp) = read_whole(&path).unwrap();
        assert_eq!(bytes, b"one");
        assert!(stamp.is_fresh(SystemTime::now()));
        assert!(!stamp.is_fresh(SystemTime::now() + Duration::from_secs(10)));
        assert!(stamp.is_fresh(SystemTime::now() - Duration::from_secs(100)), "from the future");
        fs::write(&path, "three").unwrap();
        assert_ne!(Stamp::of(&path).unwrap(), stamp);
        assert!(read_whole(&folder.path().join("b")).is_err());
        assert!(read_whole(folder.path()).unwrap_err().to_string().contains("not a regular file"));
    }
}
