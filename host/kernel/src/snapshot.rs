//! Everything in force for one scope at one instant, merged and immutable.

use std::collections::HashMap;
use std::sync::Arc;

use assize_ledger::{Digest, Timestamp};
use assize_registry::{Choice, Contract, EffectKind, Effective, Kind, Limits, PackageName, Scope, choose};
use assize_sandbox::json::JsonError;
use assize_sandbox::{Plugin, Settings};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::binding::Binding;
use crate::cross::Aspect;
use crate::merge::{Layer, Merged, merge, smallest};
use crate::policy::Policy;

/// An active version that a binding's range matches: whatever of its manifest judging depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Candidate {
    pub version: Version,
    pub digest: Digest,
    pub kind: Kind,
    pub contract: Contract,
    pub effective: Effective,
    pub scope: Scope,
    pub limits: Limits,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may: Vec<EffectKind>,
    /// The key that signed it, as `name+id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// A binding with its candidates.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// The scope whose policy has the binding.
    pub layer: String,
    /// As the policy has it.
    pub binding: Binding,
    /// SHA-256 of the settings' bytes.
    pub settings_hash: Digest,
    /// What its calls may use at most: the smallest of its own layer and those above. A layer below has no say, or it
    /// could starve a rule that would block into a failure that is only reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// From the lowest version to the highest.
    pub candidates: Vec<Candidate>,
}

impl Bound {
    /// Which candidate applies at a moment.
    pub fn in_force(&self, at: Timestamp) -> Choice {
        let candidates = self.candidates.iter().map(|candidate| (&candidate.version, &candidate.effective));
        choose(&self.binding.version, candidates, at)
    }

    /// Whether it is the same binding, whatever its version, weight and settings.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.layer == other.layer
            && self.binding.name == other.binding.name
            && self.binding.plugin == other.binding.plugin
    }

    /// The candidate of this version.
    pub fn candidate(&self, version: &Version) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.version == *version)
    }

    /// What the plugin is for; none where nothing matches.
    pub fn kind(&self) -> Option<Kind> {
        self.candidates.last().map(|candidate| candidate.kind)
    }
}

/// The document whose bytes are hashed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    format: u32,
    layers: Vec<Layer>,
    pub(crate) merged: Merged,
    pub(crate) bindings: Vec<Bound>,
}

const FORMAT: u32 = 1;

/// Everything in force for one scope at one instant, merged and immutable, identified by the hash of its bytes.
pub struct Snapshot {
    document: Document,
    bytes: Arc<[u8]>,
    hash: Digest,
    settings: Vec<Settings>,
    plugins: HashMap<Digest, Arc<Plugin>>,
}

/// Why bytes are no snapshot, or none can be made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SnapshotError {
    #[error("not a snapshot: {0}")]
    Json(#[from] serde_json::Error),
    #[error("snapshot format {0} is newer than this build's {FORMAT}")]
    Format(u32),
    #[error("settings of binding {binding:?}: {error}")]
    Settings { binding: String, error: JsonError },
}

impl Snapshot {
    /// Merges policies, given from global to system. `active` lists the active versions of a package that a layer may
    /// bind (a tenant's package must not stand in for the host's in a global binding); `plugin` finds
    /// the loaded component of a digest, where there is one. A component that isn't found is not an error here: its
    /// bindings fall to their failure policy.
    pub fn merged(
        policies: &[(Layer, &Policy)],
        mut active: impl FnMut(&Layer, &PackageName) -> Vec<Candidate>,
        plugin: impl FnMut(Digest) -> Option<Arc<Plugin>>,
    ) -> Result<Self, SnapshotError> {
        let (mut bindings, mut limits) = (Vec::new(), None);
        for (layer, policy) in policies {
            limits = smallest(limits, policy.limits);
            for binding in &policy.bindings {
                let mut candidates = active(layer, &binding.plugin);
                candidates.retain(|candidate| binding.version.matches(&candidate.version));
                candidates.sort_by(|a, b| a.version.cmp(&b.version));
                bindings.push(Bound {
                    layer: layer.scope.clone(),
                    settings_hash: Digest::of(binding.settings.get().as_bytes()),
                    limits,
                    binding: binding.clone(),
                    candidates,
                });
            }
        }
        let layers = policies.iter().map(|(layer, _)| layer.clone()).collect();
        let merged = merge(policies.iter().map(|(_, policy)| *policy));
        Self::of_document(Document { format: FORMAT, layers, merged, bindings }, plugin)
    }

    pub(crate) fn of_document(
        document: Document,
        plugin: impl FnMut(Digest) -> Option<Arc<Plugin>>,
    ) -> Result<Self, SnapshotError> {
        let bytes = serde_json::to_vec(&document)?;
        Self::assemble(document, bytes.into(), plugin)
    }

    pub(crate) const fn document(&self) -> &Document {
        &self.document
    }

    /// From recorded bytes.
    pub fn from_bytes(
        bytes: Arc<[u8]>,
        plugin: impl FnMut(Digest) -> Option<Arc<Plugin>>,
    ) -> Result<Self, SnapshotError> {
        let document: Document = serde_json::from_slice(&bytes)?;
        if document.format != FORMAT {
            return Err(SnapshotError::Format(document.format));
        }
        Self::assemble(document, bytes, plugin)
    }

    fn assemble(
        document: Document,
        bytes: Arc<[u8]>,
        mut plugin: impl FnMut(Digest) -> Option<Arc<Plugin>>,
    ) -> Result<Self, SnapshotError> {
        let mut settings = Vec::with_capacity(document.bindings.len());
        let mut plugins = HashMap::new();
        for bound in &document.bindings {
            settings.push(
                Settings::parse(bound.binding.settings.get())
                    .map_err(|error| SnapshotError::Settings { binding: bound.binding.name.clone(), error })?,
            );
            for candidate in &bound.candidates {
                if !plugins.contains_key(&candidate.digest)
                    && let Some(loaded) = plugin(candidate.digest)
                {
                    plugins.insert(candidate.digest, loaded);
                }
            }
        }
        let hash = Digest::of(&bytes);
        Ok(Self { document, bytes, hash, settings, plugins })
    }

    /// This snapshot with some aspects of another one. It was never in force: it is for trying out what an aspect does.
    ///
    /// Bindings are the same where layer, name and plugin are. With [`Aspect::Bindings`] those that only the other has
    /// come in as they are there, and those that it lacks go.
    pub(crate) fn crossed(&self, aspects: &[Aspect], other: &Self) -> Result<Self, SnapshotError> {
        let mut document = self.document.clone();
        let take = |aspect| aspects.contains(&aspect);
        if take(Aspect::Policy) {
            document = other.document.clone();
        }
        if take(Aspect::Thresholds) {
            document.merged.thresholds.clone_from(&other.document.merged.thresholds);
        }
        if take(Aspect::FailurePolicy) {
            document.merged.on_failure = other.document.merged.on_failure;
        }
        if take(Aspect::Bindings) {
            let own = |theirs: &Bound| document.bindings.iter().find(|own| own.is(theirs)).unwrap_or(theirs).clone();
            document.bindings = other.bindings().iter().map(own).collect();
        }
        for own in &mut document.bindings {
            let Some(theirs) = other.bindings().iter().find(|theirs| theirs.is(own)) else { continue };
            if take(Aspect::Bindings) {
                own.binding.on.clone_from(&theirs.binding.on);
            }
            if take(Aspect::Weights) {
                (own.binding.weight, own.binding.adds) = (theirs.binding.weight, theirs.binding.adds);
            }
            if take(Aspect::Settings) {
                own.binding.settings.clone_from(&theirs.binding.settings);
                own.settings_hash = theirs.settings_hash;
            }
            if take(Aspect::Versions) {
                own.binding.version.clone_from(&theirs.binding.version);
                own.candidates.clone_from(&theirs.candidates);
            }
            if take(Aspect::FailurePolicy) {
                own.binding.on_failure = theirs.binding.on_failure;
            }
            if take(Aspect::Limits) {
                own.limits = theirs.limits;
            }
        }
        let bytes = serde_json::to_vec(&document)?;
        Self::assemble(document, bytes.into(), |digest| self.plugin(digest).or_else(|| other.plugin(digest)).cloned())
    }

    /// The binding of this name in this layer.
    pub fn bound(&self, layer: &str, binding: &str) -> Option<&Bound> {
        self.bindings().iter().find(|bound| bound.layer == layer && bound.binding.name == binding)
    }

    /// SHA-256 of [`Snapshot::bytes`].
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// What is recorded.
    pub const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Which policies contributed.
    pub fn layers(&self) -> &[Layer] {
        &self.document.layers
    }

    /// Their merged fields.
    pub const fn policy(&self) -> &Merged {
        &self.document.merged
    }

    /// All bindings with their candidates, from global to system.
    pub fn bindings(&self) -> &[Bound] {
        &self.document.bindings
    }

    /// The component of a candidate, where it is loaded.
    pub fn plugin(&self, digest: Digest) -> Option<&Arc<Plugin>> {
        self.plugins.get(&digest)
    }

    /// The settings of the binding at this position.
    pub(crate) fn settings(&self, position: usize) -> Option<&Settings> {
        self.settings.get(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_of_before_there_were_trials_keeps_its_bytes() {
        let hash = Digest::of(b"x");
        let released = [
            r#"{"format":1,"layers":[{"scope":"global","version":3,"hash":""#,
            &hash.to_string(),
            r#""}],"merged":{"thresholds":{"production":{"review":3.0,"block":4.0}},"on_failure":"review"},"bindings":[{"layer":"global","#,
            r#""binding":{"name":"rules","plugin":"x/y","version":"*","weight":1.0,"on":["review","block"],"settings":{}},"#,
            r#""settings_hash":""#,
            &hash.to_string(),
            r#"","candidates":[]}]}"#,
        ]
        .concat();
        let document: Document = serde_json::from_str(&released).unwrap();
        assert_eq!(serde_json::to_string(&document).unwrap(), released);
    }
}
