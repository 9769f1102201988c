//! A compiled plugin, and calling it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use assize_ledger::{Digest, Timestamp};
use serde_json::value::to_raw_value;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::{Component, Instance};
use wasmtime::{Engine, Store, Trap};

use crate::call::{Answer, Call, CallError, Output};
use crate::compiled::InUse;
use crate::contract::{Assessment, Case, Effect, Failure, Outcome, Risk, Ruling};
use crate::engine::{Inner, Sandbox};
use crate::exported::{Exported, Kind, Since};
use crate::guest::Guest;
use crate::json::{self, JsonError};
use crate::limits::Limits;
use crate::{since_v1_0_0 as v1, since_v1_1_0 as v1_1};

/// A compiled plugin, ready to be called any number of times from any thread.
pub struct Plugin {
    sandbox: Arc<Inner>,
    kind: Kind,
    since: Since,
    exports: v1::Exports,
    digest: Digest,
    uses_wasi: bool,
    /// Nanoseconds: a moving average over calls that answered.
    typical: AtomicU64,
    /// Its compiled form stays on disk as long as it is loaded.
    _in_use: Option<Arc<InUse>>,
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
        "the component exports {0}; a plugin exports exactly one of assessor, adjudicator or planner of assize:plugin, \
         version 1.0.0 or 1.1.0"
    )]
    Exports(String),
    /// An instance of it can't even be started within its limits.
    #[error(
        "the component can't be started within its limits: {0}; raise them in the manifest, or do less at the start"
    )]
    Start(CallError),
    /// Compiling took too long.
    #[error(
        "compiling took longer than {0:?}: split the component, make it smaller, or give it longer (serve --compile-seconds)"
    )]
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

/// What the risk agents said, on its way through the rules, with what all of these need made once.
pub struct Advice {
    risk: Risk,
    v1: OnceLock<v1::Risk>,
}

impl Advice {
    /// Takes what they said.
    pub const fn new(risk: Risk) -> Self {
        Self { risk, v1: OnceLock::new() }
    }

    /// What they said.
    pub fn into_risk(self) -> Risk {
        self.risk
    }

    fn v1(&self) -> &v1::Risk {
        self.v1.get_or_init(|| v1::lower_risk(&self.risk))
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
        let Exported { kind, since, name } = Exported::by(&self.inner.engine, component)?;
        let linked = self.inner.linker.instantiate_pre(component).map_err(LoadError::Contract)?;
        let exports = v1::Exports::find(linked, &name, kind.function()).map_err(LoadError::Contract)?;
        let (sandbox, typical) = (Arc::clone(&self.inner), AtomicU64::new(0));
        Ok(Plugin { sandbox, kind, since, exports, digest, uses_wasi, typical, _in_use: in_use })
    }
}

fn imports_wasi(engine: &Engine, component: &Component) -> bool {
    component.component_type().imports(engine).any(|(name, _)| name.starts_with("wasi:"))
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
    pub const fn contract(&self) -> &'static str {
        self.since.version()
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

    /// What is asked of a plugin that somebody publishes: that an instance starts within its limits, and that what it exports
    /// has the contract's types.
    pub async fn probe(&self, limits: &Limits) -> Result<(), LoadError> {
        let (mut run, started) = self.start(limits).await?;
        match self.since {
            Since::V1_0_0 => v1::fits::<v1::OwnFailure>(self.kind, &self.exports, &mut run.store, started),
            Since::V1_1_0 => v1::fits::<v1_1::Failure>(self.kind, &self.exports, &mut run.store, started),
        }
        .map_err(LoadError::Contract)
    }

    /// Starts an instance and holds it, without calling anything: to find out what one takes.
    pub async fn hold(&self, limits: &Limits) -> Result<Held, LoadError> {
        self.start(limits).await.map(|(run, _)| Held { _run: run })
    }

    async fn start(&self, limits: &Limits) -> Result<(Run, Instance), LoadError> {
        let mut run = match self.begin::<()>(None, limits).await {
            Ok(run) => run,
            Err(refused) => return Err(refused.result.err().map_or_else(nothing_began, LoadError::Start)),
        };
        match v1::start(&self.exports, &mut run.store).await {
            Ok(started) => Ok((run, started)),
            Err(error) => Err(run.end::<()>(Err(error)).result.err().map_or_else(nothing_began, LoadError::Start)),
        }
    }

    /// Asks the plugin whether it can work with these settings.
    pub async fn validate_settings(&self, settings: &Settings, limits: &Limits) -> Call<()> {
        let mut run = match self.begin(None, limits).await {
            Ok(run) => run,
            Err(refused) => return refused,
        };
        let deadline = run.deadline();
        let (kind, exports, store, settings) = (self.kind, &self.exports, &mut run.store, &settings.0);
        let answer = match self.since {
            Since::V1_0_0 => within(deadline, v1::validate::<v1::OwnFailure>(kind, exports, store, settings)).await,
            Since::V1_1_0 => within(deadline, v1::validate::<v1_1::Failure>(kind, exports, store, settings)).await,
        };
        run.end(answer)
    }

    /// Asks a risk agent.
    pub async fn assess(&self, settings: &Settings, subject: &Subject, limits: &Limits) -> Call<Assessment> {
        let mut run = match self.begin_as(Kind::RiskAgent, subject, limits).await {
            Ok(run) => run,
            Err(refused) => return refused,
        };
        let deadline = run.deadline();
        let (exports, store, settings, case) = (&self.exports, &mut run.store, &settings.0, subject.v1());
        let answer = match self.since {
            Since::V1_0_0 => within(deadline, v1::assess::<v1::OwnFailure>(exports, store, settings, case)).await,
            Since::V1_1_0 => within(deadline, v1::assess::<v1_1::Failure>(exports, store, settings, case)).await,
        };
        run.end_of(self, answer)
    }

    /// Asks a compliance rule.
    pub async fn rule(&self, settings: &Settings, subject: &Subject, advice: &Advice, limits: &Limits) -> Call<Ruling> {
        let mut run = match self.begin_as(Kind::ComplianceRule, subject, limits).await {
            Ok(run) => run,
            Err(refused) => return refused,
        };
        let deadline = run.deadline();
        let (exports, store, settings) = (&self.exports, &mut run.store, &settings.0);
        let (case, risk) = (subject.v1(), advice.v1());
        let answer = match self.since {
            Since::V1_0_0 => within(deadline, v1::rule::<v1::OwnFailure>(exports, store, settings, case, risk)).await,
            Since::V1_1_0 => within(deadline, v1::rule::<v1_1::Failure>(exports, store, settings, case, risk)).await,
        };
        run.end_of(self, answer)
    }

    /// Asks an action for its plan.
    pub async fn plan(
        &self,
        settings: &Settings,
        subject: &Subject,
        outcome: &Outcome,
        limits: &Limits,
    ) -> Call<Vec<Effect>> {
        let mut run = match self.begin_as(Kind::Action, subject, limits).await {
            Ok(run) => run,
            Err(refused) => return refused,
        };
        let deadline = run.deadline();
        let (exports, store, settings, case) = (&self.exports, &mut run.store, &settings.0, subject.v1());
        let answer = match self.since {
            Since::V1_0_0 => {
                within(deadline, v1::plan::<v1::OwnFailure>(exports, store, settings, case, outcome)).await
            }
            Since::V1_1_0 => within(deadline, v1::plan::<v1_1::Failure>(exports, store, settings, case, outcome)).await,
        };
        run.end_of(self, answer)
    }

    /// Like [`Plugin::begin`], where the plugin is of this kind.
    async fn begin_as<T>(&self, kind: Kind, subject: &Subject, limits: &Limits) -> Result<Run, Call<T>> {
        if self.kind != kind {
            return Err(Call::host_error(format!("{self:?} exports no {}", kind.interface())));
        }
        self.begin(Some(subject), limits).await
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
        let prepared = store.set_fuel(limits.fuel).and_then(|()| store.fuel_async_yield_interval(Some(YIELD_EVERY)));
        match prepared {
            Ok(()) => Ok(Run { store, limits: *limits, started, _slot: slot }),
            Err(error) => Err(Call::host_error(format!("{error:#}"))),
        }
    }
}

/// A call that came to nothing has its error with it; should it not, it is the host's fault all the same.
fn nothing_began() -> LoadError {
    LoadError::Start(CallError::Host("an instance neither started nor failed".into()))
}

/// An instance that was started, and ends when this is dropped.
pub struct Held {
    _run: Run,
}

/// Fuel between two yields to other calls on the same thread: about 30 µs. A call that computes for long holds up its
/// neighbours for no longer than that, at each of the steps that their decisions take.
const YIELD_EVERY: u64 = 50_000;

/// Waits for a call until the deadline. The clock is read where the call yields, every [`YIELD_EVERY`] units of fuel: whatever
/// a guest does without end costs fuel. What goes on is ended as by [`Trap::Interrupt`].
async fn within<T>(deadline: Option<Instant>, call: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    let mut call = pin!(call);
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Pending if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
            Poll::Ready(Err(Trap::Interrupt.into()))
        }
        polled => polled,
    })
    .await
}

/// A call under way.
struct Run {
    store: Store<Guest>,
    limits: Limits,
    started: Instant,
    _slot: OwnedSemaphorePermit,
}

impl Run {
    /// None where it is beyond what the clock can say.
    fn deadline(&self) -> Option<Instant> {
        self.started.checked_add(Duration::from_millis(self.limits.wall_ms))
    }

    /// Ends the call.
    fn end<T: Answer>(self, answer: v1::Answered<T>) -> Call<T> {
        let duration = self.started.elapsed();
        self.settle(answer, duration)
    }

    /// The same for a call that judged or planned, from which is learnt how long those of the plugin take.
    fn end_of<T: Answer>(self, plugin: &Plugin, answer: v1::Answered<T>) -> Call<T> {
        let duration = self.started.elapsed();
        plugin.learn(duration);
        self.settle(answer, duration)
    }

    /// Checks and hashes the answer, and settles the accounts.
    fn settle<T: Answer>(self, answer: v1::Answered<T>, duration: Duration) -> Call<T> {
        let fuel = self.limits.fuel.saturating_sub(self.store.get_fuel().unwrap_or_default());
        let refused = self.store.data().accounts.refused;
        let result = match answer {
            Ok(Ok(Ok(answer))) => accept(answer, &self.limits),
            Ok(Ok(Err(why))) => Err(CallError::BadOutput(why)),
            Ok(Err(Failure::Abstains(why))) => Err(CallError::Abstained(why)),
            Ok(Err(failure)) => Err(CallError::Failed(failure)),
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
    let json = to_raw_value(&answer).map_err(|error| CallError::BadOutput(error.to_string()))?;
    let text = json.get();
    if text.len() as u64 > limits.output_bytes {
        let (size, limit) = (text.len(), limits.output_bytes);
        return Err(CallError::BadOutput(format!("{size} bytes of output, more than the {limit} allowed")));
    }
    let hash = Digest::of(text.as_bytes());
    Ok((answer, Output { json, hash }))
}
