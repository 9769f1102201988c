//! A profile of the product at work, by which the compiler lays out its code: what runs together lies together, and what
//! seldom runs is out of the way. A decision's price is mostly that of fetching code, so this is worth more than any one
//! improvement of the code itself (`docs/decisions/0030`).
//!
//! It is recorded by [`record`] and kept with the source, so that every build of the same source is the same. Functions that
//! changed since are compiled as if there were none.

use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use assize_ledger::Digest;
use serde_json::Value;

use crate::demo;
use crate::dist::{Build, Dist, Guests, Metadata, dist, replace};
use crate::http::Client;
use crate::server::Start;
use crate::steps::{cargo, host, output, run, timed, workspace};

/// How long the server is loaded, and by how many clients at once.
const LOADED: Duration = Duration::from_secs(30);
const CLIENTS: usize = 32;
/// Cases of a file that are simulated.
const SIMULATED: usize = 20_000;
const KEY: &str = "a-key-for-the-recording-only";
/// zstd's level: it is packed once, and copied with every clone.
const LEVEL: i32 = 19;

/// Where a target's profile is kept.
fn kept(host: &str) -> PathBuf {
    workspace().join("xtask/profiles").join(format!("{host}.profdata.zst"))
}

/// A build that is told something about one target: build scripts, which run here and now, aren't compiled by it.
#[derive(Debug)]
pub struct Told {
    host: String,
    flag: String,
}

impl Told {
    fn new(host: &str, flag: &str, path: &Path) -> Self {
        Self { host: host.to_owned(), flag: format!("{flag}={}", path.display()) }
    }

    /// Tells it to a command of cargo.
    pub fn tell<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let Self { host, flag } = self;
        command.args(["--target", host]).arg("--config").arg(format!("target.{host}.rustflags=['{flag}']"))
    }

    /// Where in the target directory such a build leaves what it makes.
    pub fn folder(&self) -> &str {
        &self.host
    }
}

/// What a build of the product is told here. Nothing where no profile is kept for this machine.
///
/// # Errors
/// Where the profile can't be unpacked.
pub fn kept_profile() -> anyhow::Result<Option<Told>> {
    let host = host()?;
    let kept = kept(&host);
    if !kept.is_file() {
        eprintln!("no profile of the product is kept for {host}: `cargo xtask profile` records one");
        return Ok(None);
    }
    let failed = || format!("{} can't be read", kept.display());
    let mut profile = Vec::new();
    let file = fs::File::open(&kept).with_context(failed)?;
    zstd::Decoder::new(file)?.read_to_end(&mut profile).with_context(failed)?;
    // Cargo compares flags, and not the files that they name.
    let folder = Metadata::read()?.target_directory.join("pgo");
    fs::create_dir_all(&folder)?;
    let unpacked = folder.join(format!("{}.profdata", Digest::of(&profile)));
    replace(&unpacked, &profile)?;
    Ok(Some(Told::new(&host, "-Cprofile-use", &unpacked)))
}

/// Builds the product so that it counts what it does, has it judge, replay, simulate and verify, and keeps the counts.
///
/// # Errors
/// Where a step fails.
pub fn record() -> anyhow::Result<()> {
    let host = host()?;
    let tool = merger(&host)?;
    let folder = Metadata::read()?.target_directory.join("pgo");
    let (target, raw) = (folder.join("instrumented"), folder.join("raw"));
    if raw.exists() {
        fs::remove_dir_all(&raw)?;
    }
    let dist = timed("plugins", || dist(Guests::Plain, Build::Quick))?;
    let told = Told::new(&host, "-Cprofile-generate", &raw);
    timed("instrumented", || {
        let mut build = cargo();
        build.args(["build", "--profile", "product", "--workspace", "--bin", "assize", "--target-dir"]).arg(&target);
        run(told.tell(&mut build))
    })?;
    let binary = target.join(told.folder()).join("product").join("assize");
    timed("at work", || work(&binary, &dist))?;
    let merged = folder.join("merged.profdata");
    run(Command::new(tool).args(["merge", "--sparse", "-o"]).arg(&merged).arg(&raw))?;
    let packed = zstd::encode_all(fs::File::open(&merged)?, LEVEL)?;
    let kept = kept(&host);
    fs::create_dir_all(kept.parent().context("a folder")?)?;
    replace(&kept, &packed)?;
    println!("{} bytes in {}", packed.len(), kept.display());
    Ok(())
}

/// The compiler's own tool for profiles: others may not read what it writes.
fn merger(host: &str) -> anyhow::Result<PathBuf> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(workspace()))?;
    let sysroot = PathBuf::from(String::from_utf8(sysroot)?.trim());
    let tool = sysroot.join("lib/rustlib").join(host).join("bin/llvm-profdata");
    if !tool.is_file() {
        run(Command::new("rustup").args(["component", "add", "llvm-tools"]).current_dir(workspace()))?;
    }
    Ok(tool)
}

/// Everything that has to be fast, on cases as they come.
fn work(binary: &Path, dist: &Dist) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let start = Start {
        binary: binary.to_owned(),
        data: data.clone(),
        listen: ([127, 0, 0, 1], 0).into(),
        arguments: vec![
            "--plugins".into(),
            dist.plugins().display().to_string(),
            "--rate-limit-app".into(),
            "0".into(),
        ],
        admin_key: Some(KEY.to_owned()),
        log: "error",
    };
    let server = start.start()?;
    demo::register(&mut Client::connect(server.address(), KEY)?)?;
    let cases = demo::cases()?;
    let address = server.address();
    let judged = thread::scope(|scope| -> anyhow::Result<usize> {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                scope.spawn({
                    let cases = &cases;
                    move || judge(address, cases, n)
                })
            })
            .collect();
        let mut judged = 0;
        for client in clients {
            judged += client.join().ok().context("a client ended early")??;
        }
        Ok(judged)
    })?;
    println!("{judged} decisions");
    // It writes its counts when it ends.
    server.stop()?;
    let file = folder.path().join("cases.jsonl");
    let lines: Vec<String> = cases.iter().cycle().take(SIMULATED).map(Value::to_string).collect();
    fs::write(&file, lines.join("\n"))?;
    let (data, file) = (data.display().to_string(), file.display().to_string());
    for arguments in [
        &["replay", "--all", "--data", &data][..],
        &["simulate", "--threshold", "production.block=7", "--data", &data],
        &["simulate", "--threshold", "production.block=7", "--cases", &file, "--data", &data],
        &["ledger", "verify", "--data", &data],
    ] {
        run(Command::new(binary).args(arguments).stdout(std::process::Stdio::null()))?;
    }
    Ok(())
}

/// One client, which begins at another case than its neighbours.
fn judge(address: SocketAddr, cases: &[Value], first: usize) -> anyhow::Result<usize> {
    let mut client = Client::connect(address, KEY)?;
    let begun = Instant::now();
    let mut judged = 0;
    for case in cases.iter().cycle().skip(first) {
        if begun.elapsed() >= LOADED {
            break;
        }
        client.must("POST", "/v1/decisions", case)?;
        judged += 1;
    }
    if judged == 0 {
        bail!("there are no cases");
    }
    Ok(judged)
}
