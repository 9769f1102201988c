//! The roots of the full subtrees that a tree is made of: enough to go on from, and to tell the root.

use super::{TreeError, empty_root, node_hash};
use crate::Digest;

/// A tree of any size in O(log n): the roots of the full subtrees that its size is the sum of (its one bits), the largest
/// first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peaks {
    size: u64,
    hashes: Vec<Digest>,
}

impl Peaks {
    /// A tree of `size` leaves, by the roots of its [`full_nodes`](super::full_nodes) from left to right.
    pub fn new(size: u64, hashes: Vec<Digest>) -> Result<Self, TreeError> {
        let expected = u64::from(size.count_ones());
        if hashes.len() as u64 != expected {
            return Err(TreeError::Peaks { found: hashes.len(), expected });
        }
        Ok(Self { size, hashes })
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its full subtrees.
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }

    /// Appends a leaf by its hash.
    pub fn append(&mut self, leaf: Digest) {
        self.merge(0, leaf, |_, _| {});
    }

    /// Appends a full subtree of `1 << height` leaves by its root. The size must be a multiple of that.
    pub fn append_node(&mut self, height: u32, node: Digest) -> Result<(), TreeError> {
        let fits = 1_u64.checked_shl(height).filter(|&leaves| self.size.is_multiple_of(leaves));
        if fits.and_then(|leaves| self.size.checked_add(leaves)).is_none() {
            return Err(TreeError::Misplaced { height, size: self.size });
        }
        self.merge(height, node, |_, _| {});
        Ok(())
    }

    /// Appends a node and joins it with its siblings on the left; tells of every node that comes about.
    pub(super) fn merge(&mut self, mut height: u32, mut node: Digest, mut made: impl FnMut(u32, Digest)) {
        let leaves = 1 << height;
        while self.size >> height & 1 == 1
            && let Some(left) = self.hashes.pop()
        {
            node = node_hash(&left, &node);
            height += 1;
            made(height, node);
        }
        self.hashes.push(node);
        self.size += leaves;
    }

    /// The root (RFC 6962: MTH) over all leaves so far.
    pub fn root(&self) -> Digest {
        let mut peaks = self.hashes.iter().rev();
        let Some(&last) = peaks.next() else { return empty_root() };
        peaks.fold(last, |right, left| node_hash(left, &right))
    }
}

/// The root of some nodes of one height that stand beside each other.
pub(super) fn root_of_row(hashes: &[Digest]) -> Digest {
    let mut peaks = Peaks::default();
    for &hash in hashes {
        peaks.append(hash);
    }
    peaks.root()
}
