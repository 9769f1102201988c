//! Rust: cargo, for the target without imports.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::{Language, Place, Tool};

const TARGET: &str = "wasm32-unknown-unknown";

pub(super) static RUST: Language = Language {
    name: "rust",
    title: "Rust",
    kit: "rust",
    variant: None,
    left_out: &[],
    source: "Cargo.toml",
    programs: &[],
    tools: &[
        Tool {
            name: "cargo",
            found: |place| place.program("cargo").is_some(),
            install: || {
                vec![
                    ("Debian", "apt-get install rustup && rustup default stable".to_owned()),
                    ("others", "rustup, from https://rustup.rs".to_owned()),
                ]
            },
        },
        Tool {
            name: "Rust's target wasm32-unknown-unknown",
            found: |place| {
                let libraries = place.answer("rustc", &["--print", "target-libdir", "--target", TARGET]);
                libraries.is_some_and(|folder| Path::new(&folder).is_dir())
            },
            install: || vec![("rustup", format!("rustup target add {TARGET}"))],
        },
    ],
    compile,
};

/// A line of cargo's `--message-format json`.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

fn compile(place: &Place) -> anyhow::Result<PathBuf> {
    let mut command = place.command("cargo")?;
    command.args(["build", "--profile", "plugin", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    command.arg("--config").arg(remapped_paths(place));
    let mut child = command.stdout(Stdio::piped()).spawn().context("cargo can't be started")?;
    let stdout = child.stdout.take().context("cargo has no stdout")?;
    let own = place.folder.join("Cargo.toml");
    let mut made = None;
    for line in BufReader::new(stdout).lines() {
        // Macros and build scripts may print what they like.
        let Ok(message) = serde_json::from_str::<Message>(&line?) else { continue };
        if message.reason == "compiler-artifact" && same_file(&message.manifest_path, &own) {
            let module = message.filenames.into_iter().find(|file| file.extension().is_some_and(|end| end == "wasm"));
            made = module.or(made);
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo build ended with {status}; what it wrote is above");
    }
    made.context("cargo made no .wasm of this crate: Cargo.toml needs crate-type = [\"cdylib\", \"rlib\"] under [lib]")
}

fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    one == other || real(one).zip(real(other)).is_some_and(|(one, other)| one == other)
}

/// Takes the builder's own folders out of what is compiled in for panics, so that the same source gives the same digest
/// wherever it lies. Joins the flags of `.cargo/config.toml`.
fn remapped_paths(place: &Place) -> String {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let folders = [(Some(place.folder.clone()), "/plugin"), (home, "/cargo")];
    let flags = folders.iter().filter_map(|(folder, name)| {
        folder.as_ref().map(|folder| toml_string(&format!("--remap-path-prefix={}={name}", folder.display())))
    });
    format!("target.{TARGET}.rustflags=[{}]", flags.collect::<Vec<_>>().join(","))
}

/// Quoted as TOML wants it: JSON's escapes are among TOML's.
fn toml_string(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// The crate's name: the plugin's, unless cargo takes no such name or the project couldn't name its own library.
pub(crate) fn crate_name(name: &str) -> String {
    const TAKEN: &[&str] = &[
        "abstract",
        "alloc",
        "as",
        "assize-sdk",
        "async",
        "await",
        "become",
        "box",
        "break",
        "const",
        "continue",
        "core",
        "crate",
        "do",
        "dyn",
        "else",
        "enum",
        "extern",
        "false",
        "final",
        "fn",
        "for",
        "gen",
        "if",
        "impl",
        "in",
        "let",
        "loop",
        "macro",
        "match",
        "mod",
        "move",
        "mut",
        "override",
        "priv",
        "proc-macro",
        "pub",
        "ref",
        "return",
        "self",
        "serde",
        "static",
        "std",
        "struct",
        "super",
        "test",
        "trait",
        "true",
        "try",
        "type",
        "typeof",
        "unsafe",
        "unsized",
        "use",
        "virtual",
        "where",
        "while",
        "yield",
    ];
    if TAKEN.contains(&name) || name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("plugin-{name}")
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cargo_refuses_are_changed() {
        assert_eq!(crate_name("my-agent"), "my-agent");
        assert_eq!(crate_name("2fa"), "plugin-2fa");
        assert_eq!(crate_name("match"), "plugin-match");
    }
}
