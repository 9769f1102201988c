//! `assize in-force`.

use anyhow::Context as _;
use assize_ledger::Timestamp;
use assize_rehearing::{BindingState, InForce, Scope, VersionInForce};

use crate::client::{Connection, segment};
use crate::output::{self, Ended, Usage, clean, short};
use crate::place::Place;

/// Show which rules held on a day, by what was known on a day.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// global, tenant or system:ID
    #[arg(default_value = "tenant")]
    scope: String,
    /// The day of the facts (RFC 3339 or a date): which versions apply to them [default: now]
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
    /// What was published, activated and set by this moment [default: now]
    #[arg(long, value_name = "TIME")]
    known_at: Option<Timestamp>,
    /// Whose policies: for a key of the host, and where a data directory or a database is read (there `default` if left out)
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Prints what was in force.
pub(crate) fn run(arguments: &Arguments, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let found: InForce = if arguments.place.is_given() {
        read(arguments)?
    } else {
        let call = connection.get(format!("/v1/policies/{}/effective", segment(&arguments.scope)));
        let call = call.query("as_of", arguments.as_of).query("known_at", arguments.known_at);
        let call = call.query("tenant", arguments.tenant.as_ref());
        serde_json::from_str(call.send()?.text()?)
            .context("the answer can't be read; is the server of this version?")?
    };
    if json {
        output::json(&found)?;
    } else {
        show(&found)?;
    }
    Ok(Ended::Fine)
}

fn read(arguments: &Arguments) -> anyhow::Result<InForce> {
    let unknown = || Usage(format!("scope {:?}: use global, tenant or system:ID", arguments.scope));
    let tenant = arguments.tenant.as_deref().unwrap_or("default");
    let scope = Scope::parse(&arguments.scope, tenant).ok_or_else(unknown)?;
    let now = Timestamp::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let reader = arguments.place.open().await?;
        let (as_of, known_at) = (arguments.as_of.unwrap_or(now), arguments.known_at.unwrap_or(now));
        let found = InForce::read(&reader, &scope, as_of, known_at).await;
        reader.close().await;
        Ok(found?)
    })
}

fn show(found: &InForce) -> anyhow::Result<()> {
    output::line(format_args!(
        "in force for {} on {}, by what was known at {}",
        clean(&found.scope),
        found.as_of,
        found.known_at
    ))?;
    output::line(format_args!("snapshot {}", found.snapshot))?;
    for layer in &found.layers {
        output::line(format_args!(
            "policy {} version {}, {}",
            clean(&layer.scope),
            layer.version,
            short(&layer.hash.to_string())
        ))?;
    }
    let mut table = output::table(["binding", "policy", "plugin", "version", "in force", "component"]);
    for binding in &found.bindings {
        let (version, period, digest) = match (&binding.version, binding.state) {
            (Some(version), _) => {
                (version.version.clone(), period(version), short(&version.digest.to_string()).to_owned())
            }
            (None, BindingState::Missing) => {
                ("none active".to_owned(), format!("fails: {}", binding.range), "-".into())
            }
            (None, _) => {
                let periods: Vec<String> = binding
                    .candidates
                    .iter()
                    .map(|candidate| format!("{} {}", candidate.version, period(candidate)))
                    .collect();
                ("none in force".to_owned(), periods.join("; "), "-".into())
            }
        };
        table.add_row([
            clean(&binding.binding),
            clean(&binding.layer),
            clean(&binding.package),
            version,
            period,
            digest,
        ]);
    }
    output::print(&table, "nothing is bound: such cases are reviewed for want of a policy")
}

fn period(version: &VersionInForce) -> String {
    let day = |moment: Timestamp| {
        moment.to_string().trim_end_matches("T00:00:00.000Z").trim_end_matches("T00:00:00Z").to_owned()
    };
    match (version.effective.from(), version.effective.to()) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("from {}", day(from)),
        (None, Some(to)) => format!("until {}", day(to)),
        (Some(from), Some(to)) => format!("from {} until {}", day(from), day(to)),
    }
}
