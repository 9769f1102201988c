//! `assize replay`.

use anyhow::Context as _;
use assize_sandbox::{Sandbox, SandboxConfig};
use serde::Deserialize;

use crate::client::{Connection, segment};
use crate::output::{self, Ended, clean};
use crate::place::Place;

/// Judge a recorded case again with the same plugins, and compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The decision
    id: String,
    #[command(flatten)]
    place: Place,
}

/// What is shown of a comparison, a server's or our own.
#[derive(Deserialize)]
struct Comparison {
    identical: bool,
    differences: Vec<Difference>,
    outputs: Vec<Output>,
    fuel_compared: bool,
    aborted: Vec<String>,
}

#[derive(Deserialize)]
struct Difference {
    field: String,
    recorded: String,
    replayed: String,
}

#[derive(Deserialize)]
struct Output {
    binding: String,
    package: String,
    version: Option<String>,
    recorded: Option<String>,
    replayed: Option<String>,
}

/// Replays one decision.
pub(crate) fn run(arguments: &Arguments, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let Arguments { id, place } = arguments;
    let text = if place.is_given() {
        replay_from(place, id)?
    } else {
        connection.post(format!("/v1/decisions/{}/replay", segment(id)), "{}").send()?.text()?.to_owned()
    };
    let comparison: Comparison =
        serde_json::from_str(&text).context("the comparison can't be read; is the server of this version?")?;
    if json {
        output::line(&text)?;
    } else {
        show(&comparison, id)?;
    }
    Ok(if comparison.identical { Ended::Fine } else { Ended::Failed })
}

fn replay_from(place: &Place, id: &str) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let reader = place.open().await?;
        let sandbox = Sandbox::new(SandboxConfig::default())?;
        // Whoever reads the directory may read all tenants.
        let replay = assize_server::replay(&reader, &sandbox, None, id, |_| None).await;
        reader.close().await;
        Ok(serde_json::to_string_pretty(&replay?)?)
    })
}

fn show(comparison: &Comparison, id: &str) -> anyhow::Result<()> {
    let mut table = output::table(["binding", "plugin", "output recorded", "output replayed"]);
    for Output { binding, package, version, recorded, replayed } in &comparison.outputs {
        let version = version.as_deref().unwrap_or("-");
        let hash = |hash: &Option<String>| hash.as_deref().map_or_else(|| "no answer".to_owned(), clean);
        table.add_row([clean(binding), clean(&format!("{package}@{version}")), hash(recorded), hash(replayed)]);
    }
    output::print(&table, "no plugin ran")?;
    for Difference { field, recorded, replayed } in &comparison.differences {
        output::line(format_args!("{}\n  recorded {}\n  replayed {}", clean(field), clean(recorded), clean(replayed)))?;
    }
    for binding in &comparison.aborted {
        output::line(format_args!(
            "note: the wall clock ended {}, then or now; what it would have said is unknown",
            clean(binding)
        ))?;
    }
    if !comparison.fuel_compared {
        output::line("note: another engine counts fuel otherwise, so it wasn't compared")?;
    }
    let id = clean(id);
    if comparison.identical {
        output::line(format_args!("identical: decision {id} comes out the same, to the bit"))
    } else {
        output::line(format_args!(
            "DIFFERENT: decision {id} comes out otherwise in {} fields",
            comparison.differences.len()
        ))
    }
}
