//! How payloads lie in the database (`docs/decisions/0028`), written once more for tests that look into it or forge it.

use sha2::{Digest as _, Sha256};

/// What was packed into a column.
pub(crate) fn unpacked(column: &[u8]) -> Vec<u8> {
    if column.first() != Some(&1) {
        return column.to_vec();
    }
    let (check, frame) = column[1..].split_at(8);
    assert_eq!(check, &Sha256::digest(frame)[..8]);
    zstd::decode_all(frame).unwrap()
}

/// As a forger would put it back.
pub(crate) fn packed(payload: &[u8]) -> Vec<u8> {
    let frame = zstd::encode_all(payload, 3).unwrap();
    [&[1], &Sha256::digest(&frame)[..8], &frame].concat()
}
