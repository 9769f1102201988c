//! Cases to record, as a server would make them.
#![allow(dead_code, clippy::unwrap_used, clippy::missing_panics_doc)]

pub(crate) mod database;
pub(crate) mod postgres;

use std::collections::BTreeMap;
use std::sync::Arc;

use assize_ledger::{
    Algorithm, Checkpoint, DecisionFacts, Digest, Note, PluginFact, SignerKey, Timestamp, key_statement,
};
use assize_store::{
    ActivationEvent, Change, ChangeDraft, DecisionDraft, EffectDraft, ErasureCause, Idempotency, Outcome, Store,
    SystemEvent,
};
use serde_json::json;
use serde_json::value::RawValue;

pub(crate) const ORIGIN: &str = "example.org/log";
pub(crate) const SNAPSHOT: &[u8] = br#"{"policy":"everything in force"}"#;

pub(crate) fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_750_000_000_000 + millis).unwrap()
}

pub(crate) fn decision(n: u64) -> DecisionDraft {
    decision_for("acme", n)
}

pub(crate) fn decision_for(tenant: &str, n: u64) -> DecisionDraft {
    build(tenant, n, n.is_multiple_of(3), n % 3)
}

/// A decision with or without an idempotency key, and with so many effects.
pub(crate) fn build(tenant: &str, n: u64, key: bool, effects: u64) -> DecisionDraft {
    let id = format!("01890a5d-ac96-774b-bcce-{n:012}");
    let idempotency = key.then(|| Idempotency { key: format!("key {n}"), body_hash: Digest::of(&n.to_be_bytes()) });
    let system = (!n.is_multiple_of(5)).then(|| format!("chat-{}", n % 3));
    let facts = DecisionFacts {
        tenant: tenant.to_owned(),
        system: system.clone(),
        environment: if n.is_multiple_of(2) { "production" } else { "staging" }.to_owned(),
        verdict: ["allow", "warn", "review", "block"].get((n % 4) as usize).copied().unwrap().to_owned(),
        reason: "RISK_THRESHOLD".to_owned(),
        risk_score: n as f64 / 7.0 + 0.1,
        confidence: 0.1 + 0.2,
        occurred_at: time(n),
        rules_as_of: time(n + 1),
        snapshot: Digest::of(SNAPSHOT),
        plugins: vec![PluginFact {
            package: "br/election-content".to_owned(),
            version: Some("1.4.0".to_owned()),
            digest: Some(Digest::of(b"component")),
            status: "ok".to_owned(),
            counted: None,
        }],
        engine: Digest::of(b"engine"),
        kill_switch: n.is_multiple_of(11),
        re_evaluates: None,
    };
    let effects: Vec<EffectDraft> = (0..effects)
        .map(|effect| EffectDraft {
            binding: format!("alert-{effect}"),
            kind: "webhook".to_owned(),
            body: format!(r#"{{"to": "https://example.org/{effect}"}}"#).into_bytes(),
        })
        .collect();
    let planned: Vec<_> = effects
        .iter()
        .map(|effect| {
            let body = RawValue::from_string(String::from_utf8(effect.body.clone()).unwrap()).unwrap();
            Effect { binding: &effect.binding, kind: &effect.kind, body }
        })
        .collect();
    let head = json!({
        "format": 1,
        "identity": {
            "id": id, "tenant": tenant, "system": system, "environment": facts.environment, "kind": "content",
            "idempotency_key": idempotency.as_ref().map(|same| &same.key),
            "data_subject": n.is_multiple_of(4).then(|| format!("person-{}", n % 16)),
            "body_hash": idempotency.as_ref().map(|same| same.body_hash),
        },
        "times": {
            "received": time(n + 2), "decided": time(n + 3),
            "occurred_at": facts.occurred_at, "rules_as_of": facts.rules_as_of,
        },
        "plugins": facts.plugins,
        "policy": { "snapshot": facts.snapshot, "layers": [] },
        "outcome": {
            "verdict": facts.verdict, "reason": facts.reason, "kill_switch": facts.kill_switch,
            "risk": { "score": facts.risk_score, "confidence": facts.confidence, "scorecards": [] },
        },
    });
    let head = serde_json::to_string(&head).unwrap();
    let record =
        format!(r#"{},"effects":{}}}"#, head.strip_suffix('}').unwrap(), serde_json::to_string(&planned).unwrap());
    DecisionDraft {
        id,
        facts,
        kind: "content".to_owned(),
        received_at: time(n + 2),
        decided_at: time(n + 3),
        idempotency,
        input: format!(r#"{{"text":"case {n}"}}"#).into_bytes(),
        record: record.into_bytes(),
        effects,
        data_subject: n.is_multiple_of(4).then(|| format!("person-{}", n % 16)),
        snapshot: Some(Arc::from(SNAPSHOT)),
        halt_epoch: 0,
    }
}

#[derive(serde::Serialize)]
struct Effect<'a> {
    binding: &'a str,
    kind: &'a str,
    body: Box<RawValue>,
}

pub(crate) fn change(tenant: Option<&str>, change: Change) -> ChangeDraft {
    ChangeDraft {
        tenant: tenant.map(str::to_owned),
        time: time(0),
        details: BTreeMap::from([("by".to_owned(), "key-1".to_owned())]),
        confidential: BTreeMap::from([("operator".to_owned(), "Ana".to_owned())]),
        input: None,
        change,
    }
}

pub(crate) fn publish(version: &str, component: &[u8]) -> Change {
    Change::Publish {
        name: "br/election-content".to_owned(),
        version: version.to_owned(),
        kind: "compliance-rule".to_owned(),
        contract: "1.0.0".to_owned(),
        manifest: r#"{"title":"Eleições"}"#.to_owned(),
        component: Arc::from(component),
    }
}

/// Records decisions `from..to`, all at once, so that they meet in groups.
pub(crate) async fn record(store: &Store, from: u64, to: u64) -> Vec<Outcome> {
    let all: Vec<_> = (from..to)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.decide(decision(n)).await.unwrap() })
        })
        .collect();
    let mut outcomes = Vec::new();
    for one in all {
        outcomes.push(one.await.unwrap());
    }
    outcomes
}

/// Puts something into every table.
pub(crate) async fn fill(store: &Store) {
    introduce_key(store).await;
    record(store, 0, 200).await;
    checkpoint(store).await;
    let system = |version, event| Change::System { id: "chat".into(), version, bytes: b"{\"v\":1}".to_vec(), event };
    let activate = |event| Change::Activation {
        package: "br/election-content".into(),
        version: "1.0.0".into(),
        event,
        known: None,
    };
    let key = Change::Key { id: "k1".into(), hash: Digest::of(b"key"), role: "app".into(), label: "shop".into() };
    for (tenant, change_) in [
        (None, publish("1.0.0", b"component")),
        (None, publish("1.1.0", b"another component")),
        (None, activate(ActivationEvent::Activated)),
        (Some("acme"), activate(ActivationEvent::Yanked)),
        (None, roll_back()),
        (None, claim()),
        (None, Change::PublisherKey { namespace: "br".into(), key: publisher().public().to_string() }),
        (None, sign()),
        (None, Change::PublisherKeyRevoked { namespace: "br".into(), key: publisher().public().to_string() }),
        (None, Change::Policy { scope: "global".into(), version: 1, bytes: b"{\"weights\":{}}".to_vec() }),
        (Some("acme"), system(1, SystemEvent::Registered)),
        (Some("acme"), system(2, SystemEvent::EmergencyStop)),
        (Some("acme"), key),
        (Some("acme"), Change::KeyRevoked { id: "k1".into() }),
    ] {
        store.change(change(tenant, change_)).await.unwrap();
    }
    for change_ in [
        Change::Export { id: "export-1".into(), first: 0, last: 100 },
        Change::Stamp { authority: "tsa".into(), size: 202, gen_time: time(5), token: b"token".to_vec() },
        Change::Retain { payloads: "30d".into() },
        Change::Simulation { id: "simulation-1".into(), report: b"{\"format\":1}".to_vec() },
    ] {
        store.change(change(Some("acme"), change_)).await.unwrap();
    }
    erase(store, "acme", &[20, 21, 25]).await;
    let epoch = store.halt_epoch();
    for n in 200..320 {
        let draft = DecisionDraft { halt_epoch: epoch, ..decision(n) };
        store.decide(draft).await.unwrap();
    }
    checkpoint(store).await;
    cosign(store).await;
}

/// From 1.1.0 back to 1.0.0.
pub(crate) fn roll_back() -> Change {
    Change::RollBack {
        package: "br/election-content".into(),
        version: "1.1.0".into(),
        to_version: "1.0.0".into(),
        to_digest: Digest::of(b"component"),
        known: None,
    }
}

/// The namespace of the packages here.
pub(crate) fn claim() -> Change {
    Change::ClaimNamespace { namespace: "br".into(), publisher: "Publisher".into() }
}

/// The key that signs packages in it.
pub(crate) fn publisher() -> SignerKey {
    SignerKey::from_seed("br", Algorithm::Ed25519, [3; 32]).unwrap()
}

/// Its signature over 1.0.0; what is signed isn't the store's concern.
pub(crate) fn sign() -> Change {
    let (package, version) = ("br/election-content".into(), "1.0.0".into());
    Change::Sign { package, version, key: publisher().public().to_string(), note: "a note\n".into() }
}

/// The key that signs the log.
pub(crate) fn log_key() -> SignerKey {
    SignerKey::from_seed(ORIGIN, Algorithm::Ed25519, [7; 32]).unwrap()
}

/// A key that doesn't.
pub(crate) fn other_key() -> SignerKey {
    SignerKey::from_seed(ORIGIN, Algorithm::Ed25519, [8; 32]).unwrap()
}

/// Introduces the log's key.
pub(crate) async fn introduce_key(store: &Store) {
    introduce(store, &log_key(), None).await;
}

/// Introduces another one in its place.
pub(crate) async fn replace_key(store: &Store) {
    introduce(store, &other_key(), Some(&log_key())).await;
}

async fn introduce(store: &Store, new: &SignerKey, old: Option<&SignerKey>) {
    let statement = key_statement(ORIGIN, new, old).unwrap().to_string();
    let mut draft =
        change(None, Change::LogKey { key: new.public().to_string(), before: old.map(|old| old.public().to_string()) });
    draft.details.insert("statement".to_owned(), statement);
    store.change(draft).await.unwrap();
}

/// A witness.
pub(crate) fn witness() -> SignerKey {
    SignerKey::from_seed("example.org/witness", Algorithm::Cosignature, [9; 32]).unwrap()
}

/// Has it sign the newest checkpoint.
pub(crate) async fn cosign(store: &Store) {
    let newest = store.checkpoint().await.unwrap().unwrap();
    let witness = witness();
    let mut note = Note::parse(&newest.note).unwrap();
    note.cosign(&witness, time(0));
    let line = note.signatures().last().unwrap().to_string();
    store.put_cosignature(newest.size, witness.public().to_string(), line).await.unwrap();
}

/// Erases what some decisions of a tenant bind.
pub(crate) async fn erase(store: &Store, tenant: &str, targets: &[u64]) -> Outcome {
    let targets = targets.iter().copied().collect();
    let erase = Change::Erase {
        id: format!("erasure of {targets:?}"),
        basis: "GDPR Art. 17".into(),
        cause: ErasureCause::Request,
        targets,
    };
    store.change(change(Some(tenant), erase)).await.unwrap()
}

/// Signs where the log stands.
pub(crate) async fn checkpoint(store: &Store) {
    let head = store.head().await.unwrap().unwrap();
    let note = Checkpoint::new(ORIGIN, head.size, head.root).sign(&log_key()).unwrap();
    store.put_checkpoint(head.size, note.to_string().into_bytes()).await.unwrap();
}
