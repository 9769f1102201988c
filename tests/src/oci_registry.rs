//! A real OCI registry (Debian's `docker-registry`) on a free port of this machine, started for a test and ended with it.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::certificates::Issued;

/// Longer than any start should take: what takes longer is a failure.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who it lets in where it asks: `ana` with `open sesame`, as `htpasswd -B` writes it.
const HTPASSWD: &str = "ana:$2y$04$QwXVjk7iZWY7NDJ1p81c6OMmNiAqoY/Z2FHMC1PceiXEkiV/wQgzW\n";

/// How a registry is started.
#[derive(Debug, Clone, Default)]
pub struct RegistrySetup {
    /// Its certificate; none for plain HTTP.
    pub tls: Option<Issued>,
    /// Asks for a name and a password.
    pub password: bool,
    /// Asks for tokens: realm, and the certificate of whoever signs them.
    pub token: Option<(String, PathBuf)>,
}

/// A registry that runs until it is dropped.
pub struct OciRegistry {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl OciRegistry {
    /// The name and password that it takes where it asks.
    pub const ACCOUNT: (&str, &str) = ("ana", "open sesame");
    /// The service that tokens are for, and who issues them.
    pub const SERVICE: &str = "assize-tests";

    /// Starts one; none, and a line that says so, where it isn't installed. In CI that is a failure.
    pub fn start(setup: &RegistrySetup) -> Option<Self> {
        if Command::new("docker-registry").arg("--version").stdout(Stdio::null()).status().is_err() {
            assert!(
                std::env::var_os("CI").is_none(),
                "docker-registry isn't installed: apt-get install docker-registry"
            );
            println!("skipped: docker-registry isn't installed (apt-get install docker-registry)");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("assize-registry-").tempdir().unwrap();
        let begun = Instant::now();
        // Somebody else may take the port before it does: then it ends, and another is tried.
        loop {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let config = folder.path().join("config.yml");
            fs::write(&config, Self::config(setup, &folder, address)).unwrap();
            let log = fs::File::create(folder.path().join("log")).unwrap();
            let mut process = Command::new("docker-registry")
                .arg("serve")
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            while process.try_wait().unwrap().is_none() {
                if TcpStream::connect(address).is_ok() {
                    return Some(Self { process, address, folder });
                }
                assert!(begun.elapsed() < PATIENCE, "the registry doesn't start");
                std::thread::sleep(Duration::from_millis(20));
            }
            let said = fs::read_to_string(folder.path().join("log")).unwrap();
            assert!(said.contains("address already in use"), "the registry ended; it said:\n{said}");
        }
    }

    fn config(setup: &RegistrySetup, folder: &TempDir, address: SocketAddr) -> String {
        let mut config = format!(
            "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n\
             http:\n  addr: {address}\n  secret: for-tests\n",
            folder.path().join("storage").display()
        );
        if let Some(Issued { certificate, key }) = &setup.tls {
            let (certificate, key) = (certificate.display(), key.display());
            writeln!(config, "  tls:\n    certificate: {certificate}\n    key: {key}").unwrap();
        }
        if setup.password {
            let file = folder.path().join("htpasswd");
            fs::write(&file, HTPASSWD).unwrap();
            writeln!(config, "auth:\n  htpasswd:\n    realm: tests\n    path: {}", file.display()).unwrap();
        }
        if let Some((realm, certificate)) = &setup.token {
            let (service, certificate) = (Self::SERVICE, certificate.display());
            writeln!(
                config,
                "auth:\n  token:\n    realm: {realm}\n    service: {service}\n    issuer: {service}\n    rootcertbundle: {certificate}"
            )
            .unwrap();
        }
        config
    }

    /// `127.0.0.1:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// What it logged.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for OciRegistry {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
