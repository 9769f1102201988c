//! The demo's tables.

use std::collections::BTreeMap;

use comfy_table::Table;
use serde::Deserialize;

use crate::tables::table;

/// What is shown of a decision.
#[derive(Debug, Deserialize)]
pub(super) struct Decision {
    id: String,
    verdict: String,
    reason: String,
    risk: Risk,
    plugins: Vec<Plugin>,
}

#[derive(Debug, Deserialize)]
struct Risk {
    score: f64,
}

#[derive(Debug, Deserialize)]
struct Plugin {
    package: String,
    version: Option<String>,
    digest: Option<String>,
    kind: Option<String>,
    status: String,
}

impl Decision {
    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// allow, warn, review or block.
    pub(super) fn verdict(&self) -> &str {
        &self.verdict
    }

    /// Whether a replay of it has something to show: a verdict that needed a rule of a certain version.
    pub(super) fn is_telling(&self) -> bool {
        self.verdict != "allow" && self.plugins.iter().any(Plugin::is_dated)
    }
}

impl Plugin {
    fn is_dated(&self) -> bool {
        self.kind.as_deref() == Some("compliance-rule")
    }

    fn name(&self) -> String {
        let version = self.version.as_deref().unwrap_or("-");
        let digest = self.digest.as_deref().and_then(|digest| digest.get(..8)).unwrap_or("-");
        format!("{} {version} ({digest})", self.package)
    }
}

/// Decisions with their titles.
#[derive(Debug, Default)]
pub(super) struct Shown(Vec<(String, Decision)>);

impl Shown {
    /// One more.
    pub(super) fn add(&mut self, title: String, decision: Decision) {
        self.0.push((title, decision));
    }

    /// The decisions alone.
    pub(super) fn into_decisions(self) -> Vec<Decision> {
        self.0.into_iter().map(|(_, decision)| decision).collect()
    }

    /// One row a case. The agents are the same for all of them: the rules that applied are named here.
    pub(super) fn verdicts(&self) -> Table {
        let mut table =
            table(["case", "verdict", "risk", "reason", "plugins", "rules that applied, by version and digest"]);
        for (title, decision) in &self.0 {
            let rules: Vec<String> =
                decision.plugins.iter().filter(|plugin| plugin.is_dated()).map(Plugin::name).collect();
            table.add_row([
                title.clone(),
                decision.verdict.clone(),
                format!("{:.1}", decision.risk.score),
                decision.reason.clone(),
                decision.plugins.len().to_string(),
                if rules.is_empty() { "-".to_owned() } else { rules.join("\n") },
            ]);
        }
        table
    }

    /// Every plugin version that took part, with its whole digest.
    pub(super) fn plugins(&self) -> Table {
        let mut seen: BTreeMap<(&str, &str), (&Plugin, u32, u32)> = BTreeMap::new();
        for plugin in self.0.iter().flat_map(|(_, decision)| &decision.plugins) {
            let version = plugin.version.as_deref().unwrap_or("-");
            let (_, calls, answers) = seen.entry((&plugin.package, version)).or_insert((plugin, 0, 0));
            *calls += 1;
            *answers += u32::from(plugin.status == "ok");
        }
        let mut table = table(["plugin", "version", "kind", "calls", "answers", "digest (SHA-256 of the component)"]);
        for ((package, version), (plugin, calls, answers)) in seen {
            table.add_row([
                package.to_owned(),
                version.to_owned(),
                plugin.kind.clone().unwrap_or_default(),
                calls.to_string(),
                answers.to_string(),
                plugin.digest.clone().unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        table
    }
}

/// Verdicts by suite and label.
pub(super) fn tallies(counts: &BTreeMap<(String, String), BTreeMap<String, u32>>) -> Table {
    let verdicts = ["allow", "warn", "review", "block"];
    let mut table = table(["suite", "label", "tool calls", "allow", "warn", "review", "block"]);
    for ((suite, label), tally) in counts {
        let of = |verdict: &str| tally.get(verdict).copied().unwrap_or_default();
        let mut row = vec![suite.clone(), label.clone(), tally.values().sum::<u32>().to_string()];
        row.extend(verdicts.map(|verdict| of(verdict).to_string()));
        table.add_row(row);
    }
    table
}
