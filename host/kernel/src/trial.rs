//! Trying a binding beside those that count.
//!
//! A *shadow* is asked and recorded, and never counts. A *canary* counts in a share of the cases, in place of the live binding
//! that it is a candidate for, and is a shadow in the rest. So every case is judged as by the policy after promotion or as
//! by the one after roll-back, and by nothing between.
//!
//! Which cases are in a share is drawn from what is on record, so that a replay draws the same.

use std::collections::HashMap;

use assize_ledger::Digest;
use serde::{Deserialize, Serialize};

use crate::binding::Binding;
use crate::policy::Policy;
use crate::snapshot::Bound;

/// Whether a binding's answers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In every case.
    #[default]
    Live,
    /// In none: it is asked and recorded.
    Shadow,
    /// In this share of the cases, 1 to 99 %; in the others it is a shadow.
    Canary(u64),
}

impl Mode {
    /// Whether it isn't on trial.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live)
    }
}

/// What is wrong with a binding that is on trial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum TrialError {
    #[error("bindings[{index}].mode.canary {share}: use 1 to 99, in percent of the cases")]
    Share { index: usize, share: u64 },
    #[error(
        "bindings[{index}].instead_of {name:?}: the binding is live and no candidate; give it the mode \"shadow\" or \
         {{\"canary\": N}}, or leave instead_of out"
    )]
    Live { index: usize, name: String },
    #[error("bindings[{index}].instead_of {name:?} is the binding itself; name a live one, or leave instead_of out")]
    Itself { index: usize, name: String },
    #[error(
        "bindings[{index}].instead_of {name:?}: this policy has no such binding, and those of other scopes can't be \
         replaced; name a live one of this policy"
    )]
    Unknown { index: usize, name: String },
    #[error("bindings[{index}].instead_of {name:?} is on trial itself; name a live binding")]
    Chain { index: usize, name: String },
    #[error(
        "bindings[{index}].mode.canary {share}: with the candidates for {name:?} before it that is {sum} % of the cases; \
         give all of them 100 at most"
    )]
    Shares { index: usize, share: u64, name: String, sum: u64 },
}

/// Checks what is on trial among a policy's bindings. Their names are known to differ.
pub(crate) fn check(bindings: &[Binding]) -> Result<(), TrialError> {
    let mut sums: HashMap<&str, u64> = HashMap::new();
    for (index, binding) in bindings.iter().enumerate() {
        if let Mode::Canary(share) = binding.mode
            && !(1..=99).contains(&share)
        {
            return Err(TrialError::Share { index, share });
        }
        let Some(name) = &binding.instead_of else { continue };
        let named = || name.clone();
        if binding.mode.is_live() {
            return Err(TrialError::Live { index, name: named() });
        }
        if *name == binding.name {
            return Err(TrialError::Itself { index, name: named() });
        }
        match bindings.iter().find(|other| other.name == *name) {
            None => return Err(TrialError::Unknown { index, name: named() }),
            Some(other) if !other.mode.is_live() => return Err(TrialError::Chain { index, name: named() }),
            Some(_) => {}
        }
        if let Mode::Canary(share) = binding.mode {
            let sum = sums.entry(name).or_default();
            *sum += share;
            if *sum > 100 {
                return Err(TrialError::Shares { index, share, name: named(), sum: *sum });
            }
        }
    }
    Ok(())
}

/// For each binding, whether it counts for a case; none where no trial concerns it. Empty without any trial.
pub(crate) fn counted(bindings: &[Bound], case: &str) -> Vec<Option<bool>> {
    if bindings.iter().all(|bound| bound.binding.mode.is_live()) {
        return Vec::new();
    }
    // Candidates for one place share one draw and take ranges of it in their order: no case falls to two of them.
    let mut begun: HashMap<(&str, &str), u64> = HashMap::new();
    let mut replaced: Vec<(&str, &str)> = Vec::new();
    let mut counted = Vec::with_capacity(bindings.len());
    for bound in bindings {
        counted.push(match bound.binding.mode {
            Mode::Live => None,
            Mode::Shadow => Some(false),
            Mode::Canary(share) => {
                let place =
                    (bound.layer.as_str(), bound.binding.instead_of.as_ref().unwrap_or(&bound.binding.name).as_str());
                let begun = begun.entry(place).or_default();
                let range = *begun..begun.saturating_add(share);
                *begun = range.end;
                let drawn = range.contains(&draw(place.0, place.1, case));
                if drawn {
                    replaced.push(place);
                }
                Some(drawn)
            }
        });
    }
    for (bound, counted) in bindings.iter().zip(&mut counted) {
        if bound.binding.mode.is_live() && replaced.contains(&(bound.layer.as_str(), bound.binding.name.as_str())) {
            *counted = Some(false);
        }
    }
    counted
}

/// 0 to 99, by the case's id and the place that the candidates are for: the first eight bytes of the SHA-256 of
/// `assize canary 1`, the layer, the live binding's name (a canary's own, where it is for nobody's place) and the case's id, each
/// but the last with a line feed after it; as a big-endian number, modulo 100. Ids and names have no line feed, so no two
/// places are written alike; and 2⁶⁴ modulo 100 is too little to favour any number.
fn draw(layer: &str, name: &str, case: &str) -> u64 {
    let digest = Digest::of(format!("assize canary 1\n{layer}\n{name}\n{case}").as_bytes());
    let first = digest.as_bytes().first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(first) % 100
}

/// Why there is nothing to promote or to roll back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum NoTrial {
    #[error("there is no binding {0:?} in this policy")]
    Unknown(String),
    #[error("binding {0:?} is live already: only one in shadow or canary can be promoted or rolled back")]
    Live(String),
}

impl Policy {
    /// The policy in which a candidate is live, and what it stood in for is gone. It keeps its name and its place in the list, so
    /// that cases are judged as they were in a canary's share. Other candidates for the same place are now candidates for its.
    pub fn promoted(&self, name: &str) -> Result<Self, NoTrial> {
        let replaced = self.on_trial(name)?.instead_of.clone();
        let mut policy = self.clone();
        policy.bindings.retain(|binding| replaced.as_ref() != Some(&binding.name));
        for binding in &mut policy.bindings {
            if binding.name == name {
                (binding.mode, binding.instead_of) = (Mode::Live, None);
            } else if replaced.is_some() && binding.instead_of == replaced {
                binding.instead_of = Some(name.to_owned());
            }
        }
        Ok(policy)
    }

    /// The policy without a candidate.
    pub fn rolled_back(&self, name: &str) -> Result<Self, NoTrial> {
        self.on_trial(name)?;
        let mut policy = self.clone();
        policy.bindings.retain(|binding| binding.name != name);
        Ok(policy)
    }

    fn on_trial(&self, name: &str) -> Result<&Binding, NoTrial> {
        let found = self.bindings.iter().find(|binding| binding.name == name);
        let binding = found.ok_or_else(|| NoTrial::Unknown(name.to_owned()))?;
        if binding.mode.is_live() {
            return Err(NoTrial::Live(name.to_owned()));
        }
        Ok(binding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn policy(bindings: &serde_json::Value) -> Policy {
        serde_json::from_value(json!({ "bindings": bindings })).unwrap()
    }

    fn bound(policy: &Policy, layer: &str) -> Vec<Bound> {
        let bound = |binding: &Binding| Bound {
            layer: layer.to_owned(),
            binding: binding.clone(),
            settings_hash: Digest::of(b"{}"),
            limits: None,
            candidates: Vec::new(),
        };
        policy.bindings.iter().map(bound).collect()
    }

    fn refused(bindings: &serde_json::Value) -> String {
        policy(bindings).check().unwrap_err().to_string()
    }

    fn names(policy: &Policy) -> Vec<&str> {
        policy.bindings.iter().map(|binding| binding.name.as_str()).collect()
    }

    /// A live binding, and a canary of this share and a shadow for its place.
    fn three(share: u64) -> Policy {
        policy(&json!([
            { "name": "v1", "plugin": "x/y", "version": "^1" },
            { "name": "v2", "plugin": "x/y", "version": "^2", "mode": { "canary": share }, "instead_of": "v1" },
            { "name": "v3", "plugin": "x/y", "version": "^3", "mode": "shadow", "instead_of": "v1" },
        ]))
    }

    #[test]
    fn says_which_trial_is_wrong_and_how() {
        let with = |fields: serde_json::Value| {
            let mut binding = json!({ "name": "b", "plugin": "x/y" });
            binding.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            json!([{ "name": "a", "plugin": "x/y" }, { "name": "s", "plugin": "x/y", "mode": "shadow" }, binding])
        };
        let share = |share: u64| refused(&with(json!({ "mode": { "canary": share } })));
        assert_eq!(share(0), "bindings[2].mode.canary 0: use 1 to 99, in percent of the cases");
        assert_eq!(share(100), "bindings[2].mode.canary 100: use 1 to 99, in percent of the cases");
        let live = refused(&with(json!({ "instead_of": "a" })));
        assert!(live.starts_with("bindings[2].instead_of \"a\": the binding is live"), "{live}");
        let itself = refused(&with(json!({ "mode": "shadow", "instead_of": "b" })));
        assert!(itself.starts_with("bindings[2].instead_of \"b\" is the binding itself"), "{itself}");
        let unknown = refused(&with(json!({ "mode": "shadow", "instead_of": "rules" })));
        assert!(unknown.starts_with("bindings[2].instead_of \"rules\": this policy has no such binding"), "{unknown}");
        let chain = refused(&with(json!({ "mode": { "canary": 5 }, "instead_of": "s" })));
        assert_eq!(chain, "bindings[2].instead_of \"s\" is on trial itself; name a live binding");
        let shares = refused(&json!([
            { "name": "c", "plugin": "x/y", "mode": { "canary": 60 }, "instead_of": "a" },
            { "name": "a", "plugin": "x/y" },
            { "name": "d", "plugin": "x/y", "mode": { "canary": 41 }, "instead_of": "a" },
        ]));
        assert_eq!(
            shares,
            "bindings[2].mode.canary 41: with the candidates for \"a\" before it that is 101 % of the cases; give all of \
             them 100 at most"
        );
        let word = serde_json::from_value::<Binding>(json!({ "name": "b", "plugin": "x/y", "mode": "dark" }));
        assert!(word.is_err());
    }

    #[test]
    fn a_live_binding_is_written_as_it_was_before_there_were_trials() {
        let released = r#"{"name":"a","plugin":"x/y","version":"^1","weight":0.3,"adds":true,"on":["block"],"on_failure":"block","settings":{"b": 1}}"#;
        let binding: Binding = serde_json::from_str(released).unwrap();
        assert!(binding.mode.is_live() && binding.instead_of.is_none());
        assert_eq!(serde_json::to_string(&binding).unwrap(), released);
        let said = json!({ "name": "a", "plugin": "x/y", "mode": "live" });
        let said: Binding = serde_json::from_value(said).unwrap();
        assert!(!serde_json::to_string(&said).unwrap().contains("mode"));
    }

    #[test]
    fn a_draw_is_what_it_was_in_the_first_release() {
        // SHA-256 of "assize canary 1\nglobal\nrules\n01900000-0000-7000-8000-000000000000", by another program.
        assert_eq!(draw("global", "rules", "01900000-0000-7000-8000-000000000000"), 81);
        assert_eq!(draw("tenant:t", "rules", "01900000-0000-7000-8000-000000000000"), 90);
    }

    #[test]
    fn without_a_trial_nothing_is_drawn() {
        let plain = policy(&json!([{ "name": "a", "plugin": "x/y" }, { "name": "b", "plugin": "x/y" }]));
        assert!(counted(&bound(&plain, "global"), "case").is_empty());
    }

    #[test]
    fn what_a_canary_replaces_is_of_its_own_layer() {
        let mut bindings = bound(&policy(&json!([{ "name": "v1", "plugin": "x/y" }])), "global");
        bindings.extend(bound(&three(99), "tenant:t"));
        for n in 0..200 {
            let counted = counted(&bindings, &format!("case {n}"));
            assert_eq!(counted.first(), Some(&None), "a tenant's canary took the place of a global binding");
        }
    }

    #[test]
    fn promoting_and_rolling_back_leave_what_counted() {
        let policy = three(10);
        let promoted = policy.promoted("v2").unwrap();
        assert_eq!(names(&promoted), ["v2", "v3"]);
        promoted.check().unwrap();
        let [v2, v3] = &promoted.bindings[..] else { panic!() };
        assert!(v2.mode.is_live() && v2.instead_of.is_none());
        assert_eq!(v3.instead_of.as_deref(), Some("v2"), "the other candidate is for the same place still");
        let back = policy.rolled_back("v3").unwrap();
        assert_eq!(names(&back), ["v1", "v2"]);
        assert_eq!(policy.promoted("v1").unwrap_err(), NoTrial::Live("v1".to_owned()));
        assert_eq!(policy.rolled_back("v9").unwrap_err(), NoTrial::Unknown("v9".to_owned()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn shares_come_out_as_they_are_written_and_never_overlap(a in 1_u64..=60, b in 1_u64..=40, salt in any::<u64>()) {
            const CASES: u64 = 20_000;
            let policy = policy(&json!([
                { "name": "a", "plugin": "x/y", "mode": { "canary": a }, "instead_of": "live" },
                { "name": "live", "plugin": "x/y" },
                { "name": "s", "plugin": "x/y", "mode": "shadow", "instead_of": "live" },
                { "name": "b", "plugin": "x/y", "mode": { "canary": b }, "instead_of": "live" },
                { "name": "alone", "plugin": "x/y", "mode": { "canary": a } },
                { "name": "other", "plugin": "x/y" },
            ]));
            prop_assert!(policy.check().is_ok());
            let bindings = bound(&policy, "global");
            let mut times = [0_u64; 3];
            for n in 0..CASES {
                let case = format!("{salt}-{n}");
                let drawn = counted(&bindings, &case);
                prop_assert_eq!(&drawn, &counted(&bindings, &case));
                let [first, live, shadow, second, alone, other] = drawn[..] else { panic!() };
                prop_assert_eq!((shadow, other), (Some(false), None));
                // Exactly one of those that are for one place counts.
                let replaced = first == Some(true) || second == Some(true);
                prop_assert!(!(first == Some(true) && second == Some(true)));
                prop_assert_eq!(live, replaced.then_some(false));
                for (times, drawn) in times.iter_mut().zip([first, second, alone]) {
                    *times += u64::from(drawn == Some(true));
                }
            }
            for (times, share) in times.into_iter().zip([a, b, a]) {
                let found = times as f64 * 100.0 / CASES as f64;
                // Seven standard deviations of a fair draw.
                prop_assert!((found - share as f64).abs() < 2.5, "{share} % came out as {found} %");
            }
        }
    }
}
