//! Loading what another host on the same database changed: what is withdrawn there is withdrawn here before anything is compiled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use assize_rehearing::World;
use assize_store::StoreError;
use tokio::sync::MutexGuard;
use tokio::task::JoinSet;
use tokio::time::Instant;

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
    Components,
}

/// Loads each change when it is heard of, for as long as the host serves. Each on a task of its own; one that panics begins again.
pub(crate) async fn run(app: SharedApp) {
    let mut tasks = JoinSet::new();
    let start = |tasks: &mut JoinSet<()>, what: What| {
        let app = Arc::clone(&app);
        let task = tasks.spawn(async move {
            match what {
                What::Components => load(&app).await,
                _ => hear(&app, what).await,
            }
        });
        (task.id(), what)
    };
    let all = [What::Systems, What::Keys, What::World, What::Components];
    let mut running: HashMap<_, _> = all.map(|what| start(&mut tasks, what)).into();
    while let Some(ended) = tasks.join_next_with_id().await {
        // Who ends without a panic has nobody left to hear of.
        let Err(error) = ended else { continue };
        tracing::error!(%error, "loading what others changed: it begins again");
        tokio::time::sleep(PAUSE).await;
        if let Some(what) = running.remove(&error.id()) {
            running.extend([start(&mut tasks, what)]);
        }
    }
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
            What::World | What::Components => world(app, &app.changing.lock().await).await,
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
    app.keys.load(app.store.keys().await?);
    Ok(())
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
    let mut due = Instant::now() + again;
    loop {
        let missing = app.world.load().missing();
        if missing.is_empty() {
            again = AGAIN;
            due = Instant::now() + again;
        }
        let wanted = tokio::select! {
            // What is newly active goes first.
            biased;
            () = app.held_back.notified() => app.world.load().held_back(),
            () = tokio::time::sleep_until(due), if !missing.is_empty() => {
                again = LONGEST.min(again * 2);
                due = Instant::now() + again;
                missing
            }
        };
        let mut failed = false;
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
    }
}
