//! Ten thousand bits, one at a time, in the database of a host that runs: each is found, or provably changes nothing.

mod postgres;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use assize_ledger::{Algorithm, Checkpoint, Faults, Note, Report, SignerKey};
use assize_store::{Reader, Store, StoreError, VerifyOptions};
use assize_tests::{Authority, Cell, Cells, Database, Dice, Server, Setup, Witness, rounds};
use tokio::runtime::Runtime;

use crate::tampering::{flipped, names, text};
use crate::{furnish, verify};

/// Longer than it takes until nothing is left to be signed.
const PATIENCE: Duration = Duration::from_mins(1);

/// Flips in a table before the next one is chosen.
const BATCH: u32 = 20;

/// A host that runs and has nothing to do, with something in every table.
struct Host {
    server: Server,
    /// Its newest checkpoint, as somebody outside would have kept it.
    known: Note,
    _outside: (Authority, Witness),
    _folder: tempfile::TempDir,
}

impl Host {
    /// Whether it puts a row back by itself: a checkpoint that lacks its witness's signature is signed again. `cell` gives a column
    /// of the row as text.
    fn would_mend(&self, table: &str, column: &str, cell: impl Fn(&str) -> String) -> bool {
        let newest = Checkpoint::parse(self.known.text()).unwrap().size;
        table == "cosignatures" && ["size", "key"].contains(&column) && cell("size") == newest.to_string()
    }

    fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let authority = Authority::start();
        fs::write(at("roots.pem"), authority.roots_pem()).unwrap();
        let key = SignerKey::generate("assize.dev/log", Algorithm::Ed25519).unwrap();
        fs::write(at("log.key"), key.to_secret()).unwrap();
        let witness = Witness::start(&at("witness"), &[&key.public().to_string()]);
        let setup = Setup::bundled().argument("--log-key").argument(at("log.key"));
        let setup = setup.argument("--checkpoint-seconds").argument("1");
        let setup = setup.argument("--tsa").argument(authority.url()).argument("--tsa-roots").argument(at("roots.pem"));
        let setup = setup.argument("--witness").argument(format!("{}#{}", witness.url(), witness.key()));
        let server = Server::start(more.iter().fold(setup, |setup, argument| setup.argument(*argument)));
        furnish(&server);
        let known = quiet(&server);
        Self { server, known, _outside: (authority, witness), _folder: folder }
    }

    fn options(&self) -> VerifyOptions {
        VerifyOptions { checkpoint: Some(self.known.clone()), ..VerifyOptions::default() }
    }

    /// After all that: it still records, and all of it is sound.
    fn goes_on(&self) {
        self.server.tenant().decide(None, "production", "Still here");
    }
}

/// Waits until the newest checkpoint covers the whole log and the witness has signed it; gives it.
fn quiet(server: &Server) -> Note {
    let begun = Instant::now();
    loop {
        let note = Note::parse(&server.anonymous().get("/v1/ledger/checkpoint").body).unwrap();
        let size = Checkpoint::parse(note.text()).unwrap().size;
        if note.signatures().len() == 2 && size == server.admin().entries() {
            return note;
        }
        assert!(begun.elapsed() < PATIENCE, "the host doesn't come to rest: {note}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// How many flips were made, of what, and what became of them.
#[derive(Debug, Default)]
struct Tally {
    found: BTreeMap<String, u32>,
    nothing: u32,
}

impl Tally {
    fn found(&self) -> u32 {
        self.found.values().sum()
    }

    fn tell(&self, what: &str, begun: Instant) {
        let Self { found, nothing } = self;
        let seconds = begun.elapsed().as_secs_f64();
        println!("{what}: {} bits flipped and found, {nothing} changed nothing, in {seconds:.0} s", self.found());
        let each: Vec<String> = found.iter().map(|(part, count)| format!("{part} {count}")).collect();
        println!("  {}", each.join(", "));
    }
}

/// Whether a fault names the row, as it was or as it is.
fn named(faults: &Faults, names: &[String]) -> bool {
    faults.first.iter().any(|fault| {
        let seq = fault.seq.map(|seq| seq.to_string());
        names.iter().any(|name| fault.record.contains(name) || seq.as_ref() == Some(name))
    })
}

/// How many bits are flipped: all of them take eight minutes, so it is an eighth unless `ASSIZE_SLOW=all`, and few where that is 0.
pub(crate) fn flips(all: u32) -> u32 {
    if std::env::var("ASSIZE_SLOW").is_ok_and(|slow| slow == "all") { all } else { rounds(all / 8, all / 50) }
}

#[test]
fn bits_flipped_beside_a_running_host_are_found() {
    let host = Host::start(&[]);
    let runtime = Runtime::new().unwrap();
    let mut dice = Dice::new();
    values(&host, &runtime, &mut dice, flips(6_000));
    bytes(&host, &runtime, &mut dice, flips(4_000));
    host.goes_on();
    assert_eq!(verify(host.server.data(), &[]).expect(0).json()["faults"]["count"], 0);
}

/// Bits of stored values: of any column of any table with the same chance, by somebody who takes the table's guard away.
fn values(host: &Host, runtime: &Runtime, dice: &mut Dice, flips: u32) {
    let (begun, mut tally) = (Instant::now(), Tally::default());
    let mut database = Database::beside(&host.server.data().join("assize.db"));
    let tables = database.tables();
    let rows: Vec<Vec<Cells>> = tables.iter().map(|table| database.all(table).unwrap()).collect();
    let reader = runtime.block_on(Store::open_read_only(host.server.data())).unwrap();
    let check = || runtime.block_on(reader.verify(host.options(), |_| {})).unwrap();
    let untouched = check();
    assert!(untouched.is_sound(), "{untouched:?}");
    // A table with many columns is taken more often.
    let columns = tables.iter().enumerate().flat_map(|(at, table)| vec![at; table.columns.len()]);
    let columns: Vec<usize> = columns.collect();
    while tally.found() < flips {
        let at = *dice.one_of(&columns);
        let table = &tables[at];
        // That the guard is gone is found each time, too, and doesn't count. What changes the schema makes everybody read it
        // again, so it is gone for a few flips.
        let guard = database.unguard(table);
        for _ in 0..BATCH {
            let (row, column) = (dice.one_of(&rows[at]), dice.below(table.columns.len()));
            if host.would_mend(&table.name, &table.columns[column], |name| text(table, row, name)) {
                continue;
            }
            let mut now = row.clone();
            now[column] = flipped(&row[column], dice);
            // Nothing to flip in what is empty; and a constraint may object: then it can't happen this way.
            if now[column] == row[column] || database.replace(table, row, column, &now[column]).is_err() {
                continue;
            }
            let what =
                || format!("{}.{}: {:?} became {:?}", table.name, table.columns[column], row[column], now[column]);
            // What is normalised away (−0.0, say) is no change.
            if database.stored(table, &now).unwrap().is_some_and(|stored| stored == *row) {
                tally.nothing += 1;
                continue;
            }
            let mut faults = check().faults;
            faults.first.retain(|fault| !fault.field.contains(&guard.name));
            assert!(!faults.first.is_empty(), "not found: {}", what());
            let called = |row: &[Cell]| names(&table.name, |name| text(table, row, name));
            assert!(named(&faults, &[called(row), called(&now)].concat()), "{}: {faults:?}", what());
            assert_eq!(database.replace(table, &now, column, &row[column]).unwrap(), 1, "{}", what());
            *tally.found.entry(table.name.clone()).or_default() += 1;
        }
        database.guard(&guard);
    }
    assert!(tables.iter().all(|table| tally.found.contains_key(&table.name) || flips < 1_000), "{tally:?}");
    let after = check();
    assert!(after.is_sound() && after.root == untouched.root, "{after:?}");
    runtime.block_on(reader.close());
    tally.tell("values in SQLite", begun);
}

/// Bits of the files, wherever they are: what isn't found must leave every row of every table as it was.
fn bytes(host: &Host, runtime: &Runtime, dice: &mut Dice, flips: u32) {
    let begun = Instant::now();
    let path = host.server.data().join("assize.db");
    // Some of the ledger is in the database's own file, and the newest of it in its write-ahead log.
    Database::beside(&path).execute("PRAGMA wal_checkpoint(TRUNCATE)");
    assert_eq!(fs::metadata(path.with_extension("db-wal")).unwrap().len(), 0);
    let tenant = host.server.tenant();
    for n in 0..20 {
        tenant.decide(None, "production", &format!("Hello again {n}"));
    }
    let known = quiet(&host.server);
    let options = || VerifyOptions { checkpoint: Some(known.clone()), ..VerifyOptions::default() };
    // A fresh look each time: a connection keeps the pages that it has read.
    let check = || -> Result<Report, StoreError> {
        runtime.block_on(async {
            let reader: Reader = Store::open_read_only(host.server.data()).await?;
            let report = reader.verify(options(), |_| {}).await;
            reader.close().await;
            report
        })
    };
    let contents = || -> Result<Vec<Vec<Cells>>, sqlx::Error> {
        let mut database = Database::beside(&path);
        let tables = database.tables();
        tables.iter().map(|table| database.all(table)).collect()
    };
    let original = contents().unwrap();
    assert!(check().unwrap().is_sound());
    let open = |path: PathBuf| {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let length = file.metadata().unwrap().len();
        (file, length)
    };
    // Kept open until nobody here needs SQLite's locks any more: closing a file gives up all of the process's on it.
    let (database, wal) = (open(path.clone()), open(path.with_extension("db-wal")));
    let mut tally = Tally::default();
    for _ in 0..flips {
        let at = dice.any() % (database.1 + wal.1);
        let (part, file, at) =
            if at < database.1 { ("database", &database.0, at) } else { ("log", &wal.0, at - database.1) };
        let (mut byte, bit) = ([0], dice.below(8));
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ (1 << bit)], at).unwrap();
        match check() {
            Ok(report) if report.is_sound() => {
                let what = format!("bit {bit} of byte {at} of the {part}");
                assert!(contents().is_ok_and(|now| now == original), "{what} changed a row unnoticed");
                tally.nothing += 1;
            }
            _ => *tally.found.entry(part.to_owned()).or_default() += 1,
        }
        file.write_all_at(&byte, at).unwrap();
    }
    assert!(check().unwrap().is_sound());
    assert_eq!(
        (open(path.clone()).1, open(path.with_extension("db-wal")).1),
        (database.1, wal.1),
        "the host was at rest"
    );
    assert!(contents().unwrap() == original);
    tally.tell("bytes of SQLite's files", begun);
}
