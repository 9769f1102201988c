//! Evidence from outside: authorities that stamp checkpoints with their time, witnesses that sign them, anchors that keep
//! them where we can't reach.
//!
//! What the host says of itself, it could have said differently. Each of these makes that impossible for all that came
//! before, so each runs by itself, is tried again until it succeeds, and says aloud when it doesn't.

mod anchors;
mod http;
mod stamping;
mod witnessing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assize_ledger::VerifierKey;
use assize_ledger::timestamp::Trust;

use crate::app::SharedApp;

/// Who outside is asked, and how often.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Authorities that stamp times (RFC 3161).
    pub authorities: Vec<Authority>,
    /// Witnesses (C2SP tlog-witness): asked for each new checkpoint.
    pub witnesses: Vec<Witness>,
    /// Where checkpoints are kept.
    pub anchors: Vec<Anchor>,
    /// How often authorities and anchors get the newest checkpoint.
    pub period: Duration,
}

/// An authority that stamps times.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Its address; also its name in the ledger.
    pub url: String,
    /// What its tokens must be signed by.
    pub trust: Arc<Trust>,
}

/// A witness.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Its address, without `/add-checkpoint`.
    pub url: String,
    /// Its key.
    pub key: VerifierKey,
}

/// Where checkpoints are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// A file that only grows.
    File(PathBuf),
    /// An address that takes them by POST.
    Url(String),
}

impl Default for Outside {
    fn default() -> Self {
        Self { authorities: Vec::new(), witnesses: Vec::new(), anchors: Vec::new(), period: Duration::from_hours(1) }
    }
}

/// The first pause after a failure; each one after that is twice as long, up to the period.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// Runs all of them until they are aborted.
pub(crate) fn spawn(app: &SharedApp) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    let outside = &app.config.outside;
    for authority in outside.authorities.clone() {
        tasks.spawn(stamping::run(Arc::clone(app), authority));
    }
    for witness in outside.witnesses.clone() {
        tasks.spawn(witnessing::run(Arc::clone(app), witness));
    }
    for anchor in outside.anchors.clone() {
        tasks.spawn(anchors::run(Arc::clone(app), anchor));
    }
    tasks
}

/// What was tried, and how long to wait before trying again.
struct Tries {
    what: String,
    period: Duration,
    pause: Duration,
}

impl Tries {
    fn new(what: String, period: Duration) -> Self {
        Self { what, period, pause: FIRST_PAUSE.min(period) }
    }

    /// Says aloud how it went, and waits for the next time.
    async fn settle(&mut self, app: &SharedApp, outcome: Result<(), String>) {
        app.metrics.outside(&self.what, outcome.is_ok());
        match outcome {
            Ok(()) => {
                self.pause = FIRST_PAUSE.min(self.period);
                tokio::time::sleep(self.period).await;
            }
            Err(error) => {
                tracing::error!(what = self.what, error, again_in = ?self.pause, "no evidence from outside");
                tokio::time::sleep(self.pause).await;
                self.pause = (self.pause * 2).min(self.period.max(FIRST_PAUSE));
            }
        }
    }
}
