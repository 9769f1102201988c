//! An export is sound as it was written, and not in any other way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use assize_ledger::tree::{Plan, TILE_WIDTH, Tiles, full_nodes};
use assize_ledger::{
    AdministrativeFacts, Algorithm, Checkpoint, Commitment, Digest, Draft, EXPORT_FORMAT, EntryKind, ExportCheck,
    ExportHeader, ExportReport, ExportWriter, Head, PayloadKind, Salt, Sealed, SignerKey, TileId, Timestamp,
    key_statement, proof, verify_export,
};
use proptest::prelude::*;

const ORIGIN: &str = "example.org/log";

fn key(n: u8) -> SignerKey {
    SignerKey::from_seed(ORIGIN, Algorithm::Ed25519, [n; 32]).unwrap()
}

type Payloads = Vec<(PayloadKind, Salt, Vec<u8>)>;

/// What doesn't stand in its place in an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disorder {
    /// A token, before what isn't shown in its place.
    EarlyToken,
    /// A checkpoint of what was before the range.
    CheckpointBeforeEntries,
    /// Checkpoints, before the payloads of the entries that they end with.
    CheckpointBeforePayloads,
    /// The last checkpoint, after an empty rest.
    CheckpointAfterRest,
    /// The last checkpoint, twice.
    CheckpointTwice,
}

/// A log of one tenant's entries and another's, which changes its key once and erases an input.
struct Log {
    entries: Vec<(Sealed, String, Payloads)>,
    roots: BTreeMap<u64, Digest>,
    keys: Vec<(u64, String)>,
    /// What is wrong with the order of its exports.
    disorder: Option<Disorder>,
}

impl Log {
    fn new(size: u64) -> Self {
        let mut head = Head::new(ORIGIN);
        let mut log = Self { entries: vec![], roots: BTreeMap::new(), keys: vec![], disorder: None };
        for seq in 0..size {
            let tenant = match seq {
                1 | 30 => "",
                _ if seq % 3 == 0 => "acme",
                _ => "other",
            };
            let mut facts = AdministrativeFacts {
                tenant: Some(tenant.to_owned()).filter(|tenant| !tenant.is_empty()),
                ..Default::default()
            };
            let mut kind = EntryKind::SystemChanged;
            let mut payloads = vec![
                (PayloadKind::Input, Salt::from_bytes([1; 32]), format!("input {seq}").into_bytes()),
                (PayloadKind::Record, Salt::from_bytes([2; 32]), format!("record {seq}").into_bytes()),
            ];
            let mut subject = None;
            if seq == 1 || seq == 30 {
                subject = Some(key(if seq == 1 { 1 } else { 2 }).public().to_string());
                let statement = if seq == 1 {
                    key_statement(ORIGIN, &key(1), None)
                } else {
                    key_statement(ORIGIN, &key(2), Some(&key(1)))
                };
                let statement = statement.unwrap().to_string();
                log.keys.push((seq, statement.clone()));
                facts.details.insert("statement".into(), statement);
                (kind, payloads) = (EntryKind::LogKey, vec![]);
            }
            if seq == 33 {
                facts.details.insert("targets".into(), "9,12".into());
                (kind, payloads) = (EntryKind::PayloadErased, vec![]);
            }
            let commit = |which| {
                let payload = payloads.iter().find(|(kind, ..)| *kind == which);
                payload.map(|(_, salt, bytes)| Commitment::to(salt, bytes))
            };
            let sealed = head.append(Draft {
                kind,
                subject: subject.unwrap_or_else(|| format!("subject {seq}")),
                time: Timestamp::from_millis(1_000 * seq).unwrap(),
                facts: serde_json::to_vec(&facts).unwrap(),
                input: commit(PayloadKind::Input),
                record: commit(PayloadKind::Record),
            });
            if seq == 9 || seq == 12 {
                payloads.remove(0);
            }
            log.entries.push((sealed.unwrap(), tenant.to_owned(), payloads));
            log.roots.insert(seq + 1, head.root());
        }
        log
    }

    fn checkpoint(&self, size: u64) -> String {
        let signer = if size > 30 { key(2) } else { key(1) };
        Checkpoint::new(ORIGIN, size, self.roots[&size]).sign(&signer).unwrap().to_string()
    }

    fn hashes(&self, subtrees: Vec<std::ops::Range<u64>>) -> Vec<Digest> {
        let leaves: Vec<Digest> = self.entries.iter().map(|(sealed, ..)| sealed.hash).collect();
        assert!(leaves.len() < TILE_WIDTH);
        Plan::new(subtrees).roots(&Tiles::from([(TileId { level: 0, index: 0 }, leaves)])).unwrap()
    }

    fn export(&self, from: u64, to: u64, size: u64, tenant: Option<&str>, payloads: bool) -> Vec<u8> {
        let at = |seq: u64| usize::try_from(seq).unwrap();
        let previous = from.checked_sub(1).map_or(Digest::ZERO, |seq| self.entries[at(seq)].0.hash);
        let tenant = tenant.map(str::to_owned);
        let header = ExportHeader {
            format: EXPORT_FORMAT.into(),
            origin: ORIGIN.into(),
            from,
            to,
            size,
            previous,
            tenant,
            payloads,
        };
        let nodes = |range: std::ops::Range<u64>| -> Vec<std::ops::Range<u64>> {
            full_nodes(range).map(|(height, index)| index << height..(index + 1) << height).collect()
        };
        let tenant = header.tenant.clone();
        let mut out = ExportWriter::new(Vec::new(), header).unwrap();
        for (seq, statement) in self.keys.iter().filter(|(seq, _)| *seq < size) {
            out.key(*seq, statement).unwrap();
        }
        out.peaks(&self.hashes(nodes(0..from))).unwrap();
        let is = |disorder| self.disorder == Some(disorder);
        if is(Disorder::CheckpointBeforeEntries) {
            out.checkpoint(self.checkpoint(from).as_bytes()).unwrap();
        }
        for seq in from..to {
            let (sealed, owner, bound) = &self.entries[at(seq)];
            let foreign = tenant.as_ref().is_some_and(|tenant| tenant != owner);
            if foreign {
                out.foreign(&sealed.hash).unwrap();
            } else {
                out.entry(&sealed.bytes).unwrap();
            }
            let covered = if seq + 1 == size { !is(Disorder::CheckpointAfterRest) } else { seq % 10 == 9 };
            let checkpoint = covered.then(|| self.checkpoint(seq + 1));
            let early = is(Disorder::CheckpointBeforePayloads);
            if let Some(note) = checkpoint.as_ref().filter(|_| early) {
                out.checkpoint(note.as_bytes()).unwrap();
            }
            for (kind, salt, bytes) in bound.iter().filter(|_| payloads && !foreign) {
                out.payload(seq, *kind, salt, bytes).unwrap();
            }
            if let Some(note) = checkpoint.as_ref().filter(|_| !early) {
                out.checkpoint(note.as_bytes()).unwrap();
            }
        }
        if is(Disorder::CheckpointTwice) {
            out.checkpoint(self.checkpoint(to).as_bytes()).unwrap();
        }
        out.rest(&self.hashes(nodes(to..size))).unwrap();
        if to < size || is(Disorder::CheckpointAfterRest) {
            out.checkpoint(self.checkpoint(size).as_bytes()).unwrap();
        }
        if is(Disorder::EarlyToken) {
            out.token(size, "authority", b"token").unwrap();
        }
        for (seq, _) in
            self.keys.iter().filter(|(seq, _)| *seq < size && (tenant.is_some() || !(from..to).contains(seq)))
        {
            let proof = self.hashes(proof::inclusion(*seq, size).unwrap());
            out.extra(*seq, &proof, &self.entries[at(*seq)].0.bytes).unwrap();
        }
        // The erasure of what lies in the range, where it happened after it.
        if payloads && to <= 33 && size > 33 {
            let proof = self.hashes(proof::inclusion(33, size).unwrap());
            out.extra(33, &proof, &self.entries[33].0.bytes).unwrap();
        }
        let signer = if size > 30 { key(2) } else { key(1) };
        out.finish(&signer).unwrap()
    }
}

fn verify(bytes: &[u8]) -> ExportReport {
    verify_export(bytes, &ExportCheck::default(), |_, _| ())
}

#[test]
fn every_part_of_a_log_is_sound() {
    let log = Log::new(70);
    for (from, to, size) in
        [(0, 70, 70), (13, 20, 20), (5, 6, 70), (8, 64, 70), (31, 47, 69), (0, 33, 40), (69, 70, 70)]
    {
        for payloads in [true, false] {
            let report = verify(&log.export(from, to, size, None, payloads));
            assert!(report.is_sound(), "{from}..{to} of {size}: {:#?}", report.faults);
            assert_eq!((report.entries, report.root), (to - from, Some(log.roots[&size])));
        }
    }
    let report = verify(&log.export(0, 70, 70, None, true));
    assert_eq!((report.erased, report.keys.len(), report.checkpoints), (2, 2, 7));
    let report = verify(&log.export(0, 33, 40, None, true));
    assert_eq!((report.erased, report.extras), (2, 1));
}

#[test]
fn an_export_is_the_same_each_time() {
    let log = Log::new(40);
    assert_eq!(log.export(3, 30, 40, None, true), log.export(3, 30, 40, None, true));
}

#[test]
fn a_tenant_sees_its_entries_and_the_hashes_of_others() {
    // Entries that belong to the whole host and another's are foreign; the first key's entry is one of them.
    let log = Log::new(70);
    let bytes = log.export(2, 30, 70, Some("acme"), false);
    let report = verify(&bytes);
    assert!(report.is_sound(), "{:#?}", report.faults);
    assert_eq!((report.entries, report.foreign), (9, 19));
    let word = "19 foreign entries: that they are others' is the file's own word";
    assert!(report.notes.iter().any(|note| note == word), "{:?}", report.notes);
    let all = verify(&log.export(2, 30, 70, None, false));
    assert!(!all.notes.iter().any(|note| note.contains("foreign")), "{:?}", all.notes);
    let content = zstd::decode_all(bytes.as_slice()).unwrap();
    assert!(!content.windows(5).any(|window| window == b"other"));
}

#[test]
fn what_is_known_from_elsewhere_is_compared() {
    let log = Log::new(70);
    let bytes = log.export(0, 70, 70, None, true);
    let check = |key, checkpoint: Option<String>| {
        let checkpoint = checkpoint.map(|note| assize_ledger::Note::parse(note.as_bytes()).unwrap());
        let report =
            verify_export(bytes.as_slice(), &ExportCheck { key, checkpoint, ..ExportCheck::default() }, |_, _| ());
        (report.notes.len(), report.faults.first.first().map(ToString::to_string).unwrap_or_default())
    };
    assert_eq!(check(Some(key(1).public().clone()), Some(log.checkpoint(40))), (1, String::new()));
    assert!(check(Some(key(3).public().clone()), None).1.starts_with("log's key: key: found example.org/log+"));
    let forked = Checkpoint::new(ORIGIN, 40, Digest::ZERO).sign(&key(2)).unwrap().to_string();
    assert!(check(None, Some(forked)).1.starts_with("head 40: root: found"));
    let beyond = Checkpoint::new(ORIGIN, 90, Digest::ZERO).sign(&key(2)).unwrap().to_string();
    assert!(check(None, Some(beyond)).1.contains("no checkpoint of that size"));
}

#[test]
fn items_have_their_order() {
    let mut log = Log::new(70);
    log.disorder = Some(Disorder::EarlyToken);
    let report = verify(&log.export(0, 70, 70, None, true));
    assert!(report.is_sound(), "{:#?}", report.faults);
    for (disorder, (from, to, size), said) in [
        (Disorder::EarlyToken, (40, 50, 70), "extra entry: found after Stamped"),
        (Disorder::CheckpointBeforeEntries, (13, 20, 20), "checkpoint 13: found before the first entry"),
        (Disorder::CheckpointBeforeEntries, (13, 20, 70), "checkpoint 13: found before the first entry"),
        (Disorder::CheckpointBeforePayloads, (13, 20, 20), "payload of entry 19: found after the checkpoint of 20"),
        (Disorder::CheckpointBeforePayloads, (13, 24, 70), "payload of entry 19: found after the checkpoint of 20"),
        (Disorder::CheckpointAfterRest, (13, 20, 20), "checkpoint 20: found none after the last entry"),
        (Disorder::CheckpointTwice, (13, 20, 20), "checkpoint 20: found a second one"),
    ] {
        log.disorder = None;
        let report = verify(&log.export(from, to, size, None, true));
        assert!(report.is_sound(), "{from}..{to} of {size}: {:#?}", report.faults);
        log.disorder = Some(disorder);
        let report = verify(&log.export(from, to, size, None, true));
        assert!(report.faults.first[0].to_string().contains(said), "{disorder:?}: {:#?}", report.faults);
    }
}

#[test]
fn the_last_checkpoint_stands_after_the_last_entry_whatever_its_size() {
    let log = Log::new(70);
    for (from, to, tenant) in [(0, 47, None), (31, 33, None), (0, 48, Some("acme")), (5, 50, Some("acme"))] {
        let report = verify(&log.export(from, to, to, tenant, false));
        assert!(report.is_sound(), "{from}..{to}: {:#?}", report.faults);
    }
}

#[test]
fn a_hole_is_no_erasure() {
    let mut log = Log::new(70);
    log.entries[21].2.remove(1);
    let report = verify(&log.export(0, 70, 70, None, true));
    assert_eq!(
        report.faults.first[0].to_string(),
        "payload 21: record: found nothing, expected the bytes that the entry binds, or an erasure"
    );
    let mut log = Log::new(70);
    log.entries[21].2[1].2 = b"another record".to_vec();
    let report = verify(&log.export(0, 70, 70, None, true));
    assert!(report.faults.first[0].to_string().starts_with("payload 21: record: found commitment"));
}

#[test]
fn a_cut_or_lengthened_file_is_refused() {
    let bytes = Log::new(40).export(0, 40, 40, None, true);
    for length in (0..bytes.len()).step_by(7) {
        assert!(!verify(&bytes[..length]).is_sound(), "cut at {length}");
    }
    for more in [b"x".to_vec(), zstd::encode_all(&b"x"[..], 3).unwrap(), bytes.clone()] {
        let report = verify(&[bytes.clone(), more].concat());
        assert!(report.faults.first[0].to_string().contains("after the zstd frame"), "{:?}", report.faults);
    }
}

/// The content with the bit flipped, compressed again, as one would who knows the format.
fn recompressed(content: &[u8], bit: usize) -> Vec<u8> {
    let mut content = content.to_vec();
    content[bit / 8] ^= 1 << (bit % 8);
    zstd::encode_all(content.as_slice(), 1).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_flipped_bit_is_found(bit: prop::sample::Index) {
        static CONTENT: std::sync::LazyLock<Vec<u8>> =
            std::sync::LazyLock::new(|| zstd::decode_all(Log::new(60).export(4, 55, 60, None, true).as_slice()).unwrap());
        let bit = bit.index(CONTENT.len() * 8);
        prop_assert!(!verify(&recompressed(&CONTENT, bit)).is_sound(), "bit {}", bit);
    }
}
