//! Packages as data: what a plugin says of itself, and whether a host may take it at its word.
//!
//! Here live the [`Manifest`] and its types, [`pack`] and [`inspect`] between a `.wasm` file and a [`Package`], the
//! [`SettingsSchema`] that settings are held against, [`choose`], which says what version applies at a moment, publishers'
//! signatures ([`sign`], [`verify_signature`]), and [`check_spelling`] of what a case or a system says to be compared with scopes.
//!
//! ```text
//! component + assize.toml ── pack ──► package.wasm ── inspect ──► Package { manifest, digest, … } ──► the sandbox compiles
//! ```
//!
//! Here is no database, no HTTP and no engine: nothing is compiled or run. All functions are pure, and none panics,
//! whatever the bytes.

pub mod bounds;
mod choose;
mod componentize;
mod countries;
mod effective;
mod fields;
mod inspect;
mod interfaces;
mod limits;
mod manifest;
mod name;
mod nesting;
mod pack;
mod schema;
mod scope;
mod settings;
mod signature;
mod spelling;
mod survey;
mod version;
mod words;

pub use choose::{Choice, choose};
pub use effective::{Effective, EmptyPeriod};
pub use fields::ManifestError;
pub use inspect::{Import, InspectError, Package, features, inspect};
pub use limits::Limits;
pub use manifest::{LONGEST_MANIFEST, Manifest, Reference};
pub use name::{PackageName, ParseNameError};
pub use pack::{MANIFEST_SECTION, PackError, pack};
pub use scope::{Outside, Scope};
pub use settings::{SchemaError, SettingsError, SettingsSchema, Violation};
pub use signature::{SignatureError, apart, check_publisher_key, sign, signer, verify_signature};
pub use spelling::{Misspelt, check_spelling};
pub use version::{Written, serialize_version, version_text};
pub use words::{Contract, EffectKind, Kind, UnknownWord};
