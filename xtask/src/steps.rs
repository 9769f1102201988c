//! Steps of a task: other programs, and how long they took.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};

/// The folder with the workspace's `Cargo.toml`.
pub fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that runs us, in the workspace.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    // What cargo told us about ourselves is not for others: some build scripts (ring's) would run again because of it.
    for (name, _) in std::env::vars_os() {
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if name.to_str().is_some_and(|name| ours.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program to its end.
///
/// # Errors
/// Where it can't be started, or ends with anything but success; the error quotes it.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{} can't be started", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// As somebody would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs a program to its end and gives what it wrote to stdout.
///
/// # Errors
/// As [`run`].
pub fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("{} can't be started", shown(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", shown(command), output.status);
    }
    Ok(output.stdout)
}

/// Says when a step begins, and how long it took.
pub fn timed<T>(name: &str, step: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    eprintln!("── {name}");
    let started = Instant::now();
    let result = step();
    let took = started.elapsed().as_secs_f64();
    match &result {
        Ok(_) => eprintln!("── {name}: done in {took:.1} s"),
        Err(_) => eprintln!("── {name}: FAILED after {took:.1} s"),
    }
    result
}

/// What this machine compiles for by itself.
///
/// # Errors
/// Where the compiler doesn't say.
pub fn host() -> anyhow::Result<String> {
    let told = String::from_utf8(output(Command::new("rustc").arg("-vV").current_dir(workspace()))?)?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    Ok(host.to_owned())
}
