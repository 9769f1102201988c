//! What an operator chooses.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use assize_sandbox::CompiledConfig;

use crate::outside::Outside;
use crate::signer::Schedule;

/// What an operator chooses at the start of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the database; made where it isn't there.
    pub data: PathBuf,
    /// The PostgreSQL database, as `postgres://…`, instead of one in the directory. Several hosts may share it.
    pub database: Option<String>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the bundled plugins are, for an empty data directory. None: leave it bare.
    pub plugins: Option<PathBuf>,
    /// The first admin key; none: one is made and shown once.
    pub admin_key: Option<String>,
    /// The name of the log; none: the one that the database has, or [`Config::ORIGIN`].
    pub origin: Option<String>,
    /// Where the key is that signs checkpoints.
    pub log_key: LogKey,
    /// When checkpoints are signed unasked.
    pub checkpoints: Schedule,
    /// Who outside is asked for evidence.
    pub outside: Outside,
    /// Requests a minute and key of role app; none: no limit.
    pub app_requests_per_minute: Option<u32>,
    /// Bytes of a JSON body.
    pub max_body: usize,
    /// Bytes of a component.
    pub max_component: usize,
    /// Decisions under way at once; more are answered 503.
    pub max_in_flight: usize,
    /// Connections at once; more wait to be taken. Each takes a file of those that the process may have open.
    pub max_connections: usize,
    /// How long compiling a component may take at publishing.
    pub compile_timeout: Duration,
    /// Where compiled components are kept, so that a start doesn't compile them again; none: it does.
    pub compiled: Option<CompiledConfig>,
    /// The program that compiles in a process of its own (`PROGRAM compile`); none: the server does it itself.
    pub compiler: Option<PathBuf>,
    /// The largest size of the database file in bytes; none for as much as the disk holds.
    pub max_database: Option<u64>,
}

/// Where the key is that signs the log's checkpoints.
#[derive(Clone, Default)]
pub enum LogKey {
    /// In `log.key` in the data directory; made there where there is none.
    #[default]
    DataDirectory,
    /// In this file; made where it isn't there.
    File(PathBuf),
    /// The key itself (`PRIVATE+KEY+…`).
    Secret(String),
}

impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DataDirectory => f.write_str("DataDirectory"),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Secret(_) => f.write_str("Secret"),
        }
    }
}

impl Config {
    /// A log's name where none was chosen.
    pub const ORIGIN: &str = "assize.dev/log";

    /// With defaults for all but the data directory.
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            database: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            plugins: None,
            admin_key: None,
            origin: None,
            log_key: LogKey::default(),
            checkpoints: Schedule::default(),
            outside: Outside::default(),
            // BTV-9.
            app_requests_per_minute: Some(100),
            max_body: 1 << 20,
            max_component: 64 << 20,
            max_in_flight: 2_048,
            max_connections: 4_096,
            // Python's 18 MB take 4 to 9 s on one thread, and took more than a minute where two others had the cores.
            compile_timeout: Duration::from_mins(2),
            compiled: None,
            compiler: None,
            max_database: None,
        }
    }
}
