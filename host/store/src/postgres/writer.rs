//! The connection of one host's sequencer, which takes turns with those of others.

use std::time::{Duration, Instant};

use assize_ledger::{Digest, EntryKind, Head, Timestamp};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

use super::insert::{self, Stood};
use super::open;
use crate::db::{int, query, query_scalar, storage};
use crate::writer::{Begun, Ending, NewEntry};
use crate::{StoreError, head};

/// Waits for its turn and tells where the log stands then: one trip.
const TURN: &str = "BEGIN; SELECT size, hash, halt_epoch FROM head FOR UPDATE";
/// Entries of others that are followed one by one; past more, the head is read from what is stored.
const FOLLOWED: u64 = 2_048;
/// How long a server is waited for that broke off during a commit.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
/// A month's partition is there this long before its first entry, in milliseconds.
const AHEAD: u64 = 7 * 24 * 3_600 * 1_000;

/// Others hear on this channel that something in force has changed.
pub(super) const CHANNEL: &str = "assize_changes";

pub(crate) struct Writer {
    url: String,
    connection: Option<PgConnection>,
    /// Where the log stood when this group's turn came.
    stood: Stood,
    /// By which its listener knows what it told itself.
    host: String,
    /// Entries of this group that aren't decisions'.
    entries: Vec<NewEntry>,
    /// Partitions are there for entries before this time.
    months: u64,
}

/// The one row of `head`.
struct Place {
    at: Stood,
    halt_epoch: u64,
}

impl Writer {
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let connection = open::prepare(url).await?;
        let stood = Stood { size: 0, hash: Digest::ZERO };
        let (url, host) = (url.to_owned(), uuid::Uuid::now_v7().to_string());
        Ok(Self { url, connection: Some(connection), stood, host, entries: Vec::new(), months: 0 })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection, StoreError> {
        self.connection.as_mut().ok_or(StoreError::Closed)
    }

    /// Waits for its turn, and goes on from where the log stands then.
    pub(crate) async fn begin(&mut self, known: Option<Head>, origin: &str) -> Result<Begun, StoreError> {
        self.entries.clear();
        let place = self.turn().await?;
        self.stood = place.at;
        let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
        let (head, changed) = match known {
            Some(head) if head.size() == place.at.size => (head, false),
            Some(head) if head.size() < place.at.size && place.at.size - head.size() <= FOLLOWED => {
                follow(connection, head, place.at.size).await?
            }
            _ => (head::read(connection.into(), origin).await?, true),
        };
        if (head.size(), head.hash()) != (place.at.size, place.at.hash) {
            let detail = format!("found {} after {} entries", place.at.hash, place.at.size);
            let detail = format!("{detail}, expected {} after {}", head.hash(), head.size());
            return Err(StoreError::Corrupt { record: "the head".into(), detail });
        }
        Ok(Begun { head, halt_epoch: place.halt_epoch, changed })
    }

    /// A connection that broke while nobody used it is no failure yet: nothing was asked of it.
    async fn turn(&mut self) -> Result<Place, StoreError> {
        if let Some(connection) = &mut self.connection {
            match turn(connection).await {
                Err(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) => self.connection = None,
                Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("57P")) => {
                    self.connection = None;
                }
                result => return result.map_err(storage("waiting for a turn")).and_then(Place::read),
            }
        }
        let connection = self.connection.insert(open::writer(&self.url).await?);
        turn(connection).await.map_err(storage("waiting for a turn")).and_then(Place::read)
    }

    pub(crate) fn entry(&mut self, entry: NewEntry) {
        self.entries.push(entry);
    }

    pub(crate) async fn commit(&mut self, ending: Ending<'_>) -> Result<(), StoreError> {
        let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
        if let Some(head) = ending.head {
            let last = head.time().as_millis();
            if self.months < last.saturating_add(AHEAD) {
                // Until it is committed that they are there, nobody may rely on it: `undo` takes it back.
                self.months = months(connection, &self.entries, &ending, last).await?;
            }
            let to = (head, ending.halt_epoch);
            insert::group(connection, &self.entries, &ending.decisions, &ending.tiles, self.stood, to).await?;
        }
        if ending.changed {
            let tell = query("SELECT CAST(pg_notify(?, ?) AS TEXT)").bind(CHANNEL).bind(&self.host);
            tell.execute(&mut *connection).await.map_err(storage("telling other hosts"))?;
        }
        match connection.execute("COMMIT").await {
            Ok(_) => Ok(()),
            Err(error) => match ending.head {
                Some(head) => self.find_out(head, storage("committing")(error)).await,
                None => Err(storage("committing")(error)),
            },
        }
    }

    /// Whether a group is in whose commit broke off. Its rows can appear until the server has ended its transaction,
    /// which holds the head's lock: so the lock is asked for first.
    async fn find_out(&mut self, head: &Head, failure: StoreError) -> Result<(), StoreError> {
        self.connection = None;
        let begun = Instant::now();
        loop {
            let found = async {
                let place = self.turn().await?;
                let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
                let last = query_scalar("SELECT hash FROM entries WHERE seq = ?").bind(int(head.size() - 1));
                let last: Option<Vec<u8>> =
                    last.fetch_optional(&mut *connection).await.map_err(storage("looking for a group"))?;
                connection.execute("ROLLBACK").await.map_err(storage("looking for a group"))?;
                Ok::<bool, StoreError>(
                    place.at.size >= head.size() && last.as_deref() == Some(head.hash().as_bytes().as_slice()),
                )
            };
            match found.await {
                Ok(true) => {
                    tracing::warn!(%failure, size = head.size(), "a commit broke off, and is in all the same");
                    return Ok(());
                }
                Ok(false) => return Err(failure),
                Err(error) if begun.elapsed() >= PATIENCE => {
                    return Err(StoreError::Unknown { detail: format!("{failure}; then {error}") });
                }
                Err(error) => {
                    tracing::warn!(%error, "a commit broke off: asking whether it is in");
                    self.connection = None;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// The connection is given up where it doesn't answer: with it ends its transaction.
    pub(crate) async fn undo(&mut self) {
        // Partitions that the group made are gone with it. To ask for them again costs one call.
        self.months = 0;
        let Some(mut connection) = self.connection.take() else { return };
        if connection.execute("ROLLBACK").await.is_ok() {
            self.connection = Some(connection);
        }
    }

    /// Commits a message that nobody reads: it goes through the log of the server, and so to the disk.
    pub(crate) async fn probe(&mut self) -> Result<(), StoreError> {
        let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
        let written = query("SELECT CAST(pg_logical_emit_message(true, 'assize', 'probe') AS TEXT)");
        written.execute(&mut *connection).await.map_err(storage("trying to write"))?;
        connection.execute("COMMIT").await.map(drop).map_err(storage("trying to write"))
    }

    pub(crate) async fn close(self) {
        if let Some(connection) = self.connection
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "closing the connection to PostgreSQL");
        }
    }
}

async fn turn(connection: &mut PgConnection) -> Result<Option<sqlx::postgres::PgRow>, sqlx::Error> {
    Ok(connection.fetch_all(sqlx::raw_sql(TURN)).await?.pop())
}

impl Place {
    fn read(row: Option<sqlx::postgres::PgRow>) -> Result<Self, StoreError> {
        let corrupt = |detail: String| StoreError::Corrupt { record: "the head".into(), detail };
        let row = row.ok_or_else(|| corrupt("found no row, expected one".into()))?;
        let failed = storage("reading the head");
        let (size, halt_epoch): (i64, i64) = (row.try_get(0).map_err(&failed)?, row.try_get(2).map_err(&failed)?);
        let hash: Vec<u8> = row.try_get(1).map_err(&failed)?;
        let hash = Digest::try_from(hash.as_slice()).map_err(|error| corrupt(format!("hash: {error}")))?;
        let count =
            |field: &str, number: i64| u64::try_from(number).map_err(|error| corrupt(format!("{field}: {error}")));
        Ok(Self { at: Stood { size: count("size", size)?, hash }, halt_epoch: count("halt_epoch", halt_epoch)? })
    }
}

/// Goes on past what other hosts appended; says whether any of it changes what is in force.
async fn follow(connection: &mut PgConnection, mut head: Head, size: u64) -> Result<(Head, bool), StoreError> {
    let failed = storage("following other hosts");
    let entries = query("SELECT hash, time, kind FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq");
    let entries = entries.bind(int(head.size())).bind(int(size)).fetch_all(&mut *connection).await.map_err(&failed)?;
    let mut changed = false;
    for row in entries {
        let corrupt = |detail: String| StoreError::Corrupt { record: format!("entry {}", head.size()), detail };
        let hash = Digest::try_from(row.try_get::<&[u8]>(0).map_err(&failed)?).map_err(|e| corrupt(e.to_string()))?;
        let time: i64 = row.try_get(1).map_err(&failed)?;
        let time = u64::try_from(time).ok().and_then(Timestamp::from_millis);
        let time = time.ok_or_else(|| corrupt("time: out of range".into()))?;
        head.follow(hash, time);
        changed |= row.try_get::<String>(2).map_err(&failed)? != EntryKind::Decision.as_str();
    }
    let root = query_scalar("SELECT root FROM heads WHERE size = ?").bind(int(size));
    let root: Option<Vec<u8>> = root.fetch_optional(connection).await.map_err(&failed)?;
    if root.as_deref() != Some(head.root().as_bytes().as_slice()) {
        let found = root.map_or_else(|| "nothing".to_owned(), |root| crate::record::hex(&root));
        let detail = format!("root: found {found}, expected {}", head.root());
        return Err(StoreError::Corrupt { record: format!("head {size}"), detail });
    }
    Ok((head, changed))
}

/// Sees to it that the months of all entries, and the one after, have their partitions.
async fn months(
    connection: &mut PgConnection,
    entries: &[NewEntry],
    ending: &Ending<'_>,
    last: u64,
) -> Result<u64, StoreError> {
    let mut times: Vec<u64> = entries
        .iter()
        .chain(ending.decisions.iter().map(|(entry, _)| entry))
        .map(|entry| entry.sealed.time.as_millis())
        .chain([last, last.saturating_add(AHEAD)])
        .collect();
    times.sort_unstable();
    let mut until = 0;
    for time in times {
        // A call makes the month of a time and the one after, and gives the end of the latter.
        if time >= until {
            let made: i64 = query_scalar("SELECT keep_months(?)")
                .bind(int(time))
                .fetch_one(&mut *connection)
                .await
                .map_err(storage("making a month's partitions"))?;
            until = u64::try_from(made).unwrap_or_default();
        }
    }
    Ok(until)
}
