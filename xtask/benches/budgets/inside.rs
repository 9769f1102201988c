//! The crates inside: what of a decision's time goes where.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use assize_kernel::{Candidate, Halt, Input, Layer, Policy, Snapshot, decide};
use assize_ledger::{DecisionFacts, Digest, EntryRef, Faults, Link, Report, Start, StoredEntry, Timestamp, Verifier};
use assize_registry::Package;
use assize_sandbox::contract::Case;
use assize_sandbox::{Limits, Plugin, Sandbox, SandboxConfig, Settings, Subject};
use assize_sdk::bindings::risk_agent::exports::assize::plugin::assessor::Guest as _;
use assize_store::{DecisionDraft, DecisionFilter, Reader, Store, VerifyOptions};
use serde_json::value::RawValue;
use tokio::runtime::Runtime;
use xtask::Dist;

use crate::figures::{Figures, Goal, quantile, sorted};
use crate::postgres::Server as Postgres;
use crate::{ABSENT, Effort, again, served};

/// Everything that is measured in process. `data` holds the decisions of the load over HTTP.
pub(crate) fn measure(
    dist: &Dist,
    data: &Path,
    postgres: Option<&Postgres>,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let host = Host::load(dist)?;
    host.call(&runtime, effort, figures)?;
    host.judge(&runtime, effort, figures)?;
    runtime.block_on(async {
        let reader = Store::open_read_only(data).await?;
        again::replay(&reader, &host.sandbox, effort, figures).await?;
        again::simulate(dist, &host.sandbox, effort, figures).await?;
        verify(&reader, figures).await?;
        prove(&reader, figures).await?;
        let sample = sample(&reader).await?;
        reader.close().await;
        append(postgres, effort, &sample, figures).await
    })
}

/// The bundled plugins, compiled.
struct Host {
    sandbox: Sandbox,
    packages: Vec<(Package, Arc<Plugin>)>,
}

fn raw(json: &str) -> anyhow::Result<Box<RawValue>> {
    Ok(RawValue::from_string(json.to_owned())?)
}

const PAYLOAD: &str = r#"{"prompt":"Please summarise the minutes of yesterday's meeting in three short sentences."}"#;
const CONTEXT: &str = r#"{"system":{"id":"quiet","name":"quiet","operational_status":"active","risk_classification":"limited","sector":null,"training_flops":null,"external_dependencies":[],"attributes":{"logging":true}}}"#;

fn case() -> anyhow::Result<Case> {
    Ok(Case {
        id: "01890a5d-ac96-774b-bcce-000000000000".to_owned(),
        kind: "prompt".to_owned(),
        tenant: "default".to_owned(),
        system: Some("quiet".to_owned()),
        environment: "production".to_owned(),
        jurisdictions: vec!["EU".to_owned(), "BR".to_owned()],
        sector: None,
        actor: None,
        action: None,
        resource: None,
        occurred_at: "2026-06-01".parse()?,
        rules_as_of: "2026-06-01".parse()?,
        payload: raw(PAYLOAD)?,
        context: raw(CONTEXT)?,
    })
}

impl Host {
    fn load(dist: &Dist) -> anyhow::Result<Self> {
        let sandbox = Sandbox::new(SandboxConfig::default())?;
        let mut packages = Vec::new();
        for file in std::fs::read_dir(dist.plugins())? {
            let component = std::fs::read(file?.path())?;
            packages.push((assize_registry::inspect(&component)?, Arc::new(sandbox.load(&component)?)));
        }
        Ok(Self { sandbox, packages })
    }

    fn find(&self, digest: Digest) -> Option<Arc<Plugin>> {
        self.packages.iter().find(|(package, _)| package.digest == digest).map(|(_, plugin)| Arc::clone(plugin))
    }

    /// One agent in a fresh sandbox, beside the same code called natively.
    fn call(&self, runtime: &Runtime, effort: Effort, figures: &mut Figures) -> anyhow::Result<()> {
        let agent = self.packages.iter().find(|(package, _)| package.manifest.name.as_str() == "assize/technical");
        let (package, plugin) = agent.context("assize/technical isn't among the plugins")?;
        let settings = Settings::parse("{}")?;
        let subject = Subject::new(case()?);
        let limits = Limits { fuel: package.manifest.limits.fuel, ..Limits::default() };
        let mut fresh = Vec::new();
        for _ in 0..effort.calls {
            let started = Instant::now();
            let call = runtime.block_on(plugin.assess(&settings, &subject, &limits));
            fresh.push(micros(started.elapsed()));
            call.result?;
        }
        let wire = wire_case(subject.case());
        let mut native = Vec::new();
        for _ in 0..effort.calls {
            let (settings, wire) = ("{}".to_owned(), wire.clone());
            let started = Instant::now();
            let answer = technical::Plugin::assess(settings, wire);
            native.push(micros(started.elapsed()));
            if let Err(failure) = std::hint::black_box(answer) {
                bail!("the agent failed natively: {failure:?}");
            }
        }
        let (fresh, native) = (sorted(fresh), sorted(native));
        let over = quantile(&fresh, 50) - quantile(&native, 50);
        figures.add(
            "a Rust agent in a fresh sandbox, over the same code natively, p50",
            "µs",
            Goal::AtMost(10.0),
            over,
        );
        figures.add("  in the sandbox, p50", "µs", Goal::None, quantile(&fresh, 50));
        figures.add("  in the sandbox, p99", "µs", Goal::None, quantile(&fresh, 99));
        figures.add("  natively, p50", "µs", Goal::None, quantile(&native, 50));
        Ok(())
    }

    fn candidates(&self, plugin: &str) -> Vec<Candidate> {
        let versions = self.packages.iter().filter(|(package, _)| package.manifest.name.as_str() == plugin);
        versions
            .map(|(Package { manifest, digest, kind, contract, .. }, _)| Candidate {
                version: manifest.version.clone(),
                digest: *digest,
                kind: *kind,
                contract: *contract,
                effective: manifest.effective,
                scope: manifest.scope.clone(),
                limits: manifest.limits,
                may: manifest.may.clone(),
                signed_by: None,
            })
            .collect()
    }

    fn snapshot(&self) -> anyhow::Result<Snapshot> {
        let text = served::policy().to_string();
        let policy: Policy = serde_json::from_str(&text)?;
        let layer = Layer { scope: "global".to_owned(), version: 1, hash: Digest::of(text.as_bytes()) };
        let active = |_: &Layer, name: &assize_registry::PackageName| self.candidates(name.as_str());
        Ok(Snapshot::merged(&[(layer, &policy)], active, |digest| self.find(digest))?)
    }

    /// The whole judgment, and what of it isn't the plugins'.
    fn judge(&self, runtime: &Runtime, effort: Effort, figures: &mut Figures) -> anyhow::Result<()> {
        let snapshot = Arc::new(self.snapshot()?);
        let input = Arc::new(Input::new(case()?, None));
        let (mut whole, mut plugins) = (Vec::new(), Vec::new());
        for _ in 0..effort.calls / 4 {
            let started = Instant::now();
            let judged = runtime.block_on(decide(&snapshot, &input))?;
            whole.push(micros(started.elapsed()));
            plugins.push(judged.runs.iter().map(|run| run.duration_us as f64).sum());
        }
        let (whole, plugins) = (sorted(whole), sorted(plugins));
        figures.add("decide in process, 3 agents + 2 rules, p50", "µs", Goal::None, quantile(&whole, 50));
        figures.add("  of which the plugins' calls, p50", "µs", Goal::None, quantile(&plugins, 50));
        let over = quantile(&whole, 50) - quantile(&plugins, 50);
        figures.add("  of which the kernel (less than 0: calls ran in parallel)", "µs", Goal::None, over);

        let halt = Halt { system: "quiet".to_owned(), since: Timestamp::default() };
        let stopped = Arc::new(Input::new(case()?, Some(halt)));
        let started = Instant::now();
        let checks = effort.calls * 10;
        runtime.block_on(async {
            for _ in 0..checks {
                std::hint::black_box(decide(&snapshot, &stopped).await?);
            }
            anyhow::Ok(())
        })?;
        let each = micros(started.elapsed()) / f64::from(checks);
        figures.add("kill-switch check, with the blocked judgment that it makes", "µs", Goal::AtMost(1.0), each);
        Ok(())
    }
}

/// The same case, as it crosses the boundary.
fn wire_case(case: &Case) -> assize_sdk::wire::Case {
    assize_sdk::wire::Case {
        id: case.id.clone(),
        kind: case.kind.clone(),
        tenant: case.tenant.clone(),
        system: case.system.clone(),
        environment: case.environment.clone(),
        jurisdictions: case.jurisdictions.clone(),
        sector: case.sector.clone(),
        actor: case.actor.clone(),
        action: case.action.clone(),
        resource: case.resource.clone(),
        occurred_at: case.occurred_at.as_millis(),
        rules_as_of: case.rules_as_of.as_millis(),
        payload: case.payload.get().to_owned(),
        context: case.context.get().to_owned(),
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// An entry in memory.
struct Entry {
    seq: u64,
    bytes: Vec<u8>,
    hash: Digest,
}

impl StoredEntry for Entry {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn hash(&self) -> &[u8] {
        self.hash.as_bytes()
    }
}

/// The database that the load left, checked as a whole; and its chain and tree alone.
async fn verify(reader: &Reader, figures: &mut Figures) -> anyhow::Result<()> {
    let started = Instant::now();
    let report = reader.verify(VerifyOptions::default(), |_| {}).await?;
    let rate = report.entries as f64 / started.elapsed().as_secs_f64();
    if !report.is_sound() {
        bail!("the ledger isn't as it was recorded: {:?}", report.faults);
    }
    figures.add("ledger verify, everything: payloads, records, columns, files", "entries/s", Goal::None, rate);

    let rows = reader.entries(None, 0, 200_000).await?;
    let rows: Vec<Entry> =
        rows.into_iter().map(|row| Entry { seq: row.seq, bytes: row.bytes, hash: row.hash }).collect();
    let started = Instant::now();
    let mut verifier = Verifier::new(Start::Genesis, None);
    for batch in rows.chunks(8_192) {
        let check = |_: &Entry, _: &EntryRef<'_>, _: &mut Faults| {};
        let linked = |_: &Link, _: &dyn Fn() -> Option<Digest>, _: &mut Report| {};
        verifier.batch(batch, None, check, linked);
    }
    let report = verifier.finish();
    let rate = report.entries as f64 / started.elapsed().as_secs_f64();
    if !report.is_sound() {
        bail!("the chain isn't as it was recorded: {:?}", report.faults);
    }
    figures.add("ledger verify, chain and tree of entries in memory", "entries/s", Goal::AtLeast(1_000_000.0), rate);
    Ok(())
}

/// Proofs of entries all over the log that the load left.
async fn prove(reader: &Reader, figures: &mut Figures) -> anyhow::Result<()> {
    let size = reader.head().await?.map_or(0, |head| head.size);
    let waits = proofs(reader, size).await?;
    let what = format!("inclusion proof from stored nodes, {size} entries, p50");
    figures.add(&what, "µs", Goal::AtMost(1_000.0), quantile(&waits, 50));
    Ok(())
}

/// Proofs of entries all over a log: microseconds, sorted.
pub(crate) async fn proofs(reader: &Reader, size: u64) -> anyhow::Result<Vec<f64>> {
    const PROOFS: u64 = 1_000;
    let mut waits = Vec::new();
    for n in 0..PROOFS {
        let seq = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size.max(1);
        let started = Instant::now();
        reader.inclusion_proof(seq, size).await?;
        waits.push(micros(started.elapsed()));
    }
    Ok(sorted(waits))
}

/// What a decision binds.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) input: Arc<[u8]>,
    pub(crate) record: Arc<[u8]>,
}

/// Of a decision that was made over HTTP.
async fn sample(reader: &Reader) -> anyhow::Result<Sample> {
    let page = reader.decisions(None, &DecisionFilter::default(), None, 1).await?;
    let newest = page.rows.first().context("no decision was recorded")?;
    let stored = reader.decision(None, &newest.id).await?;
    let payloads = stored.and_then(|stored| stored.input.zip(stored.record));
    let (input, record) = payloads.context("the newest decision has no payload")?;
    Ok(Sample { input: input.into(), record: record.into() })
}

/// Decisions with the input and record of a real one, made durable by 256 callers at once.
async fn append(
    postgres: Option<&Postgres>,
    effort: Effort,
    sample: &Sample,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let what = |database: &str| format!("ledger append, durable, in groups, 256 callers, {database}");
    let goal = Goal::AtLeast(50_000.0);
    let directory = tempfile::tempdir()?;
    let store = Store::open(directory.path(), "benchmark").await?;
    let rate = fill(&store, effort.appends, 256, sample, |_| ()).await?;
    store.close().await;
    figures.add(what("SQLite"), "decisions/s", goal, rate);
    let Some(postgres) = postgres else {
        figures.missing(what("PostgreSQL"), "decisions/s", goal, ABSENT);
        return Ok(());
    };
    let store = Store::open_postgres(&postgres.database(), "benchmark").await?;
    let rate = fill(&store, effort.appends, 256, sample, |_| ()).await?;
    store.close().await;
    figures.add(what("PostgreSQL"), "decisions/s", goal, rate);
    Ok(())
}

/// Records so many decisions for so many callers; how many a second. `progress` is told how many there are, now and then.
pub(crate) async fn fill(
    store: &Store,
    count: u64,
    callers: u64,
    sample: &Sample,
    progress: impl Fn(u64) + Send + Sync + 'static,
) -> anyhow::Result<f64> {
    store.put_snapshot(Digest::of(SNAPSHOT), SNAPSHOT.into()).await?;
    let (started, progress) = (Instant::now(), Arc::new(progress));
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let (store, progress, sample) = (store.clone(), Arc::clone(&progress), sample.clone());
        tasks.spawn(async move {
            let mut n = caller;
            while n < count {
                store.decide(draft(n, &sample)).await?;
                if n.is_multiple_of(100_000) {
                    progress(n);
                }
                n += callers;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Decisions name one that is stored.
const SNAPSHOT: &[u8] = b"snapshot";

fn draft(n: u64, sample: &Sample) -> DecisionDraft {
    let now = Timestamp::now();
    DecisionDraft {
        data_subject: None,
        id: format!("01890a5d-ac96-774b-bcce-{n:012x}"),
        facts: DecisionFacts {
            tenant: "default".to_owned(),
            system: Some("quiet".to_owned()),
            environment: "production".to_owned(),
            verdict: "allow".to_owned(),
            reason: "RISK_WITHIN_THRESHOLDS".to_owned(),
            risk_score: 1.5,
            confidence: 0.9,
            occurred_at: now,
            rules_as_of: now,
            snapshot: Digest::of(SNAPSHOT),
            plugins: Vec::new(),
            engine: Digest::ZERO,
            kill_switch: false,
            re_evaluates: None,
        },
        kind: "prompt".to_owned(),
        received_at: now,
        decided_at: now,
        idempotency: None,
        input: sample.input.to_vec(),
        record: sample.record.to_vec(),
        effects: Vec::new(),
        snapshot: None,
        halt_epoch: 0,
    }
}
