//! Judged again: the same, or what differs.

use assize_ledger::Digest;
use assize_sandbox::EngineId;
use serde::Serialize;
use serde_json::value::RawValue;

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
    /// Bindings whose version was in force, and yet not loaded when the case was judged, by the host's word alone. No
    /// replay can tell whether it should have been there: without it the failure policy decides, then and now.
    pub absent: Vec<String>,
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
    let (mut aborted, mut absent) = (Vec::new(), Vec::new());
    for (then, now) in recorded.plugins.iter().zip(&again.runs) {
        if then.status == RunStatus::Aborted || now.status == RunStatus::Aborted {
            aborted.push(then.binding.clone());
        }
        // That no version matches is in the snapshot, and needs nobody's word.
        if then.status == RunStatus::Missing && then.digest.is_some() {
            absent.push(then.binding.clone());
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
    let differences = found.differences;
    Comparison { identical: differences.is_empty(), differences, outputs, aborted, absent, fuel_compared }
}

/// What differs between two runs of one plugin on the same question, by the same engine.
pub fn differing(then: &Run, now: &Run) -> Vec<Difference> {
    let mut found = Findings::default();
    found.run(then, now, true);
    found.differences
}

/// What differs so far. Names and texts are made only where something does: of a million decisions hardly any.
#[derive(Default)]
struct Findings {
    differences: Vec<Difference>,
    /// For what is compared as JSON; kept, since most decisions need the same room.
    recorded: Vec<u8>,
    replayed: Vec<u8>,
}

impl Findings {
    fn differ(&mut self, field: String, recorded: String, replayed: String) {
        self.differences.push(Difference { field, recorded, replayed });
    }

    fn field<T: PartialEq + ToString + ?Sized>(&mut self, field: &str, recorded: &T, replayed: &T) {
        if recorded != replayed {
            self.differ(field.to_owned(), recorded.to_string(), replayed.to_string());
        }
    }

    fn json<T: Serialize>(&mut self, field: &str, recorded: &T, replayed: &T) {
        let write = |bytes: &mut Vec<u8>, value: &T| {
            bytes.clear();
            if let Err(error) = serde_json::to_writer(&mut *bytes, value) {
                // Neither is equal to anything then.
                bytes.extend_from_slice(format!("{error} at {:p}", std::ptr::from_ref(value)).as_bytes());
            }
        };
        write(&mut self.recorded, recorded);
        write(&mut self.replayed, replayed);
        if self.recorded != self.replayed {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            self.differ(field.to_owned(), text(&self.recorded), text(&self.replayed));
        }
    }

    fn run(&mut self, then: &Run, now: &Run, fuel: bool) {
        let mut of_run = |name: &str, same: bool, text: &dyn Fn(&Run) -> String| {
            if !same {
                self.differ(format!("plugins[{}].{name}", then.binding), text(then), text(now));
            }
        };
        let digest = |digest: Option<Digest>| digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
        of_run("binding", then.binding == now.binding, &|run| run.binding.clone());
        of_run("layer", then.layer == now.layer, &|run| run.layer.clone());
        of_run("package", then.package == now.package, &|run| run.package.to_string());
        of_run("version", then.version == now.version, &|run| {
            run.version.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
        });
        of_run("kind", then.kind == now.kind, &|run| {
            run.kind.map_or_else(|| "none".to_owned(), |kind| kind.to_string())
        });
        of_run("weight", then.weight.to_bits() == now.weight.to_bits(), &|run| run.weight.to_string());
        of_run("digest", then.digest == now.digest, &|run| digest(run.digest));
        of_run("signed_by", then.signed_by == now.signed_by, &|run| {
            run.signed_by.clone().unwrap_or_else(|| "nobody".to_owned())
        });
        of_run("settings_hash", then.settings_hash == now.settings_hash, &|run| run.settings_hash.to_string());
        of_run("counted", then.counted == now.counted, &|run| {
            run.counted.map_or_else(|| "left out".to_owned(), |counted| counted.to_string())
        });
        of_run("status", then.status == now.status, &|run| run.status.as_str().to_owned());
        of_run("output_hash", then.output_hash == now.output_hash, &|run| digest(run.output_hash));
        // As text: the hash is over it, and a record may say what its hash doesn't.
        let output = |run: &Run| run.output.as_ref().map(|output| output.get().to_owned());
        let same = then.output.as_deref().map(RawValue::get) == now.output.as_deref().map(RawValue::get);
        of_run("output", same, &|run| output(run).unwrap_or_else(|| "none".to_owned()));
        // How far a call came before the clock ended it is chance. So is how many frames fit on the stack before a trap:
        // the engine measures it in native bytes, which differ a little between copies of the host's own code.
        let by_chance = |run: &Run| matches!(run.status, RunStatus::Aborted | RunStatus::Trapped);
        if fuel && !by_chance(then) && !by_chance(now) {
            of_run("fuel", then.fuel == now.fuel, &|run| run.fuel.to_string());
            of_run("peak_memory", then.peak_memory == now.peak_memory, &|run| run.peak_memory.to_string());
        }
    }
}
