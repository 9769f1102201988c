//! What an entry binds, and whether it is still that.

use assize_ledger::{Commitment, EntryRef, PayloadKind, Salt};

/// What an entry binds.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// The entry.
    pub seq: u64,
    /// The exact bytes that came in, with their salt.
    pub input: Option<(Salt, Vec<u8>)>,
    /// The full account, with its salt.
    pub record: Option<(Salt, Vec<u8>)>,
    /// The entry that erased them.
    pub erased_by: Option<u64>,
}

/// What is kept of a decision isn't what its entry binds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {what} of decision {id} isn't the one that was written: {detail}; run `assize ledger verify`")]
pub struct Altered {
    /// The decision.
    pub id: String,
    /// What of it.
    pub what: &'static str,
    /// Both values.
    pub detail: String,
}

impl SealedRow {
    /// Input and record of decision `id`, where they are the very ones that its entry binds; none of what an erasure took. Who
    /// is shown them, or hears what comes of them, takes them for those in the ledger, and not for whatever the tables hold by now.
    ///
    /// Two HMACs over a few KB cost some microseconds. That the chain holds the entry, and that an entry says of an erasure
    /// that it was one, is left to `assize ledger verify`.
    ///
    /// # Errors
    /// Where the entry is another decision's, or a payload is another or gone, and nothing says why.
    pub fn payloads(&self, id: &str, entry: &[u8]) -> Result<[Option<&[u8]>; 2], Altered> {
        let of_entry = |detail: String| Altered { id: id.to_owned(), what: "entry", detail };
        let entry = EntryRef::decode(entry).map_err(|error| of_entry(error.to_string()))?;
        if entry.subject != id {
            return Err(of_entry(format!("it is of decision {}", entry.subject)));
        }
        let part = |kind: PayloadKind, found: &Option<(Salt, Vec<u8>)>, bound: Option<Commitment>| {
            let detail = match (found, bound) {
                (Some((salt, bytes)), Some(bound)) if bound.verify(salt, bytes) => return Ok(()),
                (Some((salt, bytes)), Some(bound)) => {
                    format!("its commitment is {}, and {bound} in the entry", Commitment::to(salt, bytes))
                }
                (Some(_), None) => "its entry binds none".to_owned(),
                (None, _) if self.erased_by.is_some() => return Ok(()),
                (None, _) => "it is gone, and no erasure says so".to_owned(),
            };
            Err(Altered { id: id.to_owned(), what: kind.name(), detail })
        };
        part(PayloadKind::Record, &self.record, entry.record)?;
        part(PayloadKind::Input, &self.input, entry.input)?;
        Ok([&self.input, &self.record].map(|payload| payload.as_ref().map(|(_, bytes)| bytes.as_slice())))
    }
}
