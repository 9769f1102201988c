//! Witnesses' signatures over checkpoints (C2SP tlog-witness).

use std::time::Duration;

use assize_ledger::{AddCheckpoint, Note, NoteSignature};

use super::{Tries, Witness, http};
use crate::app::SharedApp;

/// How often it is looked whether there is a new checkpoint.
const LOOK: Duration = Duration::from_secs(1);

/// Has each new checkpoint signed.
pub(super) async fn run(app: SharedApp, witness: Witness) {
    let mut tries = Tries::new(format!("signature of {}", witness.key.name()), LOOK);
    loop {
        let outcome = cosign(&app, &witness).await;
        tries.settle(&app, outcome).await;
    }
}

/// Brings the newest checkpoint to the witness, unless that one or a later one was there before, from this host or another. What the
/// witness says that it saw is taken for this once: an answer that isn't so must not keep it from being asked again.
async fn cosign(app: &SharedApp, witness: &Witness) -> Result<(), String> {
    let signed = app.signer.newest().await.map_err(|error| error.to_string())?;
    let mut old = app.store.cosigned_by(&witness.key.to_string()).await.map_err(|error| error.to_string())?;
    if old >= signed.size {
        return Ok(());
    }
    let note = Note::parse(signed.note.as_bytes()).map_err(|error| error.to_string())?;
    // The witness may have seen more than we know of, or less: then it says so, and is asked once more.
    for _ in 0..2 {
        if old > signed.size {
            return Err(format!(
                "{} saw {old} entries, and the log's newest checkpoint has {}: was the database put back?",
                witness.key.name(),
                signed.size
            ));
        }
        let proof = match old {
            0 => Vec::new(),
            old if old == signed.size => Vec::new(),
            old => app.store.consistency_proof(old, signed.size).await.map_err(|error| error.to_string())?,
        };
        let request = AddCheckpoint { old, proof, note: note.clone() };
        let url = format!("{}/add-checkpoint", witness.url.trim_end_matches('/'));
        let (status, body) = http::post(&url, "text/plain; charset=utf-8", request.to_body().into_bytes()).await?;
        let text = String::from_utf8_lossy(&body);
        match status {
            200 => return keep(app, witness, note, signed.size, &text).await,
            409 => {
                let size = text.trim().parse::<u64>().map_err(|_| format!("{url}: answered 409 without a size"))?;
                if size == old {
                    return Err(format!("{url}: saw another log of {size} entries: this one was forked, or its"));
                }
                old = size;
            }
            _ => {
                let said: String = text.chars().take(200).collect();
                return Err(format!("{url}: answered {status}, expected 200: {said:?}"));
            }
        }
    }
    Err(format!("{}: doesn't agree with itself about what it saw last", witness.url))
}

async fn keep(app: &SharedApp, witness: &Witness, mut note: Note, size: u64, lines: &str) -> Result<(), String> {
    let parsed = lines.lines().filter_map(|line| NoteSignature::parse(line).ok());
    let signature = parsed.into_iter().find(|line| line.is_by(&witness.key));
    let signature = signature.ok_or_else(|| format!("{}: answered without a signature of its key", witness.url))?;
    let line = signature.to_string();
    note.add(signature);
    let time = note.verify(&witness.key).map_err(|error| format!("{}: {error}", witness.url))?;
    app.store.put_cosignature(size, witness.key.to_string(), line).await.map_err(|error| error.to_string())?;
    tracing::info!(witness = witness.key.name(), size, time = ?time, "a checkpoint was signed by a witness");
    Ok(())
}
