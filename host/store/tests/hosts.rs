//! Several hosts on one PostgreSQL database: one chain, nothing acknowledged is lost, and what one does the others know.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/proxy.rs"]
mod proxy;

use std::collections::BTreeSet;

use assize_ledger::Digest;
use assize_store::{Change, Idempotency, Outcome, Store, StoreError, SystemEvent, VerifyOptions};
use common::database::Database;
use common::{change, decision};
use proxy::{Next, Proxy};

async fn is_sound(store: &Store) {
    let report = store.verify(VerifyOptions::default(), |_| {}).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.faults);
}

fn seq(outcome: &Outcome) -> Option<u64> {
    if let Outcome::Appended(appended) = outcome { Some(appended.seq) } else { None }
}

fn stop(version: u64, event: SystemEvent) -> Change {
    Change::System { id: "chat".to_owned(), version, bytes: b"{}".to_vec(), event }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_hosts_make_one_chain_without_fork_or_gap() {
    let Some(database) = Database::postgres() else { return };
    let stores = [database.open().await, database.open().await, database.open().await];
    let all: Vec<_> = (0..3_000)
        .map(|n| {
            let store = stores[n % 3].clone();
            tokio::spawn(async move { store.decide(decision(n as u64)).await.unwrap() })
        })
        .collect();
    let mut seqs = BTreeSet::new();
    for one in all {
        assert!(seqs.insert(seq(&one.await.unwrap()).unwrap()), "two entries in one place");
    }
    assert_eq!(seqs, (1..=3_000).collect());
    assert_eq!(stores[1].head().await.unwrap().unwrap().size, 3_001);
    is_sound(&stores[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_host_waits_for_ever_while_others_are_busy() {
    let Some(database) = Database::postgres() else { return };
    let (busy, quiet) = (database.open().await, database.open().await);
    let load = tokio::spawn(async move {
        for round in 0..30 {
            let all = (0..100).map(|n| busy.decide(decision(1_000 + round * 100 + n)));
            futures::future::try_join_all(all).await.unwrap();
        }
    });
    let mut done = 0;
    while !load.is_finished() {
        quiet.decide(decision(done)).await.unwrap();
        done += 1;
    }
    load.await.unwrap();
    assert!(done >= 15, "{done} decisions beside 30 groups");
    is_sound(&quiet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_is_one_decision_whichever_hosts_are_asked() {
    let Some(database) = Database::postgres() else { return };
    let stores = [database.open().await, database.open().await];
    let all: Vec<_> = (0..60)
        .map(|n| {
            let (store, mut draft) = (stores[n % 2].clone(), decision(n as u64));
            draft.idempotency = Some(Idempotency { key: "once".to_owned(), body_hash: Digest::of(b"body") });
            tokio::spawn(async move { store.decide(draft).await.unwrap() })
        })
        .collect();
    let mut appended = 0;
    for one in all {
        appended += usize::from(seq(&one.await.unwrap()).is_some());
    }
    assert_eq!(appended, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_judged_without_another_hosts_stop_is_recorded_after_it() {
    let Some(database) = Database::postgres() else { return };
    let (one, other) = (database.open().await, database.open().await);
    one.change(change(Some("acme"), stop(1, SystemEvent::Registered))).await.unwrap();
    let mut changes = other.changes();
    changes.borrow_and_update();
    let judged = other.halt_epoch();
    one.change(change(Some("acme"), stop(2, SystemEvent::EmergencyStop))).await.unwrap();
    assert_eq!(one.halt_epoch(), judged + 1);

    let late = |n| assize_store::DecisionDraft { halt_epoch: judged, ..decision(n) };
    let stale = Err(StoreError::Stale { judged, current: judged + 1 });
    assert_eq!(other.decide(late(1)).await, stale);
    // Judged again without loading the stop, it would be allowed once more.
    assert_eq!(other.halt_epoch(), judged);
    // It is heard of without writing, too.
    tokio::time::timeout(std::time::Duration::from_secs(30), changes.wait_for(|changes| changes.halt_epoch > judged))
        .await
        .unwrap()
        .unwrap();
    let seen = *changes.borrow_and_update();
    assert_eq!(other.systems(Some("acme")).await.unwrap()[0].version, 2);
    other.applied(seen);
    let mut again = late(2);
    again.halt_epoch = other.halt_epoch();
    assert!(matches!(other.decide(again).await, Ok(Outcome::Appended(_))));
    is_sound(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_of_its_own_doesnt_cover_one_of_another_host() {
    let Some(database) = Database::postgres() else { return };
    let (one, other) = (database.open().await, database.open().await);
    one.change(change(Some("acme"), stop(1, SystemEvent::EmergencyStop))).await.unwrap();
    let before = other.halt_epoch();
    other.change(change(Some("other"), stop(1, SystemEvent::EmergencyStop))).await.unwrap();
    assert_eq!(other.halt_epoch(), before, "the stop of acme's system isn't loaded there yet");
    let seen = *other.changes().borrow();
    other.applied(seen);
    assert_eq!(other.halt_epoch(), before + 2);
    let reopened = database.open().await;
    assert_eq!(reopened.halt_epoch(), before + 2, "who starts loads them all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn versions_are_one_more_than_the_newest_of_any_host() {
    let Some(database) = Database::postgres() else { return };
    let (one, other) = (database.open().await, database.open().await);
    let policy = |version| Change::Policy { scope: "global".to_owned(), version, bytes: b"{}".to_vec() };
    one.change(change(None, policy(1))).await.unwrap();
    let lost = other.change(change(None, policy(1))).await;
    assert!(matches!(lost, Err(StoreError::VersionConflict { expected: 2, given: 1, .. })), "{lost:?}");
    other.change(change(None, policy(2))).await.unwrap();
    let other_log = database.open_with(&assize_store::Options::default(), "example.org/other").await;
    assert!(matches!(other_log, Err(StoreError::Origin { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_that_start_at_once_open_one_log() {
    let Some(database) = Database::postgres() else { return };
    let (one, two, three) = tokio::join!(database.open(), database.open(), database.open());
    assert_eq!(one.head().await.unwrap().unwrap().size, 1);
    for store in [&one, &two, &three] {
        store.decide(decision(store.head().await.unwrap().unwrap().size)).await.unwrap();
    }
    is_sound(&three).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_break_lose_nothing_that_was_acknowledged() {
    let Some(database) = Database::postgres() else { return };
    let Database::Postgres { server, url } = &database else { return };
    let store = database.open().await;
    let (mut acknowledged, mut failed) = (0_u64, 0_u64);
    for round in 0..20 {
        let all: Vec<_> = (0..40)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move { store.decide(decision(round * 40 + n)).await })
            })
            .collect();
        server.run(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        for one in all {
            match one.await.unwrap() {
                Ok(_) => acknowledged += 1,
                Err(StoreError::Storage { .. }) => failed += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    println!("{acknowledged} acknowledged, {failed} failed");
    store.decide(decision(10_000)).await.unwrap();
    assert_eq!(store.head().await.unwrap().unwrap().size, acknowledged + 2, "none of the failed ones is in");
    is_sound(&store).await;
}

#[tokio::test]
async fn texts_that_postgresql_cannot_hold_are_refused_by_themselves() {
    let Some(database) = Database::postgres() else { return };
    let store = database.open().await;
    let (mut with_nul, mut long) = (decision(1), decision(2));
    "a\0b".clone_into(&mut with_nul.facts.environment);
    long.idempotency = Some(Idempotency { key: "k".repeat(5_000), body_hash: Digest::of(b"body") });
    let (one, two, three) = tokio::join!(store.decide(with_nul), store.decide(long), store.decide(decision(3)));
    assert!(matches!(one, Err(StoreError::Invalid { field: "environment", .. })), "{one:?}");
    assert!(matches!(two, Err(StoreError::Invalid { field: "idempotency_key", .. })), "{two:?}");
    assert!(matches!(three, Ok(Outcome::Appended(_))), "{three:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_breaks_off_is_answered_as_what_became_of_it() {
    let Some(database) = Database::postgres() else { return };
    let Database::Postgres { server, url } = &database else { return };
    let proxy = Proxy::start(&server.socket());
    let name = url.split('?').next().unwrap();
    let store =
        Store::open_postgres(&format!("{name}?host={}", proxy.folder().display()), common::ORIGIN).await.unwrap();
    for n in 0..10 {
        proxy.next(Next::LoseAnswer);
        let group = (0..5).map(|one| store.decide(decision(100 * n + one)));
        for outcome in futures::future::join_all(group).await {
            assert!(matches!(outcome, Ok(Outcome::Appended(_))), "it is in: {outcome:?}");
        }
        assert!(proxy.is_done());
        let before = store.head().await.unwrap().unwrap().size;

        proxy.next(Next::Lose);
        let lost = store.decide(decision(100 * n + 50)).await;
        assert!(matches!(lost, Err(StoreError::Storage { .. })), "it isn't in: {lost:?}");
        assert!(proxy.is_done());
        assert_eq!(store.head().await.unwrap().unwrap().size, before);
    }
    assert_eq!(store.head().await.unwrap().unwrap().size, 51);
    is_sound(&store).await;
}
