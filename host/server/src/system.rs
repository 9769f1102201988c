//! An AI system in the host's registry (BTV-10).

use assize_ledger::Timestamp;
use assize_registry::check_spelling;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::problem::Problem;

/// Whether and how it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub(crate) enum Status {
    Design,
    Active,
    Degraded,
    Maintenance,
    Suspended,
    EmergencyStop,
}

/// NIST AI RMF, MAP 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub(crate) enum Phase {
    PlanAndDesign,
    CollectAndProcessData,
    BuildAndUseModel,
    VerifyAndValidate,
    DeployAndUse,
    OperateAndMonitor,
}

/// The four levels of Regulation (EU) 2024/1689.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub(crate) enum RiskClass {
    Minimal,
    Limited,
    High,
    Unacceptable,
}

impl Status {
    /// As JSON writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Design => "design",
            Self::Active => "active",
            Self::Degraded => "degraded",
            Self::Maintenance => "maintenance",
            Self::Suspended => "suspended",
            Self::EmergencyStop => "emergency_stop",
        }
    }

    /// Which changes are legal by themselves. Into and out of emergency stop there are ways of their own.
    fn may_become(self, next: Self) -> bool {
        use Status::{Active, Degraded, Design, EmergencyStop, Maintenance, Suspended};
        if self == next {
            return self != EmergencyStop;
        }
        match self {
            Design => next == Active,
            Active => matches!(next, Degraded | Maintenance | Suspended),
            Degraded => matches!(next, Active | Maintenance | Suspended),
            Maintenance => matches!(next, Active | Suspended),
            Suspended => matches!(next, Active | Maintenance),
            EmergencyStop => false,
        }
    }
}

/// What a caller says of a system.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    /// 1 to 128 of letters, digits, `-`, `_`, `.` and `:`.
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) operational_status: Option<Status>,
    pub(crate) lifecycle_phase: Option<Phase>,
    #[serde(alias = "risk")]
    pub(crate) risk_classification: Option<RiskClass>,
    /// E.g. an area of Annex III of the EU AI Act; its cases can't name another one.
    pub(crate) sector: Option<String>,
    pub(crate) eu_database_registration_id: Option<String>,
    pub(crate) training_flops: Option<f64>,
    #[serde(default)]
    pub(crate) external_dependencies: Vec<String>,
    pub(crate) human_ai_configuration: Option<String>,
    /// Upper-case ISO 3166 codes and `EU`, at most 256: whose law its cases fall under, unless a case says more.
    #[serde(default)]
    pub(crate) jurisdictions: Vec<String>,
    /// Anything more that agents and rules may consider, e.g. `logging`, `human_oversight`.
    #[schema(value_type = Object)]
    pub(crate) attributes: Option<Box<RawValue>>,
}

/// A system as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct System {
    pub(crate) id: String,
    pub(crate) tenant: String,
    pub(crate) name: String,
    pub(crate) operational_status: Status,
    pub(crate) lifecycle_phase: Option<Phase>,
    pub(crate) risk_classification: RiskClass,
    pub(crate) sector: Option<String>,
    pub(crate) eu_database_registration_id: Option<String>,
    pub(crate) training_flops: Option<f64>,
    pub(crate) external_dependencies: Vec<String>,
    pub(crate) human_ai_configuration: Option<String>,
    pub(crate) jurisdictions: Vec<String>,
    pub(crate) attributes: Box<RawValue>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Set while it is in emergency stop: since when, and what it was before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) stopped: Option<Stop>,
}

/// An emergency stop. Who and why stand in the ledger's record, not here: this goes into every case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub(crate) since: Timestamp,
    pub(crate) before: Status,
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))
}

impl System {
    /// A new system.
    pub(crate) fn registered(registration: Registration, tenant: &str, now: Timestamp) -> Result<Self, Problem> {
        let status = registration.operational_status.unwrap_or(Status::Active);
        if status == Status::EmergencyStop {
            return Err(Problem::invalid(
                "operational_status",
                "a system isn't born stopped: register it, then PUT its emergency-stop",
            ));
        }
        Self::of(registration, tenant, status, now, now)
    }

    /// The same system with other data.
    pub(crate) fn changed(&self, registration: Registration, now: Timestamp) -> Result<Self, Problem> {
        let next = registration.operational_status.unwrap_or(self.operational_status);
        if !self.operational_status.may_become(next) {
            return Err(Problem::conflict(format!(
                "a system in {} can't become {} by a change; emergency-stop and resume are requests of their own",
                self.operational_status.as_str(),
                next.as_str()
            ))
            .at("operational_status"));
        }
        Self::of(registration, &self.tenant, next, self.created_at, now)
    }

    fn of(
        registration: Registration,
        tenant: &str,
        operational_status: Status,
        created_at: Timestamp,
        updated_at: Timestamp,
    ) -> Result<Self, Problem> {
        if !is_id(&registration.id) {
            let detail = format!("{:?}: use 1 to 128 of letters, digits, '-', '_', '.' and ':'", registration.id);
            return Err(Problem::invalid("id", detail));
        }
        check_spelling(&registration.jurisdictions, registration.sector.as_deref(), None)
            .map_err(|misspelt| Problem::invalid(misspelt.field, misspelt.detail))?;
        if registration.training_flops.is_some_and(|flops| flops < 0.0) {
            return Err(Problem::invalid("training_flops", "can't be negative"));
        }
        let attributes = match registration.attributes {
            Some(attributes) if attributes.get().starts_with('{') => attributes,
            Some(_) => return Err(Problem::invalid("attributes", "must be a JSON object")),
            None => serde_json::value::to_raw_value(&serde_json::Map::new()).map_err(Problem::internal)?,
        };
        Ok(Self {
            name: registration.name.unwrap_or_else(|| registration.id.clone()),
            id: registration.id,
            tenant: tenant.to_owned(),
            operational_status,
            lifecycle_phase: registration.lifecycle_phase,
            // Nothing is minimal until somebody says so.
            risk_classification: registration.risk_classification.unwrap_or(RiskClass::Limited),
            sector: registration.sector,
            eu_database_registration_id: registration.eu_database_registration_id,
            training_flops: registration.training_flops,
            external_dependencies: registration.external_dependencies,
            human_ai_configuration: registration.human_ai_configuration,
            jurisdictions: registration.jurisdictions,
            attributes,
            created_at,
            updated_at,
            stopped: None,
        })
    }

    /// Its JSON as `context.system` of every case that it sends: without members that say nothing (null, empty), which
    /// every plugin would have to read past in every case, and without the tenant, which the case itself names.
    pub(crate) fn considered(&self) -> serde_json::Result<Box<RawValue>> {
        #[derive(Serialize)]
        struct Considered<'a> {
            id: &'a str,
            name: &'a str,
            operational_status: Status,
            #[serde(skip_serializing_if = "Option::is_none")]
            lifecycle_phase: Option<Phase>,
            risk_classification: RiskClass,
            #[serde(skip_serializing_if = "Option::is_none")]
            sector: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            eu_database_registration_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            training_flops: Option<f64>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            external_dependencies: &'a [String],
            #[serde(skip_serializing_if = "Option::is_none")]
            human_ai_configuration: Option<&'a str>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            jurisdictions: &'a [String],
            attributes: &'a RawValue,
            created_at: Timestamp,
            updated_at: Timestamp,
            #[serde(skip_serializing_if = "Option::is_none")]
            stopped: Option<&'a Stop>,
        }
        serde_json::value::to_raw_value(&Considered {
            id: &self.id,
            name: &self.name,
            operational_status: self.operational_status,
            lifecycle_phase: self.lifecycle_phase,
            risk_classification: self.risk_classification,
            sector: self.sector.as_deref(),
            eu_database_registration_id: self.eu_database_registration_id.as_deref(),
            training_flops: self.training_flops,
            external_dependencies: &self.external_dependencies,
            human_ai_configuration: self.human_ai_configuration.as_deref(),
            jurisdictions: &self.jurisdictions,
            attributes: &self.attributes,
            created_at: self.created_at,
            updated_at: self.updated_at,
            stopped: self.stopped.as_ref(),
        })
    }

    /// In emergency stop.
    pub(crate) fn stop(&self, now: Timestamp) -> Self {
        let before = self.operational_status;
        Self {
            operational_status: Status::EmergencyStop,
            updated_at: now,
            stopped: Some(Stop { since: now, before }),
            ..self.clone()
        }
    }

    /// As it was before the stop.
    pub(crate) fn resume(&self, now: Timestamp) -> Option<Self> {
        let before = self.stopped.as_ref()?.before;
        Some(Self { operational_status: before, updated_at: now, stopped: None, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(json: &str) -> Registration {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_was_registered_before_spelling_was_checked_is_read_stopped_and_resumed() {
        let now = Timestamp::now();
        let right = registration(r#"{"id": "bot", "jurisdictions": ["BR", "US-CA"], "sector": "credit"}"#);
        let right = System::registered(right, "acme", now).unwrap();
        let misspelt =
            System { jurisdictions: vec!["br".to_owned()], sector: Some("Credit Scoring".to_owned()), ..right };
        let read: System = serde_json::from_slice(&serde_json::to_vec(&misspelt).unwrap()).unwrap();
        let resumed = read.stop(now).resume(now).unwrap();
        assert_eq!((resumed.jurisdictions, resumed.sector), (misspelt.jurisdictions, misspelt.sector));
        assert!(read.considered().unwrap().get().contains("Credit Scoring"));
        // Whoever changes it says it anew, and rightly.
        for (json, said) in [
            (r#"{"id": "bot", "jurisdictions": ["BR", "br"]}"#, r#""br" is no jurisdiction"#),
            (r#"{"id": "bot", "sector": "Credit Scoring"}"#, r#""Credit Scoring": a word has"#),
        ] {
            let problem = read.changed(registration(json), now).unwrap_err();
            assert!(problem.detail().starts_with(said), "{}", problem.detail());
        }
        let mended = registration(r#"{"id": "bot", "jurisdictions": ["BR"], "sector": "credit-scoring"}"#);
        read.changed(mended, now).unwrap();
    }
}
