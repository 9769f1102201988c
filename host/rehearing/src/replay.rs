//! The same plugins on the same input: the same, to the byte.

use std::collections::VecDeque;
use std::sync::Arc;

use assize_kernel::{Comparison, Input, Record, RunStatus, Snapshot, WhySkipped, compare, decide};
use assize_ledger::Digest;
use assize_store::{Altered, DecisionFilter, DecisionRow, SealedRow, StoreError};
use futures::future::BoxFuture;
use serde::Serialize;

use crate::archive::{Archive, ArchiveError};
use crate::task::{Task, side_by_side};

/// What a replay came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It came out the same, to the bit.
    Identical,
    /// It came out otherwise.
    Different,
    /// A call's answer is unknown, and no replay tells it: the wall clock ended the call, then or now, or the component
    /// wasn't loaded when the case was judged.
    Inconclusive,
    /// What it was judged from was erased, by the word of the tables: that an entry bears it out is for `assize ledger verify`.
    Erased,
    /// It can't be judged again.
    Impossible,
}

impl State {
    /// What a comparison comes to.
    pub(crate) const fn of(comparison: &Comparison) -> Self {
        match (comparison.identical, comparison.aborted.is_empty(), comparison.absent.is_empty()) {
            (true, true, true) => Self::Identical,
            // What wasn't loaded then isn't asked now either: it makes no difference.
            (false, true, _) => Self::Different,
            _ => Self::Inconclusive,
        }
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::Different => "different",
            Self::Inconclusive => "inconclusive",
            Self::Erased => "erased",
            Self::Impossible => "impossible",
        }
    }
}

/// A decision judged again.
#[derive(Debug, Serialize)]
pub struct Replay {
    /// Which.
    pub id: String,
    /// Its entry.
    pub seq: u64,
    /// Its verdict, as recorded.
    pub verdict: String,
    /// What the replay came to.
    pub state: State,
    /// Why it can't be judged again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What the two have in common, and what not.
    #[serde(flatten)]
    pub comparison: Option<Comparison>,
}

/// Why a decision can't be judged again.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Unreplayable {
    #[error("the {what} of decision {id} was erased: the record can still be proven, but not judged again")]
    Erased { id: String, what: &'static str },
    #[error("{0} can't be read: {1}; run `assize ledger verify`")]
    Unreadable(&'static str, String),
    #[error(transparent)]
    Altered(#[from] Altered),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// Why there is no replay at all.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ReplayError {
    #[error("there is no decision {0}")]
    NotFound(String),
    #[error(transparent)]
    Impossible(#[from] Unreplayable),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Archive {
    /// Judges decision `id` again: the recorded snapshot and input, the archived components, the same `decide`. `tenant`
    /// restricts whose decision it may be. Effects are planned again and never carried out.
    pub fn replay<'a>(&'a self, tenant: Option<&'a str>, id: &'a str) -> BoxFuture<'a, Result<Replay, ReplayError>> {
        Box::pin(async move {
            let stored = self.reader().bound(tenant, id).await?;
            let stored = stored.ok_or_else(|| ReplayError::NotFound(id.to_owned()))?;
            Ok(self.judge_again(&stored).await?)
        })
    }

    /// Judges a past decision again.
    fn judge_again<'a>(&'a self, stored: &'a Stored) -> BoxFuture<'a, Result<Replay, Unreplayable>> {
        Box::pin(async move {
            let (input, record) = as_written(stored)?;
            let (row, ..) = stored;
            let snapshot = self.snapshot(record.policy.snapshot, |snapshot| needed(&record, snapshot)).await?;
            let judged = decide(&snapshot, &Arc::new(input)).await;
            let judged = judged.map_err(|error| Unreplayable::Unreadable("the input", error.to_string()))?;
            let comparison = compare(&record, &judged, self.sandbox().id());
            let state = State::of(&comparison);
            let verdict = record.outcome.verdict.to_string();
            let (id, seq, comparison) = (row.id.clone(), row.seq, Some(comparison));
            Ok(Replay { id, seq, verdict, state, why: None, comparison })
        })
    }
}

/// A decision as the store has it: its columns, its entry's exact bytes, and what that binds, with salts.
type Stored = (DecisionRow, Vec<u8>, SealedRow);

/// Input and record of a decision, where they are the very ones that its entry binds.
fn as_written(stored: &Stored) -> Result<(Input, Record), Unreplayable> {
    let (row, entry, sealed) = stored;
    let [input, record] = sealed.payloads(&row.id, entry)?;
    let erased = |what| move || Unreplayable::Erased { id: row.id.clone(), what };
    let (record, input) = (record.ok_or_else(erased("record"))?, input.ok_or_else(erased("input"))?);
    let record: Record =
        serde_json::from_slice(record).map_err(|error| Unreplayable::Unreadable("the record", error.to_string()))?;
    let input = Input::from_bytes(input).map_err(|error| Unreplayable::Unreadable("the input", error.to_string()))?;
    let named = [("record", &record.identity.id), ("input", &input.case().id)];
    for (what, id) in named {
        if *id != row.id {
            let detail = format!("it is of decision {id}");
            return Err(Altered { id: row.id.clone(), what, detail }.into());
        }
    }
    Ok((input, record))
}

/// Many decisions, judged again in the order of the ledger, on all cores and in constant memory.
pub struct Replays {
    archive: Arc<Archive>,
    tenant: Option<String>,
    filter: DecisionFilter,
    next: u64,
    end: u64,
    under_way: VecDeque<Task<Vec<Replay>>>,
    ready: VecDeque<Replay>,
}

/// Decisions that one task judges again: enough that reading and switching don't count, few enough to stay small.
const AT_ONCE: u32 = 256;
/// Tasks under way: one more than there are cores here keeps both busy while the next rows are read.
const TASKS: usize = 4;

impl Replays {
    /// Decisions of entries `from` to before `end` that the filter selects.
    pub fn new(archive: Arc<Archive>, tenant: Option<String>, filter: DecisionFilter, from: u64, end: u64) -> Self {
        let (under_way, ready) = (VecDeque::new(), VecDeque::new());
        Self { archive, tenant, filter, next: from, end, under_way, ready }
    }

    /// The next one; none after the last. One that can't be judged again says why.
    pub async fn next(&mut self) -> Result<Option<Replay>, StoreError> {
        self.advance().await
    }

    /// In a box, so that it is compiled here, and not again by everybody who waits for it (decision 0035).
    fn advance(&mut self) -> BoxFuture<'_, Result<Option<Replay>, StoreError>> {
        Box::pin(async move {
            loop {
                if let Some(replay) = self.ready.pop_front() {
                    return Ok(Some(replay));
                }
                while self.under_way.len() < TASKS && self.next < self.end {
                    let reader = self.archive.reader();
                    let tenant = self.tenant.as_deref();
                    let rows = reader.past_bound(tenant, &self.filter, self.next, self.end, AT_ONCE).await?;
                    self.next = match rows.last() {
                        Some((last, ..)) if rows.len() == AT_ONCE as usize => last.seq + 1,
                        _ => self.end,
                    };
                    let archive = Arc::clone(&self.archive);
                    self.under_way.push_back(Task::spawn(async move {
                        let archive = &archive;
                        side_by_side(rows, |stored| async move {
                            let replay = archive.judge_again(&stored).await;
                            replay.unwrap_or_else(|why| unreplayable(&stored.0, &why))
                        })
                        .await
                    }));
                }
                let Some(first) = self.under_way.pop_front() else { return Ok(None) };
                let replays = first.join().await.map_err(|error| StoreError::Storage {
                    action: "judging past decisions again",
                    detail: error.to_string(),
                })?;
                self.ready = replays.into();
            }
        })
    }
}

fn unreplayable(row: &DecisionRow, why: &Unreplayable) -> Replay {
    Replay {
        id: row.id.clone(),
        seq: row.seq,
        verdict: row.verdict.clone(),
        state: if matches!(why, Unreplayable::Erased { .. }) { State::Erased } else { State::Impossible },
        why: Some(why.to_string()),
        comparison: None,
    }
}

/// The components that took part, and those of actions that weren't asked for the verdict alone: another verdict would ask
/// them. A plugin that was missing then stays away, so that its binding fails again, as it did: whatever else differs is
/// seen, and [`Comparison::absent`] says that this much is the host's word.
pub(crate) fn needed(record: &Record, snapshot: &Snapshot) -> Vec<Digest> {
    let ran = record.plugins.iter().filter(|run| run.status != RunStatus::Missing).filter_map(|run| run.digest);
    let waiting = record.skipped.iter().filter(|skipped| skipped.reason == WhySkipped::OtherVerdict);
    let of_waiting = waiting.filter_map(|skipped| {
        let bound = snapshot
            .bindings()
            .iter()
            .find(|bound| bound.layer == skipped.layer && bound.binding.name == skipped.binding)?;
        let candidate =
            bound.candidates.iter().find(|candidate| Some(&candidate.version) == skipped.version.as_ref())?;
        Some(candidate.digest)
    });
    ran.chain(of_waiting).collect()
}

#[cfg(test)]
mod tests {
    use assize_ledger::{Bundle, DecisionFacts, Entry, EntryRef, PayloadKind, Salt};

    use super::*;

    /// A decision of the archive, as a store has it.
    fn stored() -> Stored {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/archive/1.1.0/answers.bundle");
        let bundle = Bundle::read(std::fs::File::open(file).unwrap()).unwrap();
        let seq = bundle.header.seq;
        let bytes = bundle.entries.iter().find(|entry| entry.seq == seq).unwrap().bytes.clone();
        let entry = EntryRef::decode(&bytes).unwrap();
        let facts: DecisionFacts = serde_json::from_slice(entry.facts).unwrap();
        let part = |kind| {
            let found = bundle.payloads.iter().find(|(found, ..)| *found == kind);
            found.map(|(_, salt, bytes)| (salt.clone(), bytes.clone()))
        };
        let (input, record) = (part(PayloadKind::Input), part(PayloadKind::Record));
        let row = DecisionRow {
            id: entry.subject.to_owned(),
            seq,
            entry_hash: Digest::ZERO,
            tenant: facts.tenant,
            system: facts.system,
            environment: facts.environment,
            kind: "prompt".to_owned(),
            verdict: facts.verdict,
            reason: facts.reason,
            risk_score: facts.risk_score,
            confidence: facts.confidence,
            occurred_at: facts.occurred_at,
            rules_as_of: facts.rules_as_of,
            received_at: entry.time,
            decided_at: entry.time,
            snapshot: facts.snapshot,
            kill_switch: facts.kill_switch,
            idempotency_key: None,
            body_hash: None,
        };
        (row, bytes, SealedRow { seq, input, record, erased_by: None })
    }

    #[test]
    fn what_the_entry_binds_is_judged_again() {
        let stored = stored();
        let (input, record) = as_written(&stored).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((&record.identity.id, &input.case().id), (&stored.0.id, &stored.0.id));
    }

    #[test]
    fn what_the_entry_does_not_bind_is_not() {
        let why = |alter: fn(&mut Stored)| {
            let mut stored = stored();
            alter(&mut stored);
            as_written(&stored).err().unwrap().to_string()
        };
        let refused = |alter: fn(&mut Stored), part: &str, detail: &str| {
            let why = why(alter);
            assert!(why.starts_with(&format!("the {part} of decision ")), "{why}");
            assert!(why.contains("isn't the one that was written") && why.contains(detail), "{why}");
            assert!(why.ends_with("run `assize ledger verify`"), "{why}");
        };
        // A space more means the same, and isn't what was committed to.
        refused(|(.., sealed)| sealed.record.as_mut().unwrap().1.push(b' '), "record", "in the entry");
        refused(|(.., sealed)| sealed.input.as_mut().unwrap().1.push(b' '), "input", "in the entry");
        refused(|(.., sealed)| sealed.record.as_mut().unwrap().0 = Salt::from_bytes([7; 32]), "record", "in the entry");
        refused(|(.., sealed)| sealed.record = None, "record", "no erasure");
        refused(|(row, ..)| row.id.push('0'), "entry", "it is of decision");
        // An entry of another decision that binds these.
        let moved = |(row, bytes, _): &mut Stored| {
            row.id.push('0');
            let mut entry = Entry::decode(bytes).unwrap();
            entry.subject.clone_from(&row.id);
            *bytes = entry.encode().unwrap();
        };
        refused(moved, "record", "it is of decision");
        let erased = why(|(.., sealed)| (sealed.record, sealed.erased_by) = (None, Some(99)));
        assert!(erased.contains("was erased"), "{erased}");
    }

    #[test]
    fn an_answer_that_nobody_knows_leaves_it_open() {
        let state = |identical: bool, aborted: &[&str], absent: &[&str]| {
            let named = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
            let (aborted, absent) = (named(aborted), named(absent));
            let (differences, outputs, fuel_compared) = (Vec::new(), Vec::new(), true);
            State::of(&Comparison { identical, differences, outputs, aborted, absent, fuel_compared })
        };
        assert_eq!(state(true, &[], &[]), State::Identical);
        assert_eq!(state(false, &[], &[]), State::Different);
        assert_eq!(state(true, &["slow"], &[]), State::Inconclusive);
        assert_eq!(state(false, &["slow"], &[]), State::Inconclusive);
        assert_eq!(state(true, &[], &["away"]), State::Inconclusive);
        assert_eq!(state(false, &["slow"], &["away"]), State::Inconclusive);
        // It stays away, and so isn't what differs.
        assert_eq!(state(false, &[], &["away"]), State::Different);
    }
}
