//! The characters of a run, one by one, as the reader sees them.

/// One character that shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    /// A lowercase letter, a digit, or a sign.
    pub byte: u8,
    /// How it is disguised: a set of the constants of [`crate::read`].
    pub disguise: u8,
    /// Its bytes in the original text.
    pub start: u32,
    pub end: u32,
}

impl Unit {
    pub(crate) fn is_letter(&self) -> bool {
        self.byte.is_ascii_lowercase()
    }

    pub(crate) fn is_alphanumeric(&self) -> bool {
        self.byte.is_ascii_lowercase() || self.byte.is_ascii_digit()
    }
}

/// Without the signs around a word.
pub(crate) fn trimmed(units: &[Unit]) -> &[Unit] {
    trim(units, Unit::is_alphanumeric)
}

/// As `trimmed`, but `$` and `@` at either end stand for letters: `rule$`, `@ll`.
pub(crate) fn trimmed_keeping_leet(units: &[Unit]) -> &[Unit] {
    trim(units, |unit| unit.is_alphanumeric() || matches!(unit.byte, b'$' | b'@'))
}

fn trim(units: &[Unit], keep: impl Fn(&Unit) -> bool) -> &[Unit] {
    let start = units.iter().position(&keep).unwrap_or(units.len());
    let end = units.iter().rposition(&keep).map_or(start, |last| last + 1);
    units.get(start..end).unwrap_or_default()
}

/// An offset as a unit holds it. A component's memory ends at 4 GiB, so that none is cut.
pub(crate) fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
