//! Publishers' signatures beside an artifact: each a manifest of its own, whose subject the artifact is.
//!
//! Not inside: an artifact has one layer, and further keys may sign it later without changing its digest.

use assize_ledger::{MAX_NOTE, Note};

use super::Artifact;
use crate::contents::{Contents, parse};
use crate::manifest::{EMPTY, Image, Manifest};
use crate::{Blob, Descriptor, OciError};

/// The type of such a manifest, and of its one layer: a signed note.
pub(crate) const NOTE: &str = "application/vnd.assize.package.signature.v1";

const TITLE: &str = "org.opencontainers.image.title";

fn refused(artifact: &Artifact, why: impl std::fmt::Display) -> OciError {
    OciError::Signature { which: artifact.name(), why: why.to_string() }
}

/// Each signature of a note over this package, alone.
pub(super) fn apart(note: &[u8], artifact: &Artifact) -> Result<Vec<Note>, OciError> {
    let package = artifact.package();
    let manifest = &package.manifest;
    assize_registry::apart(note, &manifest.name, &manifest.version, package.digest)
        .map_err(|error| refused(artifact, error))
}

/// A manifest around a note.
pub(super) fn image(note: &Note, subject: &Descriptor) -> Result<Image, OciError> {
    let config = Blob::new(EMPTY, b"{}".to_vec());
    let mut layer = Blob::new(NOTE, note.to_string().into_bytes());
    let signers: Vec<String> = note.signatures().iter().map(|one| format!("{}+{}", one.name, one.key)).collect();
    layer.descriptor = layer.descriptor.annotated(TITLE, format!("{}.sig", signers.join(",")));
    let mut manifest = Manifest::new(config.descriptor.clone(), vec![layer.descriptor.clone()]);
    manifest.artifact_type = Some(NOTE.to_owned());
    manifest.subject = Some(Descriptor { annotations: std::collections::BTreeMap::new(), ..subject.clone() });
    Image::of(&manifest, vec![config, layer])
}

/// Reads one that came with an artifact.
pub(super) fn read(contents: &dyn Contents, descriptor: &Descriptor, artifact: &Artifact) -> Result<Image, OciError> {
    let blob = contents.manifest(descriptor)?;
    let manifest: Manifest = parse(&contents.place(), "the manifest of a signature", &blob.bytes)?;
    if manifest.subject.as_ref().map(|subject| subject.digest) != Some(artifact.manifest().digest) {
        return Err(refused(artifact, "its manifest is about another artifact"));
    }
    let [layer] = manifest.layers.as_slice() else {
        return Err(refused(artifact, format!("it has {} layers, not one", manifest.layers.len())));
    };
    let limit = u64::try_from(MAX_NOTE).unwrap_or(u64::MAX);
    let config = contents.blob(&manifest.config, "a signature's config", limit)?;
    let layer = contents.blob(layer, "a signature", limit)?;
    let image = Image { manifest: blob, blobs: vec![config, layer] };
    of(&image, artifact)?;
    Ok(image)
}

/// The signatures inside.
pub(super) fn of(image: &Image, artifact: &Artifact) -> Result<Vec<Note>, OciError> {
    apart(image.blobs.last().map(|note| note.bytes.as_slice()).unwrap_or_default(), artifact)
}
