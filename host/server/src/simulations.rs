//! Simulations under way: one after the other, kept on disk as they go, so that a host that was stopped goes on with them.
//!
//! What is under way is no evidence and stays beside the database; what came out is an entry of the ledger.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use assize_ledger::Timestamp;
use assize_registry::inspect;
use assize_rehearing::simulation::{CaseFile, Mapping, Simulation, SimulationError, Specification, State};
use assize_rehearing::unpublished;
use assize_store::{Change, ChangeDraft, Outcome};
use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{AcquireError, Notify, Semaphore, watch};

use crate::app::{App, SharedApp};
use crate::pipeline::details;
use crate::signer::replace;

/// How often what is under way is kept: what is lost by a crash is judged once more.
const KEEP_EVERY: Duration = Duration::from_secs(2);
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// Simulations that may wait or be under way.
const MOST: usize = 100;
/// Those of one tenant, or of the host's keys: nobody takes the places of all others.
const MOST_OF_ONE: usize = 10;

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    /// Whose decisions; none for those of all tenants.
    pub(crate) tenant: Option<String>,
    /// Whose the simulation is; none for the host's.
    pub(crate) owner: Option<String>,
    pub(crate) key: String,
    pub(crate) role: String,
    pub(crate) specification: Specification,
    /// Set where cases were sent, which lie in a file beside it.
    pub(crate) mapping: Option<Mapping>,
    /// Whether a component lies beside it that isn't published.
    pub(crate) component: bool,
}

/// Where a simulation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    Waiting,
    Running,
    Done,
    Cancelled,
    Failed,
}

/// How far a simulation is.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Progress {
    pub(crate) id: String,
    pub(crate) stage: Stage,
    /// Cases counted.
    pub(crate) done: u64,
    /// Cases that there are, where that is known.
    pub(crate) total: Option<u64>,
    /// Whole percents; 100 once it is done.
    pub(crate) percent: Option<u64>,
    /// Those that would come out otherwise.
    pub(crate) flips: u64,
    /// Cases a second.
    pub(crate) rate: u64,
    /// Seconds left, at that rate.
    pub(crate) left_seconds: Option<u64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// The entry that holds the report, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<u64>,
}

impl Progress {
    fn of(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            stage: Stage::Waiting,
            done: 0,
            total: None,
            percent: None,
            flips: 0,
            rate: 0,
            left_seconds: None,
            error: None,
            seq: None,
        }
    }
}

#[derive(Clone)]
struct Running {
    owner: Option<String>,
    told: watch::Sender<Progress>,
    fate: Arc<Fate>,
    /// Of its owner: all of an owner's that are kept here share it.
    turn: Arc<Semaphore>,
}

impl Running {
    fn is_open(&self) -> bool {
        matches!(self.told.borrow().stage, Stage::Waiting | Stage::Running)
    }
}

/// Whether it is to be recorded: settled once, so that what was cancelled is never found on record.
#[derive(Default)]
struct Fate {
    settled: AtomicU8,
    cancelled: Notify,
}

impl Fate {
    const OPEN: u8 = 0;
    const RECORDED: u8 = 1;
    const CANCELLED: u8 = 2;

    /// Whether this is how it ends.
    fn settle(&self, how: u8) -> bool {
        self.settled.compare_exchange(Self::OPEN, how, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// All that wait or are under way, and those that ended since the host started without a report.
pub(crate) struct Simulations {
    folder: PathBuf,
    running: Mutex<BTreeMap<String, Running>>,
    /// One at a time: live decisions go on beside it.
    turn: Semaphore,
}

/// Why a simulation isn't begun or ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error("{MOST} simulations of all tenants wait already: cancel some, or try again later")]
    Full,
    #[error("{MOST_OF_ONE} of your own simulations wait or run already: cancel some, or try again when one has ended")]
    FullOfOwn,
    #[error("keeping the simulation: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    #[error("{0}")]
    Other(String),
}

impl Simulations {
    pub(crate) fn new(data: &Path) -> Self {
        Self { folder: data.join("simulations"), running: Mutex::default(), turn: Semaphore::new(1) }
    }

    /// How far one of a tenant's (none: any) is, if it waits, is under way or ended without a report.
    pub(crate) fn find(&self, tenant: Option<&str>, id: &str) -> Option<watch::Receiver<Progress>> {
        let running = self.running.lock();
        let found = running.get(id).filter(|job| tenant.is_none() || job.owner.as_deref() == tenant);
        found.map(|job| job.told.subscribe())
    }

    /// All of a tenant's (none: of all), newest first.
    pub(crate) fn all(&self, tenant: Option<&str>) -> Vec<Progress> {
        let running = self.running.lock();
        let mine = running.values().rev().filter(|job| tenant.is_none() || job.owner.as_deref() == tenant);
        mine.map(|job| job.told.borrow().clone()).collect()
    }

    /// Ends one of a tenant's (none: of any); false where there is none that could be ended.
    pub(crate) fn cancel(&self, tenant: Option<&str>, id: &str) -> bool {
        let running = self.running.lock();
        let found = running.get(id).filter(|job| tenant.is_none() || job.owner.as_deref() == tenant);
        found.is_some_and(|job| {
            let cancelled = job.is_open() && job.fate.settle(Fate::CANCELLED);
            if cancelled {
                job.fate.cancelled.notify_one();
            }
            cancelled
        })
    }

    fn file(&self, id: &str, name: &str) -> PathBuf {
        self.folder.join(id).join(name)
    }

    /// Whether one more of an owner's may wait.
    pub(crate) fn check_room(&self, owner: Option<&str>) -> Result<(), JobError> {
        room(&self.running.lock(), owner)
    }

    /// Takes one in, where there is room.
    fn take_new(&self, job: &Job) -> Result<Running, JobError> {
        let mut running = self.running.lock();
        room(&running, job.owner.as_deref())?;
        Ok(take(&mut running, job))
    }

    fn forget(&self, id: &str) {
        if let Err(error) = fs::remove_dir_all(self.folder.join(id)) {
            tracing::warn!(%error, id, "what is left of a simulation can't be removed");
        }
    }
}

/// Takes one in; of those that ended without a report, the oldest go.
fn take(running: &mut BTreeMap<String, Running>, job: &Job) -> Running {
    let (told, _) = watch::channel(Progress::of(&job.id));
    let turn = running.values().find(|other| other.owner == job.owner).map(|other| Arc::clone(&other.turn));
    let turn = turn.unwrap_or_else(|| Arc::new(Semaphore::new(1)));
    let taken = Running { owner: job.owner.clone(), told, fate: Arc::default(), turn };
    running.insert(job.id.clone(), taken.clone());
    let ended: Vec<String> = running.iter().filter(|(_, job)| !job.is_open()).map(|(id, _)| id.clone()).collect();
    for id in ended.iter().take(ended.len().saturating_sub(MOST)) {
        running.remove(id);
    }
    taken
}

/// Whether there is room for one more of an owner's.
fn room(running: &BTreeMap<String, Running>, owner: Option<&str>) -> Result<(), JobError> {
    let open = || running.values().filter(|job| job.is_open());
    if open().filter(|job| job.owner.as_deref() == owner).count() >= MOST_OF_ONE {
        return Err(JobError::FullOfOwn);
    }
    if open().count() >= MOST { Err(JobError::Full) } else { Ok(()) }
}

/// Keeps what was asked for, and begins it when its turn comes. `cases` are JSON lines.
pub(crate) async fn begin(
    app: &SharedApp,
    job: Job,
    cases: Option<Vec<u8>>,
    component: Option<Bytes>,
) -> Result<Progress, JobError> {
    let simulations = &app.simulations;
    simulations.check_room(job.owner.as_deref())?;
    let bytes = serde_json::to_vec(&job).map_err(|error| JobError::Other(error.to_string()))?;
    let folder = simulations.folder.join(&job.id);
    blocking(move || {
        fs::create_dir_all(&folder)?;
        if let Some(cases) = cases {
            replace(&folder.join("cases.jsonl"), cases)?;
        }
        if let Some(component) = component {
            replace(&folder.join("component.wasm"), component)?;
        }
        // The last one: a folder without it was never begun.
        replace(&folder.join("job.json"), bytes)
    })
    .await?;
    // Others may have come in while it was written.
    let taken = simulations.take_new(&job).inspect_err(|_| simulations.forget(&job.id))?;
    Ok(start(app, job, taken))
}

/// Goes on with what a host before this one left.
pub(crate) fn resume(app: &SharedApp) {
    let Ok(folders) = fs::read_dir(&app.simulations.folder) else { return };
    let mut ids: Vec<String> = folders.flatten().filter_map(|folder| folder.file_name().into_string().ok()).collect();
    ids.sort_unstable();
    for id in ids {
        let job = fs::read(app.simulations.file(&id, "job.json")).ok();
        match job.and_then(|job| serde_json::from_slice::<Job>(&job).ok()).filter(|job| job.id == id) {
            Some(job) => {
                tracing::info!(id, "going on with a simulation");
                // Whether there is room or not: it was taken in before.
                let taken = take(&mut app.simulations.running.lock(), &job);
                start(app, job, taken);
            }
            None => app.simulations.forget(&id),
        }
    }
}

fn start(app: &SharedApp, job: Job, taken: Running) -> Progress {
    let progress = taken.told.borrow().clone();
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let id = job.id.clone();
        // What is cancelled ends where it is, and its tasks with it.
        let ran = tokio::select! {
            ran = run(&app, job, &taken) => ran,
            () = taken.fate.cancelled.notified() => Ok(None),
        };
        let (stage, error, seq) = match ran {
            Ok(Some(seq)) => (Stage::Done, None, Some(seq)),
            Ok(None) => (Stage::Cancelled, None, None),
            Err(error) => {
                tracing::warn!(%error, id, "a simulation failed");
                (Stage::Failed, Some(error.to_string()), None)
            }
        };
        app.simulations.forget(&id);
        taken.told.send_modify(|progress| {
            progress.stage = stage;
            progress.error = error;
            progress.seq = seq;
            progress.left_seconds = None;
            if stage == Stage::Done {
                progress.percent = Some(100);
            }
        });
        if stage == Stage::Done {
            // It is in the store now.
            app.simulations.running.lock().remove(&id);
        }
    });
    progress
}

/// Runs to the end and records it; none where it was cancelled.
async fn run(app: &App, job: Job, taken: &Running) -> Result<Option<u64>, JobError> {
    let closed = |error: AcquireError| JobError::Other(error.to_string());
    // One of each owner's waits for the host's turn, first come, first served: owners take turns, however many one has.
    let _own = taken.turn.acquire().await.map_err(closed)?;
    let _turn = app.simulations.turn.acquire().await.map_err(closed)?;
    let state_file = app.simulations.file(&job.id, "state.json");
    let state = fs::read(&state_file).ok().and_then(|state| serde_json::from_slice::<State>(&state).ok());
    let mut simulation = prepare(app, &job, state).await?;
    let (started, before) = (Instant::now(), simulation.state().tally.cases);
    let (mut kept, mut shown) = (started, None::<Instant>);
    loop {
        let more = simulation.step().await?;
        if shown.is_none_or(|shown| shown.elapsed() >= TELL_EVERY) || !more {
            shown = Some(Instant::now());
            tell(&taken.told, simulation.state(), before, started.elapsed());
        }
        if !more {
            break;
        }
        if kept.elapsed() >= KEEP_EVERY {
            let bytes = serde_json::to_vec(simulation.state()).map_err(|error| JobError::Other(error.to_string()))?;
            let file = state_file.clone();
            blocking(move || replace(&file, bytes)).await?;
            kept = Instant::now();
        }
    }
    let report = serde_json::to_vec(&simulation.report()).map_err(|error| JobError::Other(error.to_string()))?;
    let (cases, flips) = (simulation.state().tally.cases, simulation.state().tally.flips);
    let draft = ChangeDraft {
        tenant: job.owner.clone(),
        time: Timestamp::now(),
        details: details([
            ("key", &job.key),
            ("role", &job.role),
            ("cases", &cases.to_string()),
            ("flips", &flips.to_string()),
            ("judging_ms", &simulation.took().as_millis().to_string()),
        ]),
        confidential: BTreeMap::new(),
        input: None,
        change: Change::Simulation { id: job.id.clone(), report },
    };
    if !taken.fate.settle(Fate::RECORDED) {
        return Ok(None);
    }
    let seq = match app.store.change(draft).await.map_err(|error| JobError::Other(error.to_string()))? {
        Outcome::Appended(appended) => appended.seq,
        // A host that went away between recording and tidying up.
        Outcome::Existing(_) => {
            let found = app.store.simulation(None, &job.id).await;
            found.ok().flatten().map_or(0, |(seq, _)| seq)
        }
    };
    Ok(Some(seq))
}

async fn prepare(app: &App, job: &Job, state: Option<State>) -> Result<Simulation, JobError> {
    let archive = Arc::clone(app.archive());
    let (specification, tenant) = (job.specification.clone(), job.tenant.clone());
    if let Some(mapping) = &job.mapping {
        let file = fs::File::open(app.simulations.file(&job.id, "cases.jsonl"))?;
        let file = CaseFile::json_lines(BufReader::new(file));
        let tenant = tenant.unwrap_or_default();
        return Ok(Simulation::over_file(archive, specification, tenant, file, mapping.clone(), state).await?);
    }
    let mut extra = HashMap::new();
    if job.component {
        let bytes: Arc<[u8]> = fs::read(app.simulations.file(&job.id, "component.wasm"))?.into();
        let package = inspect(&bytes).map_err(|error| JobError::Other(error.to_string()))?;
        let _compiling = app.compiling.lock().await;
        let plugin = app.sandbox.load_bounded(bytes, app.config.compile_timeout).await;
        archive.keep(Arc::new(plugin.map_err(|error| JobError::Other(error.to_string()))?));
        extra.extend([unpublished(&package.manifest, package.digest)]);
    }
    Ok(Simulation::over_decisions(archive, specification, tenant, extra, state).await?)
}

/// Writes off the threads that serve.
async fn blocking(write: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), JobError> {
    let written = tokio::task::spawn_blocking(write).await;
    Ok(written.map_err(|error| JobError::Other(error.to_string()))??)
}

fn tell(told: &watch::Sender<Progress>, state: &State, before: u64, took: Duration) {
    let done = state.tally.cases;
    let rate = (done.saturating_sub(before)) as f64 / took.as_secs_f64().max(1e-9);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shown to people")]
    told.send_modify(|progress| {
        progress.stage = Stage::Running;
        progress.done = done;
        progress.total = state.total;
        progress.percent = state.total.map(|total| (done * 100).checked_div(total).unwrap_or(100).min(99));
        progress.flips = state.tally.flips;
        progress.rate = rate as u64;
        let left = state.total.map(|total| total.saturating_sub(done) as f64 / rate.max(f64::MIN_POSITIVE));
        progress.left_seconds = left.filter(|left| *left < 1e9).map(|left| left.ceil() as u64);
    });
}
