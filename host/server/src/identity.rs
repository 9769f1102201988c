//! Who calls, and what they may do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};

use crate::app::SharedApp;
use crate::problem::Problem;

/// What a key may do (BTV-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Everything in its tenant; a host key, everything.
    Admin,
    /// Publishes plugins, changes policies and systems.
    Dev,
    /// Reads everything of its tenant, verifies and replays.
    Auditor,
    /// Asks for decisions.
    App,
}

impl Role {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Dev => "dev",
            Self::Auditor => "auditor",
            Self::App => "app",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Dev, Self::Auditor, Self::App].into_iter().find(|role| role.as_str() == text)
    }
}

/// Whose cases a host key's are, since every case is somebody's.
pub(crate) const DEFAULT_TENANT: &str = "default";

/// As which the host itself stands on record for what it does unasked. It is nobody's key.
pub(crate) const HOST: &str = "host";

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) key: String,
    pub(crate) role: Role,
    /// None for a key of the host itself.
    pub(crate) bound_to: Option<String>,
    /// Whether the key was revoked since: a request may be long under way.
    pub(crate) revoked: Arc<AtomicBool>,
}

impl Caller {
    pub(crate) fn new(key: String, role: Role, bound_to: Option<String>) -> Self {
        Self { key, role, bound_to, revoked: Arc::default() }
    }

    /// The host itself, for what it does unasked.
    pub(crate) fn host() -> Self {
        Self::new(HOST.to_owned(), Role::Admin, None)
    }

    /// Asked again once the body is there, and before anything is recorded: minutes may pass from a request's head to that.
    pub(crate) fn must_hold(&self) -> Result<(), Problem> {
        if self.revoked.load(Ordering::SeqCst) {
            return Err(Problem::unauthorized("the key was revoked meanwhile"));
        }
        Ok(())
    }

    /// The tenant that the caller acts for.
    pub(crate) fn tenant(&self) -> &str {
        self.bound_to.as_deref().unwrap_or(DEFAULT_TENANT)
    }

    /// Whether the key is the host's own.
    pub(crate) const fn is_host(&self) -> bool {
        self.bound_to.is_none()
    }

    /// Which tenant's rows may be read: none for all.
    pub(crate) fn sees(&self) -> Option<&str> {
        self.bound_to.as_deref()
    }

    /// Whose systems, policies or records are meant by a caller that names a tenant, or none: a tenant's key means its
    /// own, and isn't told whether there are others; a key of the host means those of that tenant, or of all.
    pub(crate) fn means<'a>(&'a self, named: Option<&'a str>) -> Result<Option<&'a str>, Problem> {
        match (self.sees(), named) {
            (Some(own), Some(named)) if own != named => {
                Err(Problem::not_found(format!("tenant {named:?} of yours")).at("tenant"))
            }
            (own, named) => Ok(own.or(named)),
        }
    }

    pub(crate) fn must_be(&self, roles: &[Role]) -> Result<(), Problem> {
        self.must_hold()?;
        if self.role == Role::Admin || roles.contains(&self.role) {
            return Ok(());
        }
        let wanted: Vec<&str> = std::iter::once(Role::Admin).chain(roles.iter().copied()).map(Role::as_str).collect();
        Err(Problem::forbidden(format!("the key has role {}; this needs {}", self.role.as_str(), wanted.join(" or "))))
    }

    pub(crate) fn must_be_host(&self) -> Result<(), Problem> {
        if self.is_host() {
            return Ok(());
        }
        Err(Problem::forbidden(format!(
            "the key is bound to tenant {:?}; what concerns all tenants needs an admin key of the host",
            self.tenant()
        )))
    }
}

impl FromRequestParts<SharedApp> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let Some(header) = parts.headers.get(header::AUTHORIZATION) else {
            return Err(Problem::unauthorized("send the header `Authorization: Bearer KEY`"));
        };
        let key = header.to_str().ok().and_then(|text| {
            let (scheme, key) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
        });
        let Some(key) = key else {
            return Err(Problem::unauthorized("the header isn't of the form `Authorization: Bearer KEY`"));
        };
        let Some(caller) = app.keys.find(key) else {
            return Err(Problem::unauthorized("the key is unknown or was revoked"));
        };
        app.keys.count(&caller)?;
        Ok(caller)
    }
}
