//! Packages on their way between places: OCI registries, and sets in one file.

mod registry;
mod set;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Context as _;
use assize_ledger::Note;
use assize_oci::cosign::{PrivateKey, PublicKey};
use assize_oci::{Access, Artifact, Credentials, Reference};

use super::signing;
use crate::client::Connection;
use crate::output::{Ended, Usage};

/// Move packages.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Exchange {
    /// Push packages to an OCI registry, with the signatures beside them
    Push(Push),
    /// Pull a package from an OCI registry, to a file or to the server
    Pull(Pull),
    /// Write packages to one file, with their signatures, for places without a network
    Save(Save),
    /// Check such a file, and publish what is in it
    Load(Load),
}

/// Push packages to an OCI registry, with the signatures beside them.
#[derive(Debug, clap::Args)]
pub(crate) struct Push {
    /// The packages
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<PathBuf>,
    /// Where to: HOST[:PORT]/REPOSITORY[:TAG]; without a tag, the package's version is one. Several packages go below it,
    /// as HOST/REPOSITORY/NAMESPACE/NAME:VERSION
    reference: Reference,
    /// Sign each with this private key (PEM, PKCS #8), as cosign does
    #[arg(long, value_name = "FILE")]
    cosign_key: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
}

/// Pull a package from an OCI registry, to a file or to the server.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command")]
pub(crate) struct Pull {
    /// HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]; with a digest, nothing else is taken
    reference: Reference,
    /// Where to write it [default: NAMESPACE-NAME-VERSION.wasm]; its signatures go beside it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite files that are there
    #[arg(long)]
    force: bool,
    /// Publish it, instead of writing it to a file
    #[arg(long, conflicts_with_all = ["output", "force"])]
    publish: bool,
    /// With --publish: activate it as well, so that bindings find it
    #[arg(long, requires = "publish")]
    activate: bool,
    /// With --activate: periods may overlap with another active version's
    #[arg(long, requires = "activate")]
    allow_overlap: bool,
    /// Take it only if this public key (PEM) signed it, as cosign does
    #[arg(long, value_name = "FILE")]
    cosign_key: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
}

/// Write packages to one file, with their signatures.
#[derive(Debug, clap::Args)]
pub(crate) struct Save {
    /// Package files, NAMESPACE/NAME@VERSION of the server, or references in an OCI registry
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<String>,
    /// The file: an OCI image layout in a tar
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Overwrite the file if it is there
    #[arg(long)]
    force: bool,
    /// Take only what this public key (PEM) signed, as cosign does
    #[arg(long, value_name = "FILE")]
    cosign_key: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
}

/// Check a file of packages, and publish what is in it.
#[derive(Debug, clap::Args)]
pub(crate) struct Load {
    /// A file that `assize plugin save` wrote
    file: PathBuf,
    /// Check and list what is in it, and publish nothing; no server is needed
    #[arg(long)]
    dry_run: bool,
    /// Activate each as well, so that bindings find it
    #[arg(long, conflicts_with = "dry_run")]
    activate: bool,
    /// With --activate: periods may overlap with another active version's
    #[arg(long, requires = "activate")]
    allow_overlap: bool,
    /// Take it only if this public key (PEM) signed all of it, as cosign does
    #[arg(long, value_name = "FILE")]
    cosign_key: Option<PathBuf>,
}

/// How the registry is reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Reach {
    /// Who asks the registry, with the password of --password-stdin or ASSIZE_OCI_PASSWORD; else docker's config says so
    #[arg(long, env = "ASSIZE_OCI_USERNAME", value_name = "NAME")]
    username: Option<String>,
    /// Read the password from the standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Certificates (PEM) of the authorities that are trusted, instead of the public ones
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Without TLS; to this machine alone
    #[arg(long)]
    plain_http: bool,
}

/// No password is longer.
const LONGEST_PASSWORD: u64 = 64 << 10;

impl Reach {
    fn access(&self) -> anyhow::Result<Access> {
        let credentials = match &self.username {
            Some(username) => {
                let password = if self.password_stdin {
                    let mut text = String::new();
                    io::stdin().lock().take(LONGEST_PASSWORD).read_to_string(&mut text).context("--password-stdin")?;
                    text.trim_end_matches(['\r', '\n']).to_owned()
                } else {
                    // No argument: other users could read it.
                    let missing = "give the password: --password-stdin, or ASSIZE_OCI_PASSWORD";
                    std::env::var("ASSIZE_OCI_PASSWORD").map_err(|_| Usage(missing.to_owned()))?
                };
                Some(Credentials::Password { username: username.clone(), password })
            }
            None => None,
        };
        let authorities = self.ca.as_deref().map(read).transpose()?;
        Ok(Access { credentials, authorities, plain_http: self.plain_http })
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} can't be read", path.display()))
}

fn public_key(path: Option<&PathBuf>) -> anyhow::Result<Option<PublicKey>> {
    let Some(path) = path else { return Ok(None) };
    Ok(Some(PublicKey::from_pem(&read(path)?).with_context(|| path.display().to_string())?))
}

fn private_key(path: Option<&PathBuf>) -> anyhow::Result<Option<PrivateKey>> {
    let Some(path) = path else { return Ok(None) };
    Ok(Some(PrivateKey::from_pem(&read(path)?).with_context(|| path.display().to_string())?))
}

/// An artifact of a package's file, with the signatures beside it.
fn of_file(path: &Path) -> anyhow::Result<Artifact> {
    let component = read(path)?;
    let notes = signing::beside(path, &component)?;
    let mut artifact = Artifact::of(component, &path.display().to_string())?;
    for note in notes {
        artifact.attach(note.to_string().as_bytes())?;
    }
    Ok(artifact)
}

/// By whom an artifact is signed, for lists.
fn signers(artifact: &Artifact) -> anyhow::Result<Vec<String>> {
    let notes = artifact.notes()?;
    Ok(notes.iter().flat_map(Note::signatures).map(|one| format!("{}+{}", one.name, one.key)).collect())
}

impl Exchange {
    /// Carries it out.
    pub(super) fn run(self, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
        match self {
            Self::Push(push) => registry::push(&push, json),
            Self::Pull(pull) => registry::pull(&pull, connection, json),
            Self::Save(save) => set::save(&save, connection, json),
            Self::Load(load) => set::load(&load, connection, json),
        }
    }
}
