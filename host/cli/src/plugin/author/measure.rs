//! What a package costs, measured.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use assize_ledger::{Digest, Timestamp};
use assize_sandbox::{EngineId, Limits, Plugin, Sandbox, SandboxConfig};
use serde::{Deserialize, Serialize};

use super::fixture::Fixture;
use super::project::Subject;
use super::rehearse::{Stand, kept, runtime};

/// Of one run of the benchmark.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) at: Timestamp,
    pub(crate) version: String,
    pub(crate) digest: Digest,
    /// As the plugin's folder shows; none of a package by itself.
    pub(crate) language: Option<String>,
    /// Fuel is comparable between equal ones only.
    pub(crate) engine: EngineId,
    /// Fixtures that were asked, in turn.
    pub(crate) fixtures: usize,
    pub(crate) calls: usize,
    /// Bytes of the package.
    pub(crate) size: u64,
    /// Milliseconds, on all cores.
    pub(crate) compile_ms: f64,
    /// Milliseconds to load what was compiled and kept.
    pub(crate) load_ms: f64,
    /// Microseconds to start an instance, and to hold its exports against the contract; the median.
    pub(crate) start_us: f64,
    /// Microseconds of a question in a fresh instance; the median.
    pub(crate) call_p50_us: f64,
    pub(crate) call_p99_us: f64,
    /// Fuel of the dearest fixture's call.
    pub(crate) fuel_most: u64,
    /// Mean over the fixtures.
    pub(crate) fuel_mean: u64,
    /// Bytes of all linear memories at the end of a call: the most; what `limits.memory_bytes` is held against.
    pub(crate) memory: u64,
    /// Bytes of real memory that an instance that was started and waits takes; none where the system doesn't say.
    pub(crate) live: Option<u64>,
}

/// Instances that are held at once, to tell what one of them takes.
const HELD: usize = 32;
/// Starts that are timed.
const STARTS: usize = 50;
/// Where nobody says how often: as often as fits into this, within bounds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Measures a package.
pub(crate) fn measure(subject: &Subject, calls: Option<usize>) -> anyhow::Result<Figures> {
    let package = &subject.package;
    let fixtures = Fixture::all(&subject.fixtures, package.kind)?;
    let room = tempfile::tempdir()?;
    let cached = || SandboxConfig {
        compiled: Some(kept(room.path().join("compiled"), room.path().join("key"))),
        ..SandboxConfig::default()
    };

    let started = Instant::now();
    assize_sandbox::compile(&subject.bytes)?;
    let compile_ms = millis(started.elapsed());
    drop(Sandbox::new(cached())?.load(&subject.bytes)?);
    let sandbox = Sandbox::new(cached())?;
    let started = Instant::now();
    let plugin = sandbox.load_kept(package.digest)?.context("nothing was kept: is the disk full?")?;
    let load_ms = millis(started.elapsed());

    let plugin = Arc::new(plugin);
    let own = package.manifest.limits;
    let limits = Limits { fuel: own.fuel, memory_bytes: own.memory_bytes, ..Limits::default() };
    // Before anything else has run: memory that a pool keeps for the next one would hide what one takes.
    let live = live(&plugin, &limits)?;
    let start_us = starts(&plugin, &limits)?;
    let stand = Stand::new(package, plugin)?;
    let Asked { fuel, memory, mut durations } = ask(&stand, &fixtures, calls)?;
    durations.sort_unstable();
    Ok(Figures {
        at: Timestamp::now(),
        version: package.manifest.version.to_string(),
        digest: package.digest,
        language: subject.language.map(|language| language.name.to_owned()),
        engine: sandbox.id().clone(),
        fixtures: fixtures.len(),
        calls: durations.len(),
        size: package.size,
        compile_ms,
        load_ms,
        start_us,
        call_p50_us: quantile(&durations, 50),
        call_p99_us: quantile(&durations, 99),
        fuel_most: fuel.iter().copied().max().unwrap_or_default(),
        fuel_mean: fuel.iter().sum::<u64>() / u64::try_from(fuel.len().max(1)).unwrap_or(1),
        memory,
        live,
    })
}

struct Asked {
    /// By fixture.
    fuel: Vec<u64>,
    memory: u64,
    durations: Vec<Duration>,
}

fn ask(stand: &Stand, fixtures: &[Fixture], calls: Option<usize>) -> anyhow::Result<Asked> {
    let (mut fuel, mut memory) = (Vec::new(), 0);
    let started = Instant::now();
    // The first call of all maps pages that later ones find mapped.
    for fixture in fixtures {
        let run = stand.ask(fixture)?.run;
        fuel.push(run.fuel);
        memory = run.peak_memory.max(memory);
    }
    let one = started.elapsed().as_secs_f64() / fixtures.len().max(1) as f64;
    let fitting = (PATIENCE.as_secs_f64() / one.max(1e-6)).clamp(100.0, 20_000.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was held within 100 and 20,000")]
    let calls = calls.unwrap_or(fitting as usize);
    let mut durations = Vec::with_capacity(calls);
    for fixture in fixtures.iter().cycle().take(calls) {
        let started = Instant::now();
        let heard = stand.ask(fixture)?;
        durations.push(started.elapsed());
        drop(heard);
    }
    Ok(Asked { fuel, memory, durations })
}

/// The median, in microseconds.
fn starts(plugin: &Plugin, limits: &Limits) -> anyhow::Result<f64> {
    let runtime = runtime()?;
    let mut durations = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let started = Instant::now();
        runtime.block_on(plugin.probe(limits))?;
        durations.push(started.elapsed());
    }
    durations.sort_unstable();
    Ok(quantile(&durations, 50))
}

fn live(plugin: &Plugin, limits: &Limits) -> anyhow::Result<Option<u64>> {
    let Some(before) = private_bytes() else { return Ok(None) };
    let runtime = runtime()?;
    let mut held = Vec::with_capacity(HELD);
    for _ in 0..HELD {
        held.push(runtime.block_on(plugin.hold(limits))?);
    }
    let after = private_bytes();
    if held.len() != HELD {
        bail!("{} of {HELD} instances started", held.len());
    }
    Ok(after.map(|after| after.saturating_sub(before) / HELD as u64))
}

/// Bytes of real memory that are this process's alone.
fn private_bytes() -> Option<u64> {
    let status = std::fs::read_to_string(PathBuf::from("/proc/self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Microseconds; of sorted durations.
fn quantile(sorted: &[Duration], percent: usize) -> f64 {
    let at = sorted.len().saturating_sub(1) * percent / 100;
    sorted.get(at).map_or(0.0, |duration| duration.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_durations() {
        let sorted: Vec<Duration> = (1..=100).map(Duration::from_micros).collect();
        assert!((quantile(&sorted, 50) - 50.0).abs() < 1e-6 && (quantile(&sorted, 99) - 99.0).abs() < 1e-6);
        assert!(quantile(&[], 50).abs() < f64::EPSILON);
    }
}
