//! `cargo xtask …`, see the crate's page.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::steps::{cargo, run, timed, workspace};
use xtask::{Build, Dist, Guests, build_kits, demo, dist, evidence, kits, packages, profile};

/// What the project does with itself.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    #[command(flatten)]
    Do(Do),
}

#[derive(Debug, Subcommand)]
enum Do {
    /// Build the binary as it is shipped and pack the plugins: target/dist
    Dist,
    /// Build the plugins and test guests in other languages alone, and run their own tests: target/dist/kits
    Kits,
    /// Build, start a server on ./assize-data, judge real cases, replay one, verify the ledger, stay up
    Demo {
        /// End after the show instead of staying up
        #[arg(long)]
        exit: bool,
    },
    /// Run all tests: format, lints, unit, property, end-to-end and doc tests
    Test {
        /// Leave out the slow suites' many rounds
        #[arg(long)]
        quick: bool,
    },
    /// Hold the engine against the specification, and the publish path against components that nobody wrote
    Spec {
        /// Run the .wast files in this folder, too: say what passes
        #[arg(long, value_name = "FOLDER")]
        wast: Option<PathBuf>,
        /// How many components of each sort
        #[arg(long)]
        components: Option<u32>,
    },
    /// Feed what reads strangers' bytes with bytes that nobody chose
    Fuzz {
        /// For so long, each target
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// Record how the product runs, for builds of it to be laid out by: xtask/profiles
    Profile,
    /// Measure the budgets and print goal, measured and ratio
    Bench {
        /// A few seconds instead of a minute
        #[arg(long)]
        short: bool,
        /// A log of ten million entries, too: it takes some minutes, and 20 GB of disk
        #[arg(long)]
        large: bool,
        /// Write the figures there, too
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Task::Do(task) = Task::parse();
    let done = match task {
        Do::Dist => {
            timed("dist", || dist(Guests::All, Build::Product).map(|dist| println!("in {}", dist.folder().display())))
        }
        Do::Kits => timed("kits", || build_kits().and_then(|dist| kits::test(&dist))),
        Do::Demo { exit } => {
            timed("dist", || dist(Guests::Plain, Build::Quick)).and_then(|dist| demo::run(&dist, exit))
        }
        Do::Test { quick } => test(quick),
        Do::Spec { wast, components } => evidence::spec(wast.as_deref(), components),
        Do::Fuzz { seconds } => evidence::fuzz(seconds),
        Do::Profile => profile::record(),
        Do::Bench { short, large, json } => {
            timed("dist", || dist(Guests::Plain, Build::Measured)).and_then(|dist| bench(&dist, short, large, json))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn test(quick: bool) -> anyhow::Result<()> {
    let step = |name: &str, arguments: &[&str]| {
        timed(name, || {
            let mut command = cargo();
            command.args(arguments);
            if quick {
                command.env("ASSIZE_SLOW", "0");
            }
            run(&mut command)
        })
    };
    step("format", &["fmt", "--all", "--check"])?;
    timed("packages", packages::install)?;
    let dist = timed("dist", || dist(Guests::All, Build::Quick))?;
    timed("kits", || kits::test(&dist))?;
    step("lints", &["clippy", "--workspace", "--all-targets", "--release", "--", "-D", "warnings"])?;
    // Doc tests run with it, after the others. One failure doesn't hide the next.
    step("tests", &["test", "--workspace", "--release", "--no-fail-fast"])
}

fn bench(dist: &Dist, short: bool, large: bool, json: Option<PathBuf>) -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["bench", "--profile", "product", "--workspace", "--bench", "budgets"]);
    if let Some(told) = profile::kept_profile()? {
        told.tell(&mut command);
    }
    command.args(["--", "--dist"]).arg(dist.folder());
    if short {
        command.arg("--short");
    }
    if large {
        command.arg("--large");
    }
    if let Some(file) = json {
        // The benchmark runs elsewhere than we do.
        command.arg("--json").arg(std::path::absolute(file)?);
    }
    timed("bench", || run(command.current_dir(workspace())))
}
