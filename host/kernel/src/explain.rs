//! Why a decision came out as it did (ACT-8, ACT-19), from what was recorded of it and from nothing else.
//!
//! Nothing is judged here: what agents and rules said is read from their recorded answers, what didn't apply and
//! why from the recorded snapshot, passages from the recorded input. Each part has its figures for programs and, where
//! people need one, a sentence.

mod document;

use std::fmt::Write as _;

use assize_registry::Kind;
use assize_sandbox::contract::{Assessment, Evidence, Opinion, Ruling, Span, Verdict};
use semver::Version;
use serde_json::Value;

use crate::input::Input;
use crate::merge::Layer;
use crate::outcome::{Reason, Source};
use crate::policy::Thresholds;
use crate::record::Record;
use crate::risk::{Tally, Weighed, tally};
use crate::run::{Run, RunStatus, Skipped, WhySkipped};
use crate::snapshot::{Bound, Snapshot};

pub use self::document::{
    Applied, Deciding, Explanation, Failed, KillSwitch, Met, NotApplied, OnTrial, Passage, Point, ScoreAccount,
    VersionPeriod,
};

/// Longer passages are shortened: an explanation is read by people.
const LONGEST_QUOTE: usize = 400;

/// Explains a decision from its record and the snapshot that judged it, and its input where that wasn't erased. It is a
/// pure function: the same record is explained the same way at any time.
pub fn explain(record: &Record, snapshot: &Snapshot, input: Option<&Input>) -> Explanation {
    let telling = Telling { record, snapshot, input };
    let outcome = &record.outcome;
    let score = telling.score();
    // What was only on trial decided nothing.
    let counting = || record.plugins.iter().filter(|run| run.counts());
    let rules: Vec<Applied> = counting().filter_map(|run| telling.applied(run)).collect();
    let failures: Vec<Failed> =
        counting().filter(|run| run.status.is_failure()).map(|run| telling.failed(run)).collect();
    let abstained = counting().filter(|run| run.status == RunStatus::Abstained).map(abstained);
    let passed_over = record.skipped.iter().map(|skipped| telling.not_applied(skipped));
    let on_trial = record.plugins.iter().filter(|run| !run.counts()).map(|run| OnTrial {
        binding: run.binding.clone(),
        layer: run.layer.clone(),
        package: run.package.to_string(),
        version: run.version.clone(),
    });
    Explanation {
        id: record.identity.id.clone(),
        summary: telling.summary(&score, &rules, &failures),
        verdict: outcome.verdict,
        reason: outcome.reason.clone(),
        occurred_at: record.times.occurred_at,
        rules_as_of: record.times.rules_as_of,
        environment: record.identity.environment.clone(),
        deciding: outcome.reasons.first().map(|reason| telling.deciding(reason)),
        reasons: outcome.reasons.clone(),
        kill_switch: telling.kill_switch(),
        score,
        rules,
        not_applied: passed_over.chain(abstained).collect(),
        failures,
        on_trial: on_trial.collect(),
        points: telling.points(),
        policy: record.policy.layers.clone(),
        snapshot: record.policy.snapshot,
        re_evaluates: record.identity.re_evaluates.clone(),
        input_kept: input.is_some(),
    }
}

/// A verdict as the beginning of a sentence about a case.
pub const fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "Allowed",
        Verdict::Warn => "Allowed with a warning",
        Verdict::Review => "Held for review",
        Verdict::Block => "Blocked",
    }
}

struct Telling<'a> {
    record: &'a Record,
    snapshot: &'a Snapshot,
    input: Option<&'a Input>,
}

impl Telling<'_> {
    fn bound(&self, layer: &str, binding: &str) -> Option<&Bound> {
        self.snapshot.bound(layer, binding)
    }

    fn deciding(&self, reason: &Reason) -> Deciding {
        let of_reason = |layer: &&Layer| reason.layer.as_ref() == Some(&layer.scope);
        Deciding {
            source: reason.source,
            code: reason.code.clone(),
            binding: reason.binding.clone(),
            layer: self.record.policy.layers.iter().find(of_reason).cloned(),
        }
    }

    fn kill_switch(&self) -> Option<KillSwitch> {
        let since = self.input.and_then(Input::halt).map(|halt| halt.since);
        let system = self.record.identity.system.clone();
        self.record.outcome.kill_switch.then_some(KillSwitch { system, since })
    }

    /// What the agents said, as it was weighed.
    fn opinions(&self) -> Vec<Weighed> {
        let agents = self.record.plugins.iter().filter(|run| run.counts() && run.kind == Some(Kind::RiskAgent));
        agents.filter_map(|run| self.opinion(run)).collect()
    }

    fn opinion(&self, run: &Run) -> Option<Weighed> {
        let assessment: Assessment = answer(run)?;
        let opinion = Opinion {
            binding: run.binding.clone(),
            plugin: run.package.to_string(),
            version: version_of(run.version.as_ref()),
            weight: run.weight,
            assessment,
        };
        let adds = self.bound(&run.layer, &run.binding).is_some_and(|bound| bound.binding.adds);
        Some(Weighed { layer: run.layer.clone(), adds, opinion })
    }

    fn score(&self) -> ScoreAccount {
        let outcome = &self.record.outcome;
        let (score, confidence, thresholds) = (outcome.risk.score, outcome.risk.confidence, outcome.thresholds);
        let layers = tally(&self.opinions());
        let met = met(&thresholds, score).filter(|_| !layers.is_empty());
        let sentence = score_sentence(outcome.kill_switch, &layers, met, &thresholds);
        ScoreAccount { score, confidence, thresholds, met, layers, sentence }
    }

    fn applied(&self, run: &Run) -> Option<Applied> {
        if run.kind != Some(Kind::ComplianceRule) {
            return None;
        }
        let ruling: Ruling = answer(run)?;
        let bound = self.bound(&run.layer, &run.binding);
        let candidate = bound.zip(run.version.as_ref()).and_then(|(bound, version)| bound.candidate(version));
        let effective = candidate.map(|candidate| candidate.effective);
        let mut other_versions = bound.map(versions).unwrap_or_default();
        other_versions.retain(|other| Some(&other.version) != run.version.as_ref());
        let mut citations: Vec<String> = Vec::new();
        for citation in ruling.findings.iter().filter_map(|finding| finding.citation.as_ref()) {
            if !citations.contains(citation) {
                citations.push(citation.clone());
            }
        }
        let first = self.record.outcome.reasons.first();
        let decided = first.is_some_and(|reason| reason.source == Source::Rule && is_of(reason, run));
        let mut sentence = format!(
            "{}, law {}, ruled {} with the code {}",
            named(run.package.as_str(), run.version.as_ref(), &run.binding),
            effective
                .map_or_else(|| "in a period that the snapshot doesn't tell".to_owned(), |period| period.to_string()),
            ruling.verdict,
            ruling.code
        );
        if !citations.is_empty() {
            let _ = write!(sentence, ", citing {}", citations.join("; "));
        }
        Some(Applied {
            binding: run.binding.clone(),
            layer: run.layer.clone(),
            package: run.package.to_string(),
            version: run.version.clone(),
            digest: run.digest,
            effective,
            other_versions,
            verdict: ruling.verdict,
            code: ruling.code,
            citations,
            decided,
            sentence: sentence + ".",
        })
    }

    fn not_applied(&self, skipped: &Skipped) -> NotApplied {
        let bound = self.bound(&skipped.layer, &skipped.binding);
        let candidate = bound.zip(skipped.version.as_ref()).and_then(|(bound, version)| bound.candidate(version));
        let scope = candidate.map(|candidate| &candidate.scope);
        let name = named(skipped.package.as_str(), skipped.version.as_ref(), &skipped.binding);
        let case = self.input.map(Input::case);
        let erased = "of a case whose input was erased".to_owned();
        let why = match skipped.reason {
            WhySkipped::NotInForce => {
                let versions = bound.map(versions).unwrap_or_default();
                let list: Vec<String> =
                    versions.iter().map(|one| format!("{} is law {}", one.version, one.effective)).collect();
                format!("no version was in force on {}: {}", self.record.times.rules_as_of, list.join(", "))
            }
            WhySkipped::OtherJurisdiction => format!(
                "it is law in {}, and the case is {}",
                listed(scope.map(|scope| scope.jurisdictions.as_slice())),
                case.map_or(erased, |case| match case.jurisdictions.as_slice() {
                    [] => "of no jurisdiction".to_owned(),
                    some => format!("of {}", some.join(", ")),
                })
            ),
            WhySkipped::OtherSector => format!(
                "it is for the sector {}, and the case is {}",
                listed(scope.map(|scope| scope.sectors.as_slice())),
                case.map_or(erased, |case| {
                    case.sector.as_ref().map_or_else(|| "of no sector".to_owned(), |sector| format!("of {sector}"))
                })
            ),
            WhySkipped::OtherKind => format!(
                "it is for cases of the kind {}, and this is of the kind {}",
                listed(scope.map(|scope| scope.kinds.as_slice())),
                self.record.identity.kind
            ),
            WhySkipped::OtherVerdict => {
                let on: Vec<String> =
                    bound.iter().flat_map(|bound| &bound.binding.on).map(ToString::to_string).collect();
                format!("it plans only where the verdict is {}", listed(Some(&on)))
            }
            WhySkipped::Abstained => "it abstained".to_owned(),
        };
        let in_force = skipped.reason != WhySkipped::NotInForce;
        NotApplied {
            binding: skipped.binding.clone(),
            layer: skipped.layer.clone(),
            package: skipped.package.to_string(),
            version: skipped.version.clone(),
            kind: candidate.map(|candidate| candidate.kind).or_else(|| bound.and_then(Bound::kind)),
            reason: skipped.reason,
            versions: if in_force { Vec::new() } else { bound.map(versions).unwrap_or_default() },
            sentence: format!("{name} didn't apply: {why}."),
        }
    }

    fn failed(&self, run: &Run) -> Failed {
        let demanded = |reason: &&Reason| reason.source == Source::Failure && is_of(reason, run);
        let reason = self.record.outcome.reasons.iter().find(demanded);
        let verdict = reason.map_or(self.record.outcome.verdict, |reason| reason.verdict);
        let name = named(run.package.as_str(), run.version.as_ref(), &run.binding);
        let error = run.error.as_deref().unwrap_or(run.status.as_str());
        Failed {
            binding: run.binding.clone(),
            layer: run.layer.clone(),
            package: run.package.to_string(),
            version: run.version.clone(),
            status: run.status,
            error: run.error.clone(),
            verdict,
            sentence: format!("{name} gave no answer ({error}); the failure policy made that {verdict} at least."),
        }
    }

    fn points(&self) -> Vec<Point> {
        // What isn't JSON never came in; a payload that can't be read here quotes nothing, and everything else still stands.
        let payload: Option<Value> = self.input.and_then(|input| serde_json::from_str(input.case().payload.get()).ok());
        let passage = |evidence: &Evidence| Passage {
            pointer: evidence.pointer.clone(),
            span: evidence.span,
            quote: payload.as_ref().and_then(|payload| quote(payload, evidence)),
        };
        let point = |named: &crate::decide::NamedFinding| Point {
            code: named.finding.code.clone(),
            severity: named.finding.severity,
            message: named.finding.message.clone(),
            contribution: named.finding.contribution,
            plugin: named.plugin.clone(),
            binding: named.binding.clone(),
            citation: named.finding.citation.clone(),
            passages: named.finding.evidence.iter().map(passage).collect(),
        };
        self.record.outcome.findings.iter().map(point).collect()
    }

    fn summary(&self, score: &ScoreAccount, rules: &[Applied], failures: &[Failed]) -> String {
        let outcome = &self.record.outcome;
        let Some(reason) = outcome.reasons.first() else {
            let heard = if rules.is_empty() { "no rule applied" } else { "no rule that applied demanded more" };
            return format!("Allowed, because {heard} and {}.", lowered(&score.sentence));
        };
        let of_layer = reason.layer.as_deref().map(|layer| format!(" in the policy {layer}")).unwrap_or_default();
        let why = match reason.source {
            Source::KillSwitch => {
                let halt = self.input.and_then(Input::halt);
                let since = halt.map(|halt| format!(" since {}", halt.since)).unwrap_or_default();
                let system = self.record.identity.system.as_deref().unwrap_or("concerned");
                format!("the system {system} was in emergency stop{since}; no plugin was asked")
            }
            Source::Rule => {
                let rule = rules.iter().find(|rule| rule.decided).map(|rule| lowered(&rule.sentence));
                let rule = rule.unwrap_or_else(|| format!("with the code {} ruled so", reason.code));
                let bound = reason.layer.as_deref().map(|layer| format!("; the policy {layer} binds it"));
                format!("the rule {rule}{}", bound.unwrap_or_default())
            }
            Source::Risk => {
                let of = |tally: &&Tally| Some(&tally.layer) == reason.layer.as_ref();
                let card = score.layers.iter().find(of).map_or(score.score, |tally| tally.score);
                let met = met(&score.thresholds, card).map(|met| met.threshold);
                format!(
                    "the risk score {}{of_layer} met the {} threshold of {}",
                    figure(card),
                    reason.verdict,
                    met.map_or_else(|| "then".to_owned(), figure)
                )
            }
            Source::Failure => {
                let own = |failed: &&Failed| {
                    Some(&failed.binding) == reason.binding.as_ref() && Some(&failed.layer) == reason.layer.as_ref()
                };
                let failed = failures.iter().find(own).map(|failed| lowered(&failed.sentence));
                failed.unwrap_or_else(|| "a plugin gave no answer".to_owned())
            }
            Source::NoPolicy => {
                format!("no policy in force binds an agent or a rule; that is {} at least", reason.verdict)
            }
        };
        format!("{}, because {why}.", in_words(outcome.verdict))
    }
}

/// A plugin that was asked, and abstained.
fn abstained(run: &Run) -> NotApplied {
    let name = named(run.package.as_str(), run.version.as_ref(), &run.binding);
    let why = run.error.as_deref().unwrap_or("it gave no reason");
    NotApplied {
        binding: run.binding.clone(),
        layer: run.layer.clone(),
        package: run.package.to_string(),
        version: run.version.clone(),
        kind: run.kind,
        reason: WhySkipped::Abstained,
        versions: Vec::new(),
        sentence: format!("{name} was asked and abstained: {why}"),
    }
}

/// The recorded answer of a run that has one.
fn answer<T: serde::de::DeserializeOwned>(run: &Run) -> Option<T> {
    let output = run.output.as_ref().filter(|_| run.status == RunStatus::Ok)?;
    serde_json::from_str(output.get()).ok()
}

fn is_of(reason: &Reason, run: &Run) -> bool {
    reason.binding.as_ref() == Some(&run.binding) && reason.layer.as_ref() == Some(&run.layer)
}

fn versions(bound: &Bound) -> Vec<VersionPeriod> {
    let period = |candidate: &crate::snapshot::Candidate| VersionPeriod {
        version: candidate.version.clone(),
        effective: candidate.effective,
    };
    bound.candidates.iter().map(period).collect()
}

fn version_of(version: Option<&Version>) -> String {
    version.map(ToString::to_string).unwrap_or_default()
}

/// `br/election-content 1.4.0`, and the binding's name where that says more.
fn named(package: &str, version: Option<&Version>, binding: &str) -> String {
    let mut name = package.to_owned();
    if let Some(version) = version {
        let _ = write!(name, " {version}");
    }
    let own = package.split('/').next_back();
    if own != Some(binding) {
        let _ = write!(name, " ({binding})");
    }
    name
}

fn listed(words: Option<&[String]>) -> String {
    match words {
        Some([only]) => only.clone(),
        Some([rest @ .., last]) => format!("{} or {last}", rest.join(", ")),
        _ => "none".to_owned(),
    }
}

/// A sentence's words without its full stop.
fn lowered(sentence: &str) -> String {
    let sentence = sentence.strip_suffix('.').unwrap_or(sentence);
    match sentence.strip_prefix("The ") {
        Some(rest) => format!("the {rest}"),
        None => sentence.to_owned(),
    }
}

/// At most three decimals: the exact figures stand beside the sentences.
pub(crate) fn figure(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The strictest threshold that a score meets.
fn met(thresholds: &Thresholds, score: f64) -> Option<Met> {
    let verdict = thresholds.verdict(score);
    let threshold = match verdict {
        Verdict::Allow => None,
        Verdict::Warn => thresholds.warn,
        Verdict::Review => thresholds.review,
        Verdict::Block => thresholds.block,
    };
    threshold.map(|threshold| Met { verdict, threshold })
}

fn score_sentence(stopped: bool, layers: &[Tally], met: Option<Met>, thresholds: &Thresholds) -> String {
    if stopped {
        return "The score is 10 by the emergency stop; no agent was asked.".to_owned();
    }
    let Some(counting) = layers.iter().find(|tally| tally.counts) else {
        return "No agent said anything, so that the risk score is 0.".to_owned();
    };
    let all =
        [(Verdict::Warn, thresholds.warn), (Verdict::Review, thresholds.review), (Verdict::Block, thresholds.block)];
    let ahead: Vec<String> = all
        .iter()
        .filter(|(verdict, _)| met.is_none_or(|met| *verdict > met.verdict))
        .filter_map(|(verdict, threshold)| threshold.map(|threshold| format!("{verdict} from {}", figure(threshold))))
        .collect();
    let ahead = if ahead.is_empty() { String::new() } else { format!(" ({})", ahead.join(", ")) };
    let reached = match met {
        Some(met) => format!("met the {} threshold of {}{ahead}", met.verdict, figure(met.threshold)),
        None if ahead.is_empty() => "was held against no threshold, since there is none".to_owned(),
        None => format!("met no threshold{ahead}"),
    };
    format!("The risk score {} in the policy {} {reached}.", figure(counting.score), counting.layer)
}

/// What stands at a place, shortened.
fn quote(payload: &Value, evidence: &Evidence) -> Option<String> {
    let value = payload.pointer(&evidence.pointer)?;
    let whole = match (value, evidence.span) {
        (Value::String(text), Some(Span { start, end })) => {
            let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
            text.get(start..end)?.to_owned()
        }
        (Value::String(text), None) => text.clone(),
        // A span lies inside a string; anywhere else it points at nothing.
        (_, Some(_)) => return None,
        (other, None) => other.to_string(),
    };
    Some(shortened(whole))
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => text.get(..end).map(|short| format!("{short}…")).unwrap_or_default(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
