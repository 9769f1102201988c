//! Keys of publishers, and their signatures beside packages.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use assize_ledger::{Algorithm, Note, SignerKey};
use assize_registry::{PackageName, apart, inspect, sign as signature};

use crate::output::{self, Ended, Usage};

/// Makes a key, in a file that nobody else can read and that wasn't there.
pub(super) fn keygen(namespace: &str, path: &Path, json: bool) -> anyhow::Result<Ended> {
    // What is a namespace is what may stand before a package's slash.
    format!("{namespace}/x")
        .parse::<PackageName>()
        .map_err(|error| Usage(format!("namespace {namespace:?}: {error}")))?;
    let key = SignerKey::generate(namespace, Algorithm::Ed25519)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already, and may hold a key that is in use: name another file", path.display());
        }
        Err(error) => return Err(error).with_context(|| format!("{} can't be written", path.display())),
    };
    writeln!(file, "{}", key.to_secret())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("{} can't be written", path.display()))?;
    let public = key.public();
    if json {
        output::json(&serde_json::json!({ "key": public.to_string(), "id": public.id().to_string(), "file": path }))?;
    } else {
        output::line(public)?;
        output::line(format_args!(
            "The private key is in {}: keep it to yourself. Next, as an admin: assize publisher register {namespace} KEY",
            path.display()
        ))?;
    }
    Ok(Ended::Fine)
}

/// Signs packages, each into a file beside it.
pub(super) fn sign(files: &[PathBuf], key_file: &Path, json: bool) -> anyhow::Result<Ended> {
    let text = fs::read_to_string(key_file).with_context(|| format!("{} can't be read", key_file.display()))?;
    let key: SignerKey = text.parse().with_context(|| key_file.display().to_string())?;
    let id = format!("{}+{}", key.public().name(), key.public().id());
    let mut written = Vec::new();
    for file in files {
        let bytes = fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
        let package = inspect(&bytes).with_context(|| file.display().to_string())?;
        let manifest = &package.manifest;
        let note = signature(&key, &manifest.name, &manifest.version, package.digest)
            .with_context(|| file.display().to_string())?;
        let path = signature_file(file);
        fs::write(&path, note.to_string()).with_context(|| format!("{} can't be written", path.display()))?;
        if !json {
            let (name, version, path) = (&manifest.name, &manifest.version, path.display());
            output::line(format_args!("{name}@{version} signed by {id}: {path}"))?;
        }
        written.push(serde_json::json!({ "package": manifest.name, "version": manifest.version,
            "digest": package.digest, "signed_by": id, "file": path }));
    }
    if json {
        output::json(&written)?;
    }
    Ok(Ended::Fine)
}

/// `FILE.sig`.
pub(super) fn signature_file(package: &Path) -> PathBuf {
    let mut name = package.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// The signatures beside a package, each alone; none where there is no such file.
pub(super) fn beside(path: &Path, component: &[u8]) -> anyhow::Result<Vec<Note>> {
    let file = signature_file(path);
    let note = match fs::read(&file) {
        Ok(note) => note,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("{} can't be read", file.display())),
    };
    // What isn't one, or isn't over this package, wouldn't get through.
    let package = inspect(component).with_context(|| path.display().to_string())?;
    let manifest = &package.manifest;
    apart(&note, &manifest.name, &manifest.version, package.digest).with_context(|| file.display().to_string())
}

/// Signatures over one package as the text of one file; none where there are none.
pub(super) fn together(notes: &[Note]) -> Option<String> {
    let (first, rest) = notes.split_first()?;
    let mut all = first.clone();
    for signature in rest.iter().flat_map(Note::signatures) {
        all.add(signature.clone());
    }
    Some(all.to_string())
}
