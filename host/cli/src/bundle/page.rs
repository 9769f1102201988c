//! What a bundle shows, in sections for people: the same on a terminal and in HTML.

use assize_kernel::{Comparison, Record};
use assize_ledger::{Bundle, BundleReport, DecisionFacts, Fault, Timestamp};
use assize_rehearing::{Heard, Part, Rehearing, ReplayState};
use serde_json::Value;

use super::proof::{evidence, proven, since, unproven};
use super::questions;

/// What all of it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything holds, and judging again gives the same.
    Verified,
    /// Something doesn't hold.
    NotVerified,
    /// Everything holds, and judging again gives something else.
    Different,
    /// Everything holds, and what some plugin would have said is unknown: see [`doubts`].
    Inconclusive,
    /// Everything that is there holds, and it can't be judged again.
    ProvenOnly,
}

impl Outcome {
    pub(super) fn of(report: &BundleReport, rehearing: Option<&Rehearing>) -> Self {
        let Some(rehearing) = rehearing.filter(|rehearing| report.is_sound() && rehearing.faults.is_empty()) else {
            return Self::NotVerified;
        };
        match rehearing.state {
            ReplayState::Identical => Self::Verified,
            ReplayState::Different => Self::Different,
            ReplayState::Inconclusive => Self::Inconclusive,
            ReplayState::Erased | ReplayState::Impossible => Self::ProvenOnly,
        }
    }

    /// For programs.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::NotVerified => "not_verified",
            Self::Different => "different",
            Self::Inconclusive => "inconclusive",
            Self::ProvenOnly => "proven_only",
        }
    }

    /// For people.
    pub(super) const fn heading(self) -> &'static str {
        match self {
            Self::Verified => "VERIFIED",
            Self::NotVerified => "NOT VERIFIED",
            Self::Different => "DIFFERENT",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::ProvenOnly => "PROVEN, NOT JUDGED AGAIN",
        }
    }
}

/// A page. All text may be a stranger's: whoever shows it cleans it.
pub(super) struct Page {
    pub(super) decision: String,
    pub(super) outcome: Outcome,
    /// What the outcome means.
    pub(super) sentence: String,
    pub(super) sections: Vec<Section>,
}

/// A part of a page.
pub(super) struct Section {
    pub(super) heading: &'static str,
    pub(super) blocks: Vec<Block>,
}

/// Something to read.
pub(super) enum Block {
    Text(String),
    List(Vec<String>),
    /// Names and values.
    Pairs(Vec<(String, String)>),
    Table {
        caption: &'static str,
        head: &'static [&'static str],
        rows: Vec<Vec<String>>,
    },
}

/// What a page is made from.
pub(super) struct Source<'a> {
    pub(super) report: &'a BundleReport,
    pub(super) facts: &'a DecisionFacts,
    pub(super) rehearing: &'a Rehearing,
    pub(super) outcome: Outcome,
    /// When it is read.
    pub(super) now: Timestamp,
}

impl Source<'_> {
    pub(super) fn record(&self) -> Option<&Record> {
        self.rehearing.heard.as_ref().map(|heard| &heard.record)
    }
}

impl Page {
    pub(super) fn new(bundle: &Bundle, report: &BundleReport, rehearing: Option<&Rehearing>, now: Timestamp) -> Self {
        let outcome = Outcome::of(report, rehearing);
        let sentence = sentence(outcome, report, rehearing);
        let decision = report.header.decision.clone();
        let (Some(facts), Some(rehearing), true) = (&report.facts, rehearing, report.is_sound()) else {
            return Self { decision, outcome, sentence, sections: vec![faults(&report.faults.first)] };
        };
        let source = Source { report, facts, rehearing, outcome, now };
        let mut sections = Vec::new();
        if !rehearing.faults.is_empty() {
            sections.push(faults(&rehearing.faults.first));
        }
        sections.extend([
            who(&source),
            rules(&source),
            found(&source),
            human(),
            again(&source),
            proven(&source),
            since(&source),
            unproven(&source),
            questions::section(&source),
            evidence(bundle, &source),
        ]);
        Self { decision, outcome, sentence, sections }
    }
}

fn sentence(outcome: Outcome, report: &BundleReport, rehearing: Option<&Rehearing>) -> String {
    let why = rehearing.and_then(|rehearing| rehearing.why.clone()).unwrap_or_default();
    let comparison = rehearing.and_then(|rehearing| rehearing.comparison.as_ref());
    let differences = comparison.map_or(0, |comparison| comparison.differences.len());
    let held = "Every hash, commitment, proof and signature that was checked holds";
    let mut text = match outcome {
        Outcome::Verified => format!("{held}, and judging the case again gives the same result, to the bit."),
        Outcome::NotVerified => {
            return "Something in this bundle doesn't hold. Nothing else in it should be believed.".to_owned();
        }
        Outcome::Different => format!("{held}, but judging the case again differs in {differences} fields."),
        Outcome::Inconclusive => format!("{held}, but {}.", comparison.map(doubts).unwrap_or_default()),
        Outcome::ProvenOnly => format!("{held}, but the case wasn't judged again: {why}."),
    };
    if report.known_key.is_none() {
        text.push_str(" The log's key was not known from elsewhere: see what isn't proven.");
    }
    text
}

/// Why the same result wouldn't show that nothing but what is in the file decided; empty where it would.
pub(super) fn doubts(comparison: &Comparison) -> String {
    let mut doubts = Vec::new();
    if !comparison.aborted.is_empty() {
        doubts.push(format!(
            "the wall clock ended a plugin's call, then or now: what it would have said is unknown (binding {})",
            comparison.aborted.join(", ")
        ));
    }
    if !comparison.absent.is_empty() {
        doubts.push(format!(
            "a plugin's component wasn't there when the case was judged: what it would have said is unknown, and whether \
             it should have been there can't be told from the record (binding {})",
            comparison.absent.join(", ")
        ));
    }
    doubts.join("; and ")
}

fn faults(faults: &[Fault]) -> Section {
    let rows = faults
        .iter()
        .map(|fault| vec![fault.record.clone(), fault.field.clone(), fault.found.clone(), fault.expected.clone()]);
    let (caption, head) = ("Checks that failed", &["what", "field", "found", "expected"][..]);
    Section { heading: "What failed", blocks: vec![Block::Table { caption, head, rows: rows.collect() }] }
}

pub(super) fn pair(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn who(source: &Source<'_>) -> Section {
    let Source { report, facts, .. } = source;
    let mut pairs = vec![
        pair("decision", &report.header.decision),
        pair("verdict", &facts.verdict),
        pair("reason", &facts.reason),
        pair("risk", format!("{} of 10 (confidence {})", facts.risk_score, facts.confidence)),
        pair("decided for", format!("tenant {}", facts.tenant)),
        pair("AI system", facts.system.as_deref().unwrap_or("none named")),
        pair("environment", &facts.environment),
        pair("facts of", facts.occurred_at),
        pair("rules as of", facts.rules_as_of),
    ];
    if let Some(record) = source.record() {
        pairs.push(pair("kind of case", &record.identity.kind));
        pairs.push(pair("decided", format!("{} (by the host's clock)", record.times.decided)));
    }
    if let Some(recorded) = report.recorded {
        let BundleReport { header, .. } = report;
        pairs.push(pair("recorded", format!("{recorded} (by the host's clock), as entry {}", header.seq)));
    }
    pairs.push(pair("log", &report.header.origin));
    let mut blocks = vec![Block::Pairs(pairs)];
    if facts.kill_switch {
        blocks.push(Block::Text(
            "The system was in emergency stop: the case was blocked before any plugin was asked.".into(),
        ));
    }
    Section { heading: "Who decided, and what", blocks }
}

/// Until when a version is in force, in words.
pub(super) fn period(part: &Part) -> String {
    let Some(candidate) = &part.candidate else { return "no version was found to run".to_owned() };
    let moment = |moment: Option<Timestamp>, open: &str| moment.map_or_else(|| open.to_owned(), |at| at.to_string());
    let (from, to) = (candidate.effective.from(), candidate.effective.to());
    format!("from {} to {}", moment(from, "(no beginning)"), moment(to, "(no end)"))
}

/// `namespace/name@version`.
pub(super) fn named(part: &Part) -> String {
    format!("{}@{}", part.fact.package, part.fact.version.as_deref().unwrap_or("-"))
}

fn rules(source: &Source<'_>) -> Section {
    let rehearing = source.rehearing;
    let mut blocks = Vec::new();
    if let Some(record) = source.record() {
        let rows = record.outcome.reasons.iter().map(|reason| {
            let source = serde_json::to_value(reason.source).ok();
            let source = source.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
            let at = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            vec![reason.code.clone(), reason.verdict.to_string(), source, at(&reason.binding), at(&reason.layer)]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        if rows.is_empty() {
            blocks.push(Block::Text("Nothing demanded more than to allow.".into()));
        } else {
            let head = &["reason", "demands", "from", "binding", "policy"][..];
            blocks.push(Block::Table { caption: "Reasons, the deciding one first", head, rows });
        }
    }
    let rows = rehearing.parts.iter().map(|part| {
        let digest = part.fact.digest.map_or_else(|| "-".to_owned(), |digest| digest.to_string());
        vec![named(part), period(part), applies(part), part.fact.status.clone(), digest]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        blocks.push(Block::Text("No plugin was asked.".into()));
    } else {
        let head =
            &["plugin and version", "in force", "applies to", "how its call ended", "SHA-256 of the component"][..];
        blocks.push(Block::Table { caption: "Plugins that took part", head, rows });
    }
    let mut about = Vec::new();
    for part in &rehearing.parts {
        let Some(manifest) = &part.manifest else { continue };
        let mut text = format!("{}: {} By {}.", named(part), dotted(&manifest.title), manifest.authors.join(", "));
        text.extend(manifest.references.iter().map(|reference| format!(" Rests on: {}", dotted(&reference.title))));
        if !about.contains(&text) {
            about.push(text);
        }
    }
    if !about.is_empty() {
        blocks.push(Block::Text("What the plugins say of themselves:".into()));
        blocks.push(Block::List(about));
    }
    let rows = rehearing
        .layers
        .iter()
        .map(|layer| vec![layer.scope.clone(), layer.version.to_string(), layer.hash.to_string()]);
    let head = &["policy", "version", "SHA-256"][..];
    blocks.push(Block::Table { caption: "Policies that were merged", head, rows: rows.collect() });
    Section { heading: "By which rules", blocks }
}

fn dotted(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

fn applies(part: &Part) -> String {
    let Some(candidate) = &part.candidate else { return "-".to_owned() };
    let scope = &candidate.scope;
    let lists = [&scope.jurisdictions, &scope.sectors, &scope.kinds];
    let lists: Vec<String> = lists.into_iter().filter(|list| !list.is_empty()).map(|list| list.join(", ")).collect();
    if lists.is_empty() { "every case".to_owned() } else { lists.join("; ") }
}

fn found(source: &Source<'_>) -> Section {
    let heading = "What was found, and where";
    let Some(Heard { input, record }) = &source.rehearing.heard else {
        let text = "Input and record were erased: what was found can't be shown any more.".to_owned();
        return Section { heading, blocks: vec![Block::Text(text)] };
    };
    let payload: Value = serde_json::from_str(input.case().payload.get()).unwrap_or_default();
    let rows = record.outcome.findings.iter().map(|named| {
        let finding = &named.finding;
        let places = finding.evidence.iter().map(|evidence| {
            let span = evidence.span.map(|span| (span.start, span.end));
            place(&payload, &evidence.pointer, span)
        });
        let places: Vec<String> = places.collect();
        let severity = serde_json::to_value(finding.severity).ok();
        let severity = severity.as_ref().and_then(Value::as_str).unwrap_or_default();
        vec![
            format!("{} ({severity})", finding.code),
            finding.message.clone(),
            if places.is_empty() { "no place named".to_owned() } else { places.join("; ") },
            finding.citation.clone().unwrap_or_else(|| "none cited".to_owned()),
            format!("{} (binding {})", named.plugin, named.binding),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return Section { heading, blocks: vec![Block::Text("No plugin reported a finding.".into())] };
    }
    let head = &["finding", "in words", "where in the input", "norm", "by"][..];
    Section { heading, blocks: vec![Block::Table { caption: "Findings", head, rows }] }
}

/// Longer pieces of a payload are cut.
const QUOTED: usize = 200;

/// Where a finding was made, with the words that stand there.
fn place(payload: &Value, pointer: &str, span: Option<(u32, u32)>) -> String {
    let name = if pointer.is_empty() { "the whole payload" } else { pointer };
    let Some(value) = payload.pointer(pointer) else { return format!("{name} (nothing stands there)") };
    let text = match (value, span) {
        (Value::String(text), Some((start, end))) => {
            let range = usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX);
            match text.get(range) {
                Some(part) => part.to_owned(),
                None => return format!("{name}, bytes {start} to {end}"),
            }
        }
        (Value::String(text), None) => text.clone(),
        (other, _) => other.to_string(),
    };
    let cut: String = text.chars().take(QUOTED).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    let bytes = span.map(|(start, end)| format!(", bytes {start} to {end}")).unwrap_or_default();
    format!("{name}{bytes}: \u{201c}{cut}{more}\u{201d}")
}

fn human() -> Section {
    let text = "The judgment was made by the plugins above alone; no person took part in it. Whether a person reviewed or \
                overrode it afterwards isn't recorded in this log: the bundle neither shows nor excludes it.";
    Section { heading: "Whether a human intervened", blocks: vec![Block::Text(text.into())] }
}

fn again(source: &Source<'_>) -> Section {
    let heading = "Judged again";
    let rehearing = source.rehearing;
    let Some(comparison) = &rehearing.comparison else {
        let why = rehearing.why.clone().unwrap_or_else(|| "the bundle contradicts itself".to_owned());
        return Section { heading, blocks: vec![Block::Text(format!("It wasn't judged again: {why}."))] };
    };
    let mut blocks = vec![Block::Text(format!(
        "The case was judged again here, from the snapshot, the input and the components in this file: {}.",
        rehearing.state.as_str()
    ))];
    let doubts = doubts(comparison);
    if !doubts.is_empty() {
        blocks.push(Block::Text(format!("What the same result wouldn't show: {doubts}.")));
    }
    if !comparison.differences.is_empty() {
        let rows = comparison.differences.iter();
        let rows = rows.map(|one| vec![one.field.clone(), one.recorded.clone(), one.replayed.clone()]).collect();
        blocks.push(Block::Table { caption: "What differs", head: &["field", "recorded", "now"], rows });
    }
    if !comparison.outputs.is_empty() {
        let hash = |hash: &Option<_>| {
            let text = |digest: &assize_ledger::Digest| digest.to_string();
            hash.as_ref().map_or_else(|| "no answer".to_owned(), text)
        };
        let rows = comparison.outputs.iter().map(|one| {
            let version = one.version.as_deref().unwrap_or("-");
            let plugin = format!("{}@{version}", one.package);
            vec![one.binding.clone(), plugin, hash(&one.recorded), hash(&one.replayed)]
        });
        let head = &["binding", "plugin", "SHA-256 of the answer, recorded", "now"][..];
        blocks.push(Block::Table { caption: "Answers, then and now", head, rows: rows.collect() });
    }
    if !comparison.fuel_compared {
        blocks.push(Block::Text("Another engine counts fuel otherwise, so it wasn't compared.".into()));
    }
    Section { heading, blocks }
}
