//! Starting with 50 plugins, three of them in Python where its kit was built: with nothing compiled yet, and with everything.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use xtask::Dist;
use xtask::http::Client;
use xtask::server::{Server, Start};

use crate::figures::{Figures, Goal};
use crate::served::resident_megabytes;

pub(crate) const KEY: &str = "a-key-for-the-benchmark-only";
const PLUGINS: usize = 50;
const IN_PYTHON: usize = 3;
const PYTHON: &str = "assize-personal-data-1.0.0.wasm";

/// Measures it, in a folder of its own.
pub(crate) fn measure(dist: &Dist, figures: &mut Figures) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("no temporary directory")?;
    let start = start_in(dist, folder.path());
    let server = start.start()?;
    let bare = idle(&server)?;
    let (packages, in_python) = packages(dist)?;
    publish(&packages, &mut Client::connect(server.address(), KEY)?)?;
    server.stop()?;
    let count = packages.len();
    let what = |how: &str| format!("start with {count} plugins ({in_python} in Python), {how}");
    if in_python == 0 {
        figures.missing("start with three plugins in Python among them", "ms", Goal::None, "its kit wasn't built");
    }

    let server = start.start()?;
    figures.add(what("everything compiled before"), "ms", Goal::AtMost(300.0), milliseconds(server.start_time()));
    let resident = idle(&server)?;
    figures.add("  idle memory (RSS)", "MB", Goal::AtMost(80.0), resident);
    figures.add("  without any plugin", "MB", Goal::None, bare);
    figures.add("  for each plugin", "MB", Goal::None, (resident - bare) / count as f64);
    server.stop()?;

    std::fs::remove_dir_all(start.data.join("compiled")).context("nothing was kept")?;
    let server = start.start()?;
    figures.add(what("nothing compiled before"), "ms", Goal::None, milliseconds(server.start_time()));
    figures.add("  idle memory (RSS)", "MB", Goal::None, idle(&server)?);
    server.stop()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// What it holds once it has nothing to do.
pub(crate) fn idle(server: &Server) -> anyhow::Result<f64> {
    std::thread::sleep(Duration::from_secs(1));
    resident_megabytes(server.id()).context("this system doesn't tell how much memory a process holds")
}

/// The packages that it is started with, and how many are in Python.
fn packages(dist: &Dist) -> anyhow::Result<(Vec<Vec<u8>>, usize)> {
    let mut packed = Vec::new();
    for entry in std::fs::read_dir(dist.plugins())? {
        packed.push(std::fs::read(entry?.path())?);
    }
    let python = std::fs::read(dist.kits().join(PYTHON)).ok();
    let in_python = if python.is_some() { IN_PYTHON } else { 0 };
    let python = python.iter().cycle().take(in_python);
    Ok((python.chain(packed.iter().cycle()).take(PLUGINS).cloned().collect(), in_python))
}

/// A server in a folder of its own, with the key of what it keeps compiled beside its data.
pub(crate) fn start_in(dist: &Dist, folder: &Path) -> Start {
    Start {
        binary: dist.binary(),
        data: folder.join("data"),
        listen: ([127, 0, 0, 1], 0).into(),
        arguments: vec!["--bare".to_owned(), "--compiled-key".to_owned(), folder.join("key").display().to_string()],
        admin_key: Some(KEY.to_owned()),
        log: "error",
    }
}

/// Publishes and activates packages, each under a name of its own: `many/plugin-0` and so on.
pub(crate) fn publish(packages: &[Vec<u8>], client: &mut Client) -> anyhow::Result<()> {
    for (number, package) in packages.iter().enumerate() {
        let name = format!("many/plugin-{number}");
        let component = assize_tests::repacked(package, &renamed(package, &name)?);
        let (status, answer) = client.send("POST", "/v1/plugins", "application/wasm", &component)?;
        if !(200..300).contains(&status) {
            bail!("{name} was refused with {status}: {}", String::from_utf8_lossy(&answer));
        }
        let version = serde_json::from_slice::<Value>(&answer)?;
        let version = version.get("version").and_then(Value::as_str).context("a package without a version")?;
        client.must("POST", &format!("/v1/plugins/{name}/{version}/activate"), &json!({}))?;
    }
    Ok(())
}

/// The package's manifest with another name.
fn renamed(package: &[u8], name: &str) -> anyhow::Result<String> {
    let manifest = assize_tests::manifest(package).context("a package without a manifest")?;
    let lines = manifest
        .lines()
        .map(|line| if line.starts_with("name = ") { format!("name = {name:?}") } else { line.to_owned() });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}
