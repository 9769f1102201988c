//! Time stamps over checkpoints (RFC 3161).

use std::collections::BTreeMap;

use assize_ledger::timestamp::{Query, accept};
use assize_ledger::{Digest, Note, Timestamp};
use assize_store::{Change, ChangeDraft};

use super::{Authority, Tries, http};
use crate::app::SharedApp;
use crate::pipeline::details;

/// Has the newest checkpoint stamped, period after period.
pub(super) async fn run(app: SharedApp, authority: Authority) {
    let mut tries = Tries::new(format!("time stamp of {}", authority.url), app.config.outside.period);
    loop {
        let outcome = stamp(&app, &authority).await;
        tries.settle(&app, outcome).await;
    }
}

async fn stamp(app: &SharedApp, authority: &Authority) -> Result<(), String> {
    // All that was recorded until now, not until the last scheduled checkpoint.
    let head = app.store.head().await.map_err(|error| error.to_string())?.map_or(0, |head| head.size);
    let signed = app.signer.covering(head).await.map_err(|error| error.to_string())?;
    let note = Note::parse(signed.note.as_bytes()).map_err(|error| error.to_string())?;
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
    let query = Query::new(Digest::of(note.text().as_bytes()), u64::from_be_bytes(nonce));
    let body = query.to_der().map_err(|error| error.to_string())?;
    let (status, answer) = http::post(&authority.url, Query::MEDIA_TYPE, body).await?;
    if status != 200 {
        return Err(format!("{}: answered {status}, expected 200", authority.url));
    }
    let accepted = accept(&answer, &query, &authority.trust).map_err(|error| format!("{}: {error}", authority.url))?;
    let stamp = accepted.stamp;
    let draft = ChangeDraft {
        tenant: None,
        time: Timestamp::now(),
        details: details([
            ("size", &signed.size.to_string()),
            ("gen_time", &stamp.gen_time.to_string()),
            ("serial", &stamp.serial),
            ("policy", &stamp.policy),
            ("signer", &stamp.signer.to_string()),
        ]),
        confidential: BTreeMap::new(),
        input: None,
        change: Change::Stamp {
            authority: authority.url.clone(),
            size: signed.size,
            gen_time: stamp.gen_time,
            token: accepted.token,
        },
    };
    app.store.change(draft).await.map_err(|error| error.to_string())?;
    tracing::info!(authority = authority.url, size = signed.size, time = %stamp.gen_time, "a checkpoint was stamped");
    Ok(())
}
