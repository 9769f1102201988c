//! Where compiled components are kept, and `assize compile`.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use assize_sandbox::{CompiledConfig, LoadError, Sandbox, SandboxConfig};

use crate::output::{Ended, Usage};

/// Of the data directory.
const FOLDER: &str = "compiled";
/// Of the folder where a program keeps what is of this machine alone.
const KEY: &str = "assize/compiled.key";

/// Where compiled components are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of compiled components, so that a start doesn't compile them again; several hosts may share it
    /// [default: compiled in the data directory]
    #[arg(long, env = "ASSIZE_COMPILED", value_name = "DIR")]
    compiled: Option<PathBuf>,
    /// File of the key that authenticates them, outside the data directory; made where it isn't there. Hosts with the same
    /// key use each other's work; who can read it can have code run here
    /// [default: assize/compiled.key in $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, env = "ASSIZE_COMPILED_KEY", value_name = "FILE")]
    compiled_key: Option<PathBuf>,
    /// Most bytes of compiled components on disk; 0: none are kept
    #[arg(long, default_value_t = 1 << 30, value_name = "BYTES")]
    compiled_bytes: u64,
}

impl Arguments {
    pub(crate) fn config(self, data: &Path) -> anyhow::Result<Option<CompiledConfig>> {
        if self.compiled_bytes == 0 {
            return Ok(None);
        }
        let folder = self.compiled.unwrap_or_else(|| data.join(FOLDER));
        let Some(key) = self.compiled_key.or_else(default_key) else {
            tracing::warn!(
                "compiled components aren't kept: this user has no home folder for their key; name a file with --compiled-key"
            );
            return Ok(None);
        };
        for place in [data, &folder] {
            if std::path::absolute(&key)?.starts_with(std::path::absolute(place)?) {
                bail!(Usage(format!(
                    "--compiled-key: {} lies in {}; whoever copies or hands over that folder would hand over the key as well: \
                     name a file elsewhere",
                    key.display(),
                    place.display()
                )));
            }
        }
        let (private, max_bytes) = (data.to_owned(), self.compiled_bytes);
        Ok(Some(CompiledConfig { folder, key, private, max_bytes, read_only: false }))
    }
}

/// Where this user keeps what outlives a start and isn't worth a backup.
fn default_key() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = named.or_else(|| std::env::home_dir().map(|home| home.join(".local/state")));
    state.filter(|state| state.is_absolute()).map(|state| state.join(KEY))
}

/// A sandbox for reading a ledger without a server. It uses what the server of this user has compiled, and writes nothing: a
/// data directory that came from elsewhere holds nothing that this user's key has made.
pub(crate) fn sandbox(data: Option<&Path>) -> anyhow::Result<Sandbox> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = named("ASSIZE_COMPILED").or_else(|| data.map(|data| data.join(FOLDER)));
    let key = named("ASSIZE_COMPILED_KEY").or_else(default_key);
    let compiled = folder.zip(key).map(|(folder, key)| {
        let private = std::env::temp_dir();
        CompiledConfig { folder, key, private, max_bytes: 0, read_only: true }
    });
    Ok(Sandbox::new(SandboxConfig { compiled, ..SandboxConfig::default() })?)
}

/// A sandbox for a plugin's author, which keeps what it compiled in `folder`, where that is asked for.
pub(crate) fn for_author(folder: Option<&Path>) -> anyhow::Result<Sandbox> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = named("ASSIZE_COMPILED").or_else(|| folder.map(Path::to_owned));
    let key = named("ASSIZE_COMPILED_KEY").or_else(default_key);
    let compiled = folder.zip(key).map(|(folder, key)| {
        let private = std::env::temp_dir();
        CompiledConfig { folder, key, private, max_bytes: AUTHOR_BYTES, read_only: false }
    });
    Ok(Sandbox::new(SandboxConfig { compiled, ..SandboxConfig::default() })?)
}

/// Half a dozen builds of a plugin in Python.
const AUTHOR_BYTES: u64 = 256 << 20;

/// `assize compile`: what the server has done in a process of its own.
pub(crate) fn run() -> anyhow::Result<Ended> {
    assize_sandbox::bound_memory().context("the memory of this process can't be bounded")?;
    let mut component = Vec::new();
    io::stdin().lock().read_to_end(&mut component)?;
    match assize_sandbox::compile(&component) {
        Ok(code) => {
            io::stdout().lock().write_all(&code)?;
            Ok(Ended::Fine)
        }
        // The server knows what this is about.
        Err(LoadError::Compile(error)) => bail!("{error:#}"),
        Err(error) => Err(error.into()),
    }
}
