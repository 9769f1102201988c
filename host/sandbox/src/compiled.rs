//! Compiled components, kept on disk between starts.
//!
//! Compiling takes 0.3 s for a plugin in Rust and 13 s for one in Python (two cores); what comes of it is native code, and loading that is
//! as good as running it. So nothing from the folder is trusted for where it lies or what it is called:
//!
//! * A file is bound to the component's digest, to the engine (wasmtime's version, configuration, the processor's features)
//!   and to a key by HMAC-SHA256 over all of its bytes. The key stays on this host, outside the data directory: whoever
//!   hands over a data directory mustn't hand over code with it.
//! * What was hashed is what runs. While it is hashed, the code is copied to a file that has no name, so that nobody can
//!   change it between the check and its use; that file is mapped. Its pages are read when they are first needed and can be
//!   dropped again: a Python plugin that waits costs 4 MB instead of 40. Where there is no such file, code runs from memory.
//! * It is a cache: whatever goes wrong with it is logged, and the component is compiled.
//!
//! Several hosts may share a folder. Files appear whole, the least recently used go first, and those with another key or
//! engine have other names.

mod blob;
mod folder;
mod key;
mod native;

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use assize_ledger::Digest;
use parking_lot::Mutex;
use wasmtime::Engine;
use wasmtime::component::Component;

use self::blob::{Identity, Refused};
use self::folder::Folder;
use self::key::Key;
pub(crate) use self::native::Native;
use crate::engine::EngineId;

/// Where compiled components are kept, and how much of them.
#[derive(Debug, Clone)]
pub struct CompiledConfig {
    /// The folder; made where it isn't there. Several hosts may share it.
    pub folder: PathBuf,
    /// The file with the key that authenticates what is in the folder; made where it isn't there. Hosts with the same key
    /// use each other's work. Who can read it can have code run here.
    pub key: PathBuf,
    /// A folder of this host alone, for files without a name: room for what is loaded.
    pub private: PathBuf,
    /// Most bytes in the folder. What is loaded here is never given up for something new.
    pub max_bytes: u64,
    /// Only use what is there: nothing is written, no key is made.
    pub read_only: bool,
}

/// How it went since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompiledCounts {
    /// Components that were loaded instead of compiled.
    pub hits: u64,
    /// Components that had to be compiled.
    pub misses: u64,
    /// Files that were altered, cut, or made by somebody else.
    pub refused: u64,
    /// Files given up for others.
    pub evicted: u64,
    /// Times that something couldn't be kept.
    pub unkept: u64,
}

/// The cache.
pub(crate) struct Compiled {
    folder: Folder,
    key: Key,
    engine: Digest,
    private: PathBuf,
    /// What is loaded in this process.
    in_use: Mutex<HashMap<Digest, Weak<InUse>>>,
    hits: AtomicU64,
    misses: AtomicU64,
    refused: AtomicU64,
    evicted: AtomicU64,
    unkept: AtomicU64,
}

/// Held by whoever has a component loaded: its file isn't given up.
#[derive(Debug)]
pub(crate) struct InUse;

impl Compiled {
    /// None where it can't be used, which is logged: the host compiles then.
    pub(crate) fn open(config: CompiledConfig, engine: &Engine, id: &EngineId) -> Option<Self> {
        let CompiledConfig { folder, key: key_file, private, max_bytes, read_only } = config;
        let key = match Key::find(&key_file, !read_only) {
            Ok(Some(key)) => key,
            Ok(None) => return None,
            Err(error) => {
                tracing::error!(key = %key_file.display(), %error, "compiled components aren't kept");
                return None;
            }
        };
        let folder = match Folder::open(folder, max_bytes, read_only) {
            Ok(folder) => folder,
            Err((path, error)) => {
                tracing::error!(folder = %path.display(), %error, "compiled components aren't kept");
                return None;
            }
        };
        Some(Self {
            folder,
            key,
            engine: fingerprint(engine, id),
            private,
            in_use: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            unkept: AtomicU64::new(0),
        })
    }

    fn identity(&self, component: Digest) -> Identity {
        Identity { engine: self.engine, component }
    }

    fn name(&self, identity: &Identity) -> String {
        identity.file_name(self.key.id())
    }

    /// A component, if it is there and to be trusted.
    pub(crate) fn find(&self, engine: &Engine, digest: Digest) -> Option<(Component, Arc<InUse>)> {
        let identity = self.identity(digest);
        let name = self.name(&identity);
        let mut file = self.folder.find(&name)?;
        let loaded = blob::verified(&mut file, &identity, &self.key, &self.private)
            .and_then(|native| native.component(engine, Some(&self.private)).map_err(Refused::Unusable));
        match loaded {
            Ok(component) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                self.folder.touch(&file);
                Some((component, self.hold(digest)))
            }
            Err(refused) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                let path = self.folder.path(&name);
                tracing::warn!(path = %path.display(), %refused, "a compiled component is refused, and compiled anew");
                self.folder.remove(&name);
                None
            }
        }
    }

    /// Keeps what was compiled, where that can be done, and loads it.
    pub(crate) fn keep(
        &self,
        engine: &Engine,
        digest: Digest,
        native: Native,
    ) -> wasmtime::Result<(Component, Arc<InUse>)> {
        self.misses.fetch_add(1, Ordering::Relaxed);
        // Before room is made for it: two hosts with the same plugins don't take turns.
        let held = self.hold(digest);
        if let Some(code) = native.bytes()
            && !self.folder.read_only()
        {
            let identity = self.identity(digest);
            let name = self.name(&identity);
            let header = blob::header(&identity, &self.key, code);
            let in_use = |name: &str| self.is_in_use(name);
            match self.folder.keep(&name, &header, code, in_use) {
                Ok(evicted) => {
                    self.evicted.fetch_add(evicted, Ordering::Relaxed);
                }
                Err(error) => {
                    self.unkept.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(%digest, %error, "a compiled component can't be kept");
                }
            }
        }
        Ok((native.component(engine, Some(&self.private))?, held))
    }

    fn hold(&self, digest: Digest) -> Arc<InUse> {
        let mut in_use = self.in_use.lock();
        if let Some(held) = in_use.get(&digest).and_then(Weak::upgrade) {
            return held;
        }
        in_use.retain(|_, held| held.strong_count() > 0);
        let held = Arc::new(InUse);
        in_use.insert(digest, Arc::downgrade(&held));
        held
    }

    /// Whether the file of this name is of something that is loaded here. One of another engine or key isn't.
    fn is_in_use(&self, name: &str) -> bool {
        let digest = name.split('-').next().and_then(|digits| digits.parse().ok());
        digest.is_some_and(|digest: Digest| {
            let held = self.in_use.lock().get(&digest).is_some_and(|held| held.strong_count() > 0);
            held && self.name(&self.identity(digest)) == name
        })
    }

    pub(crate) fn counts(&self) -> CompiledCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CompiledCounts {
            hits: read(&self.hits),
            misses: read(&self.misses),
            refused: read(&self.refused),
            evicted: read(&self.evicted),
            unkept: read(&self.unkept),
        }
    }
}

/// Everything that native code depends on: what wasmtime compares itself (target, the processor's features, tunables), its
/// exact version, and our own.
fn fingerprint(engine: &Engine, id: &EngineId) -> Digest {
    struct Collected(Vec<u8>);
    impl Hasher for Collected {
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }
    let text = format!("assize compiled 1\n{}\n{}\n{}\n", id.host, id.wasmtime, id.config);
    let mut collected = Collected(text.into_bytes());
    engine.precompile_compatibility_hash().hash(&mut collected);
    Digest::of(&collected.0)
}
