//! `assize evaluate`: how well a risk agent tells labelled prompts apart, measured on the package itself, in the sandbox
//! that it runs in.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use assize_ledger::Timestamp;
use assize_registry::{Kind, SettingsSchema};
use assize_sandbox::contract::Case;
use assize_sandbox::{Limits, Plugin, Sandbox, SandboxConfig, Settings, Subject};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::output::{self, Ended, Usage, clean};

/// Measure a risk agent on labelled prompts, in the real sandbox.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The agent's package
    #[arg(long, value_name = "FILE")]
    plugin: PathBuf,
    /// Labelled prompts: one JSON object {"label": …, "text": …} a line
    #[arg(long, value_name = "FILE")]
    cases: PathBuf,
    /// The agent's settings
    #[arg(long, default_value = "{}", value_name = "JSON")]
    settings: String,
    /// From which score on (0 to 10) a prompt counts as flagged
    #[arg(long, default_value_t = 4.0)]
    threshold: f64,
    /// The label that should be flagged
    #[arg(long, default_value = "jailbreak", value_name = "LABEL")]
    positive: String,
    /// The label that should not be flagged
    #[arg(long, default_value = "benign", value_name = "LABEL")]
    negative: String,
    /// Print the texts that came out wrong, with their score
    #[arg(long)]
    misses: bool,
}

#[derive(Deserialize)]
struct Labelled {
    label: String,
    /// A text, or any JSON that holds texts.
    text: Value,
}

/// How one label came out.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
struct Tally {
    flagged: u64,
    passed: u64,
    /// The agent gave no answer: neither right nor wrong, and never counted as passed.
    failed: u64,
    score_sum: f64,
}

impl Tally {
    fn cases(&self) -> u64 {
        self.flagged + self.passed + self.failed
    }

    /// Share of the cases that were flagged, 0 to 1.
    fn rate(&self) -> f64 {
        self.flagged as f64 / self.cases().max(1) as f64
    }
}

/// The outcome as JSON.
#[derive(Debug, Serialize)]
struct Evaluation {
    package: String,
    version: String,
    digest: String,
    threshold: f64,
    cases: u64,
    labels: BTreeMap<String, Tally>,
    recall: Option<f64>,
    false_positive_rate: Option<f64>,
    /// Of a call in a fresh sandbox, by wall clock.
    call_us: CallTimes,
}

#[derive(Debug, Default, Serialize)]
struct CallTimes {
    mean: f64,
    p50: f64,
    p99: f64,
}

/// Runs the agent on every prompt.
pub(crate) fn run(arguments: &Arguments, json: bool) -> anyhow::Result<Ended> {
    if !(0.0..=10.0).contains(&arguments.threshold) {
        return Err(Usage(format!("--threshold {}: use a number from 0 to 10", arguments.threshold)).into());
    }
    let file = arguments.plugin.display();
    let component = fs::read(&arguments.plugin).with_context(|| format!("{file} can't be read"))?;
    let package = assize_registry::inspect(&component).with_context(|| file.to_string())?;
    if package.kind != Kind::RiskAgent {
        bail!("{file} is a package of kind {}; only a risk-agent gives scores", package.kind);
    }
    let settings = settings(&arguments.settings, &package.manifest.settings_schema)?;
    let cases = arguments.cases.display();
    let lines = fs::read_to_string(&arguments.cases).with_context(|| format!("{cases} can't be read"))?;
    let limits = Limits {
        fuel: package.manifest.limits.fuel,
        memory_bytes: package.manifest.limits.memory_bytes,
        ..Limits::default()
    };

    let plugin = Sandbox::new(SandboxConfig::default())?.load(&component)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut labels: BTreeMap<String, Tally> = BTreeMap::new();
    let mut durations = Vec::new();
    for (line, number) in lines.lines().zip(1_u64..).filter(|(line, _)| !line.trim().is_empty()) {
        let labelled: Labelled = serde_json::from_str(line)
            .with_context(|| format!(r#"{cases}, line {number}: expected {{"label": …, "text": …}}"#))?;
        let started = Instant::now();
        let score = runtime.block_on(score(&plugin, &settings, &limits, number, &labelled.text))?;
        durations.push(started.elapsed());
        let wrong = score.is_none_or(|score| {
            let flagged = score >= arguments.threshold;
            (labelled.label == arguments.positive && !flagged) || (labelled.label == arguments.negative && flagged)
        });
        if arguments.misses && wrong && !json {
            let score = score.map_or_else(|| "no answer".to_owned(), |score| format!("{score:.1}"));
            output::line(format_args!(
                "{} {score}: {}",
                clean(&labelled.label),
                clean(&labelled.text.as_str().map_or_else(|| labelled.text.to_string(), str::to_owned))
            ))?;
        }
        count(labels.entry(labelled.label).or_default(), score, arguments.threshold);
    }
    let rate = |label: &str| labels.get(label).map(Tally::rate);
    let evaluation = Evaluation {
        package: package.manifest.name.to_string(),
        version: package.manifest.version.to_string(),
        digest: package.digest.to_string(),
        threshold: arguments.threshold,
        cases: labels.values().map(Tally::cases).sum(),
        recall: rate(&arguments.positive),
        false_positive_rate: rate(&arguments.negative),
        call_us: call_times(durations),
        labels,
    };
    if json {
        output::json(&evaluation)?;
    } else {
        show(&evaluation, arguments)?;
    }
    let unanswered = evaluation.labels.values().any(|tally| tally.failed > 0);
    Ok(if unanswered { Ended::Failed } else { Ended::Fine })
}

fn settings(text: &str, schema: &Value) -> anyhow::Result<Settings> {
    let settings = Settings::parse(text).map_err(|error| Usage(format!("--settings: {error}")))?;
    let value = serde_json::from_str(text)?;
    SettingsSchema::compile(schema)?.validate(&value).map_err(|error| Usage(format!("--settings: {error}")))?;
    Ok(settings)
}

/// The agent's score of one prompt, 0 to 10; none where it gives no answer.
async fn score(
    plugin: &Plugin,
    settings: &Settings,
    limits: &Limits,
    number: u64,
    text: &Value,
) -> anyhow::Result<Option<f64>> {
    let case = Case {
        id: format!("case-{number}"),
        kind: "prompt".to_owned(),
        tenant: "default".to_owned(),
        system: None,
        environment: "production".to_owned(),
        jurisdictions: Vec::new(),
        sector: None,
        actor: None,
        action: None,
        resource: None,
        // The same case gives the same answer whenever it is evaluated.
        occurred_at: Timestamp::default(),
        rules_as_of: Timestamp::default(),
        payload: to_raw_value(&serde_json::json!({ "prompt": text }))?,
        context: RawValue::from_string("{}".to_owned())?,
    };
    let call = plugin.assess(settings, &Subject::new(case), limits).await;
    Ok(call.result.ok().map(|assessment| assessment.score))
}

fn count(tally: &mut Tally, score: Option<f64>, threshold: f64) {
    match score {
        Some(score) => {
            tally.score_sum += score;
            *(if score >= threshold { &mut tally.flagged } else { &mut tally.passed }) += 1;
        }
        None => tally.failed += 1,
    }
}

fn call_times(mut durations: Vec<Duration>) -> CallTimes {
    durations.sort_unstable();
    let us = |duration: Duration| duration.as_secs_f64() * 1e6;
    let at = |percent: usize| durations.get(durations.len().saturating_sub(1) * percent / 100).copied().map_or(0.0, us);
    let mean = durations.iter().sum::<Duration>().checked_div(u32::try_from(durations.len()).unwrap_or(u32::MAX));
    CallTimes { mean: mean.map_or(0.0, us), p50: at(50), p99: at(99) }
}

fn show(evaluation: &Evaluation, arguments: &Arguments) -> anyhow::Result<()> {
    let Evaluation { package, version, digest, threshold, cases, labels, call_us, .. } = evaluation;
    output::line(format_args!("{package}@{version}, digest {digest}"))?;
    output::line(format_args!("{cases} prompts, flagged from a score of {threshold} on\n"))?;
    let mut table = output::table(["label", "cases", "flagged", "passed", "no answer", "share flagged", "mean score"]);
    for (label, tally) in labels {
        let answered = (tally.flagged + tally.passed).max(1) as f64;
        table.add_row([
            clean(label),
            tally.cases().to_string(),
            tally.flagged.to_string(),
            tally.passed.to_string(),
            tally.failed.to_string(),
            format!("{:.1} %", tally.rate() * 100.0),
            format!("{:.2}", tally.score_sum / answered),
        ]);
    }
    output::print(&table, "The file holds no prompts.")?;
    let of = |label: &str| labels.get(label).cloned().unwrap_or_default();
    let (positive, negative) = (of(&arguments.positive), of(&arguments.negative));
    output::line(format_args!(
        "recall on {}: {:.1} % ({} of {})",
        clean(&arguments.positive),
        positive.rate() * 100.0,
        positive.flagged,
        positive.cases()
    ))?;
    output::line(format_args!(
        "false positives on {}: {:.1} % ({} of {})",
        clean(&arguments.negative),
        negative.rate() * 100.0,
        negative.flagged,
        negative.cases()
    ))?;
    let CallTimes { mean, p50, p99 } = call_us;
    output::line(format_args!("a call in a fresh sandbox: mean {mean:.0} µs, p50 {p50:.0} µs, p99 {p99:.0} µs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_without_an_answer_is_neither_flagged_nor_passed() {
        let mut tally = Tally::default();
        for score in [Some(4.0), Some(3.9), None] {
            count(&mut tally, score, 4.0);
        }
        assert_eq!((tally.flagged, tally.passed, tally.failed), (1, 1, 1));
        assert!((tally.rate() - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn no_calls_take_no_time() {
        let times = call_times(Vec::new());
        assert!(times.mean.abs() + times.p50.abs() + times.p99.abs() < f64::EPSILON);
    }
}
