//! `assize key …`.

use serde::{Deserialize, Serialize};

use crate::client::{Connection, segment};
use crate::output::{self, Ended, clean};

/// Make and revoke API keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key; it is shown this once
    Create(Create),
    /// List the keys (never the keys themselves)
    List,
    /// Revoke a key
    Revoke {
        /// Its id
        id: String,
    },
}

/// Make a key.
#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Create {
    /// What it may do: app (decisions), auditor (read, verify, replay), dev (publish, policies, systems) or admin
    #[arg(long)]
    role: String,
    /// What people call it
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// The tenant it is bound to [default: yours]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// A key of the host itself, which sees all tenants
    #[arg(long, conflicts_with = "tenant")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    host: bool,
}

#[derive(Deserialize)]
struct Made {
    id: String,
    key: String,
    role: String,
    tenant: Option<String>,
}

#[derive(Deserialize)]
struct Listing {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    id: String,
    role: String,
    tenant: Option<String>,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    revoked_at: Option<String>,
}

/// Carries out one of them.
pub(crate) fn run(command: Command, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    match command {
        Command::Create(create) => {
            let reply = connection.post("/v1/keys", serde_json::to_vec(&create)?).send()?;
            if json {
                output::line(reply.text()?)?;
            } else {
                let made: Made = reply.read()?;
                let tenant = made.tenant.as_deref().map_or_else(|| "all tenants".to_owned(), clean);
                output::line(format_args!("key {} for role {} of {tenant}:", clean(&made.id), clean(&made.role)))?;
                output::line(clean(&made.key))?;
                output::line("Keep it now: only its hash is stored, and it is not shown again.")?;
            }
        }
        Command::List => {
            let reply = connection.get("/v1/keys").send()?;
            if json {
                output::line(reply.text()?)?;
            } else {
                list(&reply.read()?)?;
            }
        }
        Command::Revoke { id } => {
            // Answered without a body.
            connection.delete(format!("/v1/keys/{}", segment(&id))).send()?;
            if json {
                output::json(&serde_json::json!({ "id": id, "revoked": true }))?;
            } else {
                output::line(format_args!("key {} is revoked", clean(&id)))?;
            }
        }
    }
    Ok(Ended::Fine)
}

fn list(listing: &Listing) -> anyhow::Result<()> {
    let mut table = output::table(["id", "role", "tenant", "label", "made", "revoked"]);
    for key in &listing.keys {
        let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), clean);
        table.add_row([
            clean(&key.id),
            clean(&key.role),
            text(&key.tenant),
            text(&key.label),
            text(&key.created_at),
            text(&key.revoked_at),
        ]);
    }
    output::print(&table, "There is no key.")
}
