//! What a page says of proof: what is proven and since when, what isn't, and the figures to compare.

use assize_ledger::{Bundle, Confirmed, Digest};

use super::page::{Block, Outcome, Section, Source, pair};

pub(super) fn proven(source: &Source<'_>) -> Section {
    let Source { report, facts, rehearing, .. } = source;
    let header = &report.header;
    let mut list = vec![
        format!(
            "The decision is entry {} of the log {}, under a checkpoint of {} entries that the log's key signed.",
            header.seq, header.origin, header.size
        ),
        format!("The snapshot of policies and plugin versions is the one that the entry names ({}).", facts.snapshot),
    ];
    if report.payloads > 0 {
        list.push("Input and record are, byte for byte, those that the entry is bound to.".to_owned());
    }
    if rehearing.heard.is_some() && rehearing.faults.is_empty() {
        list.push(
            "Entry, record and input tell of the same decision, and the components are those that judged.".into(),
        );
    }
    if rehearing.comparison.is_some() && rehearing.parts.iter().any(|part| part.manifest.is_some()) {
        list.push(
            "The snapshot says of these components what they say of themselves: when and where they apply, what they may \
             use, and what they may plan."
                .into(),
        );
    }
    if source.outcome == Outcome::Verified {
        list.push("These plugins, policies and this input, run again here, gave the recorded result.".to_owned());
    }
    for published in &report.published {
        let by = published.tenant.as_ref().map_or_else(|| "the host".to_owned(), |tenant| format!("tenant {tenant}"));
        list.push(format!(
            "{} was published by {by} as entry {}, before the decision (at {} by the host's clock).",
            published.subject, published.seq, published.time
        ));
    }
    if let Some(erasure) = &report.erasure {
        list.push(format!(
            "What is missing was erased: entry {} says so, at {} by the host's clock, on the basis of {:?}.",
            erasure.seq, erasure.time, erasure.basis
        ));
    }
    if let Some(key) = &report.known_key {
        list.push(format!("The log is the one whose key was given from elsewhere ({key})."));
    }
    Section { heading: "What is proven", blocks: vec![Block::List(list)] }
}

/// Since when something exists, by whose word.
pub(super) fn no_later(confirmed: &Confirmed) -> String {
    let Confirmed { by, time, size, stamp } = confirmed;
    let accuracy = stamp.as_ref().and_then(|stamp| stamp.accuracy_ms);
    let accuracy = accuracy.map(|ms| format!(" (give or take {ms} ms)")).unwrap_or_default();
    format!("it existed no later than {time}{accuracy}, by the word of {by}, who confirmed the log with {size} entries")
}

pub(super) fn since(source: &Source<'_>) -> Section {
    let heading = "Since when";
    let report = source.report;
    let Some(earliest) = report.earliest() else {
        let text = if report.tokens > 0 || report.unchecked_cosignatures > 0 {
            "Confirmations from outside are in the file, and none was checked: nobody to be believed was named. Give root \
             certificates of authorities (--tsa-roots) or keys of witnesses (--witness-key)."
        } else {
            "There is no time stamp and no witness's signature in the file: all times are the host's own word."
        };
        return Section { heading, blocks: vec![Block::Text(text.into())] };
    };
    let rows = report.outside.iter().map(|one| {
        let kind = if one.stamp.is_some() { "time stamp (RFC 3161)" } else { "witness's signature" };
        vec![one.time.to_string(), one.by.clone(), kind.to_owned(), one.size.to_string()]
    });
    let head = &["time", "by", "what", "entries in the log"][..];
    let blocks = vec![
        Block::Text(format!("The decision, with all that it binds: {}.", no_later(earliest))),
        Block::Table { caption: "Confirmations from outside", head, rows: rows.collect() },
    ];
    Section { heading, blocks }
}

pub(super) fn unproven(source: &Source<'_>) -> Section {
    let mut list = source.report.notes.clone();
    list.extend([
        "that the input is what really happened: the bundle shows what came in, and not whether it was true".to_owned(),
        "that nothing was judged and left unrecorded, and that no other decision was made on the same facts".to_owned(),
        "that the plugins read the law rightly: the bundle shows which rules were applied, and that they were applied as \
         written"
            .to_owned(),
        "whether what was planned was carried out: effects are plans, and what became of them isn't in the file".to_owned(),
        "whether a version was withdrawn, or a system's data changed, after the decision".to_owned(),
        "that the periods and scopes of versions that weren't asked are as the snapshot has them: their components \
         aren't in the file"
            .to_owned(),
    ]);
    let absent = source.rehearing.comparison.as_ref().map(|comparison| comparison.absent.as_slice());
    if let Some(absent) = absent.filter(|absent| !absent.is_empty()) {
        list.push(format!(
            "whether components that weren't there when the case was judged should have been: the host said that it had \
             not loaded them (binding {})",
            absent.join(", ")
        ));
    }
    if source.report.outside.is_empty() {
        list.push("when the decision was made: no time from outside was verified".to_owned());
    }
    Section { heading: "What isn't proven", blocks: vec![Block::List(list)] }
}

pub(super) fn evidence(bundle: &Bundle, source: &Source<'_>) -> Section {
    let report = source.report;
    let text = |digest: Option<Digest>| digest.map_or_else(|| "-".to_owned(), |one| one.to_string());
    let mut pairs = vec![
        pair("hash of the entry", text(report.entry_hash)),
        pair("root of the tree", text(report.root)),
        pair("checkpoint", format!("{} entries", report.header.size)),
    ];
    pairs.extend(report.keys.iter().map(|key| pair("key of the log", key)));
    for (digest, bytes) in &bundle.components {
        pairs.push(pair("component", format!("{digest} ({} bytes)", bytes.len())));
    }
    if let Some(record) = source.record() {
        let engine = &record.engine;
        pairs.push(pair("judged by", format!("Assize {}, wasmtime {}", engine.host, engine.wasmtime)));
    }
    pairs.push(pair("this page", format!("made {} by Assize {}", source.now, env!("CARGO_PKG_VERSION"))));
    Section { heading: "The evidence", blocks: vec![Block::Pairs(pairs)] }
}
