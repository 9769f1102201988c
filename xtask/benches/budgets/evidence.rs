//! What evidence costs a decision: signed checkpoints, receipts and proofs, and PostgreSQL in place of SQLite. One plugin less
//! or more makes no difference to that, so these are the decisions that `served` measures.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::{Value, json};
use xtask::Dist;
use xtask::http::Client;
use xtask::server::Server;

use crate::figures::{Figures, Goal, quantile, sorted};
use crate::postgres::Server as Postgres;
use crate::served::{KEY, bind, case, decision_request, host, publish};
use crate::{ABSENT, Effort, load};

/// Proofs and receipts that are fetched.
const FETCHED: u32 = 1_000;
/// No checkpoint is signed unasked, and one a second.
const NEVER: [&str; 4] = ["--checkpoint-entries", "1000000000", "--checkpoint-seconds", "86400"];
const EACH_SECOND: [&str; 4] = ["--checkpoint-entries", "1000000000", "--checkpoint-seconds", "1"];

/// The same on both databases.
pub(crate) fn measure(
    dist: &Dist,
    postgres: Option<&Postgres>,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    over(dist, &folder.path().join("sqlite"), "SQLite", &[], effort, figures)?;
    let Some(postgres) = postgres else {
        figures.missing("PostgreSQL: one decision at a time, p50", "ms", Goal::None, ABSENT);
        return Ok(());
    };
    let database = ["--database".to_owned(), postgres.database()];
    let database = database.each_ref().map(String::as_str);
    over(dist, &folder.path().join("postgresql"), "PostgreSQL", &database, effort, figures)
}

fn over(
    dist: &Dist,
    data: &Path,
    name: &str,
    database: &[&str],
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let request = decision_request("quiet");
    let start =
        |signing: &[&str]| -> anyhow::Result<Server> { host(dist, data, &[database, signing].concat()).start() };
    let one = |figures: &mut Figures, server: &Server, what: &str, request: &[u8]| -> anyhow::Result<()> {
        let one = load::run(server.address(), request, 1, effort.load / 4)?;
        figures.add(format!("{name}: one decision at a time, {what}, p50"), "ms", Goal::None, one.latency(50));
        figures.add("  p99", "ms", Goal::None, one.latency(99));
        Ok(())
    };
    let many = |figures: &mut Figures, server: &Server, what: &str, request: &[u8]| -> anyhow::Result<()> {
        let many = load::run(server.address(), request, 64, effort.load / 4)?;
        figures.add(format!("{name}: decisions, {what}, 64 clients"), "1/s", Goal::None, many.rate);
        figures.add("  p99", "ms", Goal::None, many.latency(99));
        Ok(())
    };

    let server = start(&NEVER)?;
    let mut client = Client::connect(server.address(), KEY)?;
    publish(&mut client, &dist.plugins())?;
    bind(&mut client, &["quiet"])?;
    // Caches and averages settle.
    load::run(server.address(), &request, 64, effort.load / 4)?;
    one(figures, &server, "nothing signed", &request)?;
    many(figures, &server, "nothing signed", &request)?;
    drop(client);
    server.stop()?;

    let server = start(&EACH_SECOND)?;
    load::run(server.address(), &request, 64, effort.load / 8)?;
    one(figures, &server, "a checkpoint signed each second", &request)?;
    many(figures, &server, "a checkpoint signed each second", &request)?;
    // A checkpoint signed and kept for each, where nobody else asks.
    let receipted = with_header(&request, "prefer: receipt");
    one(figures, &server, "each with its receipt", &receipted)?;
    many(figures, &server, "each with its receipt", &receipted)?;
    fetch(&server, name, figures)?;
    server.stop()
}

/// What was decided before, proven when somebody asks.
fn fetch(server: &Server, name: &str, figures: &mut Figures) -> anyhow::Result<()> {
    let mut client = Client::connect(server.address(), KEY)?;
    let decision = client.must("POST", "/v1/decisions", &case("quiet"))?;
    let id = decision.get("id").and_then(Value::as_str).context("a decision has an id")?.to_owned();
    let receipt = client.must("GET", &format!("/v1/decisions/{id}/receipt"), &json!({}))?;
    let last = receipt.get("seq").and_then(Value::as_u64).context("a receipt has a seq")?;
    let mut timed = |path: &dyn Fn(u64) -> String, what: &str| -> anyhow::Result<()> {
        let mut times = Vec::new();
        for n in 0..u64::from(FETCHED) {
            let path = path(n);
            let started = Instant::now();
            client.must("GET", &path, &json!({}))?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let times = sorted(times);
        figures.add(format!("{name}: {what}, fetched later, p50"), "ms", Goal::None, quantile(&times, 50));
        figures.add("  p99", "ms", Goal::None, quantile(&times, 99));
        Ok(())
    };
    timed(&|_| format!("/v1/decisions/{id}/receipt"), "a receipt")?;
    // Spread over the log, so that no tile is read twice in a row.
    let seq = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % last;
    timed(&|n| format!("/v1/ledger/proof/inclusion?seq={}&size={last}", seq(n)), "a proof of inclusion")
}

/// A request with one header more.
fn with_header(request: &[u8], header: &str) -> Vec<u8> {
    let line = request.windows(2).position(|at| at == b"\r\n").map_or(request.len(), |at| at + 2);
    let (first, rest) = request.split_at(line);
    [first, header.as_bytes(), b"\r\n", rest].concat()
}
