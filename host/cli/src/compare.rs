//! `assize compare`.

use anyhow::Context as _;
use assize_rehearing::Compared;

use crate::client::{Connection, segment};
use crate::explain::at;
use crate::output::{self, Ended, clean};
use crate::place::Place;

/// Say why two decisions came out differently.
///
/// What they were made from is compared; what of it made the difference is found by judging the case of one with an
/// aspect of the other: its date, its thresholds, its payload. Nothing is recorded.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The first decision
    #[arg(value_name = "ID1")]
    one: String,
    /// The second
    #[arg(value_name = "ID2")]
    other: String,
    /// Only if both are this tenant's, where several are in one place
    #[arg(long, requires = "place")]
    tenant: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Compares them.
pub(crate) fn run(arguments: &Arguments, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let Arguments { one, other, tenant, place } = arguments;
    let text = if place.is_given() {
        at(place, async |archive| {
            Ok(serde_json::to_string_pretty(&archive.compare(tenant.as_deref(), one, other).await?)?)
        })?
    } else {
        let path = format!("/v1/decisions/{}/compare/{}", segment(one), segment(other));
        connection.get(path).send()?.text()?.to_owned()
    };
    if json {
        output::line(text)?;
    } else {
        show(&serde_json::from_str(&text).context("the comparison can't be read; is the server of this version?")?)?;
    }
    Ok(Ended::Fine)
}

fn show(compared: &Compared) -> anyhow::Result<()> {
    output::line(clean(&compared.summary))?;
    let mut table = output::table(["what differs", "in the first", "in the second"]);
    for factor in &compared.contrast.factors {
        let about = factor.about.as_ref().map(|about| format!(": {about}")).unwrap_or_default();
        table.add_row([clean(&format!("{}{about}", factor.aspect)), clean(&factor.one), clean(&factor.other)]);
    }
    output::line("")?;
    output::print(&table, "nothing that they were made from differs")?;
    if !compared.contrast.consequences.is_empty() {
        let mut table = output::table(["what followed", "in the first", "in the second"]);
        for consequence in &compared.contrast.consequences {
            table.add_row([clean(&consequence.what), clean(&consequence.one), clean(&consequence.other)]);
        }
        output::line("")?;
        output::print(&table, "")?;
    }
    if !compared.trials.is_empty() {
        output::line("\nWhat was tried")?;
    }
    for trial in &compared.trials {
        let doubt = if trial.inconclusive { " (the wall clock ended a call: this proves nothing)" } else { "" };
        output::line(format_args!("- {}{doubt}", clean(&trial.sentence)))?;
    }
    Ok(())
}
