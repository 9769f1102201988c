//! Puts the kits for authors of plugins into the binary: `assize plugin new` needs nothing beside it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use toml::{Table, Value};

/// What a kit's author may have lying around that isn't part of it.
const LEFT_OVER: [&str; 5] = ["build", "node_modules", "__pycache__", "target", ".venv"];

fn main() {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../..");
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default());
    if let Err(error) = embed(&root, &out) {
        println!("cargo::error=the kits can't be put into the binary: {error}");
    }
}

/// Writes a list of names and contents, in the order of the names.
fn embed(root: &Path, out: &Path) -> io::Result<()> {
    let mut files = vec![root.join("LICENSE")];
    for folder in ["sdk", "wit"] {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(root).unwrap_or(file).to_string_lossy().replace('\\', "/");
        let included = if name == "sdk/rust/Cargo.toml" {
            let standing = out.join("rust-kit.toml");
            fs::write(&standing, outside(root, file)?)?;
            standing
        } else {
            fs::canonicalize(file)?
        };
        // Writing to a string can't fail.
        let _ = writeln!(list, "    ({name:?}, include_str!({:?})),", included.to_string_lossy());
    }
    list.push_str("]\n");
    fs::write(out.join("kits.rs"), list)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        } else if !LEFT_OVER.iter().any(|left| entry.file_name() == *left) {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}

/// The Rust kit's manifest as it stands outside of this workspace: what it has from the workspace written out, without what
/// only its own tests need.
fn outside(root: &Path, manifest: &Path) -> io::Result<String> {
    let read = |path: &Path| {
        fs::read_to_string(path)?
            .parse::<Table>()
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
    };
    println!("cargo::rerun-if-changed={}", root.join("Cargo.toml").display());
    let (mut own, workspace) = (read(manifest)?, read(&root.join("Cargo.toml"))?);
    let shared = workspace.get("workspace").and_then(Value::as_table).cloned().unwrap_or_default();
    let table = |name: &str| shared.get(name).and_then(Value::as_table).cloned().unwrap_or_default();
    let (package, dependencies) = (table("package"), table("dependencies"));
    own.remove("lints");
    own.remove("dev-dependencies");
    if let Some(fields) = own.get_mut("package").and_then(Value::as_table_mut) {
        written_out(fields, &package)?;
    }
    if let Some(fields) = own.get_mut("dependencies").and_then(Value::as_table_mut) {
        written_out(fields, &dependencies)?;
    }
    if let Some(targets) = own.get_mut("target").and_then(Value::as_table_mut) {
        for (_, target) in targets.iter_mut() {
            if let Some(fields) = target.get_mut("dependencies").and_then(Value::as_table_mut) {
                written_out(fields, &dependencies)?;
            }
        }
    }
    toml::to_string(&own).map_err(io::Error::other)
}

/// Replaces what says `workspace = true` by what the workspace says.
fn written_out(fields: &mut Table, shared: &Table) -> io::Result<()> {
    for (name, value) in fields.iter_mut() {
        if value.get("workspace").and_then(Value::as_bool) == Some(true) {
            let said = shared.get(name).ok_or_else(|| io::Error::other(format!("the workspace has no {name}")))?;
            *value = said.clone();
        }
    }
    Ok(())
}
