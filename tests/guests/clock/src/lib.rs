//! A risk agent that asks for time and randomness, as guests of other languages do. Built for `wasm32-wasip2`, it imports WASI; the
//! sandbox's tests run it to show that what it is given is the same at every replay: the clock is the case's, and random bytes
//! follow from the case.

use assize_sdk::{Assessment, Case, Failure, risk_agent};
use serde::Deserialize;
use serde_json::json;
use std::hash::{BuildHasher, RandomState};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// There is nothing to set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {}

/// The answer's attributes: `milliseconds` since the Unix epoch by the wall clock, `elapsed_nanoseconds` between two readings of
/// the monotonic clock, `random` (a hash under a random key, in hexadecimal), and how many environment variables and arguments
/// there are.
fn assess(_: &Settings, _: &Case) -> Result<Assessment, Failure> {
    let start = Instant::now();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| Failure::Internal(error.to_string()))?;
    let random = RandomState::new().hash_one(0_u8);
    println!("a line on standard output");
    let attributes = json!({
        "milliseconds": u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        "elapsed_nanoseconds": u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX),
        "random": format!("{random:016x}"),
        "environment": std::env::vars().count(),
        "arguments": std::env::args().count(),
    });
    Ok(Assessment::from_findings(Vec::new(), 1.0).with_attributes(&attributes))
}

risk_agent!(assess, Settings);

#[cfg(test)]
mod tests {
    use super::Plugin;

    #[test]
    fn fixtures_hold() {
        assize_sdk::testing::risk_agent::<Plugin>(env!("CARGO_MANIFEST_DIR"));
    }
}
