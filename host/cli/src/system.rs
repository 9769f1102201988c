//! `assize system …`: the AI systems that cases come from, and their kill switch.

use serde::{Deserialize, Serialize};

use crate::client::{Connection, segment};
use crate::decide::contents;
use crate::output::{self, Ended, Usage, clean};

/// Register AI systems, stop and resume them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Register a system
    Add {
        /// Whose it is, for a key of the host [default: default]
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        #[command(flatten)]
        registration: Box<Registration>,
    },
    /// Replace a system's data; what is left out is unset
    Set {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        registration: Box<Registration>,
    },
    /// List the systems
    List {
        /// Whose, for a key of the host [default: those of all tenants]
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
    /// Stop a system: every case of it is blocked from here on, before any plugin runs
    Stop(Switch),
    /// Let a stopped system run again
    Resume(Switch),
}

/// Whose system is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Whose {
    /// The tenant whose system is meant, for a key of the host [default: the one tenant which has it]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// A system's data.
#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Registration {
    /// Its id
    #[arg(required_unless_present = "file")]
    id: Option<String>,
    /// All its data as JSON: a file, or - for stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = FIELDS)]
    #[serde(skip)]
    file: Option<String>,
    /// What people call it
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Its area, e.g. one of Annex III of the EU AI Act
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    sector: Option<String>,
    /// minimal, limited, high or unacceptable
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<String>,
    /// Whose law its cases fall under; may be repeated
    #[arg(long = "jurisdiction", value_name = "CODE")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    jurisdictions: Vec<String>,
    /// Its id in the EU database (AI Act, Art. 71)
    #[arg(long, value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    eu_database_registration_id: Option<String>,
    /// Floating point operations of its training, e.g. 1e25
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    training_flops: Option<f64>,
}

/// What such a file says already.
const FIELDS: [&str; 7] =
    ["id", "name", "sector", "risk", "jurisdictions", "eu_database_registration_id", "training_flops"];

/// A stop or its end.
#[derive(Debug, clap::Args)]
pub(crate) struct Switch {
    /// The system
    id: String,
    #[command(flatten)]
    whose: Whose,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who orders it, for the record
    #[arg(long, value_name = "ID")]
    operator: String,
}

#[derive(Serialize)]
struct Order<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    operational_status: Option<&'a str>,
    reason: &'a str,
    operator_id: &'a str,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Listing {
    systems: Vec<System>,
}

#[derive(Deserialize)]
struct System {
    id: String,
    tenant: String,
    #[serde(default)]
    name: Option<String>,
    operational_status: String,
    risk_classification: Option<String>,
    sector: Option<String>,
    #[serde(default)]
    jurisdictions: Vec<String>,
}

/// Carries out one of them.
pub(crate) fn run(command: Command, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let (call, done) = match &command {
        Command::Add { tenant, registration } => {
            let call = connection.post("/v1/systems", registration.body()?).query("tenant", tenant.as_ref());
            (call, "is registered".to_owned())
        }
        Command::Set { whose, registration } => {
            let body = registration.body()?;
            let Named { id } =
                serde_json::from_slice(&body).map_err(|error| Usage(format!("the system's data: {error}")))?;
            let call = connection.put(format!("/v1/systems/{}", segment(&id)), body);
            (call.query("tenant", whose.tenant.as_ref()), "is changed".to_owned())
        }
        Command::List { tenant } => return list(tenant.as_deref(), connection, json),
        Command::Stop(switch) => {
            let order = switch.order(Some("emergency_stop"));
            let call = connection.put(switch.path("emergency-stop"), serde_json::to_vec(&order)?);
            let id = clean(&switch.id);
            let of = switch.whose.tenant.as_ref().map(|tenant| format!(" --tenant {}", clean(tenant)));
            let resume = format!("assize system resume {id}{} --reason … --operator …", of.unwrap_or_default());
            (call.query("tenant", switch.whose.tenant.as_ref()), format!("is stopped. To let it run again: {resume}"))
        }
        Command::Resume(switch) => {
            let call = connection.post(switch.path("resume"), serde_json::to_vec(&switch.order(None))?);
            (call.query("tenant", switch.whose.tenant.as_ref()), "runs again".to_owned())
        }
    };
    let reply = call.send()?;
    if json {
        output::line(reply.text()?)?;
    } else {
        let system: System = reply.read()?;
        // A key of the host may have meant another's.
        output::line(format_args!("{} of tenant {} {done}", clean(&system.id), clean(&system.tenant)))?;
    }
    Ok(Ended::Fine)
}

impl Registration {
    fn body(&self) -> anyhow::Result<Vec<u8>> {
        match &self.file {
            Some(file) => contents(file),
            None => Ok(serde_json::to_vec(self)?),
        }
    }
}

impl Switch {
    fn path(&self, step: &str) -> String {
        format!("/v1/systems/{}/{step}", segment(&self.id))
    }

    fn order<'a>(&'a self, operational_status: Option<&'a str>) -> Order<'a> {
        Order { operational_status, reason: &self.reason, operator_id: &self.operator }
    }
}

fn list(tenant: Option<&str>, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let reply = connection.get("/v1/systems").query("tenant", tenant).send()?;
    if json {
        output::line(reply.text()?)?;
        return Ok(Ended::Fine);
    }
    let listing: Listing = reply.read()?;
    let mut table = output::table(["id", "tenant", "name", "status", "risk", "sector", "jurisdictions"]);
    for system in &listing.systems {
        let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), clean);
        table.add_row([
            clean(&system.id),
            clean(&system.tenant),
            text(&system.name),
            clean(&system.operational_status),
            text(&system.risk_classification),
            text(&system.sector),
            clean(&system.jurisdictions.join(", ")),
        ]);
    }
    output::print(&table, "No system is registered. Next: assize system add ID")?;
    Ok(Ended::Fine)
}
