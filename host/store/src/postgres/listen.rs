//! Hearing of other hosts' changes at once, and not only when this host next writes.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use tokio::task::JoinHandle;

use super::writer::CHANNEL;
use crate::changes::Others;

const PAUSE: Duration = Duration::from_secs(1);

/// A task that listens until this is dropped.
#[derive(Debug)]
pub(crate) struct Listener(JoinHandle<()>);

impl Listener {
    /// `host` is the name by which this host tells of its own changes, which it need not hear of.
    pub(crate) fn start(options: PgConnectOptions, readers: PgPool, host: String, others: Arc<Others>) -> Self {
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.connect_lazy_with(options);
        Self(tokio::spawn(async move {
            loop {
                if let Err(error) = listen(&pool, &readers, &host, &others).await {
                    tracing::warn!(%error, "listening for other hosts' changes");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn listen(pool: &PgPool, readers: &PgPool, host: &str, others: &Others) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    let mut own = false;
    loop {
        if !own {
            // What was told before anybody listened, or while the connection was broken, counts too.
            let epoch: i64 = sqlx::query_scalar("SELECT halt_epoch FROM head").fetch_one(readers).await?;
            others.changed(u64::try_from(epoch).unwrap_or_default());
        }
        own = match listener.try_recv().await? {
            Some(heard) => heard.payload() == host,
            None => return Ok(()),
        };
    }
}
