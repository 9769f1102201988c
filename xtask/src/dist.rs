//! Builds what is shipped: the binary, and the plugins as packages.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::steps::{cargo, output, run, workspace};
use crate::{kits, profile};

/// What guests are built for: without imports, which makes the smallest and fastest of them.
const TARGET: &str = "wasm32-unknown-unknown";
/// What guests are built for that ask for a clock or for randomness, as those of other languages do. Its compiler makes
/// components.
pub(crate) const WASI_TARGET: &str = "wasm32-wasip2";

/// Builds the guests in other languages alone, and packs them.
///
/// # Errors
/// As [`dist`]; in CI also where a toolchain can't be had.
pub fn kits() -> anyhow::Result<Dist> {
    let dist = Dist::at(Metadata::read()?.target_directory.join("dist"));
    kits::build(&dist)?;
    Ok(dist)
}

/// What was built, under `target/dist`.
#[derive(Debug, Clone)]
pub struct Dist {
    folder: PathBuf,
}

impl Dist {
    /// What an earlier [`dist`] left in a folder.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// All of it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The binary.
    pub fn binary(&self) -> PathBuf {
        self.folder.join(format!("assize{}", std::env::consts::EXE_SUFFIX))
    }

    /// The shipped packages, as `namespace-name-version.wasm`.
    pub fn plugins(&self) -> PathBuf {
        self.folder.join("plugins")
    }

    /// Packages for tests only, which misbehave on request.
    pub fn test_guests(&self) -> PathBuf {
        self.folder.join("test-guests")
    }

    /// Packages that are built with the kits for other languages: first-party plugins and guests for tests.
    pub fn kits(&self) -> PathBuf {
        self.folder.join("kits")
    }
}

/// The part of `cargo metadata` that is needed here.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<CargoPackage>,
    pub(crate) target_directory: PathBuf,
}

impl Metadata {
    pub(crate) fn read() -> anyhow::Result<Self> {
        let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        serde_json::from_slice(&metadata).context("cargo metadata can't be read")
    }
}

#[derive(Deserialize)]
struct CargoPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<CargoTarget>,
}

#[derive(Deserialize)]
struct CargoTarget {
    name: String,
    crate_types: Vec<String>,
}

/// A crate that becomes a package: it has an `assize.toml`, or an `assize.wasip2.toml`.
struct Guest {
    package: String,
    /// What the compiler calls its module.
    module: String,
    manifest: PathBuf,
    target: &'static str,
    /// Not shipped.
    for_tests: bool,
}

/// Which guests are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guests {
    /// Those that need no target but the plugins' and no other compiler.
    Plain,
    /// Those that tests need, too, and those in other languages.
    All,
}

/// How the binary is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// As the tests are, with which it shares every dependency: half an hour less from nothing to tested.
    Quick,
    /// As it is shipped.
    Product,
    /// As it is shipped, together with the benchmark that measures it. One after the other, all that both need would be compiled
    /// twice: the benchmark has a plugin linked into it, and cargo compiles what is below that in a way of its own.
    Measured,
}

impl Build {
    fn profile(self) -> &'static str {
        match self {
            Self::Quick => "release",
            Self::Product | Self::Measured => "product",
        }
    }
}

/// Builds the binary and guests, and packs these.
///
/// # Errors
/// Where a build fails, or a guest is none that the host would take.
pub fn dist(wanted: Guests, built: Build) -> anyhow::Result<Dist> {
    let metadata = Metadata::read()?;
    let mut guests: Vec<Guest> = metadata.packages.iter().filter_map(guest).collect();
    let targets: &[&str] = if wanted == Guests::All { &[TARGET, WASI_TARGET] } else { &[TARGET] };
    guests.retain(|guest| targets.contains(&guest.target));

    // From the whole workspace, as tests and benchmarks are: with fewer packages selected, some dependencies would get
    // fewer features, and the engine be compiled once more for each selection.
    let mut compile = cargo();
    compile.args(["build", "--profile", built.profile(), "--workspace", "--bin", "assize"]);
    let mut compiled = metadata.target_directory.clone();
    if built == Build::Measured {
        compile.args(["--bench", "budgets"]);
    }
    if built != Build::Quick
        && let Some(told) = profile::kept_profile()?
    {
        told.tell(&mut compile);
        compiled.push(told.folder());
    }
    for target in targets {
        add_target(target)?;
    }
    let dist = Dist::at(metadata.target_directory.join("dist"));
    let (host, kits) = thread::scope(|scope| {
        // Their compilers are fetched, and mostly work on one core, while ours has the others.
        let kits = (wanted == Guests::All).then(|| scope.spawn(|| kits::build(&dist)));
        let ours = |target: &&str| build_guests(target, guests.iter().filter(|guest| guest.target == *target));
        let host = run(&mut compile).and_then(|()| targets.iter().try_for_each(ours));
        if let (Err(error), true) = (&host, kits.is_some()) {
            eprintln!("error: {error:#}; what is under way of the guests in other languages ends first");
        }
        let panicked = |_| bail!("building the guests in other languages panicked");
        (host, kits.map_or(Ok(()), |kits| kits.join().unwrap_or_else(panicked)))
    });
    host?;
    kits?;

    let binary = dist.binary();
    let compiled = compiled.join(built.profile()).join(binary.file_name().unwrap_or_default());
    fs::create_dir_all(dist.folder())?;
    replace(&binary, &fs::read(&compiled).with_context(|| format!("{} can't be read", compiled.display()))?)?;
    make_executable(&binary)?;
    let modules = metadata.target_directory;
    for (folder, for_tests) in [(dist.plugins(), false), (dist.test_guests(), true)] {
        pack_all(&folder, &modules, guests.iter().filter(|guest| guest.for_tests == for_tests))?;
    }
    Ok(dist)
}

fn guest(package: &CargoPackage) -> Option<Guest> {
    let folder = package.manifest_path.parent()?;
    let manifests = [("assize.toml", TARGET), ("assize.wasip2.toml", WASI_TARGET)];
    let (manifest, built_for) =
        manifests.map(|(file, target)| (folder.join(file), target)).into_iter().find(|(file, _)| file.is_file())?;
    let target = package.targets.iter().find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))?;
    Some(Guest {
        package: package.name.clone(),
        module: target.name.replace('-', "_"),
        manifest,
        target: built_for,
        for_tests: !folder.starts_with(workspace().join("plugins")),
    })
}

/// Builds all guests of one target.
fn build_guests<'a>(target: &str, guests: impl Iterator<Item = &'a Guest>) -> anyhow::Result<()> {
    let mut build = cargo();
    build.args(["build", "--profile", "plugin", "--target", target]);
    build.arg("--config").arg(remapped_paths(target));
    // All of them at once, whatever is needed: with other companions a guest's dependencies could get other features,
    // and the same source another digest.
    for guest in guests {
        build.args(["--package", &guest.package]);
    }
    run(&mut build)
}

/// Adds a target that guests are built for, where the toolchain lacks it.
pub(crate) fn add_target(target: &str) -> anyhow::Result<()> {
    let libraries =
        output(Command::new("rustc").args(["--print", "target-libdir", "--target", target]).current_dir(workspace()))?;
    let libraries = String::from_utf8(libraries)?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    let has_rustup =
        Command::new("rustup").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !has_rustup {
        bail!(
            "the toolchain can't build for {target}; install rustup (https://rustup.rs), or the target by other means"
        );
    }
    run(Command::new("rustup").args(["target", "add", target]).current_dir(workspace()))
}

/// Takes the builder's own folders out of what is compiled in for panics, so that the same source gives the same digest
/// wherever it lies. Joins the flags of `.cargo/config.toml`.
fn remapped_paths(target: &str) -> OsString {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let folders = [(Some(workspace().to_owned()), "/assize"), (cargo_home, "/cargo")];
    let flags: Vec<String> = folders
        .iter()
        .filter_map(|(folder, name)| {
            folder.as_ref().map(|folder| format!("'--remap-path-prefix={}={name}'", folder.display()))
        })
        .collect();
    format!("target.{target}.rustflags=[{}]", flags.join(",")).into()
}

fn pack_all<'a>(folder: &Path, modules: &Path, guests: impl Iterator<Item = &'a Guest>) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let mut names = BTreeSet::new();
    for guest in guests {
        let manifest = guest.manifest.display();
        let text = fs::read_to_string(&guest.manifest).with_context(|| format!("{manifest} can't be read"))?;
        let module = modules.join(guest.target).join("plugin").join(&guest.module).with_extension("wasm");
        let module = fs::read(&module).with_context(|| format!("{} can't be read", module.display()))?;
        let bytes = assize_registry::pack(&module, &text).with_context(|| manifest.to_string())?;
        let package = assize_registry::inspect(&bytes).with_context(|| manifest.to_string())?;
        let name = package.manifest.name.to_string().replace('/', "-");
        let file = OsString::from(format!("{name}-{}.wasm", package.manifest.version));
        replace(&folder.join(&file), &bytes)?;
        if !names.insert(file) {
            bail!("{manifest}: another guest has the same name and version");
        }
    }
    // What an earlier build left and this one doesn't make must not be taken for part of it.
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !names.contains(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Puts a file in another's place at once: a server that runs from the old one keeps it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("{} can't be written", path.display());
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let new = path.with_extension("new");
    fs::write(&new, bytes).with_context(failed)?;
    fs::rename(&new, path).with_context(failed)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> anyhow::Result<()> {
    Ok(())
}
