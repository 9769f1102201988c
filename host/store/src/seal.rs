//! Salting and committing to what an entry binds: done by the requester, not by the one sequencer.

use assize_ledger::{Commitment, DecisionFacts, Draft, EntryKind, Salt, Timestamp};
use rand::Rng as _;

use crate::append::{DecisionDraft, EffectDraft, Idempotency};
use crate::{StoreError, packed};

/// What the commitments of an entry bind, each with its salt.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    pub(crate) input: Option<(Salt, Vec<u8>)>,
    pub(crate) record: Option<(Salt, Vec<u8>)>,
}

/// The columns of a decision, once its draft of an entry and its payload are taken out.
#[derive(Debug)]
pub(crate) struct SealedDecision {
    pub(crate) facts: DecisionFacts,
    pub(crate) kind: String,
    pub(crate) received_at: Timestamp,
    pub(crate) decided_at: Timestamp,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) effects: Vec<EffectDraft>,
    pub(crate) data_subject: Option<String>,
}

impl SealedDecision {
    /// The texts that columns hold.
    pub(crate) fn texts<'d>(&'d self, id: &'d str) -> impl Iterator<Item = (&'static str, &'d str)> {
        let Self { facts, kind, idempotency, effects, data_subject, .. } = self;
        let always = [
            ("id", id),
            ("tenant", facts.tenant.as_str()),
            ("environment", &facts.environment),
            ("kind", kind),
            ("verdict", &facts.verdict),
            ("reason", &facts.reason),
        ];
        let sometimes = [
            ("system", facts.system.as_deref()),
            ("idempotency_key", idempotency.as_ref().map(|same| same.key.as_str())),
            ("data_subject", data_subject.as_deref()),
        ];
        let sometimes = sometimes.into_iter().filter_map(|(field, text)| Some((field, text?)));
        let effects = effects.iter().flat_map(|effect| [("binding", effect.binding.as_str()), ("kind", &effect.kind)]);
        always.into_iter().chain(sometimes).chain(effects)
    }
}

impl Payload {
    /// Draws salts for both parts.
    pub(crate) fn seal(input: Option<Vec<u8>>, record: Option<Vec<u8>>) -> Self {
        let mut random = [0; 64];
        // ChaCha, seeded and now and then reseeded from the operating system: asking that for each decision cost 1 µs.
        rand::rng().fill_bytes(&mut random);
        let mut salts = random.as_chunks::<32>().0.iter().map(|salt| Salt::from_bytes(*salt));
        let (first, second) = (salts.next(), salts.next());
        Self { input: first.zip(input), record: second.zip(record) }
    }

    /// Bytes of both parts.
    pub(crate) fn len(&self) -> usize {
        let len = |part: &Option<(Salt, Vec<u8>)>| part.as_ref().map_or(0, |(_, bytes)| bytes.len());
        len(&self.input) + len(&self.record)
    }

    /// As the columns take it. The commitments are to what was there before.
    pub(crate) fn packed(self) -> Result<Self, StoreError> {
        let pack = |part: Option<(Salt, Vec<u8>)>| {
            part.map(|(salt, bytes)| Ok::<_, StoreError>((salt, packed::pack(bytes)?))).transpose()
        };
        Ok(Self { input: pack(self.input)?, record: pack(self.record)? })
    }

    /// The commitments that the entry holds.
    pub(crate) fn commitments(&self) -> (Option<Commitment>, Option<Commitment>) {
        let to = |part: &Option<(Salt, Vec<u8>)>| part.as_ref().map(|(salt, bytes)| Commitment::to(salt, bytes));
        (to(&self.input), to(&self.record))
    }
}

/// Checks what the database can't hold, and takes a decision apart: its entry, its payload, its columns.
pub(crate) fn decision(draft: DecisionDraft) -> Result<(Draft, Payload, SealedDecision), StoreError> {
    let DecisionDraft {
        id,
        facts,
        kind,
        received_at,
        decided_at,
        idempotency,
        input,
        record,
        effects,
        data_subject,
        ..
    } = draft;
    for (field, score) in [("risk_score", facts.risk_score), ("confidence", facts.confidence)] {
        if !score.is_finite() {
            return Err(StoreError::Invalid { field, detail: format!("{score} is not a finite number") });
        }
    }
    if facts.tenant.is_empty() {
        return Err(StoreError::Invalid { field: "tenant", detail: "a decision needs one".into() });
    }
    let payload = Payload::seal(Some(input), Some(record));
    let (input, record) = payload.commitments();
    let payload = payload.packed()?;
    let invalid = |error: serde_json::Error| StoreError::Invalid { field: "facts", detail: error.to_string() };
    let mut written = Vec::with_capacity(512 + 192 * facts.plugins.len());
    serde_json::to_writer(&mut written, &facts).map_err(invalid)?;
    let draft = Draft { kind: EntryKind::Decision, subject: id, time: decided_at, facts: written, input, record };
    Ok((draft, payload, SealedDecision { facts, kind, received_at, decided_at, idempotency, effects, data_subject }))
}
