//! Starting, serving, stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use assize_ledger::Digest;
use assize_sandbox::{Plugin, Sandbox, SandboxConfig, SandboxError};
use assize_store::{Options, Reader, Starting, Store, StoreError};
use axum::ServiceExt;
use axum::extract::Request;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};

use crate::app::{App, SharedApp};
use crate::around::Around;
use crate::bootstrap::{self, BootstrapError};
use crate::config::Config;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::routes;
use crate::signer::{SignError, Signer};
use crate::simulations::{self, Simulations};
use crate::systems::Systems;
use assize_rehearing::{Archive, World};

/// Boxed, so that serving is compiled in this crate, and not again in every binary that starts it.
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

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
    #[error("serving failed: {0}")]
    Serve(std::io::Error),
}

impl Server {
    /// Opens the store, loads what is in force and listens; an empty data directory gets its beginning.
    pub async fn open(config: Config) -> Result<Self, StartError> {
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
        std::fs::create_dir_all(&config.data).map_err(|error| StartError::Data { path: config.data.clone(), error })?;
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
        keys.load(rows)?;
        let systems = Systems::default();
        systems.load(store.systems(None).await?)?;
        let world = World::newest(&store).await?;
        let world = with_components(world, &World::default(), &store, &sandbox).await?;
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
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first admin key, if it was made just now. It is nowhere else.
    pub fn admin_key(&self) -> Option<&str> {
        self.admin_key.as_deref()
    }

    /// Serves until `shutdown` is done, then lets requests under way end and closes the store.
    pub fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> BoxFuture<Result<(), StartError>> {
        Box::pin(self.serve(Box::pin(shutdown)))
    }

    async fn serve(self, shutdown: BoxFuture<()>) -> Result<(), StartError> {
        let router = routes::all(Arc::clone(&self.app));
        // Answers are small and leave at once: waiting to fill a packet would cost 40 ms.
        let listener = axum::serve::ListenerExt::tap_io(self.listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        let signing = tokio::spawn({
            let app = Arc::clone(&self.app);
            async move { app.signer.run(app.config.checkpoints).await }
        });
        // They end with the set.
        let outside = crate::outside::spawn(&self.app);
        simulations::resume(&self.app);
        let retaining = tokio::spawn(crate::retention::run(Arc::clone(&self.app)));
        let reloading = tokio::spawn(crate::reload::run(Arc::clone(&self.app)));
        let service = ServiceExt::<Request>::into_make_service(Around(router));
        let served = axum::serve(listener, service).with_graceful_shutdown(shutdown).await;
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
        served.map_err(StartError::Serve)
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

/// Loads the components of all active versions that `known` hasn't loaded, side by side: those that are kept compiled as they
/// are, the others from the store. One that no longer compiles leaves its bindings to their failure policy: the host serves,
/// and says so.
pub(crate) async fn with_components(
    world: World,
    known: &World,
    store: &Store,
    sandbox: &Sandbox,
) -> Result<World, StoreError> {
    let mut world = world.with_plugins_of(known);
    let mut waiting = world.active();
    waiting.sort_unstable();
    waiting.dedup();
    waiting.retain(|digest| world.plugin(*digest).is_none());
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        while tasks.len() < at_once
            && let Some(digest) = waiting.pop()
        {
            let (store, sandbox) = (store.clone(), sandbox.clone());
            tasks.spawn(async move { component(digest, &store, &sandbox).await });
        }
        match tasks.join_next().await {
            None => return Ok(world),
            Some(Ok(Ok(plugin))) => {
                if let Some(plugin) = plugin {
                    world = world.with_plugin(Arc::new(plugin));
                }
            }
            Some(Ok(Err(error))) => return Err(error),
            Some(Err(error)) => tracing::error!(%error, "loading a component failed"),
        }
    }
}

/// A component of an active version; none, and a line in the log, where it can't be had.
async fn component(digest: Digest, store: &Store, sandbox: &Sandbox) -> Result<Option<Plugin>, StoreError> {
    let loading = {
        let sandbox = sandbox.clone();
        tokio::task::spawn_blocking(move || sandbox.load_kept(digest)).await
    };
    let loading = match loading {
        // It isn't kept.
        Ok(Ok(None)) => {
            let Some(bytes) = store.component(&digest).await? else {
                tracing::error!(%digest, "the component of an active version is gone");
                return Ok(None);
            };
            if Digest::of(&bytes) != digest {
                tracing::error!(%digest, "the component of an active version was altered: it isn't loaded");
                return Ok(None);
            }
            let sandbox = sandbox.clone();
            tokio::task::spawn_blocking(move || sandbox.load(&bytes).map(Some)).await
        }
        kept => kept,
    };
    match loading {
        Ok(Ok(plugin)) => return Ok(plugin),
        Ok(Err(error)) => tracing::error!(%digest, %error, "an active component can't be loaded"),
        Err(error) => tracing::error!(%digest, %error, "loading a component failed"),
    }
    Ok(None)
}
