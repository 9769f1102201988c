//! `assize re-evaluate`.

use clap::ValueEnum;
use serde_json::json;

use crate::client::{Connection, segment};
use crate::decide;
use crate::output::{self, Ended, clean};

/// Rule the case of a decision anew, by what is in force now.
///
/// The case is the recorded one; policy, versions and emergency stops are those of now. The new decision names the earlier
/// one, which stays as it is. It needs an admin's key.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The earlier decision
    #[arg(value_name = "ID")]
    id: String,
    /// Why
    #[arg(long, value_name = "REASON")]
    reason: Reason,
    /// More on why, e.g. the court's file number; kept in the record
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The day whose rules apply [default: that of the earlier decision]
    #[arg(long, value_name = "TIME")]
    rules_as_of: Option<String>,
    /// The same key for the same decision gives the same re-evaluation
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Reason {
    /// The law changed
    #[value(alias = "new-law")]
    NewLaw,
    /// An agent or a rule is there in a newer version
    #[value(alias = "new-model")]
    NewModel,
    /// The policy changed
    #[value(alias = "new-policy")]
    NewPolicy,
    /// A court or an authority ordered it
    #[value(alias = "court-order")]
    CourtOrder,
    /// The earlier decision was wrong
    Correction,
    /// The person concerned asked for it
    Request,
}

/// Has it ruled anew, and shows what came of it.
pub(crate) fn run(arguments: &Arguments, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let Arguments { id, reason, note, rules_as_of, idempotency_key } = arguments;
    let reason = reason.to_possible_value().map(|value| value.get_name().to_owned());
    let body = json!({ "reason": reason, "note": note, "rules_as_of": rules_as_of }).to_string();
    let mut call = connection.post(format!("/v1/decisions/{}/re-evaluate", segment(id)), body);
    if let Some(key) = idempotency_key {
        call = call.header("idempotency-key", key.as_str());
    }
    let reply = call.send()?;
    let decision: decide::Decision = reply.read()?;
    if json {
        output::line(reply.text()?)?;
        return Ok(Ended::Fine);
    }
    output::line(format_args!("ruled anew, instead of decision {} (which stays on record)", clean(id)))?;
    decide::show(&decision, reply.is_new())?;
    output::line(format_args!("Why differently: assize compare {} {}", clean(id), clean(decision.id())))?;
    Ok(Ended::Fine)
}
