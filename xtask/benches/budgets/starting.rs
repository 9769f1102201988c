//! Starting with 50 plugins: with nothing compiled yet, and with everything. `ASSIZE_PYTHON_COMPONENT` names a package in
//! Python, of which there are then three among them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use xtask::Dist;
use xtask::http::Client;
use xtask::server::{Server, Start};

use crate::figures::{Figures, Goal};
use crate::served::resident_megabytes;

const KEY: &str = "a-key-for-the-benchmark-only";
const PLUGINS: usize = 50;
const IN_PYTHON: usize = 3;

/// Measures it, in a folder of its own.
pub(crate) fn measure(dist: &Dist, figures: &mut Figures) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("no temporary directory")?;
    let start = Start {
        binary: dist.binary(),
        data: folder.path().join("data"),
        listen: ([127, 0, 0, 1], 0).into(),
        arguments: vec![
            "--bare".to_owned(),
            "--compiled-key".to_owned(),
            folder.path().join("key").display().to_string(),
        ],
        admin_key: Some(KEY.to_owned()),
        log: "error",
    };
    let server = start.start()?;
    let bare = idle(&server)?;
    let (count, in_python) = publish(dist, &mut Client::connect(server.address(), KEY)?)?;
    server.stop()?;
    let what = |how: &str| format!("start with {count} plugins ({in_python} in Python), {how}");

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
fn idle(server: &Server) -> anyhow::Result<f64> {
    std::thread::sleep(Duration::from_secs(1));
    resident_megabytes(server.id()).context("this system doesn't tell how much memory a process holds")
}

/// Publishes and activates what is packed under more and more names. Gives how many there are, and how many in Python.
fn publish(dist: &Dist, client: &mut Client) -> anyhow::Result<(usize, usize)> {
    let mut packed = Vec::new();
    for entry in std::fs::read_dir(dist.plugins())? {
        packed.push(std::fs::read(entry?.path())?);
    }
    let in_python =
        std::env::var_os("ASSIZE_PYTHON_COMPONENT").map(|path| std::fs::read(Path::new(&path))).transpose()?;
    let python = in_python.iter().cycle().take(if in_python.is_some() { IN_PYTHON } else { 0 });
    let names = (0..PLUGINS).map(|number| format!("many/plugin-{number}"));
    for (name, package) in names.zip(python.chain(packed.iter().cycle())) {
        let component = assize_tests::repacked(package, &renamed(package, &name)?);
        let (status, answer) = client.send("POST", "/v1/plugins", "application/wasm", &component)?;
        if !(200..300).contains(&status) {
            bail!("{name} was refused with {status}: {}", String::from_utf8_lossy(&answer));
        }
        let version = serde_json::from_slice::<Value>(&answer)?;
        let version = version.get("version").and_then(Value::as_str).context("a package without a version")?;
        client.must("POST", &format!("/v1/plugins/{name}/{version}/activate"), &json!({}))?;
    }
    Ok((PLUGINS, if in_python.is_some() { IN_PYTHON } else { 0 }))
}

/// The package's manifest with another name.
fn renamed(package: &[u8], name: &str) -> anyhow::Result<String> {
    let manifest = assize_tests::manifest(package).context("a package without a manifest")?;
    let lines = manifest
        .lines()
        .map(|line| if line.starts_with("name = ") { format!("name = {name:?}") } else { line.to_owned() });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}
