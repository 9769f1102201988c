//! What stands in an export's file, and how its items are taken apart.

use std::io::Read;

use super::items::{Item, Items, Kind};
use super::{EXPORT_FORMAT, ExportHeader, MAGIC, VERSION};
use crate::Digest;

/// Why a file can't be read on.
pub(super) type Stop = String;

/// What is read of a file, item by item.
pub(super) type Content<R> = std::io::BufReader<zstd::Decoder<'static, std::io::BufReader<R>>>;

/// Begins to read a file: its items follow.
pub(super) fn open<R: Read>(input: R) -> Result<Items<Content<R>>, Stop> {
    let decoder = zstd::Decoder::new(input).map_err(|error| format!("not a zstd file: {error}"))?.single_frame();
    let mut items = Items::new(std::io::BufReader::with_capacity(1 << 17, decoder));
    let magic: [u8; 8] = items.array("magic")?;
    if magic != MAGIC {
        return Err(format!("magic: found {}, expected {}", hex::encode(magic), hex::encode(MAGIC)));
    }
    let version = u16::from_be_bytes(items.array("version")?);
    if version != VERSION {
        return Err(format!("version: found {version}, expected {VERSION}"));
    }
    Ok(items)
}

/// Whether anything follows the frame.
pub(super) fn trailing<R: Read>(decoder: Content<R>) -> Result<(), Stop> {
    let mut rest = decoder.into_inner().finish();
    match rest.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err("bytes after the zstd frame".into()),
        Err(error) => Err(format!("after the zstd frame: {error}")),
    }
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
