//! Contract 1.0.0, for plugins that must run on hosts which don't know 1.1.0.
//!
//! A plugin chooses it with a word: `risk_agent!(assess, Settings, contract = "1.0.0")`, and `use assize_sdk::v1_0_0::log` in
//! place of `assize_sdk::log`. All types but the failure are those of the newest contract. Nobody abstains under 1.0.0: what
//! abstains there is a failure, and the binding's failure policy decides.
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, clippy::restriction)]

pub use crate::__log_1_0_0 as log;

// The worlds are named anew, since the generated macros are named after them, and a crate has one of each name.

/// World `risk-agent`.
pub mod risk_agent {
    wit_bindgen::generate!({
        inline: "package assize:since; world risk-agent-one { import assize:plugin/log@1.0.0; export assize:plugin/assessor@1.0.0; }",
        path: "../../wit/1.0.0",
        world: "assize:since/risk-agent-one",
        pub_export_macro: true,
        export_macro_name: "export_risk_agent_1_0_0",
        disable_custom_section_link_helpers: true,
        with: {
            "assize:plugin/types@1.0.0": generate,
            "assize:plugin/types@1.0.0/failure": generate,
            "assize:plugin/types@1.0.0/case": crate::bindings::risk_agent::assize::plugin::types::Case,
            "assize:plugin/types@1.0.0/severity": crate::bindings::risk_agent::assize::plugin::types::Severity,
            "assize:plugin/types@1.0.0/span": crate::bindings::risk_agent::assize::plugin::types::Span,
            "assize:plugin/types@1.0.0/evidence": crate::bindings::risk_agent::assize::plugin::types::Evidence,
            "assize:plugin/types@1.0.0/finding": crate::bindings::risk_agent::assize::plugin::types::Finding,
            "assize:plugin/types@1.0.0/assessment": crate::bindings::risk_agent::assize::plugin::types::Assessment,
            "assize:plugin/types@1.0.0/verdict": crate::bindings::risk_agent::assize::plugin::types::Verdict,
            "assize:plugin/types@1.0.0/ruling": crate::bindings::risk_agent::assize::plugin::types::Ruling,
            "assize:plugin/types@1.0.0/opinion": crate::bindings::risk_agent::assize::plugin::types::Opinion,
            "assize:plugin/types@1.0.0/risk": crate::bindings::risk_agent::assize::plugin::types::Risk,
            "assize:plugin/types@1.0.0/judgment": crate::bindings::risk_agent::assize::plugin::types::Judgment,
            "assize:plugin/log@1.0.0": generate,
            "assize:plugin/assessor@1.0.0": generate,
        },
    });
}

/// World `compliance-rule`.
pub mod compliance_rule {
    wit_bindgen::generate!({
        inline: "package assize:since; world compliance-rule-one { import assize:plugin/log@1.0.0; export assize:plugin/adjudicator@1.0.0; }",
        path: "../../wit/1.0.0",
        world: "assize:since/compliance-rule-one",
        pub_export_macro: true,
        export_macro_name: "export_compliance_rule_1_0_0",
        disable_custom_section_link_helpers: true,
        with: {
            "assize:plugin/types@1.0.0": generate,
            "assize:plugin/types@1.0.0/failure": crate::v1_0_0::risk_agent::assize::plugin::types::Failure,
            "assize:plugin/types@1.0.0/case": crate::bindings::risk_agent::assize::plugin::types::Case,
            "assize:plugin/types@1.0.0/severity": crate::bindings::risk_agent::assize::plugin::types::Severity,
            "assize:plugin/types@1.0.0/span": crate::bindings::risk_agent::assize::plugin::types::Span,
            "assize:plugin/types@1.0.0/evidence": crate::bindings::risk_agent::assize::plugin::types::Evidence,
            "assize:plugin/types@1.0.0/finding": crate::bindings::risk_agent::assize::plugin::types::Finding,
            "assize:plugin/types@1.0.0/assessment": crate::bindings::risk_agent::assize::plugin::types::Assessment,
            "assize:plugin/types@1.0.0/verdict": crate::bindings::risk_agent::assize::plugin::types::Verdict,
            "assize:plugin/types@1.0.0/ruling": crate::bindings::risk_agent::assize::plugin::types::Ruling,
            "assize:plugin/types@1.0.0/opinion": crate::bindings::risk_agent::assize::plugin::types::Opinion,
            "assize:plugin/types@1.0.0/risk": crate::bindings::risk_agent::assize::plugin::types::Risk,
            "assize:plugin/types@1.0.0/judgment": crate::bindings::risk_agent::assize::plugin::types::Judgment,
            "assize:plugin/log@1.0.0": crate::v1_0_0::risk_agent::assize::plugin::log,
            "assize:plugin/adjudicator@1.0.0": generate,
        },
    });
}

/// World `action`.
pub mod action {
    wit_bindgen::generate!({
        inline: "package assize:since; world action-one { import assize:plugin/log@1.0.0; export assize:plugin/planner@1.0.0; }",
        path: "../../wit/1.0.0",
        world: "assize:since/action-one",
        pub_export_macro: true,
        export_macro_name: "export_action_1_0_0",
        disable_custom_section_link_helpers: true,
        with: {
            "assize:plugin/types@1.0.0": generate,
            "assize:plugin/types@1.0.0/failure": crate::v1_0_0::risk_agent::assize::plugin::types::Failure,
            "assize:plugin/types@1.0.0/case": crate::bindings::risk_agent::assize::plugin::types::Case,
            "assize:plugin/types@1.0.0/severity": crate::bindings::risk_agent::assize::plugin::types::Severity,
            "assize:plugin/types@1.0.0/span": crate::bindings::risk_agent::assize::plugin::types::Span,
            "assize:plugin/types@1.0.0/evidence": crate::bindings::risk_agent::assize::plugin::types::Evidence,
            "assize:plugin/types@1.0.0/finding": crate::bindings::risk_agent::assize::plugin::types::Finding,
            "assize:plugin/types@1.0.0/assessment": crate::bindings::risk_agent::assize::plugin::types::Assessment,
            "assize:plugin/types@1.0.0/verdict": crate::bindings::risk_agent::assize::plugin::types::Verdict,
            "assize:plugin/types@1.0.0/ruling": crate::bindings::risk_agent::assize::plugin::types::Ruling,
            "assize:plugin/types@1.0.0/opinion": crate::bindings::risk_agent::assize::plugin::types::Opinion,
            "assize:plugin/types@1.0.0/risk": crate::bindings::risk_agent::assize::plugin::types::Risk,
            "assize:plugin/types@1.0.0/judgment": crate::bindings::risk_agent::assize::plugin::types::Judgment,
            "assize:plugin/log@1.0.0": crate::v1_0_0::risk_agent::assize::plugin::log,
            "assize:plugin/planner@1.0.0": generate,
        },
    });
}

use action::exports::assize::plugin::planner;
use risk_agent::assize::plugin::{log as lines, types};

/// Writes one line, as [`crate::log::write`] does under the newest contract.
pub fn write(level: crate::log::Level, message: &str) {
    let level = match level {
        crate::log::Level::Debug => lines::Level::Debug,
        crate::log::Level::Info => lines::Level::Info,
        crate::log::Level::Warn => lines::Level::Warn,
        crate::log::Level::Error => lines::Level::Error,
    };
    #[cfg(target_arch = "wasm32")]
    lines::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

/// Logs a formatted line at a level, for a plugin of contract 1.0.0.
#[macro_export]
#[doc(hidden)]
macro_rules! __log_1_0_0 {
    ($level:ident, $($message:tt)+) => {
        $crate::v1_0_0::write($crate::log::Level::$level, &::std::format!($($message)+))
    };
}

impl From<crate::Failure> for types::Failure {
    fn from(failure: crate::Failure) -> Self {
        match failure {
            crate::Failure::InvalidSettings(why) => Self::InvalidSettings(why),
            crate::Failure::InvalidCase(why) => Self::InvalidCase(why),
            crate::Failure::Internal(why) => Self::Internal(why),
            crate::Failure::Abstains(why) => Self::InvalidCase(why),
        }
    }
}

impl From<planner::Outcome> for crate::Outcome {
    fn from(outcome: planner::Outcome) -> Self {
        let planner::Outcome { verdict, reason, risk, judgments } = outcome;
        Self { verdict, reason, risk, judgments }
    }
}

impl From<crate::Effect> for planner::Effect {
    fn from(effect: crate::Effect) -> Self {
        match effect {
            crate::Effect::Alert(crate::Alert { severity, title, body }) => {
                Self::Alert(planner::Alert { severity, title, body })
            }
            crate::Effect::Webhook(crate::Webhook { url, body }) => Self::Webhook(planner::Webhook { url, body }),
            crate::Effect::Adjust(crate::Adjustment { target, key, value }) => {
                Self::Adjust(planner::Adjustment { target, key, value })
            }
            crate::Effect::CreateRule(crate::TemporaryRule { plugin, settings, lasts_seconds }) => {
                Self::CreateRule(planner::TemporaryRule { plugin, settings, lasts_seconds })
            }
            crate::Effect::DisableRule(binding) => Self::DisableRule(binding),
            crate::Effect::Escalate(severity) => Self::Escalate(severity),
            crate::Effect::Perform(crate::Request { action, amount, parameters }) => {
                let amount = amount.map(|money| planner::Money { amount: money.amount, currency: money.currency });
                Self::Perform(planner::Request { action, amount, parameters })
            }
        }
    }
}
