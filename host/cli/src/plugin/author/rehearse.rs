//! Asking a package what its fixtures ask, by the kernel, in the sandbox.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use assize_kernel::{Binding, Candidate, Heard, Run, ask_alone};
use assize_registry::Package;
use assize_sandbox::{CompiledConfig, Plugin, Sandbox, SandboxConfig, Subject};
use serde_json::json;
use tokio::runtime::Runtime;

use super::fixture::Fixture;
use crate::output::{self, Ended};

/// A loaded package that can be asked.
pub(crate) struct Stand {
    pub(crate) runtime: Runtime,
    pub(crate) plugin: Arc<Plugin>,
    candidate: Candidate,
    binding: Binding,
}

impl Stand {
    pub(crate) fn new(package: &Package, plugin: Arc<Plugin>) -> anyhow::Result<Self> {
        let manifest = &package.manifest;
        let (_, candidate) = assize_rehearing::unpublished(manifest, package.digest);
        // As a policy would bind it.
        let binding =
            json!({ "name": "fixture", "plugin": manifest.name, "version": format!("={}", manifest.version) });
        let binding = serde_json::from_value(binding)?;
        Ok(Self { runtime: runtime()?, plugin, candidate, binding })
    }

    /// Asks once.
    pub(crate) fn ask(&self, fixture: &Fixture) -> anyhow::Result<Heard> {
        let mut binding = self.binding.clone();
        binding.settings.clone_from(&fixture.settings);
        let subject = Subject::new(fixture.case());
        let asked = ask_alone(&binding, &self.candidate, &self.plugin, &subject, &fixture.beside);
        self.runtime.block_on(asked).with_context(|| format!("{}: settings", fixture.file_name()))
    }
}

pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().build()?)
}

/// Judge fixtures, and write what is recorded of each.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    package: PathBuf,
    #[arg(long)]
    fixtures: PathBuf,
    #[arg(long)]
    compiled: PathBuf,
    #[arg(long)]
    compiled_key: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    let bytes = std::fs::read(&arguments.package)?;
    let package = assize_registry::inspect(&bytes)?;
    let compiled = kept(arguments.compiled.clone(), arguments.compiled_key.clone());
    let sandbox = Sandbox::new(SandboxConfig { compiled: Some(compiled), ..SandboxConfig::default() })?;
    let stand = Stand::new(&package, Arc::new(sandbox.load(&bytes)?))?;
    let fixtures = Fixture::all(&arguments.fixtures, package.kind)?;
    let runs = fixtures.iter().map(|fixture| Ok(stand.ask(fixture)?.run)).collect::<anyhow::Result<Vec<Run>>>()?;
    output::json(&runs)?;
    Ok(Ended::Fine)
}

/// What is compiled is kept there.
pub(crate) fn kept(folder: PathBuf, key: PathBuf) -> CompiledConfig {
    CompiledConfig { folder, key, private: std::env::temp_dir(), max_bytes: 1 << 30, read_only: false }
}
