//! What an item of a bundle is.

use crate::{MAX_FACTS, MAX_NOTE, items};

/// What an item is, by its first byte. In a file, this byte never falls from one item to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Header,
    Checkpoint,
    Entry,
    Payload,
    Snapshot,
    Component,
    Earlier,
    Token,
    End,
}

impl items::Kind for Kind {
    const ALL: &'static [(Self, u8, &'static str)] = &[
        (Self::Header, 0x01, "header"),
        (Self::Checkpoint, 0x02, "checkpoint"),
        (Self::Entry, 0x03, "entry"),
        (Self::Payload, 0x04, "payload"),
        (Self::Snapshot, 0x05, "snapshot"),
        (Self::Component, 0x06, "component"),
        (Self::Earlier, 0x07, "earlier checkpoint"),
        (Self::Token, 0x08, "token"),
        (Self::End, 0x0f, "end"),
    ];
    const VERSION: u16 = 1;

    fn longest(self) -> u64 {
        match self {
            // Two names, at worst with every byte escaped.
            Self::Header | Self::Token => 1 << 20,
            // Facts, names and a proof.
            Self::Entry => MAX_FACTS as u64 + (1 << 20),
            Self::Payload | Self::Snapshot | Self::Component => 64 << 20,
            Self::Checkpoint | Self::Earlier => MAX_NOTE as u64 + (1 << 12),
            Self::End => 32,
        }
    }
}
