//! The compilers of the languages that there are kits for, as `cargo xtask kits` installs them.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::target_folder;
use crate::workspace;

/// What a build in a language (as `assize plugin new --lang` takes it) needs in the environment. None, and a line that says so,
/// where its compiler isn't here; in CI that is a failure.
pub fn toolchain(language: &str) -> Option<Vec<(&'static str, OsString)>> {
    let installed = target_folder().join("toolchains");
    let (folders, needed) = match language {
        "rust" => (Vec::new(), "cargo"),
        "python" => (vec![installed.join("python/bin")], "componentize-py"),
        "typescript" | "javascript" => {
            (vec![installed.join("javascript/node_modules/.bin"), installed.join("node/bin")], "componentize-qjs")
        }
        "go" => (vec![installed.join("go/bin")], "go"),
        "c" => (Vec::new(), "clang-19"),
        _ => panic!("no toolchain is known for {language}"),
    };
    let before = env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = folders.into_iter().chain(env::split_paths(&before)).collect();
    let path = env::join_paths(path).unwrap();
    let mut asked = Command::new(needed);
    asked
        .arg(if language == "go" { "version" } else { "--help" })
        .env("PATH", &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if !asked.status().is_ok_and(|status| status.success()) {
        assert!(env::var_os("CI").is_none(), "{needed} is missing: run `cargo xtask kits`");
        println!(
            "skipped: {needed} is missing, {language} needs it; `cargo xtask kits` installs it where it can be had"
        );
        return None;
    }
    let mut environment = vec![("PATH", path)];
    if language == "rust" {
        // The libraries are those of the workspace, and are compiled once for all tests.
        environment.push(("CARGO_TARGET_DIR", target_folder().join("authored").into()));
        environment.push(("CARGO_NET_OFFLINE", "true".into()));
    }
    if language == "go" {
        environment.extend([
            ("WIT_GO", go_runtime()?.into()),
            ("GOPROXY", "off".into()),
            ("GOTOOLCHAIN", "local".into()),
            ("GOCACHE", installed.join("go-cache").into()),
            ("GOPATH", installed.join("go-path").into()),
        ]);
    }
    Some(environment)
}

/// The runtime of Go's generated bindings, where `cargo xtask kits` had it fetched: in the package of their generator.
fn go_runtime() -> Option<PathBuf> {
    let manifest = target_folder().join("toolchains/go-runtime/Cargo.toml");
    let mut asked = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    asked.args(["metadata", "--offline", "--format-version", "1", "--manifest-path"]).arg(manifest);
    let said: serde_json::Value = serde_json::from_slice(&asked.output().ok()?.stdout).ok()?;
    let generator = said["packages"].as_array()?.iter().find(|package| package["name"] == "wit-bindgen-go")?;
    Some(PathBuf::from(generator["manifest_path"].as_str()?).with_file_name("src").join("pkg"))
}

/// Has a project in Rust use the versions of libraries that the workspace uses, which are on this machine.
pub fn pin(folder: &std::path::Path) {
    if folder.join("Cargo.toml").is_file() {
        std::fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    }
}
