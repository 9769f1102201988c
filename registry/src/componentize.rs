//! From a core module to a component.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::{Contract, Kind, PackError};

/// Makes a component of a core module that says what its functions mean.
pub(crate) fn componentize(module: &[u8]) -> Result<Vec<u8>, PackError> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        // It is left out where nothing of it is imported.
        .and_then(|encoder| {
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        })
        .and_then(|mut encoder| encoder.encode())
        .map_err(refused)
}

/// The module, with what its functions mean: those of the contract's world for plugins of this kind.
pub(crate) fn with_world(module: &[u8], contract: Contract, kind: Kind) -> Result<Vec<u8>, PackError> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", wit(contract)).map_err(refused)?;
    // Worlds are called what kinds are called.
    let world = resolve.select_world(&[package], Some(kind.as_str())).map_err(refused)?;
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(refused)?;
    Ok(module)
}

/// The text of a released contract.
const fn wit(contract: Contract) -> &'static str {
    match contract {
        Contract::V1_0_0 => include_str!("../../wit/1.0.0/plugin.wit"),
        Contract::V1_1_0 => include_str!("../../wit/1.1.0/plugin.wit"),
    }
}

/// The whole chain of causes on one line.
fn refused(error: impl std::fmt::Display) -> PackError {
    PackError::Componentize(format!("{error:#}"))
}
