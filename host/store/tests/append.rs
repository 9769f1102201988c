//! What the store promises to those who write: in order, together or not at all, and durable when answered.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::collections::BTreeSet;

use assize_ledger::{Digest, Entry};
use assize_store::{
    ActivationEvent, Change, DecisionFilter, Idempotency, Options, Outcome, Store, StoreError, SystemEvent,
    VerifyOptions,
};
use common::database::Database;
use common::{ORIGIN, change, decision, decision_for, publish, record, time};

fn seq(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Appended(appended) => appended.seq,
        Outcome::Existing(what) => panic!("existing {what}"),
    }
}

async fn is_sound(store: &Store) {
    let report = store.verify(VerifyOptions::default(), |_| {}).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.faults);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_decisions_make_one_chain_without_gaps() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    let outcomes = record(&store, 0, 1_000).await;
    let seqs: BTreeSet<u64> = outcomes.iter().map(seq).collect();
    assert_eq!(seqs, (1..=1_000).collect());
    let entries = store.entries(None, 0, 2_000).await.unwrap();
    let mut previous = Digest::ZERO;
    for row in &entries {
        let entry = Entry::decode(&row.bytes).unwrap();
        assert_eq!(entry.previous, previous);
        assert_eq!((entry.seq, entry.subject.as_str(), entry.time), (row.seq, row.subject.as_str(), row.time));
        previous = row.hash;
    }
    assert_eq!(store.head().await.unwrap().unwrap().hash, previous);
    is_sound(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reopened_store_continues_the_chain() {
    let Some(database) = Database::new() else { return };
    for round in 0..4 {
        let store = database.open().await;
        record(&store, round * 150, (round + 1) * 150).await;
        store.close().await;
    }
    let store = database.open().await;
    assert_eq!(store.head().await.unwrap().unwrap().size, 601);
    is_sound(&store).await;
}

#[tokio::test]
async fn what_is_answered_can_be_read_and_only_by_its_tenant() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    let draft = decision(5);
    let outcome = store.decide(draft.clone()).await.unwrap();
    let stored = store.decision(Some("acme"), &draft.id).await.unwrap().unwrap();
    assert_eq!(stored.row.seq, seq(&outcome));
    assert_eq!(stored.input.as_deref(), Some(draft.input.as_slice()));
    assert_eq!(stored.record.as_deref(), Some(draft.record.as_slice()));
    assert_eq!(stored.effects.len(), 2);
    assert_eq!(stored.row.risk_score.to_bits(), draft.facts.risk_score.to_bits());
    assert!(store.decision(None, &draft.id).await.unwrap().is_some());
    assert!(store.decision(Some("other"), &draft.id).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_listed_newest_first_page_by_page() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    record(&store, 0, 40).await;
    store.decide(decision_for("other", 100)).await.unwrap();
    let filter = DecisionFilter { verdict: Some("block".to_owned()), ..DecisionFilter::default() };
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.decisions(Some("acme"), &filter, cursor, 3).await.unwrap();
        seen.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.iter().all(|row| row.verdict == "block" && row.tenant == "acme"));
    assert!(seen.is_sorted_by(|one, other| one.seq > other.seq));
    let filter = DecisionFilter { from: Some(time(13)), before: Some(time(23)), ..DecisionFilter::default() };
    assert_eq!(store.decisions(Some("acme"), &filter, None, 100).await.unwrap().rows.len(), 10);
    assert_eq!(store.decisions(None, &DecisionFilter::default(), None, 100).await.unwrap().rows.len(), 41);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_and_body_are_one_decision_however_they_race() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    let mut drafts = (0..50).map(|n| {
        let mut draft = decision(n);
        draft.idempotency = Some(Idempotency { key: "once".to_owned(), body_hash: Digest::of(b"body") });
        draft
    });
    let all: Vec<_> = drafts
        .by_ref()
        .take(49)
        .map(|draft| {
            let store = store.clone();
            tokio::spawn(async move { store.decide(draft).await.unwrap() })
        })
        .collect();
    let (mut appended, mut existing) = (0, BTreeSet::new());
    for one in all {
        match one.await.unwrap() {
            Outcome::Appended(_) => appended += 1,
            Outcome::Existing(id) => drop(existing.insert(id)),
        }
    }
    assert_eq!((appended, existing.len()), (1, 1));
    let (id, hash) = store.find_idempotent("acme", "once").await.unwrap().unwrap();
    assert_eq!((existing.contains(&id), hash), (true, Digest::of(b"body")));

    let mut other = drafts.next().unwrap();
    other.idempotency = Some(Idempotency { key: "once".to_owned(), body_hash: Digest::of(b"another") });
    let conflict = store.decide(other.clone()).await.unwrap_err();
    assert!(matches!(conflict, StoreError::IdempotencyConflict { .. }), "{conflict}");
    other.facts.tenant = "other".to_owned();
    assert!(matches!(store.decide(other).await, Ok(Outcome::Appended(_))), "a key belongs to its tenant");
}

#[tokio::test]
async fn nothing_judged_before_a_stop_is_recorded_after_it() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    let before = store.halt_epoch();
    store.decide(decision(1)).await.unwrap();
    let system = |version, event| Change::System {
        id: "chat".to_owned(),
        version,
        bytes: br#"{"operational_status":"emergency_stop"}"#.to_vec(),
        event,
    };
    store.change(change(Some("acme"), system(1, SystemEvent::Registered))).await.unwrap();
    assert_eq!(store.halt_epoch(), before);
    store.change(change(Some("acme"), system(2, SystemEvent::EmergencyStop))).await.unwrap();
    let mut late = decision(2);
    late.halt_epoch = before;
    assert_eq!(store.decide(late.clone()).await, Err(StoreError::Stale { judged: before, current: before + 1 }));
    late.halt_epoch = store.halt_epoch();
    store.decide(late).await.unwrap();
    assert_eq!(store.systems(Some("acme")).await.unwrap()[0].version, 2);
    assert_eq!(store.system_history(Some("acme"), "chat").await.unwrap().len(), 2);
    assert!(store.systems(Some("other")).await.unwrap().is_empty());
    is_sound(&store).await;
}

#[tokio::test]
async fn a_published_version_keeps_its_bytes() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    assert!(matches!(store.change(change(None, publish("1.0.0", b"wasm"))).await, Ok(Outcome::Appended(_))));
    let again = store.change(change(None, publish("1.0.0", b"wasm"))).await;
    assert_eq!(again, Ok(Outcome::Existing("br/election-content@1.0.0".to_owned())));
    let error = store.change(change(None, publish("1.0.0", b"other"))).await.unwrap_err();
    assert!(error.to_string().contains(&Digest::of(b"other").to_string()), "{error}");
    assert!(error.to_string().contains(&Digest::of(b"wasm").to_string()), "{error}");
    assert_eq!(store.component(&Digest::of(b"wasm")).await.unwrap().as_deref(), Some(b"wasm".as_slice()));

    let activate = |version: &str, event| Change::Activation {
        package: "br/election-content".to_owned(),
        version: version.to_owned(),
        event,
        known: None,
    };
    store.change(change(Some("acme"), activate("1.0.0", ActivationEvent::Activated))).await.unwrap();
    store.change(change(None, activate("1.0.0", ActivationEvent::Yanked))).await.unwrap();
    let unknown = store.change(change(None, activate("2.0.0", ActivationEvent::Activated))).await.unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound { .. }), "{unknown}");
    let events: Vec<_> = store.activations().await.unwrap().into_iter().map(|row| (row.tenant, row.event)).collect();
    assert_eq!(events, [(Some("acme".to_owned()), ActivationEvent::Activated), (None, ActivationEvent::Yanked)]);
    is_sound(&store).await;
}

#[tokio::test]
async fn a_policy_changes_one_version_at_a_time() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    let policy = |version, bytes: &[u8]| Change::Policy { scope: "global".to_owned(), version, bytes: bytes.to_vec() };
    store.change(change(None, policy(1, b"{}"))).await.unwrap();
    store.change(change(None, policy(2, b"{ }"))).await.unwrap();
    let lost = store.change(change(None, policy(2, b"{  }"))).await.unwrap_err();
    assert_eq!(lost.to_string(), "policy global: the next version is 3, not 2: read it again, then repeat the change");
    let policies = store.policies(None).await.unwrap();
    assert_eq!((policies.len(), policies[0].version, policies[0].hash), (1, 2, Digest::of(b"{ }")));
    assert_eq!(store.policy_history(None, "global").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_is_made_once_and_revoked_once() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    let key = || Change::Key {
        id: "k1".to_owned(),
        hash: Digest::of(b"secret"),
        role: "admin".to_owned(),
        label: "first".to_owned(),
    };
    store.change(change(None, key())).await.unwrap();
    assert!(matches!(store.change(change(None, key())).await, Err(StoreError::Exists { .. })));
    let revoke = || change(None, Change::KeyRevoked { id: "k1".to_owned() });
    assert!(matches!(store.change(revoke()).await, Ok(Outcome::Appended(_))));
    assert_eq!(store.change(revoke()).await, Ok(Outcome::Existing("k1".to_owned())));
    let keys = store.keys().await.unwrap();
    assert_eq!(
        (keys.len(), keys[0].revoked_at, keys[0].hash),
        (1, Some(time(0).max(keys[0].at)), Digest::of(b"secret"))
    );
    is_sound(&store).await;
}

#[tokio::test]
async fn a_decision_needs_its_snapshot_stored() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    let mut draft = decision(1);
    let bytes = draft.snapshot.take().unwrap();
    assert!(matches!(store.decide(draft.clone()).await, Err(StoreError::NotFound { .. })));
    draft.snapshot = Some(b"something else".to_vec().into());
    assert!(matches!(store.decide(draft.clone()).await, Err(StoreError::Invalid { field: "snapshot", .. })));
    draft.snapshot = None;
    store.put_snapshot(Digest::of(&bytes), bytes.clone()).await.unwrap();
    store.decide(draft).await.unwrap();
    assert_eq!(store.snapshot(&Digest::of(&bytes)).await.unwrap().as_deref(), Some(&*bytes));
}

#[tokio::test]
async fn scores_that_are_no_numbers_are_refused() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    let mut draft = decision(1);
    draft.facts.risk_score = f64::NAN;
    assert!(matches!(store.decide(draft).await, Err(StoreError::Invalid { field: "risk_score", .. })));
}

// The sequencer shares this test's one thread: it can't take anything before the test waits.
#[tokio::test(flavor = "current_thread")]
async fn a_full_queue_refuses_at_once_and_loses_nothing() {
    let Some(database) = Database::new() else { return };
    let store = database.open_with(&Options { queue: 8, ..Options::default() }, ORIGIN).await.unwrap();
    let all: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.decide(decision(n)).await })
        })
        .collect();
    let (mut stored, mut refused) = (0, 0);
    for one in all {
        match one.await.unwrap() {
            Ok(_) => stored += 1,
            Err(StoreError::QueueFull { limit: 8 }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0 && stored >= 8, "{stored} stored, {refused} refused");
    assert_eq!(store.head().await.unwrap().unwrap().size, 1 + stored);
    store.decide(decision(100)).await.unwrap();
    is_sound(&store).await;
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    store.close().await;
    assert_eq!(store.decide(decision(1)).await, Err(StoreError::Closed));
}
