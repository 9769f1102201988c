//! Writing a layout: the same set gives the same bytes, in whatever order it was named.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use assize_ledger::Digest;
use serde_json::json;

use super::{INDEX_FILE, MARK, VERSION, blob_path};
use crate::manifest::{Image, Index, REF_NAME};
use crate::{Artifact, Blob, Descriptor, OciError, artifact, cosign, tag_of};

/// Writes artifacts and their signatures as one tar.
///
/// # Errors
/// Where a version is there twice with other bytes, and where `out` can't be written.
pub fn write_layout(out: impl Write, artifacts: &[Artifact]) -> Result<(), OciError> {
    let mut sorted: Vec<&Artifact> = artifacts.iter().collect();
    sorted.sort_by(|one, other| {
        let key = |artifact: &Artifact| {
            let manifest = &artifact.package().manifest;
            (manifest.name.to_string(), manifest.version.clone(), artifact.manifest().digest)
        };
        key(one).cmp(&key(other))
    });
    for pair in sorted.windows(2) {
        if let [one, other] = pair
            && one.name() == other.name()
            && one.manifest().digest != other.manifest().digest
        {
            let (first, second) = (one.manifest().digest, other.manifest().digest);
            return Err(OciError::Twice { which: one.name(), first, second });
        }
    }
    let (mut listed, mut blobs) = (Vec::new(), BTreeMap::new());
    for artifact in sorted {
        let manifest = &artifact.package().manifest;
        let name = |tag: &str| format!("{}:{tag}", manifest.name);
        listed.push(artifact.manifest().clone().annotated(REF_NAME, name(&tag_of(&manifest.version.to_string()))));
        gather(&artifact.image, &mut blobs);
        let mut notes: Vec<&Image> = artifact.notes.iter().collect();
        notes.sort_by_key(|image| image.manifest.digest());
        for image in notes {
            let artifact_type = Some(artifact::notes::NOTE.to_owned());
            listed.push(Descriptor { artifact_type, ..image.manifest.descriptor.clone() });
            gather(image, &mut blobs);
        }
        if let Some(image) = &artifact.cosigned {
            let tag = cosign::tag(artifact.manifest().digest);
            listed.push(image.manifest.descriptor.clone().annotated(REF_NAME, name(&tag)));
            gather(image, &mut blobs);
        }
    }
    // The same named twice is there once, with the signatures of both.
    let mut seen = BTreeSet::new();
    listed.retain(|descriptor| seen.insert(descriptor.digest));
    let mark = Blob::json("", &json!({ "imageLayoutVersion": VERSION }))?;
    let index = Blob::json("", &Index::new(listed))?;
    let mut tar = tar::Builder::new(out);
    append(&mut tar, MARK, &mark.bytes)?;
    append(&mut tar, INDEX_FILE, &index.bytes)?;
    for blob in blobs.values() {
        append(&mut tar, &blob_path(blob), &blob.bytes)?;
    }
    tar.into_inner().and_then(|mut out| out.flush()).map_err(unwritable)
}

fn gather<'a>(image: &'a Image, blobs: &mut BTreeMap<Digest, &'a Blob>) {
    for blob in std::iter::once(&image.manifest).chain(&image.blobs) {
        blobs.insert(blob.digest().0, blob);
    }
}

fn append(tar: &mut tar::Builder<impl Write>, path: &str, bytes: &[u8]) -> Result<(), OciError> {
    let mut header = tar::Header::new_ustar();
    header.set_path(path).map_err(unwritable)?;
    header.set_size(crate::descriptor::length(bytes));
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    tar.append(&header, bytes).map_err(unwritable)
}

fn unwritable(error: std::io::Error) -> OciError {
    OciError::Unwritable(error.to_string())
}
