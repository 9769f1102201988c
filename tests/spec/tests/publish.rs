//! Components that nobody wrote, through the door of the registry and into the sandbox: none may stop the host, be let in
//! without being a plugin, or be refused without a reason.
//!
//! Made by `wasm-smith` (whole components, and plugins whose code is random) and by damaging real packages.
#![allow(clippy::unwrap_used)]

#[path = "../../src/dice.rs"]
mod dice;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arbitrary::Unstructured;
use assize_registry::{Kind, Package, inspect, pack};
use assize_sandbox::contract::{Case, Outcome, Risk};
use assize_sandbox::{Advice, Call, CallError, Limits, LoadError, Sandbox, SandboxConfig, Settings, Subject};
use dice::Dice;
use serde_json::value::RawValue;
use tokio::runtime::Runtime;
use wasm_encoder::{CustomSection, Section};
use wasm_smith::{Component, Config, Module};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
static SANDBOX: LazyLock<Sandbox> =
    LazyLock::new(|| Sandbox::new(SandboxConfig { slots: 4, ..SandboxConfig::default() }).unwrap());

/// No component of these tests takes nearly as long.
const LONGEST: Duration = Duration::from_secs(20);

/// How many of each sort: `ASSIZE_COMPONENTS`, or enough for every run.
fn many() -> usize {
    std::env::var("ASSIZE_COMPONENTS").ok().and_then(|number| number.parse().ok()).unwrap_or(2_000)
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn manifest(kind: Kind, contract: &str) -> String {
    // An action says what it may plan.
    let effects = if kind == Kind::Action { "[effects]\nmay = [\"alert\"]\n" } else { "" };
    format!(
        "[package]\nname = \"acme/nobody\"\nversion = \"1.0.0\"\ncontract = \"{contract}\"\nkind = \"{kind}\"\n\
         title = \"Nobody's\"\nauthors = [\"Nobody\"]\nlicense = \"MIT\"\n[limits]\nfuel = 1_000_000\n{effects}"
    )
}

/// What came of the components of a test, counted.
#[derive(Default)]
struct Tally(BTreeMap<String, usize>);

impl Tally {
    fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    fn show(&self, name: &str, begun: Instant) {
        let total: usize = self.0.values().sum();
        println!("{name}: {total} components in {:.1} s", begun.elapsed().as_secs_f64());
        for (what, number) in &self.0 {
            println!("  {number:>6}  {what}");
        }
    }
}

/// The name of an error's variant.
fn variant(error: &impl std::fmt::Debug) -> String {
    format!("{error:?}").split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

/// Takes a package as publishing does, and judges with it if it is let in.
fn publish(bytes: &[u8], tally: &mut Tally) {
    let begun = Instant::now();
    match inspect(bytes) {
        Ok(package) => compile(&package, bytes, tally),
        Err(error) => {
            assert!(error.to_string().len() > 20, "a refusal without a reason: {error:?}");
            tally.count(format!("refused by the registry: {}", variant(&error)));
        }
    }
    assert!(begun.elapsed() < LONGEST, "{:?} for {} bytes", begun.elapsed(), bytes.len());
}

fn compile(package: &Package, bytes: &[u8], tally: &mut Tally) {
    let limits = Limits {
        fuel: package.manifest.limits.fuel.min(20_000_000),
        memory_bytes: package.manifest.limits.memory_bytes,
        ..Limits::default()
    };
    let loaded = RUNTIME.block_on(async {
        let plugin = SANDBOX.load_bounded(Arc::from(bytes), LONGEST).await?;
        plugin.probe(&limits).await?;
        Ok::<_, LoadError>(plugin)
    });
    let plugin = match loaded {
        Ok(plugin) => plugin,
        Err(error) => {
            assert!(error.to_string().len() > 20, "a refusal without a reason: {error:?}");
            assert!(!error.to_string().contains("panicked"), "{error}");
            tally.count(format!("refused by the sandbox: {}", variant(&error)));
            return;
        }
    };
    assert_eq!(plugin.contract(), package.contract.as_str());
    let judge = || RUNTIME.block_on(judged(&plugin, package.kind, &limits));
    let (first, again) = (judge(), judge());
    assert_eq!(first, again, "a call that doesn't repeat");
    tally.count(format!("let in, and its answer: {}", first.0));
}

/// What a plugin answers, in a word, with what must be the same whenever it's asked.
async fn judged(plugin: &assize_sandbox::Plugin, kind: Kind, limits: &Limits) -> (String, Option<String>, u64, u64) {
    let settings = Settings::parse("{}").unwrap();
    let subject = Subject::new(case());
    match kind {
        Kind::RiskAgent => trace(plugin.assess(&settings, &subject, limits).await),
        Kind::ComplianceRule => trace(plugin.rule(&settings, &subject, &Advice::new(risk()), limits).await),
        Kind::Action => trace(plugin.plan(&settings, &subject, &outcome(), limits).await),
    }
}

fn trace<T>(call: Call<T>) -> (String, Option<String>, u64, u64) {
    let word = match &call.result {
        Ok(_) => "an answer".to_owned(),
        Err(CallError::Host(why)) => panic!("the host failed: {why}"),
        Err(CallError::Aborted(after)) => panic!("fuel didn't bound it: aborted after {after} ms"),
        Err(error) => variant(error),
    };
    (word, call.output.map(|output| output.json.get().to_owned()), call.fuel, call.peak_memory)
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn case() -> Case {
    let moment = "2026-01-01T00:00:00Z".parse().unwrap();
    let text = |text: &str| Some(text.to_owned());
    Case {
        id: "01900000-0000-7000-8000-000000000000".to_owned(),
        kind: "agent-action".to_owned(),
        tenant: "tests".to_owned(),
        system: text("bot"),
        environment: "production".to_owned(),
        jurisdictions: vec!["BR".to_owned(), "EU".to_owned()],
        sector: text("credit"),
        actor: text("agent"),
        action: text("refund"),
        resource: None,
        occurred_at: moment,
        rules_as_of: moment,
        payload: raw(r#"{"prompt":"Olá, mundo","amount":"12.50"}"#),
        context: raw("{}"),
    }
}

fn risk() -> Risk {
    Risk { score: 2.5, confidence: 0.5, opinions: Vec::new() }
}

fn outcome() -> Outcome {
    serde_json::from_str(
        r#"{"verdict":"warn","reason":"X","risk":{"score":2.5,"confidence":0.5,"opinions":[]},"judgments":[]}"#,
    )
    .unwrap()
}

fn chance(dice: &mut Dice, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| dice.any().to_le_bytes()[0]).collect()
}

#[test]
fn whole_components_at_random() {
    let (mut dice, mut tally, begun) = (Dice::new(), Tally::default(), Instant::now());
    let manifest = manifest(Kind::RiskAgent, "1.0.0");
    for _ in 0..many() {
        let bytes = chance(&mut dice, 2_048);
        let Ok(component) = Component::new(Config::default(), &mut Unstructured::new(&bytes)) else { continue };
        let mut component = component.to_bytes();
        if dice.below(4) > 0 {
            let data = manifest.as_bytes().into();
            CustomSection { name: "assize:manifest".into(), data }.append_to(&mut component);
        }
        publish(&component, &mut tally);
    }
    tally.show("whole components at random", begun);
    assert!(!tally.0.keys().any(|what| what.starts_with("let in")), "none of them exports what a plugin does");
    assert!(tally.0.len() > 1, "all were refused for one reason");
}

/// A core module with the exports of a world, and any code at all behind them.
fn random_plugin(dice: &mut Dice, shape: &[u8], world: (&Resolve, wit_parser::WorldId), kind: Kind) -> Option<Vec<u8>> {
    let config = Config {
        exports: Some(shape.to_vec()),
        max_imports: 0,
        allow_start_export: dice.below(2) == 0,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        // Half of them without the plainest traps, so that they come to an answer.
        disallow_traps: dice.below(2) == 0,
        max_tables: 1,
        ..Config::default()
    };
    let bytes = chance(dice, 4_096);
    let mut module = Module::new(config, &mut Unstructured::new(&bytes)).ok()?.to_bytes();
    embed_component_metadata(&mut module, world.0, world.1, StringEncoding::UTF8).unwrap();
    // Some modules that wasm-smith takes for fine are none that a component can be made of: a global as an allocator's state, …
    let component = ComponentEncoder::default().module(&module).ok()?.encode().ok()?;
    pack(&component, &manifest(kind, "1.0.0")).ok()
}

#[test]
fn plugins_whose_code_is_random() {
    let (mut dice, mut tally, begun) = (Dice::new(), Tally::default(), Instant::now());
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(workspace().join("wit/1.0.0")).unwrap();
    for (world, kind) in
        [("risk-agent", Kind::RiskAgent), ("compliance-rule", Kind::ComplianceRule), ("action", Kind::Action)]
    {
        let world = resolve.select_world(&[package], Some(world)).unwrap();
        let shape = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
        let shape = with_two_pages(shape);
        for _ in 0..many() / 3 {
            match random_plugin(&mut dice, &shape, (&resolve, world), kind) {
                Some(package) => publish(&package, &mut tally),
                None => tally.count("no component could be made"),
            }
        }
    }
    tally.show("plugins whose code is random", begun);
    let let_in: usize = tally.0.iter().filter(|(what, _)| what.starts_with("let in")).map(|(_, number)| number).sum();
    assert!(let_in > many() / 10, "only {let_in} of {} were let in", many());
}

/// The generated module's memory has no page: then each answer would lie outside.
fn with_two_pages(mut module: Vec<u8>) -> Vec<u8> {
    // Section 5 (memories) of 3 bytes: one memory, without a maximum, of no page.
    let section = [5, 3, 1, 0, 0];
    let at = module.windows(section.len()).position(|bytes| bytes == section).expect("a memory of no page");
    module[at + section.len() - 1] = 2;
    module
}

#[test]
fn real_packages_damaged() {
    let (mut dice, mut tally, begun) = (Dice::new(), Tally::default(), Instant::now());
    let mut packages = Vec::new();
    for folder in ["plugins", "test-guests"] {
        let folder = workspace().join("target/dist").join(folder);
        let files = fs::read_dir(&folder).unwrap_or_else(|_| panic!("no {}: run `cargo xtask dist`", folder.display()));
        packages.extend(files.map(|file| fs::read(file.unwrap().path()).unwrap()));
    }
    for package in &packages {
        publish(package, &mut tally);
    }
    assert!(tally.0.keys().all(|what| what.starts_with("let in")), "{:?}", tally.0);
    let mut tally = Tally::default();
    for _ in 0..many() {
        let mut bytes = dice.one_of(&packages).clone();
        for _ in 0..=dice.below(3) {
            damage(&mut dice, &mut bytes, &packages);
        }
        publish(&bytes, &mut tally);
    }
    tally.show("real packages damaged", begun);
    assert!(tally.0.keys().any(|what| what.starts_with("let in")), "damage to a constant lets a package pass");
    assert!(tally.0.len() >= 5, "{:?}", tally.0);
}

fn damage(dice: &mut Dice, bytes: &mut Vec<u8>, packages: &[Vec<u8>]) {
    // Most of a package is code; a third of the damage goes to its first and last stretches, where types, exports and the
    // manifest are.
    let length = bytes.len().max(1);
    let at = match dice.below(6) {
        0 => dice.below(length.min(512)),
        1 => length - 1 - dice.below(length.min(8_192)),
        _ => dice.below(length),
    };
    let end = (at + 1 + dice.below(64)).min(bytes.len());
    match dice.below(6) {
        0 | 1 => bytes[at] ^= 1 << dice.below(8),
        2 => bytes[at] = *dice.one_of(&[0x00, 0x01, 0x0b, 0x40, 0x7f, 0x80, 0xff]),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let copy = bytes[at..end].to_vec();
            let to = dice.below(bytes.len());
            bytes.splice(to..to, copy);
        }
        _ => {
            let other = dice.one_of(packages);
            let from = dice.below(other.len());
            let piece = &other[from..(from + 1 + dice.below(64)).min(other.len())];
            let end = (at + piece.len()).min(bytes.len());
            bytes.splice(at..end, piece.iter().copied());
        }
    }
}
