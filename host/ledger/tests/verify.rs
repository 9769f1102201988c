//! What was recorded can't be changed without it showing: any alteration of a log is found, and named.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use assize_ledger::tree::leaf_hash;
use assize_ledger::{
    Digest, Draft, EntryKind, EntryRef, Frontier, Head, Report, Start, StoredEntry, Timestamp, Verifier,
};
use proptest::prelude::*;

#[derive(Clone)]
struct Stored {
    seq: u64,
    bytes: Vec<u8>,
    hash: Vec<u8>,
}

impl StoredEntry for Stored {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn hash(&self) -> &[u8] {
        &self.hash
    }
}

fn log(entries: u64) -> (Vec<Stored>, Head) {
    let mut head = Head::new("example.org/log");
    let rows = (0..entries)
        .map(|n| {
            let sealed = head
                .append(Draft {
                    kind: EntryKind::Decision,
                    subject: format!("decision {n}"),
                    time: Timestamp::from_millis(1_750_000_000_000 + n).unwrap(),
                    facts: format!(r#"{{"n":{n}}}"#).into_bytes(),
                    input: None,
                    record: None,
                })
                .unwrap();
            Stored { seq: sealed.seq, bytes: sealed.bytes, hash: sealed.hash.as_bytes().to_vec() }
        })
        .collect();
    (rows, head)
}

fn verify(rows: &[Stored], batch: usize) -> Report {
    verify_from(Start::Genesis, rows, batch)
}

fn verify_from(start: Start, rows: &[Stored], batch: usize) -> Report {
    let mut verifier = Verifier::new(start, None);
    let mut following = rows.chunks(batch).skip(1);
    for batch in rows.chunks(batch) {
        let next = following.next().and_then(|rows| EntryRef::decode(&rows[0].bytes).ok());
        verifier.batch(batch, next.map(|entry| entry.previous), |_, _, _| {}, |_, _, _| {});
    }
    verifier.finish()
}

#[test]
fn an_unaltered_log_is_sound_and_has_the_root_of_its_head() {
    let (rows, head) = log(1_000);
    for batch in [1, 7, 300, 1_000] {
        let report = verify(&rows, batch);
        assert!(report.is_sound(), "{:?}", report.faults);
        assert_eq!(report.root, Some(head.root()));
        assert_eq!(report.last, Some(head.hash()));
        assert_eq!(report.entries, 1_000);
        assert_eq!(report.origin.as_deref(), Some("example.org/log"));
    }
}

#[test]
fn a_range_starts_from_the_hash_before_it() {
    let (rows, _) = log(300);
    let before = Digest::try_from(rows[99].hash.as_slice()).unwrap();
    let start = Start::After { seq: 100, previous: before, time: Timestamp::default() };
    assert!(verify_from(start, &rows[100..], 64).is_sound());
    let start = Start::After { seq: 100, previous: Digest::ZERO, time: Timestamp::default() };
    let report = verify_from(start, &rows[100..], 64);
    assert_eq!(report.faults.first[0].record, "entry 100");
    assert_eq!(report.faults.first[0].field, "previous");
}

#[test]
fn the_fault_stays_with_the_record_that_was_altered() {
    // In the middle of a batch, at its beginning and at its end.
    for at in [350, 300, 399] {
        let named = format!("entry {at}");
        let (mut rows, _) = log(600);
        rows[at].bytes[60] ^= 1;
        let report = verify(&rows, 100);
        assert!(report.faults.count > 0);
        assert!(report.faults.first.iter().all(|fault| fault.record == named), "{:?}", report.faults);

        let (mut rows, _) = log(600);
        rows[at].hash[5] ^= 1;
        let report = verify(&rows, 100);
        assert_eq!(report.faults.count, 1, "{:?}", report.faults);
        assert_eq!((&report.faults.first[0].record, report.faults.first[0].field.as_str()), (&named, "hash"));
    }
}

#[test]
fn an_entry_of_another_log_is_named() {
    let (mut rows, _) = log(3);
    let mut other = Head::new("example.org/other");
    let sealed = other
        .append(Draft {
            kind: EntryKind::Decision,
            subject: String::new(),
            time: Timestamp::default(),
            facts: vec![],
            input: None,
            record: None,
        })
        .unwrap();
    rows[2].bytes = sealed.bytes;
    let report = verify(&rows, 3);
    assert!(report.faults.first.iter().any(|fault| fault.field == "origin"), "{:?}", report.faults);
}

proptest! {
    #[test]
    fn any_flipped_bit_is_found(at in 0usize..40, in_hash: bool, bit: prop::sample::Index, batch in 1usize..50) {
        let (mut rows, _) = log(40);
        let bytes = if in_hash { &mut rows[at].hash } else { &mut rows[at].bytes };
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let report = verify(&rows, batch);
        let named = format!("entry {at}");
        prop_assert!(report.faults.first.iter().any(|fault| fault.record == named), "{:?}", report.faults);
    }

    #[test]
    fn any_dropped_entry_is_found(at in 0usize..39, batch in 1usize..50) {
        let (mut rows, _) = log(40);
        rows.remove(at);
        let report = verify(&rows, batch);
        prop_assert_eq!(&report.faults.first[0].record, &format!("entry {at}"));
        prop_assert_eq!(report.root, None);
    }

    #[test]
    fn any_swap_is_found(one in 0usize..40, other in 0usize..40, renumber: bool, batch in 1usize..50) {
        prop_assume!(one != other);
        let (mut rows, _) = log(40);
        rows.swap(one, other);
        if renumber {
            let seq = rows[one].seq;
            rows[one].seq = rows[other].seq;
            rows[other].seq = seq;
        }
        prop_assert!(!verify(&rows, batch).is_sound());
    }

    /// Whoever rewrites an entry and its stored hash still has to rewrite all that follow, up to a known root.
    #[test]
    fn a_rewritten_entry_breaks_the_link_or_the_root(at in 0usize..40, bit: prop::sample::Index) {
        let (mut rows, head) = log(40);
        let bit = bit.index(rows[at].bytes.len() * 8);
        rows[at].bytes[bit / 8] ^= 1 << (bit % 8);
        rows[at].hash = leaf_hash(&rows[at].bytes).as_bytes().to_vec();
        let report = verify(&rows, 40);
        prop_assert!(!report.is_sound() || report.root != Some(head.root()));
        if at < 39 {
            prop_assert!(!report.is_sound());
        }
    }
}

#[derive(serde::Deserialize)]
struct Roots {
    leaf_inputs_hex: Vec<String>,
    root_hashes_hex_by_size: Vec<String>,
}

#[test]
fn roots_agree_with_the_published_vectors() {
    let Some(json) = common::shared("vectors/merkle/roots.json") else { return };
    let json = std::fs::read(json).unwrap();
    let roots: Roots = serde_json::from_slice(&json).unwrap();
    let mut tree = Frontier::new();
    for (size, root) in roots.root_hashes_hex_by_size.iter().enumerate() {
        assert_eq!(&tree.root().to_string(), root, "size {size}");
        if let Some(leaf) = roots.leaf_inputs_hex.get(size) {
            tree.append(leaf_hash(&hex::decode(leaf).unwrap()));
        }
    }
    assert_eq!(tree.size(), 8);
}
