//! One plugin, asked by itself, with what the others would have said before it put into its hands: for the fixtures that
//! its author brings along.

use std::sync::Arc;

use assize_ledger::Digest;
use assize_sandbox::contract::{Outcome, Risk};
use assize_sandbox::json::JsonError;
use assize_sandbox::{Advice, Call, CallError, Plugin, Settings, Subject};
use futures::future::BoxFuture;

use super::Seat;
use crate::binding::Binding;
use crate::run::Run;
use crate::snapshot::{Bound, Candidate};

/// What a plugin is told beside the case.
#[derive(Debug, Clone)]
pub enum Beside {
    /// A risk agent: nothing.
    Nothing,
    /// A rule: what the agents said.
    Risk(Risk),
    /// An action: what came of the case.
    Outcome(Outcome),
}

/// What came of asking.
#[derive(Debug)]
pub struct Heard {
    /// As it would be recorded.
    pub run: Run,
    /// Why there is no answer; none where there is one.
    pub error: Option<CallError>,
}

/// Asks a plugin as [`decide`](super::decide) would: first whether it takes the settings, which is asked when a policy is
/// set, then its question. Limits and what it may plan are the candidate's.
///
/// # Errors
/// Where the settings aren't unambiguous JSON.
pub fn ask_alone<'a>(
    binding: &'a Binding,
    candidate: &'a Candidate,
    plugin: &'a Arc<Plugin>,
    subject: &'a Subject,
    beside: &'a Beside,
) -> BoxFuture<'a, Result<Heard, JsonError>> {
    Box::pin(async move {
        let settings = Settings::parse(binding.settings.get())?;
        let bound = Bound {
            layer: String::from("alone"),
            settings_hash: Digest::of(settings.as_str().as_bytes()),
            limits: None,
            binding: binding.clone(),
            candidates: vec![candidate.clone()],
        };
        let seat = Seat { bound: &bound, candidate, plugin, settings: &settings, position: 0, counted: None };
        let limits = seat.limits();
        let taken = plugin.validate_settings(&settings, &limits).await;
        if taken.result.is_err() {
            return Ok(seat.heard(taken));
        }
        Ok(match beside {
            Beside::Nothing => seat.heard(plugin.assess(&settings, subject, &limits).await),
            Beside::Risk(risk) => {
                seat.heard(plugin.rule(&settings, subject, &Advice::new(risk.clone()), &limits).await)
            }
            Beside::Outcome(outcome) => {
                let call = plugin.plan(&settings, subject, outcome, &limits).await;
                let error = call.result.as_ref().err().cloned();
                Heard { run: seat.planned(call).0, error }
            }
        })
    })
}

impl Seat<'_> {
    fn heard<T>(&self, call: Call<T>) -> Heard {
        let error = call.result.as_ref().err().cloned();
        Heard { run: Run::of(self.bound, self.candidate, self.plugin.contract(), self.counted, call).0, error }
    }
}
