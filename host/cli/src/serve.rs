//! `assize serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use assize_server::{Config, Server};

use crate::output::{self, Ended, LogFormat};

/// Start the server.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the database; made where it isn't there
    #[arg(long, default_value = "assize-data", value_name = "DIR")]
    data: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Plugins that an empty data directory begins with [default: `plugins` beside the binary]
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// Begin an empty data directory without plugins and policy
    #[arg(long, conflicts_with = "plugins")]
    bare: bool,
    /// Requests a minute for each key of role app; 0: no limit
    #[arg(long, default_value_t = 100, value_name = "N")]
    rate_limit_app: u32,
    /// Most bytes of a JSON body
    #[arg(long, value_name = "BYTES")]
    max_body: Option<usize>,
    /// Decisions under way at once; more are answered 503
    #[arg(long, value_name = "N")]
    max_in_flight: Option<usize>,
    /// How log lines are written to stderr; ASSIZE_LOG says which (e.g. warn, assize_server=debug)
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
}

/// Plugins shipped with the binary.
fn beside_the_binary() -> Option<PathBuf> {
    let folder = std::env::current_exe().ok()?.parent()?.join("plugins");
    folder.is_dir().then_some(folder)
}

impl Arguments {
    fn config(self) -> Config {
        let mut config = Config::new(self.data);
        config.listen = self.listen;
        config.plugins = if self.bare { None } else { self.plugins.or_else(beside_the_binary) };
        config.admin_key = std::env::var("ASSIZE_ADMIN_KEY").ok().filter(|key| !key.is_empty());
        config.app_requests_per_minute = (self.rate_limit_app > 0).then_some(self.rate_limit_app);
        config.max_body = self.max_body.unwrap_or(config.max_body);
        config.max_in_flight = self.max_in_flight.unwrap_or(config.max_in_flight);
        config
    }
}

/// Serves until it is told to stop.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Ended> {
    output::log(arguments.log_format, "info")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before anything is printed: whoever reads the line may stop us at once.
        let stop = stop_signal()?;
        let server = Server::open(arguments.config()).await?;
        if let Some(key) = server.admin_key() {
            output::line(format_args!("admin key: {key}"))?;
        }
        output::line(format_args!("listening on http://{}", server.address()))?;
        server.run(stop).await?;
        Ok(Ended::Fine)
    })
}

/// Ends with the first SIGINT or SIGTERM.
#[cfg(unix)]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT can't be listened for")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can't be listened for")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("interrupted: ending"),
            _ = terminate.recv() => tracing::info!("told to terminate: ending"),
        }
    })
}

/// Ends with the first Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C can't be listened for: ending");
        }
    })
}
