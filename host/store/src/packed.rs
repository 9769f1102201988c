//! How payloads lie in their columns: as zstd makes them smaller, or as they are.
//!
//! A decision's record names what judged it again and again, and says the same things as the record before it. Packed it
//! takes a third of the room, and the database, its log and the disk have so much less to write.
//!
//! What is committed to, exported and shown is always the payload itself. A packed one begins with a byte that no JSON
//! begins with, and a few bytes of the hash of what follows: several packings mean the same, so that a bit may change in one
//! without changing what it says, and that is to be found, too.

use std::cell::RefCell;

use assize_ledger::Digest;
use zstd::bulk::{Compressor, Decompressor};

use crate::StoreError;

/// The first byte of a packed payload.
const MARK: u8 = 1;
const CHECK: usize = 8;
const HEADER: usize = 1 + CHECK;
/// Smaller payloads gain nothing.
const SMALL: usize = 256;
/// Larger ones are left as they are, so that whoever alters a length in the database makes nobody allocate more.
const LARGE: usize = 64 << 20;
/// Faster ones than 1 leave more, higher ones take longer than the disk does.
const LEVEL: i32 = 1;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The bytes for the column.
pub(crate) fn pack(payload: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    // One that looks packed has to be, or it would be taken for one.
    let marked = payload.first() == Some(&MARK);
    if !marked && !(SMALL..=LARGE).contains(&payload.len()) {
        return Ok(payload);
    }
    let failed = |error: std::io::Error| StoreError::Storage { action: "packing a payload", detail: error.to_string() };
    if payload.len() > LARGE {
        let detail = format!("{} bytes, at most {LARGE} of what isn't JSON", payload.len());
        return Err(StoreError::Invalid { field: "payload", detail });
    }
    let frame = COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(LEVEL)?),
        };
        compressor.compress(&payload)
    });
    let frame = frame.map_err(failed)?;
    if !marked && HEADER + frame.len() >= payload.len() {
        return Ok(payload);
    }
    let mut packed = Vec::with_capacity(HEADER + frame.len());
    packed.push(MARK);
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
    let Some((&MARK, rest)) = column.split_first() else { return Ok(None) };
    let (found, frame) = rest.split_at_checked(CHECK).ok_or("a packed payload that is cut off")?;
    if found != check(frame) {
        return Err("a packed payload that isn't the one written".to_owned());
    }
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new().map_err(|error| error.to_string())?),
        };
        decompressor.decompress(frame, LARGE).map(Some).map_err(|error| format!("a packed payload: {error}"))
    })
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
            let payload = [vec![MARK], payload].concat();
            prop_assert_eq!(super::payload(pack(payload.clone()).unwrap()).unwrap(), payload);
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
}
