//! Measures the budgets: `cargo xtask bench`. Goals are those of the design; what is measured is the shipped binary over
//! HTTP, and the crates inside it. The load generator shares the machine's cores with the server.
//!
//! It fails only where it can't run: how good a figure is, is for people to judge.
#![allow(clippy::print_stdout, reason = "a benchmark reports by printing")]

mod again;
mod evidence;
mod figures;
mod inside;
mod languages;
mod large;
mod load;
#[allow(dead_code, clippy::unwrap_used, reason = "the server that the store's tests start")]
#[path = "../../../host/store/tests/common/postgres.rs"]
mod postgres;
mod served;
mod starting;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use xtask::Dist;

/// The product's: what is measured inside this process is measured as it is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the budgets.
#[derive(Debug, Parser)]
struct Arguments {
    /// What `cargo xtask dist` left
    #[arg(long)]
    dist: PathBuf,
    /// A few seconds instead of a minute
    #[arg(long)]
    short: bool,
    /// A log of ten million entries, too: it takes some minutes, and 20 GB of disk
    #[arg(long)]
    large: bool,
    /// Write the figures there, too
    #[arg(long)]
    json: Option<PathBuf>,
    /// What cargo tells every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a row says that needs PostgreSQL, where there is none.
pub(crate) const ABSENT: &str = "PostgreSQL isn't installed";

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Of each load over HTTP.
    pub(crate) load: Duration,
    /// Calls of each loop in process.
    pub(crate) calls: u32,
    /// Decisions that are appended.
    pub(crate) appends: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let dist = Dist::at(arguments.dist);
    let effort = if arguments.short {
        Effort { load: Duration::from_secs(2), calls: 5_000, appends: 20_000 }
    } else {
        Effort { load: Duration::from_secs(15), calls: 50_000, appends: 200_000 }
    };
    let mut figures = figures::Figures::default();
    let data = tempfile::tempdir().context("no temporary directory")?;
    served::measure(&dist, data.path(), effort, &mut figures)?;
    starting::measure(&dist, &mut figures)?;
    languages::measure(&dist, &mut figures)?;
    // As it is installed: every commit is on the disk.
    let postgres = postgres::Server::start(&[]);
    evidence::measure(&dist, postgres.as_ref(), effort, &mut figures)?;
    inside::measure(&dist, data.path(), postgres.as_ref(), effort, &mut figures)?;
    if arguments.large {
        large::measure(&mut figures)?;
    }
    println!("\n{}", figures.table());
    println!("A ratio of 1 or more meets the goal. Everything ran on the {} cores of this machine.", figures::cores());
    if let Some(file) = arguments.json {
        std::fs::write(&file, figures.json()?).with_context(|| format!("{} can't be written", file.display()))?;
    }
    Ok(())
}
