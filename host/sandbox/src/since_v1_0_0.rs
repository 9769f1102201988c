//! Contract 1.0.0: its generated types, and their translation to and from the words of [`crate::contract`].
//!
//! The types of this version stop here. What an answer may contain is checked by the caller, for all versions alike.

use serde_json::value::RawValue;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Result, Store};

use crate::contract as neutral;
use crate::guest::Guest;
use crate::json;

mod risk_agent {
    wasmtime::component::bindgen!({
        path: "../../wit/1.0.0",
        world: "risk-agent",
        exports: { default: async },
    });
}

mod compliance_rule {
    wasmtime::component::bindgen!({
        path: "../../wit/1.0.0",
        world: "compliance-rule",
        exports: { default: async },
        with: {
            "assize:plugin/types@1.0.0": super::risk_agent::assize::plugin::types,
            "assize:plugin/log@1.0.0": super::risk_agent::assize::plugin::log,
        },
    });
}

mod action {
    wasmtime::component::bindgen!({
        path: "../../wit/1.0.0",
        world: "action",
        exports: { default: async },
        with: {
            "assize:plugin/types@1.0.0": super::risk_agent::assize::plugin::types,
            "assize:plugin/log@1.0.0": super::risk_agent::assize::plugin::log,
        },
    });
}

use action::exports::assize::plugin::planner;
use risk_agent::assize::plugin::{log, types};

pub(crate) use action::ActionPre;
pub(crate) use compliance_rule::ComplianceRulePre;
pub(crate) use risk_agent::RiskAgentPre;
/// A case in this version's form; made once for all plugins that judge it.
pub(crate) use types::Case;

/// The contract's version.
pub(crate) const VERSION: &str = "1.0.0";

/// What a plugin said, or why it didn't. The inner `Err(String)` is an answer that can't be translated.
pub(crate) type Answered<T> = Result<std::result::Result<Translated<T>, types::Failure>>;
type Translated<T> = std::result::Result<T, String>;

pub(crate) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    risk_agent::RiskAgent::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn log(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
            log::Level::Error => "error",
        };
        self.log.write(level, message);
    }
}

pub(crate) async fn assess(
    pre: &RiskAgentPre<Guest>,
    store: &mut Store<Guest>,
    settings: &types::Json,
    case: &Case,
) -> Answered<neutral::Assessment> {
    let agent = pre.instantiate_async(&mut *store).await?;
    let answer = agent.assize_plugin_assessor().call_assess(store, settings, case).await?;
    Ok(answer.map(assessment))
}

pub(crate) async fn rule(
    pre: &ComplianceRulePre<Guest>,
    store: &mut Store<Guest>,
    settings: &types::Json,
    case: &Case,
    risk: &neutral::Risk,
) -> Answered<neutral::Ruling> {
    let rule = pre.instantiate_async(&mut *store).await?;
    let answer = rule.assize_plugin_adjudicator().call_rule(store, settings, case, &lower_risk(risk)).await?;
    Ok(answer.map(|ruling| Ok(lift_ruling(ruling))))
}

pub(crate) async fn plan(
    pre: &ActionPre<Guest>,
    store: &mut Store<Guest>,
    settings: &types::Json,
    case: &Case,
    outcome: &neutral::Outcome,
) -> Answered<Vec<neutral::Effect>> {
    let action = pre.instantiate_async(&mut *store).await?;
    let answer = action.assize_plugin_planner().call_plan(store, settings, case, &lower_outcome(outcome)).await?;
    Ok(answer.map(|effects| effects.into_iter().map(effect).collect()))
}

pub(crate) async fn validate_risk_agent(
    pre: &RiskAgentPre<Guest>,
    store: &mut Store<Guest>,
    settings: &types::Json,
) -> Answered<()> {
    let agent = pre.instantiate_async(&mut *store).await?;
    Ok(agent.assize_plugin_assessor().call_validate_settings(store, settings).await?.map(Ok))
}

pub(crate) async fn validate_compliance_rule(
    pre: &ComplianceRulePre<Guest>,
    store: &mut Store<Guest>,
    settings: &types::Json,
) -> Answered<()> {
    let rule = pre.instantiate_async(&mut *store).await?;
    Ok(rule.assize_plugin_adjudicator().call_validate_settings(store, settings).await?.map(Ok))
}

pub(crate) async fn validate_action(
    pre: &ActionPre<Guest>,
    store: &mut Store<Guest>,
    settings: &types::Json,
) -> Answered<()> {
    let action = pre.instantiate_async(&mut *store).await?;
    Ok(action.assize_plugin_planner().call_validate_settings(store, settings).await?.map(Ok))
}

/// JSON that a guest returned, checked as strictly as what came in at the door.
fn lift_json(field: &str, text: String) -> Translated<Box<RawValue>> {
    json::check(text.as_bytes()).map_err(|error| format!("{field}: {error}"))?;
    RawValue::from_string(text).map_err(|error| format!("{field}: {error}"))
}

fn assessment(answer: types::Assessment) -> Translated<neutral::Assessment> {
    Ok(neutral::Assessment {
        score: answer.score,
        confidence: answer.confidence,
        findings: answer.findings.into_iter().map(lift_finding).collect(),
        attributes: lift_json("attributes", answer.attributes)?,
    })
}

fn lift_ruling(answer: types::Ruling) -> neutral::Ruling {
    neutral::Ruling {
        verdict: match answer.verdict {
            types::Verdict::Allow => neutral::Verdict::Allow,
            types::Verdict::Warn => neutral::Verdict::Warn,
            types::Verdict::Review => neutral::Verdict::Review,
            types::Verdict::Block => neutral::Verdict::Block,
        },
        code: answer.code,
        findings: answer.findings.into_iter().map(lift_finding).collect(),
    }
}

fn lift_finding(finding: types::Finding) -> neutral::Finding {
    neutral::Finding {
        code: finding.code,
        severity: lift_severity(finding.severity),
        message: finding.message,
        contribution: finding.contribution,
        evidence: finding
            .evidence
            .into_iter()
            .map(|evidence| neutral::Evidence {
                pointer: evidence.pointer,
                span: evidence.span.map(|span| neutral::Span { start: span.start, end: span.end }),
            })
            .collect(),
        citation: finding.citation,
    }
}

fn lift_severity(severity: types::Severity) -> neutral::Severity {
    match severity {
        types::Severity::Info => neutral::Severity::Info,
        types::Severity::Low => neutral::Severity::Low,
        types::Severity::Medium => neutral::Severity::Medium,
        types::Severity::High => neutral::Severity::High,
        types::Severity::Critical => neutral::Severity::Critical,
    }
}

fn effect(effect: planner::Effect) -> Translated<neutral::Effect> {
    Ok(match effect {
        planner::Effect::Alert(alert) => {
            neutral::Effect::Alert { severity: lift_severity(alert.severity), title: alert.title, body: alert.body }
        }
        planner::Effect::Webhook(webhook) => {
            neutral::Effect::Webhook { url: webhook.url, body: lift_json("webhook body", webhook.body)? }
        }
        planner::Effect::Adjust(change) => neutral::Effect::Adjust {
            target: change.target,
            key: change.key,
            value: lift_json("adjustment value", change.value)?,
        },
        planner::Effect::CreateRule(rule) => neutral::Effect::CreateRule {
            plugin: rule.plugin,
            settings: lift_json("rule settings", rule.settings)?,
            lasts_seconds: rule.lasts_seconds,
        },
        planner::Effect::DisableRule(binding) => neutral::Effect::DisableRule { binding },
        planner::Effect::Escalate(severity) => neutral::Effect::Escalate { severity: lift_severity(severity) },
        planner::Effect::Perform(request) => neutral::Effect::Perform {
            action: request.action,
            amount: request.amount.map(|money| neutral::Money { amount: money.amount, currency: money.currency }),
            parameters: lift_json("request parameters", request.parameters)?,
        },
    })
}

/// The case in this version's form.
pub(crate) fn lower_case(case: &neutral::Case) -> Case {
    Case {
        id: case.id.clone(),
        kind: case.kind.clone(),
        tenant: case.tenant.clone(),
        system: case.system.clone(),
        environment: case.environment.clone(),
        jurisdictions: case.jurisdictions.clone(),
        sector: case.sector.clone(),
        actor: case.actor.clone(),
        action: case.action.clone(),
        resource: case.resource.clone(),
        occurred_at: case.occurred_at.as_millis(),
        rules_as_of: case.rules_as_of.as_millis(),
        payload: case.payload.get().to_owned(),
        context: case.context.get().to_owned(),
    }
}

fn lower_outcome(outcome: &neutral::Outcome) -> planner::Outcome {
    planner::Outcome {
        verdict: lower_verdict(outcome.verdict),
        reason: outcome.reason.clone(),
        risk: lower_risk(&outcome.risk),
        judgments: outcome
            .judgments
            .iter()
            .map(|judgment| types::Judgment {
                binding: judgment.binding.clone(),
                plugin: judgment.plugin.clone(),
                version: judgment.version.clone(),
                ruling: types::Ruling {
                    verdict: lower_verdict(judgment.ruling.verdict),
                    code: judgment.ruling.code.clone(),
                    findings: judgment.ruling.findings.iter().map(lower_finding).collect(),
                },
            })
            .collect(),
    }
}

fn lower_verdict(verdict: neutral::Verdict) -> types::Verdict {
    match verdict {
        neutral::Verdict::Allow => types::Verdict::Allow,
        neutral::Verdict::Warn => types::Verdict::Warn,
        neutral::Verdict::Review => types::Verdict::Review,
        neutral::Verdict::Block => types::Verdict::Block,
    }
}

fn lower_risk(risk: &neutral::Risk) -> types::Risk {
    types::Risk {
        score: risk.score,
        confidence: risk.confidence,
        opinions: risk
            .opinions
            .iter()
            .map(|opinion| types::Opinion {
                binding: opinion.binding.clone(),
                plugin: opinion.plugin.clone(),
                version: opinion.version.clone(),
                weight: opinion.weight,
                assessment: types::Assessment {
                    score: opinion.assessment.score,
                    confidence: opinion.assessment.confidence,
                    findings: opinion.assessment.findings.iter().map(lower_finding).collect(),
                    attributes: opinion.assessment.attributes.get().to_owned(),
                },
            })
            .collect(),
    }
}

fn lower_finding(finding: &neutral::Finding) -> types::Finding {
    types::Finding {
        code: finding.code.clone(),
        severity: match finding.severity {
            neutral::Severity::Info => types::Severity::Info,
            neutral::Severity::Low => types::Severity::Low,
            neutral::Severity::Medium => types::Severity::Medium,
            neutral::Severity::High => types::Severity::High,
            neutral::Severity::Critical => types::Severity::Critical,
        },
        message: finding.message.clone(),
        contribution: finding.contribution,
        evidence: finding
            .evidence
            .iter()
            .map(|evidence| types::Evidence {
                pointer: evidence.pointer.clone(),
                span: evidence.span.map(|span| types::Span { start: span.start, end: span.end }),
            })
            .collect(),
        citation: finding.citation.clone(),
    }
}

impl From<types::Failure> for neutral::Failure {
    fn from(failure: types::Failure) -> Self {
        match failure {
            types::Failure::InvalidSettings(why) => Self::InvalidSettings(why),
            types::Failure::InvalidCase(why) => Self::InvalidCase(why),
            types::Failure::Internal(why) => Self::Internal(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use assize_ledger::Digest;

    #[test]
    fn the_released_contract_is_frozen() {
        let contract = include_bytes!("../../../wit/1.0.0/plugin.wit");
        let released = "a1d2880140a017006a00fdcec184e303dc7d275df9b692bd3c1513125266b3d0";
        assert_eq!(
            Digest::of(contract).to_string(),
            released,
            "archived plugins need 1.0.0 as it is: add a new version"
        );
    }
}
