//! Packages, what became of them, and who publishes and signs them.

use super::columns::Columns;
use crate::StoreError;
use crate::db::{Row, query, storage};
use crate::read::Reader;
use crate::rows::{
    ActivationEvent, ActivationRow, NamespaceRow, PackageRow, PublisherKeyRow, RollBackRow, SignatureRow,
};

impl Reader {
    /// Every published version, in the order of publishing.
    pub async fn packages(&self) -> Result<Vec<PackageRow>, StoreError> {
        let sql = "SELECT tenant, name, version, digest, kind, contract, manifest, at, seq FROM packages ORDER BY seq";
        let rows = query(sql).fetch_all(&self.pool).await.map_err(storage("listing packages"))?;
        let package = |row: &Row| {
            let row = Columns(row, "package");
            Ok(PackageRow {
                tenant: row.tenant(0)?,
                name: row.get(1)?,
                version: row.get(2)?,
                digest: row.digest(3)?,
                kind: row.get(4)?,
                contract: row.get(5)?,
                manifest: row.get(6)?,
                at: row.time(7)?,
                seq: row.count(8)?,
            })
        };
        rows.iter().map(package).collect()
    }

    /// Every step in the life of every published version, in order.
    pub async fn activations(&self) -> Result<Vec<ActivationRow>, StoreError> {
        let sql = "SELECT tenant, package, version, digest, event, at, seq FROM activations ORDER BY seq";
        let rows = query(sql).fetch_all(&self.pool).await.map_err(storage("listing activations"))?;
        let activation = |row: &Row| {
            let row = Columns(row, "activation");
            let event: String = row.get(4)?;
            let unknown =
                || StoreError::Corrupt { record: "activation".into(), detail: format!("event: found {event:?}") };
            Ok(ActivationRow {
                tenant: row.tenant(0)?,
                package: row.get(1)?,
                version: row.get(2)?,
                digest: row.digest(3)?,
                event: ActivationEvent::parse(&event).ok_or_else(unknown)?,
                at: row.time(5)?,
                seq: row.count(6)?,
            })
        };
        rows.iter().map(activation).collect()
    }

    /// Every roll-back, in order.
    pub async fn roll_backs(&self) -> Result<Vec<RollBackRow>, StoreError> {
        let sql =
            "SELECT tenant, package, version, digest, to_version, to_digest, at, seq FROM roll_backs ORDER BY seq";
        let rows = query(sql).fetch_all(&self.pool).await.map_err(storage("listing roll-backs"))?;
        rows.iter().map(roll_back).collect()
    }

    /// Every signature over a published version, in the order of their entries.
    pub async fn signatures(&self) -> Result<Vec<SignatureRow>, StoreError> {
        let sql = "SELECT tenant, package, version, digest, key, note, at, seq FROM signatures ORDER BY seq";
        let rows = query(sql).fetch_all(&self.pool).await.map_err(storage("listing signatures"))?;
        rows.iter().map(signature).collect()
    }

    /// Every namespace that was claimed, in the order of the claims.
    pub async fn namespaces(&self) -> Result<Vec<NamespaceRow>, StoreError> {
        let sql = "SELECT tenant, namespace, publisher, at, seq FROM namespaces ORDER BY seq";
        let rows = query(sql).fetch_all(&self.pool).await.map_err(storage("listing namespaces"))?;
        rows.iter().map(namespace).collect()
    }

    /// Every publisher's key, revoked ones too, in the order of their registering.
    pub async fn publisher_keys(&self) -> Result<Vec<PublisherKeyRow>, StoreError> {
        let sql = "SELECT k.tenant, k.namespace, k.key, k.at, k.seq, r.at FROM publisher_keys k \
            LEFT JOIN publisher_key_revocations r ON r.tenant = k.tenant AND r.key = k.key ORDER BY k.seq";
        let rows = query(sql).fetch_all(&self.pool).await.map_err(storage("listing publishers' keys"))?;
        rows.iter().map(publisher_key).collect()
    }
}

fn roll_back(row: &Row) -> Result<RollBackRow, StoreError> {
    let row = Columns(row, "roll-back");
    Ok(RollBackRow {
        tenant: row.tenant(0)?,
        package: row.get(1)?,
        version: row.get(2)?,
        digest: row.digest(3)?,
        to_version: row.get(4)?,
        to_digest: row.digest(5)?,
        at: row.time(6)?,
        seq: row.count(7)?,
    })
}

fn signature(row: &Row) -> Result<SignatureRow, StoreError> {
    let row = Columns(row, "signature");
    Ok(SignatureRow {
        tenant: row.tenant(0)?,
        package: row.get(1)?,
        version: row.get(2)?,
        digest: row.digest(3)?,
        key: row.get(4)?,
        note: row.get(5)?,
        at: row.time(6)?,
        seq: row.count(7)?,
    })
}

fn namespace(row: &Row) -> Result<NamespaceRow, StoreError> {
    let row = Columns(row, "namespace");
    Ok(NamespaceRow {
        tenant: row.tenant(0)?,
        namespace: row.get(1)?,
        publisher: row.get(2)?,
        at: row.time(3)?,
        seq: row.count(4)?,
    })
}

fn publisher_key(row: &Row) -> Result<PublisherKeyRow, StoreError> {
    let row = Columns(row, "publisher's key");
    Ok(PublisherKeyRow {
        tenant: row.tenant(0)?,
        namespace: row.get(1)?,
        key: row.get(2)?,
        at: row.time(3)?,
        seq: row.count(4)?,
        revoked_at: row.get::<Option<i64>>(5)?.map(|_| row.time(5)).transpose()?,
    })
}
