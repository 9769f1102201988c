//! How many decisions a second are made durable, and how long checking them takes: with a 500-byte input, a record of
//! 2.5 KB, and as many requests at once as clients. `-- sqlite 256` measures one database with so many clients alone.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use std::sync::Arc;

use assize_store::{DecisionDraft, VerifyOptions};
use common::database::Database;
use common::postgres::Server;

/// The product's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn draft(n: u64) -> DecisionDraft {
    let mut draft = common::build("acme", n, false, 0);
    draft.input = vec![b'x'; 500];
    draft.record.resize(2_500, b' ');
    draft
}

/// Processor time of this process, in clock ticks of 10 ms.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let times = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

#[tokio::main]
async fn main() {
    // Cargo itself adds `--bench`.
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    assert!(
        asked.first().is_none_or(|asked| ["sqlite", "postgres"].contains(&asked.as_str())),
        "which database: sqlite or postgres"
    );
    let database = |name: &str| asked.first().is_none_or(|asked| asked == name);
    let clients = |clients: u64| asked.get(1).is_none_or(|asked| asked.parse() == Ok(clients));
    let sizes = [(1, 2_000), (8, 2_000), (64, 1_000), (256, 400), (1_024, 200)];
    for (clients, each) in sizes.into_iter().filter(|_| database("sqlite")).filter(|(asked, _)| clients(*asked)) {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        measure(&Database::Sqlite(dir), clients, each).await;
    }
    if !database("postgres") {
        return;
    }
    // As it is installed: every commit is on the disk.
    let Some(server) = Server::start(&[]).map(Arc::new) else { return };
    for (clients, each) in sizes.into_iter().filter(|(asked, _)| clients(*asked)) {
        let url = server.database();
        measure(&Database::Postgres { server: Arc::clone(&server), url }, clients, each).await;
    }
}

async fn measure(database: &Database, clients: u64, each: u64) {
    let name = match database {
        Database::Sqlite(_) => "SQLite",
        Database::Postgres { .. } => "PostgreSQL",
    };
    let store = database.open().await;
    let drafts: Vec<Vec<_>> =
        (0..clients).map(|client| (0..each).map(|n| draft(client * each + n)).collect()).collect();
    let (begin, cpu) = (Instant::now(), ticks());
    let tasks: Vec<_> = drafts
        .into_iter()
        .map(|drafts| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut waits = Vec::with_capacity(drafts.len());
                for draft in drafts {
                    let begin = Instant::now();
                    store.decide(draft).await.unwrap();
                    waits.push(begin.elapsed().as_micros());
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    let (took, cpu) = (begin.elapsed().as_secs_f64(), ticks() - cpu);
    waits.sort_unstable();
    let quantile = |q: usize| waits.get(waits.len() * q / 100).copied().unwrap_or_default();
    let count = clients * each;
    println!(
        "{name}: append, {clients:>4} clients: {:>8.0} decisions/s, {:>5.1} µs of processor each, p50 {} µs, p99 {} µs",
        count as f64 / took,
        cpu as f64 * 10_000.0 / count as f64,
        quantile(50),
        quantile(99),
    );
    if clients == 64 {
        let (begin, cpu) = (Instant::now(), ticks());
        let report = store.verify(VerifyOptions::default(), |_| {}).await.unwrap();
        let (took, cpu) = (begin.elapsed().as_secs_f64(), ticks() - cpu);
        assert!(report.is_sound(), "{:?}", report.faults.first.first());
        println!(
            "{name}: verify: {} entries with payloads and decisions, {:.0}/s, {:.1} µs of processor each",
            report.entries,
            report.entries as f64 / took,
            cpu as f64 * 10_000.0 / report.entries as f64,
        );
    }
    store.close().await;
}
