//! Fixtures: a case, settings, and what a plugin should answer. The format is that of all kits (`sdk/rust/README.md`).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use assize_kernel::Beside;
use assize_ledger::Timestamp;
use assize_registry::Kind;
use assize_sandbox::contract::{Case, Outcome, Risk};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::expectation::Expectation;
use crate::output::Usage;

/// One of them.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    /// As they are written.
    pub(crate) settings: Box<RawValue>,
    case: GivenCase,
    pub(crate) beside: Beside,
    pub(crate) expect: Expectation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    settings: Option<Box<RawValue>>,
    #[serde(default)]
    case: GivenCase,
    risk: Option<Value>,
    outcome: Option<Value>,
    expect: Expectation,
}

/// A case as a fixture writes it; what is left out has a default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GivenCase {
    kind: Option<String>,
    system: Option<String>,
    environment: Option<String>,
    jurisdictions: Vec<String>,
    sector: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    resource: Option<String>,
    occurred_at: Option<Timestamp>,
    rules_as_of: Option<Timestamp>,
    payload: Option<Box<RawValue>>,
    context: Option<Box<RawValue>>,
}

/// 2026-01-01T00:00:00Z, where a fixture names no moment.
const MOMENT: u64 = 1_767_225_600_000;

impl Fixture {
    /// All fixtures of a folder, in the order of their names.
    ///
    /// # Errors
    /// Where there is none, or one can't be read.
    pub(crate) fn all(folder: &Path, kind: Kind) -> anyhow::Result<Vec<Self>> {
        Self::files(folder)?.into_iter().map(|file| Self::read(file, kind)).collect()
    }

    /// The files of a folder's fixtures, in the order of their names.
    pub(crate) fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let shown = folder.display();
        let missing = || {
            format!(
                "{shown} holds no fixtures: write one for each thing that the plugin should do, as files *.json with name, \
                 settings, case and expect; --fixtures names another folder"
            )
        };
        if !folder.is_dir() {
            bail!(Usage(missing()));
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("{shown} can't be read"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "json") {
                files.push(path);
            }
        }
        files.sort();
        if files.is_empty() {
            bail!(Usage(missing()));
        }
        Ok(files)
    }

    pub(crate) fn read(file: PathBuf, kind: Kind) -> anyhow::Result<Self> {
        let shown = file.display().to_string();
        let text = fs::read(&file).with_context(|| format!("{shown} can't be read"))?;
        // As at a host's door: what two readers could read differently is no case.
        let text = assize_sandbox::json::check(&text).with_context(|| shown.clone())?;
        let written: Written = serde_json::from_str(text).with_context(|| shown.clone())?;
        let Written { name, settings, case, risk, outcome, expect } = written;
        let beside = beside(kind, risk, outcome).with_context(|| shown.clone())?;
        expect.check(kind).with_context(|| shown)?;
        Ok(Self { file, name, settings: settings.unwrap_or_else(empty), case, beside, expect })
    }

    /// What its file is called.
    pub(crate) fn file_name(&self) -> String {
        name_of(&self.file)
    }

    /// The case, complete.
    pub(crate) fn case(&self) -> Case {
        let given = self.case.clone();
        let occurred_at = given.occurred_at.or_else(|| Timestamp::from_millis(MOMENT)).unwrap_or_default();
        Case {
            id: "00000000-0000-7000-8000-000000000000".to_owned(),
            kind: given.kind.unwrap_or_else(|| "prompt".to_owned()),
            tenant: "fixtures".to_owned(),
            system: given.system,
            environment: given.environment.unwrap_or_else(|| "production".to_owned()),
            jurisdictions: given.jurisdictions,
            sector: given.sector,
            actor: given.actor,
            action: given.action,
            resource: given.resource,
            occurred_at,
            rules_as_of: given.rules_as_of.unwrap_or(occurred_at),
            payload: given.payload.unwrap_or_else(empty),
            context: given.context.unwrap_or_else(empty),
        }
    }

    /// The string of the payload at a pointer.
    pub(crate) fn text_at(&self, pointer: &str) -> Option<String> {
        let payload: Value = serde_json::from_str(self.case.payload.as_ref()?.get()).ok()?;
        payload.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
    }
}

/// What a file is called.
pub(crate) fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn empty() -> Box<RawValue> {
    to_raw_value(&json!({})).unwrap_or_default()
}

/// What a plugin of this kind is told beside the case.
fn beside(kind: Kind, risk: Option<Value>, outcome: Option<Value>) -> anyhow::Result<Beside> {
    match (kind, risk, outcome) {
        (Kind::RiskAgent, None, None) => Ok(Beside::Nothing),
        (Kind::ComplianceRule, risk, None) => {
            let risk = risk.unwrap_or_else(|| json!({ "score": 0.0, "confidence": 1.0 }));
            Ok(Beside::Risk(read_risk(risk).context("risk")?))
        }
        (Kind::Action, None, Some(outcome)) => Ok(Beside::Outcome(read_outcome(outcome).context("outcome")?)),
        (Kind::Action, _, None) => bail!("the fixture of an action needs `outcome`: what it plans from"),
        (_, Some(_), _) => bail!("`risk` is for rules, and this is a fixture of a {kind}: remove it"),
        (_, _, Some(_)) => bail!("`outcome` is for actions, and this is a fixture of a {kind}: remove it"),
    }
}

fn read_risk(mut risk: Value) -> anyhow::Result<Risk> {
    complete_risk(&mut risk)?;
    Ok(serde_json::from_str(&risk.to_string())?)
}

fn read_outcome(mut outcome: Value) -> anyhow::Result<Outcome> {
    complete_risk(
        outcome
            .get_mut("risk")
            .context("`risk` is missing: what the agents said, e.g. {\"score\": 5, \"confidence\": 1}")?,
    )?;
    default(&mut outcome, "judgments", json!([]));
    for judgment in items(&mut outcome, "judgments") {
        if let Some(ruling) = judgment.get_mut("ruling") {
            complete_findings(ruling);
        }
    }
    Ok(serde_json::from_str(&outcome.to_string())?)
}

/// Fills in what a fixture may leave out, and reads the attributes, which are a text of JSON in all kits.
fn complete_risk(risk: &mut Value) -> anyhow::Result<()> {
    default(risk, "opinions", json!([]));
    for opinion in items(risk, "opinions") {
        let Some(assessment) = opinion.get_mut("assessment") else { continue };
        complete_findings(assessment);
        default(assessment, "attributes", json!("{}"));
        if let Some(Value::String(text)) = assessment.get("attributes") {
            let parsed: Value = serde_json::from_str(text).with_context(|| format!("attributes {text:?}"))?;
            if let Some(members) = assessment.as_object_mut() {
                members.insert("attributes".to_owned(), parsed);
            }
        }
    }
    Ok(())
}

fn complete_findings(of: &mut Value) {
    default(of, "findings", json!([]));
    for finding in items(of, "findings") {
        default(finding, "contribution", json!(0.0));
        default(finding, "evidence", json!([]));
    }
}

fn default(value: &mut Value, name: &str, missing: Value) {
    if let Some(members) = value.as_object_mut() {
        members.entry(name).or_insert(missing);
    }
}

fn items<'a>(value: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten()
}
