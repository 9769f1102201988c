//! The real binary, serving.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::{Client, binary, compiled, guest};

/// Longer than any start or end should take, on any machine: what takes longer is a failure.
const PATIENCE: Duration = Duration::from_mins(1);

/// The first admin key of every server here. Its form is that of a key the server makes.
const ADMIN_KEY: &str = "assize_test_0123456789abcdef0123456789abcdef";

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Without the bundled plugins and their policy.
    pub bare: bool,
    /// Where it keeps its data; none for a new folder.
    pub data: Option<PathBuf>,
    /// More arguments of `assize serve`.
    pub arguments: Vec<OsString>,
    /// The key that `ASSIZE_ADMIN_KEY` gives; none leaves the server to make one.
    pub admin_key: Option<String>,
}

impl Setup {
    /// With the bundled plugins.
    pub fn bundled() -> Self {
        Self { bare: false, data: None, arguments: Vec::new(), admin_key: Some(ADMIN_KEY.to_owned()) }
    }

    /// Without any plugin.
    pub fn bare() -> Self {
        Self { bare: true, ..Self::bundled() }
    }

    /// With an argument more.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With its data in this folder.
    #[must_use]
    pub fn data(mut self, folder: &Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    fn command(&self, data: &Path) -> Command {
        let mut command = Command::new(binary());
        command.arg("serve").arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
        if self.bare {
            command.arg("--bare");
        }
        command.args(&self.arguments).env_remove("ASSIZE_ADMIN_KEY").envs(compiled());
        if let Some(key) = &self.admin_key {
            command.env("ASSIZE_ADMIN_KEY", key);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts it where it can't start: what it says, and its exit code.
    pub fn refused(&self) -> (i32, String) {
        let folder = tempfile::tempdir().unwrap();
        let data = self.data.clone().unwrap_or_else(|| folder.path().to_owned());
        let (mut process, _listening) = self.spawn(&data);
        let code = process.wait();
        (code, process.said.text())
    }

    /// Starts it and kills it as soon as `now` says so, or once it listens.
    pub fn killed_when(&self, mut now: impl FnMut() -> bool) {
        let data = self.data.clone().expect("a folder to look into");
        let (_process, listening) = self.spawn(&data);
        while !now() && matches!(listening.try_recv(), Err(TryRecvError::Empty)) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The process, and where its address will be told.
    fn spawn(&self, data: &Path) -> (Process, mpsc::Receiver<String>) {
        let mut child = self.command(data).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let said = Said::default();
        let (tell, listening) = mpsc::channel();
        let readers = vec![said.collect(stdout, Some(tell)), said.collect(stderr, None)];
        (Process { child, said, readers }, listening)
    }
}

/// A server that runs until it is dropped.
pub struct Server {
    setup: Setup,
    data: PathBuf,
    base: String,
    process: Option<Process>,
    admin: Client,
    /// Removed with the server, unless the setup names another folder.
    _folder: TempDir,
}

struct Process {
    child: Child,
    said: Said,
    /// Of its two streams; they end with it.
    readers: Vec<JoinHandle<()>>,
}

/// All that a process has written.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<String>>);

impl Said {
    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    /// Collects lines until the stream ends; tells the first address it reads.
    fn collect(
        &self,
        stream: impl Read + Send + 'static,
        mut listening: Option<mpsc::Sender<String>>,
    ) -> JoinHandle<()> {
        let said = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                // Before the address is told: what came before it can then be read.
                writeln!(said.0.lock().unwrap(), "{line}").unwrap();
                if let Some((_, address)) = line.split_once("listening on ")
                    && let Some(tell) = listening.take()
                {
                    // Nobody may be waiting any more.
                    drop(tell.send(address.trim().to_owned()));
                }
            }
        })
    }
}

impl Process {
    /// Waits for its end, and until all that it said is read; panics if it doesn't come. −1 where a signal ended it.
    fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                for reader in self.readers.drain(..) {
                    reader.join().unwrap();
                }
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "the server doesn't end; it said:\n{}", self.said.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub fn start(setup: Setup) -> Self {
        let folder = tempfile::Builder::new().prefix("assize-test-").tempdir().unwrap();
        let data = setup.data.clone().unwrap_or_else(|| folder.path().join("data"));
        let admin = Client::new("http://127.0.0.1:9", None, "default");
        let mut server = Self { setup, data, base: String::new(), process: None, admin, _folder: folder };
        server.start_again();
        server
    }

    /// With the bundled plugins.
    pub fn bundled() -> Self {
        Self::start(Setup::bundled())
    }

    /// With the guests made for tests active, and no policy.
    pub fn with_guests() -> Self {
        Self::with_guests_and(Setup::bare())
    }

    /// As [`Server::with_guests`], started like this.
    pub fn with_guests_and(setup: Setup) -> Self {
        let server = Self::start(setup);
        for name in ["hostile", "rule-echo", "credit"] {
            server.admin().publish_and_activate(&guest(name));
        }
        server
    }

    /// Starts the server on the data that it left.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "the server is running");
        let (mut process, listening) = self.setup.spawn(&self.data);
        self.base = match listening.recv_timeout(PATIENCE) {
            Ok(address) => address,
            Err(RecvTimeoutError::Timeout) => panic!("the server doesn't start; it said:\n{}", process.said.text()),
            Err(RecvTimeoutError::Disconnected) => {
                let code = process.wait();
                panic!("the server ended with {code}; it said:\n{}", process.said.text())
            }
        };
        self.admin = Client::new(&self.base, self.setup.admin_key.as_deref(), "default");
        let deadline = Instant::now() + PATIENCE;
        while self.admin.get("/readyz").status != 200 {
            assert!(Instant::now() < deadline, "the server isn't ready; it said:\n{}", process.said.text());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.process = Some(process);
    }

    /// Ends it at once, as a power cut would (SIGKILL).
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end (SIGTERM), and gives its exit code.
    pub fn stop(&mut self) -> i32 {
        let mut process = self.process.take().expect("a running server");
        let pid = process.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        process.wait()
    }

    /// Ends it as asked, and starts it again on the same data.
    pub fn restart(&mut self) {
        assert_eq!(self.stop(), 0);
        self.start_again();
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// All that it has written since it was started.
    pub fn said(&self) -> String {
        self.process.as_ref().expect("a running server").said.text()
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.process.as_ref().expect("a running server").child.id()
    }

    /// With the first admin key.
    pub const fn admin(&self) -> &Client {
        &self.admin
    }

    /// Without a key.
    pub fn anonymous(&self) -> Client {
        self.admin.with_key(None)
    }

    /// The client of an earlier start, at the address of this one.
    pub fn again(&self, client: &Client) -> Client {
        Client::new(&self.base, Some(client.key()), client.tenant())
    }

    /// A tenant of its own, by a key of its admin.
    pub fn tenant(&self) -> Client {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("tenant-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let asked = json!({ "role": "admin", "tenant": name, "label": "test" });
        let made = self.admin.post("/v1/keys", &asked).expect(201);
        Client::new(&self.base, made["key"].as_str(), &name)
    }
}

/// A server that the tests of one file share as long as any of them runs; then it ends. (A plain static would never be
/// dropped, and its server outlive the tests.)
pub struct Shared {
    running: Mutex<Weak<Server>>,
    start: fn() -> Server,
}

impl Shared {
    /// Started by `start` when it is first asked for.
    pub const fn new(start: fn() -> Server) -> Self {
        Self { running: Mutex::new(Weak::new()), start }
    }

    /// The server.
    pub fn get(&self) -> Arc<Server> {
        // A test that failed while it started the server says so by itself; the others try again.
        let mut running = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        running.upgrade().unwrap_or_else(|| {
            let server = Arc::new((self.start)());
            *running = Arc::downgrade(&server);
            server
        })
    }
}
