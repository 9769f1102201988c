//! Witnesses' signatures against the checkpoints that they are over.

use assize_ledger::{Fault, Note, NoteSignature, Report, VerifierKey};

use crate::db::query;
use crate::read::Reader;
use crate::record::Cell;

impl Reader {
    /// Every cosignature verifies with the key that is kept beside it. Whether that key is a witness to be trusted is for
    /// those to say who know it.
    pub(super) async fn check_cosignatures(&self, report: &mut Report) {
        let sql = "SELECT s.size, s.key, s.line, c.note FROM cosignatures s LEFT JOIN checkpoints c ON c.size = s.size \
                   ORDER BY s.size, s.key";
        let rows = match query(sql).fetch_all(&self.pool).await {
            Ok(rows) => rows,
            Err(error) => {
                report.faults.push(Fault::new(None, "table cosignatures", "rows", error, "readable rows"));
                return;
            }
        };
        for row in rows {
            let cells = row.into_cells();
            let name = cells.iter().take(2).map(ToString::to_string).collect::<Vec<_>>().join(" by ");
            let name = format!("cosignature of {name}");
            match cells.as_slice() {
                [_, Cell::Text(key), Cell::Text(line), Cell::Blob(note)] => match verify(key, line, note) {
                    Ok(()) => report.cosignatures += 1,
                    Err(error) => report.faults.push(Fault::new(None, name, "key or line", error, "a signature")),
                },
                _ => report.faults.push(Fault::new(None, name, "size, key, line", "other values", "a signature line")),
            }
        }
    }
}

fn verify(key: &str, line: &str, note: &[u8]) -> Result<(), String> {
    let parsed: VerifierKey = key.parse().map_err(|error: assize_ledger::KeyError| error.to_string())?;
    let signature = NoteSignature::parse(line).map_err(|error| error.to_string())?;
    // One way to write each, or an altered one could still be right.
    if parsed.to_string() != key || signature.to_string() != line {
        return Err("another way to write it".into());
    }
    let mut note = Note::parse(note).map_err(|error| error.to_string())?;
    note.add(signature);
    note.verify(&parsed).map(drop).map_err(|error| error.to_string())
}
