//! The life of a published version: submitted, approved, retired, rolled back, yanked; and where it stands.

use serde::{Deserialize, Serialize};

use super::{Effective, Which, Whose};
use crate::client::Connection;
use crate::output::{self, Ended, Usage, clean};

/// Steps in the life of a published version.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Life {
    /// Ask others to look at a version
    Submit {
        #[command(flatten)]
        which: Which,
        /// For the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Find a submitted version fit to serve, as somebody else than its author
    Approve {
        #[command(flatten)]
        which: Which,
        /// The digest of what you looked at (`assize plugin inspect FILE`, `assize plugin show`)
        #[arg(long, value_name = "SHA256")]
        digest: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who answers for it, for the record
        #[arg(long, value_name = "ID")]
        operator: Option<String>,
    },
    /// Find a submitted or approved version unfit to serve
    Reject(Why),
    /// Take a version out of use for now
    Deactivate {
        #[command(flatten)]
        which: Which,
        /// For the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Take a version out of use that has served its time; it needs a new approval, where one is asked for
    Retire(Why),
    /// Go back to the version that served before the one that serves since last, in one step
    RollBack {
        /// namespace/name
        package: assize_registry::PackageName,
        #[command(flatten)]
        whose: Whose,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who answers for it, for the record
        #[arg(long, value_name = "ID")]
        operator: Option<String>,
        /// The earlier version's period may overlap with another active version's
        #[arg(long)]
        allow_overlap: bool,
    },
    /// Withdraw a version for good; replays still find it
    Yank(Why),
}

/// A version, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Why {
    #[command(flatten)]
    which: Which,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who answers for it, for the record
    #[arg(long, value_name = "ID")]
    operator: Option<String>,
}

#[derive(Default, Serialize)]
struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow_overlap: bool,
}

impl From<Why> for (Which, Step) {
    fn from(why: Why) -> Self {
        let Why { which, reason, operator } = why;
        (which, Step { reason: Some(reason), operator_id: operator, ..Step::default() })
    }
}

impl Life {
    /// Takes one.
    pub(crate) fn run(self, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
        let (verb, (which, step)) = match self {
            Self::Submit { which, reason } => ("submit", (which, Step { reason, ..Step::default() })),
            Self::Approve { which, digest, reason, operator } => {
                let (reason, digest) = (Some(reason), Some(digest));
                ("approve", (which, Step { reason, operator_id: operator, digest, ..Step::default() }))
            }
            Self::Reject(why) => ("reject", why.into()),
            Self::Deactivate { which, reason } => ("deactivate", (which, Step { reason, ..Step::default() })),
            Self::Retire(why) => ("retire", why.into()),
            Self::Yank(why) => ("yank", why.into()),
            Self::RollBack { package, whose, reason, operator, allow_overlap } => {
                let step = Step { reason: Some(reason), operator_id: operator, allow_overlap, ..Step::default() };
                return roll_back(&package, &whose, &step, connection, json);
            }
        };
        take(connection, &which, verb, &step, json)
    }
}

/// Lets bindings use a version.
pub(super) fn activate(
    which: &Which,
    reason: Option<String>,
    allow_overlap: bool,
    connection: &Connection,
    json: bool,
) -> anyhow::Result<Ended> {
    take(connection, which, "activate", &Step { reason, allow_overlap, ..Step::default() }, json)
}

fn check(step: &Step) -> Result<(), Usage> {
    match step.reason.as_deref() {
        Some(reason) if reason.trim().is_empty() => Err(Usage("--reason is empty: say why, for the record".to_owned())),
        _ => Ok(()),
    }
}

fn take(
    connection: &Connection,
    Which { version, whose }: &Which,
    verb: &str,
    step: &Step,
    json: bool,
) -> anyhow::Result<Ended> {
    check(step)?;
    let reply =
        connection.post(version.path(verb), serde_json::to_vec(step)?).query("tenant", whose.tenant.as_ref()).send()?;
    if json {
        output::line(reply.text()?)?;
        return Ok(Ended::Fine);
    }
    let done = match verb {
        "submit" => "is submitted. Next: somebody else approves it, with assize plugin approve",
        "approve" => "is approved. Next: assize plugin activate",
        "reject" => "is rejected: it is a draft again",
        "yank" => "is yanked: no binding uses it any more, replays still find it",
        "deactivate" => "is inactive: no binding uses it until it is activated again",
        "retire" => "is retired: no binding uses it any more",
        _ => "is active",
    };
    output::line(format_args!("{}@{} {done}", version.package, clean(&version.version)))?;
    reply.read::<Left>()?.warn()?;
    Ok(Ended::Fine)
}

#[derive(Deserialize)]
struct RolledBack {
    from: Shown,
    to: Shown,
    #[serde(flatten)]
    left: Left,
}

/// What a step left behind.
#[derive(Deserialize)]
struct Left {
    /// Bindings that have nothing to run since.
    #[serde(default)]
    nothing_to_run: Vec<Bound>,
}

#[derive(Deserialize)]
struct Bound {
    /// Whose policy has it; none for the host's.
    tenant: Option<String>,
    scope: String,
    binding: String,
}

impl Left {
    fn warn(&self) -> anyhow::Result<()> {
        for Bound { tenant, scope, binding } in &self.nothing_to_run {
            let (binding, scope) = (clean(binding), clean(scope));
            let whose = tenant.as_deref().map_or_else(String::new, |tenant| format!(" ({})", clean(tenant)));
            output::line(format_args!(
                "Warning: binding {binding} of policy {scope}{whose} has nothing to run: its failure policy holds"
            ))?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Shown {
    name: String,
    version: String,
    digest: String,
    kind: String,
    title: String,
    state: String,
    tenant: Option<String>,
    effective: Effective,
    published_at: String,
    approved: Option<String>,
    signed_by: Vec<String>,
}

fn roll_back(
    package: &assize_registry::PackageName,
    whose: &Whose,
    step: &Step,
    connection: &Connection,
    json: bool,
) -> anyhow::Result<Ended> {
    check(step)?;
    // A package's name is two segments of an address.
    let call = connection.post(format!("/v1/plugins/{package}/roll-back"), serde_json::to_vec(step)?);
    let reply = call.query("tenant", whose.tenant.as_ref()).send()?;
    if json {
        output::line(reply.text()?)?;
    } else {
        let RolledBack { from, to, left } = reply.read()?;
        let (from, to) = (clean(&from.version), clean(&to.version));
        output::line(format_args!("{package}: {from} is retired, {to} serves again"))?;
        left.warn()?;
    }
    Ok(Ended::Fine)
}

/// Where a version stands, and who signed it.
pub(super) fn show(Which { version, whose }: &Which, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let path = version.path("");
    let reply = connection.get(path.trim_end_matches('/')).query("tenant", whose.tenant.as_ref()).send()?;
    if json {
        output::line(reply.text()?)?;
        return Ok(Ended::Fine);
    }
    let shown: Shown = reply.read()?;
    let signed = if shown.signed_by.is_empty() { "nobody".to_owned() } else { clean(&shown.signed_by.join("\n")) };
    let mut table = output::list();
    let rows = [
        ("package", format!("{}@{}", clean(&shown.name), clean(&shown.version))),
        ("title", clean(&shown.title)),
        ("kind", clean(&shown.kind)),
        ("digest", clean(&shown.digest)),
        ("whose", shown.tenant.as_deref().map_or_else(|| "the host's".to_owned(), clean)),
        ("in force", clean(&shown.effective.to_string())),
        ("state", clean(&shown.state)),
        ("published", clean(&shown.published_at)),
        ("approved", shown.approved.as_deref().map_or_else(|| "no".to_owned(), clean)),
        ("signed by", signed),
    ];
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    output::print(&table, "")?;
    Ok(Ended::Fine)
}
