//! Why two decisions came out differently, by trying it out: the case of one is judged with an aspect of the other.
//!
//! All trials go through `assize_kernel::decide`, as the decisions themselves did. What an aspect does *alone* is tried in both
//! directions; where none alone explains the difference, two together are tried.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use assize_kernel::{
    Aspect, Contrast, Judged, Record, RunStatus, Side, Snapshot, Told, contrast, cross, decide, in_words,
};
use assize_ledger::{Digest, Timestamp};
use assize_registry::Choice;
use assize_sandbox::contract::Verdict;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::archive::Archive;
use crate::explain::Past;
use crate::replay::{ReplayError, Unreplayable};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The first.
    One,
    /// The second.
    Other,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::One => "the first",
            Self::Other => "the second",
        })
    }
}

/// One of the two decisions, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InShort {
    /// Its id.
    pub id: String,
    /// The place of its entry.
    pub seq: u64,
    /// Its entry's hash.
    pub entry_hash: Digest,
    /// When it was judged.
    pub decided: Timestamp,
    /// What was decided.
    pub verdict: Verdict,
    /// The code of the reason.
    pub reason: String,
    /// 0 to 10.
    pub score: f64,
    /// Whether its input is still there.
    pub input_kept: bool,
}

/// What the case of one decision comes to with something of the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Whose case was judged.
    pub case_of: Which,
    /// What was taken from the other.
    pub with: Vec<Aspect>,
    /// What it came to.
    pub verdict: Verdict,
    /// The code of the reason.
    pub reason: String,
    /// 0 to 10.
    pub score: f64,
    /// Which of the two decisions it came out as, in that in which they differ; none: as neither.
    pub like: Option<Which>,
    /// Whether the wall clock ended a call, so that it proves nothing.
    pub inconclusive: bool,
    /// Versions that were asked, other than in the decision itself: `package 1.4.0 instead of 1.2.0`.
    pub versions: Vec<String>,
    /// In words.
    pub sentence: String,
}

/// What made the difference, by the trials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisive {
    /// One aspect, or two that only do it together.
    pub aspects: Vec<Aspect>,
    /// With it from the second alone, the first comes out as the second did.
    pub enough: bool,
    /// With it from the first, the second comes out as the first did.
    pub needed: bool,
}

/// Why two decisions came out differently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The whole of it in a few sentences.
    pub summary: String,
    /// The first.
    pub one: InShort,
    /// The second.
    pub other: InShort,
    /// Everything that differs.
    #[serde(flatten)]
    pub contrast: Contrast,
    /// What made the difference; empty where nothing came out differently, and where nothing could be tried.
    pub decisive: Vec<Decisive>,
    /// What was tried.
    pub trials: Vec<Trial>,
    /// Why nothing could be tried, or why the trials prove little.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub caveat: Option<String>,
}

/// With more aspects than these, pairs aren't tried: a trial takes milliseconds, and somebody waits.
const MOST_TO_PAIR: usize = 8;

impl Archive {
    /// Says why decisions `one` and `other` came out differently; `tenant` restricts whose they may be. Nothing is recorded.
    pub fn compare<'a>(
        &'a self,
        tenant: Option<&'a str>,
        one: &'a str,
        other: &'a str,
    ) -> BoxFuture<'a, Result<Compared, ReplayError>> {
        Box::pin(async move {
            let (one, other) = (self.recall(tenant, one).await?, self.recall(tenant, other).await?);
            let contrast = contrast(told(&one), told(&other));
            let mut compared = Compared {
                summary: String::new(),
                one: in_short(&one),
                other: in_short(&other),
                contrast,
                decisive: Vec::new(),
                trials: Vec::new(),
                caveat: None,
            };
            let basis = Basis::of(&one.record, &other.record);
            if let Some(basis) = basis {
                match self.room(&one, &other).await? {
                    Ok(room) => room.try_out(basis, &mut compared).await?,
                    Err(why) => compared.caveat = Some(why),
                }
            }
            compared.summary = summary(&compared, basis);
            Ok(compared)
        })
    }

    /// Both decisions with their components, or why they can't be judged again.
    async fn room(&self, one: &Past, other: &Past) -> Result<Result<Room, String>, ReplayError> {
        let (Some(input), Some(other_input)) = (&one.input, &other.input) else {
            let erased: Vec<&str> =
                [one, other].into_iter().filter(|past| past.input.is_none()).map(|past| past.id.as_str()).collect();
            return Ok(Err(format!(
                "the input of {} was erased, so nothing can be judged again: what differs is listed from the records, and which \
                 of it made the difference can't be tried",
                erased.join(" and of ")
            )));
        };
        let days = [one.record.times.rules_as_of, other.record.times.rules_as_of];
        let missing: BTreeSet<Digest> = [&one.record, &other.record].into_iter().flat_map(missing).collect();
        let needed = |snapshot: &Snapshot| needed(snapshot, days, &missing);
        let snapshot = self.snapshot(one.record.policy.snapshot, needed).await.map_err(Unreplayable::from)?;
        let other_snapshot = self.snapshot(other.record.policy.snapshot, needed).await.map_err(Unreplayable::from)?;
        Ok(Ok(Room {
            one: Side { snapshot, input: Arc::clone(input) },
            other: Side { snapshot: other_snapshot, input: Arc::clone(other_input) },
        }))
    }
}

fn told(past: &Past) -> Told<'_> {
    Told { record: &past.record, snapshot: &past.snapshot, input: past.input.as_deref() }
}

fn in_short(past: &Past) -> InShort {
    let Record { times, outcome, .. } = &past.record;
    InShort {
        id: past.id.clone(),
        seq: past.seq,
        entry_hash: past.entry_hash,
        decided: times.decided,
        verdict: outcome.verdict,
        reason: outcome.reason.clone(),
        score: outcome.risk.score,
        input_kept: past.input.is_some(),
    }
}

/// What was active and yet not loaded: it stays away, so that its binding fails again as it did.
fn missing(record: &Record) -> impl Iterator<Item = Digest> {
    record.plugins.iter().filter(|run| run.status == RunStatus::Missing).filter_map(|run| run.digest)
}

/// Whatever may be asked on one of these days.
fn needed(snapshot: &Snapshot, days: [Timestamp; 2], missing: &BTreeSet<Digest>) -> Vec<Digest> {
    let chosen = snapshot.bindings().iter().flat_map(|bound| {
        days.into_iter().filter_map(|day| match bound.in_force(day) {
            Choice::InForce(index) => bound.candidates.get(index).map(|candidate| candidate.digest),
            Choice::NotInForce | Choice::Missing => None,
        })
    });
    chosen.filter(|digest| !missing.contains(digest)).collect()
}

/// In what two decisions came out differently: what the trials are measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    Verdict,
    Reason,
    Score,
}

impl Basis {
    /// None where they came out alike.
    fn of(one: &Record, other: &Record) -> Option<Self> {
        let (a, b) = (&one.outcome, &other.outcome);
        if a.verdict != b.verdict {
            Some(Self::Verdict)
        } else if a.reason != b.reason {
            Some(Self::Reason)
        } else if a.risk.score.to_bits() != b.risk.score.to_bits() {
            Some(Self::Score)
        } else {
            None
        }
    }

    fn alike(self, judged: &Judged, decision: &InShort) -> bool {
        match self {
            Self::Verdict => judged.conclusion.verdict == decision.verdict,
            Self::Reason => {
                judged.conclusion.verdict == decision.verdict && judged.conclusion.reason == decision.reason
            }
            Self::Score => judged.score.to_bits() == decision.score.to_bits(),
        }
    }
}

struct Room {
    one: Side,
    other: Side,
}

/// The two decisions, judged again as they were.
struct AsTheyWere {
    one: Judged,
    other: Judged,
}

impl Room {
    async fn try_out(&self, basis: Basis, compared: &mut Compared) -> Result<(), ReplayError> {
        let as_they_were = AsTheyWere { one: judge(&self.one).await?, other: judge(&self.other).await? };
        for (judged, recorded) in [(&as_they_were.one, &compared.one), (&as_they_were.other, &compared.other)] {
            if !basis.alike(judged, recorded) {
                compared.caveat = Some(format!(
                    "decision {} comes out otherwise when it is judged again as it was, so trials would prove nothing; see \
                     `assize replay {}`",
                    recorded.id, recorded.id
                ));
                return Ok(());
            }
        }
        let aspects = compared.contrast.aspects();
        for &aspect in &aspects {
            for case_of in [Which::One, Which::Other] {
                let trial = self.trial(case_of, vec![aspect], basis, compared, &as_they_were).await?;
                compared.trials.push(trial);
            }
        }
        compared.decisive = decisive(&compared.trials, &aspects);
        let by_policy =
            compared.decisive.iter().any(|decisive| decisive.enough && decisive.aspects == [Aspect::Policy]);
        let explained =
            compared.decisive.iter().any(|decisive| decisive.enough && decisive.aspects != [Aspect::Policy]);
        if explained || aspects.len() > MOST_TO_PAIR {
            return Ok(());
        }
        for pair in pairs(&aspects, by_policy) {
            let trial = self.trial(Which::One, pair.clone(), basis, compared, &as_they_were).await?;
            if trial.like == Some(Which::Other) && !trial.inconclusive {
                // Two parts of the policy say more than the policy.
                compared.decisive.retain(|decisive| !(by_policy && decisive.aspects == [Aspect::Policy]));
                compared.decisive.push(Decisive { aspects: pair, enough: true, needed: false });
            }
            compared.trials.push(trial);
        }
        Ok(())
    }

    async fn trial(
        &self,
        case_of: Which,
        with: Vec<Aspect>,
        basis: Basis,
        compared: &Compared,
        as_they_were: &AsTheyWere,
    ) -> Result<Trial, ReplayError> {
        let (base, from, before) = match case_of {
            Which::One => (&self.one, &self.other, &as_they_were.one),
            Which::Other => (&self.other, &self.one, &as_they_were.other),
        };
        let crossed = cross(base, &with, from).map_err(|error| unreadable("a snapshot", &error))?;
        let judged = judge(&crossed).await?;
        let like = if basis.alike(&judged, &compared.one) {
            Some(Which::One)
        } else if basis.alike(&judged, &compared.other) {
            Some(Which::Other)
        } else {
            None
        };
        let versions = other_versions(before, &judged);
        let inconclusive = judged.runs.iter().any(|run| run.status == RunStatus::Aborted);
        let sentence = sentence(case_of, &with, like, &judged, &versions);
        Ok(Trial {
            case_of,
            with,
            verdict: judged.conclusion.verdict,
            reason: judged.conclusion.reason,
            score: judged.score,
            like,
            inconclusive,
            versions,
            sentence,
        })
    }
}

async fn judge(side: &Side) -> Result<Judged, ReplayError> {
    decide(&side.snapshot, &side.input).await.map_err(|error| unreadable("the input", &error))
}

fn unreadable(what: &'static str, error: &dyn fmt::Display) -> ReplayError {
    Unreplayable::Unreadable(what, error.to_string()).into()
}

/// Aspects that do it alone; one that is a part of the policy says more than the policy.
fn decisive(trials: &[Trial], aspects: &[Aspect]) -> Vec<Decisive> {
    let came_out = |case_of: Which, as_of: Which, aspect: Aspect| {
        trials.iter().any(|trial| {
            trial.case_of == case_of && trial.with == [aspect] && trial.like == Some(as_of) && !trial.inconclusive
        })
    };
    let judged = |&aspect: &Aspect| Decisive {
        aspects: vec![aspect],
        enough: came_out(Which::One, Which::Other, aspect),
        needed: came_out(Which::Other, Which::One, aspect),
    };
    let mut found: Vec<Decisive> =
        aspects.iter().map(judged).filter(|decisive| decisive.enough || decisive.needed).collect();
    let of_policy =
        |decisive: &Decisive| decisive.enough && decisive.aspects.iter().all(|aspect| aspect.is_of_policy());
    if found.iter().any(of_policy) {
        found.retain(|decisive| decisive.aspects != [Aspect::Policy]);
    }
    found
}

/// Any two; where the policy is known to be enough, two of its parts.
fn pairs(aspects: &[Aspect], of_policy: bool) -> Vec<Vec<Aspect>> {
    let mut pairs = Vec::new();
    for (position, &first) in aspects.iter().enumerate() {
        for &second in aspects.iter().skip(position + 1) {
            let parts = first.is_of_policy() && second.is_of_policy();
            // The policy has its parts already.
            let twice = second == Aspect::Policy && first.is_of_policy();
            if !twice && (parts || !of_policy) {
                pairs.push(vec![first, second]);
            }
        }
    }
    pairs
}

fn other_versions(before: &Judged, after: &Judged) -> Vec<String> {
    let mut found = Vec::new();
    for run in &after.runs {
        let same = |then: &&assize_kernel::Run| {
            then.layer == run.layer && then.binding == run.binding && then.package == run.package
        };
        let (then, now) = (before.runs.iter().find(same).and_then(|run| run.version.as_ref()), run.version.as_ref());
        match (then, now) {
            (Some(then), Some(now)) if then != now => found.push(format!("{} {now} instead of {then}", run.package)),
            (None, Some(now)) => found.push(format!("{} {now}, which wasn't asked then", run.package)),
            _ => {}
        }
    }
    found
}

/// As a sentence goes on after "would have been".
const fn done(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allowed",
        Verdict::Warn => "allowed with a warning",
        Verdict::Review => "held for review",
        Verdict::Block => "blocked",
    }
}

fn sentence(case_of: Which, with: &[Aspect], like: Option<Which>, judged: &Judged, versions: &[String]) -> String {
    let from = match case_of {
        Which::One => Which::Other,
        Which::Other => Which::One,
    };
    let also = match like {
        Some(like) if like == case_of => "still ",
        Some(_) => "also ",
        None => "",
    };
    let versions = if versions.is_empty() { String::new() } else { format!(", asking {}", versions.join(" and ")) };
    format!(
        "With {} of {from} alone, {case_of} would {also}have been {} ({}, score {:.3}){versions}.",
        words(with),
        done(judged.conclusion.verdict),
        judged.conclusion.reason,
        judged.score
    )
}

fn words(aspects: &[Aspect]) -> String {
    let words: Vec<String> = aspects.iter().map(ToString::to_string).collect();
    words.join(" and ")
}

fn summary(compared: &Compared, basis: Option<Basis>) -> String {
    let Compared { one, other, contrast, decisive, trials, caveat, .. } = compared;
    let told =
        |decision: &InShort| format!("{} ({}, score {:.3})", done(decision.verdict), decision.reason, decision.score);
    let Some(basis) = basis else {
        let differ = match contrast.factors.len() {
            0 => "nothing that they were made from differs".to_owned(),
            _ => format!("although there is a difference in {}", words(&contrast.aspects())),
        };
        return format!("{} both times ({}, score {:.3}), {differ}.", in_words(one.verdict), one.reason, one.score);
    };
    let what = match basis {
        Basis::Verdict => "",
        Basis::Reason => " The verdict is the same, the reason isn't.",
        Basis::Score => " Verdict and reason are the same, the score isn't.",
    };
    let came_out = format!("The first was {}, the second {}.{what}", told(one), told(other));
    if let Some(caveat) = caveat {
        return format!("{came_out} What made the difference can't be shown: {caveat}.");
    }
    if decisive.is_empty() {
        let aspects = words(&contrast.aspects());
        return format!(
            "{came_out} By trying, none of the differences explains it by itself: it takes several at once ({aspects})."
        );
    }
    // What is only needed adds nothing where something is enough; both are listed.
    let any_enough = decisive.iter().any(|decisive| decisive.enough);
    let listed = decisive.iter().filter(|decisive| decisive.enough || !any_enough);
    let made: Vec<String> = listed.map(|decisive| made(decisive, compared)).collect();
    let telling = trials.iter().find(|trial| {
        let shows = |decisive: &Decisive| decisive.enough && decisive.aspects == trial.with;
        trial.case_of == Which::One && trial.like == Some(Which::Other) && decisive.iter().any(shows)
    });
    let shown = telling.map(|trial| format!(" {}", trial.sentence)).unwrap_or_default();
    format!("{came_out} What made the difference: {}.{shown}", made.join("; "))
}

/// A difference that was decisive, with its two values where they are short.
fn made(decisive: &Decisive, compared: &Compared) -> String {
    let values = |aspect: &Aspect| {
        let factors: Vec<_> = compared.contrast.factors.iter().filter(|factor| factor.aspect == *aspect).collect();
        match factors.as_slice() {
            [only] if only.one.len() + only.other.len() < 200 => {
                let about = only.about.as_deref().map(|about| format!(" of {about}")).unwrap_or_default();
                format!("{aspect}{about} ({} in the first, {} in the second)", only.one, only.other)
            }
            _ => aspect.to_string(),
        }
    };
    let aspects: Vec<String> = decisive.aspects.iter().map(values).collect();
    match (decisive.aspects.len(), decisive.enough, decisive.needed) {
        (2.., _, _) => format!("{}, together", aspects.join(" and ")),
        (_, true, _) => aspects.join(" and "),
        _ => format!("{}, without which the second would have come out as the first did", aspects.join(" and ")),
    }
}
