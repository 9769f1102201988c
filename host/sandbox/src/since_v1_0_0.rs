//! Contract 1.0.0: its generated types, and their translation to and from the words of [`crate::contract`].
//!
//! The types of this version stop here. What an answer may contain is checked by the caller, for all versions alike.

use std::any::TypeId;
use std::marker::PhantomData;
use std::sync::OnceLock;

use serde_json::value::RawValue;
use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, HasSelf, Instance, InstancePre, Lift, Linker, Lower, TypedFunc,
};
use wasmtime::{Result, Store};

use crate::contract as neutral;
use crate::exported::Kind;
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

/// A case, and what risk agents say of it, in this version's form; made once for all plugins that judge it.
pub(crate) use types::{Case, Risk};

/// The contract's version.
pub(crate) const VERSION: &str = "1.0.0";

/// What a plugin said, or why it didn't. The inner `Err(String)` is an answer that can't be translated.
pub(crate) type Answered<T> = Result<std::result::Result<Translated<T>, neutral::Failure>>;
type Translated<T> = std::result::Result<T, String>;

/// Why a plugin gives no answer, as a contract version says it; the one thing in which 1.1.0 differs.
pub(crate) trait Failure: Lift + Into<neutral::Failure> + 'static {}

impl Failure for types::Failure {}

/// This version's.
pub(crate) use types::Failure as OwnFailure;

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

/// The types of this version that later ones took over word for word.
pub(crate) use log::{Host as LogHost, Level};

/// What a plugin exports: the function that judges or plans, and the one that looks at settings. Each call looks up the one
/// that it needs; the generated bindings would look up and check both, at every call.
pub(crate) struct Exports {
    plugin: InstancePre<Guest>,
    judge: ComponentExportIndex,
    validate: ComponentExportIndex,
    /// The [`Question`] that `judge` was found to take, once that was checked.
    takes: OnceLock<TypeId>,
}

/// What is asked of a plugin, and how it answers.
trait Question: 'static {
    type Asked<'a>: ComponentNamedList + Lower;
    type Answer: Lift + 'static;
}

struct Assess<F>(PhantomData<F>);
struct Rule<F>(PhantomData<F>);
struct Plan<F>(PhantomData<F>);

impl<F: Failure> Question for Assess<F> {
    type Asked<'a> = (&'a str, &'a Case);
    type Answer = std::result::Result<types::Assessment, F>;
}

impl<F: Failure> Question for Rule<F> {
    type Asked<'a> = (&'a str, &'a Case, &'a Risk);
    type Answer = std::result::Result<types::Ruling, F>;
}

impl<F: Failure> Question for Plan<F> {
    type Asked<'a> = (&'a str, &'a Case, &'a planner::Outcome);
    type Answer = std::result::Result<Vec<planner::Effect>, F>;
}

type Judges<'a, Q> = TypedFunc<<Q as Question>::Asked<'a>, (<Q as Question>::Answer,)>;
type Validates<'a, F> = TypedFunc<(&'a str,), (std::result::Result<(), F>,)>;

impl Exports {
    /// Finds `function` of the exported `interface`, beside `validate-settings`.
    pub(crate) fn find(plugin: InstancePre<Guest>, interface: &str, function: &str) -> Result<Self> {
        let component = plugin.component();
        let interface = component.get_export_index(None, interface).ok_or_else(|| missing(interface))?;
        let named = |name: &str| component.get_export_index(Some(&interface), name).ok_or_else(|| missing(name));
        let (judge, validate) = (named(function)?, named("validate-settings")?);
        Ok(Self { plugin, judge, validate, takes: OnceLock::new() })
    }

    /// The function that judges or plans, of one of the plugin's instances. That it has the type of `Q` is checked with the first
    /// one: comparing all names of all fields took a thirtieth of a simulation's time.
    #[allow(unsafe_code, reason = "a type that was checked before isn't checked again; see where it is done")]
    fn judge<'a, Q: Question>(&self, store: &mut Store<Guest>, started: Instance) -> Result<Judges<'a, Q>> {
        let judge = started.get_func(&mut *store, self.judge).ok_or_else(|| missing("the judging function"))?;
        if self.takes.get() == Some(&TypeId::of::<Q>()) {
            // SAFETY: `new_unchecked` wants the function to have these types. It does:
            // - `started` is an instance of `self.plugin`: this is called with what `instantiate_async` of it returned, here and
            //   by `start`. `self.judge` was looked up in the same component, and a component's export has one type for all
            //   instances: the contract has no resources, whose types alone are each instance's own.
            // - `self.takes` is set below alone, where `typed` has compared that type with those of the same `Q`, which differ
            //   in nothing but lifetimes.
            return Ok(unsafe { TypedFunc::new_unchecked(judge) });
        }
        let judge = judge.typed(&*store)?;
        // A plugin has one kind and one contract: what is set is set for the same `Q`, or the check is made again.
        let _ = self.takes.set(TypeId::of::<Q>());
        Ok(judge)
    }
}

fn missing(name: &str) -> wasmtime::Error {
    wasmtime::format_err!("no export `{name}`")
}

pub(crate) async fn assess<F: Failure>(
    exports: &Exports,
    store: &mut Store<Guest>,
    settings: &str,
    case: &Case,
) -> Answered<neutral::Assessment> {
    let started = start(exports, store).await?;
    let assess = exports.judge::<Assess<F>>(store, started)?;
    let (answer,) = assess.call_async(store, (settings, case)).await?;
    Ok(answer.map(assessment).map_err(Into::into))
}

pub(crate) async fn rule<F: Failure>(
    exports: &Exports,
    store: &mut Store<Guest>,
    settings: &str,
    case: &Case,
    risk: &Risk,
) -> Answered<neutral::Ruling> {
    let started = start(exports, store).await?;
    let rule = exports.judge::<Rule<F>>(store, started)?;
    let (answer,) = rule.call_async(store, (settings, case, risk)).await?;
    Ok(answer.map(|ruling| Ok(lift_ruling(ruling))).map_err(Into::into))
}

pub(crate) async fn plan<F: Failure>(
    exports: &Exports,
    store: &mut Store<Guest>,
    settings: &str,
    case: &Case,
    outcome: &neutral::Outcome,
) -> Answered<Vec<neutral::Effect>> {
    let started = start(exports, store).await?;
    let plan = exports.judge::<Plan<F>>(store, started)?;
    let (answer,) = plan.call_async(store, (settings, case, &lower_outcome(outcome))).await?;
    Ok(answer.map(|effects| effects.into_iter().map(effect).collect()).map_err(Into::into))
}

/// Asks for the plugin's opinion of settings. It is what happens to every plugin first, so the types of the other export are
/// checked here too.
pub(crate) async fn validate<F: Failure>(
    kind: Kind,
    exports: &Exports,
    store: &mut Store<Guest>,
    settings: &str,
) -> Answered<()> {
    let instance = start(exports, store).await?;
    fits::<F>(kind, exports, store, instance)?;
    let validate: Validates<'_, F> = instance.get_typed_func(&mut *store, exports.validate)?;
    let (answer,) = validate.call_async(store, (settings,)).await?;
    Ok(answer.map(Ok).map_err(Into::into))
}

/// Starts an instance. What the plugin's code does then is done in the caller's store, within its limits.
pub(crate) async fn start(exports: &Exports, store: &mut Store<Guest>) -> Result<Instance> {
    exports.plugin.instantiate_async(store).await
}

/// Whether both exported functions have the contract's types.
pub(crate) fn fits<F: Failure>(
    kind: Kind,
    exports: &Exports,
    store: &mut Store<Guest>,
    started: Instance,
) -> Result<()> {
    match kind {
        Kind::RiskAgent => exports.judge::<Assess<F>>(store, started).map(drop)?,
        Kind::ComplianceRule => exports.judge::<Rule<F>>(store, started).map(drop)?,
        Kind::Action => exports.judge::<Plan<F>>(store, started).map(drop)?,
    }
    let _: Validates<'_, F> = started.get_typed_func(&mut *store, exports.validate)?;
    Ok(())
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

/// What agents say in this version's form.
pub(crate) fn lower_risk(risk: &neutral::Risk) -> Risk {
    Risk {
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
