//! Starting, serving, stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use assize_sandbox::{Sandbox, SandboxConfig, SandboxError};
use assize_store::{Options, Reader, Starting, Store, StoreError};
use futures::future::{BoxFuture, LocalBoxFuture};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, Semaphore};

use crate::app::{App, SharedApp};
use crate::around::Around;
use crate::bootstrap::{self, BootstrapError};
use crate::components::with_components;
use crate::config::Config;
use crate::connections;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::routes;
use crate::signer::{SignError, Signer};
use crate::simulations::{self, Simulations};
use crate::systems::Systems;
use assize_rehearing::{Archive, World};

/// A host that is ready to serve.
pub struct Server {
    app: SharedApp,
    listener: TcpListener,
    address: SocketAddr,
    admin_key: Option<String>,
}

/// Why a server doesn't start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    #[error("can't make the data directory {}: {error}", path.display())]
    Data { path: std::path::PathBuf, error: std::io::Error },
    #[error("can't listen on {address}: {error}")]
    Listen { address: SocketAddr, error: std::io::Error },
}

impl Server {
    /// Opens the store, loads what is in force and listens; an empty data directory gets its beginning.
    pub fn open(config: Config) -> LocalBoxFuture<'static, Result<Self, StartError>> {
        Box::pin(async move {
            let started = Instant::now();
            // Several hosts may begin one database: each finds it empty, or whole.
            let starting = match &config.database {
                Some(url) => Some(Starting::wait(url).await?),
                None => None,
            };
            let options = Options { max_bytes: config.max_database, ..Options::default() };
            let origin = match &config.origin {
                Some(origin) => origin.clone(),
                None => kept_origin(&config).await?.unwrap_or_else(|| Config::ORIGIN.to_owned()),
            };
            std::fs::create_dir_all(&config.data)
                .map_err(|error| StartError::Data { path: config.data.clone(), error })?;
            let store = match &config.database {
                Some(url) => options.open_postgres(url, &origin).await?,
                None => options.open(&config.data, &origin).await?,
            };
            let signer = Signer::open(store.clone(), &origin, &config.data, &config.log_key).await?;
            let sandbox = Sandbox::new(SandboxConfig {
                compiled: config.compiled.clone(),
                compiler: config.compiler.clone(),
                ..SandboxConfig::default()
            })?;
            let keys = Keys::new(config.app_requests_per_minute);
            let rows = store.keys().await?;
            let fresh = rows.is_empty();
            keys.load(rows);
            let systems = Systems::default();
            systems.load(store.systems(None).await?)?;
            let world = World::newest(&store).await?;
            let world = with_components(world, &store, &sandbox, config.compile_timeout).await?;
            let (config, in_flight) = (config.clone(), Semaphore::new(config.max_in_flight));
            // A store derefs to its reader.
            let past = Arc::new(Archive::new(Reader::clone(&store), sandbox.clone()));
            let simulations = Simulations::new(&config.data);
            let app = Arc::new(App {
                config,
                store,
                sandbox,
                past,
                simulations,
                signer,
                world: ArcSwap::from_pointee(world),
                systems,
                keys,
                metrics: Metrics::new(),
                changing: Mutex::new(()),
                held_back: Notify::new(),
                compiling: Mutex::new(()),
                in_flight,
            });
            // The plugins first: a start that broke off halfway begins again, since keys tell whether it was finished.
            if let (true, Some(directory)) = (fresh, &app.config.plugins) {
                let count = bootstrap::bundled(&app, directory).await?;
                tracing::info!(count, directory = %directory.display(), "bundled plugins published and activated");
            }
            let admin_key = bootstrap::admin_key(&app).await?;
            if let Some(starting) = starting {
                starting.ended().await;
            }
            let address = app.config.listen;
            let listening = async {
                let listener = TcpListener::bind(address).await?;
                let address = listener.local_addr()?;
                Ok((listener, address))
            };
            let (listener, address) = listening.await.map_err(|error| StartError::Listen { address, error })?;
            tracing::info!(%address, took = ?started.elapsed(), "ready");
            Ok(Self { app, listener, address, admin_key })
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first admin key, if it was made just now. It is nowhere else.
    pub fn admin_key(&self) -> Option<&str> {
        self.admin_key.as_deref()
    }

    /// Serves until `shutdown` is done, then lets requests under way end for up to 20 seconds and closes the store.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) {
        self.serve(Box::pin(shutdown)).await;
    }

    /// In a box, so that it is compiled here, and not again by everybody who waits for it (decision 0035).
    fn serve(self, shutdown: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let router = routes::all(Arc::clone(&self.app));
            let signing = tokio::spawn({
                let app = Arc::clone(&self.app);
                async move { app.signer.run(app.config.checkpoints).await }
            });
            // They end with the set.
            let outside = crate::outside::spawn(&self.app);
            simulations::resume(&self.app);
            let retaining = tokio::spawn(crate::retention::run(Arc::clone(&self.app)));
            let reloading = tokio::spawn(crate::reload::run(Arc::clone(&self.app)));
            connections::serve(self.listener, self.app.config.max_connections, Around(router), shutdown).await;
            signing.abort();
            retaining.abort();
            reloading.abort();
            drop(outside);
            // What was recorded since the last checkpoint is covered before the host goes.
            if let Ok(Some(head)) = self.app.store.head().await
                && let Err(error) = self.app.signer.covering(head.size).await
            {
                tracing::error!(%error, "no last checkpoint could be signed");
            }
            self.app.signer.keep().await;
            self.app.store.close().await;
        })
    }
}

/// The name of the log that the database holds, if it holds one.
async fn kept_origin(config: &Config) -> Result<Option<String>, StoreError> {
    let opened = match &config.database {
        Some(url) => Store::open_postgres_read_only(url).await,
        None => Store::open_read_only(&config.data).await,
    };
    match opened {
        Ok(reader) => {
            let origin = reader.origin().await;
            reader.close().await;
            // A file without tables is a database that wasn't begun.
            Ok(origin.unwrap_or_default())
        }
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
