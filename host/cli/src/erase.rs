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
}

/// Show or change how long inputs and records are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Retention {
    /// Days, e.g. 30d, or legal_hold; without it, what holds is shown
    payloads: Option<String>,
}

#[derive(Deserialize)]
struct Erased {
    erased: u64,
}

#[derive(Deserialize)]
struct Retained {
    payloads: String,
}

/// Carries out `erase`.
pub(crate) fn erase(arguments: &Erase, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let Erase { decisions, data_subject, basis, reason } = arguments;
    let body =
        json!({ "decisions": decisions, "data_subject": data_subject, "basis": basis, "reason": reason }).to_string();
    let reply = connection.post("/v1/erasures", body).send()?;
    if json {
        output::line(reply.text()?)?;
        return Ok(Ended::Fine);
    }
    match reply.read::<Erased>()?.erased {
        0 => output::line("nothing was left to erase")?,
        count => output::line(format_args!("erased what {count} decisions bind; their entries and proofs stay"))?,
    }
    Ok(Ended::Fine)
}

/// Carries out `retention`.
pub(crate) fn retention(arguments: &Retention, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let reply = match &arguments.payloads {
        Some(payloads) => connection.put("/v1/retention", json!({ "payloads": payloads }).to_string()).send()?,
        None => connection.get("/v1/retention").send()?,
    };
    if json {
        output::line(reply.text()?)?;
    } else {
        let Retained { payloads } = reply.read()?;
        output::line(format_args!("inputs and records are kept: {}", clean(&payloads)))?;
    }
    Ok(Ended::Fine)
}
