//! The macros that make a component of a function.

use crate::Failure;
use serde::de::DeserializeOwned;

/// Parses settings, for the macros.
#[doc(hidden)]
pub fn settings<S: DeserializeOwned>(json: &str) -> Result<S, Failure> {
    serde_json::from_str(json).map_err(|error| Failure::InvalidSettings(error.to_string()))
}

/// What a call is about. It is never dropped: the instance ends with the call, memory and all, and taking a case apart before
/// that would only cost fuel.
#[doc(hidden)]
pub fn kept<T>(value: T) -> core::mem::ManuallyDrop<T> {
    core::mem::ManuallyDrop::new(value)
}

/// Settings that need no check beyond their shape. A method `check(&self) -> Result<(), String>` of the settings type itself
/// takes precedence over this one.
#[doc(hidden)]
pub trait ShapeSuffices {
    /// Everything that parses is fine.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl<S> ShapeSuffices for S {}

/// The part that is the same in all worlds.
#[doc(hidden)]
#[macro_export]
macro_rules! __validate_settings {
    ($settings:ty) => {
        fn validate_settings(settings: ::std::string::String) -> ::core::result::Result<(), $crate::Failure> {
            #[allow(unused_imports)]
            use $crate::export::ShapeSuffices as _;
            let settings: $settings = $crate::export::settings(&settings)?;
            settings.check().map_err($crate::Failure::InvalidSettings)
        }
    };
}

/// Exports `fn(&Settings, &Case) -> Result<Assessment, Failure>` as a risk agent.
///
/// Defines a type `Plugin`, which the fixture runner takes, and, for WebAssembly, the exports of world `risk-agent`.
/// Settings are parsed from JSON with serde. If the settings type has a method `check(&self) -> Result<(), String>`, it is
/// asked when settings are set.
#[macro_export]
macro_rules! risk_agent {
    ($assess:path, $settings:ty) => {
        /// This plugin.
        #[derive(Debug)]
        pub struct Plugin;

        impl $crate::bindings::risk_agent::exports::assize::plugin::assessor::Guest for Plugin {
            $crate::__validate_settings!($settings);

            fn assess(
                settings: ::std::string::String,
                subject: $crate::wire::Case,
            ) -> ::core::result::Result<$crate::Assessment, $crate::Failure> {
                let settings = $crate::export::kept($crate::export::settings::<$settings>(&settings)?);
                let case = $crate::export::kept($crate::Case::from(subject));
                $assess(&settings, &case)
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
    $crate::bindings::risk_agent::export_risk_agent!(Plugin with_types_in $crate::bindings::risk_agent);
        };
    };
}

/// Exports `fn(&Settings, &Case, &Risk) -> Result<Ruling, Failure>` as a compliance rule. Otherwise as [`risk_agent!`](crate::risk_agent!).
#[macro_export]
macro_rules! compliance_rule {
    ($rule:path, $settings:ty) => {
        /// This plugin.
        #[derive(Debug)]
        pub struct Plugin;

        impl $crate::bindings::compliance_rule::exports::assize::plugin::adjudicator::Guest for Plugin {
            $crate::__validate_settings!($settings);

            fn rule(
                settings: ::std::string::String,
                subject: $crate::wire::Case,
                risk: $crate::Risk,
            ) -> ::core::result::Result<$crate::Ruling, $crate::Failure> {
                let settings = $crate::export::kept($crate::export::settings::<$settings>(&settings)?);
                let case = $crate::export::kept($crate::Case::from(subject));
                $rule(&settings, &case, &risk)
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            $crate::bindings::compliance_rule::export_compliance_rule!(Plugin with_types_in $crate::bindings::compliance_rule);
        };
    };
}

/// Exports `fn(&Settings, &Case, &Outcome) -> Result<Vec<Effect>, Failure>` as an action. Otherwise as [`risk_agent!`](crate::risk_agent!).
#[macro_export]
macro_rules! action {
    ($plan:path, $settings:ty) => {
        /// This plugin.
        #[derive(Debug)]
        pub struct Plugin;

        impl $crate::bindings::action::exports::assize::plugin::planner::Guest for Plugin {
            $crate::__validate_settings!($settings);

            fn plan(
                settings: ::std::string::String,
                subject: $crate::wire::Case,
                outcome: $crate::Outcome,
            ) -> ::core::result::Result<::std::vec::Vec<$crate::Effect>, $crate::Failure> {
                let settings = $crate::export::kept($crate::export::settings::<$settings>(&settings)?);
                let case = $crate::export::kept($crate::Case::from(subject));
                $plan(&settings, &case, &outcome)
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
    $crate::bindings::action::export_action!(Plugin with_types_in $crate::bindings::action);
        };
    };
}
