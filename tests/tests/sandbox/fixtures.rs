//! The fixtures that plugins bring along, which their own tests run natively, and `assize plugin test` in the real sandbox.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use assize_registry::{Manifest, inspect};
use assize_tests::{assize, kit, packages, workspace};
use serde_json::Value;

/// The folders of all first-party plugins, those of the workspace or those that have a `build.sh` of their own.
fn sources(of_workspace: bool) -> Vec<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> { fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect() };
    let kinds = folders(&workspace().join("plugins"));
    let mut found: Vec<PathBuf> = kinds.iter().filter(|path| path.is_dir()).flat_map(|kind| folders(kind)).collect();
    found.retain(|path| path.join("assize.toml").exists() && path.join("build.sh").exists() != of_workspace);
    found.sort();
    found
}

/// Runs the fixtures of a plugin; gives how many there are, and what is wrong.
fn run(source: &Path, package: &Path) -> (usize, Vec<String>) {
    let fixtures = source.join("fixtures");
    let arguments = ["plugin", "test"].map(PathBuf::from).into_iter();
    let arguments = arguments.chain([package.to_owned(), "--fixtures".into(), fixtures.clone(), "--json".into()]);
    let output = assize(&arguments.collect::<Vec<_>>());
    let report = output.json();
    let outcomes = report["fixtures"].as_array().unwrap();
    assert_eq!(outcomes.len(), fs::read_dir(&fixtures).unwrap().count(), "{}", source.display());
    assert!(outcomes.len() >= 3, "{}: only {} fixtures", source.display(), outcomes.len());
    let wrong: Vec<&Value> = outcomes.iter().filter(|outcome| outcome["holds"] != true).collect();
    assert_eq!(output.code, i32::from(!wrong.is_empty()));
    (outcomes.len(), wrong.into_iter().map(|outcome| format!("{}: {outcome}", source.display())).collect())
}

fn manifest(source: &Path) -> Manifest {
    Manifest::parse(&fs::read_to_string(source.join("assize.toml")).unwrap()).unwrap()
}

#[test]
fn the_fixtures_of_every_bundled_plugin_hold_in_the_real_sandbox() {
    let packed: HashMap<(String, String), PathBuf> = packages("plugins")
        .into_iter()
        .map(|file| {
            let manifest = inspect(&fs::read(&file).unwrap()).unwrap().manifest;
            ((manifest.name.to_string(), manifest.version.to_string()), file)
        })
        .collect();
    let sources = sources(true);
    assert_eq!(packed.len(), sources.len(), "target/dist is out of date: run `cargo xtask dist`");
    let (mut count, mut wrong) = (0, Vec::new());
    for source in sources {
        let manifest = manifest(&source);
        let (fixtures, found) = run(&source, &packed[&(manifest.name.to_string(), manifest.version.to_string())]);
        wrong.extend(found);
        count += fixtures;
    }
    println!("{count} fixtures");
    assert!(wrong.is_empty(), "fixtures that don't hold in the sandbox:\n{}", wrong.join("\n"));
}

#[test]
fn the_fixtures_of_plugins_with_a_build_of_their_own_hold_in_the_real_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for source in sources(false) {
        let manifest = manifest(&source);
        let name = format!("{}-{}", manifest.name.to_string().replace('/', "-"), manifest.version);
        let Some(bytes) = kit(&name) else { continue };
        let package = folder.path().join(format!("{name}.wasm"));
        fs::write(&package, bytes).unwrap();
        let (fixtures, found) = run(&source, &package);
        println!("{name}: {fixtures} fixtures");
        wrong.extend(found);
    }
    assert!(wrong.is_empty(), "fixtures that don't hold in the sandbox:\n{}", wrong.join("\n"));
}
