//! `assize erase` and `assize retention`: what may quote a person doesn't stay longer than it may.

use serde::Deserialize;
use serde_json::json;

use crate::client::Connection;
use crate::output::{self, Ended, clean};

/// Erase inputs and records, with the legal basis; their entries and proofs stay.
#[derive(Debug, clap::Args)]
pub(crate) struct Erase {
    /// Decisions
    #[arg(required_unless_present = "data_subject", conflicts_with = "data_subject", value_name = "ID")]
    decisions: Vec<String>,
    /// All decisions about this person, as their cases named them
    #[arg(long, value_name = "NAME")]
    data_subject: Option<String>,
    /// The legal basis, e.g. "GDPR Art. 17(1)(b)". It stays readable for ever: no personal data
    #[arg(long, value_name = "TEXT")]
    basis: String,
    /// In your words; kept in the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The tenant whose they are, for a key of the host [default: the one tenant which has such decisions]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// Show or change how long inputs and records are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Retention {
    /// Days, e.g. 30d, or legal_hold; without it, what holds is shown
    payloads: Option<String>,
    /// The tenant whose they are, for a key of the host [default: the only tenant that there is]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

#[derive(Deserialize)]
struct Erased {
    tenant: String,
    erased: u64,
}

#[derive(Deserialize)]
struct Retained {
    tenant: String,
    payloads: String,
}

/// Carries out `erase`.
pub(crate) fn erase(arguments: &Erase, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let Erase { decisions, data_subject, basis, reason, tenant } = arguments;
    let body =
        json!({ "decisions": decisions, "data_subject": data_subject, "basis": basis, "reason": reason }).to_string();
    let reply = connection.post("/v1/erasures", body).query("tenant", tenant.as_ref()).send()?;
    if json {
        output::line(reply.text()?)?;
        return Ok(Ended::Fine);
    }
    let Erased { tenant, erased } = reply.read()?;
    match erased {
        0 => output::line("nothing was left to erase")?,
        // A key of the host may have meant another's.
        count => output::line(format_args!(
            "erased what {count} decisions bind, of tenant {}; their entries and proofs stay",
            clean(&tenant)
        ))?,
    }
    Ok(Ended::Fine)
}

/// Carries out `retention`.
pub(crate) fn retention(arguments: &Retention, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let call = match &arguments.payloads {
        Some(payloads) => connection.put("/v1/retention", json!({ "payloads": payloads }).to_string()),
        None => connection.get("/v1/retention"),
    };
    let reply = call.query("tenant", arguments.tenant.as_ref()).send()?;
    if json {
        output::line(reply.text()?)?;
    } else {
        let Retained { tenant, payloads } = reply.read()?;
        output::line(format_args!("inputs and records of tenant {} are kept: {}", clean(&tenant), clean(&payloads)))?;
    }
    Ok(Ended::Fine)
}
