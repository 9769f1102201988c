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
    let mut seen = match app.store.cosigned_by(&witness.key.to_string()).await {
        Ok(size) => size,
        Err(error) => {
            tracing::error!(%error, "what witnesses signed before can't be read: asking them");
            0
        }
    };
    loop {
        let outcome = cosign(&app, &witness, &mut seen).await;
        tries.settle(&app, outcome).await;
    }
}

/// Brings the newest checkpoint to the witness, unless it was there before. `seen` is the size that the witness saw last.
async fn cosign(app: &SharedApp, witness: &Witness, seen: &mut u64) -> Result<(), String> {
    let signed = app.signer.newest().await.map_err(|error| error.to_string())?;
    if signed.size == *seen && app.store.cosigned_by(&witness.key.to_string()).await.is_ok_and(|size| size == *seen) {
        return Ok(());
    }
    let note = Note::parse(signed.note.as_bytes()).map_err(|error| error.to_string())?;
    // The witness may have seen more than we know of, or less: then it says so, and is asked once more.
    for _ in 0..2 {
        if *seen > signed.size {
            return Err(format!(
                "{} saw {seen} entries, and the log's newest checkpoint has {}: was the database put back?",
                witness.key.name(),
                signed.size
            ));
        }
        let proof = match *seen {
            0 => Vec::new(),
            old if old == signed.size => Vec::new(),
            old => app.store.consistency_proof(old, signed.size).await.map_err(|error| error.to_string())?,
        };
        let request = AddCheckpoint { old: *seen, proof, note: note.clone() };
        let url = format!("{}/add-checkpoint", witness.url.trim_end_matches('/'));
        let (status, body) = http::post(&url, "text/plain; charset=utf-8", request.to_body().into_bytes()).await?;
        let text = String::from_utf8_lossy(&body);
        match status {
            200 => return keep(app, witness, note, signed.size, &text).await.map(|()| *seen = signed.size),
            409 => {
                let size = text.trim().parse::<u64>().map_err(|_| format!("{url}: answered 409 without a size"))?;
                if size == *seen {
                    return Err(format!("{url}: saw another log of {size} entries: this one was forked, or its"));
                }
                *seen = size;
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
