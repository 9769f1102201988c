//! `assize policy …`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::client::{Connection, segment};
use crate::decide::contents;
use crate::output::{self, Ended, Usage, clean, short};

/// Read and replace policies, and end what they have on trial.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print the policy of a scope, as JSON
    Get {
        /// global, tenant, tenant:NAME or system:ID
        scope: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Give a scope a new version of its policy
    Set {
        /// global, tenant, tenant:NAME or system:ID
        scope: String,
        #[command(flatten)]
        whose: Whose,
        /// The policy as JSON: a file, or - for stdin
        file: String,
    },
    /// Show how bindings in shadow and canary do beside those that they may replace
    Trials {
        /// global, tenant, tenant:NAME or system:ID
        scope: String,
        #[command(flatten)]
        whose: Whose,
        /// Look at decisions of this moment and later, instead of all since the trials began
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Look at the newest so many decisions: 10000 where left out, and at most
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// Make a binding live that is in shadow or canary, instead of the one that it is a candidate for
    Promote(End),
    /// Take a binding out of the policy that is in shadow or canary
    RollBack(End),
}

/// Whose policy is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Whose {
    /// The tenant whose policy is meant, for a key of the host [default: the one that has the system, or the only one]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// The end of a trial.
#[derive(Debug, clap::Args)]
pub(crate) struct End {
    /// global, tenant, tenant:NAME or system:ID
    scope: String,
    #[command(flatten)]
    whose: Whose,
    /// The binding on trial
    binding: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who orders it, for the record
    #[arg(long, value_name = "ID")]
    operator: Option<String>,
    /// Only if the policy is still at this version
    #[arg(long, value_name = "N")]
    version: Option<u64>,
}

#[derive(Serialize)]
struct Ending<'a> {
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
}

#[derive(Deserialize)]
struct Version {
    tenant: Option<String>,
    version: u64,
    hash: String,
    policy: serde_json::Value,
}

/// Carries out one of them.
pub(crate) fn run(command: Command, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    match command {
        Command::Get { scope, whose } => {
            let reply = connection.get(path(&scope)).query("tenant", whose.tenant).send()?;
            if json {
                output::line(reply.text()?)?;
            } else {
                // The policy alone, so that it can be changed and given back.
                output::json(&reply.read::<Version>()?.policy)?;
            }
        }
        Command::Set { scope, whose, file } => {
            let reply = connection.put(path(&scope), contents(&file)?).query("tenant", whose.tenant).send()?;
            if json {
                output::line(reply.text()?)?;
            } else {
                let set: Version = reply.read()?;
                output::line(format_args!("{scope} is at {}", set.told()))?;
            }
        }
        Command::Trials { scope, whose, since, limit } => {
            let call = connection.get(format!("{}/trials", path(&scope))).query("tenant", whose.tenant);
            let reply = call.query("since", since).query("limit", limit).send()?;
            if json {
                output::line(reply.text()?)?;
            } else {
                show(&scope, &reply.read()?)?;
            }
        }
        Command::Promote(end) => end.send("promote", "is live", connection, json)?,
        Command::RollBack(end) => end.send("roll-back", "is gone", connection, json)?,
    }
    Ok(Ended::Fine)
}

fn path(scope: &str) -> String {
    format!("/v1/policies/{}", segment(scope))
}

impl End {
    fn send(&self, step: &str, done: &str, connection: &Connection, json: bool) -> anyhow::Result<()> {
        let Self { scope, whose, binding, reason, operator, version } = self;
        if reason.trim().is_empty() {
            return Err(Usage("--reason is empty: say why, for the record".to_owned()).into());
        }
        let ending = Ending { reason, operator_id: operator.as_deref(), version: *version };
        let path = format!("{}/trials/{}/{step}", path(scope), segment(binding));
        let call = connection.post(path, serde_json::to_vec(&ending)?).query("tenant", whose.tenant.as_ref());
        let reply = call.send()?;
        if json {
            return output::line(reply.text()?);
        }
        let ended: Version = reply.read()?;
        let (scope, binding) = (clean(scope), clean(binding));
        output::line(format_args!("{binding} {done}: {scope} is at {}", ended.told()))
    }
}

impl Version {
    /// Which it is; and whose, since a key of the host may have meant another's.
    fn told(&self) -> String {
        let of = self.tenant.as_deref().map_or_else(String::new, |tenant| format!(", of tenant {}", clean(tenant)));
        format!("version {}, hash {}{of}", self.version, short(&self.hash))
    }
}

#[derive(Deserialize)]
struct Trials {
    version: u64,
    looked_at: u64,
    of: u64,
    erased: u64,
    trials: Vec<Trial>,
}

#[derive(Deserialize)]
struct Trial {
    binding: String,
    mode: Mode,
    instead_of: Option<String>,
    since: Beginning,
    cases: u64,
    counted: u64,
    agreement: Option<f64>,
    flips: Vec<Flip>,
    scores: Option<Distance>,
    candidate: Side,
    incumbent: Option<Side>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Shadow,
    Canary(u64),
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shadow => f.write_str("shadow"),
            Self::Canary(share) => write!(f, "canary {share} %"),
        }
    }
}

#[derive(Deserialize)]
struct Beginning {
    version: u64,
}

#[derive(Deserialize)]
struct Flip {
    was: String,
    would_be: String,
    cases: u64,
    decisions: Vec<String>,
}

#[derive(Deserialize)]
struct Distance {
    mean: f64,
    max: f64,
    max_in: Option<String>,
}

#[derive(Deserialize)]
struct Side {
    failures: BTreeMap<String, u64>,
    p50_us: Option<u64>,
    p95_us: Option<u64>,
}

/// A dash where there is no value.
fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn show(scope: &str, report: &Trials) -> anyhow::Result<()> {
    let Trials { version, looked_at, of, erased, trials } = report;
    let mut table = output::table([
        "binding",
        "mode",
        "instead of",
        "since",
        "cases",
        "counted",
        "agree",
        "failed",
        "p50 µs",
        "p95 µs",
        "live p50",
        "live p95",
    ]);
    for trial in trials {
        let live = |of: fn(&Side) -> Option<u64>| or_dash(trial.incumbent.as_ref().and_then(of));
        table.add_row([
            clean(&trial.binding),
            trial.mode.to_string(),
            trial.instead_of.as_deref().map_or_else(|| "-".to_owned(), clean),
            format!("version {}", trial.since.version),
            trial.cases.to_string(),
            trial.counted.to_string(),
            or_dash(trial.agreement.map(|share| format!("{:.1} %", share * 100.0))),
            trial.candidate.failures.values().sum::<u64>().to_string(),
            or_dash(trial.candidate.p50_us),
            or_dash(trial.candidate.p95_us),
            live(|side| side.p50_us),
            live(|side| side.p95_us),
        ]);
    }
    output::print(&table, "Nothing is on trial: give a binding the mode \"shadow\" or {\"canary\": N}")?;
    for trial in trials {
        let binding = clean(&trial.binding);
        if let Some(Distance { mean, max, max_in }) = &trial.scores {
            let at = max_in.as_deref().map(|id| format!(", in {}", clean(id))).unwrap_or_default();
            output::line(format_args!("\n{binding}: scores lie {mean:.3} apart in the mean, {max:.3} at most{at}"))?;
        }
        for Flip { was, would_be, cases, decisions } in &trial.flips {
            output::line(format_args!("\n{binding}: {cases} × {} → {}", clean(was), clean(would_be)))?;
            for id in decisions {
                output::line(format_args!("    {}", clean(id)))?;
            }
        }
    }
    let erased = if *erased > 0 { format!(", {erased} of them erased") } else { String::new() };
    output::line(format_args!(
        "\n{} at version {version}: {looked_at} of {of} decisions looked at{erased}",
        clean(scope)
    ))
}
