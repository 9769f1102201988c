//! Loading what another host on the same database changed.

use std::sync::Arc;
use std::time::Duration;

use assize_store::StoreError;

use crate::app::{App, SharedApp};
use crate::server::with_components;
use assize_rehearing::World;

/// After a failure: the database may be away for a moment.
const PAUSE: Duration = Duration::from_secs(1);

/// Loads each change when it is heard of, for as long as the host serves.
pub(crate) async fn run(app: SharedApp) {
    let mut changes = app.store.changes();
    while changes.changed().await.is_ok() {
        if let Err(error) = everything(&app).await {
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
    // Compiled before anybody has to wait for it.
    let ready = with_components(World::newest(&app.store).await?, &app.world.load(), &app.store, &app.sandbox).await?;
    let _changing = app.changing.lock().await;
    app.keys.replace(app.store.keys().await?)?;
    let world = World::newest(&app.store).await?.with_plugins_of(&app.world.load()).with_plugins_of(&ready);
    app.world.store(Arc::new(world));
    Ok(())
}
