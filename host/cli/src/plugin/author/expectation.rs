//! What a fixture expects of an answer, and where an answer isn't that.

use anyhow::bail;
use assize_kernel::{Heard, RunStatus};
use assize_registry::Kind;
use assize_sandbox::CallError;
use assize_sandbox::contract::{Failure, Finding, Verdict};
use serde::{Deserialize, Serialize};

use super::fixture::Fixture;

/// What a fixture expects.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Expectation {
    score_min: Option<f64>,
    score_max: Option<f64>,
    verdict: Option<Verdict>,
    codes: Vec<String>,
    not_codes: Vec<String>,
    spans: Vec<ExpectedSpan>,
    effects: Option<Vec<String>>,
    /// Part of the failure's message, where the plugin should refuse.
    failure: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedSpan {
    code: String,
    pointer: String,
    text: String,
}

/// Where an answer isn't what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Mismatch {
    /// The member of `expect`.
    pub(crate) member: &'static str,
    pub(crate) expected: String,
    pub(crate) got: String,
}

/// What stands in the answer of any kind of plugin.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    score: Option<f64>,
    verdict: Option<Verdict>,
    code: Option<String>,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Planned {
    kind: String,
}

impl Expectation {
    /// Whether a plugin of this kind can be expected to do that.
    pub(crate) fn check(&self, kind: Kind) -> anyhow::Result<()> {
        let asked = [
            ("score_min", self.score_min.is_some(), Kind::RiskAgent),
            ("score_max", self.score_max.is_some(), Kind::RiskAgent),
            ("verdict", self.verdict.is_some(), Kind::ComplianceRule),
            ("effects", self.effects.is_some(), Kind::Action),
        ];
        for (member, there, of) in asked {
            if there && of != kind {
                bail!("expect.{member}: a {kind} says no such thing, a {of} does; remove it");
            }
        }
        let nothing = self.failure.is_none()
            && !asked.iter().any(|(_, there, _)| *there)
            && self.codes.is_empty()
            && self.not_codes.is_empty()
            && self.spans.is_empty();
        if nothing {
            bail!(
                "expect: it says nothing, so that any answer would do; write what should be answered, e.g. \"codes\": [\"WORD\"]"
            );
        }
        Ok(())
    }

    /// Whether the plugin should refuse.
    pub(crate) const fn wants_failure(&self) -> bool {
        self.failure.is_some()
    }

    /// Where the answer isn't what is expected.
    pub(crate) fn mismatches(&self, fixture: &Fixture, heard: &Heard) -> Vec<Mismatch> {
        let failed = heard.run.error.clone().unwrap_or_else(|| heard.run.status.as_str().to_owned());
        match (&self.failure, heard.run.status) {
            (None, RunStatus::Ok) => self.differences(fixture, heard),
            (None, _) => vec![mismatch("answer", "an answer", failed)],
            (Some(part), RunStatus::Ok) => {
                let answer = heard.run.output.as_ref().map_or("an answer", |output| output.get());
                vec![mismatch("failure", format!("a refusal with {part:?}"), answer)]
            }
            (Some(part), _) if refusal(heard).is_some_and(|refusal| refusal.contains(part)) => Vec::new(),
            (Some(part), _) => vec![mismatch("failure", format!("a refusal with {part:?}"), failed)],
        }
    }

    fn differences(&self, fixture: &Fixture, heard: &Heard) -> Vec<Mismatch> {
        let output = heard.run.output.as_ref().map_or("null", |output| output.get());
        let said: Said = serde_json::from_str(output).unwrap_or_default();
        let planned: Vec<Planned> = serde_json::from_str(output).unwrap_or_default();
        let mut codes: Vec<&str> = said.findings.iter().map(|finding| finding.code.as_str()).collect();
        codes.extend(said.code.as_deref());
        let listed = if codes.is_empty() { "no code".to_owned() } else { codes.join(", ") };
        let score = said.score.unwrap_or(f64::NAN);
        let mut wrong = Vec::new();
        if let Some(least) = self.score_min.filter(|least| score.is_nan() || score < *least) {
            wrong.push(mismatch("score_min", format!("a score of at least {least}"), format!("{score} ({listed})")));
        }
        if let Some(most) = self.score_max.filter(|most| score.is_nan() || score > *most) {
            wrong.push(mismatch("score_max", format!("a score of at most {most}"), format!("{score} ({listed})")));
        }
        if let Some(verdict) = self.verdict.filter(|verdict| Some(*verdict) != said.verdict) {
            let got = said.verdict.map_or_else(|| "none".to_owned(), |got| got.to_string());
            wrong.push(mismatch("verdict", verdict.to_string(), format!("{got} ({listed})")));
        }
        for code in self.codes.iter().filter(|code| !codes.contains(&code.as_str())) {
            wrong.push(mismatch("codes", code.clone(), listed.clone()));
        }
        for code in self.not_codes.iter().filter(|code| codes.contains(&code.as_str())) {
            wrong.push(mismatch("not_codes", format!("no {code}"), listed.clone()));
        }
        for ExpectedSpan { code, pointer, text } in &self.spans {
            let covered = covered(fixture, &said.findings, code, pointer);
            if !covered.contains(text) {
                let got = if covered.is_empty() { "no such evidence".to_owned() } else { format!("{covered:?}") };
                wrong.push(mismatch("spans", format!("{code} at {pointer} over {text:?}"), got));
            }
        }
        let kinds: Vec<&str> = planned.iter().map(|effect| effect.kind.as_str()).collect();
        if let Some(effects) = self.effects.as_ref().filter(|effects| **effects != kinds) {
            wrong.push(mismatch("effects", format!("{effects:?}"), format!("{kinds:?}")));
        }
        wrong
    }
}

fn mismatch(member: &'static str, expected: impl Into<String>, got: impl Into<String>) -> Mismatch {
    Mismatch { member, expected: expected.into(), got: got.into() }
}

/// What the plugin itself said for giving no answer, and its case in the contract (`InvalidSettings`, `Abstains`, …).
fn refusal(heard: &Heard) -> Option<String> {
    let failure = match heard.error.clone()? {
        CallError::Failed(failure) => failure,
        CallError::Abstained(why) => Failure::Abstains(why),
        _ => return None,
    };
    Some(format!("{failure} {failure:?}"))
}

/// The pieces of the payload's string at `pointer` that evidence of findings with `code` covers.
fn covered(fixture: &Fixture, findings: &[Finding], code: &str, pointer: &str) -> Vec<String> {
    let Some(text) = fixture.text_at(pointer) else { return Vec::new() };
    let evidence = findings.iter().filter(|finding| finding.code == code).flat_map(|finding| &finding.evidence);
    evidence
        .filter(|evidence| evidence.pointer == pointer)
        .filter_map(|evidence| match evidence.span {
            Some(span) => text.get(span.start as usize..span.end as usize).map(str::to_owned),
            None => Some(text.clone()),
        })
        .collect()
}
