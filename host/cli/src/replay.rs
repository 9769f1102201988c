//! `assize replay`.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use assize_ledger::Timestamp;
use assize_rehearing::{Archive, ReplayState, Replays};
use assize_store::DecisionFilter;
use serde::{Deserialize, Serialize};

use crate::client::{Connection, segment};
use crate::output::{self, Ended, clean};
use crate::place::Place;
use crate::progress::Meter;

/// Judge recorded cases again with the same plugins, and compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The decisions
    #[arg(required_unless_present_any = ["all", "from", "to"], value_name = "ID")]
    ids: Vec<String>,
    /// Every decision
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Those judged at this moment or later (RFC 3339 or a date)
    #[arg(long, value_name = "TIME", conflicts_with = "ids")]
    from: Option<Timestamp>,
    /// Those judged before this moment
    #[arg(long, value_name = "TIME", conflicts_with = "ids")]
    to: Option<Timestamp>,
    /// Those of this system
    #[arg(long, value_name = "ID", conflicts_with = "ids")]
    system: Option<String>,
    /// Those of this tenant, where several are in one place
    #[arg(long, requires = "place")]
    tenant: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// What is shown of a replay, a server's or our own.
#[derive(Deserialize)]
struct Replay {
    id: String,
    state: String,
    why: Option<String>,
    #[serde(default)]
    differences: Vec<Difference>,
    #[serde(default)]
    outputs: Vec<Output>,
    #[serde(default = "yes")]
    fuel_compared: bool,
    #[serde(default)]
    aborted: Vec<String>,
    #[serde(default)]
    absent: Vec<String>,
}

const fn yes() -> bool {
    true
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

/// How many came out how.
#[derive(Debug, Default, Serialize)]
struct Counts {
    identical: u64,
    different: u64,
    inconclusive: u64,
    erased: u64,
    impossible: u64,
}

impl Counts {
    fn add(&mut self, state: &str) {
        match state {
            "identical" => self.identical += 1,
            "inconclusive" => self.inconclusive += 1,
            "erased" => self.erased += 1,
            "impossible" => self.impossible += 1,
            _ => self.different += 1,
        }
    }

    const fn all(&self) -> u64 {
        self.identical + self.different + self.inconclusive + self.erased + self.impossible
    }

    /// Whatever isn't the same, and whatever can't be told, is a failure for a script; what the law had erased isn't.
    const fn ended(&self) -> Ended {
        if self.identical + self.erased == self.all() { Ended::Fine } else { Ended::Failed }
    }
}

/// Replays decisions by their ids, or all that are selected.
pub(crate) fn run(arguments: &Arguments, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    if arguments.ids.is_empty() {
        ensure!(
            arguments.place.is_given(),
            "many decisions are replayed where they are stored: add --data DIR or --database URL"
        );
        return many(arguments, json);
    }
    let mut counts = Counts::default();
    for id in &arguments.ids {
        let text = if arguments.place.is_given() {
            one(arguments, id)?
        } else {
            connection.post(format!("/v1/decisions/{}/replay", segment(id)), "{}").send()?.text()?.to_owned()
        };
        let replay: Replay =
            serde_json::from_str(&text).context("the comparison can't be read; is the server of this version?")?;
        counts.add(&replay.state);
        if json {
            output::line(&text)?;
        } else {
            show(&replay, true)?;
        }
    }
    Ok(counts.ended())
}

fn one(arguments: &Arguments, id: &str) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let reader = arguments.place.open().await?;
        let archive = Archive::new(reader.clone(), arguments.place.sandbox()?);
        // Whoever reads the directory may read all tenants.
        let replay = archive.replay(arguments.tenant.as_deref(), id).await;
        reader.close().await;
        Ok(serde_json::to_string_pretty(&replay?)?)
    })
}

/// One line for each that isn't identical, then the counts; as JSON, a line for each of all.
fn many(arguments: &Arguments, json: bool) -> anyhow::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let counts = runtime.block_on(async {
        let reader = arguments.place.open().await?;
        let filter = DecisionFilter {
            system: arguments.system.clone(),
            from: arguments.from,
            before: arguments.to,
            ..DecisionFilter::default()
        };
        let end = reader.head().await?.map_or(0, |head| head.size);
        let tenant = arguments.tenant.clone();
        let total = reader.count_past(tenant.as_deref(), &filter, 0, end).await?;
        let archive = Arc::new(Archive::new(reader.clone(), arguments.place.sandbox()?));
        let mut replays = Replays::new(archive, tenant, filter, 0, end);
        let (mut counts, mut meter) = (Counts::default(), Meter::new("replayed"));
        while let Some(replay) = replays.next().await? {
            counts.add(replay.state.as_str());
            if json {
                output::line(serde_json::to_string(&replay)?)?;
            } else if !matches!(replay.state, ReplayState::Identical | ReplayState::Erased) {
                meter.clear();
                show(&serde_json::from_value(serde_json::to_value(&replay)?)?, false)?;
            }
            meter.show(counts.all(), total);
        }
        meter.clear();
        reader.close().await;
        anyhow::Ok(counts)
    })?;
    if !json {
        let Counts { identical, different, inconclusive, erased, impossible } = counts;
        output::line(format_args!(
            "{} decisions: {identical} identical, {different} different, {inconclusive} inconclusive, {erased} erased, {impossible} that \
             can't be judged again",
            counts.all()
        ))?;
        if erased > 0 {
            output::line("note: `assize ledger verify` says whether entries of the ledger bear out what was erased")?;
        }
    }
    Ok(counts.ended())
}

fn show(replay: &Replay, outputs: bool) -> anyhow::Result<()> {
    if outputs {
        let mut table = output::table(["binding", "plugin", "output recorded", "output replayed"]);
        for Output { binding, package, version, recorded, replayed } in &replay.outputs {
            let version = version.as_deref().unwrap_or("-");
            let hash = |hash: &Option<String>| hash.as_deref().map_or_else(|| "no answer".to_owned(), clean);
            table.add_row([clean(binding), clean(&format!("{package}@{version}")), hash(recorded), hash(replayed)]);
        }
        output::print(&table, "no plugin ran")?;
    }
    for Difference { field, recorded, replayed } in &replay.differences {
        output::line(format_args!("{}\n  recorded {}\n  replayed {}", clean(field), clean(recorded), clean(replayed)))?;
    }
    for binding in &replay.aborted {
        output::line(format_args!(
            "note: the wall clock ended {}, then or now; what it would have said is unknown",
            clean(binding)
        ))?;
    }
    for binding in &replay.absent {
        output::line(format_args!(
            "note: the component of {} wasn't there when the case was judged; what it would have said is unknown, and \
             whether it should have been there can't be told from the record",
            clean(binding)
        ))?;
    }
    if !replay.fuel_compared {
        output::line("note: another engine counts fuel otherwise, so it wasn't compared")?;
    }
    let id = clean(&replay.id);
    match replay.state.as_str() {
        "identical" => output::line(format_args!("identical: decision {id} comes out the same, to the bit")),
        "inconclusive" if replay.aborted.is_empty() && !replay.absent.is_empty() => output::line(format_args!(
            "inconclusive: decision {id} comes out the same without a component that wasn't there, as it did then"
        )),
        "inconclusive" => output::line(format_args!(
            "inconclusive: decision {id} was ended by the wall clock, which no replay repeats"
        )),
        "impossible" => output::line(format_args!(
            "impossible: {}",
            clean(replay.why.as_deref().unwrap_or("it can't be judged again"))
        )),
        _ => output::line(format_args!(
            "DIFFERENT: decision {id} comes out otherwise in {} fields",
            replay.differences.len()
        )),
    }
}
