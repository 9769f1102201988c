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
    (1.0.0) => {
        fn validate_settings(
            settings: ::std::string::String,
        ) -> ::core::result::Result<(), $crate::v1_0_0::risk_agent::assize::plugin::types::Failure> {
            <Self as Newest>::validate_settings(settings).map_err(::core::convert::Into::into)
        }
    };
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
///
/// With `contract = "1.0.0"` as a third argument, the exports are those of the contract before ([`v1_0_0`](crate::v1_0_0)).
#[macro_export]
macro_rules! risk_agent {
    (@plugin $assess:path, $settings:ty) => {
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
    };
    ($assess:path, $settings:ty) => {
        $crate::risk_agent!(@plugin $assess, $settings);

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
    $crate::bindings::risk_agent::export_risk_agent!(Plugin with_types_in $crate::bindings::risk_agent);
        };
    };
    ($judge:path, $settings:ty, contract = "1.0.0") => {
        $crate::risk_agent!(@plugin $judge, $settings);

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            use $crate::bindings::risk_agent::exports::assize::plugin::assessor::Guest as Newest;

            impl $crate::v1_0_0::risk_agent::exports::assize::plugin::assessor::Guest for Plugin {
                $crate::__validate_settings!(1.0.0);

                fn assess(
                    settings: ::std::string::String,
                    subject: $crate::wire::Case,
                ) -> ::core::result::Result<$crate::Assessment, $crate::v1_0_0::risk_agent::assize::plugin::types::Failure> {
                    <Self as Newest>::assess(settings, subject).map_err(::core::convert::Into::into)
                }
            }

            $crate::v1_0_0::risk_agent::export_risk_agent_1_0_0!(Plugin with_types_in $crate::v1_0_0::risk_agent);
        };
    };
}

/// Exports `fn(&Settings, &Case, &Risk) -> Result<Ruling, Failure>` as a compliance rule. Otherwise as [`risk_agent!`](crate::risk_agent!).
#[macro_export]
macro_rules! compliance_rule {
    (@plugin $rule:path, $settings:ty) => {
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
    };
    ($rule:path, $settings:ty) => {
        $crate::compliance_rule!(@plugin $rule, $settings);

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            $crate::bindings::compliance_rule::export_compliance_rule!(Plugin with_types_in $crate::bindings::compliance_rule);
        };
    };
    ($judge:path, $settings:ty, contract = "1.0.0") => {
        $crate::compliance_rule!(@plugin $judge, $settings);

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            use $crate::bindings::compliance_rule::exports::assize::plugin::adjudicator::Guest as Newest;

            impl $crate::v1_0_0::compliance_rule::exports::assize::plugin::adjudicator::Guest for Plugin {
                $crate::__validate_settings!(1.0.0);

                fn rule(
                    settings: ::std::string::String,
                    subject: $crate::wire::Case,
                    risk: $crate::Risk,
                ) -> ::core::result::Result<$crate::Ruling, $crate::v1_0_0::risk_agent::assize::plugin::types::Failure> {
                    <Self as Newest>::rule(settings, subject, risk).map_err(::core::convert::Into::into)
                }
            }

            $crate::v1_0_0::compliance_rule::export_compliance_rule_1_0_0!(Plugin with_types_in $crate::v1_0_0::compliance_rule);
        };
    };
}

/// Exports `fn(&Settings, &Case, &Outcome) -> Result<Vec<Effect>, Failure>` as an action. Otherwise as [`risk_agent!`](crate::risk_agent!).
#[macro_export]
macro_rules! action {
    (@plugin $plan:path, $settings:ty) => {
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
    };
    ($plan:path, $settings:ty) => {
        $crate::action!(@plugin $plan, $settings);

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
    $crate::bindings::action::export_action!(Plugin with_types_in $crate::bindings::action);
        };
    };
    ($judge:path, $settings:ty, contract = "1.0.0") => {
        $crate::action!(@plugin $judge, $settings);

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            use $crate::bindings::action::exports::assize::plugin::planner::Guest as Newest;

            impl $crate::v1_0_0::action::exports::assize::plugin::planner::Guest for Plugin {
                $crate::__validate_settings!(1.0.0);

                fn plan(
                    settings: ::std::string::String,
                    subject: $crate::wire::Case,
                    outcome: $crate::v1_0_0::action::exports::assize::plugin::planner::Outcome,
                ) -> ::core::result::Result<::std::vec::Vec<$crate::v1_0_0::action::exports::assize::plugin::planner::Effect>, $crate::v1_0_0::risk_agent::assize::plugin::types::Failure> {
                    <Self as Newest>::plan(settings, subject, outcome.into())
                        .map(|effects| effects.into_iter().map(::core::convert::Into::into).collect())
                        .map_err(::core::convert::Into::into)
                }
            }

            $crate::v1_0_0::action::export_action_1_0_0!(Plugin with_types_in $crate::v1_0_0::action);
        };
    };
}
