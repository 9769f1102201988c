//! How payloads lie in their columns: as zstd makes them smaller, or as they are.
//!
//! A decision's record names what judged it again and again, and says the same things as the record before it. A dictionary of
//! such words makes a record a sixth of its size, and the database, its log and the disk have so much less to write.
//!
//! What is committed to, exported and shown is always the payload itself. A packed one begins with a byte that no JSON
//! begins with, and a few bytes of the hash of what follows: several packings mean the same, so that a bit may change in one
//! without changing what it says, and that is to be found, too.

use std::cell::RefCell;
use std::io;
use std::sync::LazyLock;

use assize_ledger::Digest;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use crate::StoreError;

/// The first byte of a payload that was packed by itself: read for ever, and written no more.
const ALONE: u8 = 1;
/// The first byte of one that was packed with [`WORDS`].
const WITH_WORDS: u8 = 2;
/// Made by zstd of records and inputs of the bundled plugins, in which everything that belongs to one decision was replaced by
/// random words of its sort. What was packed with it is unpacked with it: it never changes. Another one takes another mark.
static WORDS: &[u8] = include_bytes!("packed/1.dictionary");
const CHECK: usize = 8;
const HEADER: usize = 1 + CHECK;
/// Smaller payloads gain nothing.
const SMALL: usize = 64;
/// Larger ones are left as they are, so that whoever alters a length in the database makes nobody allocate more.
const LARGE: usize = 64 << 20;
/// Faster ones than 1 leave more, higher ones take longer than the disk does.
const LEVEL: i32 = 1;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static WITH_WORDS_DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    static ALONE_DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn compressor() -> io::Result<Compressor<'static>> {
    static PREPARED: LazyLock<io::Result<EncoderDictionary<'static>>> =
        LazyLock::new(|| EncoderDictionary::try_copy(WORDS, LEVEL));
    Compressor::with_prepared_dictionary(PREPARED.as_ref().map_err(unusable)?)
}

fn decompressor() -> io::Result<Decompressor<'static>> {
    static PREPARED: LazyLock<io::Result<DecoderDictionary<'static>>> =
        LazyLock::new(|| DecoderDictionary::try_copy(WORDS));
    Decompressor::with_prepared_dictionary(PREPARED.as_ref().map_err(unusable)?)
}

fn unusable(error: &io::Error) -> io::Error {
    io::Error::other(format!("the dictionary: {error}"))
}

/// Lets the one of this thread work; it is made when it is first needed.
fn with<T, R>(
    kept: &mut Option<T>,
    make: fn() -> io::Result<T>,
    work: impl FnOnce(&mut T) -> io::Result<R>,
) -> io::Result<R> {
    let kept = match kept {
        Some(kept) => kept,
        none => none.insert(make()?),
    };
    work(kept)
}

/// The bytes for the column.
pub(crate) fn pack(payload: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    // One that looks packed has to be, or it would be taken for one.
    let marked = matches!(payload.first(), Some(&(ALONE | WITH_WORDS)));
    if !marked && !(SMALL..=LARGE).contains(&payload.len()) {
        return Ok(payload);
    }
    if payload.len() > LARGE {
        let detail = format!("{} bytes, at most {LARGE} of what isn't JSON", payload.len());
        return Err(StoreError::Invalid { field: "payload", detail });
    }
    let frame = COMPRESSOR.with_borrow_mut(|kept| with(kept, compressor, |compressor| compressor.compress(&payload)));
    let failed = |error: io::Error| StoreError::Storage { action: "packing a payload", detail: error.to_string() };
    let frame = frame.map_err(failed)?;
    if !marked && HEADER + frame.len() >= payload.len() {
        return Ok(payload);
    }
    let mut packed = Vec::with_capacity(HEADER + frame.len());
    packed.push(WITH_WORDS);
    packed.extend_from_slice(&check(&frame));
    packed.extend_from_slice(&frame);
    Ok(packed)
}

/// The payload itself.
///
/// # Errors
/// What is wrong with the column.
pub(crate) fn payload(column: Vec<u8>) -> Result<Vec<u8>, String> {
    Ok(unpack(&column)?.unwrap_or(column))
}

/// The payload, where it is packed.
///
/// # Errors
/// As [`payload`].
pub(crate) fn unpack(column: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let Some((&mark @ (ALONE | WITH_WORDS), rest)) = column.split_first() else { return Ok(None) };
    let (found, frame) = rest.split_at_checked(CHECK).ok_or("a packed payload that is cut off")?;
    if found != check(frame) {
        return Err("a packed payload that isn't the one written".to_owned());
    }
    let decompress = |decompressor: &mut Decompressor<'static>| decompressor.decompress(frame, LARGE);
    let payload = match mark {
        ALONE => ALONE_DECOMPRESSOR.with_borrow_mut(|kept| with(kept, Decompressor::new, decompress)),
        _ => WITH_WORDS_DECOMPRESSOR.with_borrow_mut(|kept| with(kept, decompressor, decompress)),
    };
    payload.map(Some).map_err(|error| format!("a packed payload: {error}"))
}

fn check(frame: &[u8]) -> [u8; CHECK] {
    Digest::of(frame).as_bytes().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_payload_comes_back(payload in prop::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert_eq!(super::payload(pack(payload.clone()).unwrap()).unwrap(), payload);
        }

        #[test]
        fn every_payload_that_looks_packed_comes_back(payload in prop::collection::vec(any::<u8>(), 0..50)) {
            for mark in [ALONE, WITH_WORDS] {
                let payload = [vec![mark], payload.clone()].concat();
                prop_assert_eq!(super::payload(pack(payload.clone()).unwrap()).unwrap(), payload);
            }
        }
    }

    #[test]
    fn repetition_takes_little_room_and_every_bit_of_it_counts() {
        let payload = r#"{"plugin":"assize/technical","status":"ok"},"#.repeat(50).into_bytes();
        let packed = pack(payload.clone()).unwrap();
        assert!(packed.len() < payload.len() / 10, "{}", packed.len());
        for bit in 0..packed.len() * 8 {
            let mut altered = packed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(super::payload(altered), Ok(payload.clone()), "bit {bit}");
        }
        assert!(unpack(&packed[..4]).is_err());
    }

    #[test]
    fn what_was_written_before_payloads_were_packed_is_read_as_it_is() {
        let payload = br#"{"a":1}"#.repeat(100);
        assert_eq!(super::payload(payload.clone()).unwrap(), payload);
    }

    #[test]
    fn what_was_packed_before_there_was_a_dictionary_is_unpacked_as_it_was() {
        let payload = br#"{"plugin":"assize/technical","status":"ok"}"#.repeat(10);
        let frame = zstd::bulk::compress(&payload, 1).unwrap();
        let column = [&[ALONE], &check(&frame)[..], &frame].concat();
        assert_eq!(unpack(&column).unwrap(), Some(payload));
    }

    #[test]
    fn the_dictionary_is_the_one_that_payloads_were_packed_with() {
        let first = "c909a68edecdbc75102bcf93e0c9c2867800d2bee5f154396552637c73ef0052";
        assert_eq!(Digest::of(WORDS).to_string(), first);
    }
}
