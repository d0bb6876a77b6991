//! The server about itself: class CH, RFC 4892 and the older `version.bind`. Off unless configured.

use crate::answer::message::Message;
use crate::dns::RecordType;
use crate::snapshot::Options;
use crate::wire::{Query, rcode};

/// Answers `version.bind`, `version.server`, `id.server` and `hostname.bind`; refuses the rest.
pub fn answer(options: &Options, query: &Query, message: &mut Message<'_>) {
    let text = match query.name.wire() {
        b"\x07version\x04bind\x00" | b"\x07version\x06server\x00" => &options.version,
        b"\x02id\x06server\x00" | b"\x08hostname\x04bind\x00" => &options.id,
        _ => &None,
    };
    let Some(text) = text.as_deref().filter(|_| matches!(query.qtype, RecordType::TXT | RecordType::ANY)) else {
        message.reject(rcode::REFUSED, None);
        return;
    };
    message.authoritative = true;
    let text = text.as_bytes();
    let text = text.get(..text.len().min(255)).unwrap_or_default();
    let rdata = [&[u8::try_from(text.len()).unwrap_or(0)], text].concat();
    if message.put_chaos(RecordType::TXT, &rdata).is_err() {
        message.truncate();
    }
}
