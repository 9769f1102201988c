//! A server of our own, as a child process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Start {
    /// The binary.
    pub binary: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Further arguments, e.g. `--bare`.
    pub arguments: Vec<String>,
    /// The first admin key, for an empty data directory; none: the server makes one.
    pub admin_key: Option<String>,
    /// What is logged to stderr (`ASSIZE_LOG`).
    pub log: &'static str,
}

/// A server that listens. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    admin_key: Option<String>,
    start_time: Duration,
}

impl Start {
    /// The command that starts it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--data").arg(&self.data).arg("--listen").arg(self.listen.to_string());
        command.args(&self.arguments).env("ASSIZE_LOG", self.log);
        match &self.admin_key {
            Some(key) => command.env("ASSIZE_ADMIN_KEY", key),
            None => command.env_remove("ASSIZE_ADMIN_KEY"),
        };
        command
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// Where it ends before; it says why on stderr.
    pub fn start(&self) -> anyhow::Result<Server> {
        let started = Instant::now();
        let mut command = self.command();
        let child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn();
        let mut child = child.with_context(|| format!("{} can't be started", self.binary.display()))?;
        let stdout = child.stdout.take().context("the server has no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut admin_key = None;
        for line in lines.by_ref() {
            let line = line?;
            if let Some(key) = line.strip_prefix("admin key: ") {
                admin_key = Some(key.trim().to_owned());
            } else if let Some(address) = line.strip_prefix("listening on http://") {
                let address = address.trim().parse().with_context(|| format!("not an address: {line:?}"))?;
                // Whatever it prints from here on must find a reader.
                std::thread::spawn(move || lines.for_each(drop));
                let start_time = started.elapsed();
                return Ok(Server { child, address, admin_key, start_time });
            }
        }
        bail!("the server ended before it listened, with {}", child.wait()?)
    }
}

impl Server {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The key that it made, where this was its first start.
    pub fn admin_key(&self) -> Option<&str> {
        self.admin_key.as_deref()
    }

    /// From its start until it listened.
    pub const fn start_time(&self) -> Duration {
        self.start_time
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it end as an operator would, and waits for that.
    ///
    /// # Errors
    /// Where it doesn't end well.
    pub fn stop(mut self) -> anyhow::Result<()> {
        // There is no other way without `unsafe` to send a signal that it can answer.
        Command::new("kill").arg(self.child.id().to_string()).status().context("kill can't be run")?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether somebody listens there already.
pub fn is_taken(address: SocketAddr) -> bool {
    std::net::TcpListener::bind(address).is_err()
}
