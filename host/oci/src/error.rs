//! Why an artifact couldn't be had, isn't one, or isn't the one that was asked for.

use crate::Sha256;

/// What went wrong with an artifact, a registry or a file of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OciError {
    /// The bytes are others than were asked for.
    #[error(
        "{place} has other bytes than were asked for: {expected} was asked for, and these are {found}; nothing of it was \
         kept. Find out who changed them, or get them elsewhere"
    )]
    Differs {
        /// Which registry or file.
        place: String,
        /// What was asked for.
        expected: Sha256,
        /// What these are.
        found: Sha256,
    },
    /// The bytes are right, and what named them lies about their length.
    #[error("{place} says that {digest} has {expected} bytes, and it has {found}; have it pushed again")]
    Length {
        /// Which registry or file.
        place: String,
        /// Which bytes.
        digest: Sha256,
        /// What was said.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// It's longer than anything that belongs here.
    #[error("{what} in {place} has {size} bytes, {limit} are allowed: it's no package, or too large for one")]
    TooLarge {
        /// What it is said to be, e.g. `the layer`.
        what: String,
        /// Which registry or file.
        place: String,
        /// Its length in bytes, as far as it's known.
        size: u64,
        /// The longest allowed, in bytes.
        limit: u64,
    },
    /// It's something else.
    #[error("{which} isn't a Wasm artifact: it is {found}. Name one that `assize plugin push` or `wkg` pushed")]
    NotWasm {
        /// Its reference.
        which: String,
        /// What it is instead.
        found: String,
    },
    /// It says that it is a Wasm artifact, and its parts don't fit.
    #[error("{which} is no sound Wasm artifact: {why}; have it pushed again")]
    Unsound {
        /// Its reference.
        which: String,
        /// What doesn't fit.
        why: String,
    },
    /// It holds no package that a host would take.
    #[error("{which} holds no package: {why}")]
    NoPackage {
        /// Its reference or file.
        which: String,
        /// Why not.
        why: String,
    },
    /// A publisher's signature that came along isn't over this package.
    #[error("a publisher's signature that came with {which} is refused: {why}")]
    Signature {
        /// The package.
        which: String,
        /// Why.
        why: String,
    },
    /// No cosign signature that holds.
    #[error("cosign signature of {which}: {why}")]
    Cosign {
        /// The package or its reference.
        which: String,
        /// Why.
        why: String,
    },
    /// A key can't be used.
    #[error("{0}")]
    Key(String),
    /// Nobody answers.
    #[error("{host} can't be reached: {why}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// Why, and what to do.
        why: String,
    },
    /// The registry wants to know who asks, or that isn't enough.
    #[error("{host} refuses {who} ({status}{said}): {remedy}")]
    Unauthorized {
        /// Host and port.
        host: String,
        /// Who asked.
        who: String,
        /// The HTTP status.
        status: u16,
        /// What the registry said, after a colon; or nothing.
        said: String,
        /// What to do.
        remedy: &'static str,
    },
    /// There's no such thing.
    #[error("{which} isn't there: {why}")]
    NotFound {
        /// The reference.
        which: String,
        /// What exactly is missing, and what to do.
        why: String,
    },
    /// The registry answered otherwise than registries do.
    #[error("{host} answered {what}")]
    Answer {
        /// Host and port.
        host: String,
        /// What.
        what: String,
    },
    /// A file of artifacts isn't one.
    #[error(
        "{file} isn't a set of packages: {why}; give a file that `assize plugin save` wrote, and copy it again if it was cut"
    )]
    Layout {
        /// The file.
        file: String,
        /// Why not.
        why: String,
    },
    /// Two versions of one name in one set.
    #[error("{which} is in the set twice, as {first} and as {second}: save one of them")]
    Twice {
        /// `namespace/name@version`.
        which: String,
        /// One digest.
        first: Sha256,
        /// The other.
        second: Sha256,
    },
    /// Something of ours couldn't be written.
    #[error("it can't be written: {0}")]
    Unwritable(String),
}
