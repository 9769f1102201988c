//! Checkpoints kept elsewhere: in a file that only grows (on a disk that others hold), or at an address.

use std::io::Write as _;
use std::path::Path;

use super::{Anchor, Tries, http};
use crate::app::SharedApp;

/// Brings the newest checkpoint there, period after period.
pub(super) async fn run(app: SharedApp, anchor: Anchor) {
    let name = match &anchor {
        Anchor::File(path) => path.display().to_string(),
        Anchor::Url(url) => url.clone(),
    };
    let mut tries = Tries::new(format!("anchor {name}"), app.config.outside.period);
    let mut anchored = 0;
    loop {
        let outcome = bring(&app, &anchor, &mut anchored).await;
        tries.settle(&app, outcome).await;
    }
}

async fn bring(app: &SharedApp, anchor: &Anchor, anchored: &mut u64) -> Result<(), String> {
    let head = app.store.head().await.map_err(|error| error.to_string())?.map_or(0, |head| head.size);
    let signed = app.signer.covering(head).await.map_err(|error| error.to_string())?;
    if signed.size == *anchored {
        return Ok(());
    }
    match anchor {
        Anchor::File(path) => append(path, &signed.note).map_err(|error| format!("{}: {error}", path.display()))?,
        Anchor::Url(url) => {
            let body = signed.note.clone().into_bytes();
            let (status, _) = http::post(url, "text/plain; charset=utf-8", body).await?;
            if !(200..300).contains(&status) {
                return Err(format!("{url}: answered {status}, expected 200"));
            }
        }
    }
    *anchored = signed.size;
    Ok(())
}

/// Adds a checkpoint and an empty line, durably.
fn append(path: &Path, note: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::options().create(true).append(true).open(path)?;
    // In one write, so that what was there isn't torn by ours.
    file.write_all(format!("{note}\n").as_bytes())?;
    file.sync_all()
}
