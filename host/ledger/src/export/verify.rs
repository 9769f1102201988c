//! Checking an export, item by item, in memory that doesn't grow with it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::Serialize;

use super::items::{Item, Items, Kind};
use super::{EXPORT_FORMAT, ExportHeader, MAGIC, PayloadKind, Targets, VERSION, manifest};
use crate::proof::verify_inclusion;
use crate::timestamp::Trust;
use crate::tree::full_nodes;
use crate::{
    AdministrativeFacts, Checkpoint, Commitment, CommonFacts, Digest, EntryKind, EntryRef, Fault, Faults, Introduced,
    Keyring, Note, Outside, Peaks, Salt, TimeRange, Timestamp, VerifierKey, entry_hash, timestamp,
};

/// What an export is checked against.
#[derive(Debug, Clone, Default)]
pub struct ExportCheck {
    /// A key of the log known from elsewhere.
    pub key: Option<VerifierKey>,
    /// Authorities whose time stamps are believed; without any, stamps aren't checked.
    pub trust: Option<Trust>,
    /// Witnesses whose signatures are believed.
    pub witnesses: Vec<VerifierKey>,
    /// A checkpoint known from elsewhere. It can be compared where its size is one that the file passes.
    pub checkpoint: Option<Note>,
}

/// What was checked, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// Which part of which log it says that it is.
    pub header: Option<ExportHeader>,
    /// Entries shown.
    pub entries: u64,
    /// Entries of others, of which there are hashes alone.
    pub foreign: u64,
    /// Inputs and records compared with their commitments.
    pub payloads: u64,
    /// Inputs and records that an entry says were erased.
    pub erased: u64,
    /// Signed checkpoints compared.
    pub checkpoints: u64,
    /// Time stamps in the file.
    pub tokens: u64,
    /// Entries from outside the range.
    pub extras: u64,
    /// From the first entry's time to the last one's.
    pub times: Option<TimeRange>,
    /// The root under the last checkpoint.
    pub root: Option<Digest>,
    /// The keys that the log introduced, oldest first.
    pub keys: Vec<String>,
    /// What others outside said last about the log.
    pub outside: Vec<Outside>,
    /// What is wrong.
    pub faults: Faults,
    /// What this check could not show, in sentences for people.
    pub notes: Vec<String>,
}

impl ExportReport {
    /// Whether everything was as recorded.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Where the file must be, from one item to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Keys,
    Entries,
    Rest,
    Proved,
}

struct Check {
    report: ExportReport,
    header: ExportHeader,
    keyring: Keyring,
    statements: BTreeMap<u64, String>,
    stage: Stage,
    tree: Peaks,
    previous: Option<Digest>,
    time: Timestamp,
    /// The entry just shown, with what is still to come of it.
    open: Vec<(PayloadKind, Commitment)>,
    /// Entries that lack what they bind.
    missing: BTreeSet<(u64, PayloadKind)>,
    /// With the entry that says so.
    erasures: Vec<(u64, Targets)>,
    /// The keys whose entries were shown.
    introduced: BTreeSet<u64>,
    /// The hashes of the checkpoints' texts, by size: what is stamped.
    texts: BTreeMap<u64, Digest>,
    trust: Option<Trust>,
    witnesses: Vec<VerifierKey>,
    covered: Option<Checkpoint>,
    expected: Option<Checkpoint>,
    compared: bool,
}

/// Why the check can't go on.
type Stop = String;

/// Checks everything in an export. Whatever is wrong is in the report: also where the file can't be read on. `progress` is
/// told how many of how many entries are done.
pub fn verify_export(input: impl Read, check: &ExportCheck, mut progress: impl FnMut(u64, u64)) -> ExportReport {
    let mut report = ExportReport::default();
    let stopped = match run(input, check, &mut report, &mut progress) {
        Ok(()) => return report,
        Err(stopped) => stopped,
    };
    report.faults.push(Fault::new(None, "file", "content", stopped, "an export as its format describes it"));
    report
}

fn run(
    input: impl Read,
    check: &ExportCheck,
    report: &mut ExportReport,
    progress: &mut impl FnMut(u64, u64),
) -> Result<(), Stop> {
    let mut items = open(input)?;
    let header = read_header(items.next()?)?;
    let expected =
        check.checkpoint.as_ref().map(|note| Checkpoint::parse(note.text()).map_err(|error| error.to_string()));
    let mut state = Check {
        report: ExportReport { header: Some(header.clone()), ..ExportReport::default() },
        keyring: Keyring::new(),
        statements: BTreeMap::new(),
        stage: Stage::Keys,
        tree: Peaks::default(),
        previous: Some(header.previous),
        time: Timestamp::default(),
        open: Vec::new(),
        missing: BTreeSet::new(),
        erasures: Vec::new(),
        introduced: BTreeSet::new(),
        texts: BTreeMap::new(),
        trust: check.trust.clone(),
        witnesses: check.witnesses.clone(),
        covered: None,
        expected: expected.transpose()?,
        compared: false,
        header,
    };
    let done = state.items(&mut items, progress);
    let finished = done.and_then(|manifest| state.finish(&manifest, check));
    *report = state.report;
    let mut left = items.into_inner();
    if finished.is_ok() && left.read(&mut [0]).map_err(|error| format!("after the manifest: {error}"))? != 0 {
        return Err("bytes after the manifest".into());
    }
    finished?;
    trailing(left)
}

/// What is read of a file, item by item.
pub(super) type Content<R> = std::io::BufReader<zstd::Decoder<'static, std::io::BufReader<R>>>;

/// Begins to read a file: its items follow.
pub(super) fn open<R: Read>(input: R) -> Result<Items<Content<R>>, Stop> {
    let decoder = zstd::Decoder::new(input).map_err(|error| format!("not a zstd file: {error}"))?.single_frame();
    let mut items = Items::new(std::io::BufReader::with_capacity(1 << 17, decoder));
    let magic: [u8; 8] = items.array("magic")?;
    if magic != MAGIC {
        return Err(format!("magic: found {}, expected {}", hex::encode(magic), hex::encode(MAGIC)));
    }
    let version = u16::from_be_bytes(items.array("version")?);
    if version != VERSION {
        return Err(format!("version: found {version}, expected {VERSION}"));
    }
    Ok(items)
}

/// Whether anything follows the frame.
fn trailing<R: Read>(decoder: Content<R>) -> Result<(), Stop> {
    let mut rest = decoder.into_inner().finish();
    match rest.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err("bytes after the zstd frame".into()),
        Err(error) => Err(format!("after the zstd frame: {error}")),
    }
}

fn read_header(item: Option<Item>) -> Result<ExportHeader, Stop> {
    let item = item.filter(|item| item.kind == Kind::Header).ok_or("header: found none, expected it first")?;
    let header: ExportHeader = serde_json::from_slice(&item.content).map_err(|error| format!("header: {error}"))?;
    // One way to write it, or two files would be one.
    if serde_json::to_vec(&header).ok().as_deref() != Some(&item.content) {
        return Err("header: found another order or white space, expected the keys as the format lists them".into());
    }
    if header.format != EXPORT_FORMAT {
        return Err(format!("header.format: found {:?}, expected {EXPORT_FORMAT:?}", header.format));
    }
    let ExportHeader { from, to, size, .. } = header;
    if from >= to || to > size {
        return Err(format!("header: found from {from}, to {to}, size {size}, expected from < to ≤ size"));
    }
    if from == 0 && header.previous != Digest::ZERO {
        return Err(format!("header.previous: found {}, expected zeros before entry 0", header.previous));
    }
    Ok(header)
}

fn number(content: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = content.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

fn hashes(item: &Item) -> Result<Vec<Digest>, Stop> {
    let (hashes, rest) = item.content.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(format!("{}: found {} bytes, expected a multiple of 32", item.kind.name(), item.content.len()));
    }
    Ok(hashes.iter().map(|hash| Digest::from_bytes(*hash)).collect())
}

impl Check {
    /// Every item up to the manifest, which is given back.
    fn items<R: Read>(&mut self, items: &mut Items<R>, progress: &mut impl FnMut(u64, u64)) -> Result<Item, Stop> {
        let total = self.header.to - self.header.from;
        while let Some(item) = items.next()? {
            match (item.kind, self.stage) {
                (Kind::Key, Stage::Keys) => self.key(&item)?,
                (Kind::Peaks, Stage::Keys) => self.peaks(&item)?,
                (Kind::Entry | Kind::Foreign, Stage::Entries) if self.tree.size() < self.header.to => {
                    self.leaf(&item)?;
                    progress(self.tree.size() - self.header.from, total);
                }
                (Kind::Payload, Stage::Entries) => self.payload(&item)?,
                (Kind::Checkpoint, Stage::Entries | Stage::Rest) => self.checkpoint(&item)?,
                (Kind::Rest, Stage::Entries) if self.tree.size() == self.header.to => self.rest(&item)?,
                (Kind::Extra, Stage::Proved) => self.extra(&item)?,
                (Kind::Token, Stage::Proved) => self.token(&item)?,
                (Kind::Manifest, Stage::Proved) => return Ok(item),
                (kind, stage) => return Err(format!("{}: found after {stage:?}, expected in its order", kind.name())),
            }
        }
        Err("manifest: found the end of the file, expected it last".into())
    }

    fn fault(
        &mut self,
        record: impl std::fmt::Display,
        field: &str,
        found: impl std::fmt::Display,
        expected: impl std::fmt::Display,
    ) {
        self.report.faults.push(Fault::new(None, record, field, found, expected));
    }

    fn key(&mut self, item: &Item) -> Result<(), Stop> {
        let (seq, statement) = number(&item.content).ok_or("key: found less than 8 bytes")?;
        if seq >= self.header.size {
            return Err(format!("key: found seq {seq}, expected less than the size {}", self.header.size));
        }
        if self.keyring.keys().last().is_some_and(|last| last.seq >= seq) {
            return Err(format!("key: found seq {seq}, expected them in order"));
        }
        match self.keyring.introduce(seq, &self.header.origin, statement) {
            Ok(key) => self.report.keys.push(key.to_string()),
            Err(error) => return Err(format!("key of entry {seq}: {error}")),
        }
        self.statements.insert(seq, String::from_utf8_lossy(statement).into_owned());
        Ok(())
    }

    fn peaks(&mut self, item: &Item) -> Result<(), Stop> {
        if self.keyring.keys().is_empty() {
            return Err("key: found none, expected one or more before the peaks".into());
        }
        self.tree = Peaks::new(self.header.from, hashes(item)?).map_err(|error| format!("peaks: {error}"))?;
        // The last leaf before the range is a full node of its own where their number is odd.
        if let (1, Some(last)) = (self.header.from & 1, self.tree.hashes().last().copied())
            && last != self.header.previous
        {
            let found = self.header.previous;
            self.fault("header", "previous", found, format_args!("{last} (the last peak)"));
        }
        self.stage = Stage::Entries;
        Ok(())
    }

    fn leaf(&mut self, item: &Item) -> Result<(), Stop> {
        let seq = self.tree.size();
        self.close();
        if item.kind == Kind::Foreign {
            let hash =
                Digest::try_from(item.content.as_slice()).map_err(|error| format!("foreign entry {seq}: {error}"))?;
            if self.header.tenant.is_none() {
                return Err(format!("foreign entry {seq}: found one, expected none in an export of all tenants"));
            }
            self.report.foreign += 1;
            self.previous = Some(hash);
            self.tree.append(hash);
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
        self.open = bound.into_iter().filter_map(|(kind, commitment)| Some((kind, commitment?))).collect();
        let hash = entry_hash(&item.content);
        self.previous = Some(hash);
        self.tree.append(hash);
        self.report.entries += 1;
        Ok(())
    }

    /// What holds for entries of the range and for others.
    fn about(&mut self, record: &str, seq: u64, entry: &EntryRef<'_>) {
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
    fn close(&mut self) {
        let seq = self.tree.size().saturating_sub(1);
        self.missing.extend(self.open.drain(..).map(|(kind, _)| (seq, kind)));
    }

    fn payload(&mut self, item: &Item) -> Result<(), Stop> {
        let last = self.tree.size().saturating_sub(1);
        let parts = number(&item.content).and_then(|(seq, rest)| {
            let ([kind], rest) = rest.split_first_chunk()?;
            let (salt, bytes) = rest.split_first_chunk::<32>()?;
            Some((seq, *kind, Salt::from_bytes(*salt), bytes))
        });
        let (seq, kind, salt, bytes) = parts.ok_or_else(|| format!("payload of entry {last}: found too few bytes"))?;
        if !self.header.payloads {
            return Err(format!("payload of entry {seq}: found one, expected none as the header says"));
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
        if !commitment.verify(&salt, bytes) {
            let found = Commitment::to(&salt, bytes);
            self.fault(format_args!("payload {seq}"), kind.name(), format_args!("commitment {found}"), commitment);
        }
        Ok(())
    }

    fn checkpoint(&mut self, item: &Item) -> Result<(), Stop> {
        let size = self.tree.size();
        let name = format!("checkpoint {size}");
        if self.texts.contains_key(&size) {
            return Err(format!("{name}: found a second one"));
        }
        let note = Note::parse(&item.content).map_err(|error| format!("{name}: {error}"))?;
        let checkpoint = self.keyring.open(&self.header.origin, &note).map_err(|error| format!("{name}: {error}"))?;
        self.texts.insert(size, Digest::of(note.text().as_bytes()));
        self.cosignatures(size, &note);
        let root = self.tree.root();
        if checkpoint.size != size {
            self.fault(&name, "size", checkpoint.size, size);
        }
        if checkpoint.root != root {
            self.fault(&name, "root", checkpoint.root, root);
        }
        self.compare_expected(size, root);
        self.report.checkpoints += 1;
        if size == self.header.size {
            self.covered = Some(checkpoint);
            self.report.root = Some(root);
            if self.stage == Stage::Rest {
                self.stage = Stage::Proved;
            }
        }
        Ok(())
    }

    /// Signatures of witnesses that are believed must hold; others say nothing.
    fn cosignatures(&mut self, size: u64, note: &Note) {
        for witness in self.witnesses.clone() {
            if !note.signatures().iter().any(|line| line.is_by(&witness)) {
                continue;
            }
            match note.verify(&witness) {
                Ok(Some(time)) => {
                    let by = format!("witness {}", witness.name());
                    Outside::keep(&mut self.report.outside, Outside { by, time, size });
                }
                Ok(None) => {}
                Err(error) => self.fault(format_args!("checkpoint {size}"), "cosignature", error, "a signature"),
            }
        }
    }

    fn compare_expected(&mut self, size: u64, root: Digest) {
        let Some(expected) = self.expected.as_ref().filter(|expected| expected.size == size) else { return };
        let (origin, expected_root) = (expected.origin.clone(), expected.root);
        self.compared = true;
        if origin != self.header.origin {
            let found = self.header.origin.clone();
            self.fault("expected checkpoint", "origin", found, origin);
        }
        if root != expected_root {
            self.fault(format_args!("head {size}"), "root", root, format_args!("{expected_root} (as given)"));
        }
    }

    fn rest(&mut self, item: &Item) -> Result<(), Stop> {
        self.close();
        let nodes = hashes(item)?;
        let heights: Vec<u32> = full_nodes(self.header.to..self.header.size).map(|(height, _)| height).collect();
        if nodes.len() != heights.len() {
            return Err(format!("rest: found {} hashes, expected {}", nodes.len(), heights.len()));
        }
        for (height, node) in heights.into_iter().zip(nodes) {
            self.tree.append_node(height, node).map_err(|error| format!("rest: {error}"))?;
        }
        self.stage = if self.covered.is_some() { Stage::Proved } else { Stage::Rest };
        Ok(())
    }

    fn extra(&mut self, item: &Item) -> Result<(), Stop> {
        let parts = number(&item.content).and_then(|(seq, rest)| {
            let (count, rest) = rest.split_first_chunk()?;
            let (proof, bytes) = rest.split_at_checked(usize::from(u16::from_be_bytes(*count)) * 32)?;
            Some((seq, proof, bytes))
        });
        let (seq, proof, bytes) = parts.ok_or("extra entry: found too few bytes")?;
        let record = format!("extra entry {seq}");
        if self.header.tenant.is_none() && (self.header.from..self.header.to).contains(&seq) {
            let ExportHeader { from, to, .. } = self.header;
            return Err(format!("{record}: found in the range {from} to {to}, where all entries are shown"));
        }
        let entry = EntryRef::decode(bytes).map_err(|error| format!("{record}: {error}"))?;
        self.about(&record, seq, &entry);
        let proof: Vec<Digest> = proof.as_chunks::<32>().0.iter().map(|hash| Digest::from_bytes(*hash)).collect();
        let root = self.tree.root();
        verify_inclusion(&entry_hash(bytes), seq, self.header.size, &proof, &root)
            .map_err(|error| format!("{record}: {error}"))?;
        self.report.extras += 1;
        Ok(())
    }

    fn token(&mut self, item: &Item) -> Result<(), Stop> {
        let parts = number(&item.content).and_then(|(size, rest)| {
            let (length, rest) = rest.split_first_chunk()?;
            let (authority, token) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            Some((size, std::str::from_utf8(authority).ok()?, token))
        });
        let (size, authority, token) = parts.ok_or("token: found too few bytes, or a name that isn't UTF-8")?;
        let Some(imprint) = self.texts.get(&size).copied() else {
            return Err(format!(
                "token of {authority:?}: found size {size}, expected that of a checkpoint in this file"
            ));
        };
        if token.is_empty() {
            return Err(format!("token of {authority:?} for size {size}: found nothing, expected DER"));
        }
        match self.trust.as_ref().map(|trust| timestamp::verify(token, imprint, trust)) {
            None => {}
            Some(Ok(stamp)) => {
                let by = format!("authority {authority} ({})", stamp.authority);
                Outside::keep(&mut self.report.outside, Outside { by, time: stamp.gen_time, size });
            }
            Some(Err(error)) => {
                self.fault(format_args!("token of {authority:?} for size {size}"), "token", error, "a time stamp");
            }
        }
        self.report.tokens += 1;
        Ok(())
    }

    fn finish(&mut self, item: &Item, check: &ExportCheck) -> Result<(), Stop> {
        let note = Note::parse(&item.content).map_err(|error| format!("manifest: {error}"))?;
        let expected = manifest(&self.header, &item.before);
        if note.text() != expected {
            return Err(format!("manifest: found {:?}, expected {expected:?}", note.text()));
        }
        let key = self.keyring.at(self.header.size).map_err(|error| format!("manifest: {error}"))?;
        note.verify(key).map_err(|error| format!("manifest: {error}"))?;
        if note.signatures().len() != 1 {
            return Err(format!("manifest: found {} signatures, expected one", note.signatures().len()));
        }
        for Introduced { seq, .. } in self.keyring.keys().to_vec() {
            if !self.introduced.contains(&seq) {
                self.fault(
                    format_args!("key of entry {seq}"),
                    "entry",
                    "nothing",
                    "the entry, in the range or as an extra",
                );
            }
        }
        if let Some(key) = &check.key
            && !self.keyring.keys().iter().any(|introduced| introduced.key == *key)
        {
            let found = self.keyring.newest().map(ToString::to_string).unwrap_or_default();
            self.fault("log's key", "key", found, format_args!("{key} (as given)"));
        }
        self.settle_missing();
        self.say_what_is_not_shown(check);
        Ok(())
    }

    /// What is missing was erased by an entry, or left out on purpose, or it is a hole.
    fn settle_missing(&mut self) {
        if !self.header.payloads {
            self.report.notes.push("inputs and records aren't in the file; their commitments are".into());
            return;
        }
        for (seq, kind) in std::mem::take(&mut self.missing) {
            // Nothing is erased before it is written: an early entry can't excuse what is missing later.
            if self.erasures.iter().any(|(by, targets)| *by > seq && targets.contains(seq)) {
                self.report.erased += 1;
            } else {
                self.fault(
                    format_args!("payload {seq}"),
                    kind.name(),
                    "nothing",
                    "the bytes that the entry binds, or an erasure",
                );
            }
        }
    }

    fn say_what_is_not_shown(&mut self, check: &ExportCheck) {
        let notes = &mut self.report.notes;
        if check.key.is_none() {
            notes.push("no key was given from elsewhere: that the keys are the log's is the file's own word".into());
        }
        if self.report.tokens > 0 && check.trust.is_none() {
            let tokens = self.report.tokens;
            notes.push(format!("{tokens} time stamps weren't checked: no root certificates were given"));
        }
        notes.push(Outside::sentence(&self.report.outside, self.header.size));
        match (&self.expected, self.compared) {
            (None, _) => notes.push(
                "no checkpoint was given from elsewhere: that this is the history which others were shown is the file's own \
                 word"
                    .into(),
            ),
            (Some(expected), false) => {
                let size = expected.size;
                self.fault("expected checkpoint", "size", "no checkpoint of that size in the file", size);
            }
            _ => {}
        }
    }
}
