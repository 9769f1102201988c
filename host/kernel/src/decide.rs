//! The one function that judges.

mod alone;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use assize_registry::{Choice, Kind, version_text};
use assize_sandbox::contract::{self, Assessment, Effect, Finding, Judgment, Opinion, Ruling, Verdict};
use assize_sandbox::{Advice, Call, Limits, Plugin, Settings};
use futures::future::BoxFuture;

use crate::input::Input;
use crate::outcome::{Conclusion, Reason, conclude};
use crate::policy::Thresholds;
use crate::record::PlannedEffect;
use crate::risk::{Scorecard, Weighed, weigh};
use crate::run::{Run, Skipped, WhySkipped};
use crate::snapshot::{Bound, Candidate, Snapshot};
use crate::trial;
use crate::{Environment, UnknownEnvironment};

pub use self::alone::{Beside, Heard, ask_alone};

/// A finding, and who made it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct NamedFinding {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// The plugin's package.
    pub plugin: String,
    /// The binding that it ran for.
    pub binding: String,
}

/// A judgment: everything that follows from a snapshot and an input, and nothing else.
#[derive(Debug)]
pub struct Judged {
    /// The verdict and its reasons.
    pub conclusion: Conclusion,
    /// 0 to 10.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// One a layer that has risk agents.
    pub scorecards: Vec<Scorecard>,
    /// Those that held.
    pub thresholds: Thresholds,
    /// Whether the kill switch decided; then no plugin ran.
    pub kill_switch: bool,
    /// Every plugin that was asked, in the order of agents, rules, actions; those that don't count stand among them.
    pub runs: Vec<Run>,
    /// Every binding that doesn't apply.
    pub skipped: Vec<Skipped>,
    /// Of agents and rules that count, in the order of the runs.
    pub findings: Vec<NamedFinding>,
    /// Planned by actions that count; nothing has happened.
    pub effects: Vec<PlannedEffect>,
}

/// Judges a case: kill switch, risk agents, weighted risk, rules in force, strictest verdict, planned effects.
///
/// Bindings on trial are asked like all others, and what they say is on record. Whether it counts is settled before anybody is
/// asked: what doesn't count reaches neither a reason nor a score, another plugin or an effect.
///
/// It does no I/O but call plugins, and reads no clock: the same snapshot and input give the same judgment whenever and
/// wherever it is called, but for durations and for calls that the wall clock ended.
///
/// # Errors
/// Where the case names no known environment. It can't be judged, since no thresholds hold for it.
pub fn decide<'a>(
    snapshot: &'a Arc<Snapshot>,
    input: &'a Arc<Input>,
) -> BoxFuture<'a, Result<Judged, UnknownEnvironment>> {
    Box::pin(async move {
        let environment: Environment = input.case().environment.parse()?;
        let thresholds = snapshot.policy().thresholds(environment);
        if input.halt().is_some() {
            return Ok(stopped(thresholds));
        }
        let mut bench = Bench::new(snapshot, input);
        step().await;
        bench.seat();

        let opinions = bench.ask_agents().await;
        let (risk, scorecards) = weigh(opinions);
        for card in &scorecards {
            let verdict = thresholds.verdict(card.score);
            if demands(verdict) {
                bench.reasons.push(Reason::risk(verdict, &card.layer));
            }
        }

        let advice = Advice::new(risk);
        let judgments = bench.ask_rules(&advice).await;
        if !bench.judging {
            bench.reasons.push(Reason::no_policy(snapshot.policy().on_failure));
        }
        let so_far = conclude(bench.reasons.clone());

        let risk = advice.into_risk();
        let (score, confidence) = (risk.score, risk.confidence);
        let outcome = contract::Outcome { verdict: so_far.verdict, reason: so_far.reason, risk, judgments };
        let effects = bench.ask_actions(&outcome).await;

        // An action that failed may have been the one that should have told somebody.
        let conclusion = conclude(bench.reasons);
        step().await;
        let (runs, skipped, findings) = (bench.runs, bench.skipped, named(outcome));
        let kill_switch = false;
        Ok(Judged {
            conclusion,
            score,
            confidence,
            scorecards,
            thresholds,
            kill_switch,
            runs,
            skipped,
            findings,
            effects,
        })
    })
}

/// BTV-1: blocked, risk 10.0, and no plugin runs.
fn stopped(thresholds: Thresholds) -> Judged {
    Judged {
        conclusion: conclude(vec![Reason::kill_switch()]),
        score: 10.0,
        confidence: 1.0,
        scorecards: Vec::new(),
        thresholds,
        kill_switch: true,
        runs: Vec::new(),
        skipped: Vec::new(),
        findings: Vec::new(),
        effects: Vec::new(),
    }
}

/// Lets other decisions of the thread come to the same step before this one takes it. Judging runs through more code than the
/// processor's caches hold; when many decisions are under way, the next call of the same plugin finds its code there. With 64
/// at once that saved a fifth of all processor time; a decision by itself goes on at once.
///
/// It wakes its own task, rather than have the runtime do it later: whoever runs many decisions in one task sees that they go
/// on, and the task stays on its thread.
async fn step() {
    let mut stepped = false;
    poll_fn(|context| {
        if std::mem::replace(&mut stepped, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Whether a verdict is a reason for anything: what allows weighs nothing against what doesn't.
fn demands(verdict: Verdict) -> bool {
    verdict > Verdict::Allow
}

/// Below this, handing a call to another thread costs more than it saves.
const WORTH_A_THREAD: Duration = Duration::from_micros(300);

/// A binding that applies, ready to be asked.
struct Seat<'a> {
    bound: &'a Bound,
    candidate: &'a Candidate,
    plugin: &'a Arc<Plugin>,
    settings: &'a Settings,
    position: usize,
    /// As in [`Run::counted`].
    counted: Option<bool>,
}

impl Seat<'_> {
    fn counts(&self) -> bool {
        self.counted != Some(false)
    }

    /// The manifest's limits, lowered by the policies'.
    fn limits(&self) -> Limits {
        let own = self.candidate.limits;
        let most = self.bound.limits.unwrap_or(own);
        Limits {
            fuel: own.fuel.min(most.fuel),
            memory_bytes: own.memory_bytes.min(most.memory_bytes),
            ..Limits::default()
        }
    }

    /// What an action planned. To plan what its manifest doesn't list is a failure.
    fn planned(&self, call: Call<Vec<Effect>>) -> (Run, Vec<PlannedEffect>) {
        let (mut run, effects) = Run::of(self.bound, self.candidate, self.plugin.contract(), self.counted, call);
        let planned = allowed(self, &effects.unwrap_or_default()).unwrap_or_else(|beyond| {
            run.overstepped(beyond);
            Vec::new()
        });
        (run, planned)
    }
}

/// The judgment in the making.
struct Bench<'a> {
    snapshot: &'a Arc<Snapshot>,
    input: &'a Arc<Input>,
    seats: Vec<Seat<'a>>,
    /// Whether any agent or rule that counts is bound at all.
    judging: bool,
    reasons: Vec<Reason>,
    runs: Vec<Run>,
    skipped: Vec<Skipped>,
}

impl<'a> Bench<'a> {
    fn new(snapshot: &'a Arc<Snapshot>, input: &'a Arc<Input>) -> Self {
        Self {
            snapshot,
            input,
            seats: Vec::new(),
            judging: false,
            reasons: Vec::new(),
            runs: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Finds out which bindings apply to the case, and notes why the others don't.
    fn seat(&mut self) {
        let case = self.input.case();
        let counted = trial::counted(self.snapshot.bindings(), &case.id);
        for (position, bound) in self.snapshot.bindings().iter().enumerate() {
            let counted = counted.get(position).copied().flatten();
            self.judging |= counted != Some(false) && bound.kind() != Some(Kind::Action);
            let candidate = match bound.in_force(case.rules_as_of) {
                Choice::InForce(index) => bound.candidates.get(index),
                Choice::NotInForce => {
                    self.skip(bound, None, WhySkipped::NotInForce);
                    continue;
                }
                Choice::Missing => None,
            };
            let Some(candidate) = candidate else {
                self.fail(bound, Run::missing(bound, None, counted));
                continue;
            };
            if let Err(outside) = candidate.scope.applies(&case.jurisdictions, case.sector.as_deref(), &case.kind) {
                self.skip(bound, Some(candidate), outside.into());
                continue;
            }
            match (self.snapshot.plugin(candidate.digest), self.snapshot.settings(position)) {
                (Some(plugin), Some(settings)) => {
                    self.seats.push(Seat { bound, candidate, plugin, settings, position, counted });
                }
                _ => self.fail(bound, Run::missing(bound, Some(candidate), counted)),
            }
        }
    }

    fn skip(&mut self, bound: &Bound, candidate: Option<&Candidate>, reason: WhySkipped) {
        self.skipped.push(Skipped {
            binding: bound.binding.name.clone(),
            layer: bound.layer.clone(),
            package: bound.binding.plugin.clone(),
            version: candidate.map(|candidate| candidate.version.clone()),
            reason,
        });
    }

    fn fail(&mut self, bound: &Bound, run: Run) {
        if run.counts() {
            let policy = bound.binding.on_failure.unwrap_or_default().max(self.snapshot.policy().on_failure);
            self.reasons.push(Reason::failure(policy, &bound.binding.name, &bound.layer));
        }
        self.runs.push(run);
    }

    /// Notes a call; gives its answer back, where there is one and it counts.
    fn note<T>(&mut self, seat: &Seat<'_>, call: Call<T>) -> Option<T> {
        let (run, answer) = Run::of(seat.bound, seat.candidate, seat.plugin.contract(), seat.counted, call);
        if run.status.is_failure() {
            self.fail(seat.bound, run);
        } else {
            self.runs.push(run);
        }
        answer.filter(|_| seat.counts())
    }

    fn take(&mut self, kind: Kind) -> Vec<Seat<'a>> {
        let (taken, rest) = std::mem::take(&mut self.seats).into_iter().partition(|seat| seat.candidate.kind == kind);
        self.seats = rest;
        taken
    }

    /// Asks the risk agents; side by side where they are slow enough for that to be faster.
    async fn ask_agents(&mut self) -> Vec<Weighed> {
        let seats = self.take(Kind::RiskAgent);
        let slow = seats.iter().filter(|seat| seat.plugin.typical_duration() >= WORTH_A_THREAD).count();
        let runtime = if slow > 1 { tokio::runtime::Handle::try_current().ok() } else { None };
        let mut opinions = Vec::with_capacity(seats.len());
        let mut under_way: Vec<Option<tokio::task::JoinHandle<Call<Assessment>>>> = Vec::new();
        if let Some(runtime) = runtime {
            under_way = seats.iter().map(|seat| self.start(&runtime, seat)).collect();
        }
        let mut under_way = under_way.into_iter();
        for seat in seats {
            let call = if let Some(handle) = under_way.next().flatten() {
                handle.await.unwrap_or_else(|panicked| Call::host_error(panicked.to_string()))
            } else {
                let limits = seat.limits();
                step().await;
                seat.plugin.assess(seat.settings, self.input.subject(), &limits).await
            };
            if let Some(assessment) = self.note(&seat, call) {
                opinions.push(weighed(&seat, assessment));
            }
        }
        opinions
    }

    fn start(
        &self,
        runtime: &tokio::runtime::Handle,
        seat: &Seat<'_>,
    ) -> Option<tokio::task::JoinHandle<Call<Assessment>>> {
        if seat.plugin.typical_duration() < WORTH_A_THREAD {
            return None;
        }
        let (snapshot, input) = (Arc::clone(self.snapshot), Arc::clone(self.input));
        let (plugin, position, limits) = (Arc::clone(seat.plugin), seat.position, seat.limits());
        Some(runtime.spawn(async move {
            match snapshot.settings(position) {
                Some(settings) => plugin.assess(settings, input.subject(), &limits).await,
                None => Call::host_error("the binding has no settings".to_owned()),
            }
        }))
    }

    async fn ask_rules(&mut self, advice: &Advice) -> Vec<Judgment> {
        let mut judgments = Vec::new();
        for seat in self.take(Kind::ComplianceRule) {
            let limits = seat.limits();
            step().await;
            let call = seat.plugin.rule(seat.settings, self.input.subject(), advice, &limits).await;
            let Some(ruling) = self.note(&seat, call) else { continue };
            if demands(ruling.verdict) {
                let (binding, layer) = (&seat.bound.binding.name, &seat.bound.layer);
                self.reasons.push(Reason::rule(&ruling.code, ruling.verdict, binding, layer));
            }
            judgments.push(judgment(&seat, ruling));
        }
        judgments
    }

    async fn ask_actions(&mut self, outcome: &contract::Outcome) -> Vec<PlannedEffect> {
        let mut planned = Vec::new();
        for seat in self.take(Kind::Action) {
            if !seat.bound.binding.on.contains(&outcome.verdict) {
                self.skip(seat.bound, Some(seat.candidate), WhySkipped::OtherVerdict);
                continue;
            }
            let limits = seat.limits();
            let call = seat.plugin.plan(seat.settings, self.input.subject(), outcome, &limits).await;
            let (run, effects) = seat.planned(call);
            if run.status.is_failure() {
                self.fail(seat.bound, run);
                continue;
            }
            if seat.counts() {
                planned.extend(effects);
            }
            self.runs.push(run);
        }
        planned
    }
}

/// The findings of agents and rules, which nobody else needs any more, in the order in which they were asked.
fn named(outcome: contract::Outcome) -> Vec<NamedFinding> {
    let name = |plugin: String, binding: String, findings: Vec<Finding>| {
        findings.into_iter().map(move |finding| NamedFinding {
            finding,
            plugin: plugin.clone(),
            binding: binding.clone(),
        })
    };
    let of_agents = outcome.risk.opinions.into_iter();
    let of_agents = of_agents.flat_map(|said| name(said.plugin, said.binding, said.assessment.findings));
    let of_rules = outcome.judgments.into_iter();
    let of_rules = of_rules.flat_map(|said| name(said.plugin, said.binding, said.ruling.findings));
    of_agents.chain(of_rules).collect()
}

/// The effects as they are planned, or the kind of one that the manifest doesn't list.
fn allowed(seat: &Seat<'_>, effects: &[Effect]) -> Result<Vec<PlannedEffect>, &'static str> {
    let plan = |effect: &Effect| {
        let kind = seat.candidate.may.iter().find(|kind| kind.as_str() == effect.kind());
        match (kind, effect.body()) {
            (Some(&kind), Ok(body)) => Ok(PlannedEffect { binding: seat.bound.binding.name.clone(), kind, body }),
            _ => Err(effect.kind()),
        }
    };
    effects.iter().map(plan).collect()
}

fn weighed(seat: &Seat<'_>, assessment: Assessment) -> Weighed {
    let binding = &seat.bound.binding;
    let opinion = Opinion {
        binding: binding.name.clone(),
        plugin: binding.plugin.as_str().to_owned(),
        version: version_text(&seat.candidate.version),
        weight: binding.weight,
        assessment,
    };
    Weighed { layer: seat.bound.layer.clone(), adds: binding.adds, opinion }
}

fn judgment(seat: &Seat<'_>, ruling: Ruling) -> Judgment {
    Judgment {
        binding: seat.bound.binding.name.clone(),
        plugin: seat.bound.binding.plugin.as_str().to_owned(),
        version: version_text(&seat.candidate.version),
        ruling,
    }
}
