//! Is this a package that the host may take? Asked before anything is compiled.

use assize_ledger::Digest;
use serde::Serialize;
use wasmparser::{ComponentExternalKind, Parser, Validator, WasmFeatures};

use crate::interfaces::{self, InterfaceName};
use crate::survey::Survey;
use crate::{Contract, Kind, Manifest, ManifestError, SchemaError, SettingsSchema, bounds};

/// A package that was inspected and found fit to be compiled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Package {
    /// What it says of itself; what can be checked of that agrees with its bytes.
    pub manifest: Manifest,
    /// SHA-256 of its bytes: its identity.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// The contract that its exports were built against.
    pub contract: Contract,
    /// What it is for, by its exports.
    pub kind: Kind,
    /// What it asks of the host.
    pub imports: Vec<Import>,
    /// All that it exports, the plugin's interface among them. The host calls nothing else.
    pub exports: Vec<String>,
    /// Core modules inside.
    pub core_modules: u64,
    /// Functions of all core modules.
    pub functions: u64,
    /// Instances of core modules and components that one start makes, itself included.
    pub instances: u64,
    /// Bytes that all its memories have together when it has started.
    pub memory_bytes: u64,
}

/// An interface that a package asks of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// E.g. `wasi:clocks/wall-clock@0.2.6`.
    pub name: String,
    /// Why it's allowed, e.g. `virtual: stands at the time of the case`.
    pub why: &'static str,
}

/// The host doesn't take the bytes as a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// It's longer than a package may be.
    #[error("the package has {size} bytes, {limit} are allowed; strip debug information and what isn't used")]
    TooLarge {
        /// Its length in bytes.
        size: u64,
        /// The longest allowed, in bytes.
        limit: u64,
    },
    /// It doesn't begin as WebAssembly does.
    #[error("this isn't WebAssembly; give the .wasm file that `assize plugin pack` wrote")]
    NotWasm,
    /// It's a core module.
    #[error("this is a core module, not a component; make a package of it with `assize plugin pack`")]
    CoreModule,
    /// It breaks off or can't be read.
    #[error("the component can't be read: {0}; it was damaged on its way or cut short, so build or copy it again")]
    Malformed(String),
    /// It isn't valid, or it uses what the host doesn't run.
    #[error(
        "the component isn't valid here: {0}; build it for WebAssembly 2.0 without threads, 64-bit memories, exceptions, \
         garbage collection and relaxed SIMD"
    )]
    Invalid(String),
    /// It has more of something than is compiled.
    #[error("the component has {found} {what}, {limit} are allowed; make it smaller, or split it into several plugins")]
    Bound {
        /// What there is too much of.
        what: &'static str,
        /// How much the component has (counting ends at the limit for most).
        found: u64,
        /// The most allowed.
        limit: u64,
    },
    /// It passes modules or components around as values.
    #[error(
        "the component passes a module or component around under the name {name:?}, so that the host can't tell what \
         it would start; link its parts when it's built"
    )]
    HigherOrder {
        /// Under which name.
        name: String,
    },
    /// It carries no manifest.
    #[error("the component carries no manifest; add it with `assize plugin pack FILE --manifest assize.toml`")]
    NoManifest,
    /// It carries more than one manifest.
    #[error("the component carries {0} manifests, so that none counts; pack the component as its compiler wrote it")]
    SeveralManifests(usize),
    /// The manifest isn't UTF-8.
    #[error("the component's manifest isn't text in UTF-8; save assize.toml as UTF-8 and pack again")]
    ManifestNotText,
    /// The manifest is refused.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The schema of its settings is refused.
    #[error("manifest field settings.schema: {0}")]
    Schema(#[from] SchemaError),
    /// It imports what a plugin may not.
    #[error(
        "the component imports {name:?} ({sort}), which no plugin may; a plugin may import assize:plugin/types and \
         assize:plugin/log (1.0, 1.1) and the virtual part of WASI 0.2 (cli, clocks, random, io, filesystem, sockets): what it \
         must know belongs into the case's context, and what should happen is planned by an action"
    )]
    Import {
        /// The import's name.
        name: String,
        /// What sort of thing it is, e.g. `instance`.
        sort: &'static str,
    },
    /// None of its exports is a plugin's.
    #[error(
        "the component is of another world: it exports {exports}, but a plugin exports one of \
         assize:plugin/assessor, assize:plugin/adjudicator, assize:plugin/planner ({})", Contract::WORDS.join(", ")
    )]
    OtherWorld {
        /// What it exports.
        exports: String,
    },
    /// It's a plugin of several kinds at once.
    #[error("the component exports both {first:?} and {second:?}; a package is of one kind, so build one for each")]
    SeveralKinds {
        /// One plugin interface.
        first: String,
        /// Another.
        second: String,
    },
    /// It was built against a contract that this host doesn't know.
    #[error(
        "the component exports {export:?}, of a contract that this host doesn't know (it knows {}); \
         update the host, or build against contract {}", Contract::WORDS.join(", "), Contract::NEWEST
    )]
    UnknownContract {
        /// The export's name.
        export: String,
    },
    /// The manifest says another kind than the exports.
    #[error(
        "manifest field package.kind = \"{manifest}\", but the component exports a {exported}; correct one of them"
    )]
    KindDiffers {
        /// By the manifest.
        manifest: Kind,
        /// By the exports.
        exported: Kind,
    },
    /// The manifest says another contract than the exports.
    #[error(
        "manifest field package.contract = \"{manifest}\", but the component was built against {exported}; correct one of them"
    )]
    ContractDiffers {
        /// By the manifest.
        manifest: Contract,
        /// By the exports.
        exported: Contract,
    },
    /// It starts with more memory than the manifest lets it use.
    #[error(
        "the component's memories have {needed} bytes when it starts, but manifest field limits.memory_bytes allows \
         {allowed}; raise the limit (the host allows {host}) or build with less memory"
    )]
    Memory {
        /// Bytes at the start.
        needed: u64,
        /// Bytes by the manifest.
        allowed: u64,
        /// Bytes by the host.
        host: u64,
    },
}

/// What of WebAssembly a plugin may use: 2.0, tail calls, extended constant expressions, several memories, and the
/// component model without its asynchronous part.
///
/// Left out: what may differ between two runs (threads, relaxed SIMD), what the limits on memory can't see (garbage
/// collection, 64-bit memories, other page sizes), and what the engine isn't set up to run (exceptions, stack switching).
pub const fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        .union(WasmFeatures::TAIL_CALL)
        .union(WasmFeatures::EXTENDED_CONST)
        .union(WasmFeatures::MULTI_MEMORY)
        .union(WasmFeatures::COMPONENT_MODEL)
}

/// Inspects the bytes of a package.
///
/// What remains for the sandbox: that the exported functions have the contract's types, and that it compiles in time.
///
/// # Errors
/// The first thing that the host refuses, and what to do about it.
pub fn inspect(bytes: &[u8]) -> Result<Package, InspectError> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > bounds::LARGEST_PACKAGE {
        return Err(InspectError::TooLarge { size, limit: bounds::LARGEST_PACKAGE });
    }
    if Parser::is_core_wasm(bytes) {
        return Err(InspectError::CoreModule);
    }
    if !Parser::is_component(bytes) {
        return Err(InspectError::NotWasm);
    }
    let survey = Survey::of(bytes)?;
    Validator::new_with_features(features())
        .validate_all(bytes)
        .map_err(|error| InspectError::Invalid(error.to_string()))?;
    let (kind, contract) = plugin_interface(&survey)?;
    let imports = imports(&survey)?;
    let manifest = manifest(&survey)?;
    if manifest.kind != kind {
        return Err(InspectError::KindDiffers { manifest: manifest.kind, exported: kind });
    }
    if manifest.contract != contract {
        return Err(InspectError::ContractDiffers { manifest: manifest.contract, exported: contract });
    }
    let (needed, allowed) = (survey.start.memory_bytes, manifest.limits.memory_bytes);
    if needed > allowed {
        return Err(InspectError::Memory { needed, allowed, host: crate::Limits::MOST.memory_bytes });
    }
    SettingsSchema::compile(&manifest.settings_schema)?;
    Ok(Package {
        manifest,
        digest: Digest::of(bytes),
        size,
        contract,
        kind,
        imports,
        exports: survey.exports.iter().map(|(name, _)| (*name).to_owned()).collect(),
        core_modules: survey.modules,
        functions: survey.functions,
        instances: survey.start.instances,
        memory_bytes: needed,
    })
}

/// The one exported interface that makes the component a plugin.
fn plugin_interface(survey: &Survey<'_>) -> Result<(Kind, Contract), InspectError> {
    let mut found: Option<(&str, Kind, Contract)> = None;
    for &(export, sort) in &survey.exports {
        let Some(name) = InterfaceName::parse(export).filter(InterfaceName::is_of_contract) else { continue };
        let Ok(contract) = name.version.to_string().parse::<Contract>() else {
            return Err(InspectError::UnknownContract { export: export.to_owned() });
        };
        let Some(kind) = Kind::of_interface(name.interface) else { continue };
        if sort != ComponentExternalKind::Instance {
            continue;
        }
        if let Some((first, ..)) = found {
            return Err(InspectError::SeveralKinds { first: first.to_owned(), second: export.to_owned() });
        }
        found = Some((export, kind, contract));
    }
    found.map(|(_, kind, contract)| (kind, contract)).ok_or_else(|| {
        let names: Vec<_> = survey.exports.iter().map(|(name, _)| format!("{name:?}")).collect();
        InspectError::OtherWorld { exports: if names.is_empty() { "nothing".to_owned() } else { names.join(", ") } }
    })
}

fn imports(survey: &Survey<'_>) -> Result<Vec<Import>, InspectError> {
    let import = |&(name, sort): &(&str, ComponentExternalKind)| match (sort, interfaces::reason(name)) {
        (ComponentExternalKind::Instance, Some(why)) => Ok(Import { name: name.to_owned(), why }),
        _ => Err(InspectError::Import { name: name.to_owned(), sort: sort_name(sort) }),
    };
    survey.imports.iter().map(import).collect()
}

const fn sort_name(sort: ComponentExternalKind) -> &'static str {
    match sort {
        ComponentExternalKind::Module => "core module",
        ComponentExternalKind::Func => "function",
        ComponentExternalKind::Value => "value",
        ComponentExternalKind::Type => "type",
        ComponentExternalKind::Instance => "instance",
        ComponentExternalKind::Component => "component",
    }
}

fn manifest(survey: &Survey<'_>) -> Result<Manifest, InspectError> {
    let text = match survey.manifests.as_slice() {
        [text] => std::str::from_utf8(text).map_err(|_| InspectError::ManifestNotText)?,
        [] => return Err(InspectError::NoManifest),
        several => return Err(InspectError::SeveralManifests(several.len())),
    };
    Ok(Manifest::parse(text)?)
}
