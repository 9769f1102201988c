//! Judging case after case, in their order, on all cores.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use assize_kernel::{Candidate, Input, Judged, Snapshot, decide};
use assize_ledger::Timestamp;
use assize_registry::PackageName;
use assize_sandbox::contract::Verdict;
use assize_store::{PastDecision, Payloads};
use futures::future::BoxFuture;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::cases::{CaseFile, Mapping, case_of};
use super::report::{Covered, Report};
use super::tally::{Came, Flip, Tally};
use super::worlds::{Trial, Worlds};
use super::{SimulationError, Specification};
use crate::archive::Archive;
use crate::task::{Task, side_by_side};

/// Cases that one task judges: enough that reading and switching don't count, few enough to stop soon.
const AT_ONCE: usize = 128;
/// Tasks under way: more than there are cores on a small machine, so that reading never waits for judging.
const TASKS: usize = 4;

/// How far a simulation is: all that is needed to go on later, or elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The next entry, or the last row that was counted.
    pub next: u64,
    /// One past the last entry that is looked at; a row of a file has no such bound.
    pub end: u64,
    /// The moment of ours whose policies and versions are those of now, however often it is interrupted.
    pub known: Timestamp,
    /// Cases that there are; none where a file is read as it comes.
    pub total: Option<u64>,
    /// What was counted so far.
    pub tally: Tally,
    /// Whether all cases were counted.
    pub done: bool,
}

/// A simulation under way.
pub struct Simulation {
    worlds: Arc<Worlds>,
    archive: Arc<Archive>,
    tenant: Option<String>,
    source: Source,
    state: State,
    /// Time that judging took, on all cores together.
    judging: Duration,
    under_way: VecDeque<Task<Chunk>>,
    exhausted: bool,
    /// The next entry or row to read.
    reading: u64,
}

enum Source {
    Decisions,
    File(CaseFile, Arc<Mapping>),
}

/// Cases that were judged together.
struct Chunk {
    outcomes: Vec<Outcome>,
    next: u64,
    took: Duration,
}

enum Outcome {
    Came(Box<Came>),
    Erased,
    Unreadable(String),
}

impl Simulation {
    /// Over past decisions of a tenant (none: of all), up to what the ledger holds now. `unpublished` are versions that only the
    /// archive has. A `state` of before goes on.
    pub fn over_decisions(
        archive: Arc<Archive>,
        specification: Specification,
        tenant: Option<String>,
        unpublished: HashMap<(PackageName, Version), Candidate>,
        state: Option<State>,
    ) -> BoxFuture<'static, Result<Self, SimulationError>> {
        Box::pin(async move {
            let state = match state {
                Some(state) => state,
                None => {
                    let (end, known) = moment(&archive).await?;
                    let filter = specification.decisions.filter();
                    let total = archive.reader().count_past(tenant.as_deref(), &filter, 0, end).await?;
                    State { end, known, total: Some(total), ..State::default() }
                }
            };
            Self::new(archive, specification, tenant, unpublished, Source::Decisions, state).await
        })
    }

    /// Over a file of cases, which are judged as if they were the tenant's. A `state` of before goes on with the rows after it.
    pub fn over_file(
        archive: Arc<Archive>,
        specification: Specification,
        tenant: String,
        mut file: CaseFile,
        mapping: Mapping,
        state: Option<State>,
    ) -> BoxFuture<'static, Result<Self, SimulationError>> {
        Box::pin(async move {
            mapping.check()?;
            let state = match state {
                Some(state) => state,
                None => State { known: moment(&archive).await?.1, ..State::default() },
            };
            file.skip(state.next)?;
            let source = Source::File(file, Arc::new(mapping));
            Self::new(archive, specification, Some(tenant), HashMap::new(), source, state).await
        })
    }

    async fn new(
        archive: Arc<Archive>,
        specification: Specification,
        tenant: Option<String>,
        unpublished: HashMap<(PackageName, Version), Candidate>,
        source: Source,
        state: State,
    ) -> Result<Self, SimulationError> {
        let worlds = Worlds::new(Arc::clone(&archive), specification, tenant.clone(), unpublished, state.known).await?;
        Ok(Self {
            worlds: Arc::new(worlds),
            archive,
            tenant,
            source,
            judging: Duration::ZERO,
            under_way: VecDeque::new(),
            exhausted: state.done,
            reading: state.next,
            state,
        })
    }

    /// How far it is. Whoever keeps it can go on from there.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Judges some cases more; false once there are none left. Dropping the simulation between two steps loses nothing
    /// that [`Simulation::state`] has.
    pub fn step(&mut self) -> BoxFuture<'_, Result<bool, SimulationError>> {
        Box::pin(async move {
            while self.under_way.len() < TASKS && !self.exhausted {
                let trials = self.read().await?;
                if trials.is_empty() {
                    continue;
                }
                let (worlds, next) = (Arc::clone(&self.worlds), self.reading);
                let mapping = match &self.source {
                    Source::Decisions => Arc::default(),
                    Source::File(_, mapping) => Arc::clone(mapping),
                };
                let tenant = self.tenant.clone().unwrap_or_default();
                self.under_way.push_back(Task::spawn(async move {
                    let started = Instant::now();
                    let outcomes = side_by_side(trials, |trial| outcome(&worlds, trial, &mapping, &tenant)).await;
                    Chunk { outcomes, next, took: started.elapsed() }
                }));
            }
            let Some(first) = self.under_way.pop_front() else {
                self.state.done = true;
                return Ok(false);
            };
            let chunk = first.join().await.map_err(|error| SimulationError::Judging(error.to_string()))?;
            let specification = self.worlds.specification();
            for outcome in chunk.outcomes {
                match outcome {
                    Outcome::Came(came) => self.state.tally.add(*came, specification.alarm.0, specification.listed()),
                    Outcome::Erased => self.state.tally.add_erased(),
                    Outcome::Unreadable(why) => self.state.tally.add_unreadable(&why),
                }
            }
            self.state.next = chunk.next;
            self.judging += chunk.took;
            Ok(true)
        })
    }

    /// Reads the next cases.
    async fn read(&mut self) -> Result<Vec<Trial>, SimulationError> {
        match &mut self.source {
            Source::Decisions => {
                let filter = self.worlds.specification().decisions.filter();
                let limit = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
                let tenant = self.tenant.as_deref();
                let reader = self.archive.reader();
                let rows = reader.past(tenant, &filter, self.reading, self.state.end, limit, Payloads::Inputs).await?;
                self.exhausted = rows.len() < AT_ONCE;
                self.reading = match rows.last() {
                    Some(last) if !self.exhausted => last.row.seq + 1,
                    _ => self.state.end,
                };
                Ok(rows.into_iter().map(|row| Trial::Past(Box::new(row))).collect())
            }
            Source::File(file, _) => {
                let mut trials = Vec::with_capacity(AT_ONCE);
                while trials.len() < AT_ONCE {
                    let Some((row, bytes)) = file.next_row()? else {
                        self.exhausted = true;
                        break;
                    };
                    self.reading = row;
                    trials.push(Trial::Line(row, bytes));
                }
                Ok(trials)
            }
        }
    }

    /// What came out; complete once [`Simulation::step`] says that nothing is left.
    pub fn report(&self) -> Report {
        let covered = match &self.source {
            Source::Decisions => Covered::Decisions { before: self.state.end },
            Source::File(_, mapping) => Covered::File { mapping: (**mapping).clone() },
        };
        Report {
            format: 1,
            specification: self.worlds.specification().clone(),
            tenant: self.tenant.clone(),
            covered,
            engine: self.archive.sandbox().id().clone(),
            complete: self.state.done,
            tally: self.state.tally.clone(),
        }
    }

    /// The time that judging took in this run, on all cores together. It isn't in the report: it never comes out twice.
    pub const fn took(&self) -> Duration {
        self.judging
    }
}

/// Where the ledger ends, and the moment of that: never before an entry, whatever the clock says.
async fn moment(archive: &Archive) -> Result<(u64, Timestamp), SimulationError> {
    let head = archive.reader().head().await?;
    let now = Timestamp::now();
    Ok(head.map_or((0, now), |head| (head.size, head.time.max(now))))
}

async fn outcome(worlds: &Worlds, trial: Trial, mapping: &Mapping, tenant: &str) -> Outcome {
    let judged = match trial {
        Trial::Past(past) => past_outcome(worlds, *past).await,
        Trial::Line(row, bytes) => line_outcome(worlds, row, &bytes, mapping, tenant).await,
    };
    judged.unwrap_or_else(Outcome::Unreadable)
}

async fn past_outcome(worlds: &Worlds, past: PastDecision) -> Result<Outcome, String> {
    let Some(input) = past.input else { return Ok(Outcome::Erased) };
    let input = Input::from_bytes(&input).map_err(|error| error.to_string())?;
    let row = past.row;
    let was = (verdict(&row.verdict)?, row.reason);
    let swapped = worlds.swapped(&row.tenant, row.system.as_deref(), Some(row.snapshot)).await;
    let swapped = swapped.map_err(|error| error.to_string())?;
    let touched = row.snapshot != swapped.hash();
    let before = Before { id: row.id, seq: Some(row.seq), was: was.0, reason: was.1, bad: None };
    judge(worlds, &swapped, touched, input, before).await
}

async fn line_outcome(
    worlds: &Worlds,
    row: u64,
    bytes: &[u8],
    mapping: &Mapping,
    tenant: &str,
) -> Result<Outcome, String> {
    let made = case_of(row, bytes, mapping, tenant).map_err(|why| format!("row {row}: {why}"))?;
    let input = Arc::new(made.input);
    let case = input.case();
    let now = worlds.now(tenant, case.system.as_deref()).await.map_err(|error| error.to_string())?;
    let was = decide(&now, &input).await.map_err(|error| error.to_string())?;
    let (verdict, reason) = (was.conclusion.verdict, was.conclusion.reason.clone());
    let before = Before { id: made.id, seq: None, was: verdict, reason, bad: made.bad };
    if worlds.specification().changes_nothing() {
        return Ok(came_out(&was, &input, before, false));
    }
    let swapped = worlds.swapped(tenant, case.system.as_deref(), None).await.map_err(|error| error.to_string())?;
    let touched = swapped.hash() != now.hash();
    let input = Arc::try_unwrap(input).map_err(|_| "the case is still being judged".to_owned())?;
    judge(worlds, &swapped, touched, input, before).await
}

/// What is known of a case without the simulation.
struct Before {
    id: String,
    seq: Option<u64>,
    was: Verdict,
    reason: String,
    bad: Option<bool>,
}

async fn judge(
    worlds: &Worlds,
    swapped: &Arc<Snapshot>,
    touched: bool,
    input: Input,
    before: Before,
) -> Result<Outcome, String> {
    let day = worlds.specification().changes.rules_as_of;
    let touched = touched || day.is_some_and(|day| day != input.case().rules_as_of);
    let input = match day {
        Some(day) => input.under_rules_of(day),
        None => input,
    };
    let input = Arc::new(input);
    let judged = decide(swapped, &input).await.map_err(|error| error.to_string())?;
    Ok(came_out(&judged, &input, before, touched))
}

fn came_out(judged: &Judged, input: &Input, before: Before, touched: bool) -> Outcome {
    let case = input.case();
    let flip = Flip {
        id: before.id,
        seq: before.seq,
        was: before.was,
        was_reason: before.reason,
        would_be: judged.conclusion.verdict,
        would_be_reason: judged.conclusion.reason.clone(),
        occurred_at: case.occurred_at,
        system: case.system.clone(),
        jurisdictions: case.jurisdictions.clone(),
        bad: before.bad,
    };
    Outcome::Came(Box::new(Came { flip, runs: runs(judged), touched }))
}

fn runs(judged: &Judged) -> Vec<(String, bool, u64)> {
    let run = |run: &assize_kernel::Run| {
        let version = run.version.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        (format!("{}@{version}", run.package), run.status.is_failure(), run.fuel)
    };
    judged.runs.iter().map(run).collect()
}

fn verdict(text: &str) -> Result<Verdict, String> {
    super::tally::VERDICTS
        .into_iter()
        .find(|verdict| verdict.as_str() == text)
        .ok_or_else(|| format!("the recorded verdict {text:?} is none"))
}
