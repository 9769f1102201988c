//! The contract's types and worlds, generated from `wit/1.1.0`.
//!
//! One module per world. The shared types are generated once, in [`risk_agent`]; the other worlds refer to them, so that a
//! [`Finding`](crate::Finding) is one Rust type everywhere. Each world's `export!` macro carries the component-type section:
//! a plugin that calls one of them has exactly that world, although this crate knows all three. Those of contract 1.0.0 are in
//! [`crate::v1_0_0`].
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, clippy::restriction)]

/// World `risk-agent`, and the types that all worlds share.
pub mod risk_agent {
    wit_bindgen::generate!({
        path: "../../wit/1.1.0",
        world: "risk-agent",
        pub_export_macro: true,
        export_macro_name: "export_risk_agent",
        disable_custom_section_link_helpers: true,
        generate_unused_types: true,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        additional_type_attributes: {
            "assize:plugin/types@1.1.0/severity": [#[serde(rename_all = "kebab-case")]],
            "assize:plugin/types@1.1.0/verdict": [#[serde(rename_all = "kebab-case")]],
            "assize:plugin/types@1.1.0/failure": [#[serde(rename_all = "kebab-case")]],
        },
        additional_member_attributes: {
            "assize:plugin/types@1.1.0/finding.contribution": [#[serde(default)]],
            "assize:plugin/types@1.1.0/finding.evidence": [#[serde(default)]],
            "assize:plugin/types@1.1.0/finding.citation": [#[serde(default)]],
            "assize:plugin/types@1.1.0/evidence.span": [#[serde(default)]],
            "assize:plugin/types@1.1.0/assessment.findings": [#[serde(default)]],
            "assize:plugin/types@1.1.0/assessment.attributes": [#[serde(default)]],
            "assize:plugin/types@1.1.0/ruling.findings": [#[serde(default)]],
            "assize:plugin/types@1.1.0/risk.opinions": [#[serde(default)]],
        },
    });
}

/// World `compliance-rule`.
pub mod compliance_rule {
    wit_bindgen::generate!({
        path: "../../wit/1.1.0",
        world: "compliance-rule",
        pub_export_macro: true,
        export_macro_name: "export_compliance_rule",
        disable_custom_section_link_helpers: true,
        with: {
            "assize:plugin/types@1.1.0": super::risk_agent::assize::plugin::types,
            "assize:plugin/log@1.1.0": super::risk_agent::assize::plugin::log,
        },
    });
}

/// World `action`.
pub mod action {
    wit_bindgen::generate!({
        path: "../../wit/1.1.0",
        world: "action",
        pub_export_macro: true,
        export_macro_name: "export_action",
        disable_custom_section_link_helpers: true,
        generate_unused_types: true,
        with: {
            "assize:plugin/types@1.1.0": super::risk_agent::assize::plugin::types,
            "assize:plugin/log@1.1.0": super::risk_agent::assize::plugin::log,
        },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        additional_type_attributes: {
            "assize:plugin/planner@1.1.0/effect": [#[serde(rename_all = "kebab-case")]],
        },
        additional_member_attributes: {
            "assize:plugin/planner@1.1.0/outcome.judgments": [#[serde(default)]],
        },
    });
}
