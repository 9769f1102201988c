//! The life of a published version: draft, submitted, approved, active, retired; or yanked. What each step makes of it, and which version
//! served before another.
//!
//! What steps are allowed, and whose they are, is the server's to say: here every step that is on record is taken.

use assize_ledger::{Digest, Timestamp};
use assize_registry::Manifest;
use assize_store::{ActivationEvent, ActivationRow, Reader, RollBackRow, StoreError};
use serde::Serialize;

/// Where a version stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is there, and not bound.
    Draft,
    /// Others are asked to look at it.
    Submitted,
    /// Somebody else than its author found it fit to serve.
    Approved,
    /// Bindings may choose it.
    Active,
    /// It has served its time: before it serves again it is looked at anew.
    Retired,
    /// New bindings can't choose it; replays still run it.
    Yanked,
}

impl State {
    /// As it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Yanked => "yanked",
        }
    }
}

/// A published version.
#[derive(Debug, Clone)]
pub struct Published {
    /// What it says of itself.
    pub manifest: Manifest,
    /// SHA-256 of its component.
    pub digest: Digest,
    /// Whose; none for the host's own.
    pub tenant: Option<String>,
    /// When it was published.
    pub at: Timestamp,
    /// What became of it since.
    pub state: State,
    /// The digest that was approved, for as long as that holds: a retirement and a rejection end it.
    pub approved: Option<Digest>,
    /// The keys whose signatures over it were verified, as `name+id+base64`, oldest first.
    pub signed_by: Vec<String>,
    /// How many steps it took.
    pub(crate) steps: u64,
}

impl Published {
    /// A version that was just published.
    pub const fn new(manifest: Manifest, digest: Digest, tenant: Option<String>, at: Timestamp) -> Self {
        Self { manifest, digest, tenant, at, state: State::Draft, approved: None, signed_by: Vec::new(), steps: 0 }
    }

    /// Whether it is this version of this package, and this tenant's.
    pub(crate) fn is(&self, name: &str, version: &str, tenant: Option<&str>) -> bool {
        self.manifest.name.as_str() == name
            && self.tenant.as_deref() == tenant
            && self.manifest.version.to_string() == version
    }

    /// Takes a step. `digest` is the one that the step names.
    pub(crate) fn take(&mut self, event: ActivationEvent, digest: Digest) {
        self.steps += 1;
        match event {
            ActivationEvent::Approved => self.approved = Some(digest),
            ActivationEvent::Rejected | ActivationEvent::Retired => self.approved = None,
            _ => {}
        }
        self.state = match event {
            ActivationEvent::Submitted => State::Submitted,
            ActivationEvent::Approved => State::Approved,
            ActivationEvent::Activated => State::Active,
            // Out of use for now: what was approved still is.
            ActivationEvent::Deactivated if self.approved.is_some() => State::Approved,
            ActivationEvent::Deactivated | ActivationEvent::Rejected => State::Draft,
            ActivationEvent::Retired => State::Retired,
            ActivationEvent::Yanked => State::Yanked,
        };
    }

    /// The newest key that signed it, as records name it: `name+id`.
    pub fn signer(&self) -> Option<String> {
        self.signed_by.last().map(|key| short_key(key).to_owned())
    }
}

/// `name+id` of `name+id+base64`.
pub fn short_key(key: &str) -> &str {
    key.match_indices('+').nth(1).and_then(|(at, _)| key.get(..at)).unwrap_or(key)
}

/// A step on record.
pub(crate) enum Step {
    Event(ActivationRow),
    RollBack(RollBackRow),
}

impl Step {
    const fn seq(&self) -> u64 {
        match self {
            Self::Event(row) => row.seq,
            Self::RollBack(row) => row.seq,
        }
    }

    pub(crate) const fn at(&self) -> Timestamp {
        match self {
            Self::Event(row) => row.at,
            Self::RollBack(row) => row.at,
        }
    }
}

/// Every step in the life of every version, in order.
pub(crate) async fn steps(reader: &Reader) -> Result<Vec<Step>, StoreError> {
    let events = reader.activations().await?.into_iter().map(Step::Event);
    let mut steps: Vec<Step> = events.chain(reader.roll_backs().await?.into_iter().map(Step::RollBack)).collect();
    steps.sort_by_key(Step::seq);
    Ok(steps)
}

/// The versions of a package that have served, the one that came last at the end. Those that were yanked, rejected, or
/// rolled back from aren't among them: nobody goes back to them.
pub async fn served(reader: &Reader, package: &str, tenant: Option<&str>) -> Result<Vec<String>, StoreError> {
    Ok(serving_order(&steps(reader).await?, package, tenant))
}

fn serving_order(steps: &[Step], package: &str, tenant: Option<&str>) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for step in steps {
        match step {
            Step::Event(row) if row.package == package && row.tenant.as_deref() == tenant => match row.event {
                ActivationEvent::Activated => {
                    order.retain(|version| *version != row.version);
                    order.push(row.version.clone());
                }
                ActivationEvent::Yanked | ActivationEvent::Rejected => order.retain(|version| *version != row.version),
                _ => {}
            },
            Step::RollBack(row) if row.package == package && row.tenant.as_deref() == tenant => {
                order.retain(|version| *version != row.version && *version != row.to_version);
                order.push(row.to_version.clone());
            }
            _ => {}
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(version: &str, event: ActivationEvent) -> Step {
        let (package, version) = ("acme/law".to_owned(), version.to_owned());
        let (digest, at) = (Digest::ZERO, Timestamp::default());
        Step::Event(ActivationRow { tenant: None, package, version, digest, event, at, seq: 0 })
    }

    fn back(version: &str, to: &str) -> Step {
        Step::RollBack(RollBackRow {
            tenant: None,
            package: "acme/law".into(),
            version: version.into(),
            digest: Digest::ZERO,
            to_version: to.into(),
            to_digest: Digest::ZERO,
            at: Timestamp::default(),
            seq: 0,
        })
    }

    #[test]
    fn who_served_before_whom_is_told_without_those_that_were_bad() {
        use ActivationEvent::{Activated, Deactivated, Retired, Submitted, Yanked};
        let order = |steps: &[Step]| serving_order(steps, "acme/law", None).join(" ");
        let mut steps = vec![event("1.0.0", Submitted), event("1.0.0", Activated), event("1.1.0", Activated)];
        assert_eq!(order(&steps), "1.0.0 1.1.0");
        steps.extend([event("1.0.0", Retired), event("1.2.0", Activated), event("1.1.0", Deactivated)]);
        assert_eq!(order(&steps), "1.0.0 1.1.0 1.2.0", "what was retired has served");
        steps.push(back("1.2.0", "1.1.0"));
        assert_eq!(order(&steps), "1.0.0 1.1.0");
        steps.extend([event("1.3.0", Activated), event("1.1.0", Yanked)]);
        assert_eq!(order(&steps), "1.0.0 1.3.0");
        assert_eq!(serving_order(&steps, "acme/law", Some("acme")), [""; 0], "another's steps are another's");
    }

    #[test]
    fn a_key_is_named_without_its_bytes() {
        assert_eq!(short_key("acme+0a1b2c3d+AQ+/8="), "acme+0a1b2c3d");
        assert_eq!(short_key("acme"), "acme");
    }
}
