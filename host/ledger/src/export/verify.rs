//! Checking an export, item by item, in memory that grows with its checkpoints and with what is missing, not with its entries.

mod entries;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::thread;

use super::ahead::{Ahead, Prepared};
use super::content::{Item, Stop, hashes, number, open, read_header};
use super::kind::Kind;
use super::{ExportCheck, ExportHeader, ExportReport, PayloadKind, Targets, manifest};
use crate::items::{Kind as _, trailing};
use crate::proof::verify_inclusion;
use crate::timestamp::Trust;
use crate::tree::full_nodes;
use crate::{
    Checkpoint, Commitment, Digest, EntryRef, Fault, Introduced, Keyring, Note, Outside, Peaks, Timestamp, VerifierKey,
    entry_hash, timestamp,
};

/// Where the file must be, from one item to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Keys,
    Entries,
    Rest,
    Proved,
    Stamped,
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
    /// Whether the checkpoint of the header's size was there.
    covered: bool,
    expected: Option<(Note, Checkpoint)>,
    compared: bool,
}

/// Checks everything in an export. Whatever is wrong is in the report: also where the file can't be read on. `progress` is
/// told how many of how many entries are done.
///
/// The file is read on a thread of its own while what was read is checked, so memory is also that of a few batches of items.
pub fn verify_export(input: impl Read + Send, check: &ExportCheck, mut progress: impl FnMut(u64, u64)) -> ExportReport {
    let mut report = ExportReport::default();
    let stopped = match run(input, check, &mut report, &mut progress) {
        Ok(()) => return report,
        Err(stopped) => stopped,
    };
    report.faults.push(Fault::new(None, "file", "content", stopped, "an export as its format describes it"));
    report
}

fn run(
    input: impl Read + Send,
    check: &ExportCheck,
    report: &mut ExportReport,
    progress: &mut impl FnMut(u64, u64),
) -> Result<(), Stop> {
    let mut items = open(input)?;
    let header = read_header(items.next()?)?;
    let expected = match &check.checkpoint {
        Some(note) => Some((note.clone(), Checkpoint::parse(note.text()).map_err(|error| error.to_string())?)),
        None => None,
    };
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
        covered: false,
        expected,
        compared: false,
        header,
    };
    let (finished, mut left) = thread::scope(|scope| {
        let (ahead, reading) = Ahead::start(scope, items);
        let done = state.items(ahead, progress);
        (done.and_then(|manifest| state.finish(&manifest, check)), reading.rest())
    });
    *report = state.report;
    if finished.is_ok() && left.read(&mut [0]).map_err(|error| format!("after the manifest: {error}"))? != 0 {
        return Err("bytes after the manifest".into());
    }
    finished?;
    trailing(left)
}

impl Check {
    /// Every item up to the manifest, which is given back.
    fn items(&mut self, mut ahead: Ahead, progress: &mut impl FnMut(u64, u64)) -> Result<Item, Stop> {
        let total = self.header.to - self.header.from;
        while let Some(Prepared { item, commitment }) = ahead.next()? {
            match (item.kind, self.stage) {
                (Kind::Key, Stage::Keys) => self.key(&item)?,
                (Kind::Peaks, Stage::Keys) => self.peaks(&item)?,
                (Kind::Entry | Kind::Foreign, Stage::Entries) if self.tree.size() < self.header.to => {
                    self.leaf(&item)?;
                    progress(self.tree.size() - self.header.from, total);
                }
                (Kind::Payload, Stage::Entries) => self.payload(&item, commitment)?,
                (Kind::Checkpoint, Stage::Entries | Stage::Rest) => self.checkpoint(&item)?,
                (Kind::Rest, Stage::Entries) if self.tree.size() == self.header.to => self.rest(&item)?,
                (Kind::Extra, Stage::Proved) => self.extra(&item)?,
                (Kind::Token, Stage::Proved | Stage::Stamped) => self.token(&item)?,
                (Kind::Manifest, Stage::Proved | Stage::Stamped) => return Ok(item),
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

    fn checkpoint(&mut self, item: &Item) -> Result<(), Stop> {
        let size = self.tree.size();
        let name = format!("checkpoint {size}");
        if size == self.header.from {
            return Err(format!("{name}: found before the first entry, expected after an entry"));
        }
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
        self.report.checkpoints += 1;
        if size == self.header.size {
            self.covered = true;
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

    /// Compares the tree with the expected checkpoint, where it has that one's size.
    fn compare_expected(&mut self) {
        let size = self.tree.size();
        let Some((note, expected)) = self.expected.clone().filter(|(_, expected)| expected.size == size) else {
            return;
        };
        self.compared = true;
        if expected.origin != self.header.origin {
            let found = self.header.origin.clone();
            self.fault("expected checkpoint", "origin", found, &expected.origin);
        }
        let root = self.tree.root();
        if root != expected.root {
            self.fault(format_args!("head {size}"), "root", root, format_args!("{} (as given)", expected.root));
        }
        if let Err(error) = self.keyring.open(&expected.origin, &note) {
            self.fault("expected checkpoint", "note", error, "a checkpoint that this log signed");
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
        if self.header.size > self.header.to {
            self.compare_expected();
        } else if !self.covered {
            return Err(format!("checkpoint {}: found none after the last entry", self.header.to));
        }
        self.stage = if self.covered { Stage::Proved } else { Stage::Rest };
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
        self.stage = Stage::Stamped;
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

    fn say_what_is_not_shown(&mut self, check: &ExportCheck) {
        let notes = &mut self.report.notes;
        if check.key.is_none() {
            notes.push("no key was given from elsewhere: that the keys are the log's is the file's own word".into());
        }
        // The file's end is signed as a checkpoint of its size is.
        let sizes = self.texts.keys().chain([&self.header.size]);
        notes.extend(check.key.as_ref().and_then(|key| self.keyring.vouches_only(key, sizes)).map(str::to_owned));
        if self.report.tokens > 0 && check.trust.is_none() {
            let tokens = self.report.tokens;
            notes.push(format!("{tokens} time stamps weren't checked: no root certificates were given"));
        }
        if self.report.foreign > 0 {
            let foreign = self.report.foreign;
            notes.push(format!("{foreign} foreign entries: that they are others' is the file's own word"));
        }
        notes.push(Outside::sentence(&self.report.outside, self.header.size));
        match (&self.expected, self.compared) {
            (None, _) => notes.push(
                "no checkpoint was given from elsewhere: that this is the history which others were shown is the file's own \
                 word"
                    .into(),
            ),
            (Some((_, expected)), false) => {
                let size = expected.size;
                self.fault("expected checkpoint", "size", "no checkpoint of that size in the file's range", size);
            }
            _ => {}
        }
    }
}
