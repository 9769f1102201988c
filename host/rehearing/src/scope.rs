//! Where a policy holds, and which version of it.

use std::sync::Arc;

use assize_kernel::Policy;
use assize_ledger::{Digest, Timestamp};

/// A version of a scope's policy.
#[derive(Clone)]
pub struct Ruling {
    /// From 1, without gaps.
    pub version: u64,
    /// SHA-256 of its bytes.
    pub hash: Digest,
    /// What it says.
    pub policy: Arc<Policy>,
    /// When it was set.
    pub at: Timestamp,
}

/// A scope that policies can be set for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The whole host.
    Global,
    /// A tenant.
    Tenant(String),
    /// A tenant's system.
    System(String, String),
}

impl Scope {
    /// As addresses and rows write it. The tenant stands beside it.
    pub fn name(&self) -> String {
        match self {
            Self::Global => "global".to_owned(),
            Self::Tenant(_) => "tenant".to_owned(),
            Self::System(_, id) => format!("system:{id}"),
        }
    }

    /// As a snapshot's layers and the runs on record call it.
    pub fn layer(&self) -> String {
        match self {
            Self::Tenant(tenant) => format!("tenant:{tenant}"),
            _ => self.name(),
        }
    }

    /// Whose; none for the whole host.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Global => None,
            Self::Tenant(tenant) | Self::System(tenant, _) => Some(tenant),
        }
    }

    /// `global`, `tenant`, `tenant:NAME` (the caller's own) or `system:ID`.
    pub fn parse(text: &str, tenant: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "global" => Some(Self::Global),
            None if text == "tenant" => Some(Self::Tenant(tenant.to_owned())),
            Some(("tenant", name)) if name == tenant => Some(Self::Tenant(name.to_owned())),
            Some(("system", id)) if !id.is_empty() => Some(Self::System(tenant.to_owned(), id.to_owned())),
            _ => None,
        }
    }
}
