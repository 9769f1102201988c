//! Looks words up: a hash table that is computed when this crate is compiled. An instance lives for one call, so whatever it
//! built at its start would be paid for at every call.
#![allow(
    clippy::indexing_slicing,
    clippy::large_stack_arrays,
    reason = "const functions can only index, and have no stack; out of bounds there is an error of the build, not of a call"
)]

use crate::words::GROUPS;

/// A word's hash, letter by letter (FNV-1a, 32 bits). Words are told apart by it alone: with some 1,400 words in the table, one
/// unknown word in three million is taken for a known one, which is rarer than a typing error that does the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hash(u32);

impl Hash {
    pub(crate) const fn new() -> Self {
        Self(0x811C_9DC5)
    }

    pub(crate) const fn push(&mut self, byte: u8) {
        self.0 = (self.0 ^ byte as u32).wrapping_mul(0x0100_0193);
    }
}

/// The concepts of the word with this hash; 0 for a word without meaning.
pub(crate) fn concepts(hash: Hash) -> u128 {
    let mut slot = (hash.0 ^ (hash.0 >> 16)) as usize % SLOTS;
    // Ends at an empty slot: the table is at most three quarters full.
    loop {
        let entry = &TABLE[slot];
        if entry.count == 0 {
            return 0;
        }
        if entry.hash == hash.0 {
            return entry.concepts.iter().take(entry.count as usize).fold(0, |set, concept| set | (1 << concept));
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// A word may stand for this many concepts.
const MOST: usize = 11;
const SLOTS: usize = 2048;

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    count: u8,
    concepts: [u8; MOST],
}

static TABLE: [Slot; SLOTS] = table();

const fn table() -> [Slot; SLOTS] {
    let mut table = [Slot { hash: 0, count: 0, concepts: [0; MOST] }; SLOTS];
    let mut words = 0;
    let mut group = 0;
    while group < GROUPS.len() {
        let (concept, text) = (GROUPS[group].0 as u8, GROUPS[group].1.as_bytes());
        let mut index = 0;
        while index < text.len() {
            let mut hash = Hash::new();
            let start = index;
            while index < text.len() && text[index] != b' ' {
                hash.push(text[index]);
                index += 1;
            }
            if index > start && insert(&mut table, hash.0, concept) {
                words += 1;
            }
            index += 1;
        }
        group += 1;
    }
    assert!(words * 4 <= SLOTS * 3, "the table is more than three quarters full");
    table
}

/// True for a new word.
const fn insert(table: &mut [Slot; SLOTS], hash: u32, concept: u8) -> bool {
    let mut slot = (hash ^ (hash >> 16)) as usize % SLOTS;
    loop {
        let entry = &mut table[slot];
        let is_new = entry.count == 0;
        if is_new || entry.hash == hash {
            entry.hash = hash;
            let mut index = 0;
            while index < entry.count as usize {
                if entry.concepts[index] == concept {
                    return is_new;
                }
                index += 1;
            }
            assert!(index < MOST, "a word stands for too many concepts");
            entry.concepts[index] = concept;
            entry.count += 1;
            return is_new;
        }
        slot = (slot + 1) % SLOTS;
    }
}

#[cfg(test)]
mod tests {
    use super::{Hash, concepts};
    use crate::words::{Concept, any};

    fn look_up(word: &str) -> u128 {
        let mut hash = Hash::new();
        word.bytes().for_each(|byte| hash.push(byte));
        concepts(hash)
    }

    #[test]
    fn words_have_their_concepts() {
        assert_ne!(look_up("ignore") & any(&[Concept::Override]), 0);
        assert_ne!(look_up("rules") & any(&[Concept::Orders]), 0);
        assert_ne!(look_up("rules") & any(&[Concept::Restraint]), 0);
        assert_eq!(look_up("butterfly"), 0);
        assert_eq!(look_up(""), 0);
    }
}
