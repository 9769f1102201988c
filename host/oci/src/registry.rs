//! A client of the OCI distribution specification: one repository of a registry.

mod auth;
mod credentials;
mod http;
mod push;

use serde::Deserialize;
use ureq::http::{Method, StatusCode};

pub use credentials::{Access, Credentials};
pub use push::PushedTo;

use self::http::{Http, Request};
use crate::artifact::notes;
use crate::contents::{Contents, LARGEST_MANIFEST, LARGEST_PART};
use crate::manifest::{DOCKER_LIST, DOCKER_MANIFEST, INDEX, Index, MANIFEST};
use crate::{Artifact, Blob, Descriptor, OciError, Reference, Sha256, cosign};

/// What we ask for, and what we want to recognise in order to say what it is.
fn accepted() -> String {
    [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(", ")
}

/// How many tags are named where one is missing.
const TAGS_SHOWN: usize = 20;

/// One repository, asked over HTTP.
pub struct Repository {
    reference: Reference,
    http: Http,
}

/// An artifact that was asked for.
struct Found {
    /// Its manifest, whose digest was verified.
    manifest: Blob,
    /// Where the tag that was written beside a digest leads by now, if elsewhere.
    moved: Option<Sha256>,
}

impl Repository {
    /// The repository that a reference names. Nothing is asked yet.
    ///
    /// # Errors
    /// Where access can't be had as `access` says: a CA file or docker's config can't be read, or plain HTTP is asked for to
    /// another machine.
    pub fn open(reference: &Reference, access: &Access) -> Result<Self, OciError> {
        Ok(Self { reference: reference.clone(), http: Http::new(reference, access)? })
    }

    /// Reads the artifact that the reference names, and the signatures that travel with it. The second is where the tag leads
    /// by now, where it was written beside a digest and leads elsewhere.
    ///
    /// # Errors
    /// Where it isn't there or can't be had, where any byte is another than its digest says, and where it's no package.
    pub fn pull(&self) -> Result<(Artifact, Option<Sha256>), OciError> {
        let found = self.find()?;
        Ok((Artifact::read(self, found.manifest)?, found.moved))
    }

    fn find(&self) -> Result<Found, OciError> {
        let Reference { tag, digest, .. } = &self.reference;
        match (digest, tag) {
            (Some(digest), tag) => {
                let tagged = |tag: &Option<String>| match tag {
                    Some(tag) => Ok::<_, OciError>(self.tagged(tag, &accepted())?.map(|blob| blob.digest())),
                    None => Ok(None),
                };
                let Some(manifest) = self.pinned(*digest)? else {
                    let why = match tagged(tag)? {
                        Some(now) => format!(
                            "the registry doesn't have {digest} any more, and the tag leads to {now} by now: find out who \
                             moved it, and name that one if it's meant"
                        ),
                        None => format!("the registry doesn't have {digest}: check repository and digest"),
                    };
                    return Err(OciError::NotFound { which: self.reference.to_string(), why });
                };
                Ok(Found { manifest, moved: tagged(tag)?.filter(|now| now != digest) })
            }
            (None, Some(tag)) => match self.tagged(tag, &accepted())? {
                Some(manifest) => Ok(Found { manifest, moved: None }),
                None => Err(self.no_such_tag(&format!("there's no tag {tag:?}"))),
            },
            (None, None) => Err(self.no_such_tag("no tag is named")),
        }
    }

    fn no_such_tag(&self, why: &str) -> OciError {
        let which = self.reference.to_string();
        let tags = match self.tags() {
            Ok(tags) if tags.is_empty() => "; the repository is empty or isn't there: check its name".to_owned(),
            Ok(tags) => format!("; there are {}", tags.join(", ")),
            // The first error counts.
            Err(_) => "; check repository and tag".to_owned(),
        };
        OciError::NotFound { which, why: format!("{why}{tags}") }
    }

    /// Some of the repository's tags: those of artifacts.
    fn tags(&self) -> Result<Vec<String>, OciError> {
        #[derive(Deserialize, Default)]
        struct Listed {
            tags: Option<Vec<String>>,
        }
        let answer = self.http.send(&Request::new(Method::GET, self.path("tags/list")))?;
        if answer.status() != StatusCode::OK {
            return Ok(Vec::new());
        }
        let bytes = self.http.body(answer, "the list of tags", LARGEST_PART)?;
        let listed: Listed = serde_json::from_slice(&bytes).unwrap_or_default();
        let mut tags = listed.tags.unwrap_or_default();
        tags.retain(|tag| !tag.starts_with("sha256-"));
        tags.truncate(TAGS_SHOWN);
        Ok(tags)
    }

    fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.reference.repository)
    }

    /// A manifest by its digest; its bytes are verified. None where it isn't there.
    fn pinned(&self, digest: Sha256) -> Result<Option<Blob>, OciError> {
        let Some((media_type, bytes)) = self.fetch_manifest(&digest.to_string(), &accepted())? else { return Ok(None) };
        let blob = Blob::new(&media_type, bytes);
        if blob.digest() != digest {
            let place = self.place();
            return Err(OciError::Differs { place, expected: digest, found: blob.digest() });
        }
        Ok(Some(blob))
    }

    /// The manifest that a tag leads to; where the registry says its digest, that is right. None where it isn't there.
    fn tagged(&self, tag: &str, accept: &str) -> Result<Option<Blob>, OciError> {
        let found = self.fetch_manifest(tag, accept)?;
        Ok(found.map(|(media_type, bytes)| Blob::new(&media_type, bytes)))
    }

    fn fetch_manifest(&self, name: &str, accept: &str) -> Result<Option<(String, Vec<u8>)>, OciError> {
        let request = Request::new(Method::GET, self.path(&format!("manifests/{name}"))).header("accept", accept);
        let answer = self.http.send(&request)?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = self.http.expect(answer, &[StatusCode::OK])?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (media_type, said) = (header("content-type"), header("docker-content-digest"));
        let bytes = self.http.body(answer, "the manifest", LARGEST_MANIFEST)?;
        let media_type = media_type.unwrap_or_else(|| MANIFEST.to_owned());
        if let Some(expected) = said.and_then(|said| said.parse::<Sha256>().ok()) {
            let found = Blob::new(&media_type, bytes);
            if found.digest() != expected {
                return Err(OciError::Differs { place: self.place(), expected, found: found.digest() });
            }
            return Ok(Some((media_type, found.bytes)));
        }
        Ok(Some((media_type, bytes)))
    }

    /// The list of referrers that registries without an interface for it keep under a tag.
    fn referrers_tag(subject: Sha256) -> String {
        format!("sha256-{}", subject.0)
    }

    fn listed_referrers(&self, subject: Sha256) -> Result<Vec<Descriptor>, OciError> {
        let Some(blob) = self.tagged(&Self::referrers_tag(subject), INDEX)? else { return Ok(Vec::new()) };
        let index: Index = crate::contents::parse(&self.place(), "the list of signatures", &blob.bytes)?;
        Ok(index.manifests)
    }
}

impl Contents for Repository {
    fn place(&self) -> String {
        self.reference.to_string()
    }

    fn read_blob(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, OciError> {
        let answer = self.http.send(&Request::new(Method::GET, self.path(&format!("blobs/{}", descriptor.digest))))?;
        if answer.status() == StatusCode::NOT_FOUND {
            let why = format!(
                "its manifest names {}, which the registry doesn't have: have it pushed again",
                descriptor.digest
            );
            return Err(OciError::NotFound { which: self.place(), why });
        }
        let answer = self.http.expect(answer, &[StatusCode::OK])?;
        self.http.body(answer, "a blob", limit)
    }

    fn read_manifest(&self, descriptor: &Descriptor, _limit: u64) -> Result<Vec<u8>, OciError> {
        match self.fetch_manifest(&descriptor.digest.to_string(), &accepted())? {
            Some((_, bytes)) => Ok(bytes),
            None => {
                let why = format!("the manifest {} that it names isn't there", descriptor.digest);
                Err(OciError::NotFound { which: self.place(), why })
            }
        }
    }

    fn referrers(&self, subject: Sha256) -> Result<Vec<Descriptor>, OciError> {
        let filter = notes::NOTE.replace('/', "%2F").replace('+', "%2B");
        let request = Request::new(Method::GET, self.path(&format!("referrers/{subject}?artifactType={filter}")));
        let answer = self.http.send(&request.header("accept", INDEX))?;
        // Registries of before version 1.1 answer otherwise.
        if answer.status() != StatusCode::OK {
            return self.listed_referrers(subject);
        }
        let bytes = self.http.body(answer, "the list of signatures", LARGEST_MANIFEST)?;
        let index: Index = crate::contents::parse(&self.place(), "the list of signatures", &bytes)?;
        Ok(index.manifests)
    }

    fn cosigned(&self, subject: Sha256) -> Result<Option<Descriptor>, OciError> {
        Ok(self.tagged(&cosign::tag(subject), MANIFEST)?.map(|blob| blob.descriptor))
    }
}
