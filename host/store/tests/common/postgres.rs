//! A real PostgreSQL server, started for the tests and ended with them.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Longer than any start should take: what takes longer is a failure.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server with a folder of its own, reached by a socket in it.
pub(crate) struct Server {
    process: Child,
    folder: tempfile::TempDir,
    databases: AtomicU32,
    /// Where it listens beside its socket.
    port: Option<u16>,
}

#[allow(clippy::unused_self, reason = "a database is asked by way of its server")]
impl Server {
    /// The server that the tests of one file share as long as any of them runs; none where PostgreSQL isn't installed.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return Some(server);
        }
        // No test of ours pulls the plug, so nothing has to be on the disk.
        let server = Arc::new(Self::start(&["fsync=off"])?);
        *running = Arc::downgrade(&server);
        Some(server)
    }

    /// Starts a server with these settings.
    pub(crate) fn start(settings: &[&str]) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(std::env::var_os("CI").is_none(), "PostgreSQL isn't installed: apt-get install postgresql");
            println!("skipped: PostgreSQL isn't installed (apt-get install postgresql)");
            return None;
        };
        // The socket's path may have 107 bytes.
        let folder = tempfile::Builder::new().prefix("assize-pg-").tempdir_in("/tmp").unwrap();
        let user = user();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let data = folder.path().join("data");
        let at = folder.path().to_owned();
        let run = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.current_dir(&at).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let made =
            run("initdb").arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"]).status();
        assert!(made.unwrap().success(), "initdb failed");
        let mut server = run("postgres");
        server.arg("-D").arg(&data).arg("-k").arg(folder.path()).args(["-c", "listen_addresses="]);
        server.args(["-c", "max_connections=200"]);
        for setting in settings {
            server.args(["-c", setting]);
        }
        let process = server.spawn().unwrap();
        let server = Self { process, folder, databases: AtomicU32::new(0), port: None };
        let begun = Instant::now();
        let ready = || {
            let mut asked = run("pg_isready");
            let port = settings.iter().find_map(|setting| setting.strip_prefix("port=")).unwrap_or("5432");
            asked.args(["-q", "-p", port, "-h"]).arg(&at).status().unwrap().success()
        };
        while !ready() {
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL doesn't start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    /// Starts one that listens on loopback, too.
    pub(crate) fn listening() -> Option<Self> {
        Self::on_loopback(&[])
    }

    /// As [`Server::listening`], encrypted.
    pub(crate) fn encrypted(certificate: &Path, key: &Path) -> Option<Self> {
        // The server takes no key that others could read, nor one of somebody else.
        let folder = tempfile::Builder::new().prefix("assize-pg-").tempdir_in("/tmp").unwrap();
        let own = |file: &Path, name: &str| {
            let copy = folder.path().join(name);
            std::fs::copy(file, &copy).unwrap();
            std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            if let Some((uid, gid)) = user() {
                std::os::unix::fs::chown(&copy, Some(uid), Some(gid)).unwrap();
            }
            copy.display().to_string()
        };
        let settings = [
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", own(certificate, "server.pem")),
            format!("ssl_key_file={}", own(key, "server.key")),
        ];
        if let Some((uid, gid)) = user() {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        // Both are read at its start.
        Self::on_loopback(&settings.each_ref().map(String::as_str))
    }

    fn on_loopback(settings: &[&str]) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let port_setting = format!("port={port}");
        let listen = ["listen_addresses=127.0.0.1", &port_setting];
        let mut server = Self::start(&[settings, &listen].concat())?;
        server.port = Some(port);
        Some(server)
    }

    /// The address of a database by way of loopback, for the superuser.
    pub(crate) fn address(&self, host: &str, parameters: &str) -> String {
        format!("postgres://postgres@{host}:{}/postgres?{parameters}", self.port.unwrap())
    }

    /// An empty database of its own, by its URL for the superuser.
    pub(crate) fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run(&self.url("postgres", "postgres"), &format!("CREATE DATABASE {name}"));
        self.url("postgres", &name)
    }

    /// The address of a database for a user.
    pub(crate) fn url(&self, user: &str, database: &str) -> String {
        let port = self.port.map_or_else(String::new, |port| format!("&port={port}"));
        format!("postgres://{user}@localhost/{database}?host={}{port}", self.folder.path().display())
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join(format!(".s.PGSQL.{}", self.port.unwrap_or(5432)))
    }

    /// Executes statements by `psql`; what it says.
    pub(crate) fn run(&self, url: &str, sql: &str) -> String {
        let (done, said) = psql(url, sql);
        assert!(done, "{sql}: {said}");
        said
    }

    /// A copy of a database that nobody is connected to.
    pub(crate) fn copy(&self, url: &str) -> String {
        let name = url.split('?').next().and_then(|url| url.rsplit('/').next()).unwrap();
        let copy = format!("copy_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let postgres = self.url("postgres", "postgres");
        // Connections that were given up may take a moment to end.
        self.run(
            &postgres,
            &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
        );
        let begun = Instant::now();
        while !psql(&postgres, &format!("CREATE DATABASE {copy} TEMPLATE {name}")).0 {
            assert!(begun.elapsed() < PATIENCE, "{name} is in use");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.url("postgres", &copy)
    }

    /// Executes a statement without a table's triggers, and puts them back in place after.
    pub(crate) fn intrude(&self, url: &str, table: &str, sql: &str) -> String {
        let (done, said) = psql(url, &intrusion(table, sql));
        assert!(done, "{sql}: {said}");
        said
    }

    /// As [`Server::intrude`], which a constraint may forbid.
    pub(crate) fn may_intrude(&self, url: &str, table: &str, sql: &str) -> Option<String> {
        let (done, said) = psql(url, &intrusion(table, sql));
        done.then_some(said)
    }

    /// As [`Server::run`], where they are refused.
    pub(crate) fn refused(&self, url: &str, sql: &str) -> String {
        let (done, said) = psql(url, sql);
        assert!(!done, "{sql}: {said}");
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT: without waiting for connections to end.
        drop(Command::new("kill").args(["-INT", &self.process.id().to_string()]).status());
        drop(self.process.wait());
    }
}

fn intrusion(table: &str, sql: &str) -> String {
    format!(
        "ALTER TABLE {table} DISABLE TRIGGER ALL; {sql}; \
         DO $$ DECLARE t record; BEGIN \
             FOR t IN SELECT tgrelid::regclass AS of, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'D' LOOP \
                 EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.of, t.tgname); \
             END LOOP; \
         END $$"
    )
}

/// Executes statements; whether that went well, and what was said.
fn psql(url: &str, sql: &str) -> (bool, String) {
    let program = programs().unwrap().join("psql");
    let output = Command::new(program)
        .args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-c", sql, url])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).trim().to_owned())
}

/// Where its programs are: Debian keeps them beside the path, by version.
fn programs() -> Option<PathBuf> {
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|folder| folder.path()).collect();
    versions.sort_by_key(|path| version(path));
    let debian = versions.into_iter().rev().map(|path| path.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = debian.chain(std::env::split_paths(&path));
    found.find(|path| ["initdb", "postgres", "pg_isready", "psql"].iter().all(|name| path.join(name).is_file()))
}

/// Whom it runs as where we are root, which it refuses to be.
fn user() -> Option<(u32, u32)> {
    let id = |of: &[&str]| {
        let output = Command::new("id").args(of).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    if id(&["-u"])? != 0 {
        return None;
    }
    Some((id(&["-u", "postgres"])?, id(&["-g", "postgres"])?))
}
