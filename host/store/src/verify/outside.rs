//! What others outside signed, against the checkpoints that it is over. What they say of a checkpoint counts where that was
//! compared with the tree and is sound: of any other, they confirm something else than what was checked.

use assize_ledger::timestamp::{Trust, verify};
use assize_ledger::{Digest, Fault, Note, NoteSignature, Outside, Report, Timestamp, VerifierKey};

use crate::db::{Row, query};
use crate::read::Reader;
use crate::record::Cell;

impl Reader {
    /// Every cosignature verifies with the key that is kept beside it. Whether that key is a witness to be trusted is for
    /// those to say who know it.
    pub(super) async fn check_cosignatures(&self, witnesses: &[VerifierKey], sound: &[u64], report: &mut Report) {
        let sql = "SELECT s.size, s.key, s.line, c.note FROM cosignatures s LEFT JOIN checkpoints c ON c.size = s.size \
                   ORDER BY s.size, s.key";
        for cells in self.all(sql, "cosignatures", report).await {
            let name = cells.iter().take(2).map(ToString::to_string).collect::<Vec<_>>().join(" by ");
            let name = format!("cosignature of {name}");
            match cells.as_slice() {
                [Cell::Int(size), Cell::Text(key), Cell::Text(line), Cell::Blob(note)] => {
                    match cosignature(key, line, note) {
                        Ok((key, time)) => {
                            report.cosignatures += 1;
                            if let (true, Some(time)) = (witnesses.contains(&key), time) {
                                let by = format!("witness {}", key.name());
                                let size = u64::try_from(*size).unwrap_or_default();
                                keep(report, sound, Outside { by, time, size });
                            }
                        }
                        Err(error) => report.faults.push(Fault::new(None, name, "key or line", error, "a signature")),
                    }
                }
                _ => report.faults.push(Fault::new(None, name, "size, key, line", "other values", "a signature line")),
            }
        }
    }

    /// Every time stamp is one of a believed authority over the checkpoint that its row names, and says the time that its row
    /// has. (That the row is as its entry tells is checked with the other changes.)
    pub(super) async fn check_stamps(&self, trust: Option<&Trust>, sound: &[u64], report: &mut Report) {
        let sql = "SELECT s.seq, s.authority, s.size, s.gen_time, s.token, c.note FROM stamps s \
                   LEFT JOIN checkpoints c ON c.size = s.size ORDER BY s.seq";
        let rows = self.all(sql, "stamps", report).await;
        let Some(trust) = trust else {
            if !rows.is_empty() {
                let count = rows.len();
                report.notes.push(format!("{count} time stamps weren't checked: no root certificates were given"));
            }
            return;
        };
        for cells in rows {
            let [Cell::Int(seq), Cell::Text(authority), Cell::Int(size), Cell::Int(gen_time), Cell::Blob(token), note] =
                cells.as_slice()
            else {
                // Other types are found by the comparison with the entry's record.
                continue;
            };
            let seq = u64::try_from(*seq).unwrap_or_default();
            let name = format!("time stamp of {authority:?} for size {size}");
            let Cell::Blob(note) = note else {
                report.faults.push(Fault::new(seq, name, "size", "no checkpoint", "a checkpoint of that size"));
                continue;
            };
            let imprint = Note::parse(note).map_or(Digest::ZERO, |note| Digest::of(note.text().as_bytes()));
            match verify(token, imprint, trust) {
                Ok(stamp) => {
                    report.stamps += 1;
                    if i64::try_from(stamp.gen_time.as_millis()) != Ok(*gen_time) {
                        report.faults.push(Fault::new(seq, &name, "gen_time", gen_time, stamp.gen_time));
                    }
                    let size = u64::try_from(*size).unwrap_or_default();
                    let by = format!("authority {authority} ({})", stamp.authority);
                    keep(report, sound, Outside { by, time: stamp.gen_time, size });
                }
                Err(error) => report.faults.push(Fault::new(seq, name, "token", error, "a time stamp")),
            }
        }
    }

    async fn all(&self, sql: &'static str, table: &str, report: &mut Report) -> Vec<Vec<Cell>> {
        match query(sql).fetch_all(&self.pool).await {
            Ok(rows) => rows.into_iter().map(Row::into_cells).collect(),
            Err(error) => {
                report.faults.push(Fault::new(None, format_args!("table {table}"), "rows", error, "readable rows"));
                Vec::new()
            }
        }
    }
}

fn keep(report: &mut Report, sound: &[u64], outside: Outside) {
    if sound.binary_search(&outside.size).is_ok() {
        Outside::keep(&mut report.outside, outside);
    }
}

fn cosignature(key: &str, line: &str, note: &[u8]) -> Result<(VerifierKey, Option<Timestamp>), String> {
    let parsed: VerifierKey = key.parse().map_err(|error: assize_ledger::KeyError| error.to_string())?;
    let signature = NoteSignature::parse(line).map_err(|error| error.to_string())?;
    // One way to write each, or an altered one could still be right.
    if parsed.to_string() != key || signature.to_string() != line {
        return Err("another way to write it".into());
    }
    let mut note = Note::parse(note).map_err(|error| error.to_string())?;
    note.add(signature);
    let time = note.verify(&parsed).map_err(|error| error.to_string())?;
    Ok((parsed, time))
}
