//! From flags to what a simulation swaps.

use std::path::PathBuf;

use anyhow::Context as _;
use assize_kernel::{Environment, Thresholds};
use assize_ledger::Timestamp;
use assize_rehearing::simulation::{Alarm, Base, PolicySwap, Specification};
use assize_sandbox::contract::Verdict;
use serde_json::value::RawValue;

use crate::decide::contents;
use crate::output::Usage;

/// What is swapped, and over which decisions.
#[derive(Debug, clap::Args)]
pub(crate) struct Swap {
    /// The whole specification as JSON: a file, or - for stdin; flags add to it
    #[arg(long, value_name = "FILE")]
    specification: Option<String>,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Run this version wherever its package is bound, as if it had always been in force; may be repeated
    #[arg(long, value_name = "NAMESPACE/NAME@VERSION")]
    swap: Vec<String>,
    /// Apply the rules of this day to every case
    #[arg(long, value_name = "TIME")]
    rules_as_of: Option<Timestamp>,
    /// Use another threshold, e.g. production.block=7; may be repeated
    #[arg(long = "threshold", value_name = "ENVIRONMENT.VERDICT=SCORE")]
    thresholds: Vec<String>,
    /// Give a binding another weight; may be repeated
    #[arg(long = "weight", value_name = "BINDING=NUMBER")]
    weights: Vec<String>,
    /// Give a binding other settings, as JSON or @FILE; may be repeated
    #[arg(long = "settings", value_name = "BINDING=JSON")]
    settings: Vec<String>,
    /// Leave a binding out; may be repeated
    #[arg(long, value_name = "BINDING")]
    without: Vec<String>,
    /// Put a policy in the place of a scope's
    #[arg(long, value_name = "SCOPE=FILE")]
    policy: Option<String>,
    /// What changes are made to: recorded (what judged each decision), now, or what was known at a moment
    #[arg(long, value_name = "recorded|now|TIME")]
    base: Option<String>,
    /// Only decisions of this system
    #[arg(long, value_name = "ID")]
    system: Option<String>,
    /// Only decisions in this environment
    #[arg(long, short, value_name = "NAME")]
    environment: Option<String>,
    /// Only decisions with this verdict
    #[arg(long, value_name = "VERDICT")]
    verdict: Option<String>,
    /// Only decisions judged at this moment or later
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Only decisions judged before this moment
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// From which verdict on a case counts as caught, where the truth is known [default: review]
    #[arg(long, value_name = "VERDICT")]
    alarm: Option<String>,
    /// List this many of the cases that would come out otherwise [default: 1000]
    #[arg(long, value_name = "N")]
    flips: Option<usize>,
}

impl Swap {
    pub(super) fn specification(&self) -> anyhow::Result<Specification> {
        let mut all = match &self.specification {
            Some(file) => {
                serde_json::from_slice(&contents(file)?).with_context(|| format!("the specification {file}"))?
            }
            None => Specification::default(),
        };
        all.title = self.title.clone().or(all.title);
        all.changes.rules_as_of = self.rules_as_of.or(all.changes.rules_as_of);
        for text in &self.swap {
            let wrong =
                || Usage(format!("--swap {text:?}: write namespace/name@version, e.g. br/election-content@1.4.0"));
            let (package, version) = text.split_once('@').ok_or_else(wrong)?;
            let package = package.parse().map_err(|error| Usage(format!("--swap {text:?}: {error}")))?;
            let version = version.parse().map_err(|error| Usage(format!("--swap {text:?}: {error}")))?;
            all.changes.versions.insert(package, version);
        }
        for text in &self.thresholds {
            let wrong = || Usage(format!("--threshold {text:?}: write e.g. production.block=7"));
            let (place, score) = text.split_once('=').ok_or_else(wrong)?;
            let (environment, verdict) = place.split_once('.').ok_or_else(wrong)?;
            let environment: Environment =
                environment.parse().map_err(|error| Usage(format!("--threshold {text:?}: {error}")))?;
            let score: f64 = score.parse().map_err(|_| wrong())?;
            let thresholds: &mut Thresholds = all.changes.thresholds.entry(environment).or_default();
            match verdict {
                "warn" => thresholds.warn = Some(score),
                "review" => thresholds.review = Some(score),
                "block" => thresholds.block = Some(score),
                _ => return Err(wrong().into()),
            }
        }
        for text in &self.weights {
            let wrong = || Usage(format!("--weight {text:?}: write e.g. ethical=0.5"));
            let (binding, weight) = text.split_once('=').ok_or_else(wrong)?;
            all.changes.weights.insert(binding.to_owned(), weight.parse().map_err(|_| wrong())?);
        }
        for text in &self.settings {
            let wrong = || {
                Usage(format!(
                    "--settings {text:?}: write a binding and JSON, e.g. ethical={{\"x\":1}} or ethical=@file"
                ))
            };
            let (binding, json) = text.split_once('=').ok_or_else(wrong)?;
            let json = match json.strip_prefix('@') {
                Some(file) => std::fs::read_to_string(file).with_context(|| format!("{file} can't be read"))?,
                None => json.to_owned(),
            };
            let settings =
                RawValue::from_string(json).map_err(|error| Usage(format!("--settings {text:?}: {error}")))?;
            all.changes.settings.insert(binding.to_owned(), settings);
        }
        all.changes.without.extend(self.without.iter().cloned());
        if let Some(text) = &self.policy {
            let wrong = || Usage(format!("--policy {text:?}: write a scope and a file, e.g. tenant=policy.json"));
            let (scope, file) = text.split_once('=').ok_or_else(wrong)?;
            let policy = std::fs::read(PathBuf::from(file)).with_context(|| format!("{file} can't be read"))?;
            let policy = serde_json::from_slice(&policy).with_context(|| format!("the policy {file}"))?;
            all.policy = Some(PolicySwap { scope: scope.to_owned(), policy });
        }
        all.base = match self.base.as_deref() {
            None => all.base,
            Some("recorded") => Base::Recorded,
            Some("now") => Base::Now,
            Some(moment) => Base::KnownAt(
                moment
                    .parse()
                    .map_err(|error| Usage(format!("--base {moment:?}: use recorded, now or a moment ({error})")))?,
            ),
        };
        let decisions = &mut all.decisions;
        decisions.system = self.system.clone().or_else(|| decisions.system.take());
        decisions.environment = self.environment.clone().or_else(|| decisions.environment.take());
        decisions.from = self.from.or(decisions.from);
        decisions.to = self.to.or(decisions.to);
        if let Some(text) = &self.verdict {
            decisions.verdict = Some(verdict("--verdict", text)?);
        }
        if let Some(text) = &self.alarm {
            all.alarm = Alarm(verdict("--alarm", text)?);
        }
        all.flips = self.flips.or(all.flips);
        all.check().map_err(|error| Usage(error.to_string()))?;
        Ok(all)
    }
}

fn verdict(flag: &str, text: &str) -> Result<Verdict, Usage> {
    let quoted = serde_json::Value::from(text);
    serde_json::from_value(quoted).map_err(|_| Usage(format!("{flag} {text:?}: use allow, warn, review or block")))
}
