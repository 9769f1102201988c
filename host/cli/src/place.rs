//! A ledger that is read without a server.

use std::path::{Path, PathBuf};

use assize_sandbox::Sandbox;
use assize_server::CHECKPOINT_FILE;
use assize_store::{Reader, Store, StoreError};

use crate::compiled;

/// Where it is.
#[derive(Debug, clap::Args)]
#[group(id = "place", multiple = false)]
pub(crate) struct Place {
    /// The data directory; without it, the server is asked
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The PostgreSQL database, instead of a data directory
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl Place {
    /// Whether a place was named; else the server is asked.
    pub(crate) const fn is_given(&self) -> bool {
        self.data.is_some() || self.database.is_some()
    }

    /// Where a server keeps the newest checkpoint of this place, outside the database.
    pub(crate) fn newest_checkpoint(&self) -> Option<PathBuf> {
        self.data.as_deref().map(|data| data.join(CHECKPOINT_FILE))
    }

    /// Where what is in this place runs.
    pub(crate) fn sandbox(&self) -> anyhow::Result<Sandbox> {
        compiled::sandbox(self.data.as_deref())
    }

    pub(crate) async fn open(&self) -> Result<Reader, StoreError> {
        match (&self.database, &self.data) {
            (Some(url), _) => Store::open_postgres_read_only(url).await,
            (None, data) => Store::open_read_only(data.as_deref().unwrap_or(Path::new("."))).await,
        }
    }
}
