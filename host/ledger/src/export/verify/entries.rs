//! The entries of an export, and what they bind.

use super::Check;
use crate::export::content::{Item, PayloadItem, Stop, payload};
use crate::export::kind::Kind;
use crate::export::{PayloadKind, Targets};
use crate::{AdministrativeFacts, Commitment, CommonFacts, Digest, EntryKind, EntryRef, TimeRange, entry_hash};

impl Check {
    pub(super) fn leaf(&mut self, item: &Item) -> Result<(), Stop> {
        let seq = self.tree.size();
        self.close();
        if item.kind == Kind::Foreign {
            let hash =
                Digest::try_from(item.content.as_slice()).map_err(|error| format!("foreign entry {seq}: {error}"))?;
            if self.header.tenant.is_none() {
                return Err(format!("foreign entry {seq}: found one, expected none in an export of all tenants"));
            }
            self.report.foreign += 1;
            self.append(hash);
            return Ok(());
        }
        let entry = EntryRef::decode(&item.content).map_err(|error| format!("entry {seq}: {error}"))?;
        let record = format!("entry {seq}");
        self.about(&record, seq, &entry);
        if let Some(previous) = self.previous.filter(|previous| *previous != entry.previous) {
            self.fault(&record, "previous", entry.previous, previous);
        }
        let latest = self.time;
        if entry.time < latest {
            self.fault(&record, "time", entry.time, format_args!("not before {latest}"));
        }
        self.time = self.time.max(entry.time);
        let first = self.report.times.map_or(entry.time, |times| times.first);
        self.report.times = Some(TimeRange { first, last: entry.time });
        let tenant = serde_json::from_slice::<CommonFacts>(entry.facts).ok().and_then(|facts| facts.tenant);
        if let Some(expected) = self.header.tenant.clone()
            && tenant.as_ref() != Some(&expected)
        {
            self.fault(&record, "tenant", tenant.unwrap_or_default(), expected);
        }
        let bound = [(PayloadKind::Input, entry.input), (PayloadKind::Record, entry.record)];
        if self.header.payloads {
            self.open = bound.into_iter().filter_map(|(kind, commitment)| Some((kind, commitment?))).collect();
        }
        self.append(entry_hash(&item.content));
        self.report.entries += 1;
        Ok(())
    }

    fn append(&mut self, hash: Digest) {
        self.previous = Some(hash);
        self.tree.append(hash);
        self.compare_expected();
    }

    /// What holds for entries of the range and for others.
    pub(super) fn about(&mut self, record: &str, seq: u64, entry: &EntryRef<'_>) {
        if entry.origin != self.header.origin {
            let expected = self.header.origin.clone();
            self.fault(record, "origin", entry.origin, expected);
        }
        if entry.seq != seq {
            self.fault(record, "seq", entry.seq, seq);
        }
        let kind = EntryKind::from(entry.kind);
        let details = || serde_json::from_slice::<AdministrativeFacts>(entry.facts).unwrap_or_default().details;
        if kind == EntryKind::LogKey || self.statements.contains_key(&seq) {
            if kind != EntryKind::LogKey {
                self.fault(record, "kind", &kind, "log.key, as the keys say");
            }
            self.introduced.insert(seq);
            let key = self.keyring.keys().iter().find(|introduced| introduced.seq == seq);
            let subject = key.map(|introduced| introduced.key.to_string()).unwrap_or_default();
            if entry.subject != subject {
                self.fault(record, "subject", entry.subject, subject);
            }
            let found = details().get("statement").cloned().unwrap_or_default();
            let expected = self.statements.get(&seq).cloned().unwrap_or_else(|| "no key of this entry".into());
            if found != expected {
                self.fault(record, "facts.details.statement", found, expected);
            }
        }
        if kind == EntryKind::PayloadErased {
            match details().get("targets").and_then(|targets| Targets::parse(targets)) {
                Some(targets) => self.erasures.push((seq, targets)),
                None => self.fault(record, "facts.details.targets", "something else", "numbers and ranges"),
            }
        }
    }

    /// What the last entry shown still lacks is missing.
    pub(super) fn close(&mut self) {
        let seq = self.tree.size().saturating_sub(1);
        self.missing.extend(self.open.drain(..).map(|(kind, _)| (seq, kind)));
    }

    pub(super) fn payload(&mut self, item: &Item, found: Option<Commitment>) -> Result<(), Stop> {
        let last = self.tree.size().saturating_sub(1);
        let parts = payload(item).zip(found).ok_or_else(|| format!("payload of entry {last}: found too few bytes"))?;
        let (PayloadItem { seq, kind, .. }, found) = parts;
        if !self.header.payloads {
            return Err(format!("payload of entry {seq}: found one, expected none as the header says"));
        }
        if self.texts.contains_key(&self.tree.size()) {
            return Err(format!("payload of entry {seq}: found after the checkpoint of {}", self.tree.size()));
        }
        let at = self.open.iter().position(|(expected, _)| seq == last && expected.byte() == kind);
        let at = at.ok_or_else(|| {
            format!("payload of entry {seq}: found kind {kind} after entry {last}, which binds no such")
        })?;
        // Those before it in order are not there.
        let before: Vec<_> = self.open.drain(..at).map(|(kind, _)| (seq, kind)).collect();
        self.missing.extend(before);
        let (kind, commitment) = self.open.remove(0);
        self.report.payloads += 1;
        if found != commitment {
            self.fault(format_args!("payload {seq}"), kind.name(), format_args!("commitment {found}"), commitment);
        }
        Ok(())
    }

    /// What is missing was erased by an entry, or left out on purpose, or it is a hole.
    pub(super) fn settle_missing(&mut self) {
        if !self.header.payloads {
            self.report.notes.push("inputs and records aren't in the file; their commitments are".into());
            return;
        }
        // Both from low to high: however many there are of either, each is looked at once.
        let mut spans: Vec<(u64, u64)> = Vec::new();
        for (by, targets) in std::mem::take(&mut self.erasures) {
            // Nothing is erased before it is written: an early entry can't excuse what is missing later.
            let older =
                |&(first, last): &(u64, u64)| Some((first, last.min(by.checked_sub(1)?))).filter(|(a, b)| a <= b);
            spans.extend(targets.ranges().iter().filter_map(older));
        }
        spans.sort_unstable();
        let (mut spans, mut reach) = (spans.into_iter().peekable(), None);
        for (seq, kind) in std::mem::take(&mut self.missing) {
            while let Some((_, last)) = spans.next_if(|(first, _)| *first <= seq) {
                reach = reach.max(Some(last));
            }
            if reach.is_some_and(|last| seq <= last) {
                self.report.erased += 1;
            } else {
                let expected = "the bytes that the entry binds, or an erasure";
                self.fault(format_args!("payload {seq}"), kind.name(), "nothing", expected);
            }
        }
    }
}
