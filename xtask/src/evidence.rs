//! The workspaces beside this one: the specification's tests under our engine, and the fuzz targets.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::steps::{cargo, host, run, timed, workspace};

/// Where both leave what they build: below this workspace's, so that one folder holds all of it.
fn target(name: &str) -> PathBuf {
    workspace().join("target").join(name)
}

/// Runs the specification's tests, and components that nobody wrote through the publish path.
///
/// # Errors
/// Where one fails.
pub fn spec(wast: Option<&Path>, components: Option<u32>) -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["test", "--locked", "--manifest-path", "tests/spec/Cargo.toml", "--target-dir"]).arg(target("spec"));
    // The counts are what it's for.
    command.args(["--", "--nocapture", "--test-threads", "1"]);
    if let Some(folder) = wast {
        command.env("ASSIZE_WAST", std::path::absolute(folder)?);
    }
    if let Some(components) = components {
        command.env("ASSIZE_COMPONENTS", components.to_string());
    }
    timed("spec", || run(&mut command))
}

/// The targets, as `fuzz/Cargo.toml` has them.
const TARGETS: [&str; 7] = ["manifest", "entry", "checkpoint", "case", "bundle", "export", "package"];

/// Runs every fuzz target for so many seconds, over its corpus and what it finds from there. Where there is no nightly compiler, the
/// corpus alone is run, as an ordinary test.
///
/// # Errors
/// Where a target finds something, or in CI can't be built.
pub fn fuzz(seconds: u64) -> anyhow::Result<()> {
    let nightly = Command::new("cargo").args(["+nightly", "--version"]).output();
    if !nightly.is_ok_and(|tried| tried.status.success()) {
        if std::env::var_os("CI").is_some() {
            bail!("no nightly compiler, which libFuzzer needs: rustup toolchain install nightly");
        }
        eprintln!("skipped but for the corpus: no nightly compiler; rustup toolchain install nightly");
        let mut corpus = cargo();
        corpus
            .args(["test", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--release", "--target-dir"])
            .arg(target("fuzz"));
        return timed("corpus", || run(&mut corpus));
    }
    let host = host()?;
    let mut build = Command::new("cargo");
    build
        .current_dir(workspace())
        .args([
            "+nightly",
            "build",
            "--locked",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--release",
            "--features",
            "libfuzzer",
        ])
        .args(["--bins", "--target", &host, "--target-dir"])
        .arg(target("fuzz"))
        .env("RUSTFLAGS", INSTRUMENTED);
    timed("fuzz targets", || run(&mut build))?;
    for name in TARGETS {
        let program = target("fuzz").join(&host).join("release").join(name);
        timed(name, || fuzz_one(&program, name, seconds))?;
    }
    Ok(())
}

/// What libFuzzer needs of the compiler: which edges were taken, and what was compared with what.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

fn fuzz_one(program: &Path, name: &str, seconds: u64) -> anyhow::Result<()> {
    // What it finds goes beside what it was built into; what once went wrong is kept in the corpus by hand.
    let found = target("fuzz").join("found").join(name);
    std::fs::create_dir_all(&found)?;
    let begun = Instant::now();
    run(Command::new(program)
        .arg(&found)
        .arg(workspace().join("fuzz/corpus").join(name))
        .arg(format!("-max_total_time={seconds}"))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-max_len=65536", "-print_final_stats=1", "-verbosity=0"])
        .arg(format!("-artifact_prefix={}", target("fuzz").join(format!("crash-{name}-")).display())))?;
    if begun.elapsed() + Duration::from_secs(1) < Duration::from_secs(seconds) {
        bail!("{name} ended before its time");
    }
    Ok(())
}
