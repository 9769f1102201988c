//! The `assize` binary: a server, and everything that people and scripts ask of it.
//!
//! One file a command group. Commands that work on a server go through [`client`]; `ledger`, `replay`, `simulate`, `in-force`,
//! `explain`, `compare` and `bundle create` also work on a data directory, beside a running server or without one;
//! `plugin pack`, `plugin inspect`, `plugin keygen`, `plugin sign`, `evaluate` and `bundle verify` need neither.
//!
//! Exit codes: 0 fine, 1 a check failed or a request was refused, 2 usage.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts that people read in a terminal")]

mod bundle;
mod client;
mod compare;
mod compiled;
mod decide;
mod erase;
mod evaluate;
mod explain;
mod export;
mod in_force;
mod key;
mod ledger;
mod output;
mod place;
mod plugin;
mod policy;
mod progress;
mod publisher;
mod re_evaluate;
mod replay;
mod serve;
mod simulate;
mod system;
mod witness;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use client::Connection;
use output::{Ended, Usage};

/// A decision makes and frees hundreds of small blocks on several threads: with the system's allocator, 12 % of a loaded
/// server's time went there. (mimalloc's version 2: version 3 was no faster. Without transparent huge pages: with them, an idle
/// server with 50 plugins held 111 MB instead of 70, and nothing was faster.)
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Judges cases with WebAssembly plugins, and keeps a record of every judgment that anyone can check and try again.
#[derive(Debug, Parser)]
#[command(name = "assize", version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it, once")]
enum Command {
    /// Start the server
    Serve(serve::Arguments),
    /// Run a witness: sign that other logs only grow
    Witness(witness::Arguments),
    /// Have a case judged
    Decide(decide::Arguments),
    /// Make, look into, publish and list packages
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Say who publishes in a namespace, and which keys sign there
    #[command(subcommand)]
    Publisher(publisher::Command),
    /// Read and replace policies
    #[command(subcommand)]
    Policy(policy::Command),
    /// Show which rules held on a day, by what was known on a day
    InForce(in_force::Arguments),
    /// Register AI systems, stop and resume them
    #[command(subcommand)]
    System(system::Command),
    /// Check and read what was recorded
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Write a part of the ledger to a file that can be checked without a server
    Export(export::Arguments),
    /// One decision in one file, to be checked and judged again by whoever holds it
    #[command(subcommand)]
    Bundle(bundle::Command),
    /// Erase inputs and records, with the legal basis; their entries and proofs stay
    Erase(erase::Erase),
    /// Show or change how long inputs and records are kept
    Retention(erase::Retention),
    /// Judge recorded cases again with the same plugins, and compare
    Replay(replay::Arguments),
    /// Show what another version, policy or date would have changed, without touching history
    Simulate(simulate::Arguments),
    /// Say why a decision came out as it did
    Explain(explain::Arguments),
    /// Say why two decisions came out differently, by trying out what makes the difference
    Compare(compare::Arguments),
    /// Rule the case of a decision anew, by what is in force now; the earlier one stays
    ReEvaluate(re_evaluate::Arguments),
    /// Make and revoke API keys
    #[command(subcommand)]
    Key(key::Command),
    /// Measure a risk agent on labelled prompts, in the real sandbox
    Evaluate(evaluate::Arguments),
    /// Compile the component on the standard input to native code for this machine: what the server has done beside it
    #[command(hide = true)]
    Compile,
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let error = match run(arguments) {
        Ok(Ended::Fine) => return ExitCode::SUCCESS,
        Ok(Ended::Failed) => return ExitCode::from(1),
        Err(error) => error,
    };
    // Whoever reads our output has read enough.
    if output::is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    // Nobody is left to be told if this fails.
    let _ = writeln!(io::stderr(), "error: {}", output::clean_lines(&format!("{error:#}")));
    ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
}

fn run(arguments: Arguments) -> anyhow::Result<Ended> {
    let Arguments { connection, json, command } = arguments;
    let command = match command {
        Command::Serve(arguments) => return serve::run(arguments),
        Command::Witness(arguments) => return witness::run(arguments),
        other => other,
    };
    output::log(output::LogFormat::Text, "warn")?;
    match command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Witness(arguments) => witness::run(arguments),
        Command::Decide(arguments) => decide::run(arguments, &connection, json),
        Command::Plugin(command) => plugin::run(command, &connection, json),
        Command::Publisher(command) => publisher::run(command, &connection, json),
        Command::Policy(command) => policy::run(command, &connection, json),
        Command::InForce(arguments) => in_force::run(&arguments, &connection, json),
        Command::System(command) => system::run(command, &connection, json),
        Command::Ledger(command) => ledger::run(command, &connection, json),
        Command::Export(arguments) => export::run(&arguments, &connection, json),
        Command::Bundle(command) => bundle::run(command, &connection, json),
        Command::Erase(arguments) => erase::erase(&arguments, &connection, json),
        Command::Retention(arguments) => erase::retention(&arguments, &connection, json),
        Command::Replay(arguments) => replay::run(&arguments, &connection, json),
        Command::Simulate(arguments) => simulate::run(&arguments, &connection, json),
        Command::Explain(arguments) => explain::run(&arguments, &connection, json),
        Command::Compare(arguments) => compare::run(&arguments, &connection, json),
        Command::ReEvaluate(arguments) => re_evaluate::run(&arguments, &connection, json),
        Command::Key(command) => key::run(command, &connection, json),
        Command::Evaluate(arguments) => evaluate::run(&arguments, json),
        Command::Compile => compiled::run(),
        Command::Completions { shell } => {
            // `generate` panics where it can't write: let it write to memory.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "assize", &mut script);
            io::stdout().lock().write_all(&script)?;
            Ok(Ended::Fine)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
