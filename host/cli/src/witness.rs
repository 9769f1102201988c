//! `assize witness`: signs that other logs only grow.

use std::net::SocketAddr;
use std::path::PathBuf;

use assize_ledger::VerifierKey;
use assize_server::{WitnessConfig, WitnessServer};

use crate::output::{self, Ended, LogFormat};
use crate::serve::{origin, stop_signal};

/// Run a witness: it signs a log's checkpoint when that extends the one it signed last, and no other.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory of its key and of what it saw; made where it isn't there
    #[arg(long, default_value = "assize-witness", value_name = "DIR")]
    data: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8788", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Its name beside its signatures: a domain and a path of yours, e.g. example.org/witness
    #[arg(long, value_name = "NAME", value_parser = origin)]
    name: String,
    /// Key of a log to sign for (name+id+base64); give it again for each log, and for each new key of one
    #[arg(long = "log", value_name = "KEY", required = true)]
    logs: Vec<VerifierKey>,
    /// How log lines are written to stderr
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
}

/// Serves until it is told to stop.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Ended> {
    let Arguments { data, listen, name, logs, log_format } = arguments;
    output::log(log_format, "info")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let witness = WitnessServer::open(WitnessConfig { data, listen, name, logs }).await?;
        output::line(format_args!("key: {}", witness.key()))?;
        output::line(format_args!("listening on http://{}", witness.address()))?;
        witness.run(stop).await;
        Ok(Ended::Fine)
    })
}
