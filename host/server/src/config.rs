//! What an operator chooses.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What an operator chooses at the start of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the database; made where it isn't there.
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the bundled plugins are, for an empty data directory. None: leave it bare.
    pub plugins: Option<PathBuf>,
    /// The first admin key; none: one is made and shown once.
    pub admin_key: Option<String>,
    /// Requests a minute and key of role app; none: no limit.
    pub app_requests_per_minute: Option<u32>,
    /// Bytes of a JSON body.
    pub max_body: usize,
    /// Bytes of a component.
    pub max_component: usize,
    /// Decisions under way at once; more are answered 503.
    pub max_in_flight: usize,
    /// How long compiling a component may take at publishing.
    pub compile_timeout: Duration,
    /// The largest size of the database file in bytes; none for as much as the disk holds.
    pub max_database: Option<u64>,
}

impl Config {
    /// With defaults for all but the data directory.
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            plugins: None,
            admin_key: None,
            // BTV-9.
            app_requests_per_minute: Some(100),
            max_body: 1 << 20,
            max_component: 64 << 20,
            max_in_flight: 2_048,
            // Python's 18 MB take 4 to 9 s on one thread.
            compile_timeout: Duration::from_mins(1),
            max_database: None,
        }
    }
}
