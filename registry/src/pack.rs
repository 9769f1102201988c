//! From what a compiler left and a manifest to one file.

use wasm_encoder::{CustomSection, Section};
use wasmparser::{Encoding, Parser, Payload};

use crate::componentize::{componentize, with_world};
use crate::{Manifest, ManifestError};

/// The custom section that carries the manifest: the exact text of `assize.toml`, so that a package's digest covers both.
pub const MANIFEST_SECTION: &str = "assize:manifest";

/// Nothing could be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The manifest is refused.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The bytes aren't WebAssembly at all, or break off.
    #[error("this isn't WebAssembly: {0}; give the .wasm file that the compiler wrote")]
    NotWasm(String),
    /// A core module of which no component can be made.
    #[error(
        "no component can be made of this core module: {0}; build it with an SDK (or wit-bindgen) for the world that the \
         manifest's package.kind names, without imports but the contract's and those of WASI preview 1 or 2"
    )]
    Componentize(String),
    /// The component carries another manifest already.
    #[error("the component carries another manifest already; pack the component as its compiler wrote it")]
    AlreadyPacked,
}

/// Makes a package of a component or a core module, and the text of its manifest. The same input gives the same bytes.
///
/// A core module that doesn't say what its functions mean (a C or Go compiler's) is taken for the world that the
/// manifest's kind and contract name. What it imports of WASI preview 1 is adapted to WASI 0.2.
///
/// Whether the host would take the package is for [`inspect`](crate::inspect) to say.
pub fn pack(module_or_component: &[u8], manifest_toml: &str) -> Result<Vec<u8>, PackError> {
    let manifest = Manifest::parse(manifest_toml)?;
    let mut package = match survey(module_or_component)? {
        Survey { encoding: Encoding::Component, manifests, .. } => match manifests.as_slice() {
            [] => module_or_component.to_vec(),
            [packed] if *packed == manifest_toml.as_bytes() => return Ok(module_or_component.to_vec()),
            _ => return Err(PackError::AlreadyPacked),
        },
        Survey { encoding: Encoding::Module, typed: true, .. } => componentize(module_or_component)?,
        Survey { encoding: Encoding::Module, typed: false, .. } => {
            componentize(&with_world(module_or_component, manifest.contract, manifest.kind)?)?
        }
    };
    let section = CustomSection { name: MANIFEST_SECTION.into(), data: manifest_toml.as_bytes().into() };
    section.append_to(&mut package);
    Ok(package)
}

struct Survey<'a> {
    encoding: Encoding,
    /// Has a section that says what the module's functions mean (`component-type…`).
    typed: bool,
    manifests: Vec<&'a [u8]>,
}

fn survey(bytes: &[u8]) -> Result<Survey<'_>, PackError> {
    let not_wasm = |error: wasmparser::BinaryReaderError| PackError::NotWasm(error.to_string());
    let mut survey = Survey { encoding: Encoding::Module, typed: false, manifests: Vec::new() };
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(not_wasm)? {
            Payload::Version { encoding, .. } => {
                if depth == 0 {
                    survey.encoding = encoding;
                }
                depth = depth.saturating_add(1);
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 1 => {
                survey.typed |= section.name().starts_with("component-type");
                if section.name() == MANIFEST_SECTION {
                    survey.manifests.push(section.data());
                }
            }
            _ => {}
        }
    }
    Ok(survey)
}
