//! `assize plugin new`, `build`, `test`, `bench`, `check`: from nothing to a package that a host would take, on its author's
//! machine, without a server.
//!
//! What judges here is what judges in a host: packages are made and inspected by `assize_registry`, admitted by
//! `assize_server::fit`, asked by `assize_kernel::ask_alone`. What is here is only what stands around: projects, the languages'
//! compilers, fixtures, and how all of it is shown.

mod bench;
mod build;
mod check;
mod expectation;
mod fixture;
mod junit;
mod kit;
mod language;
mod measure;
mod new;
mod project;
mod rehearse;
mod test;
mod watch;

use crate::output::Ended;

/// For authors of plugins.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Author {
    /// Make a project folder of a language's template
    New(new::Arguments),
    /// Build and pack a project; installs nothing
    Build(build::Arguments),
    /// Run the fixtures of a project or package in the real sandbox
    Test(test::Arguments),
    /// Measure a project or package: size, compiling, starting, calling, fuel, memory
    Bench(bench::Arguments),
    /// Find out whether a host would take it, and whether it judges alike whatever happens around it
    Check(check::Arguments),
    /// Judge fixtures, and write what is recorded of each: what `check` has done in a process of its own
    #[command(hide = true)]
    Rehearse(rehearse::Arguments),
}

impl Author {
    pub(crate) fn run(self, json: bool) -> anyhow::Result<Ended> {
        match self {
            Self::New(arguments) => new::run(&arguments, json),
            Self::Build(arguments) => build::run(&arguments, json),
            Self::Test(arguments) => test::run(&arguments, json),
            Self::Bench(arguments) => bench::run(&arguments, json),
            Self::Check(arguments) => check::run(&arguments, json),
            Self::Rehearse(arguments) => rehearse::run(&arguments),
        }
    }
}
