//! Everything that isn't a decision: checked against what is stored, then recorded with its row.
//!
//! Changes are rare, so each is looked up and written by itself, within the group's transaction.

use std::collections::BTreeMap;

use super::{Group, Sequencer, erasure, publishing, rows};
use crate::StoreError;
use crate::append::{Change, ChangeDraft, Outcome};
use crate::changes::Changes;
use crate::db::{On, int, query_scalar, storage};
use crate::record::ChangeRow;
use crate::seal::Payload;
use crate::writer::{Ending, NewEntry};
use assize_ledger::{AdministrativeFacts, Digest, Draft, EntryKind, Targets, Timestamp};

impl Sequencer {
    /// Writes the first entry of a new log.
    pub(super) async fn open_log(&mut self) -> Result<(), StoreError> {
        let (mut head, halt_epoch) = self.begin().await?;
        if head.size() > 0 {
            // Whoever opens a store loads what is in force after that, with every stop so far.
            self.others.applied(Changes { halt_epoch, ..Changes::default() });
            self.head = Some(head);
            self.writer.undo().await;
            return Ok(());
        }
        let facts = AdministrativeFacts::default();
        let invalid = |error: serde_json::Error| StoreError::Invalid { field: "facts", detail: error.to_string() };
        let sealed = head.append(Draft {
            kind: EntryKind::LogOpened,
            subject: self.origin.clone(),
            time: Timestamp::now(),
            facts: serde_json::to_vec(&facts).map_err(invalid)?,
            input: None,
            record: None,
        })?;
        let (kind, tenant) = (EntryKind::LogOpened.to_string(), String::new());
        let subject = self.origin.clone();
        self.writer.entry(NewEntry { sealed, kind, subject, tenant, payload: Payload::default() }).await?;
        let (decisions, tiles) = (Vec::new(), Vec::new());
        self.writer.commit(Ending { decisions, tiles, head: Some(&head), halt_epoch, changed: false }).await?;
        self.head = Some(head);
        Ok(())
    }

    /// Gives a change its place. The outer error is the group's, the inner one its own.
    pub(super) async fn change(
        &mut self,
        group: &mut Group,
        draft: ChangeDraft,
    ) -> Result<Result<Outcome, StoreError>, StoreError> {
        let ChangeDraft { tenant, time, mut details, confidential, input, mut change } = draft;
        let owner = tenant.clone().unwrap_or_default();
        if let Change::Erase { targets, .. } = &mut change {
            *targets = match erasure::open_targets(self.writer.reading()?, &owner, targets).await? {
                Ok(left) => left,
                Err(error) => return Ok(Err(error)),
            };
        }
        let digest = match admit(self.writer.reading()?, &owner, &change).await? {
            Admitted::New(digest) => digest,
            Admitted::Known(existing) => return Ok(Ok(Outcome::Existing(existing))),
            Admitted::Refused(error) => return Ok(Err(error)),
        };
        // What a simulation found puts nothing in force, and took long to find.
        if !matches!(change, Change::Simulation { .. })
            && let Some(revoked) = revoked(self.writer.reading()?, &details).await?
        {
            return Ok(Err(revoked));
        }
        if let Change::Policy { version, .. } | Change::System { version, .. } = &change {
            details.insert("version".to_owned(), version.to_string());
        }
        if let Change::Erase { basis, targets, .. } = &change {
            details.insert("basis".to_owned(), basis.clone());
            details.insert("targets".to_owned(), Targets::write(targets));
        }
        if let Change::RollBack { to_version, to_digest, .. } = &change {
            details.insert("to".to_owned(), to_version.clone());
            details.insert("to_digest".to_owned(), to_digest.to_string());
        }
        if let Change::Sign { key, .. } = &change {
            details.insert("signed_by".to_owned(), key.clone());
        }
        if let Change::ClaimNamespace { publisher, .. } = &change {
            details.insert("publisher".to_owned(), publisher.clone());
        }
        if let Change::Key { role, .. } = &change {
            details.insert("role".to_owned(), role.clone());
        }
        let row = ChangeRow::new(&owner, &change, digest);
        if let Err(error) = self.writer.holds(row.texts()) {
            return Ok(Err(error));
        }
        let record = row.record(confidential);
        let subject = record.subject().unwrap_or_default();
        let facts = AdministrativeFacts { tenant, subject_digest: record.digest(), details };
        let json = serde_json::to_vec(&facts).and_then(|facts| Ok((facts, serde_json::to_vec(&record)?)));
        let (facts, record) = match json {
            Ok(json) => json,
            Err(error) => return Ok(Err(StoreError::Invalid { field: "details", detail: error.to_string() })),
        };
        let payload = Payload::seal(input, Some(record));
        let (input, record) = payload.commitments();
        let payload = match payload.packed() {
            Ok(payload) => payload,
            Err(error) => return Ok(Err(error)),
        };
        let kind = change.entry_kind();
        let draft = Draft { kind: kind.clone(), subject: subject.clone(), time, facts, input, record };
        let sealed = match group.head.append(draft) {
            Ok(sealed) => sealed,
            Err(error) => return Ok(Err(error.into())),
        };
        let (entry, appended) = group.take(sealed, kind.as_str(), subject, owner, payload);
        self.writer.entry(entry).await?;
        rows::change(self.writer.writing().await?, row, appended.time, appended.seq).await?;
        if let Change::Publish { component, .. } = &change {
            rows::component(self.writer.writing().await?, digest.as_bytes(), component).await?;
        }
        if let Change::Erase { targets, .. } = &change {
            erasure::erase(self.writer.writing().await?, appended.seq, targets).await?;
            self.writer.erased();
        }
        if change.halts() {
            group.halt_epoch += 1;
        }
        group.changed = true;
        Ok(Ok(Outcome::Appended(appended)))
    }
}

/// Whether a change may be made.
pub(super) enum Admitted {
    /// Yes; with the digest of the component that it is about, if it is about one.
    New(Digest),
    /// It was made before, as this.
    Known(String),
    Refused(StoreError),
}

async fn admit(mut on: On<'_>, owner: &str, change: &Change) -> Result<Admitted, StoreError> {
    let failed = storage("looking up what is in force");
    Ok(match change {
        Change::Publish { name, version, component, .. } => {
            let given = Digest::of(component);
            let found: Option<Vec<u8>> =
                query_scalar("SELECT digest FROM packages WHERE tenant = ? AND name = ? AND version = ?")
                    .bind(owner)
                    .bind(name)
                    .bind(version)
                    .fetch_optional(on)
                    .await
                    .map_err(&failed)?;
            match found.map(|found| Digest::try_from(found.as_slice())) {
                None => Admitted::New(given),
                Some(Ok(found)) if found == given => Admitted::Known(format!("{name}@{version}")),
                Some(Ok(found)) => Admitted::Refused(StoreError::VersionExists {
                    package: name.clone(),
                    version: version.clone(),
                    found,
                    given,
                }),
                Some(Err(error)) => {
                    let record = format!("package {name}@{version}");
                    Admitted::Refused(StoreError::Corrupt { record, detail: error.to_string() })
                }
            }
        }
        Change::Activation { package, version, known, .. } => {
            publishing::step(on, owner, (package, version), *known).await?
        }
        Change::RollBack { package, version, to_version, to_digest, known } => {
            let to = (to_version.as_str(), *to_digest);
            publishing::roll_back(on, owner, (package, version), to, *known).await?
        }
        Change::Sign { package, version, key, .. } => publishing::signature(on, owner, (package, version), key).await?,
        Change::ClaimNamespace { namespace, publisher } => publishing::claim(on, owner, namespace, publisher).await?,
        Change::PublisherKey { namespace, key } => publishing::key(on, owner, namespace, key).await?,
        Change::PublisherKeyRevoked { key, .. } => publishing::revocation(on, owner, key).await?,
        Change::Policy { scope, version, .. } => {
            let newest = query_scalar("SELECT max(version) FROM policies WHERE tenant = ? AND scope = ?");
            let newest: Option<i64> = newest.bind(owner).bind(scope).fetch_one(on).await.map_err(&failed)?;
            next_version("policy", scope, newest, *version)
        }
        Change::System { id, version, .. } => {
            let newest = query_scalar("SELECT max(version) FROM systems WHERE tenant = ? AND id = ?");
            let newest: Option<i64> = newest.bind(owner).bind(id).fetch_one(on).await.map_err(&failed)?;
            next_version("system", id, newest, *version)
        }
        Change::Key { id, hash, .. } => {
            let taken = query_scalar("SELECT count(*) FROM keys WHERE id = ? OR hash = ?");
            let taken = taken.bind(id).bind(hash.as_bytes().as_slice());
            let taken: i64 = taken.fetch_one(on).await.map_err(&failed)?;
            if taken == 0 {
                Admitted::New(*hash)
            } else {
                Admitted::Refused(StoreError::Exists { subject: format!("key {id}") })
            }
        }
        Change::LogKey { key, before } => log_key(on, key, before.as_deref()).await?,
        Change::Erase { id, targets, .. } if targets.is_empty() => Admitted::Known(id.clone()),
        Change::Erase { cause, .. } => {
            erasure::admit(on, owner, cause).await?.map_or(Admitted::New(Digest::ZERO), Admitted::Refused)
        }
        Change::Simulation { id, .. } => {
            let known = query_scalar("SELECT count(*) FROM simulations WHERE id = ?").bind(id);
            let known: i64 = known.fetch_one(on).await.map_err(&failed)?;
            if known == 0 { Admitted::New(Digest::ZERO) } else { Admitted::Known(id.clone()) }
        }
        Change::Export { .. } | Change::Stamp { .. } | Change::Retain { .. } => Admitted::New(Digest::ZERO),
        Change::KeyRevoked { id } => {
            let known = query_scalar("SELECT count(*) FROM keys WHERE id = ? AND tenant = ?").bind(id).bind(owner);
            let known: i64 = known.fetch_one(on.again()).await.map_err(&failed)?;
            let revoked = query_scalar("SELECT count(*) FROM key_revocations WHERE id = ?").bind(id);
            let revoked: i64 = revoked.fetch_one(on).await.map_err(&failed)?;
            match (known, revoked) {
                (0, _) => Admitted::Refused(StoreError::NotFound { subject: format!("key {id}") }),
                (_, 0) => Admitted::New(Digest::ZERO),
                _ => Admitted::Known(id.clone()),
            }
        }
    })
}

/// Whether the key of whoever asks for a change was revoked by an entry before this one, whichever host recorded it.
async fn revoked(on: On<'_>, details: &BTreeMap<String, String>) -> Result<Option<StoreError>, StoreError> {
    let Some(key) = details.get("key") else { return Ok(None) };
    let revoked = query_scalar("SELECT count(*) FROM key_revocations WHERE id = ?").bind(key);
    let revoked: i64 = revoked.fetch_one(on).await.map_err(storage("looking up who asks"))?;
    Ok((revoked > 0).then(|| StoreError::Revoked { key: key.clone() }))
}

/// A key of the log follows the newest, which vouches for it. Of two that follow one, nobody could tell which is the log's, for good.
async fn log_key(mut on: On<'_>, key: &str, before: Option<&str>) -> Result<Admitted, StoreError> {
    let failed = storage("looking up the log's keys");
    let known = query_scalar("SELECT count(*) FROM log_keys WHERE key = ?").bind(key);
    let known: i64 = known.fetch_one(on.again()).await.map_err(&failed)?;
    if known > 0 {
        return Ok(Admitted::Known(key.to_owned()));
    }
    let newest = query_scalar("SELECT key FROM log_keys ORDER BY seq DESC LIMIT 1");
    let newest: Option<String> = newest.fetch_optional(on).await.map_err(&failed)?;
    if newest.as_deref() == before {
        return Ok(Admitted::New(Digest::ZERO));
    }
    let or_none = |key: Option<&str>| key.unwrap_or("none").to_owned();
    let (newest, before) = (or_none(newest.as_deref()), or_none(before));
    Ok(Admitted::Refused(StoreError::LogKey { newest, before }))
}

fn next_version(what: &str, name: &str, newest: Option<i64>, given: u64) -> Admitted {
    let expected = u64::try_from(newest.unwrap_or(0)).unwrap_or(0) + 1;
    if given == expected && int(given) < i64::MAX {
        Admitted::New(Digest::ZERO)
    } else {
        Admitted::Refused(StoreError::VersionConflict { subject: format!("{what} {name}"), expected, given })
    }
}
