//! The Merkle tree of RFC 6962 (2.1), grown one leaf at a time and kept as tiles.
//!
//! A tile is 256 hashes that stand beside each other on one of the levels 0, 8, 16, … of the tree (C2SP tlog-tiles with
//! height 8): tile level 0 holds leaf hashes, level 1 the roots of full tiles of level 0, and so on. A full tile never
//! changes, so it is handed out once and kept; a [`Frontier`] is all that is needed to go on, and can be rebuilt from
//! kept tiles and the leaf hashes after them.

mod nodes;
mod peaks;

use sha2::{Digest as _, Sha256};

pub use self::nodes::{Plan, Tiles, full_nodes};
pub use self::peaks::Peaks;
use crate::Digest;

/// Hashes in a full tile.
pub const TILE_WIDTH: usize = 256;

/// Levels of the tree that a tile spans.
const TILE_HEIGHT: u32 = 8;

/// The hash of a leaf: SHA-256(0x00 ‖ bytes).
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(bytes);
    Digest::from_bytes(hash.finalize().into())
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left.as_bytes());
    hash.update(right.as_bytes());
    Digest::from_bytes(hash.finalize().into())
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// Where a tile stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// 0 for leaf hashes; its hashes stand on level `8 * level` of the tree.
    pub level: u8,
    /// Counted from the left, from 0.
    pub index: u64,
}

/// A full tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Where it stands.
    pub id: TileId,
    /// 256 hashes of 32 bytes each, from left to right: 8,192 bytes.
    pub hashes: Vec<u8>,
}

/// Tiles and leaf hashes don't make a tree of the size asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A tile is missing.
    #[error("tile {}/{} is missing", .0.level, .0.index)]
    Missing(TileId),
    /// A tile isn't 256 hashes long.
    #[error("tile {}/{} has {found} bytes, not 8192", .id.level, .id.index)]
    Length {
        /// Which tile.
        id: TileId,
        /// Its bytes.
        found: usize,
    },
    /// Another number of full subtrees than the size has one bits.
    #[error("{found} roots of full subtrees, not {expected}")]
    Peaks {
        /// How many were given.
        found: usize,
        /// How many the size has.
        expected: u64,
    },
    /// A subtree can't follow there.
    #[error("a subtree of height {height} can't follow {size} leaves")]
    Misplaced {
        /// Its height: it has two to that power leaves.
        height: u32,
        /// The leaves before it.
        size: u64,
    },
    /// Another number of leaf hashes than the size leaves over.
    #[error("{found} leaf hashes after the last full tile, not {expected}")]
    Tail {
        /// How many were given.
        found: usize,
        /// How many the size leaves over.
        expected: u64,
    },
}

/// The right edge of the tree: enough to append and to tell the root, in O(log n).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    peaks: Peaks,
    /// For each tile level, the hashes of the tile that isn't full yet.
    partial: Vec<Vec<Digest>>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.peaks.size()
    }

    /// Appends a leaf by its hash. Hands out the tiles that are full now: none for most leaves, else one of each level
    /// from 0 up.
    pub fn append(&mut self, leaf: Digest) -> Vec<Tile> {
        let last = self.size();
        let (mut tiles, mut made) = (Vec::new(), Vec::new());
        self.peaks.merge(0, leaf, |height, node| {
            if height % TILE_HEIGHT == 0 {
                made.push((height / TILE_HEIGHT, node));
            }
        });
        self.keep(0, leaf, last, &mut tiles);
        for (level, node) in made {
            self.keep(level, node, last, &mut tiles);
        }
        tiles
    }

    /// Adds a hash to its level's tile, and hands the tile out when the leaf `last` fills it.
    fn keep(&mut self, level: u32, hash: Digest, last: u64, tiles: &mut Vec<Tile>) {
        let at = level as usize;
        while self.partial.len() <= at {
            self.partial.push(Vec::with_capacity(TILE_WIDTH));
        }
        let Some(partial) = self.partial.get_mut(at) else { return };
        partial.push(hash);
        if partial.len() == TILE_WIDTH {
            let hashes = partial.drain(..).flat_map(|hash| *hash.as_bytes()).collect();
            // 64 bits of size are 8 tile levels.
            let id = TileId { level: u8::try_from(level).unwrap_or(u8::MAX), index: last >> (8 * (level + 1)) };
            tiles.push(Tile { id, hashes });
        }
    }

    /// The root (RFC 6962: MTH) over all leaves so far.
    pub fn root(&self) -> Digest {
        self.peaks.root()
    }

    /// Which full tiles [`Frontier::from_tiles`] needs for a tree of `size` leaves.
    pub fn tiles_needed(size: u64) -> impl Iterator<Item = TileId> {
        (1..=7u8).flat_map(move |level| {
            let full = size >> (8 * u32::from(level));
            // The level's unfinished tile holds the roots of these tiles of the level below.
            (full & !0xff..full).map(move |index| TileId { level: level - 1, index })
        })
    }

    /// Rebuilds the edge of a tree of `size` leaves: from the full tiles that [`Frontier::tiles_needed`] names (others
    /// are ignored) and the leaf hashes after the last full tile of level 0. Nothing is checked against a root: compare
    /// [`Frontier::root`] with one that is known.
    pub fn from_tiles(size: u64, tiles: &[Tile], tail: &[Digest]) -> Result<Self, TreeError> {
        let expected = size & 0xff;
        if tail.len() as u64 != expected {
            return Err(TreeError::Tail { found: tail.len(), expected });
        }
        let mut partial = vec![tail.to_vec()];
        for id in Self::tiles_needed(size) {
            let tile = tiles.iter().find(|tile| tile.id == id).ok_or(TreeError::Missing(id))?;
            let level = usize::from(id.level) + 1;
            while partial.len() <= level {
                partial.push(Vec::with_capacity(TILE_WIDTH));
            }
            if let Some(hashes) = partial.get_mut(level) {
                hashes.push(tile.root()?);
            }
        }
        let mut peaks = Vec::new();
        for hashes in partial.iter().rev() {
            let mut level = Peaks::default();
            for &hash in hashes {
                level.append(hash);
            }
            peaks.extend_from_slice(level.hashes());
        }
        Ok(Self { peaks: Peaks::new(size, peaks)?, partial })
    }
}

impl Tile {
    /// The root of its 256 hashes: one hash of the tile above.
    pub fn root(&self) -> Result<Digest, TreeError> {
        let (hashes, rest) = self.hashes.as_chunks::<32>();
        if hashes.len() != TILE_WIDTH || !rest.is_empty() {
            return Err(TreeError::Length { id: self.id, found: self.hashes.len() });
        }
        let hashes: Vec<Digest> = hashes.iter().map(|&hash| Digest::from_bytes(hash)).collect();
        Ok(peaks::root_of_row(&hashes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MTH as RFC 6962 (2.1) writes it.
    fn naive(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&naive(left), &naive(right))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    #[test]
    fn every_size_has_the_root_of_rfc_6962_and_is_rebuilt_from_its_tiles() {
        let leaves = leaves(600);
        let (mut tree, mut tiles) = (Frontier::new(), Vec::new());
        for size in 0..=leaves.len() {
            assert_eq!(tree.root(), naive(&leaves[..size]), "root of size {size}");
            let rebuilt = Frontier::from_tiles(size as u64, &tiles, &leaves[size / 256 * 256..size]).unwrap();
            assert_eq!(rebuilt.root(), tree.root(), "rebuilt root of size {size}");
            if let Some(&leaf) = leaves.get(size) {
                tiles.extend(tree.append(leaf));
            }
        }
    }

    #[test]
    fn a_rebuilt_tree_goes_on_as_if_it_had_never_stopped() {
        // 65,536 leaves fill a tile of level 1.
        let leaves = leaves(66_000);
        let (mut tree, mut tiles) = (Frontier::new(), Vec::new());
        for &leaf in &leaves[..65_700] {
            tiles.extend(tree.append(leaf));
        }
        let ids: Vec<TileId> = tiles.iter().filter(|tile| tile.id.level == 1).map(|tile| tile.id).collect();
        assert_eq!(ids, [TileId { level: 1, index: 0 }]);
        let tail = &leaves[65_700 / 256 * 256..65_700];
        let mut rebuilt = Frontier::from_tiles(65_700, &tiles, tail).unwrap();
        assert_eq!(rebuilt.partial[0], tree.partial[0]);
        for &leaf in &leaves[65_700..] {
            assert_eq!(rebuilt.append(leaf), tree.append(leaf));
            assert_eq!(rebuilt.root(), tree.root());
        }
        assert_eq!(tree.root(), naive(&leaves));
    }

    #[test]
    fn what_is_missing_is_named() {
        let leaves = leaves(300);
        assert_eq!(Frontier::from_tiles(300, &[], &leaves[256..]).unwrap_err().to_string(), "tile 0/0 is missing");
        assert_eq!(
            Frontier::from_tiles(300, &[], &[]).unwrap_err().to_string(),
            "0 leaf hashes after the last full tile, not 44"
        );
    }
}
