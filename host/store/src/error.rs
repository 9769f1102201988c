//! Why the store refuses.

use assize_ledger::{Digest, EncodeError};

/// Why something wasn't written or couldn't be read. After any of these but [`StoreError::Unknown`], nothing of the request
/// is stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no database where one should be read.
    #[error("no database at {path}: start `assize serve` there first, or give another directory")]
    Missing {
        /// The file that was looked for.
        path: String,
    },
    /// Another process writes to this directory.
    #[error("{path} is in use: another server writes there; stop it, or give another directory")]
    InUse {
        /// The lock file.
        path: String,
    },
    /// The database belongs to another log.
    #[error("the database holds the log {found:?}, not {expected:?}")]
    Origin {
        /// The origin that its entries name.
        found: String,
        /// The origin asked for.
        expected: String,
    },
    /// What is stored contradicts itself, so that nothing may be appended.
    #[error("{record}: {detail}; run `assize ledger verify`")]
    Corrupt {
        /// Which record.
        record: String,
        /// Both values.
        detail: String,
    },
    /// The sequencer has more requests waiting than it may hold: try again.
    #[error("{limit} requests are waiting to be written already")]
    QueueFull {
        /// How many may wait.
        limit: usize,
    },
    /// The disk (or the limit set for the database) is full.
    #[error("can't write: the disk is full ({detail})")]
    DiskFull {
        /// What the database said.
        detail: String,
    },
    /// The database can't be written to.
    #[error("can't write: the database is read-only ({detail})")]
    ReadOnly {
        /// What the database said.
        detail: String,
    },
    /// Any other failure of the database or the disk.
    #[error("{action}: {detail}")]
    Storage {
        /// What was being done.
        action: &'static str,
        /// What the database said.
        detail: String,
    },
    /// The disk failed to make a commit durable: what it holds is unknown, so nothing more is written until a restart.
    #[error(
        "the disk failed to confirm a commit ({detail}); nothing is written any more: check the disk, then restart"
    )]
    Poisoned {
        /// What the database said.
        detail: String,
    },
    /// There is no such proof.
    #[error(transparent)]
    Proof(#[from] assize_ledger::ProofError),
    /// The connection broke during a commit, and the database couldn't be asked since: the request may be stored or not.
    #[error("it is unknown whether this was recorded ({detail}): ask again with the same idempotency key, or read it")]
    Unknown {
        /// What the database said.
        detail: String,
    },
    /// The user of the database may not do what is needed.
    #[error(
        "user {user:?} may not do this in PostgreSQL ({detail}): let a superuser start `assize serve --database` once, \
         then `GRANT assize_writer, assize_verifier TO {user}`"
    )]
    Role {
        /// The user that connected.
        user: String,
        /// What the database said.
        detail: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// An emergency stop came between the judgment and its record: judge again.
    #[error("judged under halt epoch {judged}, and {current} is in force: judge again")]
    Stale {
        /// The epoch that the decision carries.
        judged: u64,
        /// The epoch in force.
        current: u64,
    },
    /// The idempotency key was used with another body.
    #[error(
        "idempotency key {key:?} was used for decision {decision} with another body (SHA-256 {found}, now {given})"
    )]
    IdempotencyConflict {
        /// The key.
        key: String,
        /// The decision that it stands for.
        decision: String,
        /// The hash of the body it was first used with.
        found: Digest,
        /// The hash of the body it came with now.
        given: Digest,
    },
    /// The version was published with other bytes.
    #[error("{package} {version} is published already as {found}, not {given}: raise the version")]
    VersionExists {
        /// `namespace/name`.
        package: String,
        /// Its version.
        version: String,
        /// The digest that is published.
        found: Digest,
        /// The digest given now.
        given: Digest,
    },
    /// Someone else changed it meanwhile, or it isn't what the caller thinks.
    #[error("{subject}: the next version is {expected}, not {given}: read it again, then repeat the change")]
    VersionConflict {
        /// The policy's scope or the system.
        subject: String,
        /// The version that would come next.
        expected: u64,
        /// The version given.
        given: u64,
    },
    /// Another step was taken since the caller looked: a version that it doesn't know of may serve by now.
    #[error("{package} took another step meanwhile: look at its versions again, then repeat this one")]
    Overtaken {
        /// `namespace/name`.
        package: String,
    },
    /// The log's key was changed since by another host: a key that the one before it didn't vouch for would end the chain.
    #[error("the log's newest key is {newest}, and this one follows {before}: give this host the newest key's file")]
    LogKey {
        /// The key that signs now.
        newest: String,
        /// The key that the new one was to follow.
        before: String,
    },
    /// The key that asks was revoked, by this host or another.
    #[error("key {key} was revoked, and changes nothing any more")]
    Revoked {
        /// Its id.
        key: String,
    },
    /// Nothing of the tenant may be erased now.
    #[error(
        "a legal hold is in force for tenant {tenant:?}: nothing of it may be erased before that is lifted (PUT \
         /v1/retention)"
    )]
    Held {
        /// Whose.
        tenant: String,
    },
    /// The retention by which something was to be erased holds no longer.
    #[error("the retention of tenant {tenant:?} was changed meanwhile: nothing is erased by the one before")]
    RetentionChanged {
        /// Whose.
        tenant: String,
    },
    /// It exists already.
    #[error("{subject} exists already")]
    Exists {
        /// What exists.
        subject: String,
    },
    /// The namespace is another publisher's.
    #[error(
        "namespace {namespace:?} was claimed {holder} by {publisher:?}: publish in another one, or have its owner \
         register your key"
    )]
    Claimed {
        /// The namespace.
        namespace: String,
        /// Who publishes in it.
        publisher: String,
        /// Where it holds.
        holder: String,
    },
    /// It doesn't exist (or is another tenant's).
    #[error("there is no {subject}")]
    NotFound {
        /// What was asked for.
        subject: String,
    },
    /// A field can't be stored.
    #[error("{field}: {detail}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

impl From<EncodeError> for StoreError {
    fn from(error: EncodeError) -> Self {
        Self::Invalid { field: error.field, detail: error.to_string() }
    }
}
