//! The life of a version and its publishers: each claim, key, signature and step once, and nobody else's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use assize_ledger::{AdministrativeFacts, Digest, Entry};
use assize_store::{ActivationEvent, Change, Outcome, Store, StoreError, VerifyOptions};
use common::database::Database;
use common::{change, claim, publish, publisher, roll_back, sign};

async fn refused(store: &Store, tenant: Option<&str>, what: Change) -> StoreError {
    let size = store.head().await.unwrap().unwrap().size;
    let error = store.change(change(tenant, what)).await.unwrap_err();
    assert_eq!(store.head().await.unwrap().unwrap().size, size, "no entry for a refusal");
    error
}

async fn known(store: &Store, tenant: Option<&str>, what: Change) {
    assert!(matches!(store.change(change(tenant, what)).await.unwrap(), Outcome::Existing(_)));
}

async fn made(store: &Store, tenant: Option<&str>, what: Change) -> u64 {
    match store.change(change(tenant, what)).await.unwrap() {
        Outcome::Appended(appended) => appended.seq,
        existing @ Outcome::Existing(_) => panic!("{existing:?}"),
    }
}

async fn is_sound(store: &Store) {
    let report = store.verify(VerifyOptions::default(), |_| {}).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.faults);
}

fn key() -> Change {
    Change::PublisherKey { namespace: "br".into(), key: publisher().public().to_string() }
}

fn revocation() -> Change {
    Change::PublisherKeyRevoked { namespace: "br".into(), key: publisher().public().to_string() }
}

#[tokio::test]
async fn a_namespace_is_one_publishers_and_a_key_is_registered_once() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    let by = |publisher: &str| Change::ClaimNamespace { namespace: "br".into(), publisher: publisher.into() };
    assert!(matches!(refused(&store, Some("acme"), key()).await, StoreError::NotFound { .. }));
    made(&store, Some("acme"), claim()).await;
    known(&store, Some("acme"), claim()).await;
    let error = refused(&store, Some("acme"), by("Other")).await.to_string();
    assert!(error.contains("\"Publisher\"") && error.contains("\"acme\""), "{error}");
    // Neither does the host take it; another tenant, who doesn't see this one, may.
    assert!(matches!(refused(&store, None, by("Host")).await, StoreError::Claimed { .. }));
    made(&store, Some("other"), by("Other")).await;
    made(&store, Some("acme"), key()).await;
    known(&store, Some("acme"), key()).await;
    assert!(matches!(refused(&store, Some("other"), revocation()).await, StoreError::NotFound { .. }));
    made(&store, Some("acme"), revocation()).await;
    known(&store, Some("acme"), revocation()).await;
    assert!(refused(&store, Some("acme"), key()).await.to_string().contains("revoked"));
    let keys = store.publisher_keys().await.unwrap();
    assert_eq!((keys.len(), keys[0].tenant.as_deref(), keys[0].revoked_at.is_some()), (1, Some("acme"), true));
    // What is the host's, nobody claims.
    let host = Change::ClaimNamespace { namespace: "eu".into(), publisher: "Host".into() };
    made(&store, None, host.clone()).await;
    assert!(matches!(refused(&store, Some("acme"), host).await, StoreError::Claimed { .. }));
    is_sound(&store).await;
}

#[tokio::test]
async fn a_roll_back_is_one_entry_about_two_versions() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    made(&store, None, publish("1.0.0", b"component")).await;
    assert!(matches!(refused(&store, None, roll_back()).await, StoreError::NotFound { .. }));
    made(&store, None, publish("1.1.0", b"another")).await;
    let Change::RollBack { package, version, to_version, .. } = roll_back() else { panic!() };
    let other = Change::RollBack { package, version, to_version, to_digest: Digest::of(b"other"), known: None };
    assert!(matches!(refused(&store, None, other).await, StoreError::NotFound { .. }), "another digest than was known");
    let seq = made(&store, None, roll_back()).await;
    let entry = store.entries(None, seq, 1).await.unwrap().remove(0);
    assert_eq!((entry.kind.as_str(), entry.subject.as_str()), ("plugin.rolled_back", "br/election-content@1.1.0"));
    let facts: AdministrativeFacts = serde_json::from_slice(&Entry::decode(&entry.bytes).unwrap().facts).unwrap();
    assert_eq!(facts.subject_digest, Some(Digest::of(b"another")));
    assert_eq!((facts.details["to"].as_str(), &facts.details["by"]), ("1.0.0", &"key-1".to_owned()));
    let row = store.roll_backs().await.unwrap().remove(0);
    assert_eq!((row.seq, row.digest, row.to_digest), (seq, Digest::of(b"another"), Digest::of(b"component")));
    is_sound(&store).await;
}

#[tokio::test]
async fn each_step_and_each_signature_has_its_entry() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    assert!(matches!(refused(&store, None, sign()).await, StoreError::NotFound { .. }));
    made(&store, None, publish("1.0.0", b"component")).await;
    made(&store, None, sign()).await;
    known(&store, None, sign()).await;
    let steps = [
        (ActivationEvent::Submitted, "plugin.submitted"),
        (ActivationEvent::Approved, "plugin.approved"),
        (ActivationEvent::Rejected, "plugin.rejected"),
        (ActivationEvent::Activated, "plugin.activated"),
        (ActivationEvent::Deactivated, "plugin.deactivated"),
        (ActivationEvent::Retired, "plugin.retired"),
        (ActivationEvent::Yanked, "plugin.yanked"),
    ];
    for (event, kind) in steps {
        let step =
            Change::Activation { package: "br/election-content".into(), version: "1.0.0".into(), event, known: None };
        let seq = made(&store, None, step).await;
        let entry = store.entries(None, seq, 1).await.unwrap().remove(0);
        assert_eq!(entry.kind, kind);
        assert!(!String::from_utf8_lossy(&entry.bytes).contains("Ana"), "a person's name stays out of the entry");
    }
    let events: Vec<_> = store.activations().await.unwrap().iter().map(|row| row.event).collect();
    assert_eq!(events, steps.map(|(event, _)| event));
    let signed = store.signatures().await.unwrap();
    assert_eq!((signed.len(), signed[0].digest), (1, Digest::of(b"component")));
    is_sound(&store).await;
}

#[tokio::test]
async fn a_database_of_before_gets_its_tables() {
    let Some(database) = Database::postgres() else { return };
    let Database::Postgres { server, url } = &database else { return };
    let store = database.open().await;
    made(&store, None, publish("1.0.0", b"component")).await;
    store.close().await;
    // As the version before left it.
    let sql = "DROP TABLE roll_backs, namespaces, publisher_keys, publisher_key_revocations, signatures; \
               DELETE FROM _sqlx_migrations WHERE version > 1";
    server.run(url, sql);
    let store = database.open().await;
    made(&store, None, sign()).await;
    is_sound(&store).await;
    store.close().await;
}

#[tokio::test]
async fn a_step_that_was_overtaken_is_refused_and_leaves_no_trace() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    made(&store, None, publish("1.0.0", b"component")).await;
    made(&store, None, publish("1.1.0", b"another")).await;
    let activate = |version: &str, known| {
        let (package, version) = ("br/election-content".into(), version.into());
        Change::Activation { package, version, event: ActivationEvent::Activated, known: Some(known) }
    };
    let Change::RollBack { package, version, to_version, to_digest, .. } = roll_back() else { panic!() };
    let back = |known| {
        let (package, version, to_version) = (package.clone(), version.clone(), to_version.clone());
        Change::RollBack { package, version, to_version, to_digest, known: Some(known) }
    };
    made(&store, None, activate("1.0.0", 0)).await;
    // Two hosts let a version serve at the same moment: the second decided without knowing of the first.
    let error = refused(&store, None, activate("1.1.0", 0)).await;
    assert_eq!(error, StoreError::Overtaken { package: "br/election-content".into() });
    made(&store, None, activate("1.1.0", 1)).await;
    assert!(matches!(refused(&store, None, back(1)).await, StoreError::Overtaken { .. }));
    made(&store, None, back(2)).await;
    assert!(matches!(refused(&store, None, activate("1.1.0", 3)).await, StoreError::Overtaken { .. }));
    made(&store, None, activate("1.1.0", 4)).await;
    // Another owner's steps don't count.
    made(&store, Some("acme"), activate("1.0.0", 0)).await;
    assert_eq!((store.activations().await.unwrap().len(), store.roll_backs().await.unwrap().len()), (4, 1));
    is_sound(&store).await;
}
