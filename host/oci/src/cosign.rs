//! Signatures as `cosign sign --key` makes them: an image under the tag `sha256-….sig`,
//! each layer of which is a *simple signing* payload that names the signed manifest, with the signature over the payload's
//! bytes as an annotation.
//!
//! What isn't here: certificates of an authority and a transparency log (`cosign sign` without a key). A key says whose a
//! signature is, and works without a network.

mod key;

use assize_ledger::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use key::{PrivateKey, PublicKey};

use crate::contents::{Contents, LARGEST_PART, MOST_SIGNATURES, parse};
use crate::manifest::{IMAGE_CONFIG, Image, Manifest};
use crate::{Blob, Descriptor, OciError, Sha256};

/// The type of a payload.
pub(crate) const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Where a payload's signature stands, in base64.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// What a payload says that it is.
const TYPE: &str = "cosign container image signature";
/// cosign's payloads and configs say no time.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// The tag of the signatures over a manifest.
pub(crate) fn tag(subject: Sha256) -> String {
    format!("sha256-{}.sig", subject.0)
}

/// What is signed. The order of its fields is cosign's.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    optional: Option<Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Signed,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Signed {
    #[serde(rename = "docker-manifest-digest")]
    digest: Sha256,
}

/// Adds this key's signature over a manifest to those that are there. Gives them back as they are where it's among them.
pub(crate) fn sign(earlier: Option<Image>, key: &PrivateKey, place: &str, subject: Sha256) -> Result<Image, OciError> {
    if let Some(earlier) = &earlier
        && verify(Some(earlier), &key.public(), subject).is_ok_and(|named| named == place)
    {
        return Ok(earlier.clone());
    }
    let payload = Payload {
        critical: Critical {
            identity: Identity { reference: place.to_owned() },
            image: Signed { digest: subject },
            kind: TYPE.to_owned(),
        },
        optional: None,
    };
    let mut layer = Blob::json(PAYLOAD, &payload)?;
    let signature = key.sign(&layer.bytes)?;
    layer.descriptor = layer.descriptor.annotated(SIGNATURE, STANDARD.encode(signature));
    let mut layers = match earlier {
        Some(mut image) => {
            // The config comes first, and is made anew.
            image.blobs.drain(..1.min(image.blobs.len()));
            image.blobs
        }
        None => Vec::new(),
    };
    layers.push(layer);
    let digests: Vec<Sha256> = layers.iter().map(Blob::digest).collect();
    let history: Vec<Value> = digests.iter().map(|_| json!({ "created": NO_TIME })).collect();
    let config = Blob::json(
        IMAGE_CONFIG,
        &json!({ "architecture": "", "config": {}, "created": NO_TIME, "history": history, "os": "",
            "rootfs": { "type": "layers", "diff_ids": digests } }),
    )?;
    let named = layers.iter().map(|layer| layer.descriptor.clone()).collect();
    let manifest = Manifest::new(config.descriptor.clone(), named);
    Image::of(&manifest, std::iter::once(config).chain(layers).collect())
}

/// Whether one of the signatures is this key's over this manifest: what the payload calls the place.
pub(crate) fn verify(signed: Option<&Image>, key: &PublicKey, subject: Sha256) -> Result<String, String> {
    let Some(image) = signed else {
        return Err("there is none; push with --cosign-key, or sign with cosign".to_owned());
    };
    let mut over = Vec::new();
    let payloads = image.blobs.iter().filter(|layer| layer.descriptor.media_type == PAYLOAD);
    let mut count = 0_usize;
    for layer in payloads {
        count = count.saturating_add(1);
        let Some(signature) = layer.descriptor.annotations.get(SIGNATURE) else { continue };
        let Ok(signature) = STANDARD.decode(signature) else { continue };
        if !key.verifies(&layer.bytes, &signature) {
            continue;
        }
        // Only now is it worth reading: a key that is trusted said so.
        let payload: Payload = serde_json::from_slice(&layer.bytes)
            .map_err(|error| format!("what the key signed is no simple signing payload: {error}"))?;
        if payload.critical.kind != TYPE {
            return Err(format!("what the key signed is of type {:?}, not {TYPE:?}", payload.critical.kind));
        }
        if payload.critical.image.digest == subject {
            return Ok(payload.critical.identity.reference);
        }
        over.push(payload.critical.image.digest.to_string());
    }
    Err(if over.is_empty() {
        format!("none of {count} is by this key: give the key of whoever signed, or don't trust it")
    } else {
        format!("the key signed {}, and this is {subject}: it was copied from another artifact", over.join(", "))
    })
}

/// Reads the signatures of an artifact. Nothing is verified but their digests.
pub(crate) fn read(contents: &dyn Contents, descriptor: &Descriptor) -> Result<Image, OciError> {
    let which = contents.place();
    let manifest = contents.manifest(descriptor)?;
    let read: Manifest = parse(&which, "the manifest of cosign's signatures", &manifest.bytes)?;
    let unsound = |why: String| OciError::Cosign { which: which.clone(), why };
    if let Some(other) = read.layers.iter().find(|layer| layer.media_type != PAYLOAD) {
        return Err(unsound(format!("its image has a layer of type {:?}, not {PAYLOAD:?}", other.media_type)));
    }
    if read.layers.len() > MOST_SIGNATURES {
        return Err(unsound(format!("{} are there, {MOST_SIGNATURES} are read at most", read.layers.len())));
    }
    let mut blobs = vec![contents.blob(&read.config, "the config of cosign's signatures", LARGEST_PART)?];
    for layer in &read.layers {
        blobs.push(contents.blob(layer, "a cosign payload", LARGEST_PART)?);
    }
    Ok(Image { manifest, blobs })
}

/// Which manifest a payload says that it is about. Nothing is verified.
pub(crate) fn subject(payload: &[u8]) -> Option<Digest> {
    serde_json::from_slice::<Payload>(payload).ok().map(|payload| payload.critical.image.digest.0)
}
