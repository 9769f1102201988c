//! Proofs of inclusion and of consistency (RFC 6962, 2.1.1 and 2.1.2), and their check (RFC 9162, 2.1.3.2 and 2.1.4.2).
//!
//! Both are kept in the more general form of *subtrees*: the leaves from `start` to `end`, where `start` is a multiple of
//! the next power of two of their number, so that they stand together below one node of every larger tree. The whole tree
//! is the subtree that starts at 0. A proof is a list of hashes from the bottom up; a verifier needs nothing else.

use std::ops::Range;

use crate::Digest;
use crate::tree::{empty_root, node_hash};

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf isn't in a tree of that size.
    #[error("index: found {index}, expected less than the size {size}")]
    Index {
        /// The leaf asked for.
        index: u64,
        /// The leaves that there are.
        size: u64,
    },
    /// There is no proof between these sizes.
    #[error("size: found {old}, expected 1 to {new}")]
    Size {
        /// The size that should be the earlier one.
        old: u64,
        /// The size that should be the later one.
        new: u64,
    },
    /// The leaves don't stand together below a node.
    #[error("subtree: found leaves {start} to {end} (exclusive), expected a start that is a multiple of {multiple}")]
    Subtree {
        /// The first leaf.
        start: u64,
        /// The leaf after the last.
        end: u64,
        /// What the start must be a multiple of.
        multiple: u64,
    },
    /// Hashes are missing or left over.
    #[error("proof: found {found} hashes, expected {expected}")]
    Length {
        /// How many there are.
        found: usize,
        /// How many a proof between these places has.
        expected: usize,
    },
    /// The hashes lead to another root.
    #[error("{which}: the proof leads to {found}, expected {expected}")]
    Root {
        /// Which of the roots.
        which: &'static str,
        /// Where the proof leads.
        found: Digest,
        /// What was given.
        expected: Digest,
    },
}

/// Checks that `leaf` (a leaf *hash*) is the one at `index` of the tree of `size` leaves with this root.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    let found = root_of_inclusion(leaf, index, size, proof)?;
    same("root", found, root)
}

/// The root that a tree of `size` leaves has, if the proof is right.
pub fn root_of_inclusion(leaf: &Digest, index: u64, size: u64, proof: &[Digest]) -> Result<Digest, ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let expected = inclusion(index, size)?.len();
    if proof.len() != expected {
        return Err(ProofError::Length { found: proof.len(), expected });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // A node that is the last of its level and has no sibling moves up as it is.
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    Ok(hash)
}

/// As [`verify_inclusion`], in a subtree.
pub fn verify_subtree_inclusion(
    leaf: &Digest,
    index: u64,
    subtree: Range<u64>,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    let size = subtree_size(&subtree)?;
    let index = index.checked_sub(subtree.start).ok_or(ProofError::Index { index, size: subtree.start })?;
    verify_inclusion(leaf, index, size, proof, root)
}

/// Checks that the tree of `new` leaves with `new_root` begins with all leaves of the tree of `old` leaves with `old_root`.
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Digest],
    old_root: &Digest,
    new_root: &Digest,
) -> Result<(), ProofError> {
    // Every tree begins with no leaves: that is no proof of anything.
    if old == 0 {
        return Err(ProofError::Size { old, new });
    }
    verify_subtree_consistency(0..old, new, proof, old_root, new_root)
}

/// Checks that the leaves of a subtree with root `subtree_root` stand at the same place in the tree of `size` leaves with
/// this root.
pub fn verify_subtree_consistency(
    subtree: Range<u64>,
    size: u64,
    proof: &[Digest],
    subtree_root: &Digest,
    root: &Digest,
) -> Result<(), ProofError> {
    if subtree.is_empty() && subtree.end <= size {
        return match proof {
            [] => same("root of the subtree", *subtree_root, &empty_root()),
            _ => Err(ProofError::Length { found: proof.len(), expected: 0 }),
        };
    }
    let expected = consistency(subtree.clone(), size)?.len();
    let short = ProofError::Length { found: proof.len(), expected };
    if proof.len() != expected {
        return Err(short);
    }
    let (mut first, mut last, mut end) = (subtree.start, subtree.end - 1, size - 1);
    // Up to the lowest node that the two trees have in common.
    while first != last && (last == end || last & 1 == 1) {
        (first, last, end) = (first >> 1, last >> 1, end >> 1);
    }
    let mut hashes = proof.iter();
    let begin = if first == last { *subtree_root } else { *hashes.next().ok_or_else(|| short.clone())? };
    let (mut old, mut new) = (begin, begin);
    for sibling in hashes {
        if last & 1 == 1 || last == end {
            if first < last {
                old = node_hash(sibling, &old);
            }
            new = node_hash(sibling, &new);
            while last & 1 == 0 && last != 0 {
                (first, last, end) = (first >> 1, last >> 1, end >> 1);
            }
        } else {
            new = node_hash(&new, sibling);
        }
        (first, last, end) = (first >> 1, last >> 1, end >> 1);
    }
    same("root of the subtree", old, subtree_root)?;
    same("root", new, root)
}

/// The subtrees whose roots are the proof that leaf `index` is in the tree of `size` leaves, in the order of the proof.
pub fn inclusion(index: u64, size: u64) -> Result<Vec<Range<u64>>, ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(middle..end);
            end = middle;
        } else {
            proof.push(start..middle);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The subtrees whose roots are the proof that a subtree's leaves stand at their place in the tree of `size` leaves.
pub fn consistency(subtree: Range<u64>, size: u64) -> Result<Vec<Range<u64>>, ProofError> {
    subtree_size(&subtree)?;
    if subtree.end > size {
        return Err(ProofError::Size { old: subtree.end, new: size });
    }
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    loop {
        if start == subtree.start && end == subtree.end {
            // The verifier has this root.
            break;
        }
        if end == subtree.end && start >= subtree.start {
            // A node of both trees, at the right edge of the earlier one.
            proof.push(start..end);
            break;
        }
        let middle = start + split(end - start);
        if subtree.end <= middle {
            proof.push(middle..end);
            end = middle;
        } else if subtree.start >= middle {
            proof.push(start..middle);
            start = middle;
        } else {
            // The subtree reaches over the middle: what is left of it is full, and in both.
            proof.push(start..middle);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// How many leaves a subtree has; an error unless they stand together below one node.
fn subtree_size(subtree: &Range<u64>) -> Result<u64, ProofError> {
    let size = subtree.end.saturating_sub(subtree.start);
    if size == 0 {
        return Err(ProofError::Size { old: subtree.end, new: subtree.start });
    }
    let multiple = size.checked_next_power_of_two().unwrap_or(u64::MAX);
    if subtree.start != 0 && !subtree.start.is_multiple_of(multiple) {
        return Err(ProofError::Subtree { start: subtree.start, end: subtree.end, multiple });
    }
    Ok(size)
}

/// Where a tree of more than one leaf splits: at the largest power of two below its size.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

fn same(which: &'static str, found: Digest, expected: &Digest) -> Result<(), ProofError> {
    if found == *expected { Ok(()) } else { Err(ProofError::Root { which, found, expected: *expected }) }
}
