//! The life of a published version: submitted, approved, retired, rolled back, yanked; and where it stands.

use serde::{Deserialize, Serialize};

use super::{Effective, PackageVersion};
use crate::client::Connection;
use crate::output::{self, Ended, Usage, clean};

/// Steps in the life of a published version.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Life {
    /// Ask others to look at a version
    Submit {
        /// namespace/name@version
        version: PackageVersion,
        /// For the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Find a submitted version fit to serve, as somebody else than its author
    Approve {
        /// namespace/name@version
        version: PackageVersion,
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
        /// namespace/name@version
        version: PackageVersion,
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
    /// namespace/name@version
    version: PackageVersion,
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

impl From<Why> for (PackageVersion, Step) {
    fn from(why: Why) -> Self {
        let Why { version, reason, operator } = why;
        (version, Step { reason: Some(reason), operator_id: operator, ..Step::default() })
    }
}

impl Life {
    /// Takes one.
    pub(crate) fn run(self, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
        let (verb, (version, step)) = match self {
            Self::Submit { version, reason } => ("submit", (version, Step { reason, ..Step::default() })),
            Self::Approve { version, digest, reason, operator } => {
                let (reason, digest) = (Some(reason), Some(digest));
                ("approve", (version, Step { reason, operator_id: operator, digest, ..Step::default() }))
            }
            Self::Reject(why) => ("reject", why.into()),
            Self::Deactivate { version, reason } => ("deactivate", (version, Step { reason, ..Step::default() })),
            Self::Retire(why) => ("retire", why.into()),
            Self::Yank(why) => ("yank", why.into()),
            Self::RollBack { package, reason, operator, allow_overlap } => {
                let step = Step { reason: Some(reason), operator_id: operator, allow_overlap, ..Step::default() };
                return roll_back(&package, &step, connection, json);
            }
        };
        take(connection, &version, verb, &step, json)
    }
}

/// Lets bindings use a version.
pub(super) fn activate(
    version: &PackageVersion,
    reason: Option<String>,
    allow_overlap: bool,
    connection: &Connection,
    json: bool,
) -> anyhow::Result<Ended> {
    take(connection, version, "activate", &Step { reason, allow_overlap, ..Step::default() }, json)
}

fn check(step: &Step) -> Result<(), Usage> {
    match step.reason.as_deref() {
        Some(reason) if reason.trim().is_empty() => Err(Usage("--reason is empty: say why, for the record".to_owned())),
        _ => Ok(()),
    }
}

fn take(
    connection: &Connection,
    version: &PackageVersion,
    verb: &str,
    step: &Step,
    json: bool,
) -> anyhow::Result<Ended> {
    check(step)?;
    let reply = connection.post(version.path(verb), serde_json::to_vec(step)?).send()?;
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
    Ok(Ended::Fine)
}

#[derive(Deserialize)]
struct RolledBack {
    from: Shown,
    to: Shown,
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
    step: &Step,
    connection: &Connection,
    json: bool,
) -> anyhow::Result<Ended> {
    check(step)?;
    // A package's name is two segments of an address.
    let reply = connection.post(format!("/v1/plugins/{package}/roll-back"), serde_json::to_vec(step)?).send()?;
    if json {
        output::line(reply.text()?)?;
    } else {
        let RolledBack { from, to } = reply.read()?;
        let (from, to) = (clean(&from.version), clean(&to.version));
        output::line(format_args!("{package}: {from} is retired, {to} serves again"))?;
    }
    Ok(Ended::Fine)
}

/// Where a version stands, and who signed it.
pub(super) fn show(version: &PackageVersion, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let path = version.path("");
    let reply = connection.get(path.trim_end_matches('/')).send()?;
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
