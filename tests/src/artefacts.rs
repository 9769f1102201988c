//! Where the built product is, and other files that tests read.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

/// The `assize` binary.
pub fn binary() -> PathBuf {
    built("assize")
}

/// All packages in a folder of `target/dist`, `plugins` or `test-guests`, in the order of their names.
pub fn packages(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(built(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    assert!(!files.is_empty(), "target/dist/{folder} is empty: run `cargo xtask dist` again");
    files
}

/// The file of a first-party plugin, e.g. `assize-threat-taxonomy-1.0.0`.
pub fn bundled_file(name: &str) -> PathBuf {
    built(&format!("plugins/{name}.wasm"))
}

/// The bytes of a first-party plugin, e.g. `assize-threat-taxonomy-1.0.0`.
pub fn bundled(name: &str) -> Vec<u8> {
    fs::read(bundled_file(name)).unwrap()
}

/// The bytes of a guest that is made for tests: `hostile`, `rule-echo` or `clock`.
pub fn guest(name: &str) -> Vec<u8> {
    fs::read(built(&format!("test-guests/test-{name}-1.0.0.wasm"))).unwrap()
}

/// A package that a kit for another language makes, e.g. `assize-personal-data-1.0.0`. None, and a line that says so, where
/// its toolchain couldn't be had; in CI that is a failure.
pub fn kit(name: &str) -> Option<Vec<u8>> {
    let path = dist_folder().join(format!("kits/{name}.wasm"));
    if let Ok(bytes) = fs::read(&path) {
        return Some(bytes);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing: run `cargo xtask dist`", path.display());
    println!("skipped: {} is missing; `cargo xtask dist` builds it where its toolchain can be had", path.display());
    None
}

/// What `cargo xtask dist` leaves beside the profile's folder, in whatever target folder this test was built.
fn built(name: &str) -> PathBuf {
    let path = dist_folder().join(name);
    assert!(path.exists(), "{} is missing: run `cargo xtask dist` first", path.display());
    path
}

fn dist_folder() -> PathBuf {
    target_folder().join("dist")
}

pub(crate) fn target_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).expect("target/PROFILE/deps/TEST").to_owned()
}

/// Where all servers of all tests keep what they compiled, as hosts that share a folder and a key do: each component is
/// compiled once. A test of that very thing names other places.
pub(crate) fn compiled() -> [(&'static str, PathBuf); 2] {
    let folder = target_folder().join("compiled-by-tests");
    [("ASSIZE_COMPILED", folder.join("components")), ("ASSIZE_COMPILED_KEY", folder.join("key"))]
}

/// A file of the shared data, which isn't part of the repository: in `ASSIZE_SHARED`, or `shared` beside the workspace.
/// None, and a line that says so, where it is absent; in CI that is a failure.
pub fn shared_file(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("ASSIZE_SHARED").map_or_else(|| workspace().join("../shared"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing: set ASSIZE_SHARED", path.display());
    println!("skipped: {} is missing; set ASSIZE_SHARED to the folder that holds {name}", path.display());
    None
}

/// How often to repeat: `many` times, or a `few` where `ASSIZE_SLOW=0`.
pub fn rounds(many: u32, few: u32) -> u32 {
    if std::env::var("ASSIZE_SLOW").is_ok_and(|slow| slow == "0") { few } else { many }
}

/// The Python interpreter that has the package which the second verifier needs; in CI it must be there.
pub fn python() -> Option<&'static str> {
    static FOUND: std::sync::LazyLock<Option<&str>> = std::sync::LazyLock::new(|| {
        // Debian's own has what apt installed, whatever another one in PATH has.
        ["python3", "/usr/bin/python3"].into_iter().find(|python| {
            let tried = std::process::Command::new(python).args(["-c", "import cryptography"]).output();
            tried.is_ok_and(|tried| tried.status.success())
        })
    });
    if FOUND.is_none() {
        assert!(std::env::var_os("CI").is_none(), "python3 with the package cryptography is missing");
        println!("skipped: python3 with the package cryptography is missing (Debian: python3-cryptography)");
    }
    *FOUND
}
