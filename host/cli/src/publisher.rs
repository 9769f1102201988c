//! `assize publisher …`: whose a namespace is, and which keys sign packages in it.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;

use crate::client::{Connection, segment};
use crate::output::{self, Ended, Usage, clean};

/// Say who publishes in a namespace, and which keys sign there.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Claim a namespace for a publisher
    Claim {
        /// The part of packages' names before the slash
        namespace: String,
        /// The publisher's name, e.g. a company
        #[arg(long, value_name = "NAME")]
        publisher: String,
    },
    /// List namespaces with their publishers and keys
    List,
    /// Let a key sign packages of a namespace
    Register {
        /// The namespace
        namespace: String,
        /// The public key (name+id+base64), or a file that holds it
        #[arg(value_name = "KEY")]
        public: String,
    },
    /// Let a key sign nothing any more, nor what it signed be activated
    Revoke {
        /// The namespace
        namespace: String,
        /// The key's id
        id: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Deserialize)]
struct Listing {
    namespaces: Vec<Namespace>,
}

#[derive(Deserialize)]
struct Namespace {
    namespace: String,
    publisher: String,
    tenant: Option<String>,
    keys: Vec<Key>,
    #[serde(default)]
    still_active: Vec<String>,
}

#[derive(Deserialize)]
struct Key {
    id: String,
    registered_at: String,
    revoked_at: Option<String>,
}

/// Carries out one of them.
pub(crate) fn run(command: Command, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let reply = match command {
        Command::List => {
            let reply = connection.get("/v1/namespaces").send()?;
            if json {
                output::line(reply.text()?)?;
            } else {
                list(&reply.read::<Listing>()?.namespaces)?;
            }
            return Ok(Ended::Fine);
        }
        Command::Claim { namespace, publisher } => {
            let body = json!({ "namespace": namespace, "publisher": publisher });
            connection.post("/v1/namespaces", body.to_string()).send()?
        }
        Command::Register { namespace, public } => {
            let key = if Path::new(&public).is_file() {
                fs::read_to_string(&public).with_context(|| format!("{public} can't be read"))?.trim().to_owned()
            } else {
                public
            };
            if key.starts_with("PRIVATE+KEY+") {
                let usage = "this is the private key: give the public one, which `assize plugin keygen` showed";
                return Err(Usage(usage.to_owned()).into());
            }
            let path = format!("/v1/namespaces/{}/keys", segment(&namespace));
            connection.post(path, json!({ "key": key }).to_string()).send()?
        }
        Command::Revoke { namespace, id, reason } => {
            if reason.trim().is_empty() {
                return Err(Usage("--reason is empty: say why, for the record".to_owned()).into());
            }
            let path = format!("/v1/namespaces/{}/keys/{}/revoke", segment(&namespace), segment(&id));
            connection.post(path, json!({ "reason": reason }).to_string()).send()?
        }
    };
    if json {
        output::line(reply.text()?)?;
        return Ok(Ended::Fine);
    }
    let namespace: Namespace = reply.read()?;
    list(std::slice::from_ref(&namespace))?;
    if !namespace.still_active.is_empty() {
        output::line(format_args!(
            "Still active, and signed by revoked keys alone: {}",
            clean(&namespace.still_active.join(", "))
        ))?;
    }
    Ok(Ended::Fine)
}

fn list(namespaces: &[Namespace]) -> anyhow::Result<()> {
    let mut table = output::table(["namespace", "publisher", "holds for", "key", "registered", "revoked"]);
    for one in namespaces {
        let tenant = one.tenant.as_deref().map_or_else(|| "the whole host".to_owned(), clean);
        let mut row = |key: [String; 3]| {
            let [id, registered, revoked] = key;
            table.add_row([clean(&one.namespace), clean(&one.publisher), tenant.clone(), id, registered, revoked]);
        };
        if one.keys.is_empty() {
            row(["none: assize publisher register".to_owned(), String::new(), String::new()]);
        }
        for key in &one.keys {
            let revoked = key.revoked_at.as_deref().map_or_else(|| "-".to_owned(), clean);
            row([clean(&key.id), clean(&key.registered_at), revoked]);
        }
    }
    output::print(&table, "No namespace is claimed. Next: assize publisher claim NAMESPACE --publisher NAME")
}
