//! Loading what another host on the same database changed: what is withdrawn there is withdrawn here before anything is compiled.

use std::sync::Arc;
use std::time::Duration;

use assize_rehearing::World;
use assize_store::StoreError;
use tokio::sync::MutexGuard;

use crate::app::{App, SharedApp};
use crate::components::component;

/// After a failure: the database may be away for a moment.
const PAUSE: Duration = Duration::from_secs(1);

/// Loads each change when it is heard of, for as long as the host serves.
pub(crate) async fn run(app: SharedApp) {
    tokio::join!(hear(&app), load(&app));
}

async fn hear(app: &App) {
    let mut changes = app.store.changes();
    while changes.changed().await.is_ok() {
        if let Err(error) = everything(app).await {
            tracing::error!(%error, "what another host changed couldn't be loaded: trying again");
            changes.mark_changed();
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Loads the systems with their stops: the kill switch comes first, and a decision that was judged without one waits for
/// it. Only then are decisions told apart from those judged before.
pub(crate) async fn systems(app: &App) -> Result<(), StoreError> {
    let seen = *app.store.changes().borrow();
    if seen.count > 0 {
        app.systems.load(app.store.systems(None).await?)?;
        app.store.applied(seen);
    }
    Ok(())
}

async fn everything(app: &App) -> Result<(), StoreError> {
    systems(app).await?;
    {
        let _changing = app.keys.changing.lock().await;
        app.keys.replace(app.store.keys().await?)?;
    }
    world(app, &app.changing.lock().await).await
}

/// Puts in force what the database holds: policies and withdrawals at once, and a version that serves since as soon as its component
/// is loaded.
pub(crate) async fn world(app: &App, _changing: &MutexGuard<'_, ()>) -> Result<(), StoreError> {
    let world = World::newest(&app.store).await?.after(&app.world.load());
    app.world.store(Arc::new(world));
    app.held_back.notify_one();
    Ok(())
}

/// Loads what is held back, one component after the other: others that serve need the cores more.
async fn load(app: &App) {
    loop {
        app.held_back.notified().await;
        while let Some(digest) = app.world.load().held_back().pop() {
            match component(digest, &app.store, &app.sandbox).await {
                Ok(loaded) => {
                    let _changing = app.changing.lock().await;
                    let world = app.world.load_full();
                    app.world.store(Arc::new(match loaded {
                        Some(plugin) => world.with_plugin(Arc::new(plugin)),
                        None => world.without(digest),
                    }));
                }
                Err(error) => {
                    tracing::error!(%digest, %error, "a component couldn't be read: trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
