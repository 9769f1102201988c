//! Exports: a part of a log in one file, with everything that is needed to check it (`docs/export-format.md`).

mod ahead;
mod content;
mod kind;
mod lines;
mod report;
mod targets;
mod verify;
mod write;

use serde::{Deserialize, Serialize};

pub use self::lines::export_lines;
pub use self::report::{ExportCheck, ExportReport};
pub use self::targets::Targets;
pub use self::verify::verify_export;
pub use self::write::ExportWriter;
use crate::Digest;
use crate::items::Form;

/// The value of [`ExportHeader::format`], and the first line of the manifest.
pub const EXPORT_FORMAT: &str = "assize.dev/export/v1";
/// How an export's file is told from others. Exports are as long as their part of the log.
const FORM: Form = Form { magic: *b"ASSIZE\0X", window_log: 27, longest: u64::MAX };

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
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Input => 1,
            Self::Record => 2,
        }
    }

    /// `input` or `record`.
    pub const fn name(self) -> &'static str {
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
