//! `assize serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assize_ledger::timestamp::Trust;
use assize_server::{Anchor, Authority, Config, LogKey, Outside, Schedule, Server, Witness};

use crate::compiled;
use crate::output::{self, Ended, LogFormat, Usage};

/// Start the server.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the database; made where it isn't there
    #[arg(long, default_value = "assize-data", value_name = "DIR")]
    data: PathBuf,
    /// PostgreSQL database to keep everything in, which several hosts may share, instead of a file in the directory.
    /// They need one key for the log: --log-key or ASSIZE_LOG_KEY
    #[arg(long, env = "ASSIZE_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Plugins that an empty data directory begins with [default: `plugins` beside the binary]
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// Begin an empty data directory without plugins and policy
    #[arg(long, conflicts_with = "plugins")]
    bare: bool,
    /// The name of the log, in every entry and checkpoint: a domain and a path of yours, e.g. example.org/decisions.
    /// It can't be changed later [default: assize.dev/log]
    #[arg(long, value_name = "NAME", value_parser = origin)]
    origin: Option<String>,
    /// File of the key that signs checkpoints; made where it isn't there. ASSIZE_LOG_KEY gives the key itself
    /// [default: log.key in the data directory]
    #[arg(long, value_name = "FILE")]
    log_key: Option<PathBuf>,
    /// Sign a checkpoint once this many entries follow the last one
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_entries: u64,
    /// Sign a checkpoint once the last one is this many seconds old and an entry follows it
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_seconds: u64,
    /// Address of an authority that stamps checkpoints with its time (RFC 3161); give it again for each
    #[arg(long, value_name = "URL", requires = "tsa_roots", value_parser = address)]
    tsa: Vec<String>,
    /// Root certificates (PEM) that the authorities' tokens must lead to
    #[arg(long, value_name = "FILE")]
    tsa_roots: Option<PathBuf>,
    /// A witness (C2SP tlog-witness) that signs each checkpoint: its address, a #, and its key; give it again for each
    #[arg(long, value_name = "URL#KEY", value_parser = witness)]
    witness: Vec<Witness>,
    /// A file that only grows, or an address that takes POST, where checkpoints are kept; give it again for each
    #[arg(long, value_name = "FILE|URL", value_parser = anchor)]
    anchor: Vec<Anchor>,
    /// How often authorities and anchors get the newest checkpoint
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    outside_seconds: u64,
    /// Requests a minute for each key of role app; 0: no limit
    #[arg(long, default_value_t = 100, value_name = "N")]
    rate_limit_app: u32,
    /// Most bytes of a JSON body
    #[arg(long, value_name = "BYTES")]
    max_body: Option<usize>,
    /// Decisions under way at once; more are answered 503
    #[arg(long, value_name = "N")]
    max_in_flight: Option<usize>,
    /// Connections at once; more wait to be taken [default: 4096, or what the limit of open files leaves]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: Option<u32>,
    #[command(flatten)]
    compiled: compiled::Arguments,
    /// How long compiling a component may take when it is published
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    compile_seconds: u64,
    /// How log lines are written to stderr; ASSIZE_LOG says which (e.g. warn, assize_server=debug)
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
}

/// A log's name stands on a line of its own in a checkpoint, and before a space under it.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 255 || text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+') {
        return Err("use 1 to 255 characters, none of them a space or a plus".into());
    }
    Ok(text.to_owned())
}

/// Authorities that are believed, from a file of certificates.
pub(crate) fn trust(path: &Path) -> anyhow::Result<Trust> {
    let pem = std::fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    Trust::from_pem(&pem).with_context(|| format!("{} holds no certificates of authorities", path.display()))
}

/// An address of somebody outside. It stands in the ledger, in metrics and in logs: it is no place for a password.
fn address(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let rest = rest.ok_or("write an address with http:// or https://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match host {
        "" => Err("the address has no host".into()),
        host if host.contains('@') => {
            Err("the address holds a user or a password, which would stand in the ledger: leave them out".into())
        }
        _ => Ok(text.to_owned()),
    }
}

fn witness(text: &str) -> Result<Witness, String> {
    let (url, key) = text.split_once('#').ok_or("write its address, a #, and its key")?;
    let url = address(url)?;
    let key = key.parse().map_err(|error: assize_ledger::KeyError| error.to_string())?;
    Ok(Witness { url, key })
}

fn anchor(text: &str) -> Result<Anchor, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return address(text).map(Anchor::Url);
    }
    if text.contains("://") {
        return Err("write a file, or an address with http:// or https://".into());
    }
    Ok(Anchor::File(PathBuf::from(text)))
}

/// Plugins shipped with the binary.
fn beside_the_binary() -> Option<PathBuf> {
    let folder = std::env::current_exe().ok()?.parent()?.join("plugins");
    folder.is_dir().then_some(folder)
}

impl Arguments {
    fn config(self) -> anyhow::Result<Config> {
        let compiled = self.compiled.config(&self.data)?;
        let mut config = Config::new(self.data);
        config.compiled = compiled;
        config.compile_timeout = Duration::from_secs(self.compile_seconds);
        config.compiler = std::env::current_exe().ok();
        config.database = self.database.filter(|url| !url.is_empty());
        config.listen = self.listen;
        config.plugins = if self.bare { None } else { self.plugins.or_else(beside_the_binary) };
        config.admin_key = std::env::var("ASSIZE_ADMIN_KEY").ok().filter(|key| !key.is_empty());
        config.origin = self.origin;
        let secret = std::env::var("ASSIZE_LOG_KEY").ok().filter(|key| !key.is_empty());
        config.log_key = match (secret, self.log_key) {
            (Some(secret), _) => LogKey::Secret(secret),
            (None, Some(file)) => LogKey::File(file),
            (None, None) => LogKey::DataDirectory,
        };
        config.checkpoints =
            Schedule { entries: self.checkpoint_entries, period: Duration::from_secs(self.checkpoint_seconds) };
        config.app_requests_per_minute = (self.rate_limit_app > 0).then_some(self.rate_limit_app);
        config.max_body = self.max_body.unwrap_or(config.max_body);
        config.max_in_flight = self.max_in_flight.unwrap_or(config.max_in_flight);
        let room = room_for_connections();
        config.max_connections = match self.max_connections {
            Some(most) if most as usize > room => {
                let detail = format!(
                    "--max-connections {most}: the limit of open files leaves room for {room}; raise it (ulimit -n) or take fewer"
                );
                return Err(Usage(detail).into());
            }
            Some(most) => most as usize,
            None => config.max_connections.min(room),
        };
        let trust = Arc::new(self.tsa_roots.as_deref().map(trust).transpose()?.unwrap_or_default());
        let authority = |url| Authority { url, trust: Arc::clone(&trust) };
        config.outside = Outside {
            authorities: self.tsa.into_iter().map(authority).collect(),
            witnesses: self.witness,
            anchors: self.anchor,
            period: Duration::from_secs(self.outside_seconds),
        };
        Ok(config)
    }
}

/// Files that the host needs for its own ends: databases, components, what it asks others.
const OWN_FILES: usize = 256;

/// How many connections there is room for, once the process may open as many files as it may let itself.
#[cfg(unix)]
fn room_for_connections() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let most = if raised.is_ok() { limit.maximum } else { limit.current };
    // None is no limit.
    let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    most.saturating_sub(OWN_FILES).max(1)
}

#[cfg(not(unix))]
fn room_for_connections() -> usize {
    usize::MAX
}

/// Serves until it is told to stop.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Ended> {
    output::log(arguments.log_format, "info")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        // Before anything is printed: whoever reads the line may stop us at once.
        let stop = stop_signal()?;
        let server = Server::open(arguments.config()?).await?;
        if let Some(key) = server.admin_key() {
            output::line(format_args!("admin key: {key}"))?;
        }
        output::line(format_args!("listening on http://{}", server.address()))?;
        server.run(stop).await;
        Ok(Ended::Fine)
    });
    // Somebody outside may still be waited for; what the host itself had to do is done.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

/// Ends with the first SIGINT or SIGTERM.
#[cfg(unix)]
pub(crate) fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
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
pub(crate) fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C can't be listened for: ending");
        }
    })
}
