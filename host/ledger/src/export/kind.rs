//! What an item of an export is.

use crate::items;

/// What an item is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Header,
    Key,
    Peaks,
    Entry,
    Foreign,
    Payload,
    Rest,
    Checkpoint,
    Token,
    Extra,
    Manifest,
}

impl items::Kind for Kind {
    const ALL: &'static [(Self, u8, &'static str)] = &[
        (Self::Header, 0x01, "header"),
        (Self::Key, 0x02, "key"),
        (Self::Peaks, 0x03, "peaks"),
        (Self::Entry, 0x04, "entry"),
        (Self::Foreign, 0x05, "foreign entry"),
        (Self::Payload, 0x06, "payload"),
        (Self::Rest, 0x07, "rest"),
        (Self::Checkpoint, 0x08, "checkpoint"),
        (Self::Token, 0x09, "token"),
        (Self::Extra, 0x0b, "extra entry"),
        (Self::Manifest, 0x0f, "manifest"),
    ];
    const VERSION: u16 = 1;

    /// An entry with the longest facts, and some room. Payloads may be as long.
    fn longest(self) -> u64 {
        64 << 20
    }
}
