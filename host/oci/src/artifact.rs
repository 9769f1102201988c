//! A package as an OCI artifact, in the Wasm layout of the CNCF's working group: one layer that is the component, and a
//! config that says what it exports and imports.
//!
//! The same package always gives the same bytes, so that its manifest has one digest, wherever it's pushed from.

pub(crate) mod notes;

use std::collections::BTreeMap;

use assize_ledger::Note;
use assize_registry::{Package, inspect};
use serde::{Deserialize, Serialize};

use crate::contents::{Contents, LARGEST_PART, MOST_SIGNATURES, parse};
use crate::manifest::{EMPTY, IMAGE_CONFIG, Image, Manifest, in_words};
use crate::{Blob, Descriptor, OciError, cosign};

/// The type of the layout's config.
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The type of the layer that is the component.
pub(crate) const WASM: &str = "application/wasm";
/// What a component is built for, in the layout's word.
const COMPONENT_OS: &str = "wasip2";
const ARCHITECTURE: &str = "wasm";
/// The layout wants a time. Ours would make another artifact of the same package each day.
const CREATED: &str = "1970-01-01T00:00:00Z";
/// Under which name tools write a layer to a file.
const TITLE: &str = "org.opencontainers.image.title";

/// The layout's config.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    author: Option<String>,
    architecture: String,
    os: String,
    layer_digests: Vec<String>,
    #[serde(default)]
    component: Option<Component>,
}

/// What a component has to do with others.
#[derive(Debug, Serialize, Deserialize)]
struct Component {
    exports: Vec<String>,
    imports: Vec<String>,
    #[serde(default)]
    target: Option<String>,
}

/// A package with its manifest and the signatures that travel with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    package: Package,
    pub(crate) image: Image,
    pub(crate) notes: Vec<Image>,
    pub(crate) cosigned: Option<Image>,
}

impl Artifact {
    /// Makes an artifact of a package's bytes.
    ///
    /// # Errors
    /// Where they are no package.
    pub fn of(component: Vec<u8>, which: &str) -> Result<Self, OciError> {
        let package = package(&component, which)?;
        let manifest = &package.manifest;
        let mut layer = Blob::new(WASM, component);
        let file = format!("{}-{}-{}.wasm", manifest.name.namespace(), manifest.name.name(), manifest.version);
        layer.descriptor = layer.descriptor.annotated(TITLE, file);
        let config = Config {
            created: Some(CREATED.to_owned()),
            author: Some(manifest.authors.join(", ")),
            architecture: ARCHITECTURE.to_owned(),
            os: COMPONENT_OS.to_owned(),
            layer_digests: vec![layer.digest().to_string()],
            component: Some(Component {
                exports: package.exports.clone(),
                imports: package.imports.iter().map(|import| import.name.clone()).collect(),
                target: Some(format!("assize:plugin/{}@{}", package.kind, package.contract)),
            }),
        };
        let config = Blob::json(WASM_CONFIG, &config)?;
        let mut image = Manifest::new(config.descriptor.clone(), vec![layer.descriptor.clone()]);
        image.annotations = annotations(manifest);
        let image = Image::of(&image, vec![config, layer])?;
        Ok(Self { package, image, notes: Vec::new(), cosigned: None })
    }

    /// Reads the artifact with this manifest, and the signatures that travel with it. All digests are verified.
    ///
    /// # Errors
    /// Where it's something else, where its parts don't fit together, and where it holds no package.
    pub fn read(contents: &dyn Contents, manifest: Blob) -> Result<Self, OciError> {
        let which = contents.place();
        let (config, layer) = wasm(&which, &manifest)?;
        let config = contents.blob(&config, "the config", LARGEST_PART)?;
        check_config(&which, &config.bytes, &layer)?;
        let layer = contents.package(&layer)?;
        let package = package(&layer.bytes, &which)?;
        let subject = manifest.digest();
        let mut artifact =
            Self { package, image: Image { manifest, blobs: vec![config, layer] }, notes: Vec::new(), cosigned: None };
        let referrers = contents.referrers(subject)?;
        let notes = referrers.iter().filter(|one| one.artifact_type.as_deref() == Some(notes::NOTE));
        for descriptor in notes.take(MOST_SIGNATURES) {
            artifact.notes.push(notes::read(contents, descriptor, &artifact)?);
        }
        if let Some(descriptor) = contents.cosigned(subject)? {
            artifact.cosigned = Some(cosign::read(contents, &descriptor)?);
        }
        Ok(artifact)
    }

    /// What the component says of itself.
    pub fn package(&self) -> &Package {
        &self.package
    }

    /// `namespace/name@version`.
    pub fn name(&self) -> String {
        format!("{}@{}", self.package.manifest.name, self.package.manifest.version)
    }

    /// The package's bytes.
    pub fn component(&self) -> &[u8] {
        self.image.blobs.last().map(|layer| layer.bytes.as_slice()).unwrap_or_default()
    }

    /// The manifest: what names the artifact in a registry, and what cosign signs.
    pub fn manifest(&self) -> &Descriptor {
        &self.image.manifest.descriptor
    }

    /// Adds the publishers' signatures of a note over this package, those that aren't there yet.
    ///
    /// # Errors
    /// Where it's over something else.
    pub fn attach(&mut self, note: &[u8]) -> Result<(), OciError> {
        for note in notes::apart(note, self)? {
            let image = notes::image(&note, self.manifest())?;
            if !self.notes.iter().any(|known| known.manifest.digest() == image.manifest.digest()) {
                self.notes.push(image);
            }
        }
        Ok(())
    }

    /// The publishers' signatures, each a signed note over this package. Whether a key that counts made them is for the host
    /// to say.
    pub fn notes(&self) -> Result<Vec<Note>, OciError> {
        let mut all = Vec::new();
        for image in &self.notes {
            all.extend(notes::of(image, self)?);
        }
        Ok(all)
    }

    /// Adds a cosign signature over the manifest, unless this key made one for that place already.
    ///
    /// `place` is where the artifact goes: the name that the payload says.
    pub fn cosign(&mut self, key: &cosign::PrivateKey, place: &str) -> Result<(), OciError> {
        let signed = cosign::sign(self.cosigned.take(), key, place, self.manifest().digest)?;
        self.cosigned = Some(signed);
        Ok(())
    }

    /// Checks that this key signed the manifest, as `cosign sign --key` does. Says how the signed payload calls the place.
    ///
    /// # Errors
    /// Where no signature of this key over this manifest came along.
    pub fn cosigned_by(&self, key: &cosign::PublicKey) -> Result<String, OciError> {
        let refused = |why| OciError::Cosign { which: self.name(), why };
        cosign::verify(self.cosigned.as_ref(), key, self.manifest().digest).map_err(refused)
    }
}

fn package(component: &[u8], which: &str) -> Result<Package, OciError> {
    inspect(component).map_err(|error| OciError::NoPackage { which: which.to_owned(), why: error.to_string() })
}

/// What lists of artifacts show.
fn annotations(manifest: &assize_registry::Manifest) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut say = |name: &str, value: &str| {
        if !value.is_empty() {
            all.insert(format!("org.opencontainers.image.{name}"), value.to_owned());
        }
    };
    say("title", &manifest.title);
    say("description", &manifest.description);
    say("version", &manifest.version.to_string());
    say("authors", &manifest.authors.join(", "));
    say("licenses", &manifest.license);
    all
}

/// Config and layer of a manifest that is a Wasm artifact's.
fn wasm(which: &str, blob: &Blob) -> Result<(Descriptor, Descriptor), OciError> {
    let not = |found: &str| OciError::NotWasm { which: which.to_owned(), found: in_words(found) };
    let unsound = |why: String| OciError::Unsound { which: which.to_owned(), why };
    // What says of itself that it is something else has none of a manifest's fields.
    let said: Said = parse(which, "the manifest", &blob.bytes)?;
    let media_type = said.media_type.as_deref().unwrap_or(&blob.descriptor.media_type);
    if media_type != crate::manifest::MANIFEST {
        return Err(not(media_type));
    }
    let manifest: Manifest = parse(which, "the manifest", &blob.bytes)?;
    if manifest.config.media_type != WASM_CONFIG {
        // Older tools push with an empty config, and say in the layer alone what it is.
        let purpose = manifest.purpose();
        let layers = manifest.layers.iter().any(|layer| layer.media_type == WASM);
        return Err(if purpose == EMPTY || (purpose == IMAGE_CONFIG && layers) {
            not("without the config that says so")
        } else {
            not(purpose)
        });
    }
    match manifest.layers.as_slice() {
        [layer] if layer.media_type == WASM => Ok((manifest.config, layer.clone())),
        [layer] => Err(unsound(format!("its layer is of type {:?}, not {WASM:?}", layer.media_type))),
        layers => Err(unsound(format!("it has {} layers, and a component is one", layers.len()))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    #[serde(default)]
    media_type: Option<String>,
}

fn check_config(which: &str, config: &[u8], layer: &Descriptor) -> Result<(), OciError> {
    let unsound = |why: String| OciError::Unsound { which: which.to_owned(), why };
    let config: Config = parse(which, "the config", config)?;
    if config.architecture != ARCHITECTURE {
        return Err(unsound(format!("its config says architecture {:?}, not {ARCHITECTURE:?}", config.architecture)));
    }
    if config.os != COMPONENT_OS {
        let found = format!("a core module for {:?}, and a plugin is a component ({COMPONENT_OS:?})", config.os);
        return Err(OciError::NotWasm { which: which.to_owned(), found });
    }
    if config.layer_digests != [layer.digest.to_string()] {
        let (said, is) = (config.layer_digests.join(", "), layer.digest);
        return Err(unsound(format!("its config names the layer {said}, and its manifest {is}")));
    }
    Ok(())
}
