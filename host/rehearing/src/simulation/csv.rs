//! The cases that would come out otherwise, for a spreadsheet.

use super::tally::Flip;

/// A heading and a row for each.
pub(super) fn flips(flips: &[Flip]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory can't fail.
    let _ = writer.write_record([
        "id",
        "seq",
        "occurred_at",
        "system",
        "jurisdictions",
        "was",
        "was_reason",
        "would_be",
        "would_be_reason",
        "bad",
    ]);
    for flip in flips {
        let _ = writer.write_record([
            inert(&flip.id),
            flip.seq.map(|seq| seq.to_string()).unwrap_or_default(),
            flip.occurred_at.to_string(),
            inert(flip.system.as_deref().unwrap_or_default()),
            inert(&flip.jurisdictions.join(" ")),
            flip.was.as_str().to_owned(),
            inert(&flip.was_reason),
            flip.would_be.as_str().to_owned(),
            inert(&flip.would_be_reason),
            flip.bad.map(|bad| bad.to_string()).unwrap_or_default(),
        ]);
    }
    writer.into_inner().unwrap_or_default()
}

/// A spreadsheet takes a cell that begins like this for a formula, and a payload's author must not write formulas.
fn inert(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assize_sandbox::contract::Verdict;

    #[test]
    fn a_name_is_no_formula() {
        let flip = Flip {
            id: "=HYPERLINK(\"x\")".into(),
            seq: Some(7),
            was: Verdict::Allow,
            was_reason: "A".into(),
            would_be: Verdict::Block,
            would_be_reason: "B, or C".into(),
            occurred_at: "2024-02-29".parse().unwrap(),
            system: None,
            jurisdictions: vec!["BR".into()],
            bad: None,
        };
        let text = String::from_utf8(flips(&[flip])).unwrap();
        let row = text.lines().nth(1).unwrap();
        assert!(row.starts_with("\"'=HYPERLINK(\"\"x\"\")\",7,2024-02-29T"), "{row}");
        assert!(row.ends_with(",,BR,allow,A,block,\"B, or C\","), "{row}");
    }
}
