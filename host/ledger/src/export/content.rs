//! What stands in an export's file, and how its items are taken apart.

use std::io::Read;

use super::kind::Kind;
use super::{EXPORT_FORMAT, ExportHeader, FORM};
use crate::items::{self, Content, Kind as _};
use crate::{Digest, Salt};

/// Why a file can't be read on.
pub(super) type Stop = String;

/// An export's item.
pub(super) type Item = items::Item<Kind>;
/// An export's items.
pub(super) type Items<R> = items::Items<R, Kind>;

/// Begins to read a file: its items follow.
pub(super) fn open<R: Read>(input: R) -> Result<Items<Content<R>>, Stop> {
    items::open(input, FORM)
}

pub(super) fn read_header(item: Option<Item>) -> Result<ExportHeader, Stop> {
    let item = item.filter(|item| item.kind == Kind::Header).ok_or("header: found none, expected it first")?;
    let header: ExportHeader = serde_json::from_slice(&item.content).map_err(|error| format!("header: {error}"))?;
    // One way to write it, or two files would be one.
    if serde_json::to_vec(&header).ok().as_deref() != Some(&item.content) {
        return Err("header: found another order or white space, expected the keys as the format lists them".into());
    }
    if header.format != EXPORT_FORMAT {
        return Err(format!("header.format: found {:?}, expected {EXPORT_FORMAT:?}", header.format));
    }
    let ExportHeader { from, to, size, .. } = header;
    if from >= to || to > size {
        return Err(format!("header: found from {from}, to {to}, size {size}, expected from < to ≤ size"));
    }
    if from == 0 && header.previous != Digest::ZERO {
        return Err(format!("header.previous: found {}, expected zeros before entry 0", header.previous));
    }
    Ok(header)
}

pub(super) fn number(content: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = content.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

pub(super) fn hashes(item: &Item) -> Result<Vec<Digest>, Stop> {
    let (hashes, rest) = item.content.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(format!("{}: found {} bytes, expected a multiple of 32", item.kind.name(), item.content.len()));
    }
    Ok(hashes.iter().map(|hash| Digest::from_bytes(*hash)).collect())
}

/// A payload's item, taken apart.
pub(super) struct PayloadItem<'i> {
    pub(super) seq: u64,
    /// Of its [`super::PayloadKind`].
    pub(super) kind: u8,
    pub(super) salt: Salt,
    pub(super) bytes: &'i [u8],
}

/// Takes a payload's item apart; none where it is too short.
pub(super) fn payload(item: &Item) -> Option<PayloadItem<'_>> {
    let (seq, rest) = number(&item.content)?;
    let (&[kind], rest) = rest.split_first_chunk()?;
    let (&salt, bytes) = rest.split_first_chunk()?;
    Some(PayloadItem { seq, kind, salt: Salt::from_bytes(salt), bytes })
}
