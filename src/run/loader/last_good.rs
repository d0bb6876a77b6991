//! The last good region files: kept when they are taken, read when a start finds worse ones.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::journal::LastGood;
use crate::model::{self, Model};

/// The model of the last good files, with a word about it. `None`: there are none, or a newer version reads them
/// differently.
pub(super) fn read(folder: &Path) -> Option<(Arc<Model>, Diagnostic)> {
    let saved = LastGood::read(folder).ok().flatten()?;
    let texts: Vec<(Arc<str>, &str)> =
        saved.files.iter().map(|(path, text)| (path.as_str().into(), text.as_str())).collect();
    let model = model::read(&texts, &mut Report::new())?;
    let age_s = now_s().saturating_sub(saved.saved_at);
    let message = format!("the region files can't be used: those that were good {age_s} s ago are served instead");
    let finding = Diagnostic::error("last-good-regions", message).hint("correct the files and reload");
    Some((Arc::new(model), finding))
}

/// Keeps region files; a finding if they can't be kept.
pub(super) fn write(folder: &Path, files: Vec<(String, String)>) -> Option<Diagnostic> {
    let error = LastGood { saved_at: now_s(), files }.write(folder).err()?;
    let message = format!("cannot keep the region files in {}: {error}", folder.display());
    let hint = "a start at which they have errors will have nothing to fall back to; see key `folder` under [state]";
    Some(Diagnostic::warning("not-kept", message).hint(hint))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
