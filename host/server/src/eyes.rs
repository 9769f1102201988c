//! Four eyes: who may approve a version, and whether a version needs it.
//!
//! People are told apart by their keys. Whoever published or submitted a version doesn't approve it, nor does a key that
//! they made since, or had made by keys made since: it would be they again.

use assize_ledger::{AdministrativeFacts, Entry, Timestamp};
use assize_rehearing::{Published, State, World};
use assize_store::{ActivationEvent, KeyRow};

use crate::app::App;
use crate::identity::{Caller, HOST};
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
    let makers = made_since(app, &keys, &caller.key, found.at).await?;
    for (seq, verb) in authors {
        let Some(seq) = seq else { continue };
        let Some(author) = who(app, seq).await? else { continue };
        if author == caller.key {
            return Err(Problem::conflict(format!(
                "key {} {verb} {which}: somebody else than its author approves it",
                caller.key
            ))
            .at("approval"));
        }
        if makers.contains(&author) {
            return Err(Problem::conflict(format!(
                "key {} was made by the key that {verb} {which}, directly or by way of others, after it was published: a key \
                 that was there before, or that somebody else made, approves it",
                caller.key
            ))
            .at("approval"));
        }
    }
    Ok(())
}

/// Longer chains of keys aren't followed.
const LONGEST: usize = 32;

/// The key that made this one, the key that made that one, and so on, for as long as what was made is no older than a moment:
/// each of them could have had itself made a second pair of eyes. The host isn't anybody's.
async fn made_since(app: &App, keys: &[KeyRow], caller: &str, moment: Timestamp) -> Result<Vec<String>, Problem> {
    let (mut makers, mut key) = (Vec::new(), caller.to_owned());
    while let Some(row) = keys.iter().find(|row| row.id == key && row.at >= moment)
        && let Some(maker) = who(app, row.seq).await?
        && !makers.contains(&maker)
        && maker != HOST
    {
        if makers.len() == LONGEST {
            let detail = format!(
                "key {caller} was made by a key that was made by another, and so on more than {LONGEST} times since the version was \
                 published: a key that was there before approves it"
            );
            return Err(Problem::conflict(detail).at("approval"));
        }
        makers.push(maker.clone());
        key = maker;
    }
    Ok(makers)
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

/// The scope whose policy asks for four eyes before a version serves, if one does.
fn asked_by(world: &World, found: &Published) -> Option<String> {
    let demands = scopes(found.tenant.as_deref());
    let mut demands = demands.iter().filter_map(|scope| world.admission(scope));
    demands.find(|(_, admission)| admission.approval).map(|(scope, _)| scope)
}

/// Whether a version that served once may serve again without a new approval: where four eyes are asked for, they must have
/// looked at it at some time. It may have served before anybody asked.
pub(crate) async fn check_ever_approved(app: &App, world: &World, found: &Published) -> Result<(), Problem> {
    let Some(scope) = asked_by(world, found) else { return Ok(()) };
    let manifest = &found.manifest;
    let version = manifest.version.to_string();
    let approved = app.store.activations().await?.into_iter().any(|row| {
        row.event == ActivationEvent::Approved
            && row.tenant == found.tenant
            && row.package == manifest.name.as_str()
            && row.version == version
            && row.digest == found.digest
    });
    if approved {
        return Ok(());
    }
    let detail = format!(
        "the {scope} policy asks for four eyes, and {} {version} was never approved: submit it, have somebody else than its author \
         approve it, and activate it",
        manifest.name
    );
    Err(Problem::conflict(detail).at("approval"))
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
    let Some(scope) = asked_by(world, found) else { return Ok(()) };
    let remedy = match found.state {
        State::Approved => return Ok(()),
        State::Submitted => "have somebody else than its author approve it",
        _ => "submit it, and have somebody else than its author approve it",
    };
    let detail = format!("the {scope} policy asks for four eyes, and {which} is {}: {remedy}", found.state.as_str());
    Err(Problem::conflict(detail).at("approval"))
}
