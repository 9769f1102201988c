//! A compiled plugin, and calling it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use assize_ledger::{Digest, Timestamp};
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, Store, Trap};

use crate::call::{Answer, Call, CallError, Output};
use crate::compiled::InUse;
use crate::contract::{Assessment, Case, Effect, Outcome, Risk, Ruling};
use crate::engine::{Inner, Sandbox, TICK};
use crate::guest::Guest;
use crate::json::{self, JsonError};
use crate::limits::Limits;
use crate::since_v1_0_0 as v1;

/// A compiled plugin, ready to be called any number of times from any thread.
pub struct Plugin {
    sandbox: Arc<Inner>,
    pre: Pre,
    digest: Digest,
    uses_wasi: bool,
    /// Nanoseconds: a moving average over calls that answered.
    typical: AtomicU64,
    /// Its compiled form stays on disk as long as it is loaded.
    _in_use: Option<Arc<InUse>>,
}

/// By contract version and kind.
enum Pre {
    RiskAgent1(v1::Exports),
    ComplianceRule1(v1::Exports),
    Action1(v1::Exports),
}

/// Why a component can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// wasmtime can't compile it.
    #[error("the component does not compile: {0:#}")]
    Compile(wasmtime::Error),
    /// It imports what no plugin gets, or an export has another type than the contract's.
    #[error("the component does not fit the contract: {0:#}")]
    Contract(wasmtime::Error),
    /// It exports something else than one interface of a known contract.
    #[error(
        "the component exports {0}; a plugin exports exactly one of assessor, adjudicator or planner of assize:plugin@1.0.0"
    )]
    Exports(String),
    /// Compiling took too long.
    #[error("compiling took longer than {0:?}: split the component or make it smaller")]
    TooSlow(Duration),
    /// No thread to compile on, or the process that compiled can't be heard.
    #[error("nothing to compile on: {0}")]
    Thread(#[from] std::io::Error),
}

/// A binding's settings: JSON that is unambiguous ([`json`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings(String);

impl Settings {
    /// Takes a JSON text, as it is.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        json::check(text.as_bytes()).map(|text| Self(text.to_owned()))
    }

    /// The text given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A case on its way through the plugins, with what all of them need made once.
pub struct Subject {
    case: Case,
    v1: OnceLock<v1::Case>,
    seed: OnceLock<Digest>,
}

impl Subject {
    /// Takes a complete case.
    pub const fn new(case: Case) -> Self {
        Self { case, v1: OnceLock::new(), seed: OnceLock::new() }
    }

    /// The case, to be changed.
    pub fn into_case(self) -> Case {
        self.case
    }

    /// The case itself.
    pub const fn case(&self) -> &Case {
        &self.case
    }

    fn v1(&self) -> &v1::Case {
        self.v1.get_or_init(|| v1::lower_case(&self.case))
    }

    fn seed(&self) -> Digest {
        *self.seed.get_or_init(|| self.case.seed())
    }
}

impl Sandbox {
    /// Compiles a component, unless that was done before and kept, and binds it to the contract, on the calling thread: for
    /// hosts that start, and for replays. What comes from outside goes through [`Sandbox::load_bounded`].
    pub fn load(&self, bytes: &[u8]) -> Result<Plugin, LoadError> {
        self.load_within(bytes, None, &AtomicBool::new(false))
    }

    /// A component that was compiled before and kept; none where it has to be compiled. Its own bytes aren't needed.
    pub fn load_kept(&self, digest: Digest) -> Result<Option<Plugin>, LoadError> {
        let kept = self.inner.compiled.as_ref().and_then(|compiled| compiled.find(&self.inner.engine, digest));
        kept.map(|(component, in_use)| self.bind(&component, digest, Some(in_use))).transpose()
    }

    /// Like [`Sandbox::load`], on a thread of its own and for `timeout` at most. Where a process of its own compiles, it is
    /// ended then. Else compiling can't be interrupted: its thread goes on to its end in the background and its result is
    /// dropped. So callers must bound size beforehand and load one component at a time.
    pub async fn load_bounded(&self, bytes: Arc<[u8]>, timeout: Duration) -> Result<Plugin, LoadError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let sandbox = self.clone();
        let given_up = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&given_up);
        std::thread::Builder::new().name("assize-compile".into()).spawn(move || {
            // The receiver may have given up.
            let _ = sender.send(sandbox.load_within(&bytes, Some(timeout), &heard));
        })?;
        match tokio::time::timeout(timeout, receiver).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(_)) => Err(LoadError::Compile(wasmtime::Error::msg("the compiler panicked"))),
            Err(_) => {
                given_up.store(true, Ordering::Relaxed);
                Err(LoadError::TooSlow(timeout))
            }
        }
    }

    fn load_within(&self, bytes: &[u8], timeout: Option<Duration>, given_up: &AtomicBool) -> Result<Plugin, LoadError> {
        let digest = Digest::of(bytes);
        if let Some(plugin) = self.load_kept(digest)? {
            return Ok(plugin);
        }
        let native = self.inner.compile(bytes, timeout)?;
        // What took too long isn't found to be quick the next time.
        if given_up.load(Ordering::Relaxed) {
            return Err(LoadError::TooSlow(timeout.unwrap_or_default()));
        }
        let engine = &self.inner.engine;
        let loaded = match &self.inner.compiled {
            Some(compiled) => {
                compiled.keep(engine, digest, native).map(|(component, in_use)| (component, Some(in_use)))
            }
            None => native.component(engine, None).map(|component| (component, None)),
        };
        let (component, in_use) = loaded.map_err(LoadError::Compile)?;
        self.bind(&component, digest, in_use)
    }

    fn bind(&self, component: &Component, digest: Digest, in_use: Option<Arc<InUse>>) -> Result<Plugin, LoadError> {
        let uses_wasi = imports_wasi(&self.inner.engine, component);
        let interface = exported_contract(&self.inner.engine, component)?;
        let linked = self.inner.linker.instantiate_pre(component).map_err(LoadError::Contract)?;
        let pre = Pre::new(linked, &interface)?;
        let (sandbox, typical) = (Arc::clone(&self.inner), AtomicU64::new(0));
        Ok(Plugin { sandbox, pre, digest, uses_wasi, typical, _in_use: in_use })
    }
}

fn imports_wasi(engine: &Engine, component: &Component) -> bool {
    component.component_type().imports(engine).any(|(name, _)| name.starts_with("wasi:"))
}

/// The one interface of the contract that the component exports, with its version.
fn exported_contract(engine: &Engine, component: &Component) -> Result<String, LoadError> {
    let names: Vec<String> = component
        .component_type()
        .exports(engine)
        .filter(|(name, _)| name.starts_with("assize:plugin/"))
        .map(|(name, _)| name.to_owned())
        .collect();
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Ok(name),
        Err(names) if names.is_empty() => Err(LoadError::Exports("none of the contract's interfaces".into())),
        Err(names) => Err(LoadError::Exports(format!("several of the contract's interfaces ({})", names.join(", ")))),
    }
}

impl Pre {
    fn new(linked: InstancePre<Guest>, interface: &str) -> Result<Self, LoadError> {
        match interface {
            "assize:plugin/assessor@1.0.0" => v1::Exports::find(linked, interface, "assess").map(Self::RiskAgent1),
            "assize:plugin/adjudicator@1.0.0" => {
                v1::Exports::find(linked, interface, "rule").map(Self::ComplianceRule1)
            }
            "assize:plugin/planner@1.0.0" => v1::Exports::find(linked, interface, "plan").map(Self::Action1),
            other => return Err(LoadError::Exports(format!("{other}, which this host doesn't know"))),
        }
        .map_err(LoadError::Contract)
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({})", self.digest.short())
    }
}

impl Plugin {
    /// SHA-256 of the component's bytes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The version of the contract that it was matched with.
    #[allow(clippy::unused_self)] // The next contract version makes it depend on the plugin.
    pub const fn contract(&self) -> &'static str {
        v1::VERSION
    }

    /// How long a call took lately, on average. A hint for scheduling: it never changes an answer.
    pub fn typical_duration(&self) -> Duration {
        Duration::from_nanos(self.typical.load(Ordering::Relaxed))
    }

    fn learn(&self, duration: Duration) {
        let new = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let old = self.typical.load(Ordering::Relaxed);
        // Racing calls may lose each other's sample; the average doesn't mind.
        let average = if old == 0 { new } else { old - old / 8 + new / 8 };
        self.typical.store(average, Ordering::Relaxed);
    }

    /// Asks the plugin whether it can work with these settings.
    pub async fn validate_settings(&self, settings: &Settings, limits: &Limits) -> Call<()> {
        let mut run = match self.begin(None, limits).await {
            Ok(run) => run,
            Err(refused) => return refused,
        };
        let answer = match &self.pre {
            Pre::RiskAgent1(pre) => v1::validate_risk_agent(pre, &mut run.store, &settings.0).await,
            Pre::ComplianceRule1(pre) => v1::validate_compliance_rule(pre, &mut run.store, &settings.0).await,
            Pre::Action1(pre) => v1::validate_action(pre, &mut run.store, &settings.0).await,
        };
        run.end(answer)
    }

    /// Asks a risk agent.
    pub async fn assess(&self, settings: &Settings, subject: &Subject, limits: &Limits) -> Call<Assessment> {
        let Pre::RiskAgent1(pre) = &self.pre else { return self.exports_no("assessor") };
        match self.begin(Some(subject), limits).await {
            Ok(mut run) => {
                let answer = v1::assess(pre, &mut run.store, &settings.0, subject.v1()).await;
                self.learn(run.started.elapsed());
                run.end(answer)
            }
            Err(refused) => refused,
        }
    }

    /// Asks a compliance rule.
    pub async fn rule(&self, settings: &Settings, subject: &Subject, risk: &Risk, limits: &Limits) -> Call<Ruling> {
        let Pre::ComplianceRule1(pre) = &self.pre else { return self.exports_no("adjudicator") };
        match self.begin(Some(subject), limits).await {
            Ok(mut run) => {
                let answer = v1::rule(pre, &mut run.store, &settings.0, subject.v1(), risk).await;
                self.learn(run.started.elapsed());
                run.end(answer)
            }
            Err(refused) => refused,
        }
    }

    /// Asks an action for its plan.
    pub async fn plan(
        &self,
        settings: &Settings,
        subject: &Subject,
        outcome: &Outcome,
        limits: &Limits,
    ) -> Call<Vec<Effect>> {
        let Pre::Action1(pre) = &self.pre else { return self.exports_no("planner") };
        match self.begin(Some(subject), limits).await {
            Ok(mut run) => {
                let answer = v1::plan(pre, &mut run.store, &settings.0, subject.v1(), outcome).await;
                self.learn(run.started.elapsed());
                run.end(answer)
            }
            Err(refused) => refused,
        }
    }

    fn exports_no<T>(&self, interface: &str) -> Call<T> {
        Call::host_error(format!("{self:?} exports no {interface}"))
    }

    /// Waits for a slot of the pool and prepares a store.
    async fn begin<T>(&self, subject: Option<&Subject>, limits: &Limits) -> Result<Run, Call<T>> {
        let slot = Arc::clone(&self.sandbox.slots)
            .acquire_owned()
            .await
            .map_err(|_| Call::host_error("the sandbox is shutting down".into()))?;
        let started = Instant::now();
        let (now, seed) = match subject {
            Some(subject) if self.uses_wasi => (subject.case.occurred_at, subject.seed()),
            _ => (Timestamp::default(), Digest::ZERO),
        };
        let mut store = Store::new(&self.sandbox.engine, Guest::new(limits, now, seed));
        store.limiter(|guest| &mut guest.accounts);
        store.set_hostcall_fuel(usize::try_from(limits.output_bytes.saturating_mul(4)).unwrap_or(usize::MAX));
        let ticks = limits.wall_ms / u64::try_from(TICK.as_millis()).unwrap_or(1);
        store.set_epoch_deadline(ticks.max(1) + 1);
        let prepared = store.set_fuel(limits.fuel).and_then(|()| store.fuel_async_yield_interval(Some(YIELD_EVERY)));
        match prepared {
            Ok(()) => Ok(Run { store, limits: *limits, started, _slot: slot }),
            Err(error) => Err(Call::host_error(format!("{error:#}"))),
        }
    }
}

/// Fuel between two yields to other calls on the same thread: about 30 µs. A call that computes for long holds up its
/// neighbours for no longer than that, at each of the steps that their decisions take.
const YIELD_EVERY: u64 = 50_000;

/// A call under way.
struct Run {
    store: Store<Guest>,
    limits: Limits,
    started: Instant,
    _slot: OwnedSemaphorePermit,
}

impl Run {
    /// Checks and hashes the answer, and settles the accounts.
    fn end<T: Answer>(self, answer: v1::Answered<T>) -> Call<T> {
        let duration = self.started.elapsed();
        let fuel = self.limits.fuel.saturating_sub(self.store.get_fuel().unwrap_or_default());
        let refused = self.store.data().accounts.refused;
        let result = match answer {
            Ok(Ok(Ok(answer))) => accept(answer, &self.limits),
            Ok(Ok(Err(why))) => Err(CallError::BadOutput(why)),
            Ok(Err(failure)) => Err(CallError::Failed(failure.into())),
            Err(error) => Err(self.explain(&error, fuel, refused)),
        };
        let peak_memory = self.store.data().accounts.peak_memory();
        let (log, log_dropped) = self.store.into_data().into_log();
        let (result, output) = match result {
            Ok((answer, output)) => (Ok(answer), Some(output)),
            Err(error) => (Err(error), None),
        };
        Call { result, output, fuel, peak_memory, duration, log, log_dropped }
    }

    fn explain(&self, error: &wasmtime::Error, fuel: u64, refused: Option<&'static str>) -> CallError {
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => CallError::OutOfFuel(fuel),
            Some(Trap::Interrupt) => CallError::Aborted(self.limits.wall_ms),
            trap => match (refused, trap) {
                // Whatever it did next, it did for want of memory.
                (Some(what), _) => CallError::OutOfMemory(what),
                (None, Some(trap)) => CallError::Trapped(trap.to_string()),
                (None, None) => CallError::BadOutput(error.root_cause().to_string()),
            },
        }
    }
}

fn accept<T: Answer>(answer: T, limits: &Limits) -> Result<(T, Output), CallError> {
    answer.check().map_err(CallError::BadOutput)?;
    let text = serde_json::to_string(&answer).map_err(|error| CallError::BadOutput(error.to_string()))?;
    if text.len() as u64 > limits.output_bytes {
        let (size, limit) = (text.len(), limits.output_bytes);
        return Err(CallError::BadOutput(format!("{size} bytes of output, more than the {limit} allowed")));
    }
    let hash = Digest::of(text.as_bytes());
    let json = RawValue::from_string(text).map_err(|error| CallError::BadOutput(error.to_string()))?;
    Ok((answer, Output { json, hash }))
}
