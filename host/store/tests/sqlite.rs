//! What only a store in a directory does: one writer, a file that a disk has room for or not, and schemas of before.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use assize_store::{Options, Store, StoreError, VerifyOptions};
use common::{ORIGIN, decision, record};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

async fn is_sound(store: &Store) {
    let report = store.verify(VerifyOptions::default(), |_| {}).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.faults);
}

#[tokio::test]
async fn two_servers_cannot_write_to_one_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), ORIGIN).await.unwrap();
    let second = Store::open(dir.path(), ORIGIN).await.unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    let reader = Store::open_read_only(dir.path()).await.unwrap();
    assert_eq!(reader.origin().await.unwrap().as_deref(), Some(ORIGIN));
    store.close().await;
    let other = Store::open(dir.path(), "example.org/other").await.unwrap_err();
    assert!(matches!(other, StoreError::Origin { .. }), "{other}");
    Store::open(dir.path(), ORIGIN).await.unwrap();
}

#[tokio::test]
async fn reading_makes_no_database() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open_read_only(dir.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_whole_requests_and_the_store_keeps_serving() {
    let dir = tempfile::tempdir().unwrap();
    let limited = Options { max_bytes: Some(2 << 20), ..Options::default() };
    let store = limited.open(dir.path(), ORIGIN).await.unwrap();
    let (mut stored, mut refused) = (1, 0);
    for n in 0..3_000 {
        match store.decide(decision(n)).await {
            Ok(_) => stored += 1,
            Err(StoreError::DiskFull { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        if refused == 20 {
            break;
        }
    }
    assert_eq!(refused, 20);
    assert_eq!(store.head().await.unwrap().unwrap().size, stored);
    is_sound(&store).await;
    store.close().await;
    let store = Store::open(dir.path(), ORIGIN).await.unwrap();
    store.decide(decision(9_999)).await.unwrap();
    assert_eq!(store.head().await.unwrap().unwrap().size, stored + 1);
    is_sound(&store).await;
}

/// A file system of its own, gone at the end; none where this process may not mount one.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(arguments: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount").args(arguments).arg(dir.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        println!("skipped: this process may not mount a file system");
        None
    }

    fn path(&self) -> &std::path::Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg("--lazy").arg(self.path()).output());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_half_writes_nothing() {
    let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", "size=3m", "tmpfs"]) else { return };
    let store = Store::open(disk.path(), ORIGIN).await.unwrap();
    let (mut stored, mut refused) = (1, 0);
    for n in 0..3_000 {
        match store.decide(decision(n)).await {
            Ok(_) => stored += 1,
            Err(StoreError::DiskFull { .. } | StoreError::Storage { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        if refused == 5 {
            break;
        }
    }
    assert_eq!(refused, 5);
    assert_eq!(store.head().await.unwrap().unwrap().size, stored);
    is_sound(&store).await;
}

#[tokio::test]
async fn a_read_only_directory_is_verified_and_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), ORIGIN).await.unwrap();
    record(&store, 0, 20).await;
    store.close().await;
    let Some(mount) = Mount::new(&["--bind", "-o", "ro", dir.path().to_str().unwrap()]) else { return };
    let reader = Store::open_read_only(mount.path()).await.unwrap();
    assert!(reader.verify(VerifyOptions::default(), |_| {}).await.unwrap().is_sound());
    let error = Store::open(mount.path(), ORIGIN).await.unwrap_err();
    assert!(error.to_string().contains("Read-only file system"), "{error}");
    reader.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_before_gets_its_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), ORIGIN).await.unwrap();
    // Of those that name nobody: the first version had no place for that.
    let all = (0..800).filter(|n| n % 4 != 0).map(|n| store.decide(common::decision(n)));
    futures::future::try_join_all(all).await.unwrap();
    let before = store.inclusion_proof(3, 601).await.unwrap();
    store.close().await;
    let options = SqliteConnectOptions::new().filename(dir.path().join("assize.db"));
    let mut db = options.connect().await.unwrap();
    // As the first version left it.
    let later = "nodes checkpoints log_keys exports stamps cosignatures erasures erased data_subjects retentions simulations \
        roll_backs namespaces publisher_keys publisher_key_revocations signatures";
    for table in later.split(' ') {
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP TABLE {table}"))).execute(&mut db).await.unwrap();
    }
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version > 1").execute(&mut db).await.unwrap();
    let triggers: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetch_all(&mut db).await.unwrap();
    for trigger in triggers {
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).execute(&mut db).await.unwrap();
    }
    db.close().await.unwrap();
    let store = Store::open(dir.path(), ORIGIN).await.unwrap();
    assert_eq!(store.inclusion_proof(3, 601).await.unwrap(), before);
    let report = store.verify(assize_store::VerifyOptions::default(), |_| {}).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.faults);
}
