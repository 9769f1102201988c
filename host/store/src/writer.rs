//! The connection that writes, in the way of its database.

use assize_ledger::{Head, Tile};

use crate::db::On;
use crate::seal::{Payload, SealedDecision};
use crate::{StoreError, postgres, sqlite};

/// The one connection of a sequencer, and what it needs to write groups.
pub(crate) enum Writer {
    Sqlite(Box<sqlite::Writer>),
    Postgres(Box<postgres::Writer>),
}

/// An entry on its way to the table.
pub(crate) struct NewEntry {
    pub(crate) sealed: assize_ledger::Sealed,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) tenant: String,
    pub(crate) payload: Payload,
}

/// What a group goes on from.
pub(crate) struct Begun {
    pub(crate) head: Head,
    pub(crate) halt_epoch: u64,
    /// Whether another host has changed something in force since the last group.
    pub(crate) changed: bool,
}

/// What a group adds in the end, besides what it added one by one.
pub(crate) struct Ending<'g> {
    pub(crate) decisions: Vec<(NewEntry, SealedDecision)>,
    /// The tiles that the group filled.
    pub(crate) tiles: Vec<Tile>,
    /// Where the log stands after it; none without any entry.
    pub(crate) head: Option<&'g Head>,
    pub(crate) halt_epoch: u64,
    /// Whether other hosts have something to load.
    pub(crate) changed: bool,
}

impl Writer {
    /// Begins a group. What is known of the head may be old where others write, too.
    pub(crate) async fn begin(
        &mut self,
        head: Option<Head>,
        origin: &str,
        halt_epoch: u64,
    ) -> Result<Begun, StoreError> {
        match self {
            Self::Sqlite(writer) => {
                let head = writer.begin(head, origin).await?;
                Ok(Begun { head, halt_epoch, changed: false })
            }
            Self::Postgres(writer) => writer.begin(head, origin).await,
        }
    }

    /// For looking up what the group needs to know.
    pub(crate) fn reading(&mut self) -> Result<On<'_>, StoreError> {
        match self {
            Self::Sqlite(writer) => writer.connection().map(On::from),
            Self::Postgres(writer) => writer.connection().map(On::from),
        }
    }

    /// For adding rows, in the group's transaction.
    pub(crate) async fn writing(&mut self) -> Result<On<'_>, StoreError> {
        match self {
            Self::Sqlite(writer) => writer.writing().await.map(On::from),
            Self::Postgres(writer) => writer.connection().map(On::from),
        }
    }

    /// Adds an entry that isn't a decision's.
    pub(crate) async fn entry(&mut self, entry: NewEntry) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(writer) => writer.entry(entry).await,
            Self::Postgres(writer) => {
                writer.entry(entry);
                Ok(())
            }
        }
    }

    /// Adds the rest, and commits. On an error nothing of the group is stored, but for [`StoreError::Unknown`].
    pub(crate) async fn commit(&mut self, ending: Ending<'_>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(writer) => writer.commit(ending).await,
            Self::Postgres(writer) => writer.commit(ending).await,
        }
    }

    /// After a failure: ends the transaction, or gives the connection up.
    pub(crate) async fn undo(&mut self) {
        match self {
            Self::Sqlite(writer) => writer.undo().await,
            Self::Postgres(writer) => writer.undo().await,
        }
    }

    /// Commits something that no record knows of, and looks whether there is room for more than that.
    pub(crate) async fn probe(&mut self, head: &Head) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(writer) => writer.probe(head.size()).await,
            Self::Postgres(writer) => writer.probe().await,
        }
    }

    /// Refuses texts that the database can't hold, before they fail a whole group.
    pub(crate) fn holds<'t>(&self, texts: impl IntoIterator<Item = (&'static str, &'t str)>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => postgres::holds(texts),
        }
    }

    /// After the answers to a group of so many bytes: what nobody waits for.
    pub(crate) async fn answered(&mut self, bytes: u64) {
        match self {
            Self::Sqlite(writer) => writer.answered(bytes).await,
            Self::Postgres(_) => {}
        }
    }

    /// Why nothing may be written any more, if that is so.
    /// Something is erased in the transaction under way: nothing of it may stay behind.
    pub(crate) fn erased(&mut self) {
        match self {
            Self::Sqlite(writer) => writer.erased(),
            // Old rows are the database's to remove: see decision 0013.
            Self::Postgres(_) => {}
        }
    }

    pub(crate) fn poisoned(&self) -> Option<StoreError> {
        match self {
            Self::Sqlite(writer) => writer.poisoned(),
            Self::Postgres(_) => None,
        }
    }

    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(writer) => writer.close().await,
            Self::Postgres(writer) => writer.close().await,
        }
    }
}
