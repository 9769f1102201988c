//! Sending an artifact to a registry.

use ureq::http::{Method, StatusCode};

use super::Repository;
use super::http::Request;
use crate::artifact::notes;
use crate::contents::Contents as _;
use crate::manifest::{INDEX, Image, Index, MANIFEST};
use crate::{Artifact, Blob, Descriptor, OciError, Reference, Sha256, cosign};

/// Where an artifact went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedTo {
    /// Its reference, with tag and digest.
    pub reference: Reference,
    /// Whether the registry already had this very artifact under this tag.
    pub known: bool,
    /// Where the tag led before, if elsewhere.
    pub moved_from: Option<Sha256>,
}

impl Repository {
    /// Pushes an artifact under the reference's tag, with the signatures that travel with it. Signatures that are there already stay.
    ///
    /// # Errors
    /// Where the registry takes any part of it not. The tag is set after all that it leads to, and a signature after what it is about.
    pub fn push(&self, artifact: &Artifact) -> Result<PushedTo, OciError> {
        let Some(tag) = self.reference.tag.clone() else {
            let why = "no tag is named to push to".to_owned();
            return Err(OciError::NotFound { which: self.reference.to_string(), why });
        };
        let digest = artifact.manifest().digest;
        let before = self.tagged(&tag, &super::accepted())?.map(|blob| blob.digest());
        for blob in &artifact.image.blobs {
            self.upload(blob)?;
        }
        if before != Some(digest) {
            self.put_manifest(&tag, &artifact.image.manifest, MANIFEST)?;
        }
        for image in &artifact.notes {
            self.push_note(image, digest)?;
        }
        if let Some(image) = &artifact.cosigned {
            self.push_image(image, &cosign::tag(digest))?;
        }
        let reference = self.reference.pinned(digest);
        Ok(PushedTo { reference, known: before == Some(digest), moved_from: before.filter(|other| *other != digest) })
    }

    /// Brings the cosign signatures that the registry has of an artifact, so that one more doesn't take their place.
    pub fn with_cosigned(&self, artifact: &mut Artifact) -> Result<(), OciError> {
        if let Some(descriptor) = self.cosigned(artifact.manifest().digest)? {
            artifact.cosigned = Some(cosign::read(self, &descriptor)?);
        }
        Ok(())
    }

    fn push_image(&self, image: &Image, name: &str) -> Result<(), OciError> {
        for blob in &image.blobs {
            self.upload(blob)?;
        }
        self.put_manifest(name, &image.manifest, MANIFEST).map(drop)
    }

    /// A publisher's signature; where the registry keeps no list of what is about an artifact, the list under a tag.
    fn push_note(&self, image: &Image, subject: Sha256) -> Result<(), OciError> {
        for blob in &image.blobs {
            self.upload(blob)?;
        }
        let digest = image.manifest.digest();
        if self.put_manifest(&digest.to_string(), &image.manifest, MANIFEST)? {
            return Ok(());
        }
        let mut listed = self.listed_referrers(subject)?;
        if listed.iter().any(|known| known.digest == digest) {
            return Ok(());
        }
        let artifact_type = Some(notes::NOTE.to_owned());
        listed.push(Descriptor { artifact_type, ..image.manifest.descriptor.clone() });
        let index = Blob::json(INDEX, &Index::new(listed))?;
        self.put_manifest(&Self::referrers_tag(subject), &index, INDEX).map(drop)
    }

    /// Puts a manifest. Whether the registry keeps lists of what is about an artifact itself.
    fn put_manifest(&self, name: &str, manifest: &Blob, media_type: &str) -> Result<bool, OciError> {
        let request = Request::new(Method::PUT, self.path(&format!("manifests/{name}")));
        let answer = self.http.send(&request.header("content-type", media_type).body(&manifest.bytes))?;
        let answer = self.http.expect(answer, &[StatusCode::CREATED, StatusCode::OK])?;
        Ok(answer.headers().contains_key("oci-subject"))
    }

    /// Uploads a blob, unless it's there.
    fn upload(&self, blob: &Blob) -> Result<(), OciError> {
        let digest = blob.digest();
        let answer = self.http.send(&Request::new(Method::HEAD, self.path(&format!("blobs/{digest}"))))?;
        if answer.status() == StatusCode::OK {
            return Ok(());
        }
        let answer = self.http.send(&Request::new(Method::POST, self.path("blobs/uploads/")))?;
        let answer = self.http.expect(answer, &[StatusCode::ACCEPTED])?;
        let Some(location) = answer.headers().get("location").and_then(|value| value.to_str().ok()) else {
            let what = "an upload without saying where to (no Location)".to_owned();
            return Err(OciError::Answer { host: self.http.host().to_owned(), what });
        };
        let separator = if location.contains('?') { '&' } else { '?' };
        let target = format!("{location}{separator}digest=sha256%3A{}", digest.0);
        let request = Request::new(Method::PUT, target).header("content-type", "application/octet-stream");
        let answer = self.http.send(&request.body(&blob.bytes))?;
        self.http.expect(answer, &[StatusCode::CREATED]).map(drop)
    }
}
