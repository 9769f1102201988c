//! Judged again: the same, or what differs.

use assize_ledger::Digest;
use assize_sandbox::EngineId;
use serde::Serialize;

use crate::decide::Judged;
use crate::record::Record;
use crate::run::{Run, RunStatus};

/// A field that isn't what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where, e.g. `plugins[threats].output_hash`.
    pub field: String,
    /// As it was recorded.
    pub recorded: String,
    /// As it is now.
    pub replayed: String,
}

/// One plugin, then and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct OutputPair {
    pub binding: String,
    pub package: String,
    pub version: Option<String>,
    pub recorded: Option<Digest>,
    pub replayed: Option<Digest>,
}

/// What came of judging again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Nothing differs.
    pub identical: bool,
    /// What differs, in the order of the record.
    pub differences: Vec<Difference>,
    /// Every plugin's output hash, then and now.
    pub outputs: Vec<OutputPair>,
    /// Bindings whose call the wall clock ended, then or now: what they would have said, nobody knows.
    pub aborted: Vec<String>,
    /// Whether fuel was compared: another engine may count otherwise.
    pub fuel_compared: bool,
}

/// Compares a judgment with the record of an earlier one on the same input and snapshot. Durations aren't compared; fuel
/// is where the engine is the same.
pub fn compare(recorded: &Record, again: &Judged, engine: &EngineId) -> Comparison {
    let fuel_compared = recorded.engine == *engine;
    let mut found = Findings::default();
    let outcome = &recorded.outcome;
    found.field("outcome.verdict", &outcome.verdict, &again.conclusion.verdict);
    found.field("outcome.reason", &outcome.reason, &again.conclusion.reason);
    found.field("outcome.kill_switch", &outcome.kill_switch, &again.kill_switch);
    // Bit for bit: a score that prints alike may still not be the same.
    found.field("outcome.risk.score", &outcome.risk.score.to_bits(), &again.score.to_bits());
    found.field("outcome.risk.confidence", &outcome.risk.confidence.to_bits(), &again.confidence.to_bits());
    found.json("outcome.risk.scorecards", &outcome.risk.scorecards, &again.scorecards);
    found.json("outcome.thresholds", &outcome.thresholds, &again.thresholds);
    found.json("outcome.reasons", &outcome.reasons, &again.conclusion.reasons);
    found.json("outcome.findings", &outcome.findings, &again.findings);
    found.json("effects", &recorded.effects, &again.effects);
    found.json("skipped", &recorded.skipped, &again.skipped);
    found.field("plugins.length", &recorded.plugins.len(), &again.runs.len());
    let mut outputs = Vec::new();
    let mut aborted = Vec::new();
    for (then, now) in recorded.plugins.iter().zip(&again.runs) {
        if then.status == RunStatus::Aborted || now.status == RunStatus::Aborted {
            aborted.push(then.binding.clone());
        }
        found.run(then, now, fuel_compared);
        outputs.push(OutputPair {
            binding: then.binding.clone(),
            package: then.package.to_string(),
            version: then.version.as_ref().map(ToString::to_string),
            recorded: then.output_hash,
            replayed: now.output_hash,
        });
    }
    let differences = found.0;
    Comparison { identical: differences.is_empty(), differences, outputs, aborted, fuel_compared }
}

#[derive(Default)]
struct Findings(Vec<Difference>);

impl Findings {
    fn field<T: PartialEq + ToString + ?Sized>(&mut self, field: &str, recorded: &T, replayed: &T) {
        if recorded != replayed {
            let (recorded, replayed) = (recorded.to_string(), replayed.to_string());
            self.0.push(Difference { field: field.to_owned(), recorded, replayed });
        }
    }

    fn json<T: Serialize>(&mut self, field: &str, recorded: &T, replayed: &T) {
        let text = |value: &T| serde_json::to_string(value).unwrap_or_else(|error| error.to_string());
        self.field(field, &text(recorded), &text(replayed));
    }

    fn run(&mut self, then: &Run, now: &Run, fuel: bool) {
        let field = |name: &str| format!("plugins[{}].{name}", then.binding);
        let digest = |digest: Option<Digest>| digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
        self.field(&field("binding"), &then.binding, &now.binding);
        self.field(&field("layer"), &then.layer, &now.layer);
        self.json(&field("package"), &then.package, &now.package);
        self.json(&field("version"), &then.version, &now.version);
        self.json(&field("kind"), &then.kind, &now.kind);
        self.json(&field("weight"), &then.weight, &now.weight);
        self.field(&field("digest"), &digest(then.digest), &digest(now.digest));
        let signer = |run: &Run| run.signed_by.clone().unwrap_or_else(|| "nobody".to_owned());
        self.field(&field("signed_by"), &signer(then), &signer(now));
        let settings = (digest(Some(then.settings_hash)), digest(Some(now.settings_hash)));
        self.field(&field("settings_hash"), &settings.0, &settings.1);
        let counted = |run: &Run| run.counted.map_or_else(|| "left out".to_owned(), |counted| counted.to_string());
        self.field(&field("counted"), &counted(then), &counted(now));
        self.field(&field("status"), then.status.as_str(), now.status.as_str());
        self.field(&field("output_hash"), &digest(then.output_hash), &digest(now.output_hash));
        // As text: the hash is over it, and a record may say what its hash doesn't.
        let output =
            |run: &Run| run.output.as_ref().map_or_else(|| "none".to_owned(), |output| output.get().to_owned());
        self.field(&field("output"), &output(then), &output(now));
        // How far a call came before the clock ended it is chance. So is how many frames fit on the stack before a trap:
        // the engine measures it in native bytes, which differ a little between copies of the host's own code.
        let by_chance = |run: &Run| matches!(run.status, RunStatus::Aborted | RunStatus::Trapped);
        if fuel && !by_chance(then) && !by_chance(now) {
            self.field(&field("fuel"), &then.fuel, &now.fuel);
            self.field(&field("peak_memory"), &then.peak_memory, &now.peak_memory);
        }
    }
}
