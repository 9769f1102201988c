//! Who signs packages: whether a signature holds, and whether a version has those that policies want.

use assize_ledger::Digest;
use assize_ledger::VerifierKey;
use assize_registry::{Manifest, verify_signature};
use assize_rehearing::{Published, World, short_key};
use assize_store::PublisherKeyRow;

use crate::app::App;
use crate::life::scopes;
use crate::problem::Problem;

/// The header that brings a signature: the note in base64.
pub(crate) const HEADER: &str = "assize-signature";

/// Keys of a namespace, revoked ones too, that count for a tenant; the host's count for everybody.
async fn keys(app: &App, namespace: &str, tenant: Option<&str>) -> Result<Vec<PublisherKeyRow>, Problem> {
    let mut rows = app.store.publisher_keys().await?;
    rows.retain(|row| row.namespace == namespace && (row.tenant.is_none() || row.tenant.as_deref() == tenant));
    Ok(rows)
}

fn refused(which: &str, why: impl std::fmt::Display) -> Problem {
    let detail = format!("the signature of {which} is refused: {why}");
    tracing::warn!(detail, "refused");
    Problem::invalid("signature", detail)
}

/// The registered key that made a signature, which holds.
pub(crate) async fn verified(
    app: &App,
    tenant: Option<&str>,
    (manifest, digest): (&Manifest, Digest),
    note: &[u8],
) -> Result<String, Problem> {
    let which = format!("{} {}", manifest.name, manifest.version);
    let refused = |why: &dyn std::fmt::Display| refused(&which, why);
    let (name, id) = assize_registry::signer(note).map_err(|error| refused(&error))?;
    let signer = format!("{name}+{id}");
    let namespace = manifest.name.namespace();
    let rows = keys(app, namespace, tenant).await?;
    let Some(row) = rows.iter().find(|row| short_key(&row.key) == signer) else {
        let why = format!("{signer} isn't a key of namespace {namespace:?}: have an admin register it");
        return Err(refused(&why));
    };
    if let Some(at) = row.revoked_at {
        let why = format!("{signer} was revoked at {at}: sign with a key that holds");
        return Err(refused(&why));
    }
    let key: VerifierKey = row.key.parse().map_err(Problem::internal)?;
    verify_signature(note, &key, &manifest.name, &manifest.version, digest).map_err(|error| refused(&error))?;
    Ok(row.key.clone())
}

/// Whether a version that these keys signed may be published: by the policies of its publisher, and by whose the namespace
/// is.
pub(crate) async fn may_publish(
    app: &App,
    world: &World,
    tenant: Option<&str>,
    manifest: &Manifest,
    signed_by: &[String],
) -> Result<(), Problem> {
    let which = format!("{} {}", manifest.name, manifest.version);
    check_demands(world, tenant, &which, signed_by)?;
    let namespace = manifest.name.namespace();
    if tenant.is_none() || !signed_by.is_empty() {
        return Ok(());
    }
    let claims = app.store.namespaces().await?;
    match claims.iter().find(|row| row.namespace == namespace && row.tenant.is_none()) {
        Some(claim) => {
            let why = format!(
                "there is none, and namespace {namespace:?} was claimed for the whole host by {:?}: publish in another \
                 one, or bring a signature by one of its keys",
                claim.publisher
            );
            Err(refused(&which, why))
        }
        None => Ok(()),
    }
}

fn check_demands(world: &World, tenant: Option<&str>, which: &str, signed_by: &[String]) -> Result<(), Problem> {
    for scope in scopes(tenant) {
        let Some((scope, admission)) = world.admission(&scope) else { continue };
        if admission.admits(signed_by) {
            continue;
        }
        let keys: Vec<&str> = admission.keys.iter().map(|key| short_key(key)).collect();
        let wanted = match keys.as_slice() {
            [] => "a registered key of its namespace".to_owned(),
            keys => keys.join(" or "),
        };
        let found = match signed_by {
            [] => "nobody".to_owned(),
            keys => keys.iter().map(|key| short_key(key)).collect::<Vec<_>>().join(", "),
        };
        let why =
            format!("the {scope} policy wants one by {wanted}, and {found} signed: `assize plugin sign` makes one");
        return Err(refused(which, why));
    }
    Ok(())
}

/// Whether a version may serve, as far as signatures go: they are verified once more, and by keys that hold today.
pub(crate) async fn check_admission(app: &App, world: &World, published: &Published) -> Result<(), Problem> {
    let manifest = &published.manifest;
    let (name, version) = (manifest.name.as_str(), manifest.version.to_string());
    let which = format!("{name} {version}");
    let tenant = published.tenant.as_deref();
    let mut signatures = app.store.signatures().await?;
    signatures.retain(|row| row.tenant == published.tenant && row.package == name && row.version == version);
    let (mut held, mut revoked) = (Vec::new(), Vec::new());
    let registered = keys(app, manifest.name.namespace(), tenant).await?;
    for row in signatures {
        let key: VerifierKey = row.key.parse().map_err(Problem::internal)?;
        verify_signature(row.note.as_bytes(), &key, &manifest.name, &manifest.version, published.digest)
            .map_err(|error| refused(&which, error))?;
        match registered.iter().find(|known| known.key == row.key).map(|known| known.revoked_at) {
            Some(None) => held.push(row.key),
            Some(Some(at)) => revoked.push(format!("{} was revoked at {at}", short_key(&row.key))),
            None => revoked.push(format!("{} isn't registered", short_key(&row.key))),
        }
    }
    if held.is_empty() && !revoked.is_empty() {
        let why = format!("{}: sign it with a key that holds", revoked.join(", "));
        return Err(refused(&which, why));
    }
    check_demands(world, tenant, &which, &held)
}
