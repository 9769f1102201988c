//! Which versions there are, whose a namespace is, and which keys sign in it.

use assize_ledger::Digest;

use super::change::Admitted;
use crate::StoreError;
use crate::db::{On, int, query, query_scalar, storage};

/// The digest of a published version; the tenant's own package hides the host's of the same name.
pub(super) async fn digest(
    on: On<'_>,
    owner: &str,
    package: &str,
    version: &str,
) -> Result<Option<Digest>, StoreError> {
    let found: Option<Vec<u8>> = query_scalar(
        "SELECT digest FROM packages WHERE tenant IN (?, '') AND name = ? AND version = ? ORDER BY tenant DESC",
    )
    .bind(owner)
    .bind(package)
    .bind(version)
    .fetch_optional(on)
    .await
    .map_err(storage("looking up a package"))?;
    Ok(found.and_then(|found| Digest::try_from(found.as_slice()).ok()))
}

/// A step in the life of a version that is there.
pub(super) async fn step(
    mut on: On<'_>,
    owner: &str,
    (package, version): (&str, &str),
    known: Option<u64>,
) -> Result<Admitted, StoreError> {
    let Some(digest) = digest(on.again(), owner, package, version).await? else {
        return Ok(Admitted::Refused(StoreError::NotFound { subject: format!("package {package}@{version}") }));
    };
    let overtaken = overtaken(on, owner, package, known).await?;
    Ok(overtaken.map_or(Admitted::New(digest), Admitted::Refused))
}

/// From a version that is there to one with this digest.
pub(super) async fn roll_back(
    mut on: On<'_>,
    owner: &str,
    (package, version): (&str, &str),
    (to_version, to_digest): (&str, Digest),
    known: Option<u64>,
) -> Result<Admitted, StoreError> {
    let to = digest(on.again(), owner, package, to_version).await?;
    if to != Some(to_digest) {
        let subject = format!("package {package}@{to_version} with digest {to_digest}");
        return Ok(Admitted::Refused(StoreError::NotFound { subject }));
    }
    step(on, owner, (package, version), known).await
}

/// Whether the owner's versions of a package took other steps than those that are known.
async fn overtaken(
    on: On<'_>,
    owner: &str,
    package: &str,
    known: Option<u64>,
) -> Result<Option<StoreError>, StoreError> {
    let Some(known) = known else { return Ok(None) };
    let steps = query_scalar(
        "SELECT (SELECT count(*) FROM activations WHERE tenant = ?1 AND package = ?2) \
         + 2 * (SELECT count(*) FROM roll_backs WHERE tenant = ?1 AND package = ?2)",
    );
    let steps = steps.bind(owner).bind(package);
    let steps: i64 = steps.fetch_one(on).await.map_err(storage("looking up the steps of a package"))?;
    Ok((steps != int(known)).then(|| StoreError::Overtaken { package: package.to_owned() }))
}

/// A signature is kept once for each key.
pub(super) async fn signature(
    mut on: On<'_>,
    owner: &str,
    (package, version): (&str, &str),
    key: &str,
) -> Result<Admitted, StoreError> {
    let Some(digest) = digest(on.again(), owner, package, version).await? else {
        return Ok(Admitted::Refused(StoreError::NotFound { subject: format!("package {package}@{version}") }));
    };
    let kept =
        query_scalar("SELECT count(*) FROM signatures WHERE tenant = ? AND package = ? AND version = ? AND key = ?");
    let kept = kept.bind(owner).bind(package).bind(version).bind(key);
    let kept: i64 = kept.fetch_one(on).await.map_err(storage("looking up a signature"))?;
    Ok(if kept == 0 { Admitted::New(digest) } else { Admitted::Known(format!("{package}@{version}")) })
}

/// A namespace of the host is nobody else's on it, and the host can't claim what is somebody's already. Tenants, who don't
/// see each other's packages, don't see each other's namespaces either. What the host publishes in is its own without a
/// claim: a tenant's would keep the host's away for good. All tenants see those packages, so a refusal tells nothing.
pub(super) async fn claim(
    mut on: On<'_>,
    owner: &str,
    namespace: &str,
    publisher: &str,
) -> Result<Admitted, StoreError> {
    let failed = storage("looking up a namespace");
    let sql = "SELECT tenant, publisher FROM namespaces WHERE namespace = ?1 AND (?2 = '' OR tenant IN (?2, '')) \
        ORDER BY tenant DESC";
    let rows = query(sql).bind(namespace).bind(owner).fetch_all(on.again()).await.map_err(&failed)?;
    let Some(row) = rows.first() else {
        // No character of a namespace is one that LIKE reads otherwise.
        let count = query_scalar("SELECT count(*) FROM packages WHERE tenant = '' AND name LIKE ? || '/%'");
        let count: i64 = count.bind(namespace).fetch_one(on).await.map_err(&failed)?;
        if count > 0 && !owner.is_empty() {
            let detail = format!("the host itself publishes in {namespace:?}, for all tenants: take another namespace");
            return Ok(Admitted::Refused(StoreError::Invalid { field: "namespace", detail }));
        }
        return Ok(Admitted::New(Digest::ZERO));
    };
    let (tenant, found): (String, String) = (row.try_get(0).map_err(&failed)?, row.try_get(1).map_err(&failed)?);
    if tenant == owner && found == publisher {
        return Ok(Admitted::Known(namespace.to_owned()));
    }
    let holder = match tenant.as_str() {
        "" => "for the whole host".to_owned(),
        tenant => format!("in tenant {tenant:?}"),
    };
    Ok(Admitted::Refused(StoreError::Claimed { namespace: namespace.to_owned(), publisher: found, holder }))
}

/// A key is registered once; a revoked one never again.
pub(super) async fn key(mut on: On<'_>, owner: &str, namespace: &str, key: &str) -> Result<Admitted, StoreError> {
    let failed = storage("looking up a publisher's key");
    let claimed = query_scalar("SELECT count(*) FROM namespaces WHERE tenant = ? AND namespace = ?");
    let claimed: i64 = claimed.bind(owner).bind(namespace).fetch_one(on.again()).await.map_err(&failed)?;
    if claimed == 0 {
        return Ok(Admitted::Refused(StoreError::NotFound { subject: format!("namespace {namespace} of yours") }));
    }
    let revoked = query_scalar("SELECT count(*) FROM publisher_key_revocations WHERE tenant = ? AND key = ?");
    let revoked: i64 = revoked.bind(owner).bind(key).fetch_one(on.again()).await.map_err(&failed)?;
    if revoked > 0 {
        let detail = format!("{key} was revoked, which can't be undone: register a new one");
        return Ok(Admitted::Refused(StoreError::Invalid { field: "key", detail }));
    }
    let known = query_scalar("SELECT count(*) FROM publisher_keys WHERE tenant = ? AND key = ?");
    let known: i64 = known.bind(owner).bind(key).fetch_one(on).await.map_err(&failed)?;
    Ok(if known == 0 { Admitted::New(Digest::ZERO) } else { Admitted::Known(key.to_owned()) })
}

/// Only what is registered can be revoked.
pub(super) async fn revocation(mut on: On<'_>, owner: &str, key: &str) -> Result<Admitted, StoreError> {
    let failed = storage("looking up a publisher's key");
    let known = query_scalar("SELECT count(*) FROM publisher_keys WHERE tenant = ? AND key = ?");
    let known: i64 = known.bind(owner).bind(key).fetch_one(on.again()).await.map_err(&failed)?;
    let revoked = query_scalar("SELECT count(*) FROM publisher_key_revocations WHERE tenant = ? AND key = ?");
    let revoked: i64 = revoked.bind(owner).bind(key).fetch_one(on).await.map_err(&failed)?;
    Ok(match (known, revoked) {
        (0, _) => Admitted::Refused(StoreError::NotFound { subject: format!("key {key}") }),
        (_, 0) => Admitted::New(Digest::ZERO),
        _ => Admitted::Known(key.to_owned()),
    })
}
