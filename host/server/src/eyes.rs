//! Four eyes: who may approve a version, and whether a version needs it.
//!
//! People are told apart by their keys. Whoever published or submitted a version doesn't approve it, nor does a key that
//! they made since: it would be they again.

use assize_ledger::{AdministrativeFacts, Entry};
use assize_rehearing::{Published, State, World};
use assize_store::ActivationEvent;

use crate::app::App;
use crate::identity::Caller;
use crate::life::{Step, scopes};
use crate::problem::Problem;

/// Whether this caller may approve this version with this digest.
pub(crate) async fn may_approve(app: &App, caller: &Caller, found: &Published, step: &Step) -> Result<(), Problem> {
    let manifest = &found.manifest;
    let which = format!("{} {}", manifest.name, manifest.version);
    if let Some(given) = step.digest.filter(|given| *given != found.digest) {
        let detail = format!("{given} was looked at, and {which} is {}: look at that, then approve it", found.digest);
        return Err(Problem::conflict(detail).at("digest"));
    }
    let (name, version) = (manifest.name.as_str(), manifest.version.to_string());
    let packages = app.store.packages().await?;
    let published =
        packages.iter().find(|row| row.tenant == found.tenant && row.name == name && row.version == version);
    let published = published
        .ok_or_else(|| Problem::internal(format!("the row of {which} is gone: run `assize ledger verify`")))?;
    let steps = app.store.activations().await?;
    let submitted = steps.iter().rev().find(|row| {
        row.event == ActivationEvent::Submitted
            && row.tenant == found.tenant
            && row.package == name
            && row.version == version
    });
    let authors = [(Some(published.seq), "published"), (submitted.map(|row| row.seq), "submitted")];
    let keys = app.store.keys().await?;
    let own = keys.iter().find(|row| row.id == caller.key);
    let made_by = match own {
        Some(row) => who(app, row.seq).await?,
        None => None,
    };
    for (seq, verb) in authors {
        let Some(seq) = seq else { continue };
        let author = who(app, seq).await?;
        if author.as_ref() == Some(&caller.key) {
            return Err(Problem::conflict(format!(
                "key {} {verb} {which}: somebody else than its author approves it",
                caller.key
            ))
            .at("approval"));
        }
        let since = own.is_some_and(|row| row.at >= found.at);
        if author.is_some() && author == made_by && since {
            return Err(Problem::conflict(format!(
                "key {} was made by the key that {verb} {which}, after it was published: a key that was there before, or that \
                 somebody else made, approves it",
                caller.key
            ))
            .at("approval"));
        }
    }
    Ok(())
}

/// The key that made an entry.
async fn who(app: &App, seq: u64) -> Result<Option<String>, Problem> {
    let rows = app.store.entries(None, seq, 1).await?;
    // An author who can't be told from the approver is no author that somebody else approves.
    let row = rows.first().filter(|row| row.seq == seq);
    let row = row.ok_or_else(|| Problem::internal(format!("entry {seq} is gone: run `assize ledger verify`")))?;
    let entry = Entry::decode(&row.bytes).map_err(Problem::internal)?;
    let facts: AdministrativeFacts = serde_json::from_slice(&entry.facts).map_err(Problem::internal)?;
    Ok(facts.details.get("key").cloned())
}

/// Whether a version has the approval that it needs before it serves.
pub(crate) fn check_approval(world: &World, found: &Published) -> Result<(), Problem> {
    let manifest = &found.manifest;
    let which = format!("{} {}", manifest.name, manifest.version);
    // What was approved is what serves, whether or not it is asked for.
    if let Some(approved) = found.approved.filter(|approved| *approved != found.digest) {
        let detail = format!(
            "{approved} was approved, and {which} is {}: run `assize ledger verify`, and have it approved anew",
            found.digest
        );
        tracing::error!(detail, "not activated");
        return Err(Problem::conflict(detail).at("digest"));
    }
    let demands = scopes(found.tenant.as_deref());
    let demands = demands.iter().filter_map(|scope| world.admission(scope)).find(|(_, admission)| admission.approval);
    let Some((scope, _)) = demands else { return Ok(()) };
    let remedy = match found.state {
        State::Approved => return Ok(()),
        State::Submitted => "have somebody else than its author approve it",
        _ => "submit it, and have somebody else than its author approve it",
    };
    let detail = format!("the {scope} policy asks for four eyes, and {which} is {}: {remedy}", found.state.as_str());
    Err(Problem::conflict(detail).at("approval"))
}
