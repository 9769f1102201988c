//! Contract 1.1.0: 1.0.0, where a plugin may abstain, too.
//!
//! Types of components are compared by their structure, so what is word for word the same in both versions is translated by
//! [`crate::since_v1_0_0`]; only the failure is this version's own.

use wasmtime::component::{ComponentType, Lift, Linker};
use wasmtime::{Result, StoreContextMut};

use crate::contract as neutral;
use crate::guest::Guest;
use crate::since_v1_0_0::{self as v1_0, Level, LogHost as _};

/// The contract's version.
pub(crate) const VERSION: &str = "1.1.0";

/// Why a plugin gives no answer.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Failure {
    #[component(name = "invalid-settings")]
    InvalidSettings(String),
    #[component(name = "invalid-case")]
    InvalidCase(String),
    #[component(name = "internal")]
    Internal(String),
    #[component(name = "abstains")]
    Abstains(String),
}

impl v1_0::Failure for Failure {}

impl From<Failure> for neutral::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::InvalidSettings(why) => Self::InvalidSettings(why),
            Failure::InvalidCase(why) => Self::InvalidCase(why),
            Failure::Internal(why) => Self::Internal(why),
            Failure::Abstains(why) => Self::Abstains(why),
        }
    }
}

pub(crate) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    linker.instance("assize:plugin/types@1.1.0")?;
    linker.instance("assize:plugin/log@1.1.0")?.func_wrap(
        "log",
        |mut store: StoreContextMut<'_, Guest>, (level, message): (Level, String)| {
            store.data_mut().log(level, message);
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests {
    use assize_ledger::Digest;

    #[test]
    fn the_released_contract_is_frozen() {
        let contract = include_bytes!("../../../wit/1.1.0/plugin.wit");
        assert_eq!(
            Digest::of(contract).to_string(),
            RELEASED,
            "archived plugins need 1.1.0 as it is: add a new version"
        );
    }

    const RELEASED: &str = "7b6e5426da7a0f44c29629a237e9d6cf942da70559b70d68ccef92245ed1276d";

    /// The one thing that is new, and nothing besides: else the translation of 1.0.0 wouldn't hold for it.
    #[test]
    fn it_differs_from_the_one_before_in_the_failure_alone() {
        let code = |text: &str| -> Vec<String> {
            let lines = text.lines().map(|line| line.split("///").next().unwrap_or_default().trim().to_owned());
            lines.filter(|line| !line.is_empty()).collect()
        };
        let before = code(include_str!("../../../wit/1.0.0/plugin.wit"));
        let now = code(include_str!("../../../wit/1.1.0/plugin.wit"));
        let new: Vec<&String> = now.iter().filter(|line| !before.contains(line)).collect();
        assert_eq!(new, ["package assize:plugin@1.1.0;", "abstains(string),"]);
        assert_eq!(now.len(), before.len() + 1);
    }
}
