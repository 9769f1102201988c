//! How payloads lie in the database (`docs/decisions/0028`), written once more for tests that look into it or forge it.

use std::io::Read as _;

use sha2::{Digest as _, Sha256};

/// What was packed into a column.
pub(crate) fn unpacked(column: &[u8]) -> Vec<u8> {
    let words: &[u8] = match column.first() {
        Some(1) => &[],
        Some(2) => include_bytes!("../../host/store/src/packed/1.dictionary"),
        _ => return column.to_vec(),
    };
    let (check, mut frame) = column[1..].split_at(8);
    assert_eq!(check, &Sha256::digest(frame)[..8]);
    let mut payload = Vec::new();
    zstd::Decoder::with_dictionary(&mut frame, words).unwrap().read_to_end(&mut payload).unwrap();
    payload
}

/// As a forger would put it back: as it was done before there was a dictionary.
pub(crate) fn packed(payload: &[u8]) -> Vec<u8> {
    let frame = zstd::encode_all(payload, 3).unwrap();
    [&[1], &Sha256::digest(&frame)[..8], &frame].concat()
}
