//! `assize policy …`.

use serde::Deserialize;

use crate::client::{Connection, segment};
use crate::decide::contents;
use crate::output::{self, Ended, short};

/// Read and replace policies.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print the policy of a scope, as JSON
    Get {
        /// global, tenant, tenant:NAME or system:ID
        scope: String,
    },
    /// Give a scope a new version of its policy
    Set {
        /// global, tenant, tenant:NAME or system:ID
        scope: String,
        /// The policy as JSON: a file, or - for stdin
        file: String,
    },
}

#[derive(Deserialize)]
struct Version {
    version: u64,
    hash: String,
    policy: serde_json::Value,
}

/// Carries out one of them.
pub(crate) fn run(command: Command, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    match command {
        Command::Get { scope } => {
            let reply = connection.get(path(&scope)).send()?;
            if json {
                output::line(reply.text()?)?;
            } else {
                // The policy alone, so that it can be changed and given back.
                output::json(&reply.read::<Version>()?.policy)?;
            }
        }
        Command::Set { scope, file } => {
            let reply = connection.put(path(&scope), contents(&file)?).send()?;
            if json {
                output::line(reply.text()?)?;
            } else {
                let Version { version, hash, .. } = reply.read()?;
                output::line(format_args!("{scope} is at version {version}, hash {}", short(&hash)))?;
            }
        }
    }
    Ok(Ended::Fine)
}

fn path(scope: &str) -> String {
    format!("/v1/policies/{}", segment(scope))
}
