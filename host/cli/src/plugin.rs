//! `assize plugin …`: packages, from a compiler's output to the registry of a server.

mod author;
mod exchange;
mod inspect;
mod life;
mod publish;
mod signing;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use assize_ledger::Timestamp;
use serde::Deserialize;

use self::exchange::Exchange;
use self::life::Life;
use self::publish::publish;
use crate::client::{Connection, segment};
use crate::output::{self, Ended, clean, short};

/// Make, look into, publish and list packages.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Author(author::Author),
    /// Make a package of a core module or component, and its manifest
    Pack {
        /// The .wasm file that the compiler wrote
        module: PathBuf,
        /// The manifest
        #[arg(long, default_value = "assize.toml", value_name = "FILE")]
        manifest: PathBuf,
        /// Where to write the package
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Show what a package says of itself, what it asks of its host, and why none of that is dangerous
    Inspect {
        /// The package
        file: PathBuf,
    },
    /// Publish packages; a published version never changes
    Publish {
        /// The packages
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Activate each as well, so that bindings find it
        #[arg(long)]
        activate: bool,
        /// With --activate: periods may overlap with another active version's; the higher version is chosen then
        #[arg(long, requires = "activate")]
        allow_overlap: bool,
        /// First show what each would have changed over the decisions of this long, e.g. 90d
        #[arg(long = "try", value_name = "DAYS")]
        tried: Option<Days>,
        /// Show that, and publish nothing
        #[arg(long, requires = "tried")]
        dry_run: bool,
    },
    /// List published versions
    List,
    /// Show a published version: where it stands in its life, and who signed it
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Let bindings use a published version
    Activate {
        #[command(flatten)]
        which: Which,
        /// First show what it would have changed over the decisions of this long, e.g. 90d
        #[arg(long = "try", value_name = "DAYS")]
        tried: Option<Days>,
        /// Show that, and activate nothing
        #[arg(long, requires = "tried")]
        dry_run: bool,
        /// For the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Its period may overlap with another active version's: the higher version is chosen then
        #[arg(long)]
        allow_overlap: bool,
    },
    #[command(flatten)]
    Life(Life),
    #[command(flatten)]
    Exchange(Exchange),
    /// Make a key that signs packages of a namespace
    Keygen {
        /// The part of your packages' names before the slash
        namespace: String,
        /// Where to keep the private key; the file must not exist
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Sign packages: writes FILE.sig beside each, which `publish` sends along
    Sign {
        /// The packages
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The private key's file, of `assize plugin keygen`
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
    },
}

/// A published version.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// namespace/name@version
    version: PackageVersion,
    #[command(flatten)]
    whose: Whose,
}

/// Whose package is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Whose {
    /// The tenant whose package is meant, for a key of the host [default: the host's own, or else that of the one tenant which has it]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// `namespace/name@version`.
#[derive(Debug, Clone)]
pub(crate) struct PackageVersion {
    package: String,
    version: String,
}

impl std::str::FromStr for PackageVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} isn't namespace/name@version, e.g. br/election-content@1.4.0");
        let (package, version) = text.split_once('@').ok_or_else(wrong)?;
        package.parse::<assize_registry::PackageName>().map_err(|error| error.to_string())?;
        if version.is_empty() {
            return Err(wrong());
        }
        Ok(Self { package: package.to_owned(), version: version.to_owned() })
    }
}

impl PackageVersion {
    fn path(&self, step: &str) -> String {
        // The name was parsed: its one slash separates two segments.
        format!("/v1/plugins/{}/{}/{step}", self.package, segment(&self.version))
    }
}

/// A number of days back from now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Days(u64);

impl std::str::FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('d').and_then(|number| number.parse().ok());
        number
            .filter(|days| (1..=36_500).contains(days))
            .map(Self)
            .ok_or_else(|| format!("{text:?} isn't a number of days: write 1d to 36500d, e.g. 90d"))
    }
}

impl Days {
    const MILLIS: u64 = 24 * 60 * 60 * 1000;

    fn since(self) -> Option<Timestamp> {
        Timestamp::from_millis(Timestamp::now().as_millis().saturating_sub(self.0.saturating_mul(Self::MILLIS)))
    }
}

/// Shows what a package that isn't published would have changed.
fn try_file(file: &Path, days: Days, connection: &Connection, json: bool) -> anyhow::Result<()> {
    let bytes = fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
    let call = connection.post_component("/v1/simulations/package", bytes).query("since", days.since());
    shown(&crate::simulate::remote::follow(connection, &call.send()?)?.0, json)
}

/// Shows what a published version would have changed.
fn try_published(version: &PackageVersion, days: Days, connection: &Connection, json: bool) -> anyhow::Result<()> {
    let body = serde_json::json!({ "specification": {
        "title": format!("{}@{}, tried", version.package, version.version),
        "decisions": { "from": days.since() },
        "changes": { "versions": { &version.package: &version.version } },
    } });
    let accepted = connection.post("/v1/simulations", body.to_string()).send()?;
    shown(&crate::simulate::remote::follow(connection, &accepted)?.0, json)
}

fn shown(report: &assize_rehearing::simulation::Report, json: bool) -> anyhow::Result<()> {
    if json { output::json(report) } else { crate::simulate::show(report) }
}

/// Carries out one of them.
pub(crate) fn run(command: Command, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    match command {
        Command::Author(author) => author.run(json),
        Command::Pack { module, manifest, output } => pack(&module, &manifest, &output, json),
        Command::Inspect { file } => {
            let bytes = fs::read(&file).with_context(|| format!("{} can't be read", file.display()))?;
            inspect::show(&assize_registry::inspect(&bytes)?, json)?;
            Ok(Ended::Fine)
        }
        Command::Publish { files, activate, allow_overlap, tried, dry_run } => {
            if let Some(days) = tried {
                for file in &files {
                    try_file(file, days, connection, json)?;
                }
            }
            if dry_run { Ok(Ended::Fine) } else { publish(&files, activate, allow_overlap, connection, json) }
        }
        Command::List => list(connection, json),
        Command::Show { which } => life::show(&which, connection, json),
        Command::Activate { which, tried, dry_run, reason, allow_overlap } => {
            if let Some(days) = tried {
                try_published(&which.version, days, connection, json)?;
            }
            if dry_run { Ok(Ended::Fine) } else { life::activate(&which, reason, allow_overlap, connection, json) }
        }
        Command::Life(life) => life.run(connection, json),
        Command::Exchange(exchange) => exchange.run(connection, json),
        Command::Keygen { namespace, output } => signing::keygen(&namespace, &output, json),
        Command::Sign { files, key_file } => signing::sign(&files, &key_file, json),
    }
}

fn pack(module: &Path, manifest: &Path, output: &Path, json: bool) -> anyhow::Result<Ended> {
    let bytes = fs::read(module).with_context(|| format!("{} can't be read", module.display()))?;
    let text = fs::read_to_string(manifest).with_context(|| format!("{} can't be read", manifest.display()))?;
    let package = assize_registry::pack(&bytes, &text).with_context(|| module.display().to_string())?;
    // Nothing is written that a host wouldn't take.
    let inspected = assize_registry::inspect(&package).with_context(|| module.display().to_string())?;
    fs::write(output, &package).with_context(|| format!("{} can't be written", output.display()))?;
    inspect::show(&inspected, json)?;
    if !json {
        output::line(format_args!("\nWritten to {}. Next: assize plugin publish {0} --activate", output.display()))?;
    }
    Ok(Ended::Fine)
}

#[derive(Deserialize)]
struct Listing {
    plugins: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    version: String,
    digest: String,
    kind: String,
    state: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    effective: Effective,
}

#[derive(Deserialize, Default)]
struct Effective {
    from: Option<String>,
    to: Option<String>,
}

impl std::fmt::Display for Effective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.from, &self.to) {
            (None, None) => f.write_str("always"),
            (Some(from), None) => write!(f, "from {from}"),
            (None, Some(to)) => write!(f, "until {to}"),
            (Some(from), Some(to)) => write!(f, "from {from} until {to}"),
        }
    }
}

fn list(connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let reply = connection.get("/v1/plugins").send()?;
    if json {
        output::line(reply.text()?)?;
        return Ok(Ended::Fine);
    }
    let listing: Listing = reply.read()?;
    let mut table = output::table(["package", "version", "state", "in force", "kind", "digest", "title"]);
    for plugin in &listing.plugins {
        table.add_row([
            clean(&plugin.name),
            clean(&plugin.version),
            clean(&plugin.state),
            clean(&plugin.effective.to_string()),
            clean(&plugin.kind),
            short(&plugin.digest).to_owned(),
            clean(&plugin.title),
        ]);
    }
    output::print(&table, "Nothing is published. Next: assize plugin publish FILE --activate")?;
    Ok(Ended::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_in_full() {
        let version: PackageVersion = "br/election-content@1.4.0".parse().unwrap();
        assert_eq!(version.path("yank"), "/v1/plugins/br/election-content/1.4.0/yank");
        for text in ["br/election-content", "election-content@1.0.0", "br/election-content@", "../x@1.0.0"] {
            assert!(text.parse::<PackageVersion>().is_err(), "{text}");
        }
    }
}
