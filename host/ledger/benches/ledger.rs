//! How fast entries are appended to a chain and checked, without a store.

use std::hint::black_box;

use assize_ledger::{Digest, Draft, EntryKind, EntryRef, Head, Start, StoredEntry, Timestamp, Verifier};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const ENTRIES: u64 = 65_536;
/// The facts of a decision with five plugins are about this long.
const FACTS: usize = 900;

struct Stored {
    seq: u64,
    bytes: Vec<u8>,
    hash: Digest,
}

impl StoredEntry for Stored {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn hash(&self) -> &[u8] {
        self.hash.as_bytes()
    }
}

fn draft(facts: usize) -> Draft {
    Draft {
        kind: EntryKind::Decision,
        subject: "01890a5d-ac96-774b-bcce-b302099a8057".into(),
        time: Timestamp::default(),
        facts: vec![b'x'; facts],
        input: None,
        record: None,
    }
}

fn log(facts: usize) -> Vec<Stored> {
    let mut head = Head::new("bench");
    let entry = |_| {
        let sealed = head.append(draft(facts)).ok()?;
        Some(Stored { seq: sealed.seq, bytes: sealed.bytes, hash: sealed.hash })
    };
    (0..ENTRIES).filter_map(entry).collect()
}

fn ledger(c: &mut Criterion) {
    let mut group = c.benchmark_group("ledger");
    group.throughput(Throughput::Elements(256)).bench_function("append 256", |bench| {
        bench.iter_batched(
            || (Head::new("bench"), vec![draft(FACTS); 256]),
            |(mut head, drafts)| drafts.into_iter().for_each(|draft| drop(black_box(head.append(draft)))),
            BatchSize::SmallInput,
        );
    });
    group.sample_size(10).throughput(Throughput::Elements(ENTRIES));
    for facts in [200, FACTS] {
        let log = log(facts);
        group.bench_function(format!("verify, {facts} B of facts"), |bench| {
            bench.iter(|| {
                let mut verifier = Verifier::new(Start::Genesis, None);
                for batch in log.chunks(8_192) {
                    verifier.batch(batch, None, |_, _: &EntryRef<'_>, _| {}, |_, _, _| {});
                }
                let report = verifier.finish();
                assert!(report.is_sound());
                report
            });
        });
    }
    group.finish();
}

criterion_group!(benches, ledger);
criterion_main!(benches);
