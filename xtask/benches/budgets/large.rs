//! A log of ten million entries, which takes minutes to make: only where it is asked for.

use std::time::Instant;

use assize_store::{Reader, Store};

use crate::figures::{Figures, Goal, quantile};
use crate::inside::{Sample, fill, proofs};

const ENTRIES: u64 = 10_000_000;
/// As many as a group can hold, twice: the next one is there when one is done.
const CALLERS: u64 = 512;

/// Proofs from it, by somebody who has just opened it.
pub(crate) fn measure(figures: &mut Figures) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let directory = tempfile::tempdir()?;
        let store = Store::open(directory.path(), "benchmark").await?;
        let small = Sample { input: b"{}".as_slice().into(), record: b"{}".as_slice().into() };
        let started = Instant::now();
        let rate = fill(&store, ENTRIES, CALLERS, &small, move |done| {
            if done.is_multiple_of(500_000) {
                println!("  {done} of {ENTRIES} decisions recorded after {:.0} s", started.elapsed().as_secs_f64());
            }
        });
        let rate = rate.await?;
        store.close().await;
        figures.add(format!("ledger append, {ENTRIES} small decisions"), "decisions/s", Goal::None, rate);

        let reader: Reader = Store::open_read_only(directory.path()).await?;
        let size = reader.head().await?.map_or(0, |head| head.size);
        let before = resident();
        let waits = proofs(&reader, size).await?;
        let what = format!("inclusion proof from stored nodes, {size} entries, p50");
        figures.add(what, "µs", Goal::AtMost(1_000.0), quantile(&waits, 50));
        figures.add("  p99", "µs", Goal::None, quantile(&waits, 99));
        if let (Some(before), Some(after)) = (before, resident()) {
            figures.add("  memory that the proofs took", "MB", Goal::None, after - before);
        }
        reader.close().await;
        Ok(())
    })
}

/// Resident memory of this process.
fn resident() -> Option<f64> {
    crate::served::resident_megabytes(std::process::id())
}
