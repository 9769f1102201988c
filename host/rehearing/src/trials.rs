//! What candidates said beside what they are candidates for, counted from the records.

use std::collections::{BTreeMap, VecDeque};

use assize_kernel::{Binding, Mode, Policy, Record, Run, RunStatus, Skipped, Thresholds};
use assize_ledger::{Digest, Timestamp};
use assize_registry::{Kind, PackageName};
use assize_sandbox::contract::Verdict;
use assize_store::{DecisionFilter, PastDecision, Payloads, PolicyRow, Reader, StoreError};
use futures::future::BoxFuture;
use semver::VersionReq;
use serde::{Deserialize, Serialize};

use crate::scope::Scope;

/// Decisions that one report looks at, at most: half a second of reading.
pub const MOST_DECISIONS: u32 = 10_000;
/// Decisions that a flip names, at most.
const NAMED: usize = 20;
/// Decisions read at once.
const AT_ONCE: u32 = 256;

/// What is on trial in a scope's policy, and how it goes.
#[derive(Debug, Serialize)]
pub struct Trials {
    /// The scope.
    pub scope: String,
    /// Its policy's version.
    pub version: u64,
    /// Decisions that were looked at: the newest …
    pub looked_at: u64,
    /// … of so many since the first of these trials began, or since the moment that was asked for.
    pub of: u64,
    /// Of those looked at, the ones whose records are erased: they say nothing any more.
    pub erased: u64,
    /// In the order of the policy.
    pub trials: Vec<Trial>,
}

/// One candidate.
#[derive(Debug, Serialize)]
pub struct Trial {
    /// Its binding.
    pub binding: String,
    /// Shadow or canary.
    pub mode: Mode,
    /// The live binding that it is a candidate for.
    pub instead_of: Option<String>,
    /// The policy's version that introduced it: both bindings have stood like this since.
    pub since: Beginning,
    /// Decisions looked at that it was bound in, without those of stopped systems: nobody is asked in them.
    pub cases: u64,
    /// Cases in which its answer counted.
    pub counted: u64,
    /// Cases in which both said the same; see [`Flip::was`]. Without anything that it is instead of: in which it demands nothing.
    pub agreed: u64,
    /// `agreed` of `cases`, 0 to 1; none without cases.
    pub agreement: Option<f64>,
    /// The other cases, by what was said; the most frequent first.
    pub flips: Vec<Flip>,
    /// How far the scores lie apart, where both gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<Distance>,
    /// The candidate's calls.
    pub candidate: Side,
    /// The calls of what it is instead of.
    pub incumbent: Option<Side>,
}

/// Since when there is a trial.
#[derive(Debug, Clone, Copy, Serialize)]
#[allow(missing_docs)]
pub struct Beginning {
    pub version: u64,
    pub at: Timestamp,
    pub seq: u64,
}

/// Cases in which the two said different things.
#[derive(Debug, Serialize)]
pub struct Flip {
    /// What the live binding said: a rule its verdict; an agent the verdict that its score alone amounts to by the case's
    /// thresholds; an action the kinds of its effects (`alert+webhook`, `no_effects`). `failed` without an answer, `not_applicable`
    /// where it was passed over, `absent` where the candidate is for nobody's place.
    pub was: String,
    /// What the candidate said, in the same words.
    pub would_be: String,
    /// How many.
    pub cases: u64,
    /// The ids of the newest of them, twenty at most.
    pub decisions: Vec<String>,
}

/// How far the scores of two agents lie apart, in points.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Distance {
    /// Cases in which both gave one.
    pub cases: u64,
    /// The mean of |candidate − live|.
    pub mean: f64,
    /// The greatest.
    pub max: f64,
    /// The first decision that has the greatest; none where they never differ.
    pub max_in: Option<String>,
}

/// The calls for one binding.
#[derive(Debug, Serialize)]
pub struct Side {
    /// The binding.
    pub binding: String,
    /// `namespace/name`.
    pub plugin: PackageName,
    /// Which versions may run.
    pub version: VersionReq,
    /// Which did, and how often.
    pub versions: BTreeMap<String, u64>,
    /// Calls.
    pub asked: u64,
    /// Those without an answer, by status.
    pub failures: BTreeMap<&'static str, u64>,
    /// Half of the calls took no longer, in microseconds.
    pub p50_us: Option<u64>,
    /// 95 of a hundred took no longer.
    pub p95_us: Option<u64>,
}

/// Reports on the trials of a scope's newest policy; none where the scope has no policy. `tenant` restricts whose decisions are
/// looked at, `since` to those judged then or later, `most` how many.
pub fn trials<'a>(
    reader: &'a Reader,
    scope: &'a Scope,
    tenant: Option<&'a str>,
    since: Option<Timestamp>,
    most: u32,
) -> BoxFuture<'a, Result<Option<Trials>, StoreError>> {
    Box::pin(async move {
        let history = reader.policy_history(scope.tenant(), &scope.name()).await?;
        let Some(newest) = history.last() else { return Ok(None) };
        let mut tally = Tally { layer: scope.layer(), looked_at: 0, erased: 0, candidates: candidates(&history)? };
        let system = match scope {
            Scope::System(_, id) => Some(id.clone()),
            Scope::Global | Scope::Tenant(_) => None,
        };
        let filter = DecisionFilter { system, from: since, ..DecisionFilter::default() };
        let tenant = scope.tenant().or(tenant);
        let mut of = 0;
        if let Some(first) = tally.candidates.iter().map(|candidate| candidate.since.seq).min() {
            let end = reader.head().await?.map_or(0, |head| head.size);
            of = reader.count_past(tenant, &filter, first, end).await?;
            let mut next = reader.newest_from(tenant, &filter, first, end, most).await?;
            while next < end {
                let rows = reader.past(tenant, &filter, next, end, AT_ONCE, Payloads::InputsAndRecords).await?;
                next = match rows.last() {
                    Some(last) if rows.len() == AT_ONCE as usize => last.row.seq + 1,
                    _ => end,
                };
                // A page is a few milliseconds of parsing: too long for a thread that answers requests.
                let counting = tokio::task::spawn_blocking(move || tally.with(&rows));
                tally = counting.await.map_err(|error| StoreError::Storage {
                    action: "counting what trials said",
                    detail: error.to_string(),
                })??;
            }
        }
        let Tally { looked_at, erased, candidates, .. } = tally;
        let trials = candidates.into_iter().map(Candidate::report).collect();
        Ok(Some(Trials { scope: scope.name(), version: newest.version, looked_at, of, erased, trials }))
    })
}

/// What is on trial in the newest of a scope's policies, and since when.
fn candidates(history: &[PolicyRow]) -> Result<Vec<Candidate>, StoreError> {
    let mut newest: Option<Policy> = None;
    let mut found: Vec<Candidate> = Vec::new();
    let mut open: Vec<bool> = Vec::new();
    for row in history.iter().rev() {
        let policy: Policy = serde_json::from_slice(&row.bytes).map_err(|error| StoreError::Corrupt {
            record: format!("policy {} version {}", row.scope, row.version),
            detail: error.to_string(),
        })?;
        let since = Beginning { version: row.version, at: row.at, seq: row.seq };
        let Some(newest) = &newest else {
            let on_trial = policy.bindings.iter().filter(|binding| !binding.mode.is_live());
            found = on_trial.map(|binding| Candidate::new(&policy, binding, since)).collect();
            open = vec![true; found.len()];
            newest = Some(policy);
            continue;
        };
        for (candidate, open) in found.iter_mut().zip(&mut open) {
            *open = *open && same_trial(newest, &policy, &candidate.side.binding);
            if *open {
                candidate.since = since;
            }
        }
        if !open.contains(&true) {
            break;
        }
    }
    Ok(found)
}

fn named<'p>(policy: &'p Policy, name: &str) -> Option<&'p Binding> {
    policy.bindings.iter().find(|binding| binding.name == name)
}

/// Whether an earlier policy tried the same: the share may have been another, and what is tried for what not.
fn same_trial(newest: &Policy, earlier: &Policy, name: &str) -> bool {
    let alike = |a: &Binding, b: &Binding| {
        let settings = a.settings.get() == b.settings.get();
        settings && a.plugin == b.plugin && a.version == b.version && a.on == b.on && a.instead_of == b.instead_of
    };
    let (Some(now), Some(then)) = (named(newest, name), named(earlier, name)) else { return false };
    if then.mode.is_live() || !alike(now, then) {
        return false;
    }
    let Some(incumbent) = &now.instead_of else { return true };
    match (named(newest, incumbent), named(earlier, incumbent)) {
        (Some(now), Some(then)) => alike(now, then),
        _ => false,
    }
}

/// What was counted so far.
struct Tally {
    layer: String,
    looked_at: u64,
    erased: u64,
    candidates: Vec<Candidate>,
}

impl Tally {
    fn with(mut self, rows: &[PastDecision]) -> Result<Self, StoreError> {
        for past in rows {
            self.looked_at += 1;
            let Some(bytes) = &past.record else {
                self.erased += 1;
                continue;
            };
            let record: Record = serde_json::from_slice(bytes).map_err(|error| StoreError::Corrupt {
                record: format!("the record of decision {}", past.row.id),
                detail: error.to_string(),
            })?;
            let layer = record.policy.layers.iter().find(|layer| layer.scope == self.layer);
            let Some(version) = layer.map(|layer| layer.version) else { continue };
            // Judged before the trial, and recorded after it began.
            let of_its_time = self.candidates.iter_mut().filter(|candidate| candidate.since.version <= version);
            for candidate in of_its_time {
                candidate.see(&record, &self.layer);
            }
        }
        Ok(self)
    }
}

/// A pair of words, and where they were said.
#[derive(Default)]
struct Cases {
    count: u64,
    newest: VecDeque<String>,
}

struct Candidate {
    mode: Mode,
    since: Beginning,
    cases: u64,
    counted: u64,
    agreed: u64,
    flips: BTreeMap<(String, String), Cases>,
    apart: f64,
    distance: Distance,
    side: Calls,
    incumbent: Option<Calls>,
}

impl Candidate {
    fn new(policy: &Policy, binding: &Binding, since: Beginning) -> Self {
        Self {
            mode: binding.mode,
            since,
            cases: 0,
            counted: 0,
            agreed: 0,
            flips: BTreeMap::new(),
            apart: 0.0,
            distance: Distance::default(),
            side: Calls::new(binding),
            incumbent: binding.instead_of.as_ref().and_then(|name| named(policy, name)).map(Calls::new),
        }
    }

    fn see(&mut self, record: &Record, layer: &str) {
        let Some(would_be) = self.side.see(record, layer) else { return };
        self.cases += 1;
        self.counted += u64::from(would_be.counted);
        let id = &record.identity.id;
        let was = match &mut self.incumbent {
            None => Said::word("absent"),
            Some(incumbent) => incumbent.see(record, layer).unwrap_or_else(|| Said::word("absent")),
        };
        if let (Some(was), Some(would_be)) = (was.score, would_be.score) {
            let apart = (would_be - was).abs();
            self.apart += apart;
            self.distance.cases += 1;
            if apart > self.distance.max {
                (self.distance.max, self.distance.max_in) = (apart, Some(id.clone()));
            }
        }
        let agree = match self.incumbent {
            Some(_) => was.word == would_be.word && was.effects == would_be.effects,
            None => DEMANDS_NOTHING.contains(&would_be.word.as_str()),
        };
        if agree {
            self.agreed += 1;
            return;
        }
        let cases = self.flips.entry((was.word, would_be.word)).or_default();
        cases.count += 1;
        cases.newest.push_front(id.clone());
        cases.newest.truncate(NAMED);
    }

    fn report(self) -> Trial {
        let mut flips: Vec<Flip> = self
            .flips
            .into_iter()
            .map(|((was, would_be), Cases { count, newest })| Flip {
                was,
                would_be,
                cases: count,
                decisions: newest.into(),
            })
            .collect();
        flips.sort_by_key(|flip| std::cmp::Reverse(flip.cases));
        let mean = |sum: f64, of: u64| (of > 0).then(|| sum / of as f64);
        let scores = mean(self.apart, self.distance.cases).map(|mean| Distance { mean, ..self.distance });
        let incumbent = self.incumbent.map(Calls::report);
        Trial {
            binding: self.side.binding.clone(),
            mode: self.mode,
            instead_of: incumbent.as_ref().map(|side| side.binding.clone()),
            since: self.since,
            cases: self.cases,
            counted: self.counted,
            agreed: self.agreed,
            agreement: mean(self.agreed as f64, self.cases),
            flips,
            scores,
            candidate: self.side.report(),
            incumbent,
        }
    }
}

/// What changes nothing where nothing stood before.
const DEMANDS_NOTHING: [&str; 3] = [Verdict::Allow.as_str(), NOT_APPLICABLE, NO_EFFECTS];
const NOT_APPLICABLE: &str = "not_applicable";
const NO_EFFECTS: &str = "no_effects";

/// What a binding said in a case.
struct Said {
    /// See [`Flip::was`].
    word: String,
    /// An agent's.
    score: Option<f64>,
    /// Of an action's answer: two plans may be of the same kinds, and say different things.
    effects: Option<Digest>,
    counted: bool,
}

impl Said {
    fn word(word: impl Into<String>) -> Self {
        Self { word: word.into(), score: None, effects: None, counted: false }
    }
}

/// Calls for one binding, counted.
struct Calls {
    binding: String,
    plugin: PackageName,
    version: VersionReq,
    versions: BTreeMap<String, u64>,
    failures: BTreeMap<&'static str, u64>,
    durations: Vec<u64>,
}

/// What is read of an answer, of whatever kind.
#[derive(Deserialize)]
struct Ruled {
    verdict: Verdict,
}

#[derive(Deserialize)]
struct Scored {
    score: f64,
}

#[derive(Deserialize)]
struct Planned {
    kind: String,
}

impl Calls {
    fn new(binding: &Binding) -> Self {
        Self {
            binding: binding.name.clone(),
            plugin: binding.plugin.clone(),
            version: binding.version.clone(),
            versions: BTreeMap::new(),
            failures: BTreeMap::new(),
            durations: Vec::new(),
        }
    }

    /// What it said in a case; none where it had no part.
    fn see(&mut self, record: &Record, layer: &str) -> Option<Said> {
        if let Some(run) = record.plugins.iter().find(|run| run.layer == layer && run.binding == self.binding) {
            self.call(run);
            let none = if run.status == RunStatus::Abstained { NOT_APPLICABLE } else { "failed" };
            let said = said(run, &record.outcome.thresholds).unwrap_or_else(|| Said::word(none));
            return Some(Said { counted: run.counts(), ..said });
        }
        let passed_over = |skipped: &&Skipped| skipped.layer == layer && skipped.binding == self.binding;
        record.skipped.iter().find(passed_over).map(|_| Said::word(NOT_APPLICABLE))
    }

    fn call(&mut self, run: &Run) {
        if run.status.is_failure() {
            *self.failures.entry(run.status.as_str()).or_default() += 1;
        }
        if run.status != RunStatus::Missing {
            self.durations.push(run.duration_us);
        }
        if let Some(version) = &run.version {
            *self.versions.entry(version.to_string()).or_default() += 1;
        }
    }

    fn report(mut self) -> Side {
        self.durations.sort_unstable();
        let asked = self.durations.len();
        // Nearest rank.
        let percentile =
            |percent: usize| self.durations.get((asked * percent).div_ceil(100).saturating_sub(1)).copied();
        Side {
            p50_us: percentile(50),
            p95_us: percentile(95),
            asked: asked as u64,
            binding: self.binding,
            plugin: self.plugin,
            version: self.version,
            versions: self.versions,
            failures: self.failures,
        }
    }
}

/// What a run's answer comes to; none without one.
fn said(run: &Run, thresholds: &Thresholds) -> Option<Said> {
    let output = run.output.as_ref().filter(|_| run.status == RunStatus::Ok)?.get();
    match run.kind? {
        Kind::ComplianceRule => {
            serde_json::from_str::<Ruled>(output).ok().map(|ruled| Said::word(ruled.verdict.as_str()))
        }
        Kind::RiskAgent => {
            let score = serde_json::from_str::<Scored>(output).ok()?.score;
            Some(Said { score: Some(score), ..Said::word(thresholds.verdict(score).as_str()) })
        }
        Kind::Action => {
            let planned: Vec<Planned> = serde_json::from_str(output).ok()?;
            let kinds: Vec<&str> = planned.iter().map(|effect| effect.kind.as_str()).collect();
            let word = if kinds.is_empty() { NO_EFFECTS.to_owned() } else { kinds.join("+") };
            Some(Said { effects: run.output_hash, ..Said::word(word) })
        }
    }
}
