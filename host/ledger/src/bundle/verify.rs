//! What can be proven of a bundle without running anything.

use std::fmt::Display;

use super::{Bundle, BundleCheck, BundleHeader, BundleReport, Confirmed, Erasure, ProvenEntry, Publication};
use crate::proof::verify_inclusion;
use crate::{
    AdministrativeFacts, Checkpoint, Commitment, DecisionFacts, Digest, EntryKind, EntryRef, Fault, Faults, Keyring,
    Note, PayloadKind, Targets, entry_hash, timestamp,
};

impl Bundle {
    /// Checks every hash, commitment, proof, signature and stamp. Whatever is wrong is in the report. What the judgment came
    /// to isn't looked at: that is shown by judging again.
    pub fn verify(&self, check: &BundleCheck) -> BundleReport {
        let report = BundleReport {
            header: self.header.clone(),
            entry_hash: None,
            recorded: None,
            facts: None,
            root: None,
            keys: Vec::new(),
            known_key: None,
            payloads: 0,
            erasure: None,
            published: Vec::new(),
            outside: Vec::new(),
            tokens: self.tokens.len() as u64,
            unchecked_cosignatures: 0,
            faults: Faults::default(),
            notes: Vec::new(),
        };
        let mut checking = Checking { bundle: self, check, keyring: Keyring::new(), report };
        checking.run();
        checking.report
    }
}

/// The check under way.
struct Checking<'a> {
    bundle: &'a Bundle,
    check: &'a BundleCheck,
    keyring: Keyring,
    report: BundleReport,
}

/// An entry that could be read.
struct Read<'a> {
    proven: &'a ProvenEntry,
    entry: EntryRef<'a>,
    kind: EntryKind,
    hash: Digest,
}

impl Read<'_> {
    fn name(&self) -> String {
        format!("entry {} ({})", self.entry.seq, self.kind)
    }

    fn administrative(&self) -> AdministrativeFacts {
        serde_json::from_slice(self.entry.facts).unwrap_or_default()
    }
}

impl<'a> Checking<'a> {
    fn fault(&mut self, record: impl Display, field: &str, found: impl Display, expected: impl Display) {
        self.report.faults.push(Fault::new(None, record, field, found, expected));
    }

    fn run(&mut self) {
        let header = &self.bundle.header;
        let mut entries = Vec::new();
        for proven in &self.bundle.entries {
            match EntryRef::decode(&proven.bytes) {
                Ok(entry) => {
                    let (kind, hash) = (EntryKind::from(entry.kind), entry_hash(&proven.bytes));
                    entries.push(Read { proven, entry, kind, hash });
                }
                Err(error) => self.fault(format_args!("entry {}", proven.seq), "bytes", error, "an entry"),
            }
        }
        // Keys first: everything else hangs on what they signed.
        for read in entries.iter().filter(|read| read.kind == EntryKind::LogKey) {
            self.introduce(read);
        }
        let Some(root) = self.checkpoint() else { return };
        for read in &entries {
            self.included(read, &root);
        }
        let Some(decision) = entries.iter().find(|read| read.entry.seq == header.seq) else {
            self.fault(format_args!("entry {}", header.seq), "bytes", "nothing", "the decision's entry");
            return;
        };
        self.decision(decision);
        let missing = self.payloads(decision);
        for read in entries.iter().filter(|read| read.entry.seq != header.seq) {
            match read.kind {
                EntryKind::LogKey => {}
                EntryKind::PluginPublished => self.publication(read),
                EntryKind::PayloadErased if !missing.is_empty() && self.report.erasure.is_none() => self.erasure(read),
                _ => {
                    let expected =
                        "an entry that introduces a key, publishes a plugin of the decision, or erased what is missing";
                    self.fault(read.name(), "kind", &read.kind, expected);
                }
            }
        }
        if self.report.erasure.is_none() {
            for kind in missing {
                self.fault("payload", kind.name(), "nothing", "the bytes that the entry binds, or an erasure");
            }
        }
        self.earlier(decision);
        self.tokens();
        self.report.outside.sort_by(|a, b| (a.time, a.size, &a.by).cmp(&(b.time, b.size, &b.by)));
        self.say_what_is_not_shown(decision);
    }

    fn introduce(&mut self, read: &Read<'_>) {
        let seq = read.entry.seq;
        let statement = read.administrative().details.get("statement").cloned().unwrap_or_default();
        let introduced = self.keyring.introduce(seq, &self.bundle.header.origin, statement.as_bytes());
        match introduced.map(ToString::to_string) {
            Ok(key) => {
                if read.entry.subject != key {
                    self.fault(read.name(), "subject", read.entry.subject, &key);
                }
                self.report.keys.push(key);
            }
            Err(error) => self.fault(read.name(), "statement", error, "a key that the log introduces"),
        }
    }

    /// The root that everything is proven by.
    fn checkpoint(&mut self) -> Option<Digest> {
        let size = self.bundle.header.size;
        let name = format!("checkpoint {size}");
        if let Some(key) = &self.check.key {
            if self.keyring.keys().iter().any(|introduced| introduced.key == *key) {
                self.report.known_key = Some(key.to_string());
            } else {
                let found = self.keyring.newest().map_or_else(|| "none".to_owned(), ToString::to_string);
                self.fault("log's key", "key", found, format_args!("{key} (as given)"));
            }
        }
        let checkpoint = self.signed(&name, &self.bundle.checkpoint, size)?;
        self.report.root = Some(checkpoint.root);
        Some(checkpoint.root)
    }

    /// A checkpoint of this log and this size, signed by the key of its time. Notes who else confirmed it.
    fn signed(&mut self, name: &str, bytes: &[u8], size: u64) -> Option<Checkpoint> {
        let opened = Note::parse(bytes).map_err(|error| error.to_string()).and_then(|note| {
            let checkpoint = self.keyring.open(&self.bundle.header.origin, &note);
            checkpoint.map(|checkpoint| (note, checkpoint)).map_err(|error| error.to_string())
        });
        let (note, checkpoint) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.fault(name, "note", error, "a checkpoint that this log's key signed");
                return None;
            }
        };
        if checkpoint.size != size {
            self.fault(name, "size", checkpoint.size, size);
            return None;
        }
        self.cosignatures(name, &note, size);
        Some(checkpoint)
    }

    /// Signatures of witnesses that are believed must hold; others say nothing.
    fn cosignatures(&mut self, name: &str, note: &Note, size: u64) {
        let check = self.check;
        let own = self.keyring.at(size).ok().cloned();
        for line in note.signatures().iter().filter(|line| own.as_ref().is_none_or(|own| !line.is_by(own))) {
            let Some(witness) = check.witnesses.iter().find(|witness| line.is_by(witness)) else {
                self.report.unchecked_cosignatures += 1;
                continue;
            };
            match note.verify(witness) {
                Ok(Some(time)) => {
                    let by = format!("witness {}", witness.name());
                    self.report.outside.push(Confirmed { by, time, size, stamp: None });
                }
                Ok(None) => self.fault(name, "cosignature", "a signature without a time", "a witness's cosignature"),
                Err(error) => self.fault(name, "cosignature", error, "a signature"),
            }
        }
    }

    fn included(&mut self, read: &Read<'_>, root: &Digest) {
        let BundleHeader { origin, size, .. } = &self.bundle.header;
        if read.entry.origin != origin {
            self.fault(read.name(), "origin", read.entry.origin, origin);
        }
        let held = verify_inclusion(&read.hash, read.entry.seq, *size, &read.proven.proof, root);
        if let Err(error) = held {
            self.fault(read.name(), "proof", error, format_args!("a place under the checkpoint of {size} entries"));
        }
    }

    fn decision(&mut self, read: &Read<'_>) {
        let header = &self.bundle.header;
        if read.kind != EntryKind::Decision {
            self.fault(read.name(), "kind", &read.kind, EntryKind::Decision);
        }
        if read.entry.subject != header.decision {
            self.fault(read.name(), "subject", read.entry.subject, &header.decision);
        }
        self.report.entry_hash = Some(read.hash);
        self.report.recorded = Some(read.entry.time);
        match serde_json::from_slice::<DecisionFacts>(read.entry.facts) {
            Ok(facts) => {
                let found = Digest::of(&self.bundle.snapshot);
                if found != facts.snapshot {
                    self.fault("snapshot", "hash", found, format_args!("{} (by the entry)", facts.snapshot));
                }
                self.report.facts = Some(facts);
            }
            Err(error) => self.fault(read.name(), "facts", error, "those of a decision"),
        }
    }

    /// Compares what is there with the commitments; gives what isn't there.
    fn payloads(&mut self, decision: &Read<'_>) -> Vec<PayloadKind> {
        let mut missing = Vec::new();
        let bound = [(PayloadKind::Input, decision.entry.input), (PayloadKind::Record, decision.entry.record)];
        for (kind, commitment) in bound {
            let payload = self.bundle.payloads.iter().find(|(found, ..)| *found == kind);
            match (payload, commitment) {
                (Some((_, salt, bytes)), Some(commitment)) => {
                    self.report.payloads += 1;
                    if !commitment.verify(salt, bytes) {
                        let found = Commitment::to(salt, bytes);
                        self.fault("payload", kind.name(), format_args!("commitment {found}"), commitment);
                    }
                }
                (Some(_), None) => self.fault("payload", kind.name(), "bytes", "none: the entry binds no such"),
                (None, Some(_)) => missing.push(kind),
                (None, None) => {}
            }
        }
        missing
    }

    /// An entry that published one of the plugins that took part.
    fn publication(&mut self, read: &Read<'_>) {
        let facts = read.administrative();
        let published = facts.subject_digest.unwrap_or(Digest::ZERO);
        let decision = self.report.facts.as_ref();
        let part = decision.into_iter().flat_map(|decision| &decision.plugins).any(|plugin| {
            let version = plugin.version.as_deref().unwrap_or_default();
            plugin.digest == Some(published) && read.entry.subject == format!("{}@{version}", plugin.package)
        });
        let ours = facts.tenant.is_none() || facts.tenant.as_ref() == decision.map(|decision| &decision.tenant);
        let same = |other: &Publication| other.subject == read.entry.subject && other.digest == published;
        let again = self.report.published.iter().any(same);
        if !part || !ours || again {
            let found = format!("{} with digest {published}", read.entry.subject);
            self.fault(read.name(), "subject", found, "a plugin that took part in the decision, each once");
            return;
        }
        if read.entry.seq >= self.bundle.header.seq {
            let expected = format!("before the decision's, {}", self.bundle.header.seq);
            self.fault(read.name(), "seq", read.entry.seq, expected);
        }
        self.report.published.push(Publication {
            seq: read.entry.seq,
            time: read.entry.time,
            subject: read.entry.subject.to_owned(),
            digest: published,
            tenant: facts.tenant,
        });
    }

    fn erasure(&mut self, read: &Read<'_>) {
        let (facts, seq) = (read.administrative(), self.bundle.header.seq);
        let targets = facts.details.get("targets").cloned().unwrap_or_default();
        let erased = Targets::parse(&targets).is_some_and(|targets| targets.contains(seq));
        // Nothing is erased before it is written.
        if !erased || read.entry.seq < seq {
            self.fault(read.name(), "targets", targets, format_args!("{seq} among them, and a later entry"));
            return;
        }
        let basis = facts.details.get("basis").cloned().unwrap_or_default();
        self.report.erasure = Some(Erasure { seq: read.entry.seq, time: read.entry.time, basis });
    }

    /// Checkpoints from before, which others confirmed: the decision is under each of them.
    fn earlier(&mut self, decision: &Read<'_>) {
        let BundleHeader { seq, size: newest, .. } = self.bundle.header;
        for earlier in &self.bundle.earlier {
            let size = earlier.size;
            let name = format!("earlier checkpoint {size}");
            if !(seq < size && size < newest) {
                self.fault(&name, "size", size, format_args!("more than {seq} and less than {newest}"));
                continue;
            }
            let Some(checkpoint) = self.signed(&name, &earlier.note, size) else { continue };
            if let Err(error) = verify_inclusion(&decision.hash, seq, size, &earlier.proof, &checkpoint.root) {
                self.fault(&name, "proof", error, "the decision's entry under it");
            }
        }
    }

    fn tokens(&mut self) {
        let (bundle, check): (&'a Bundle, &'a BundleCheck) = (self.bundle, self.check);
        for (size, token) in &bundle.tokens {
            let name = format!("time stamp over {size} entries");
            let note = if *size == bundle.header.size {
                Some(&bundle.checkpoint)
            } else {
                bundle.earlier.iter().find(|earlier| earlier.size == *size).map(|earlier| &earlier.note)
            };
            let Some(note) = note.and_then(|note| Note::parse(note).ok()) else {
                self.fault(&name, "size", size, "that of a checkpoint in the bundle");
                continue;
            };
            let Some(trust) = &check.trust else { continue };
            match timestamp::verify(token, Digest::of(note.text().as_bytes()), trust) {
                Ok(stamp) => {
                    let by = format!("authority {}", stamp.authority);
                    let (time, size) = (stamp.gen_time, *size);
                    self.report.outside.push(Confirmed { by, time, size, stamp: Some(stamp) });
                }
                Err(error) => self.fault(&name, "token", error, "a time stamp of an authority that is believed"),
            }
        }
    }

    fn say_what_is_not_shown(&mut self, decision: &Read<'_>) {
        let report = &mut self.report;
        let notes = &mut report.notes;
        if self.check.key.is_none() {
            notes.push(
                "no key of the log was given from elsewhere: that the keys are the log's is the bundle's own word"
                    .into(),
            );
        }
        let sizes = self.bundle.earlier.iter().map(|earlier| &earlier.size).chain([&self.bundle.header.size]);
        let vouches_only = self.check.key.as_ref().and_then(|key| self.keyring.vouches_only(key, sizes));
        notes.extend(vouches_only.map(str::to_owned));
        if report.tokens > 0 && self.check.trust.is_none() {
            let tokens = report.tokens;
            notes.push(format!("{tokens} time stamps weren't checked: no root certificates were given"));
        }
        if report.unchecked_cosignatures > 0 {
            let lines = report.unchecked_cosignatures;
            notes.push(format!("{lines} signatures of others weren't checked: no keys of theirs were given"));
        }
        match report.outside.first() {
            None => notes.push(
                "nobody outside has confirmed when this decision existed: the time is the host's own word, and whoever \
                 holds the log's key could have made all of it later"
                    .into(),
            ),
            Some(first) if first.time < decision.entry.time => notes.push(format!(
                "the host's clock was ahead: it recorded the decision at {}, and {} confirmed it at {}",
                decision.entry.time, first.by, first.time
            )),
            Some(_) => {}
        }
        let ran = report.facts.iter().flat_map(|facts| &facts.plugins).filter(|plugin| plugin.digest.is_some());
        for plugin in ran {
            let subject = format!("{}@{}", plugin.package, plugin.version.as_deref().unwrap_or_default());
            let same = |other: &Publication| other.subject == subject && Some(other.digest) == plugin.digest;
            if !report.published.iter().any(same) {
                let note = format!("no entry in the bundle shows who published {subject}");
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
    }
}
