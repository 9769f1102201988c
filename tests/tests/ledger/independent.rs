//! A second verifier, written from `docs/ledger-format.md` and RFC 6962 alone, comes to the same hashes.

use std::path::Path;

use assize_tests::{Cell, Database};
use sha2::{Digest, Sha256};

use crate::{FURNISHED, copy, verify};

/// What a verifier written from the description of the format alone finds: the hash of each entry and the root.
fn recomputed(file: &Path) -> (Vec<[u8; 32]>, [u8; 32]) {
    let mut database = Database::open(file);
    let table = database.table("entries");
    let (seq, hash, bytes) = (table.column("seq"), table.column("hash"), table.column("bytes"));
    let mut hashes: Vec<[u8; 32]> = Vec::new();
    for (n, row) in database.all(&table).unwrap().into_iter().enumerate() {
        let (Cell::Blob(stored), Cell::Blob(entry)) = (&row[hash], &row[bytes]) else { panic!("{row:?}") };
        assert_eq!(row[seq], Cell::Integer(i64::try_from(n).unwrap()), "a gap");
        assert_eq!(&entry[..10], b"ASSIZE\0E\0\x01");
        let origin = usize::from(u16::from_be_bytes([entry[10], entry[11]]));
        let rest = &entry[12 + origin..];
        assert_eq!(u64::from_be_bytes(rest[..8].try_into().unwrap()), u64::try_from(n).unwrap());
        let previous: [u8; 32] = rest[8..40].try_into().unwrap();
        assert_eq!(previous, hashes.last().copied().unwrap_or_default(), "entry {n} follows another");
        let found: [u8; 32] = Sha256::new().chain_update([0]).chain_update(entry).finalize().into();
        assert_eq!(found[..], stored[..], "entry {n}");
        hashes.push(found);
    }
    let root = tree(&hashes);
    (hashes, root)
}

/// RFC 6962, section 2.1, as it is written there.
fn tree(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = (tree(&leaves[..split]), tree(&leaves[split..]));
            Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
        }
    }
}

#[test]
fn an_independent_verifier_comes_to_the_same_root() {
    let report = verify(FURNISHED.0.path(), &[]).expect(0).json();
    let (_folder, file) = copy();
    let (hashes, root) = recomputed(&file);
    assert_eq!(report["entries"], hashes.len());
    assert_eq!(report["last"], hex::encode(hashes.last().unwrap()));
    assert_eq!(report["root"], hex::encode(root));
    // And so does every head that was stored on the way.
    let mut database = Database::open(&file);
    let table = database.table("heads");
    let (size, stored) = (table.column("size"), table.column("root"));
    let heads = database.all(&table).unwrap();
    assert!(heads.len() > 100);
    for head in heads {
        let (Cell::Integer(size), Cell::Blob(stored)) = (&head[size], &head[stored]) else { panic!("{head:?}") };
        assert_eq!(tree(&hashes[..usize::try_from(*size).unwrap()])[..], stored[..], "head {size}");
    }
}
