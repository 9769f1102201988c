//! Exports: a part of a log in one file, with everything that is needed to check it (`docs/export-format.md`).

mod items;
mod lines;
mod targets;
mod verify;
mod write;

use serde::{Deserialize, Serialize};

pub use self::lines::export_lines;
pub use self::targets::Targets;
pub use self::verify::{ExportCheck, ExportReport, verify_export};
pub use self::write::ExportWriter;
use crate::Digest;

/// The value of [`ExportHeader::format`], and the first line of the manifest.
pub const EXPORT_FORMAT: &str = "assize.dev/export/v1";
/// What the content of every export begins with.
const MAGIC: [u8; 8] = *b"ASSIZE\0X";
/// The version that this crate writes.
const VERSION: u16 = 1;

/// Which part of which log an export holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHeader {
    /// [`EXPORT_FORMAT`].
    pub format: String,
    /// The log's name.
    pub origin: String,
    /// The first entry.
    pub from: u64,
    /// The entry after the last.
    pub to: u64,
    /// Entries under the checkpoint that covers them.
    pub size: u64,
    /// The hash of entry `from − 1`; [`Digest::ZERO`] for none.
    pub previous: Digest,
    /// Whose entries are shown; none for all.
    pub tenant: Option<String>,
    /// Whether inputs and records are in the file.
    pub payloads: bool,
}

/// What a payload is of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayloadKind {
    /// The exact bytes that came in.
    Input,
    /// The full account.
    Record,
}

impl PayloadKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Input => 1,
            Self::Record => 2,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Record => "record",
        }
    }
}

/// The text of the note at an export's end.
fn manifest(header: &ExportHeader, hash: &Digest) -> String {
    let ExportHeader { origin, from, to, size, .. } = header;
    format!("{EXPORT_FORMAT}\n{origin}\nentries {from} {to} of {size}\nsha256 {hash}\n")
}
