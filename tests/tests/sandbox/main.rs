//! The sandbox and the kernel by themselves, with the packed components: the same call always gives the same answer for the
//! same fuel, every plugin's fixtures hold in the real sandbox, a policy more never makes a verdict laxer, and a shadow changes
//! nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod calls;
mod compiled;
mod fixtures;
mod kernel;
mod trials;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use assize_ledger::Timestamp;
use assize_registry::{Package, PackageName, inspect};
use assize_sandbox::contract::Case;
use assize_sandbox::{Limits, Plugin, Sandbox, SandboxConfig};
use assize_tests::{bundled, guest};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(SandboxConfig::default()).unwrap());

/// A package and its plugin, compiled once.
struct Loaded {
    package: Package,
    plugin: Arc<Plugin>,
}

fn load(sandbox: &Sandbox, bytes: &[u8]) -> Loaded {
    Loaded { package: inspect(bytes).unwrap(), plugin: Arc::new(sandbox.load(bytes).unwrap()) }
}

/// The guests made for tests and an action, by name.
static GUESTS: LazyLock<HashMap<PackageName, Loaded>> = LazyLock::new(|| {
    let loaded = [guest("hostile"), guest("rule-echo"), bundled("assize-alert-1.0.0")];
    let loaded = loaded.map(|bytes| load(&SANDBOX, &bytes));
    loaded.into_iter().map(|loaded| (loaded.package.manifest.name.clone(), loaded)).collect()
});

fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}

fn case(payload: &Value) -> Case {
    let moment: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Case {
        id: "01900000-0000-7000-8000-000000000000".to_owned(),
        kind: "prompt".to_owned(),
        tenant: "tests".to_owned(),
        system: None,
        environment: "production".to_owned(),
        jurisdictions: Vec::new(),
        sector: None,
        actor: None,
        action: None,
        resource: None,
        occurred_at: moment,
        rules_as_of: moment,
        payload: raw(payload),
        context: raw(&json!({})),
    }
}

fn limits(package: &Package) -> Limits {
    let Package { manifest, .. } = package;
    Limits { fuel: manifest.limits.fuel, memory_bytes: manifest.limits.memory_bytes, ..Limits::default() }
}
