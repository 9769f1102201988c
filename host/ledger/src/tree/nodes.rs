//! Roots of any part of the tree, out of stored tiles: what proofs are served from.
//!
//! Every subtree that a proof names is a handful of full nodes, and every full node is the root of a run of hashes that
//! stand beside each other in one tile. So a proof in a tree of any size takes a few tiles for each tile level, and memory
//! for them alone.

use std::collections::BTreeMap;
use std::ops::Range;

use super::peaks::{Peaks, root_of_row};
use super::{TILE_HEIGHT, TILE_WIDTH, TileId, TreeError};
use crate::Digest;

/// The tiles that the roots of some subtrees are computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    subtrees: Vec<Range<u64>>,
}

/// Hashes at the beginning of tiles, as many as were asked for.
pub type Tiles = BTreeMap<TileId, Vec<Digest>>;

/// A run of hashes in a tile that make one full node.
struct Run {
    tile: TileId,
    hashes: Range<usize>,
}

impl Plan {
    /// Plans for the roots of these subtrees, each of which starts at a multiple of the next power of two of its size.
    pub fn new(subtrees: Vec<Range<u64>>) -> Self {
        Self { subtrees }
    }

    /// Which tiles are needed, and how many hashes of each, from its first. A tile of level 0 holds leaf hashes; one of
    /// level L holds the roots of full tiles of level L − 1.
    pub fn tiles(&self) -> BTreeMap<TileId, usize> {
        let mut tiles = BTreeMap::new();
        for run in self.subtrees.iter().cloned().flat_map(full_nodes).map(run) {
            let width = tiles.entry(run.tile).or_insert(0);
            *width = run.hashes.end.max(*width);
        }
        tiles
    }

    /// The roots of the subtrees, in order.
    pub fn roots(&self, tiles: &Tiles) -> Result<Vec<Digest>, TreeError> {
        self.subtrees.iter().map(|subtree| root(subtree.clone(), tiles)).collect()
    }
}

fn root(subtree: Range<u64>, tiles: &Tiles) -> Result<Digest, TreeError> {
    let mut hashes = Vec::new();
    let leaves = subtree.end.saturating_sub(subtree.start);
    for run in full_nodes(subtree).map(run) {
        let tile = tiles.get(&run.tile).ok_or(TreeError::Missing(run.tile))?;
        let short = TreeError::Length { id: run.tile, found: tile.len() * 32 };
        hashes.push(root_of_row(tile.get(run.hashes).ok_or(short)?));
    }
    Ok(Peaks::new(leaves, hashes)?.root())
}

/// The full nodes that some leaves are made of, from left to right: each with its height and its place on that level.
pub fn full_nodes(leaves: Range<u64>) -> impl Iterator<Item = (u32, u64)> {
    let Range { mut start, end } = leaves;
    std::iter::from_fn(move || {
        let left = end.checked_sub(start).filter(|&left| left > 0)?;
        let height = left.ilog2().min(if start == 0 { 63 } else { start.trailing_zeros() });
        let node = (height, start >> height);
        start += 1 << height;
        Some(node)
    })
}

fn run((height, index): (u32, u64)) -> Run {
    let (level, within) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
    // A node's hashes never reach over the end of their tile: their number is a power of two, and so is the tile's.
    let first = index << within;
    let at = usize::try_from(first % TILE_WIDTH as u64).unwrap_or(0);
    let tile = TileId { level: u8::try_from(level).unwrap_or(u8::MAX), index: first / TILE_WIDTH as u64 };
    Run { tile, hashes: at..at + (1 << within) }
}
