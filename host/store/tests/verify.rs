//! What was altered is found and named, and what wasn't is sound.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use assize_ledger::{Checkpoint, Digest, Note, Report};
use assize_store::{DecisionDraft, VerifyOptions};
use common::database::Database;
use common::{ORIGIN, change, publish, record};

/// A database with something in every table.
async fn filled() -> Option<Database> {
    let database = Database::new()?;
    let store = database.open().await;
    common::fill(&store).await;
    store.close().await;
    Some(database)
}

async fn verify(database: &Database, options: VerifyOptions) -> Result<Report, assize_store::StoreError> {
    let reader = database.reader().await?;
    let report = reader.verify(options, |_| {}).await;
    reader.close().await;
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unaltered_database_is_sound() {
    let Some(database) = filled().await else { return };
    let mut progress = Vec::new();
    let reader = database.reader().await.unwrap();
    let report = reader.verify(VerifyOptions::default(), |at| progress.push(at)).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.faults);
    assert_eq!((report.entries, report.decisions, report.tiles), (341, 320, 1));
    assert_eq!(report.payloads, 317 * 2 + 20);
    assert_eq!((report.checkpoints, report.checkpointed, report.keys.len()), (2, Some(341), 1));
    assert_eq!(report.origin.as_deref(), Some(ORIGIN));
    assert_eq!(report.root, Some(reader.head().await.unwrap().unwrap().root));
    assert_eq!(progress.last().map(|at| (at.done, at.total)), Some((341, 341)));

    let part = VerifyOptions { from: Some(100), to: Some(250), ..VerifyOptions::default() };
    let report = reader.verify(part, |_| {}).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.faults);
    assert_eq!((report.from, report.entries, report.root), (100, 151, None));
    assert!(report.notes[0].contains("entry 99"));

    let beyond = VerifyOptions { from: None, to: Some(341), ..VerifyOptions::default() };
    assert!(reader.verify(beyond, |_| {}).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_checked_while_it_grows() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..20 {
                record(&store, n * 60, (n + 1) * 60).await;
                let component = format!("component {n}");
                store.change(change(None, publish(&format!("1.{n}.0"), component.as_bytes()))).await.unwrap();
            }
        })
    };
    let mut sizes = Vec::new();
    while !writer.is_finished() {
        let report = verify(&database, VerifyOptions::default()).await.unwrap();
        assert!(report.is_sound(), "{:#?}", report.faults);
        sizes.push(report.entries);
    }
    writer.await.unwrap();
    let report = verify(&database, VerifyOptions::default()).await.unwrap();
    assert_eq!((report.is_sound(), report.entries), (true, 1 + 20 * 61), "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_tail_shows_against_an_expected_root() {
    let Some(database) = filled().await else { return };
    let reader = database.reader().await.unwrap();
    let head = reader.head().await.unwrap().unwrap();
    reader.close().await;
    for sql in [
        "DELETE FROM heads WHERE size > 320",
        "DELETE FROM checkpoints WHERE size > 320",
        "DELETE FROM entries WHERE seq >= 320",
        "DELETE FROM sealed WHERE seq >= 320",
        "DELETE FROM decisions WHERE seq >= 320",
        "DELETE FROM effects WHERE seq >= 320",
        "DELETE FROM data_subjects WHERE seq >= 320",
        "DELETE FROM cosignatures",
    ] {
        database.intrude(sql.split(' ').nth(2).unwrap(), sql).await;
    }
    if let Database::Postgres { .. } = database {
        let last = "UPDATE head SET (size, hash) = (SELECT size, hash FROM heads ORDER BY size DESC LIMIT 1)";
        database.intrude("head", last).await;
    }
    assert!(verify(&database, VerifyOptions::default()).await.unwrap().is_sound());
    let expected = Some((head.size, head.root));
    let report = verify(&database, VerifyOptions { expected, ..VerifyOptions::default() }).await.unwrap();
    assert_eq!(report.faults.first[0].to_string(), "head 341: size: found 320 entries, expected at least that many");
    let wrong = Some((320, Digest::ZERO));
    let report = verify(&database, VerifyOptions { expected: wrong, ..VerifyOptions::default() }).await.unwrap();
    assert_eq!(report.faults.first[0].field, "root");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_row_is_named() {
    let Some(database) = filled().await else { return };
    for (delete, record) in [
        ("DELETE FROM sealed WHERE seq = 50", "payload 50"),
        ("DELETE FROM entries WHERE seq = 60", "entry 60"),
        ("DELETE FROM effects WHERE seq = (SELECT min(seq) FROM effects)", "effects of decision"),
        ("DELETE FROM components WHERE size = 9", "component sha256:"),
        ("DELETE FROM snapshots", "snapshot sha256:"),
        ("DELETE FROM tiles", "tile 0/0"),
        ("DELETE FROM nodes", "node 1/0"),
        ("DELETE FROM log_keys", "row of log_keys"),
        ("DELETE FROM policies", "row of policies"),
        ("DELETE FROM heads WHERE size = 341", "head"),
    ] {
        let copy = database.copy();
        copy.intrude(delete.split(' ').nth(2).unwrap(), delete).await;
        let report = verify(&copy, VerifyOptions::default()).await.unwrap();
        let named = report.faults.first.iter().any(|fault| fault.record.starts_with(record));
        assert!(named, "{delete}: {:#?}", report.faults);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expected_checkpoint_shows_what_was_cut_or_forked() {
    let Some(database) = filled().await else { return };
    let reader = database.reader().await.unwrap();
    let newest = reader.checkpoint().await.unwrap().unwrap();
    let note = Note::parse(&newest.note).unwrap();
    let expect = |note: Note| VerifyOptions { checkpoint: Some(note), ..VerifyOptions::default() };
    assert!(reader.verify(expect(note), |_| {}).await.unwrap().is_sound());
    for (size, root, key, said) in [
        (341, Digest::ZERO, common::log_key(), "head 341: root: found"),
        (500, Digest::ZERO, common::log_key(), "head 500: size: found 341 entries"),
        (341, reader.root_at(341).await.unwrap(), common::other_key(), "expected checkpoint: note: found no signature"),
    ] {
        let note = Checkpoint::new(ORIGIN, size, root).sign(&key).unwrap();
        let report = reader.verify(expect(note), |_| {}).await.unwrap();
        let first = report.faults.first.first().unwrap().to_string();
        assert!(first.starts_with(said), "{first}");
    }
}

/// A part of the log is checked while entries follow it: those don't excuse what an intruder calls erased.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_after_the_range_excuses_no_hole() {
    // One that is no erasure, and one that there isn't yet.
    for by in [300, 1_000_000_000] {
        let Some(database) = filled().await else { return };
        let part = || VerifyOptions { to: Some(100), ..VerifyOptions::default() };
        assert!(verify(&database, part()).await.unwrap().is_sound());
        let erased = format!("INSERT INTO erased (target, seq) VALUES (50, {by})");
        for (table, sql) in [
            ("erased", erased.as_str()),
            (
                "sealed",
                "UPDATE sealed SET input_salt = NULL, input = NULL, record_salt = NULL, record = NULL WHERE seq = 50",
            ),
            ("effects", "DELETE FROM effects WHERE seq = 50"),
            ("data_subjects", "DELETE FROM data_subjects WHERE seq = 50"),
            (
                "decisions",
                "UPDATE decisions SET verdict = 'allow', kind = '', idempotency_key = NULL, body_hash = NULL WHERE seq = 50",
            ),
        ] {
            database.intrude(table, sql).await;
        }
        for options in [part(), VerifyOptions::default(), VerifyOptions { from: Some(40), ..part() }] {
            let report = verify(&database, options).await.unwrap();
            let said = report.faults.first.iter().map(ToString::to_string).collect::<Vec<_>>();
            let expected = format!("erased 50: seq: found entry {by}, expected an erasure that names entry 50");
            assert!(said.contains(&expected), "{said:?}");
        }
    }
}

/// An erasure that is read beside the range has to be the entry at its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_copied_to_another_place_excuses_no_hole() {
    let Some(database) = filled().await else { return };
    let part = || VerifyOptions { to: Some(100), ..VerifyOptions::default() };
    let report = verify(&database, part()).await.unwrap();
    assert!(report.is_sound() && report.erased == 3, "{:#?}", report.faults);
    let noted = "erasures recorded outside the range: 1, whose entries were taken as stored";
    assert!(report.notes.iter().any(|note| note == noted), "{:?}", report.notes);
    let copied = "UPDATE entries SET bytes = (SELECT bytes FROM entries WHERE kind = 'payload.erased'), \
                  hash = (SELECT hash FROM entries WHERE kind = 'payload.erased') WHERE seq = 300";
    for (table, sql) in [("entries", copied), ("erased", "UPDATE erased SET seq = 300")] {
        database.intrude(table, sql).await;
    }
    let report = verify(&database, part()).await.unwrap();
    let said = report.faults.first.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(said.iter().any(|fault| fault.starts_with("erased 20: seq: found entry 300")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_say_counts_where_its_checkpoint_was_checked() {
    let Some(database) = filled().await else { return };
    let witnesses = vec![common::witness().public().clone()];
    let options = |to| VerifyOptions { to, witnesses: witnesses.clone(), ..VerifyOptions::default() };
    let report = verify(&database, options(None)).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.faults);
    assert_eq!(report.outside.iter().map(|outside| outside.size).collect::<Vec<_>>(), [341]);
    // The witness spoke of 341 entries, and these are the first 251.
    let report = verify(&database, options(Some(250))).await.unwrap();
    assert!(report.is_sound() && report.outside.is_empty(), "{report:#?}");
    let noted = |said: &str| report.notes.iter().any(|note| note.starts_with(said));
    assert!(noted("nobody outside has confirmed this log"), "{:?}", report.notes);
    assert!(noted("no checkpoint among those checked covers entries 202 to 250"), "{:?}", report.notes);
    // Nor does it speak of a tree that isn't the one of its checkpoint.
    let root = Checkpoint::new(ORIGIN, 341, Digest::ZERO).sign(&common::log_key()).unwrap();
    let other = format!("UPDATE checkpoints SET note = CAST('{root}' AS BLOB) WHERE size = 341");
    let other = if let Database::Postgres { .. } = database { other.replace(" AS BLOB", " AS BYTEA") } else { other };
    database.intrude("checkpoints", &other).await;
    let report = verify(&database, options(None)).await.unwrap();
    assert!(!report.is_sound() && report.outside.is_empty(), "{:#?}", report.outside);
}

/// A key's statement can be copied to another history: it binds no entries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_its_key_signed_nothing_of_is_not_the_keys() {
    let Some(database) = filled().await else { return };
    let given = || VerifyOptions { key: Some(common::log_key().public().clone()), ..VerifyOptions::default() };
    assert!(verify(&database, given()).await.unwrap().is_sound());
    for table in ["cosignatures", "checkpoints"] {
        database.intrude(table, &format!("DELETE FROM {table}")).await;
    }
    let report = verify(&database, VerifyOptions::default()).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.faults);
    let noted = "no checkpoint among those checked covers entries 0 to 340";
    assert!(report.notes.iter().any(|note| note.starts_with(noted)), "{:?}", report.notes);
    let report = verify(&database, given()).await.unwrap();
    let said = report.faults.first.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(said.iter().any(|fault| fault.starts_with("log's key: checkpoints: found none")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_over_a_change_of_keys_is_sound() {
    let Some(database) = filled().await else { return };
    let store = database.open().await;
    let seq = store.head().await.unwrap().unwrap().size;
    common::replace_key(&store).await;
    let halt_epoch = store.halt_epoch();
    for n in 900..905 {
        store.decide(DecisionDraft { halt_epoch, ..common::decision(n) }).await.unwrap();
    }
    store.close().await;
    for from in [2, seq - 1, seq, seq + 1] {
        let report = verify(&database, VerifyOptions { from: Some(from), ..VerifyOptions::default() }).await.unwrap();
        assert!(report.is_sound(), "{from}: {:#?}", report.faults);
    }
    assert_eq!(verify(&database, VerifyOptions::default()).await.unwrap().keys.len(), 2);
}
