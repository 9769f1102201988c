//! A bundle is sound as it was written, and not in any other way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use assize_ledger::tree::{Plan, Tiles};
use assize_ledger::{
    AdministrativeFacts, Algorithm, BUNDLE_FORMAT, Bundle, BundleCheck, BundleHeader, BundleReport, Checkpoint,
    Commitment, DecisionFacts, Digest, Draft, EarlierCheckpoint, EntryKind, Head, Note, PayloadKind, PluginFact,
    ProvenEntry, Salt, Sealed, SignerKey, TileId, Timestamp, key_statement, proof,
};
use proptest::prelude::*;

const ORIGIN: &str = "example.org/log";
const SIZE: u64 = 40;
const DECISION: u64 = 10;
const KEYS: [u64; 2] = [1, 20];
const PUBLISHED: u64 = 5;
const ERASURE: u64 = 25;
const EARLIER: u64 = 15;

fn key(n: u8) -> SignerKey {
    SignerKey::from_seed(ORIGIN, Algorithm::Ed25519, [n; 32]).unwrap()
}

fn witness() -> SignerKey {
    SignerKey::from_seed("example.org/witness", Algorithm::Cosignature, [9; 32]).unwrap()
}

fn component() -> Vec<u8> {
    b"a component".to_vec()
}

fn facts(seq: u64) -> (EntryKind, String, Vec<u8>) {
    let administrative = |subject_digest: Option<Digest>, details: &[(&str, &str)]| {
        let details = details.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        serde_json::to_vec(&AdministrativeFacts { tenant: None, subject_digest, details }).unwrap()
    };
    match seq {
        1 => {
            let statement = key_statement(ORIGIN, &key(1), None).unwrap().to_string();
            (EntryKind::LogKey, key(1).public().to_string(), administrative(None, &[("statement", &statement)]))
        }
        20 => {
            let statement = key_statement(ORIGIN, &key(2), Some(&key(1))).unwrap().to_string();
            (EntryKind::LogKey, key(2).public().to_string(), administrative(None, &[("statement", &statement)]))
        }
        PUBLISHED => {
            let digest = Some(Digest::of(&component()));
            (EntryKind::PluginPublished, "test/agent@1.0.0".into(), administrative(digest, &[]))
        }
        ERASURE => {
            let details = [("targets", "3,10"), ("basis", "GDPR Art. 17")];
            (EntryKind::PayloadErased, "erasure".into(), administrative(None, &details))
        }
        DECISION => {
            let facts = DecisionFacts {
                tenant: "acme".into(),
                system: None,
                environment: "production".into(),
                verdict: "review".into(),
                reason: "TOLD".into(),
                risk_score: 4.5,
                confidence: 0.5,
                occurred_at: Timestamp::default(),
                rules_as_of: Timestamp::default(),
                snapshot: Digest::of(b"snapshot"),
                plugins: vec![PluginFact {
                    package: "test/agent".into(),
                    version: Some("1.0.0".into()),
                    digest: Some(Digest::of(&component())),
                    status: "ok".into(),
                    counted: None,
                }],
                engine: Digest::ZERO,
                kill_switch: false,
                re_evaluates: None,
            };
            (EntryKind::Decision, "the decision".into(), serde_json::to_vec(&facts).unwrap())
        }
        _ => (EntryKind::SystemChanged, format!("system {seq}"), administrative(None, &[])),
    }
}

fn salt(n: u8) -> Salt {
    Salt::from_bytes([n; 32])
}

/// A log, and a bundle of one of its decisions.
struct Log {
    entries: Vec<Sealed>,
    roots: BTreeMap<u64, Digest>,
}

impl Log {
    fn new() -> Self {
        let (mut head, mut log) = (Head::new(ORIGIN), Self { entries: vec![], roots: BTreeMap::new() });
        for seq in 0..SIZE {
            let (kind, subject, facts) = facts(seq);
            let bound = kind == EntryKind::Decision;
            let commit = |n, bytes: &[u8]| bound.then(|| Commitment::to(&salt(n), bytes));
            let (input, record) = (commit(1, b"input"), commit(2, b"record"));
            let time = Timestamp::from_millis(1_000 * seq).unwrap();
            log.entries.push(head.append(Draft { kind, subject, time, facts, input, record }).unwrap());
            log.roots.insert(seq + 1, head.root());
        }
        log
    }

    fn path(&self, seq: u64, size: u64) -> Vec<Digest> {
        let leaves = self.entries.iter().map(|entry| entry.hash).collect();
        let tiles = Tiles::from([(TileId { level: 0, index: 0 }, leaves)]);
        Plan::new(proof::inclusion(seq, size).unwrap()).roots(&tiles).unwrap()
    }

    fn note(&self, size: u64) -> Note {
        let signer = key(if size > KEYS[1] { 2 } else { 1 });
        Checkpoint::new(ORIGIN, size, self.roots[&size]).sign(&signer).unwrap()
    }

    fn entry(&self, seq: u64) -> ProvenEntry {
        let bytes = self.entries[usize::try_from(seq).unwrap()].bytes.clone();
        ProvenEntry { seq, proof: self.path(seq, SIZE), bytes }
    }

    fn bundle(&self) -> Bundle {
        let mut cosigned = self.note(EARLIER);
        cosigned.cosign(&witness(), Timestamp::from_millis(77_000).unwrap());
        Bundle {
            header: BundleHeader {
                format: BUNDLE_FORMAT.into(),
                origin: ORIGIN.into(),
                decision: "the decision".into(),
                seq: DECISION,
                size: SIZE,
            },
            checkpoint: self.note(SIZE).to_string().into_bytes(),
            entries: [KEYS[0], PUBLISHED, DECISION, KEYS[1]].map(|seq| self.entry(seq)).to_vec(),
            payloads: vec![
                (PayloadKind::Input, salt(1), b"input".to_vec()),
                (PayloadKind::Record, salt(2), b"record".to_vec()),
            ],
            snapshot: b"snapshot".to_vec(),
            components: vec![(Digest::of(&component()), component())],
            earlier: vec![EarlierCheckpoint {
                size: EARLIER,
                proof: self.path(DECISION, EARLIER),
                note: cosigned.to_string().into_bytes(),
            }],
            tokens: vec![(EARLIER, b"a token".to_vec())],
        }
    }
}

fn written(bundle: &Bundle) -> Vec<u8> {
    bundle.clone().write(Vec::new()).unwrap()
}

fn check() -> BundleCheck {
    BundleCheck { key: Some(key(1).public().clone()), trust: None, witnesses: vec![witness().public().clone()] }
}

fn verified(bundle: &Bundle) -> BundleReport {
    Bundle::read(written(bundle).as_slice()).unwrap().verify(&check())
}

/// What a bundle's file holds before compression.
fn content(bundle: &Bundle) -> Vec<u8> {
    zstd::decode_all(written(bundle).as_slice()).unwrap()
}

fn packed(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).unwrap()
}

/// Kind, length and hash of the item at the end.
const END: usize = 1 + 8 + 32;

/// With the hash at the end made right again, as a forger would.
fn resealed(content: &[u8]) -> Vec<u8> {
    let (before, _) = content.split_at(content.len() - END);
    let hash = Digest::of(before);
    [before, &[0x0f], &32_u64.to_be_bytes(), hash.as_bytes()].concat()
}

fn refused(bundle: &Bundle) -> String {
    match Bundle::read(written(bundle).as_slice()) {
        Err(stop) => stop,
        Ok(read) => {
            let report = read.verify(&check());
            assert!(!report.is_sound(), "{report:?}");
            report.faults.first.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
    }
}

#[test]
fn a_bundle_comes_back_from_its_file_and_holds() {
    let bundle = Log::new().bundle();
    assert_eq!(written(&bundle), written(&bundle));
    let read = Bundle::read(written(&bundle).as_slice()).unwrap();
    assert_eq!(read, bundle);
    let report = read.verify(&check());
    assert!(report.is_sound(), "{:?}", report.faults);
    assert_eq!((report.payloads, report.published.len(), report.keys.len()), (2, 1, 2));
    assert_eq!(report.known_key, Some(key(1).public().to_string()));
    assert_eq!(report.earliest().map(|one| (one.time.as_millis(), one.size)), Some((77_000, EARLIER)));
    let nobody = read.verify(&BundleCheck::default());
    assert!(nobody.is_sound() && nobody.outside.is_empty());
    assert_eq!((nobody.unchecked_cosignatures, nobody.tokens), (1, 1));
    assert_eq!(nobody.notes.len(), 4, "{:?}", nobody.notes);
}

#[test]
fn the_order_of_the_parts_makes_no_difference_to_the_file() {
    let bundle = Log::new().bundle();
    let mut shuffled = bundle.clone();
    shuffled.entries.reverse();
    shuffled.payloads.reverse();
    shuffled.entries.push(shuffled.entries[0].clone());
    shuffled.tokens.push(shuffled.tokens[0].clone());
    assert_eq!(written(&shuffled), written(&bundle));
}

#[test]
fn a_bundle_of_another_log_is_refused() {
    let mut other = check();
    other.key = Some(key(3).public().clone());
    let report = Log::new().bundle().verify(&other);
    assert!(report.faults.first[0].to_string().starts_with("log's key: key: found"), "{:?}", report.faults);
    // The newest key is as good as the first.
    other.key = Some(key(2).public().clone());
    assert!(Log::new().bundle().verify(&other).is_sound());
}

#[test]
fn what_isnt_bound_is_refused() {
    let log = Log::new();
    let whole = log.bundle();
    let altered = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = whole.clone();
        change(&mut bundle);
        refused(&bundle)
    };
    let said = |change: &dyn Fn(&mut Bundle), expected: &str| {
        let found = altered(change);
        assert!(found.contains(expected), "{found}");
    };
    said(&|bundle| bundle.snapshot = b"another".to_vec(), "snapshot: hash");
    said(&|bundle| bundle.payloads[0].2 = b"another".to_vec(), "payload: input");
    said(&|bundle| bundle.payloads[1].1 = salt(7), "payload: record");
    said(&|bundle| drop(bundle.payloads.remove(0)), "payload: input: found nothing");
    said(&|bundle| bundle.header.decision = "another".into(), "subject");
    said(&|bundle| bundle.header.origin = "example.org/other".into(), "origin");
    said(&|bundle| bundle.header.seq = 11, "entry 11");
    said(&|bundle| bundle.header.size = 39, "size");
    said(&|bundle| bundle.entries.retain(|entry| entry.seq != KEYS[1]), "checkpoint 40: note");
    said(&|bundle| bundle.entries.retain(|entry| entry.seq != KEYS[0]), "statement");
    said(&|bundle| bundle.entries.push(log.entry(12)), "kind: found system.changed");
    said(&|bundle| bundle.entries.push(log.entry(ERASURE)), "kind: found payload.erased");
    said(&|bundle| bundle.entries[1].proof[0] = Digest::ZERO, "proof");
    said(&|bundle| bundle.earlier[0].proof[0] = Digest::ZERO, "earlier checkpoint 15: proof");
    said(&|bundle| bundle.tokens[0].0 = 16, "time stamp over 16 entries: size");
    said(&|bundle| bundle.checkpoint = log.note(39).to_string().into_bytes(), "checkpoint 40: size");
    // An earlier checkpoint must be earlier, and must cover the decision.
    let early = |size| EarlierCheckpoint { size, proof: vec![], note: log.note(size).to_string().into_bytes() };
    said(&|bundle| bundle.earlier.push(early(DECISION)), "earlier checkpoint 10: size");
    said(&|bundle| bundle.earlier.push(early(SIZE)), "earlier checkpoint 40: size");
}

#[test]
fn what_was_erased_is_excused_by_the_entry_that_says_so() {
    let log = Log::new();
    let mut bundle = log.bundle();
    (bundle.payloads, bundle.components) = (vec![], vec![]);
    assert!(refused(&bundle).contains("payload: record: found nothing"));
    bundle.entries.push(log.entry(ERASURE));
    let report = verified(&bundle);
    assert!(report.is_sound(), "{:?}", report.faults);
    assert_eq!(report.erasure.map(|erasure| (erasure.seq, erasure.basis)), Some((ERASURE, "GDPR Art. 17".into())));
}

#[test]
fn there_is_one_way_to_write_a_bundle() {
    let bundle = Log::new().bundle();
    let whole = content(&bundle);
    assert_eq!(resealed(&whole), whole);
    let stop = |content: &[u8]| Bundle::read(packed(content).as_slice()).unwrap_err();
    // Items one by one: kind, length, content.
    let mut items = Vec::new();
    let mut at = 10;
    while at < whole.len() {
        let length = u64::from_be_bytes(whole[at + 1..at + 9].try_into().unwrap());
        let end = at + 9 + usize::try_from(length).unwrap();
        items.push(&whole[at..end]);
        at = end;
    }
    for n in 0..items.len() - 1 {
        // Twice, or not at all, or in another place.
        let twice = [&items[..=n], &items[n..]].concat().concat();
        let said = stop(&resealed(&[&whole[..10], &twice].concat()));
        assert!(said.contains("second") || said.contains("twice") || said.contains("ascending"), "{said}");
        let without = [&items[..n], &items[n + 1..]].concat().concat();
        let left = Bundle::read(packed(&resealed(&[&whole[..10], &without].concat())).as_slice());
        assert!(
            left.is_err() || !left.unwrap().verify(&check()).is_sound() || matches!(items[n][0], 0x03 | 0x06..=0x08)
        );
        let mut swapped = items.clone();
        swapped.swap(n, n + 1);
        stop(&resealed(&[&whole[..10], &swapped.concat()].concat()));
    }
    assert!(stop(&[&whole[..], b"x"].concat()).contains("bytes after the end"));
    let mut trailing = written(&bundle);
    trailing.push(0);
    assert!(Bundle::read(trailing.as_slice()).unwrap_err().contains("after the zstd frame"));
    let mut unknown = whole.clone();
    unknown[10] = 0x0a;
    assert!(stop(&unknown).contains("kind 0x0a"));
    let spaced = String::from_utf8_lossy(&items[0][9..]).replace("\"seq\":", "\"seq\": ");
    let header = [&[1][..], &(spaced.len() as u64).to_be_bytes(), spaced.as_bytes()].concat();
    let said = stop(&resealed(&[&whole[..10], &header, &items[1..].concat()].concat()));
    assert!(said.contains("white space"), "{said}");
    let file = written(&bundle);
    assert!((0..file.len()).all(|length| Bundle::read(&file[..length]).is_err()));
}

#[test]
fn a_file_that_unpacks_to_more_than_is_allowed_is_not_unpacked() {
    let mut content = content(&Log::new().bundle())[..10].to_vec();
    content.push(0x01);
    content.extend_from_slice(&(1_u64 << 40).to_be_bytes());
    content.resize(8 << 20, 0);
    let said = Bundle::read(packed(&content).as_slice()).unwrap_err();
    assert!(said.contains("length of 1099511627776 bytes"), "{said}");
    let huge = Bundle { snapshot: vec![0; (64 << 20) + 1], ..Log::new().bundle() };
    assert_eq!(huge.write(Vec::new()).unwrap_err().kind(), std::io::ErrorKind::FileTooLarge);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_changed_byte_is_found(at: prop::sample::Index, bit in 0_u8..8) {
        let mut content = content(&Log::new().bundle());
        let at = at.index(content.len());
        content[at] ^= 1 << bit;
        prop_assert!(Bundle::read(packed(&content).as_slice()).is_err(), "byte {}", at);
    }

    /// Somebody who also makes the hash at the end right again can alter only what nothing relies on: components (which judging
    /// again refuses, since none of them is asked for), tokens that aren't checked, and whose signature a witness's is, which is
    /// then nobody's.
    #[test]
    fn a_forger_changes_nothing_that_is_relied_on(at: prop::sample::Index, to: u8) {
        let bundle = Log::new().bundle();
        let mut content = content(&bundle);
        let at = at.index(content.len() - END);
        let changed = content[at] != to;
        content[at] = to;
        let Ok(read) = Bundle::read(packed(&resealed(&content)).as_slice()) else { return Ok(()) };
        let report = read.verify(&check());
        if report.is_sound() {
            let whole = bundle.verify(&check());
            prop_assert_eq!((&report.facts, &report.keys, &report.root), (&whole.facts, &whole.keys, &whole.root));
            prop_assert_eq!(&report.published, &whole.published);
            prop_assert!(report.outside == whole.outside || (report.outside.is_empty() && report.unchecked_cosignatures == 1));
            prop_assert_eq!((&read.payloads, &read.snapshot, &read.entries), (&bundle.payloads, &bundle.snapshot, &bundle.entries));
            let of_others = read.tokens != bundle.tokens || report.outside != whole.outside;
            prop_assert!(!changed || of_others || read.components != bundle.components);
        }
    }
}
