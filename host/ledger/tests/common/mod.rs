//! Where the vectors of other projects are.

use std::path::PathBuf;

/// A path in the shared folder, which isn't part of the repository: in `ASSIZE_SHARED`, or `shared` beside the workspace.
/// None, and a word about it, where it is missing; in CI it must be there.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let folder = std::env::var("ASSIZE_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned());
    let path = PathBuf::from(folder).join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing: set ASSIZE_SHARED", path.display());
    println!("skipped: {} is missing; set ASSIZE_SHARED to the folder that holds {name}", path.display());
    None
}
