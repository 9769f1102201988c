//! What the author's commands work on: a project's folder, or a package that somebody built.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use assize_registry::{Manifest, Package};

use super::build::{self, Built};
use super::language::{Language, Place};
use crate::output::Usage;

/// A folder with a manifest and sources.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) language: &'static Language,
    /// The manifest, as it is written.
    pub(crate) text: String,
    pub(crate) manifest: Manifest,
}

impl Project {
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join("assize.toml");
        if !file.is_file() {
            bail!("{} is missing: this is no plugin's folder; make one with `assize plugin new`", file.display());
        }
        let text = fs::read_to_string(&file).with_context(|| format!("{} can't be read", file.display()))?;
        let manifest = Manifest::parse(&text).with_context(|| file.display().to_string())?;
        Ok(Self { folder: folder.to_owned(), language: Language::of(folder)?, text, manifest })
    }

    pub(crate) fn place(&self) -> anyhow::Result<Place> {
        Place::new(&self.folder, self.language)
    }

    /// Where its package is put.
    pub(crate) fn package(&self) -> PathBuf {
        self.folder.join("build").join(format!("{}.wasm", self.manifest.name.name()))
    }
}

/// Which project or package.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// A project's folder, which is built first, or a package
    #[arg(default_value = ".", value_name = "DIR|PACKAGE")]
    pub(crate) which: PathBuf,
    /// The folder of its fixtures [default: fixtures in the project, or beside the package or its folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) fixtures: Option<PathBuf>,
    /// Take the project's package as it was built last
    #[arg(long)]
    pub(crate) no_build: bool,
}

/// A package, ready to be tried.
pub(crate) struct Subject {
    /// Where it is.
    pub(crate) file: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) package: Package,
    /// Where its fixtures should be.
    pub(crate) fixtures: PathBuf,
    /// Where what is found out about it may be kept.
    pub(crate) folder: PathBuf,
    /// Of the project; none where a package was named.
    pub(crate) language: Option<&'static Language>,
}

impl Which {
    /// Builds what has to be built, and reads it.
    pub(crate) fn open(&self) -> anyhow::Result<Subject> {
        if !self.which.is_dir() {
            return self.open_package();
        }
        let project = Project::open(&self.which)?;
        let (file, fixtures) = (project.package(), project.folder.join("fixtures"));
        let folder = project.folder.join("build");
        let (bytes, package) = if self.no_build {
            read(&file).with_context(|| "build it first, with `assize plugin build`")?
        } else {
            let Built { bytes, package, .. } = build::build(&project)?;
            (bytes, package)
        };
        let fixtures = self.fixtures.clone().unwrap_or(fixtures);
        Ok(Subject { file, bytes, package, fixtures, folder, language: Some(project.language) })
    }

    fn open_package(&self) -> anyhow::Result<Subject> {
        let file = self.which.clone();
        let (bytes, package) = read(&file)?;
        let folder = match file.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let beside = folder.join("fixtures");
        let above = folder.join("../fixtures");
        let fixtures = match &self.fixtures {
            Some(named) => named.clone(),
            None if !beside.is_dir() && above.is_dir() => above,
            None => beside,
        };
        Ok(Subject { file, bytes, package, fixtures, folder, language: None })
    }

    /// The project's folder, where one was named.
    pub(crate) fn project(&self) -> anyhow::Result<&Path> {
        if self.which.is_dir() {
            return Ok(&self.which);
        }
        Err(Usage(format!("{} is no project's folder: a package doesn't change", self.which.display())).into())
    }
}

fn read(file: &Path) -> anyhow::Result<(Vec<u8>, Package)> {
    let bytes = fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
    let package = assize_registry::inspect(&bytes).with_context(|| file.display().to_string())?;
    Ok((bytes, package))
}
