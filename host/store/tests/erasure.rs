//! What is erased is gone, and everything that was proved before is proved still.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use assize_ledger::Report;
use assize_ledger::proof::verify_inclusion;
use assize_store::{Outcome, Store, StoreError, VerifyOptions};
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
        let erase = assize_store::Change::Erase { id: "e".into(), basis: "b".into(), targets: targets.into() };
        let refused = store.change(change(Some(tenant), erase)).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{tenant} {targets:?}: {refused:?}");
    }
    assert_eq!(verify(&store).await.erased, 0);
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
