//! Judging again from a bundle alone.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use assize_kernel::{Candidate, Comparison, Input, Layer, Record, Snapshot, compare, decide};
use assize_ledger::{Bundle, BundleReport, DecisionFacts, Digest, Fault, Faults, PayloadKind, PluginFact};
use assize_registry::{Manifest, inspect};
use assize_sandbox::{Plugin, Sandbox};
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;

use crate::replay::{State, needed};
use crate::world::unpublished;

/// Compiling a component that takes longer is no plugin that a host ever took.
const COMPILING: Duration = Duration::from_mins(2);

/// What judging again from a bundle came to.
#[derive(Debug, Serialize)]
pub struct Rehearing {
    /// In a word.
    pub state: State,
    /// Why it couldn't be judged again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What the two have in common, and what not.
    #[serde(flatten)]
    pub comparison: Option<Comparison>,
    /// Where the bundle contradicts itself.
    pub faults: Faults,
    /// The policies that were merged, from global to system.
    pub layers: Vec<Layer>,
    /// Every plugin that took part, in the order of the entry.
    #[serde(skip)]
    pub parts: Vec<Part>,
    /// The case and its record; none where they were erased, or can't be read.
    #[serde(skip)]
    pub heard: Option<Heard>,
}

/// A plugin that took part.
#[derive(Debug)]
pub struct Part {
    /// As the entry has it.
    pub fact: PluginFact,
    /// As the snapshot has it: when it is in force, and where it applies.
    pub candidate: Option<Candidate>,
    /// What the component says of itself.
    pub manifest: Option<Manifest>,
}

/// A case with its record.
pub struct Heard {
    /// What came in.
    pub input: Arc<Input>,
    /// What was recorded.
    pub record: Record,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Heard({})", self.record.identity.id)
    }
}

/// Why it goes no further.
type Stop = String;

/// Judges the case of a bundle again: its snapshot, its input, its components, the same `decide`. Call it for a bundle whose
/// proofs hold: what isn't bound by the entry isn't looked at here.
pub fn rehear<'a>(bundle: &'a Bundle, report: &'a BundleReport, sandbox: &'a Sandbox) -> BoxFuture<'a, Rehearing> {
    Box::pin(async move {
        let mut rehearing = Rehearing {
            state: State::Impossible,
            why: None,
            comparison: None,
            faults: Faults::default(),
            layers: Vec::new(),
            parts: Vec::new(),
            heard: None,
        };
        let judged = match &report.facts {
            Some(facts) => rehearing.judge(bundle, facts, sandbox).await,
            None => Err("the decision's entry can't be read".to_owned()),
        };
        if let Err(why) = judged {
            rehearing.why = Some(why);
        }
        if !rehearing.faults.is_empty() {
            rehearing.state = State::Impossible;
            rehearing.why.get_or_insert_with(|| "the bundle contradicts itself".to_owned());
        }
        rehearing
    })
}

impl Rehearing {
    /// Whether the judgment came out the same, from a bundle without contradictions.
    pub fn is_identical(&self) -> bool {
        self.state == State::Identical && self.faults.is_empty()
    }

    fn fault(&mut self, record: impl Display, field: &str, found: impl Display, expected: impl Display) {
        self.faults.push(Fault::new(None, record, field, found, expected));
    }

    async fn judge(&mut self, bundle: &Bundle, facts: &DecisionFacts, sandbox: &Sandbox) -> Result<(), Stop> {
        let bytes: Arc<[u8]> = bundle.snapshot.as_slice().into();
        let bare = Snapshot::from_bytes(Arc::clone(&bytes), |_| None);
        let bare = bare.map_err(|error| format!("the snapshot can't be read: {error}"))?;
        self.layers = bare.layers().to_vec();
        self.parts = facts.plugins.iter().map(|fact| part(fact, &bare)).collect();

        let (input, record) = (bundle.payload(PayloadKind::Input), bundle.payload(PayloadKind::Record));
        let (Some(input), Some(record)) = (input, record) else {
            if let Some((digest, _)) = bundle.components.first() {
                self.fault(format_args!("component {digest}"), "use", "a component", "none: nothing is left to judge");
            }
            return Err("input and record were erased: what is left can be proven, but not judged again".into());
        };
        let record: Record =
            serde_json::from_slice(record).map_err(|error| format!("the record can't be read: {error}"))?;
        let input = Input::from_bytes(input).map_err(|error| format!("the input can't be read: {error}"))?;
        let input = Arc::new(input);
        self.agree(&bundle.header.decision, facts, &record, &input);
        let needed: BTreeSet<Digest> = needed(&record, &bare).into_iter().collect();
        self.components(bundle, &needed);
        let layers_differ = json(&record.policy.layers) != json(&self.layers);
        if layers_differ {
            self.fault("record", "policy.layers", json(&record.policy.layers), json(&self.layers));
        }
        self.heard = Some(Heard { input: Arc::clone(&input), record });
        if !self.faults.is_empty() {
            return Ok(());
        }

        let mut plugins = HashMap::new();
        for digest in needed {
            let component = bundle.component(&digest).unwrap_or_default();
            let (plugin, manifest) = load(component, digest, sandbox).await?;
            self.as_it_says(&bare, digest, &manifest);
            for part in self.parts.iter_mut().filter(|part| part.fact.digest == Some(digest)) {
                part.manifest = Some(manifest.clone());
            }
            plugins.insert(digest, plugin);
        }
        if !self.faults.is_empty() {
            return Ok(());
        }
        let snapshot = Snapshot::from_bytes(bytes, |digest| plugins.get(&digest).cloned());
        let snapshot = Arc::new(snapshot.map_err(|error| format!("the snapshot can't be read: {error}"))?);
        let judged = decide(&snapshot, &input).await.map_err(|error| format!("the input can't be judged: {error}"))?;
        let Some(Heard { record, .. }) = &self.heard else { return Ok(()) };
        let comparison = compare(record, &judged, sandbox.id());
        self.state = State::of(&comparison);
        self.comparison = Some(comparison);
        Ok(())
    }

    /// Entry, record and input tell of one decision. `id` is the entry's subject: the facts don't repeat it.
    fn agree(&mut self, id: &str, facts: &DecisionFacts, record: &Record, input: &Input) {
        self.same("record", &record.facts(), "facts", facts, "by the entry");
        let (case, identity) = (input.case(), &record.identity);
        if identity.id != id {
            self.fault("record", "identity.id", &identity.id, format_args!("{id} (by the entry)"));
        }
        let of_case = [
            ("id", Some(&case.id), Some(&identity.id)),
            ("tenant", Some(&case.tenant), Some(&identity.tenant)),
            ("system", case.system.as_ref(), identity.system.as_ref()),
            ("environment", Some(&case.environment), Some(&identity.environment)),
            ("kind", Some(&case.kind), Some(&identity.kind)),
        ];
        for (field, found, expected) in of_case {
            if found != expected {
                let text = |value: Option<&String>| value.map_or("none", String::as_str).to_owned();
                self.fault("input", &format!("case.{field}"), text(found), text(expected));
            }
        }
        let times = [
            ("occurred_at", case.occurred_at, record.times.occurred_at),
            ("rules_as_of", case.rules_as_of, record.times.rules_as_of),
        ];
        for (field, found, expected) in times {
            if found != expected {
                self.fault("input", &format!("case.{field}"), found, expected);
            }
        }
    }

    /// The snapshot says of a component what that says of itself. With another period, scope or limit the host would
    /// have decided in its place, and all else would come out the same.
    fn as_it_says(&mut self, snapshot: &Snapshot, digest: Digest, manifest: &Manifest) {
        let ((name, _), said) = unpublished(manifest, digest);
        let by = format!("by the manifest of component {digest}");
        for bound in snapshot.bindings() {
            for found in bound.candidates.iter().filter(|candidate| candidate.digest == digest) {
                let place = format!("bindings[{}].candidates[{}]", bound.binding.name, found.version);
                if bound.binding.plugin != name {
                    let place = format!("{place}.package");
                    self.fault("snapshot", &place, &bound.binding.plugin, format_args!("{name} ({by})"));
                }
                // Who signed it isn't in the component. All else stands in every snapshot there is: a field that is added
                // one day will have to be passed over where the snapshot was written before.
                let expected = Candidate { signed_by: found.signed_by.clone(), ..said.clone() };
                self.same("snapshot", found, &place, &expected, &by);
            }
        }
    }

    /// Compares two documents, field by field.
    fn same(&mut self, record: &str, found: &impl Serialize, field: &str, expected: &impl Serialize, by: &str) {
        let (Value::Object(found), Value::Object(expected)) = (json(found), json(expected)) else { return };
        let keys: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
        for key in keys {
            let (found, expected) = (found.get(key).unwrap_or(&Value::Null), expected.get(key).unwrap_or(&Value::Null));
            if found != expected {
                self.fault(record, &format!("{field}.{key}"), found, format_args!("{expected} ({by})"));
            }
        }
    }

    /// Exactly the components that judging needs: one more would be one that nobody looks at.
    fn components(&mut self, bundle: &Bundle, needed: &BTreeSet<Digest>) {
        let held: BTreeSet<Digest> = bundle.components.iter().map(|(digest, _)| *digest).collect();
        for digest in needed.difference(&held) {
            self.fault(format_args!("component {digest}"), "bytes", "nothing", "the component that judged");
        }
        for digest in held.difference(needed) {
            self.fault(format_args!("component {digest}"), "use", "a component", "none: judging doesn't ask it");
        }
    }
}

fn part(fact: &PluginFact, snapshot: &Snapshot) -> Part {
    let candidates = snapshot.bindings().iter().filter(|bound| bound.binding.plugin.to_string() == fact.package);
    let candidate = candidates
        .flat_map(|bound| &bound.candidates)
        .find(|candidate| Some(candidate.digest) == fact.digest && Some(candidate.version.to_string()) == fact.version);
    Part { fact: fact.clone(), candidate: candidate.cloned(), manifest: None }
}

/// Inspects and compiles a component, as when it was published.
async fn load(bytes: &[u8], digest: Digest, sandbox: &Sandbox) -> Result<(Arc<Plugin>, Manifest), Stop> {
    let unfit = |error: String| format!("component {digest} can't be run here: {error}");
    let package = inspect(bytes).map_err(|error| unfit(error.to_string()))?;
    let plugin = sandbox.load_bounded(bytes.into(), COMPILING).await.map_err(|error| unfit(error.to_string()))?;
    Ok((Arc::new(plugin), package.manifest))
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
