//! What an entry is about.

use std::fmt;

/// The kind of an entry. Its text is what is written, so a reader of today can still read what a later version adds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// The first entry of a log (`seq` 0): names its origin and when it began.
    LogOpened,
    /// A case was judged.
    Decision,
    /// A version of a package was published.
    PluginPublished,
    /// A version of a package may be bound from now on.
    PluginActivated,
    /// A version of a package may not be bound any more, by choice of its publisher.
    PluginDeactivated,
    /// A version of a package must not be bound any more; replays still find it.
    PluginYanked,
    /// Somebody asked others to look at a version of a package.
    PluginSubmitted,
    /// Somebody else than its author found a version of a package, by its digest, fit to serve.
    PluginApproved,
    /// Somebody found a version of a package unfit to serve.
    PluginRejected,
    /// A version of a package has served its time: before it serves again it is looked at anew.
    PluginRetired,
    /// A version of a package went out of use in favour of the one that served before it.
    PluginRolledBack,
    /// A publisher's signature over a version of a package was verified and kept.
    PluginSigned,
    /// A namespace became a publisher's.
    NamespaceClaimed,
    /// A key may sign packages of a namespace from here on.
    PublisherKeyRegistered,
    /// A key may sign no packages any more.
    PublisherKeyRevoked,
    /// A scope got a new version of its policy.
    PolicyChanged,
    /// A system became known.
    SystemRegistered,
    /// A system's data changed.
    SystemChanged,
    /// A system was stopped: every case of it is blocked from here on.
    SystemEmergencyStop,
    /// A stopped system runs again.
    SystemResumed,
    /// An API key was made.
    KeyCreated,
    /// An API key was revoked.
    KeyRevoked,
    /// An authority stamped a checkpoint with its time.
    CheckpointStamped,
    /// A tenant's payloads are kept for another time from here on.
    RetentionChanged,
    /// A part of the log was exported.
    LedgerExported,
    /// What some entries bind was erased, with the legal basis.
    PayloadErased,
    /// A simulation came to its end: what would have come out. Never a ruling.
    Simulation,
    /// A key signs the checkpoints from here on ([`crate::Keyring`]).
    LogKey,
    /// A kind that this version doesn't know. Make one with [`EntryKind::from`], so that known names stay known.
    Other(String),
}

/// Every kind that this version knows, with its text.
const NAMES: [(EntryKind, &str); 28] = [
    (EntryKind::LogOpened, "log.opened"),
    (EntryKind::Decision, "decision"),
    (EntryKind::PluginPublished, "plugin.published"),
    (EntryKind::PluginActivated, "plugin.activated"),
    (EntryKind::PluginDeactivated, "plugin.deactivated"),
    (EntryKind::PluginYanked, "plugin.yanked"),
    (EntryKind::PluginSubmitted, "plugin.submitted"),
    (EntryKind::PluginApproved, "plugin.approved"),
    (EntryKind::PluginRejected, "plugin.rejected"),
    (EntryKind::PluginRetired, "plugin.retired"),
    (EntryKind::PluginRolledBack, "plugin.rolled_back"),
    (EntryKind::PluginSigned, "plugin.signed"),
    (EntryKind::NamespaceClaimed, "namespace.claimed"),
    (EntryKind::PublisherKeyRegistered, "publisher_key.registered"),
    (EntryKind::PublisherKeyRevoked, "publisher_key.revoked"),
    (EntryKind::PolicyChanged, "policy.changed"),
    (EntryKind::SystemRegistered, "system.registered"),
    (EntryKind::SystemChanged, "system.changed"),
    (EntryKind::SystemEmergencyStop, "system.emergency_stop"),
    (EntryKind::SystemResumed, "system.resumed"),
    (EntryKind::KeyCreated, "key.created"),
    (EntryKind::KeyRevoked, "key.revoked"),
    (EntryKind::CheckpointStamped, "checkpoint.stamped"),
    (EntryKind::RetentionChanged, "retention.changed"),
    (EntryKind::LedgerExported, "ledger.exported"),
    (EntryKind::PayloadErased, "payload.erased"),
    (EntryKind::Simulation, "simulation"),
    (EntryKind::LogKey, "log.key"),
];

impl EntryKind {
    /// The text that is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(text) => text,
            known => NAMES.iter().find(|(kind, _)| kind == known).map_or("", |(_, name)| name),
        }
    }
}

impl From<&str> for EntryKind {
    fn from(text: &str) -> Self {
        let known = NAMES.iter().find(|(_, name)| *name == text);
        known.map_or_else(|| Self::Other(text.to_owned()), |(kind, _)| kind.clone())
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_comes_back_as_itself() {
        for (kind, name) in NAMES {
            assert_eq!(EntryKind::from(name), kind);
            assert_eq!(kind.as_str(), name);
        }
    }

    #[test]
    fn a_name_of_a_later_version_is_kept() {
        assert_eq!(EntryKind::from("erasure"), EntryKind::Other("erasure".to_owned()));
        assert_eq!(EntryKind::from("erasure").as_str(), "erasure");
    }
}
