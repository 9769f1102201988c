//! What came out, as a document.

use assize_sandbox::EngineId;
use serde::{Deserialize, Serialize};

use super::cases::Mapping;
use super::tally::Tally;
use super::{Specification, csv, html};

/// What came out of a simulation. The same specification over the same cases gives the same bytes of JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Of this document; 1.
    pub format: u32,
    /// What was swapped, over which cases.
    pub specification: Specification,
    /// Whose cases; none for those of all tenants.
    pub tenant: Option<String>,
    /// What was looked at.
    pub covered: Covered,
    /// Which engine ran the plugins.
    pub engine: EngineId,
    /// Whether all cases were looked at.
    pub complete: bool,
    /// What was counted.
    pub tally: Tally,
}

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Covered {
    /// Decisions of the ledger's entries before this one.
    Decisions {
        /// The size of the ledger at the start.
        before: u64,
    },
    /// Cases of a file.
    File {
        /// How its rows became cases.
        mapping: Mapping,
    },
}

impl Report {
    /// The cases that would come out otherwise, a row each (RFC 4180), with a heading.
    pub fn csv(&self) -> Vec<u8> {
        csv::flips(&self.tally.listed)
    }

    /// A page that needs nothing else.
    pub fn html(&self) -> String {
        html::page(self)
    }
}
