//! Manifests of the OCI image specification, as far as they're used here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Blob, Descriptor, OciError};

/// A manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A list of manifests.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker's manifest, to recognise it by.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's list of manifests, to recognise it by.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The config of container images, which cosign's signatures have, too.
pub(crate) const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A config that says nothing: `{}`.
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Under which name a layout's index lists a manifest.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Names a config and layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    pub(crate) config: Descriptor,
    #[serde(default)]
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Manifest {
    pub(crate) fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// What it says that it is for: its artifact type, or else its config's type.
    pub(crate) fn purpose(&self) -> &str {
        self.artifact_type.as_deref().unwrap_or(&self.config.media_type)
    }
}

/// Lists manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    pub(crate) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    pub(crate) manifests: Vec<Descriptor>,
}

impl Index {
    pub(crate) fn new(manifests: Vec<Descriptor>) -> Self {
        Self { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests }
    }
}

/// A manifest with all the bytes that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) manifest: Blob,
    pub(crate) blobs: Vec<Blob>,
}

impl Image {
    /// Around a manifest of our own. The blobs are those that it names.
    pub(crate) fn of(manifest: &Manifest, blobs: Vec<Blob>) -> Result<Self, OciError> {
        Ok(Self { manifest: Blob::json(MANIFEST, manifest)?, blobs })
    }
}

/// What a manifest is instead of a Wasm artifact's, for people.
pub(crate) fn in_words(purpose: &str) -> String {
    match purpose {
        INDEX | DOCKER_LIST => "a list of images for several platforms".to_owned(),
        IMAGE_CONFIG | DOCKER_MANIFEST | "application/vnd.docker.container.image.v1+json" => {
            "a container image".to_owned()
        }
        "application/vnd.cncf.helm.config.v1+json" => "a Helm chart".to_owned(),
        "application/vnd.docker.distribution.manifest.v1+prettyjws"
        | "application/vnd.docker.distribution.manifest.v1+json" => "an image in Docker's old format".to_owned(),
        crate::artifact::notes::NOTE => "a publisher's signature".to_owned(),
        other => format!("of type {other:?}"),
    }
}
