//! Guests that aren't part of the workspace: plugins under `plugins/LANGUAGE/`, and the one agent in every language under
//! `tests/same/`. Each has a `build.sh` that makes `build/component.wasm`, the same that its README has people run.
//!
//! What was built from the same files is taken from `target/kits`, so that the toolchains are needed once.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use assize_ledger::Digest;

use crate::dist::{Dist, replace};
use crate::steps::{run, timed, workspace};
use crate::toolchains::{Language, Toolchain};

/// One guest.
struct Guest {
    language: Language,
    folder: PathBuf,
}

/// Builds and packs all of them, as far as their toolchains can be had; in CI, all of them can.
///
/// # Errors
/// Where a build fails, or a guest is none that the host would take; in CI also where a toolchain can't be had.
pub(crate) fn build(dist: &Dist) -> anyhow::Result<()> {
    let folder = dist.kits();
    fs::create_dir_all(&folder)?;
    let mut names = BTreeSet::new();
    for guest in guests()? {
        let shown = guest.folder.display();
        let Some(component) = guest.component(dist)? else { continue };
        let manifest = fs::read_to_string(guest.folder.join("assize.toml")).with_context(|| shown.to_string())?;
        let bytes = assize_registry::pack(&component, &manifest).with_context(|| shown.to_string())?;
        let package = assize_registry::inspect(&bytes).with_context(|| shown.to_string())?;
        let name = package.manifest.name.to_string().replace('/', "-");
        let file = OsString::from(format!("{name}-{}.wasm", package.manifest.version));
        replace(&folder.join(&file), &bytes)?;
        if !names.insert(file) {
            bail!("{shown}: another guest has the same name and version");
        }
    }
    // What an earlier build left and this one doesn't make must not be taken for part of it.
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        if !names.contains(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Runs what each guest brings to be tested with on the machine itself: its `test.sh`.
///
/// # Errors
/// Where a test fails; in CI also where a toolchain can't be had.
pub fn test(dist: &Dist) -> anyhow::Result<()> {
    for guest in guests()? {
        if guest.folder.join("test.sh").is_file()
            && let Some(toolchain) = guest.toolchain(dist)?
        {
            guest.run("test.sh", &toolchain)?;
        }
    }
    Ok(())
}

fn guests() -> anyhow::Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for language in Language::ALL {
        let name = language.name();
        let mut folders = vec![workspace().join("tests/same").join(name)];
        for entry in fs::read_dir(workspace().join("plugins").join(name))? {
            folders.push(entry?.path());
        }
        folders.sort();
        let folders = folders.into_iter().filter(|folder| folder.join("build.sh").is_file());
        guests.extend(folders.map(|folder| Guest { language, folder }));
    }
    Ok(guests)
}

impl Guest {
    /// What its `build.sh` makes, or made of the same files before. None: its toolchain can't be had.
    fn component(&self, dist: &Dist) -> anyhow::Result<Option<Vec<u8>>> {
        let target = dist.folder().parent().context("a folder in target")?;
        let kept = target.join("kits").join(format!("{}.wasm", self.digest()?));
        if let Ok(component) = fs::read(&kept) {
            return Ok(Some(component));
        }
        let Some(toolchain) = self.toolchain(dist)? else { return Ok(None) };
        let component = self.folder.join("build/component.wasm");
        timed(&format!("kits: {}", self.name()), || self.run("build.sh", &toolchain))?;
        let bytes = fs::read(&component).with_context(|| format!("{} can't be read", component.display()))?;
        fs::create_dir_all(target.join("kits"))?;
        replace(&kept, &bytes)?;
        Ok(Some(bytes))
    }

    /// None, with a line that says so: its toolchain can't be had here.
    fn toolchain(&self, dist: &Dist) -> anyhow::Result<Option<Toolchain>> {
        let target = dist.folder().parent().context("a folder in target")?;
        match self.language.toolchain(&target.join("toolchains")) {
            Ok(toolchain) => Ok(Some(toolchain)),
            Err(error) if env::var_os("CI").is_some() => Err(error.context(self.name())),
            Err(error) => {
                eprintln!("skipped: {}: {error:#}", self.name());
                Ok(None)
            }
        }
    }

    fn run(&self, script: &str, toolchain: &Toolchain) -> anyhow::Result<()> {
        let before = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(toolchain.path.iter().cloned().chain(env::split_paths(&before)))?;
        let mut command = Command::new("sh");
        command.arg(self.folder.join(script)).current_dir(&self.folder);
        command.env("PATH", path).env("ASSIZE", workspace());
        command.envs(toolchain.variables.iter().map(|(name, value)| (name, value)));
        // Nothing of what a build in CI may leave behind on the machine belongs to the sources.
        run(command.env("PYTHONDONTWRITEBYTECODE", "1"))
    }

    fn name(&self) -> String {
        self.folder.strip_prefix(workspace()).unwrap_or(&self.folder).display().to_string()
    }

    /// Of everything that it is made of.
    fn digest(&self) -> anyhow::Result<Digest> {
        let mut all = self.language.name().as_bytes().to_vec();
        let root = workspace();
        for folder in [self.folder.clone(), root.join("sdk").join(self.language.kit()), root.join("wit")] {
            for file in files(&folder)? {
                let bytes = fs::read(&file).with_context(|| format!("{} can't be read", file.display()))?;
                let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
                all.extend_from_slice(format!("{}:{name}{}:", name.len(), bytes.len()).as_bytes());
                all.extend_from_slice(&bytes);
            }
        }
        Ok(Digest::of(&all))
    }
}

/// The files of a folder, in a fixed order, without what builds leave in it, and what no guest is made of: templates and pages.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let template = name.to_string_lossy().starts_with("template");
        if entry.file_type()?.is_file() {
            found.extend(Some(entry.path()).filter(|file| file.extension().is_none_or(|end| end != "md")));
        } else if !template && !["build", "__pycache__", "node_modules"].iter().any(|left| name == *left) {
            found.extend(files(&entry.path())?);
        }
    }
    found.sort();
    Ok(found)
}
