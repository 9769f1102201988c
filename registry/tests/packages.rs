//! From a compiler's output to a package, and what a host refuses on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::path::Path;

use assize_ledger::Digest;
use assize_registry::{
    Contract, InspectError, Kind, MANIFEST_SECTION, PackError, Package, bounds, features, inspect, pack,
};
use proptest::prelude::*;
use wasm_encoder::{CustomSection, Section};
use wit_component::StringEncoding;
use wit_parser::abi::WasmType;
use wit_parser::{Function, ManglingAndAbi, Resolve, WasmExport, WasmExportKind, WasmImport, WorldItem};

fn manifest(kind: &str, more: &str) -> String {
    let effects = if kind == "action" { "[effects]\nmay = [\"alert\"]\n" } else { "" };
    format!(
        "[package]\nname = \"acme/guard\"\nversion = \"1.0.0\"\ncontract = \"1.0.0\"\nkind = \"{kind}\"\n\
         title = \"Guards\"\nauthors = [\"Jo Doe\"]\nlicense = \"MIT\"\n{effects}{more}"
    )
}

/// A core module that implements `world` of the contract with functions that trap, as a compiler leaves it.
fn module(world: &str) -> Vec<u8> {
    const MANGLING: ManglingAndAbi = ManglingAndAbi::Standard32;
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/1.0.0");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let functions = |item: &WorldItem| match item {
        WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.values().cloned().collect(),
        _ => Vec::new(),
    };
    let typed = |variant, func: &Function| {
        let signature = resolve.wasm_signature(variant, func);
        let list = |of: &[WasmType]| of.iter().map(|ty| name(*ty)).collect::<Vec<_>>().join(" ");
        format!("(param {}) (result {})", list(&signature.params), list(&signature.results))
    };
    let mut text = String::new();
    for (interface, item) in &resolve.worlds[world].imports {
        for func in functions(item) {
            let import = WasmImport::Func { interface: Some(interface), func: &func };
            let (module, name) = resolve.wasm_import_name(MANGLING, import);
            let typed = typed(MANGLING.import_variant(), &func);
            write!(text, "(import {module:?} {name:?} (func {typed}))").unwrap();
        }
    }
    for (interface, item) in &resolve.worlds[world].exports {
        for func in functions(item) {
            let export = WasmExport::Func { interface: Some(interface), func: &func, kind: WasmExportKind::Normal };
            let name = resolve.wasm_export_name(MANGLING, export);
            let typed = typed(MANGLING.export_variant(), &func);
            write!(text, "(func (export {name:?}) {typed} unreachable)").unwrap();
        }
    }
    let memory = resolve.wasm_export_name(MANGLING, WasmExport::Memory);
    let realloc = resolve.wasm_export_name(MANGLING, WasmExport::Realloc);
    write!(text, "(memory (export {memory:?}) 0)").unwrap();
    write!(text, "(func (export {realloc:?}) (param i32 i32 i32 i32) (result i32) unreachable)").unwrap();
    let mut module = wat::parse_str(format!("(module {text})")).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}

const fn name(of: WasmType) -> &'static str {
    match of {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

fn with_section(bytes: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    CustomSection { name: name.into(), data: data.into() }.append_to(&mut bytes);
    bytes
}

/// A component with `body`, packed by hand so that `pack` can't object.
fn component_with(body: &str, manifest: &str) -> Vec<u8> {
    let component = wat::parse_str(format!("(component {body})")).unwrap();
    with_section(&component, MANIFEST_SECTION, manifest.as_bytes())
}

fn repeated(times: usize, part: impl Fn(usize) -> String) -> String {
    (0..times).map(part).collect::<Vec<_>>().concat()
}

/// The export that makes a component look like a risk agent.
const ASSESSOR: &str = r#"(instance $plugin) (export "assize:plugin/assessor@1.0.0" (instance $plugin))"#;

/// The verdict on a component with `body` that exports an assessor.
fn inspected(body: &str) -> Result<Package, InspectError> {
    inspect(&component_with(&format!("{body} {ASSESSOR}"), &manifest("risk-agent", "")))
}

fn packed(world: &str) -> Vec<u8> {
    pack(&module(world), &manifest(world, "")).unwrap()
}

#[test]
fn each_world_of_the_contract_becomes_a_package_of_its_kind() {
    for kind in Kind::ALL {
        let bytes = packed(kind.as_str());
        let package = inspect(&bytes).unwrap();
        assert_eq!((package.kind, package.contract), (*kind, Contract::V1_0_0));
        assert_eq!(package.digest, Digest::of(&bytes));
        assert_eq!(package.size, u64::try_from(bytes.len()).unwrap());
        assert!(package.exports.contains(&format!("assize:plugin/{}@1.0.0", kind.interface())));
        assert!(package.imports.iter().all(|import| import.name.starts_with("assize:plugin/")), "{package:?}");
        assert!(package.core_modules >= 1 && package.functions >= 2);
        serde_json::to_string(&package).unwrap();
    }
}

#[test]
fn packing_is_deterministic_and_keeps_the_exact_text() {
    let manifest = manifest("risk-agent", "# kept, byte for byte\r\n");
    let module = module("risk-agent");
    let bytes = pack(&module, &manifest).unwrap();
    assert_eq!(bytes, pack(&module, &manifest).unwrap());
    assert!(bytes.windows(manifest.len()).any(|window| window == manifest.as_bytes()));
}

#[test]
fn packing_twice_changes_nothing_and_another_manifest_is_refused() {
    let bytes = packed("risk-agent");
    assert_eq!(pack(&bytes, &manifest("risk-agent", "")).unwrap(), bytes);
    assert!(matches!(pack(&bytes, &manifest("risk-agent", "# other")), Err(PackError::AlreadyPacked)));
}

#[test]
fn what_cannot_be_packed_is_named() {
    let manifest = manifest("risk-agent", "");
    let bare = wat::parse_str("(module)").unwrap();
    // It exports nothing that the manifest's kind asks for.
    assert!(matches!(pack(&bare, &manifest), Err(PackError::Componentize(why)) if why.contains("assess")));
    assert!(matches!(pack(b"#!/bin/sh", &manifest), Err(PackError::NotWasm(_))));
    assert!(matches!(pack(&bare, "[package]"), Err(PackError::Manifest(_))));
    let importing = wat::parse_str(r#"(module (import "env" "now" (func)))"#).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/1.0.0")).unwrap();
    let world = resolve.select_world(&[package], Some("risk-agent")).unwrap();
    let mut importing = importing;
    wit_component::embed_component_metadata(&mut importing, &resolve, world, StringEncoding::UTF8).unwrap();
    let error = pack(&importing, &manifest).unwrap_err().to_string();
    assert!(error.contains("env") && error.contains("package.kind"), "{error}");
}

#[test]
fn what_is_no_component_is_told_apart() {
    assert_eq!(inspect(b""), Err(InspectError::NotWasm));
    assert_eq!(inspect(b"\x7fELF and so on"), Err(InspectError::NotWasm));
    assert_eq!(inspect(&module("risk-agent")), Err(InspectError::CoreModule));
    let size = usize::try_from(bounds::LARGEST_PACKAGE).unwrap() + 1;
    assert!(matches!(inspect(&vec![0; size]), Err(InspectError::TooLarge { .. })));
}

#[test]
fn a_component_of_another_world_is_told_what_it_exports() {
    let inspected = |body: &str| inspect(&component_with(body, &manifest("risk-agent", ""))).unwrap_err().to_string();
    let error = inspected(r#"(instance $i) (export "wasi:http/incoming-handler@0.2.0" (instance $i))"#);
    assert!(error.contains("another world") && error.contains("wasi:http/incoming-handler@0.2.0"), "{error}");
    assert!(inspected("").contains("exports nothing"));
    let newer = inspected(r#"(instance $i) (export "assize:plugin/assessor@1.9.0" (instance $i))"#);
    assert!(newer.contains("assessor@1.9.0") && newer.contains("it knows 1.0.0, 1.1.0"), "{newer}");
    let both = format!(r#"{ASSESSOR} (instance $j) (export "assize:plugin/planner@1.0.0" (instance $j))"#);
    assert!(inspected(&both).contains("of one kind"));
}

#[test]
fn exports_that_language_tools_add_are_tolerated() {
    let more = r#"(instance $e) (export "exports" (instance $e)) (export "wasi:cli/run@0.2.6" (instance $e))"#;
    let package = inspected(more).unwrap();
    assert_eq!(package.exports, ["exports", "wasi:cli/run@0.2.6", "assize:plugin/assessor@1.0.0"]);
}

#[test]
fn manifest_and_exports_agree() {
    let rule = inspect(&component_with(ASSESSOR, &manifest("compliance-rule", ""))).unwrap_err();
    assert_eq!(rule, InspectError::KindDiffers { manifest: Kind::ComplianceRule, exported: Kind::RiskAgent });
}

#[test]
fn exactly_one_manifest_counts() {
    let text = manifest("risk-agent", "");
    let once = component_with(ASSESSOR, &text);
    assert!(inspect(&once).is_ok());
    let twice = with_section(&once, MANIFEST_SECTION, text.as_bytes());
    assert_eq!(inspect(&twice), Err(InspectError::SeveralManifests(2)));
    let none = wat::parse_str(format!("(component {ASSESSOR})")).unwrap();
    assert_eq!(inspect(&none), Err(InspectError::NoManifest));
    let binary = with_section(&none, MANIFEST_SECTION, &[0xff, 0xfe]);
    assert_eq!(inspect(&binary), Err(InspectError::ManifestNotText));
    let hidden = format!(r#"(component {ASSESSOR} (core module (@custom "{MANIFEST_SECTION}" "x")))"#);
    assert_eq!(inspect(&wat::parse_str(hidden).unwrap()), Err(InspectError::NoManifest));
}

#[test]
fn an_import_that_no_plugin_may_is_refused_by_name() {
    let allowed = inspected(r#"(import "wasi:clocks/wall-clock@0.2.6" (instance))"#).unwrap();
    assert_eq!(allowed.imports[0].name, "wasi:clocks/wall-clock@0.2.6");
    assert!(allowed.imports[0].why.contains("time of the case"));
    let refused = [
        (r#"(import "wasi:sockets/tcp@0.3.0" (instance))"#, "wasi:sockets/tcp@0.3.0"),
        (r#"(import "wasi:http/outgoing-handler@0.2.0" (instance))"#, "wasi:http/outgoing-handler@0.2.0"),
        (r#"(import "now" (func))"#, "now"),
        (r#"(import "assize:plugin/log@1.0.0" (func))"#, "assize:plugin/log@1.0.0"),
        (r#"(import "assize:plugin/log@2.0.0" (instance))"#, "assize:plugin/log@2.0.0"),
        (r#"(import "part" (core module))"#, "part"),
    ];
    for (import, name) in refused {
        let error = inspected(import).unwrap_err();
        assert!(matches!(&error, InspectError::Import { name: found, .. } if found == name), "{error}");
        assert!(error.to_string().contains("a plugin may import"));
    }
}

#[test]
fn a_thousand_imports_are_too_many() {
    let imports = repeated(1_000, |n| format!(r#"(import "import{n}" (func))"#));
    let error = inspected(&imports).unwrap_err();
    assert_eq!(error, InspectError::Bound { what: "imports", found: 65, limit: bounds::MOST_IMPORTS });
}

#[test]
fn memory_at_the_start_is_held_against_the_manifest() {
    let body = |pages: u32| format!("(core module $m (memory {pages})) (core instance (instantiate $m)) {ASSESSOR}");
    let limits = manifest("risk-agent", "[limits]\nmemory_bytes = 131_072\n");
    assert_eq!(inspect(&component_with(&body(2), &limits)).unwrap().memory_bytes, 131_072);
    let error = inspect(&component_with(&body(3), &limits)).unwrap_err().to_string();
    assert!(error.contains("196608") && error.contains("131072") && error.contains("268435456"), "{error}");
}

#[test]
fn a_memory_counts_as_often_as_it_is_made() {
    let module = "(core module $m (memory 1))";
    assert_eq!(inspected(module).unwrap().memory_bytes, 0, "never instantiated");
    let twice = format!("{module} (core instance (instantiate $m)) (core instance (instantiate $m))");
    assert_eq!(inspected(&twice).unwrap().memory_bytes, 2 << 16);
    let nested = "(component $c (core module $m (memory 1)) (core instance (instantiate $m)))
                  (instance (instantiate $c)) (instance (instantiate $c)) (instance (instantiate $c))";
    let package = inspected(nested).unwrap();
    assert_eq!((package.memory_bytes, package.instances), (3 << 16, 7));
    let outer = "(core module $m (memory 1))
                 (component $c (alias outer 1 $m (core module $n)) (core instance (instantiate $n)))
                 (instance (instantiate $c))";
    assert_eq!(inspected(outer).unwrap().memory_bytes, 1 << 16);
    let exported = r#"(core module $m (memory 1)) (export $n "again" (core module $m))
                      (core module $other (memory 4)) (core instance (instantiate $n))"#;
    assert_eq!(inspected(exported).unwrap().memory_bytes, 1 << 16);
}

#[test]
fn components_that_double_at_each_level_are_refused_before_they_are_compiled() {
    let doubling = repeated(29, |below| {
        let level = below + 1;
        format!(
            "(component $c{level} (alias outer 1 $c{below} (component $d))
                (instance (instantiate $d)) (instance (instantiate $d)))"
        )
    });
    let body = format!("(component $c0) {doubling} (instance (instantiate $c29))");
    let error = inspected(&body).unwrap_err();
    assert!(matches!(error, InspectError::Bound { what: "instances", .. }), "{error}");
}

#[test]
fn modules_and_components_are_not_passed_around() {
    let body = r#"(component $c (import "m" (core module)) ) "#;
    assert_eq!(inspected(body).unwrap_err(), InspectError::HigherOrder { name: "m".to_owned() });
    let body = r#"(component $c (component $d) (export "d" (component $d)))
                  (instance $i (instantiate $c)) (alias export $i "d" (component))"#;
    assert_eq!(inspected(body).unwrap_err(), InspectError::HigherOrder { name: "d".to_owned() });
}

#[test]
fn too_many_parts_or_too_large_a_function_is_refused() {
    let what = |body: &str| match inspected(body) {
        Err(InspectError::Bound { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(&"(core module)".repeat(65)), "core modules");
    assert_eq!(what(&"(component)".repeat(65)), "components");
    assert_eq!(what(&format!("{}{}", "(component ".repeat(10), ")".repeat(10))), "levels of nesting");
    let exports = repeated(65, |n| format!(r#"(instance $e{n}) (export "e{n}" (instance $e{n}))"#));
    assert_eq!(what(&exports), "exports");
    let large = format!("(core module (func {}))", "nop ".repeat(1 << 20));
    assert_eq!(what(&large), "bytes in one function");
    let many = format!("(core module {})", "(func)".repeat(150_001));
    assert_eq!(what(&many), "functions");
}

#[test]
fn what_would_differ_between_two_runs_is_refused() {
    let refused = [
        "(memory 1 1 shared)",
        "(memory i64 1)",
        "(func (param v128 v128) (result v128) local.get 0 local.get 1 i8x16.relaxed_swizzle)",
        "(tag)",
        "(type (struct))",
    ];
    for module in refused {
        let error = inspected(&format!("(core module {module})")).unwrap_err();
        assert!(matches!(error, InspectError::Invalid(_)), "{module}: {error}");
    }
    for module in ["(memory 1) (memory 1)", "(func $f return_call $f)", "(func (result v128) v128.const i64x2 0 0)"] {
        assert!(inspected(&format!("(core module {module})")).is_ok(), "{module}");
    }
    assert!(!features().threads() && !features().relaxed_simd());
}

#[test]
fn an_invalid_function_is_found_before_compiling() {
    assert!(matches!(inspected("(core module (func (result i32)))"), Err(InspectError::Invalid(_))));
}

#[test]
fn a_settings_schema_is_checked_too() {
    let text = manifest("risk-agent", "[settings.schema]\ntype = \"objet\"\n");
    let error = inspect(&component_with(ASSESSOR, &text)).unwrap_err().to_string();
    assert!(error.contains("settings.schema") && error.contains("/type"), "{error}");
}

#[test]
fn a_package_cut_short_anywhere_is_refused() {
    let bytes = packed("risk-agent");
    for length in 0..bytes.len() {
        assert!(inspect(&bytes[..length]).is_err(), "{length} bytes");
        let _ = pack(&bytes[..length], &manifest("risk-agent", ""));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = inspect(&bytes);
        for header in [b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0"] {
            let bytes: Vec<u8> = header.iter().chain(&bytes).copied().collect();
            let _ = inspect(&bytes);
            let _ = pack(&bytes, &manifest("risk-agent", ""));
        }
    }

    #[test]
    fn a_flipped_bit_never_makes_it_panic(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        static PACKAGE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| packed("action"));
        let mut bytes = PACKAGE.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        if let Ok(package) = inspect(&bytes) {
            prop_assert_ne!(package.digest, Digest::of(&PACKAGE));
        }
    }
}
