//! Certificates made for one test, by the `openssl` command: authorities that stamp time, and some that shouldn't.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// A folder of keys and certificates, removed when it is dropped.
pub struct Certificates {
    folder: TempDir,
    next: AtomicU32,
    /// One at a time: `openssl` keeps numbers and an index in files that it doesn't lock.
    running: Mutex<()>,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What a certificate is to be.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The common name of its subject.
    pub name: String,
    /// Lines of extensions, as `x509v3_config(5)` has them.
    pub extensions: String,
    /// `P-256`, `P-384` or `RSA`.
    pub key: &'static str,
    /// Its first second: `YYYYMMDDhhmmssZ`.
    pub from: &'static str,
    /// Its last second.
    pub to: &'static str,
}

impl Profile {
    /// May sign certificates.
    pub fn issuer(name: &str) -> Self {
        Self::new(name, "basicConstraints = critical, CA:true\nkeyUsage = critical, keyCertSign, cRLSign")
    }

    /// May stamp time.
    pub fn stamper(name: &str) -> Self {
        Self::new(name, "keyUsage = critical, digitalSignature\nextendedKeyUsage = critical, timeStamping")
    }

    /// With other extensions.
    pub fn new(name: &str, extensions: &str) -> Self {
        let extensions = format!("{extensions}\nsubjectKeyIdentifier = hash");
        Self { name: name.to_owned(), extensions, key: "P-256", from: "20200101000000Z", to: "20491231235959Z" }
    }

    /// With a key of this kind.
    #[must_use]
    pub fn key(self, key: &'static str) -> Self {
        Self { key, ..self }
    }

    /// Valid for this time only.
    #[must_use]
    pub fn valid(self, from: &'static str, to: &'static str) -> Self {
        Self { from, to, ..self }
    }
}

impl Certificates {
    /// Without any yet.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("assize-certificates-").tempdir().unwrap();
        fs::create_dir(folder.path().join("issued")).unwrap();
        fs::write(folder.path().join("index.txt"), "").unwrap();
        Self { folder, next: AtomicU32::new(0), running: Mutex::new(()) }
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file of its own.
    pub fn file(&self, ending: &str) -> PathBuf {
        self.folder().join(format!("{}.{ending}", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// A root: a certificate that signs itself.
    pub fn root(&self, profile: &Profile) -> Issued {
        self.make(profile, None)
    }

    /// A certificate that `issuer` signs.
    pub fn issue(&self, profile: &Profile, issuer: &Issued) -> Issued {
        self.make(profile, Some(issuer))
    }

    fn make(&self, profile: &Profile, by: Option<&Issued>) -> Issued {
        let (request, config) = (self.file("csr"), self.file("cnf"));
        let made = Issued { certificate: self.file("pem"), key: self.file("key") };
        let mut text = String::from(CONFIG);
        writeln!(text, "[ extensions ]\n{}", profile.extensions).unwrap();
        fs::write(&config, text).unwrap();

        let (algorithm, option) = match profile.key {
            "RSA" => ("RSA", "rsa_keygen_bits:2048".to_owned()),
            curve => ("EC", format!("ec_paramgen_curve:{curve}")),
        };
        self.openssl(&["genpkey", "-algorithm", algorithm, "-pkeyopt", &option, "-out", text_of(&made.key)]);
        let (config, request) = (text_of(&config), text_of(&request));
        let subject = format!("/O=Assize tests/CN={}", profile.name);
        let key = text_of(&made.key);
        self.openssl(&["req", "-new", "-config", config, "-key", key, "-subj", &subject, "-out", request]);

        let mut arguments = vec!["ca", "-batch", "-notext", "-config", config, "-extensions", "extensions"];
        arguments.extend(["-md", "sha256", "-startdate", profile.from, "-enddate", profile.to]);
        arguments.extend(["-in", request, "-out", text_of(&made.certificate)]);
        match by {
            None => arguments.extend(["-selfsign", "-keyfile", key]),
            Some(issuer) => {
                arguments.extend(["-cert", text_of(&issuer.certificate), "-keyfile", text_of(&issuer.key)]);
            }
        }
        self.openssl(&arguments);
        made
    }

    /// Runs `openssl` in the folder; what it writes to standard output. Panics where it fails.
    pub fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let output = {
            let _running = self.running.lock().unwrap();
            Command::new("openssl").args(arguments).current_dir(self.folder()).output()
        };
        let output = output.unwrap_or_else(|error| panic!("openssl can't be run: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {}: {said}", arguments.join(" "));
        output.stdout
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

impl Issued {
    /// The certificate as PEM.
    pub fn pem(&self) -> Vec<u8> {
        fs::read(&self.certificate).unwrap()
    }
}

/// A path of this folder as an argument.
pub(crate) fn text_of(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// For `openssl req` and `openssl ca`.
const CONFIG: &str = "\
[ req ]
distinguished_name = subject
prompt = no
[ subject ]
CN = given by -subj
[ ca ]
default_ca = tests
[ tests ]
database = index.txt
new_certs_dir = issued
unique_subject = no
rand_serial = yes
policy = names
[ names ]
organizationName = supplied
commonName = supplied
";
