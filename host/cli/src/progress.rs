//! Progress on stderr, for people who wait.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How far something is, at what rate, and how long it will take.
pub(crate) struct Meter {
    what: &'static str,
    shown: Option<Instant>,
    started: Instant,
    watched: bool,
}

/// What is over sooner needs no meter.
const WORTH_SHOWING: Duration = Duration::from_millis(500);

impl Meter {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, shown: None, started: Instant::now(), watched: io::stderr().is_terminal() }
    }

    pub(crate) fn show(&mut self, done: u64, total: u64) {
        let due = self.shown.map_or(self.started + WORTH_SHOWING, |shown| shown + Duration::from_millis(100));
        if !self.watched || Instant::now() < due {
            return;
        }
        self.shown = Some(Instant::now());
        let percent = done.saturating_mul(100) / total.max(1);
        let rate = done as f64 / self.started.elapsed().as_secs_f64();
        let left = total.saturating_sub(done) as f64 / rate.max(f64::MIN_POSITIVE);
        let left = if left < 1e7 { format!("{left:.0} s left") } else { "…".to_owned() };
        // Progress that can't be shown is no reason to stop.
        let _ = write!(io::stderr(), "\r{} {done} of {total} ({percent} %, {rate:.0}/s, {left})\x1b[K", self.what);
    }

    pub(crate) fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
