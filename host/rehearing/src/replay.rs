//! The same plugins on the same input: the same, to the byte.

use std::collections::VecDeque;
use std::sync::Arc;

use assize_kernel::{Comparison, Input, Record, RunStatus, Snapshot, WhySkipped, compare, decide};
use assize_ledger::Digest;
use assize_store::{DecisionFilter, PastDecision, Payloads, StoreError};
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
    /// The wall clock ended a call, then or now, and what that call would have said is unknown.
    Inconclusive,
    /// It can't be judged again.
    Impossible,
}

impl State {
    /// What a comparison comes to.
    pub(crate) const fn of(comparison: &Comparison) -> Self {
        match (comparison.identical, comparison.aborted.is_empty()) {
            (true, _) => Self::Identical,
            (false, true) => Self::Different,
            (false, false) => Self::Inconclusive,
        }
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::Different => "different",
            Self::Inconclusive => "inconclusive",
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
            let stored = self.reader().decision(tenant, id).await?;
            let stored = stored.ok_or_else(|| ReplayError::NotFound(id.to_owned()))?;
            let past = PastDecision { row: stored.row, input: stored.input, record: stored.record };
            Ok(self.judge_again(&past).await?)
        })
    }

    /// Judges a past decision again.
    pub fn judge_again<'a>(&'a self, past: &'a PastDecision) -> BoxFuture<'a, Result<Replay, Unreplayable>> {
        Box::pin(async move {
            let PastDecision { row, input, record } = past;
            let erased = |what| Unreplayable::Erased { id: row.id.clone(), what };
            let record = record.as_deref().ok_or_else(|| erased("record"))?;
            let input = input.as_deref().ok_or_else(|| erased("input"))?;
            let unreadable = |what| move |error: String| Unreplayable::Unreadable(what, error);
            let record: Record =
                serde_json::from_slice(record).map_err(|error| unreadable("the record")(error.to_string()))?;
            let input = Input::from_bytes(input).map_err(|error| unreadable("the input")(error.to_string()))?;
            let snapshot = self.snapshot(record.policy.snapshot, |snapshot| needed(&record, snapshot)).await?;
            let judged = decide(&snapshot, &Arc::new(input)).await;
            let judged = judged.map_err(|error| unreadable("the input")(error.to_string()))?;
            let comparison = compare(&record, &judged, self.sandbox().id());
            let state = State::of(&comparison);
            let verdict = record.outcome.verdict.to_string();
            let (id, seq, comparison) = (row.id.clone(), row.seq, Some(comparison));
            Ok(Replay { id, seq, verdict, state, why: None, comparison })
        })
    }
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
                    let rows = reader
                        .past(
                            self.tenant.as_deref(),
                            &self.filter,
                            self.next,
                            self.end,
                            AT_ONCE,
                            Payloads::InputsAndRecords,
                        )
                        .await?;
                    self.next = match rows.last() {
                        Some(last) if rows.len() == AT_ONCE as usize => last.row.seq + 1,
                        _ => self.end,
                    };
                    let archive = Arc::clone(&self.archive);
                    self.under_way.push_back(Task::spawn(async move {
                        let archive = &archive;
                        side_by_side(rows, |past| async move {
                            let replay = archive.judge_again(&past).await;
                            replay.unwrap_or_else(|why| impossible(&past, &why))
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

fn impossible(past: &PastDecision, why: &Unreplayable) -> Replay {
    Replay {
        id: past.row.id.clone(),
        seq: past.row.seq,
        verdict: past.row.verdict.clone(),
        state: State::Impossible,
        why: Some(why.to_string()),
        comparison: None,
    }
}

/// The components that took part, and those of actions that weren't asked for the verdict alone: another verdict would ask
/// them. A plugin that was missing then stays away, so that its binding fails again, as it did.
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
