//! What all handlers share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use assize_rehearing::{Archive, World};
use assize_sandbox::Sandbox;
use assize_store::Store;
use tokio::sync::{Mutex, Notify, Semaphore};

use crate::config::Config;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::signer::Signer;
use crate::simulations::Simulations;
use crate::systems::Systems;

/// How often something is tried that takes long, where what it depends on changes meanwhile: see [`App::changing`].
pub(crate) const TRIES: u8 = 8;

/// The host's state.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) sandbox: Sandbox,
    pub(crate) signer: Signer,
    /// Replaced as a whole, under `changing`.
    pub(crate) world: ArcSwap<World>,
    pub(crate) systems: Systems,
    pub(crate) keys: Keys,
    pub(crate) metrics: Metrics,
    /// Held from reading what is in force to replacing it: two changes would lose one of them. Never while anything is compiled; keys
    /// and systems have their own.
    pub(crate) changing: Mutex<()>,
    /// Versions in `world` are held back until their components are loaded.
    pub(crate) held_back: Notify,
    /// One component compiles at a time: compiling takes a core for seconds.
    pub(crate) compiling: Mutex<()>,
    /// Decisions under way.
    pub(crate) in_flight: Semaphore,
    /// What past decisions are judged again from.
    pub(crate) past: Arc<Archive>,
    /// What is tried under way.
    pub(crate) simulations: Simulations,
}

impl App {
    /// What past decisions are judged again from, with what is loaded for the live ones.
    pub(crate) fn archive(&self) -> &Arc<Archive> {
        self.past.lend(self.world.load_full());
        &self.past
    }
}

pub(crate) type SharedApp = Arc<App>;
