//! How long a proof of inclusion takes from a log of ten million entries: tiles and nodes are written as the sequencer would
//! have, without the entries below them, which a proof doesn't read but for the last tile's.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use assize_ledger::proof::verify_inclusion;
use assize_ledger::tree::leaf_hash;
use assize_ledger::{Digest, Frontier};
use assize_store::Store;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

const SIZE: u64 = 10_000_000;
const PROOFS: u64 = 2_000;

fn leaf(seq: u64) -> Digest {
    leaf_hash(&seq.to_be_bytes())
}

fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap()
}

async fn write(db: &mut SqliteConnection) -> Digest {
    sqlx::query("DELETE FROM entries; DELETE FROM heads; DELETE FROM sealed; BEGIN").execute(&mut *db).await.unwrap();
    let mut tree = Frontier::new();
    for seq in 0..SIZE {
        for tile in tree.append(leaf(seq)) {
            let (level, index, root) = (i64::from(tile.id.level), int(tile.id.index), tile.root().unwrap());
            let query = sqlx::query("INSERT INTO tiles (level, idx, hashes) VALUES (?, ?, ?)");
            query.bind(level).bind(index).bind(tile.hashes).execute(&mut *db).await.unwrap();
            let query = sqlx::query("INSERT INTO nodes (level, idx, hash) VALUES (?, ?, ?)");
            query.bind(level + 1).bind(index).bind(root.as_bytes().to_vec()).execute(&mut *db).await.unwrap();
        }
    }
    for seq in SIZE & !0xff..SIZE {
        let sql =
            "INSERT INTO entries (seq, hash, kind, subject, tenant, time, bytes) VALUES (?, ?, '', '', '', 0, x'')";
        sqlx::query(sql).bind(int(seq)).bind(leaf(seq).as_bytes().to_vec()).execute(&mut *db).await.unwrap();
    }
    let query = sqlx::query("INSERT INTO heads (size, root, hash, time) VALUES (?, ?, zeroblob(32), 0); COMMIT");
    query.bind(int(SIZE)).bind(tree.root().as_bytes().to_vec()).execute(&mut *db).await.unwrap();
    tree.root()
}

/// Resident memory of this process in MB, where `/proc` tells.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default().to_owned();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1_000
}

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    Store::open(dir.path(), common::ORIGIN).await.unwrap().close().await;
    let options = SqliteConnectOptions::new().filename(dir.path().join("assize.db"));
    let mut db = options.connect().await.unwrap();
    let triggers: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetch_all(&mut db).await.unwrap();
    for trigger in triggers {
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).execute(&mut db).await.unwrap();
    }
    let root = write(&mut db).await;
    db.close().await.unwrap();
    let reader = Store::open_read_only(dir.path()).await.unwrap();
    let (mut waits, mut hashes, before) = (Vec::new(), 0, resident());
    for n in 0..PROOFS {
        // Spread over the log, so that no tile is read twice in a row.
        let seq = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % SIZE;
        let begin = Instant::now();
        let proof = reader.inclusion_proof(seq, SIZE).await.unwrap();
        waits.push(begin.elapsed().as_micros());
        verify_inclusion(&leaf(seq), seq, SIZE, &proof, &root).unwrap();
        hashes = proof.len();
    }
    waits.sort_unstable();
    let quantile = |q: usize| waits.get(waits.len() * q / 100).copied().unwrap_or_default();
    println!(
        "inclusion proof, {SIZE} entries: p50 {} µs, p99 {} µs, {hashes} hashes; memory {before} MB before, {} MB after",
        quantile(50),
        quantile(99),
        resident(),
    );
}
