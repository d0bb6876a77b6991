//! The dashboard: files that are part of the program, so that it needs no folder beside it and no build step.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::admin::problem::not_found;
use crate::base::hash::steering_hash;

/// A file: its path below `/assets/`, its type, its contents.
type File = (&'static str, &'static str, &'static [u8]);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const SVG: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

macro_rules! file {
    ($path:literal, $kind:expr) => {
        ($path, $kind, include_bytes!(concat!("site/", $path)))
    };
}

/// The page itself, at `/`.
const INDEX: File = file!("index.html", HTML);

/// What the page is made of; a test compares the list with the folder.
const FILES: [File; 27] = [
    file!("app.js", SCRIPT),
    file!("icon.svg", SVG),
    file!("js/api.js", SCRIPT),
    file!("js/capacity.js", SCRIPT),
    file!("js/dom.js", SCRIPT),
    file!("js/events.js", SCRIPT),
    file!("js/explain.js", SCRIPT),
    file!("js/headline.js", SCRIPT),
    file!("js/latency.js", SCRIPT),
    file!("js/live.js", SCRIPT),
    file!("js/loads.js", SCRIPT),
    file!("js/map.js", SCRIPT),
    file!("js/operate.js", SCRIPT),
    file!("js/project.js", SCRIPT),
    file!("js/server.js", SCRIPT),
    file!("js/services.js", SCRIPT),
    file!("js/store.js", SCRIPT),
    file!("js/timeline.js", SCRIPT),
    file!("js/upcoming.js", SCRIPT),
    file!("js/words.js", SCRIPT),
    file!("js/world.js", SCRIPT),
    file!("style.css", CSS),
    file!("vendor/uplot/LICENSE", TEXT),
    file!("vendor/uplot/uPlot.iife.min.js", SCRIPT),
    file!("vendor/uplot/uPlot.min.css", CSS),
    file!("vendor/world/LICENSE", TEXT),
    file!("vendor/world/world.json", JSON),
];

/// Each file with its tag: whoever has it need not fetch it again.
static TAGGED: LazyLock<Vec<(File, String)>> = LazyLock::new(|| {
    let tag = |file: File| format!("\"{:016x}\"", steering_hash(&[file.2]));
    std::iter::once(INDEX).chain(FILES).map(|file| (file, tag(file))).collect()
});

/// `GET /`
pub(super) async fn index(headers: HeaderMap) -> Response {
    file(INDEX.0, &headers).await
}

/// `GET /assets/…`
pub(super) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    file(&path, &headers).await
}

async fn file(path: &str, headers: &HeaderMap) -> Response {
    let Some(((_, kind, bytes), tag)) = TAGGED.iter().find(|((name, ..), _)| *name == path) else {
        return not_found().await;
    };
    // Asked again each time, by its tag: a newer program has newer files under the same names.
    let cached = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag || known.trim() == "*") {
        return (StatusCode::NOT_MODIFIED, cached).into_response();
    }
    (cached, [(header::CONTENT_TYPE, *kind)], *bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn files_below(folder: &Path, prefix: &str, into: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                files_below(&entry.path(), &format!("{name}/"), into);
            } else {
                into.push(name);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let mut found = Vec::new();
        files_below(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/admin/site")), "", &mut found);
        found.sort();
        let mut listed: Vec<String> = TAGGED.iter().map(|((name, ..), _)| (*name).to_owned()).collect();
        listed.sort();
        assert_eq!(listed, found);
    }

    #[tokio::test]
    async fn who_has_a_file_is_not_sent_it_again() {
        let first = index(HeaderMap::new()).await;
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].clone();
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, tag);
        assert_eq!(index(headers).await.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(asset(Path("../auth.rs".into()), HeaderMap::new()).await.status(), 404);
    }
}
