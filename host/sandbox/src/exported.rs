//! What a component is, by the one interface of the contract that it exports.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::plugin::LoadError;
use crate::{since_v1_0_0, since_v1_1_0};

/// What a plugin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    RiskAgent,
    ComplianceRule,
    Action,
}

impl Kind {
    const ALL: [Self; 3] = [Self::RiskAgent, Self::ComplianceRule, Self::Action];

    /// The interface that makes a plugin one of this kind.
    pub(crate) const fn interface(self) -> &'static str {
        match self {
            Self::RiskAgent => "assessor",
            Self::ComplianceRule => "adjudicator",
            Self::Action => "planner",
        }
    }

    /// The function of that interface that judges or plans.
    pub(crate) const fn function(self) -> &'static str {
        match self {
            Self::RiskAgent => "assess",
            Self::ComplianceRule => "rule",
            Self::Action => "plan",
        }
    }
}

/// The contract that a plugin was built against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    V1_0_0,
    V1_1_0,
}

impl Since {
    const ALL: [Self; 2] = [Self::V1_0_0, Self::V1_1_0];

    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::V1_0_0 => since_v1_0_0::VERSION,
            Self::V1_1_0 => since_v1_1_0::VERSION,
        }
    }
}

/// The one interface of the contract that a component exports.
pub(crate) struct Exported {
    pub(crate) kind: Kind,
    pub(crate) since: Since,
    /// Its full name, with its version.
    pub(crate) name: String,
}

impl Exported {
    pub(crate) fn by(engine: &Engine, component: &Component) -> Result<Self, LoadError> {
        let names: Vec<String> = component
            .component_type()
            .exports(engine)
            .filter(|(name, _)| name.starts_with("assize:plugin/"))
            .map(|(name, _)| name.to_owned())
            .collect();
        match <[String; 1]>::try_from(names) {
            Ok([name]) => Self::named(name),
            Err(names) if names.is_empty() => Err(LoadError::Exports("none of the contract's interfaces".into())),
            Err(names) => {
                Err(LoadError::Exports(format!("several of the contract's interfaces ({})", names.join(", "))))
            }
        }
    }

    fn named(name: String) -> Result<Self, LoadError> {
        for kind in Kind::ALL {
            for since in Since::ALL {
                if name == format!("assize:plugin/{}@{}", kind.interface(), since.version()) {
                    return Ok(Self { kind, since, name });
                }
            }
        }
        Err(LoadError::Exports(format!("{name}, which this host doesn't know")))
    }
}
