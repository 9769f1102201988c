//! What is erased is gone, and everything that was proved before is proved still.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use assize_ledger::Report;
use assize_ledger::proof::verify_inclusion;
use assize_store::{Change, ErasureCause, Outcome, Store, StoreError, VerifyOptions};
use common::database::Database;
use common::{change, record};

async fn verify(store: &Store) -> Report {
    store.verify(VerifyOptions::default(), |_| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_leaves_nothing_in_the_file() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    for n in 0..30 {
        store.decide(common::decision(n)).await.unwrap();
    }
    let seq = 9;
    let id = "01890a5d-ac96-774b-bcce-000000000008";
    let before = store.decision(None, id).await.unwrap().unwrap();
    assert_eq!(before.row.seq, seq);
    let leaf = store.entry_hash(seq).await.unwrap().unwrap();
    let (input, salt) =
        (before.input.clone().unwrap(), store.sealed(seq, seq + 1).await.unwrap()[0].input.clone().unwrap().0);
    assert!(database.holds(&input));
    assert_eq!(store.decisions_about("acme", "person-8").await.unwrap(), [seq, 25]);

    let Outcome::Appended(erasure) = common::erase(&store, "acme", &[seq]).await else { panic!("not erased") };
    let after = store.decision(None, id).await.unwrap().unwrap();
    assert_eq!((after.input, after.record, after.effects.len()), (None, None, 0));
    assert_eq!((&after.row.verdict, after.entry), (&before.row.verdict, before.entry));
    assert_eq!(store.decisions_about("acme", "person-8").await.unwrap(), [25]);
    assert_eq!(store.sealed(seq, seq + 1).await.unwrap()[0].erased_by, Some(erasure.seq));
    let proof = store.inclusion_proof(seq, 32).await.unwrap();
    verify_inclusion(&leaf, seq, 32, &proof, &store.root_at(32).await.unwrap()).unwrap();
    let report = verify(&store).await;
    assert!(report.is_sound(), "{:#?}", report.faults);
    assert_eq!(report.erased, 1);
    // Neither in the database nor in what is written before it.
    assert!(!database.holds(&input) && !database.holds(salt.as_bytes()));
    // Asked for again, it is the same erasure.
    assert!(matches!(common::erase(&store, "acme", &[seq]).await, Outcome::Existing(_)));
    store.close().await;
    assert!(!database.holds(&input) && !database.holds(salt.as_bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_tenants_own_decisions_are_erased() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    record(&store, 0, 5).await;
    for (tenant, targets) in [("other", [2, 3]), ("acme", [2, 99]), ("acme", [0, 1])] {
        let cause = ErasureCause::Request;
        let erase = Change::Erase { id: "e".into(), basis: "b".into(), cause, targets: targets.into() };
        let refused = store.change(change(Some(tenant), erase)).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{tenant} {targets:?}: {refused:?}");
    }
    assert_eq!(verify(&store).await.erased, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_heeds_what_holds_when_it_is_recorded() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    record(&store, 0, 8).await;
    let erase = async |target: u64, cause: ErasureCause| {
        let id = format!("erasure of {target} by {cause:?}");
        let erase = Change::Erase { id, basis: "b".into(), cause, targets: [target].into() };
        store.change(change(Some("acme"), erase)).await
    };
    let retain = async |payloads: &str| {
        store.change(change(Some("acme"), Change::Retain { payloads: payloads.to_owned() })).await.unwrap()
    };
    let by = |payloads: &str| ErasureCause::Retention(Some(payloads.to_owned()));
    erase(2, ErasureCause::Retention(None)).await.unwrap();
    retain("3650d").await;
    // Looked at before, recorded after.
    for seen in [ErasureCause::Retention(None), by("30d")] {
        assert!(matches!(erase(3, seen).await, Err(StoreError::RetentionChanged { tenant }) if tenant == "acme"));
    }
    erase(3, by("3650d")).await.unwrap();
    erase(4, ErasureCause::Request).await.unwrap();
    retain("legal_hold").await;
    for cause in [ErasureCause::Request, by("3650d"), by("legal_hold"), ErasureCause::Retention(None)] {
        assert!(matches!(erase(5, cause).await, Err(StoreError::Held { tenant }) if tenant == "acme"));
    }
    assert_eq!(verify(&store).await.erased, 3);
    retain("30d").await;
    erase(5, by("30d")).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_changes_nothing_after_the_entry_that_revoked_it() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    let asked_by = |key: &str, what: Change| {
        let mut draft = change(Some("acme"), what);
        draft.details.insert("key".to_owned(), key.to_owned());
        draft
    };
    let made = |id: &str| Change::Key {
        id: id.to_owned(),
        hash: assize_ledger::Digest::of(id.as_bytes()),
        role: "admin".to_owned(),
        label: "stolen".to_owned(),
    };
    store.change(asked_by("host", made("one"))).await.unwrap();
    store.change(asked_by("one", made("two"))).await.unwrap();
    // It may end itself, once.
    store.change(asked_by("one", Change::KeyRevoked { id: "one".to_owned() })).await.unwrap();
    let late = store.change(asked_by("one", made("three"))).await;
    assert_eq!(late, Err(StoreError::Revoked { key: "one".to_owned() }));
    store.change(asked_by("two", made("three"))).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_beside_erasures_is_sound() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    record(&store, 0, 600).await;
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 1..500 {
                common::erase(&store, "acme", &[n]).await;
            }
        })
    };
    while !writer.is_finished() {
        let report = verify(&store).await;
        assert!(report.is_sound(), "{:#?}", report.faults);
    }
    writer.await.unwrap();
    let report = verify(&store).await;
    assert!(report.is_sound(), "{:#?}", report.faults);
    assert_eq!(report.erased, 499);
}
