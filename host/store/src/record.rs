//! The record of a change: all columns of the row it adds, as JSON, so that the ledger's commitment binds each of them.

use std::collections::BTreeMap;
use std::fmt;

use assize_ledger::{Digest, Targets};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::append::Change;

/// One value of a row, whichever database it is in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
    /// Text that isn't UTF-8: never written, so altered.
    Broken(Vec<u8>),
}

/// The row that a change adds to one of the tables of what is in force, but for its last columns `at` and `seq`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChangeRow {
    pub(crate) table: &'static str,
    pub(crate) cells: Vec<(&'static str, Cell)>,
}

/// The record as it is sealed: `{"table", "row", "confidential"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeRecord {
    pub(crate) table: String,
    /// Column by column: numbers and text as such, blobs as hexadecimal digits.
    pub(crate) row: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) confidential: BTreeMap<String, String>,
}

/// Every table that a change can add to, with its columns in order (all but `at` and `seq`), its subject's columns, and
/// the column whose digest is a fact.
pub(crate) struct Shape {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [&'static str],
    subject: &'static [&'static str],
    digest: Option<&'static str>,
}

pub(crate) const SHAPES: [Shape; 17] = [
    Shape {
        table: "packages",
        columns: &["tenant", "name", "version", "digest", "kind", "contract", "manifest"],
        subject: &["name", "version"],
        digest: Some("digest"),
    },
    Shape {
        table: "activations",
        columns: &["tenant", "package", "version", "digest", "event"],
        subject: &["package", "version"],
        digest: Some("digest"),
    },
    Shape {
        table: "roll_backs",
        columns: &["tenant", "package", "version", "digest", "to_version", "to_digest"],
        subject: &["package", "version"],
        digest: Some("digest"),
    },
    Shape {
        table: "signatures",
        columns: &["tenant", "package", "version", "digest", "key", "note"],
        subject: &["package", "version"],
        digest: Some("digest"),
    },
    Shape {
        table: "namespaces",
        columns: &["tenant", "namespace", "publisher"],
        subject: &["namespace"],
        digest: None,
    },
    Shape { table: "publisher_keys", columns: &["tenant", "namespace", "key"], subject: &["key"], digest: None },
    Shape {
        table: "publisher_key_revocations",
        columns: &["tenant", "namespace", "key"],
        subject: &["key"],
        digest: None,
    },
    Shape {
        table: "policies",
        columns: &["tenant", "scope", "version", "hash", "bytes"],
        subject: &["scope"],
        digest: Some("hash"),
    },
    Shape { table: "systems", columns: &["tenant", "id", "version", "bytes"], subject: &["id"], digest: None },
    Shape { table: "keys", columns: &["id", "hash", "role", "tenant", "label"], subject: &["id"], digest: None },
    Shape { table: "exports", columns: &["tenant", "id", "first", "last"], subject: &["id"], digest: None },
    Shape {
        table: "stamps",
        columns: &["tenant", "authority", "size", "gen_time", "digest", "token"],
        subject: &["authority"],
        digest: Some("digest"),
    },
    Shape { table: "erasures", columns: &["tenant", "id", "basis", "targets"], subject: &["id"], digest: None },
    Shape {
        table: "simulations",
        columns: &["tenant", "id", "digest", "report"],
        subject: &["id"],
        digest: Some("digest"),
    },
    Shape { table: "retentions", columns: &["tenant", "payloads"], subject: &["tenant"], digest: None },
    Shape { table: "log_keys", columns: &["tenant", "key"], subject: &["key"], digest: None },
    Shape { table: "key_revocations", columns: &["id", "tenant"], subject: &["id"], digest: None },
];

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn blob(digest: &Digest) -> Cell {
    Cell::Blob(digest.as_bytes().to_vec())
}

/// The columns of what is about a published version, and what it says of it.
fn of_version<const N: usize>(
    tenant: (&'static str, Cell),
    package: &str,
    version: &str,
    digest: &Digest,
    said: [(&'static str, Cell); N],
) -> Vec<(&'static str, Cell)> {
    let which = [tenant, ("package", text(package)), ("version", text(version)), ("digest", blob(digest))];
    which.into_iter().chain(said).collect()
}

impl ChangeRow {
    /// The row of `change`; `digest` is the component's, for a step of a version.
    pub(crate) fn new(tenant: &str, change: &Change, digest: Digest) -> Self {
        let tenant = ("tenant", text(tenant));
        // A version that doesn't fit was refused before: it must be the newest plus one.
        let number = |version: u64| Cell::Int(i64::try_from(version).unwrap_or(i64::MAX));
        let (table, cells) = match change {
            Change::Publish { name, version, kind, contract, manifest, .. } => (
                "packages",
                vec![
                    tenant,
                    ("name", text(name)),
                    ("version", text(version)),
                    ("digest", blob(&digest)),
                    ("kind", text(kind)),
                    ("contract", text(contract)),
                    ("manifest", text(manifest)),
                ],
            ),
            Change::Activation { package, version, event, .. } => {
                ("activations", of_version(tenant, package, version, &digest, [("event", text(event.as_str()))]))
            }
            Change::RollBack { package, version, to_version, to_digest, .. } => {
                let to = [("to_version", text(to_version)), ("to_digest", blob(to_digest))];
                ("roll_backs", of_version(tenant, package, version, &digest, to))
            }
            Change::Sign { package, version, key, note } => {
                let signed = [("key", text(key)), ("note", text(note))];
                ("signatures", of_version(tenant, package, version, &digest, signed))
            }
            Change::ClaimNamespace { namespace, publisher } => {
                ("namespaces", vec![tenant, ("namespace", text(namespace)), ("publisher", text(publisher))])
            }
            Change::PublisherKey { namespace, key } => {
                ("publisher_keys", vec![tenant, ("namespace", text(namespace)), ("key", text(key))])
            }
            Change::PublisherKeyRevoked { namespace, key } => {
                ("publisher_key_revocations", vec![tenant, ("namespace", text(namespace)), ("key", text(key))])
            }
            Change::Policy { scope, version, bytes } => (
                "policies",
                vec![
                    tenant,
                    ("scope", text(scope)),
                    ("version", number(*version)),
                    ("hash", blob(&Digest::of(bytes))),
                    ("bytes", Cell::Blob(bytes.clone())),
                ],
            ),
            Change::System { id, version, bytes, .. } => (
                "systems",
                vec![tenant, ("id", text(id)), ("version", number(*version)), ("bytes", Cell::Blob(bytes.clone()))],
            ),
            Change::Key { id, hash, role, label } => (
                "keys",
                vec![("id", text(id)), ("hash", blob(hash)), ("role", text(role)), tenant, ("label", text(label))],
            ),
            Change::LogKey { key, .. } => ("log_keys", vec![tenant, ("key", text(key))]),
            Change::Export { id, first, last } => {
                ("exports", vec![tenant, ("id", text(id)), ("first", number(*first)), ("last", number(*last))])
            }
            Change::Stamp { authority, size, gen_time, token } => (
                "stamps",
                vec![
                    tenant,
                    ("authority", text(authority)),
                    ("size", number(*size)),
                    ("gen_time", number(gen_time.as_millis())),
                    ("digest", blob(&Digest::of(token))),
                    ("token", Cell::Blob(token.clone())),
                ],
            ),
            Change::Erase { id, basis, targets, .. } => (
                "erasures",
                vec![tenant, ("id", text(id)), ("basis", text(basis)), ("targets", text(&Targets::write(targets)))],
            ),
            Change::Simulation { id, report } => (
                "simulations",
                vec![
                    tenant,
                    ("id", text(id)),
                    ("digest", blob(&Digest::of(report))),
                    ("report", Cell::Blob(report.clone())),
                ],
            ),
            Change::Retain { payloads } => ("retentions", vec![tenant, ("payloads", text(payloads))]),
            Change::KeyRevoked { id } => ("key_revocations", vec![("id", text(id)), tenant]),
        };
        Self { table, cells }
    }

    /// The texts that its columns hold.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.cells.iter().filter_map(|(column, cell)| match cell {
            Cell::Text(text) => Some((*column, text.as_str())),
            _ => None,
        })
    }

    /// The record that binds this row.
    pub(crate) fn record(&self, confidential: BTreeMap<String, String>) -> ChangeRecord {
        let row = self.cells.iter().map(|(column, cell)| ((*column).to_owned(), cell.to_json())).collect();
        ChangeRecord { table: self.table.to_owned(), row, confidential }
    }
}

impl ChangeRecord {
    pub(crate) fn shape(&self) -> Option<&'static Shape> {
        SHAPES.iter().find(|shape| shape.table == self.table)
    }

    /// What the entry is about: `name@version`, a scope, an id.
    pub(crate) fn subject(&self) -> Option<String> {
        let shape = self.shape()?;
        let parts: Option<Vec<&str>> = shape.subject.iter().map(|column| self.row.get(*column)?.as_str()).collect();
        parts.map(|parts| parts.join("@"))
    }

    /// The digest that stands in the entry's facts.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.row.get(self.shape()?.digest?)?.as_str()?.parse().ok()
    }
}

impl Cell {
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::from(*number),
            Self::Real(number) => Value::from(*number),
            Self::Text(text) => Value::from(text.as_str()),
            Self::Blob(bytes) | Self::Broken(bytes) => Value::from(hex(bytes)),
        }
    }
}

impl From<Option<&str>> for Cell {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.to_owned()))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Blob(bytes) => f.write_str(&hex(bytes)),
            Self::Broken(bytes) => write!(f, "{} (not UTF-8)", hex(bytes)),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
