//! Cases as a host may have written them down from the beginning, true or not: every proof holds, and judging again tells.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use assize_kernel::{Input, Record, Snapshot, decide};
use assize_ledger::{
    AdministrativeFacts, Algorithm, BUNDLE_FORMAT, Bundle, BundleCheck, BundleHeader, Checkpoint, Commitment, Digest,
    Draft, EntryKind, Head, PayloadKind, ProvenEntry, Salt, SignerKey, Timestamp, key_statement,
};
use assize_rehearing::{Rehearing, ReplayState, rehear};
use assize_sandbox::{Sandbox, SandboxConfig};
use assize_tests::workspace;
use serde_json::json;

use crate::verify;

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(SandboxConfig::default()).unwrap());
static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());

/// A case as its host may have written it down from the beginning, true or not.
struct Case {
    /// The decision's id, by its entry.
    id: String,
    input: Vec<u8>,
    record: Record,
    snapshot: Vec<u8>,
    components: Vec<(Digest, Vec<u8>)>,
}

impl Case {
    /// One that was judged and written down as it should be.
    fn true_one() -> Self {
        let file = workspace().join("tests/archive/1.1.0/answers.bundle");
        let bundle = Bundle::read(fs::File::open(file).unwrap()).unwrap();
        let input = bundle.payload(PayloadKind::Input).unwrap().to_vec();
        let record = serde_json::from_slice(bundle.payload(PayloadKind::Record).unwrap()).unwrap();
        let Bundle { header, snapshot, components, .. } = bundle;
        Self { id: header.decision, input, record, snapshot, components }
    }

    /// Replaces a text where it first stands in the snapshot, which is in the candidate of the first binding.
    fn of_the_first(mut self, from: &str, to: &str) -> Self {
        let snapshot = String::from_utf8(self.snapshot).unwrap();
        assert!(snapshot.contains(from), "{from}: {snapshot}");
        self.snapshot = snapshot.replacen(from, to, 1).into_bytes();
        self
    }

    /// In a log of its own, which binds every part.
    fn bundle(mut self) -> Bundle {
        const ORIGIN: &str = "example.org/log";
        let (key, salt) = (SignerKey::generate(ORIGIN, Algorithm::Ed25519).unwrap(), Salt::from_bytes([7; 32]));
        let statement = key_statement(ORIGIN, &key, None).unwrap().to_string();
        let details = BTreeMap::from([("statement".to_owned(), statement)]);
        let introduced = AdministrativeFacts { tenant: None, subject_digest: None, details };
        self.record.policy.snapshot = Digest::of(&self.snapshot);
        let record = self.record.to_bytes().unwrap();
        let time = Timestamp::default();
        let drafts = [
            Draft {
                kind: EntryKind::LogKey,
                subject: key.public().to_string(),
                time,
                facts: serde_json::to_vec(&introduced).unwrap(),
                input: None,
                record: None,
            },
            Draft {
                kind: EntryKind::Decision,
                subject: self.id.clone(),
                time,
                facts: serde_json::to_vec(&self.record.facts()).unwrap(),
                input: Some(Commitment::to(&salt, &self.input)),
                record: Some(Commitment::to(&salt, &record)),
            },
        ];
        let mut head = Head::new(ORIGIN);
        let entries = drafts.map(|draft| head.append(draft).unwrap());
        // Of two leaves, each is the other's proof.
        let others = [entries[1].hash, entries[0].hash];
        let proven = entries.into_iter().zip(others);
        let proven =
            proven.map(|(entry, other)| ProvenEntry { seq: entry.seq, proof: vec![other], bytes: entry.bytes });
        Bundle {
            header: BundleHeader {
                format: BUNDLE_FORMAT.to_owned(),
                origin: ORIGIN.to_owned(),
                decision: self.id,
                seq: 1,
                size: 2,
            },
            checkpoint: Checkpoint::new(ORIGIN, 2, head.root()).sign(&key).unwrap().to_string().into_bytes(),
            entries: proven.collect(),
            payloads: vec![(PayloadKind::Input, salt.clone(), self.input), (PayloadKind::Record, salt, record)],
            snapshot: self.snapshot,
            components: self.components,
            earlier: Vec::new(),
            tokens: Vec::new(),
        }
    }
}

/// What judging again finds in a bundle whose proofs all hold.
fn judged_again(bundle: &Bundle) -> Rehearing {
    let report = bundle.verify(&BundleCheck::default());
    assert!(report.is_sound(), "{:?}", report.faults);
    RUNTIME.block_on(rehear(bundle, &report, &SANDBOX))
}

fn written(bundle: Bundle, folder: &Path) -> PathBuf {
    let file = folder.join("case.bundle");
    fs::write(&file, bundle.write(Vec::new()).unwrap()).unwrap();
    file
}

#[test]
fn a_record_under_another_decisions_entry_is_refused() {
    let as_it_was = judged_again(&Case::true_one().bundle());
    assert!(as_it_was.is_identical(), "{:?} {:?}", as_it_was.why, as_it_was.faults);

    let again = judged_again(&Case { id: "another decision".to_owned(), ..Case::true_one() }.bundle());
    let [fault] = again.faults.first.as_slice() else { panic!("{:?}", again.faults) };
    assert_eq!((fault.record.as_str(), fault.field.as_str()), ("record", "identity.id"));
    assert_eq!(fault.expected, "another decision (by the entry)");
    assert!(!again.is_identical());
}

#[test]
fn a_snapshot_that_says_of_a_component_what_it_does_not_say_of_itself_is_refused() {
    // With this alone all comes out the same: on the case's date, it is in force either way.
    let (always, since) = (r#""effective":{"from":null"#, r#""effective":{"from":"2020-01-01T00:00:00.000Z""#);
    let bundle = Case::true_one().of_the_first(always, since).bundle();
    let again = judged_again(&bundle);
    let [fault] = again.faults.first.as_slice() else { panic!("{:?}", again.faults) };
    assert_eq!(
        (fault.record.as_str(), fault.field.as_str()),
        ("snapshot", "bindings[agent].candidates[1.0.0].effective")
    );
    assert!(fault.found.contains("2020-01-01") && !fault.expected.contains("2020-01-01"), "{fault}");
    assert!(fault.expected.contains("by the manifest of component 9dab46e9"), "{fault}");
    let folder = tempfile::tempdir().unwrap();
    let page = verify(&written(bundle, folder.path()), &[]).expect(1).stdout;
    assert!(page.contains("NOT VERIFIED") && page.contains("effective"), "{page}");

    let all = Case::true_one()
        .of_the_first(r#""plugin":"test/hostile""#, r#""plugin":"test/other""#)
        .of_the_first(r#""version":"1.0.0""#, r#""version":"1.0.1""#)
        .of_the_first(r#""kind":"risk-agent""#, r#""kind":"action""#)
        .of_the_first(r#""contract":"1.1.0""#, r#""contract":"1.0.0""#)
        .of_the_first(always, since)
        .of_the_first(r#""jurisdictions":[]"#, r#""jurisdictions":["BR"]"#)
        .of_the_first(r#""fuel":20000000,"memory_bytes":33554432}"#, r#""fuel":1,"memory_bytes":1},"may":["alert"]"#);
    let again = judged_again(&all.bundle());
    let mut fields: Vec<&str> = again.faults.first.iter().filter_map(|fault| fault.field.rsplit('.').next()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["contract", "effective", "kind", "limits", "may", "package", "scope", "version"]);
}

/// The host says that it hadn't loaded a rule. That it comes out the same without that rule shows nothing.
#[test]
fn a_component_that_was_not_there_by_the_hosts_word_leaves_it_open() {
    let mut case = Case::true_one();
    let away = case.record.plugins.iter().find(|run| run.binding == "rule").unwrap().digest.unwrap();
    case.components.retain(|(digest, _)| *digest != away);
    let loaded = case.components.iter().map(|(digest, bytes)| (*digest, Arc::new(SANDBOX.load(bytes).unwrap())));
    let loaded: HashMap<_, _> = loaded.collect();
    let snapshot = Snapshot::from_bytes(case.snapshot.as_slice().into(), |digest| loaded.get(&digest).cloned());
    let (snapshot, input) = (Arc::new(snapshot.unwrap()), Arc::new(Input::from_bytes(&case.input).unwrap()));
    let judged = RUNTIME.block_on(decide(&snapshot, &input)).unwrap();
    let Record { identity, times, .. } = case.record;
    let engine = SANDBOX.id().clone();
    case.record = Record::of(identity, times.received, times.decided, engine, &snapshot, &input, judged);
    let bundle = case.bundle();

    let again = judged_again(&bundle);
    assert_eq!(again.state, ReplayState::Inconclusive, "{:?}", again.faults);
    let comparison = again.comparison.as_ref().unwrap();
    assert!(comparison.identical && comparison.absent == ["rule", "score"], "{comparison:?}");

    let folder = tempfile::tempdir().unwrap();
    let (file, html) = (written(bundle, folder.path()), folder.path().join("page.html"));
    let page = verify(&file, &["--html", html.to_str().unwrap()]).expect(1).stdout;
    let (_, sentence) = page.split_once("\nINCONCLUSIVE: ").unwrap_or_else(|| panic!("{page}"));
    for word in ["wasn't there when the case was judged", "can't be told from the record", "rule, score"] {
        assert!(sentence.contains(word), "{word}: {sentence}");
    }
    let html = fs::read_to_string(html).unwrap();
    assert!(html.contains("not there to be asked: test/rule-echo@1.0.0"), "{html}");
    assert!(!html.contains("nothing outside this file decided"), "{html}");
    let report = verify(&file, &["--json"]).expect(1).json();
    assert_eq!((&report["verified"], &report["outcome"]), (&json!(false), &json!("inconclusive")));
}
