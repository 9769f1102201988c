//! Decisions that plugins of every released contract came to, each in a bundle with the plugins as they were built then: for
//! ever they are judged again to the byte, for the same fuel.
//!
//! `tests/archive/CONTRACT/` is never changed. A new contract gets a folder of its own: bundles of the host that released it,
//! and `decisions.txt`, which this test writes once where `ASSIZE_RECORD=1` and there is none yet.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use assize_kernel::Record;
use assize_ledger::{Bundle, BundleCheck, Digest};
use assize_registry::{Contract, Kind, inspect};
use assize_rehearing::{Rehearing, rehear};
use assize_sandbox::{Sandbox, SandboxConfig};
use assize_tests::workspace;

fn folder(contract: Contract) -> PathBuf {
    workspace().join("tests/archive").join(contract.as_str())
}

fn bundles(contract: Contract) -> Vec<PathBuf> {
    let files = fs::read_dir(folder(contract)).unwrap_or_else(|_| panic!("no archive of contract {contract}"));
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "bundle"));
    files.sort();
    files
}

/// What a record says, but for what no replay repeats.
fn told(record: &Record) -> String {
    let outcome = &record.outcome;
    let mut text = format!("{} {} risk {}\n", outcome.verdict, outcome.reason, outcome.risk.score);
    for run in &record.plugins {
        let version = run.version.as_ref().map(ToString::to_string).unwrap_or_default();
        let (contract, status) = (run.contract.as_deref().unwrap_or("-"), run.status.as_str());
        let output = run.output_hash.map_or_else(|| "-".to_owned(), |hash| hash.to_string());
        writeln!(
            text,
            "  {} {}@{version} contract {contract} {status} fuel {} memory {} output {output}",
            run.binding, run.package, run.fuel, run.peak_memory
        )
        .unwrap();
    }
    for effect in &record.effects {
        writeln!(text, "  effect {} {}", effect.kind, effect.body.get()).unwrap();
    }
    text
}

/// Checks a bundle and judges its case again; what it is, and what was decided.
fn replayed(file: &PathBuf, sandbox: &Sandbox, runtime: &tokio::runtime::Runtime) -> (String, Bundle, Rehearing) {
    let bytes = fs::read(file).unwrap();
    let bundle = Bundle::read(bytes.as_slice()).unwrap();
    let report = bundle.verify(&BundleCheck::default());
    assert!(report.is_sound(), "{}: {:?}", file.display(), report.faults);
    let again = runtime.block_on(rehear(&bundle, &report, sandbox));
    assert!(again.is_identical(), "{}: {:?} {:?}", file.display(), again.why, again.comparison);
    let comparison = again.comparison.as_ref().unwrap();
    assert!(comparison.fuel_compared, "{}: another engine, so its fuel says nothing", file.display());
    assert!(comparison.aborted.is_empty());
    let record = &again.heard.as_ref().unwrap().record;
    let name = file.file_name().unwrap().to_string_lossy();
    (format!("{name} {}\n{}", Digest::of(&bytes), told(record)), bundle, again)
}

#[test]
fn decisions_of_every_released_contract_replay() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    for contract in Contract::ALL {
        let (mut text, mut guests, mut kinds) = (String::new(), BTreeSet::new(), BTreeSet::new());
        for file in bundles(*contract) {
            let (told, bundle, again) = replayed(&file, &sandbox, &runtime);
            text += &told;
            // The plugins in it are of this contract, by their own bytes as by the record.
            for (digest, component) in &bundle.components {
                let package = inspect(component).unwrap();
                assert_eq!(package.contract, *contract, "{}", package.manifest.name);
                kinds.insert(package.kind);
                guests.insert(*digest);
            }
            let runs = &again.heard.as_ref().unwrap().record.plugins;
            assert!(runs.iter().all(|run| run.contract.as_deref() == Some(contract.as_str())), "{}", file.display());
        }
        assert_eq!(kinds.len(), Kind::ALL.len(), "contract {contract} has no guest of some kind");
        let file = folder(*contract).join("decisions.txt");
        if !file.exists() && std::env::var("ASSIZE_RECORD").is_ok_and(|record| record == "1") {
            fs::write(&file, &text).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap();
        assert!(text == expected, "contract {contract}: decided\n{text}\nthen\n{expected}");
        println!("contract {contract}: {} decisions of {} guests replay", bundles(*contract).len(), guests.len());
    }
}

/// The same misdeeds end in the same way, whatever contract they were built against: all versions pass the same limits.
#[test]
fn limits_are_the_same_for_every_contract() {
    let misdeeds = |contract: Contract| -> Vec<String> {
        let text = fs::read_to_string(folder(contract).join("decisions.txt")).unwrap();
        let failures = text.split("failures.bundle").nth(1).unwrap();
        let runs = failures.lines().filter(|line| line.contains(" contract "));
        let ends = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let status = words.iter().position(|word| *word == "contract").and_then(|at| words.get(at + 2));
            format!("{} {}", words.first().unwrap(), status.unwrap())
        };
        runs.map(ends).take(13).collect()
    };
    let first = misdeeds(Contract::V1_0_0);
    assert!(first.len() == 13 && first.iter().any(|line| line.contains("out_of_fuel")), "{first:?}");
    for contract in Contract::ALL {
        assert_eq!(misdeeds(*contract), first, "contract {contract}");
    }
}
