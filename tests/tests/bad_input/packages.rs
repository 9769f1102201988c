//! Packages that nobody may publish.

use assize_tests::{Server, Setup, bundled, guest, repacked, table_grower_with, with_section};

use crate::{SERVER, tenant, without_a_trace};

/// A component in text, packed by hand so that no tool can object.
fn packed(component: &str, more: &str) -> Vec<u8> {
    let manifest = format!(
        "[package]\nname = \"acme/guard\"\nversion = \"1.0.0\"\ncontract = \"1.0.0\"\nkind = \"risk-agent\"\n\
         title = \"Guards\"\nauthors = [\"Jo Doe\"]\nlicense = \"MIT\"\n{more}"
    );
    with_section(&wat::parse_str(component).unwrap(), "assize:manifest", manifest.as_bytes())
}

/// The export that makes a component look like a risk agent.
const ASSESSOR: &str = r#"(instance $plugin) (export "assize:plugin/assessor@1.0.0" (instance $plugin))"#;

#[test]
fn a_package_that_is_none_is_refused_and_told_why() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let refused = |bytes: &[u8], words: &[&str]| {
        tenant.publish(bytes).problem_naming(422, words);
    };
    without_a_trace(&tenant, || {
        refused(b"", &["WebAssembly"]);
        refused(b"#!/bin/sh\n", &["WebAssembly"]);
        refused(&wat::parse_str("(module)").unwrap(), &["core module", "plugin pack"]);
        let other = packed(r#"(component (instance $i) (export "wasi:http/handler@0.2.0" (instance $i)))"#, "");
        refused(&other, &["another world", "wasi:http/handler@0.2.0"]);
        let bare = wat::parse_str(format!("(component {ASSESSOR})")).unwrap();
        refused(&bare, &["no manifest"]);
        for import in ["wasi:keyvalue/store@0.2.0", "wasi:http/outgoing-handler@0.2.0"] {
            refused(&packed(&format!(r#"(component (import "{import}" (instance)) {ASSESSOR})"#), ""), &[import]);
        }
        let memory = |pages: u32| {
            format!("(component (core module $m (memory {pages})) (core instance (instantiate $m)) {ASSESSOR})")
        };
        let limits = "[limits]\nmemory_bytes = 131_072\n";
        refused(&packed(&memory(3), limits), &["196608", "131072", "limits.memory_bytes"]);
        refused(&packed(&memory(1), "[limits]\nmemory_bytes = 999_999_999_999\n"), &["memory_bytes"]);
        refused(&packed(&memory(1), "[limits]\nfuel = 0\n"), &["fuel"]);
        refused(&packed(&memory(1), "[settings.schema]\ntype = \"objet\"\n"), &["settings.schema"]);
        refused(&packed(&memory(1), "colour = \"red\"\n"), &["colour"]);
        refused(&packed(&memory(1), "[effective]\nfrom = 2025-01-01\nto = 2024-01-01\n"), &["effective"]);
        // It looks like a risk agent, and its functions aren't those of one.
        let empty = tenant.publish(&packed(&format!("(component {ASSESSOR})"), ""));
        empty.problem_naming(422, &["contract"]);
        // Says another kind than it is.
        let kind = include_str!("../../guests/rule-echo/assize.toml").replace("compliance-rule", "risk-agent");
        refused(&repacked(&guest("rule-echo"), &kind), &["package.kind", "compliance-rule"]);
    });
}

#[test]
fn a_package_for_a_newer_contract_is_refused_and_told_which_are_known() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    without_a_trace(&tenant, || {
        for version in ["1.9.0", "2.0.0"] {
            let export = format!("assize:plugin/assessor@{version}");
            let newer = packed(&format!(r#"(component (instance $i) (export "{export}" (instance $i)))"#), "");
            tenant.publish(&newer).problem_naming(422, &[&export, "1.0.0, 1.1.0", "update the host"]);
            let import = format!("assize:plugin/log@{version}");
            let newer = packed(&format!(r#"(component (import "{import}" (instance)) {ASSESSOR})"#), "");
            tenant.publish(&newer).problem_naming(422, &[&import]);
        }
        // The manifest of a newer one.
        let manifest =
            include_str!("../../guests/hostile/assize.toml").replace("contract = \"1.1.0\"", "contract = \"1.9.0\"");
        let newer = repacked(&guest("hostile"), &manifest);
        tenant.publish(&newer).problem_naming(422, &["package.contract", "1.9.0", "1.0.0, 1.1.0"]);
        // A manifest that says the other of two known ones.
        let manifest =
            include_str!("../../guests/hostile/assize.toml").replace("contract = \"1.1.0\"", "contract = \"1.0.0\"");
        let other = repacked(&guest("hostile"), &manifest);
        tenant.publish(&other).problem_naming(422, &["package.contract", "1.0.0", "1.1.0", "correct one of them"]);
    });
}

#[test]
fn a_thousand_imports_are_refused_by_their_number() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    without_a_trace(&tenant, || {
        let imports = repeated(1_000, |n| format!(r#"(import "a:b/i{n}@1.0.0" (instance))"#));
        let component = packed(&format!("(component {imports} {ASSESSOR})"), "");
        tenant.publish(&component).problem_naming(422, &["imports", "64 are allowed"]);
    });
}

fn repeated(times: usize, part: impl Fn(usize) -> String) -> String {
    (0..times).map(part).collect::<Vec<_>>().concat()
}

/// What the server has used of memory at most, in bytes.
fn most_memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_small_component_that_would_be_huge_to_compile_is_refused_by_what_it_has_too_much_of() {
    // A server of its own, whose memory is this test's.
    let server = Server::with_guests_and(Setup::bare());
    let tenant = tenant(&server);
    let module = |body: &str| packed(&format!("(component (core module {body}) {ASSESSOR})"), "");
    let many = |times: usize, part: &str| part.repeat(times);
    let before = most_memory(&server);
    without_a_trace(&tenant, || {
        let functions = module(&many(150_001, "(func)"));
        tenant.publish(&functions).problem_naming(422, &["functions", "150000 are allowed"]);
        let table = format!("(func (param i32) (block (br_table {} (local.get 0))))", many(1_100_000, "0 "));
        tenant.publish(&module(&table)).problem_naming(422, &["bytes in one function", "1048576 are allowed"]);
        let nested = format!("(component {} {} {ASSESSOR})", many(50, "(component "), many(50, ")"));
        tenant.publish(&packed(&nested, "")).problem_naming(422, &["levels of nesting", "6 are allowed"]);
        // 30 lines that ask for 2^30 instances.
        let doubling = repeated(29, |inner| {
            let n = inner + 1;
            format!(
                "(component $c{n} (alias outer 1 $c{inner} (component $x)) (instance (instantiate $x)) (instance (instantiate $x)))"
            )
        });
        let doubling = format!("(component $c0 (core module $m) (core instance (instantiate $m))) {doubling}");
        let doubling = packed(&format!("(component {doubling} (instance (instantiate $c29)) {ASSESSOR})"), "");
        tenant.publish(&doubling).problem_naming(422, &["instances", "96 are allowed"]);
        // Loops in loops over many variables: a compiler keeps each variable apart in each loop.
        let locals = many(40_000, "i32 ");
        let uses = repeated(40_000, |n| format!("(local.set {n} (i32.add (local.get {n}) (i32.const 1)))"));
        let loops = module(&format!(
            "(func (local {locals}) {} {uses} {})",
            many(5_000, "(loop "),
            many(5_000, "(br_if 0 (i32.const 0)))")
        ));
        assert!(loops.len() < 1 << 20, "small to send");
        tenant.publish(&loops).problem_naming(422, &["nested loops times variables in one function"]);
    });
    let grown = most_memory(&server) - before;
    assert!(grown < 256 << 20, "{grown} bytes more, for components of less than 2 MB");
}

#[test]
fn a_manifest_that_lies_about_what_the_start_takes_is_refused() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let manifest = |limits: &str| {
        let text = include_str!("../../tables/assize.toml")
            .split("[limits]")
            .next()
            .unwrap()
            .replace("test/tables", "acme/liar");
        format!("{text}[limits]\n{limits}\n")
    };
    without_a_trace(&tenant, || {
        let spinning = "(func $spin (loop $again (br $again))) (start $spin)";
        let spinning = table_grower_with(spinning, &manifest("fuel = 1_000_000"));
        tenant.publish(&spinning).problem_naming(422, &["can't be started within its limits", "fuel"]);
        let growing =
            "(func $grow (if (i32.eq (memory.grow (i32.const 15)) (i32.const -1)) (then unreachable))) (start $grow)";
        let growing = table_grower_with(growing, &manifest("memory_bytes = 131_072"));
        tenant.publish(&growing).problem_naming(422, &["can't be started within its limits", "memory"]);
        let trapping = table_grower_with("(func $trap unreachable) (start $trap)", &manifest("fuel = 1_000_000"));
        tenant.publish(&trapping).problem_naming(422, &["can't be started within its limits", "unreachable"]);
    });
    // What is said truly is taken.
    let growing =
        "(func $grow (if (i32.eq (memory.grow (i32.const 15)) (i32.const -1)) (then unreachable))) (start $grow)";
    tenant.publish(&table_grower_with(growing, &manifest("memory_bytes = 1_048_576"))).expect(201);
}

#[test]
fn functions_of_other_types_than_the_contracts_are_refused() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    without_a_trace(&tenant, || {
        let other = r#"(component
            (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (instance $plugin (export "assess" (func $f)) (export "validate-settings" (func $f)))
            (export "assize:plugin/assessor@1.0.0" (instance $plugin)))"#;
        tenant.publish(&packed(other, "")).problem_naming(422, &["does not fit the contract"]);
    });
}

#[test]
fn a_package_that_is_cut_short_or_damaged_is_refused() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let whole = bundled("assize-technical-1.0.0");
    without_a_trace(&tenant, || {
        for part in 1..32 {
            let end = whole.len() * part / 32;
            tenant.publish(&whole[..end]).problem(422);
        }
        // The magic number, the version, and the kind and length of the first section.
        for at in 0..10 {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            tenant.publish(&damaged).problem(422);
        }
    });
}

#[test]
fn a_package_beyond_the_limit_is_refused_with_the_limit() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    without_a_trace(&tenant, || {
        let large = with_section(&guest("hostile"), "padding", &vec![0; 64 << 20]);
        tenant.publish(&large).problem_naming(413, &["67108864"]);
    });
}

#[test]
fn the_same_version_with_other_bytes_is_refused() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let manifest = include_str!("../../guests/hostile/assize.toml").replace("test/hostile", "acme/immutable");
    let package = repacked(&guest("hostile"), &manifest);
    tenant.publish(&package).expect(201);
    without_a_trace(&tenant, || {
        let other = with_section(&package, "note", b"one byte more");
        tenant.publish(&other).problem_naming(409, &["acme/immutable", "1.0.0"]);
    });
    assert_eq!(tenant.publish(&package).expect(200)["name"], "acme/immutable");
}
