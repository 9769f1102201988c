//! Loading what another host on the same database changed: what is withdrawn there is withdrawn here before anything is compiled.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use assize_rehearing::World;
use assize_store::StoreError;
use tokio::sync::MutexGuard;

use crate::app::{App, SharedApp};
use crate::components::component;

/// After a failure: the database may be away for a moment.
const PAUSE: Duration = Duration::from_secs(1);
/// A component that can't be loaded is tried again after this, and then after twice as long each time, up to the longest.
const AGAIN: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(1);

/// What is loaded by itself: none of it waits for another.
#[derive(Debug, Clone, Copy)]
enum What {
    Systems,
    Keys,
    World,
}

/// Loads each change when it is heard of, for as long as the host serves.
pub(crate) async fn run(app: SharedApp) {
    tokio::join!(hear(&app, What::Systems), hear(&app, What::Keys), hear(&app, What::World), load(&app));
}

async fn hear(app: &App, what: What) {
    let mut changes = app.store.changes();
    // What was heard of while the host started.
    if changes.borrow().count > 0 {
        changes.mark_changed();
    }
    while changes.changed().await.is_ok() {
        let loaded = match what {
            What::Systems => systems(app).await,
            What::Keys => keys(app).await,
            What::World => world(app, &app.changing.lock().await).await,
        };
        if let Err(error) = loaded {
            tracing::error!(%error, ?what, "what another host changed couldn't be loaded: trying again");
            changes.mark_changed();
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Loads the systems with their stops. Only then are decisions told apart from those judged before: one that was judged without
/// another host's stop waits for that.
pub(crate) async fn systems(app: &App) -> Result<(), StoreError> {
    let seen = *app.store.changes().borrow();
    if seen.count > 0 {
        app.systems.load(app.store.systems(None).await?)?;
        app.store.applied(seen);
    }
    Ok(())
}

async fn keys(app: &App) -> Result<(), StoreError> {
    let _changing = app.keys.changing.lock().await;
    app.keys.load(app.store.keys().await?)
}

/// Puts in force what the database holds: policies and withdrawals at once, and a version that serves since as soon as its component
/// is loaded.
pub(crate) async fn world(app: &App, _changing: &MutexGuard<'_, ()>) -> Result<(), StoreError> {
    let world = World::newest(&app.store).await?.after(&app.world.load());
    app.world.store(Arc::new(world));
    app.held_back.notify_one();
    Ok(())
}

/// Loads what is held back, one component after the other: others that serve need the cores more. What can't be loaded is tried again
/// later, since that may have been the host's fault.
async fn load(app: &App) {
    let mut again = AGAIN;
    loop {
        let missing = !app.world.load().missing().is_empty();
        tokio::select! {
            () = app.held_back.notified() => {}
            () = tokio::time::sleep(again), if missing => again = LONGEST.min(again * 2),
        }
        let mut failed = false;
        let wanted: BTreeSet<_> = {
            let world = app.world.load();
            world.held_back().into_iter().chain(world.missing()).collect()
        };
        for digest in wanted {
            let loaded = match component(digest, &app.store, &app.sandbox, app.config.compile_timeout).await {
                Ok(loaded) => loaded,
                Err(error) => {
                    tracing::error!(%digest, %error, "a component couldn't be read: trying again");
                    failed = true;
                    continue;
                }
            };
            let _changing = app.changing.lock().await;
            let world = app.world.load_full();
            app.world.store(Arc::new(match loaded {
                Some(plugin) => world.with_plugin(Arc::new(plugin)),
                None => world.without(digest),
            }));
        }
        if failed {
            tokio::time::sleep(PAUSE).await;
            app.held_back.notify_one();
        }
        if app.world.load().missing().is_empty() {
            again = AGAIN;
        }
    }
}
