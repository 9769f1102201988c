//! Proofs against the vectors of other projects, and against themselves for every place in many trees.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use assize_ledger::proof::{
    self, ProofError, verify_consistency, verify_inclusion, verify_subtree_consistency, verify_subtree_inclusion,
};
use assize_ledger::tree::{Plan, TILE_WIDTH, Tiles, leaf_hash, node_hash};
use assize_ledger::{Checkpoint, Digest, Frontier, Note, NoteError, TileId, VerifierKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    leaf_idx: Option<u64>,
    tree_size: Option<u64>,
    start: Option<u64>,
    end: Option<u64>,
    size: Option<u64>,
    size1: Option<u64>,
    size2: Option<u64>,
    root: Option<String>,
    root1: Option<String>,
    root2: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

/// A hash of another length can't be written as ours: it is refused, as it must be.
fn digest(text: Option<&String>) -> Option<Digest> {
    Digest::try_from(STANDARD.decode(text?).ok()?.as_slice()).ok()
}

/// Consistency vectors with other bytes in place of a root only care which of them are equal: others stand for them.
fn any_root(text: Option<&String>) -> Option<Digest> {
    digest(text).or_else(|| Some(leaf_hash(&STANDARD.decode(text?).ok()?)))
}

impl Vector {
    /// Whether we accept it.
    fn holds(&self, kind: &str) -> Option<bool> {
        let proof: Option<Vec<Digest>> = self.proof.iter().flatten().map(|hash| digest(Some(hash))).collect();
        let (proof, root) = (proof?, digest(self.root.as_ref()));
        let (root1, root2) = (any_root(self.root1.as_ref()), any_root(self.root2.as_ref()));
        Some(match kind {
            "inclusion" => {
                let leaf = digest(self.leaf_hash.as_ref())?;
                verify_inclusion(&leaf, self.leaf_idx?, self.tree_size?, &proof, &root?).is_ok()
            }
            "subtreeinclusion" => {
                let leaf = digest(self.leaf_hash.as_ref())?;
                verify_subtree_inclusion(&leaf, self.leaf_idx?, self.start?..self.end?, &proof, &root?).is_ok()
            }
            "consistency" => verify_consistency(self.size1?, self.size2?, &proof, &root1?, &root2?).is_ok(),
            _ => verify_subtree_consistency(self.start?..self.end?, self.size?, &proof, &root1?, &root2?).is_ok(),
        })
    }
}

fn json_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            json_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            into.push(path);
        }
    }
}

#[test]
fn proofs_agree_with_the_published_vectors() {
    let Some(folder) = common::shared("vectors/merkle/testdata") else { return };
    let mut counts = BTreeMap::<String, (u32, u32)>::new();
    let mut files = Vec::new();
    json_files(&folder, &mut files);
    for path in &files {
        let kind = path.strip_prefix(&folder).unwrap().iter().next().unwrap().to_str().unwrap().to_owned();
        let vector: Vector = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let accepted = vector.holds(&kind).unwrap_or(false);
        assert_eq!(accepted, !vector.want_err, "{}", path.display());
        let count = counts.entry(kind).or_default();
        *if accepted { &mut count.0 } else { &mut count.1 } += 1;
    }
    println!("vectors (accepted, refused): {counts:?}, {} in all", files.len());
    assert_eq!(files.len(), 518);
}

#[test]
fn the_published_log_and_its_checkpoints_are_ours_too() {
    const KEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    const LEAVES: [&str; 15] = [
        "one", "two", "three", "four", "five", "six", "seven", "eit", "nain", "ten", "ileven", "twelf", "threeten",
        "fourten", "fivten",
    ];
    let Some(folder) = common::shared("vectors/tessera-log/testdata/log") else { return };
    let key: VerifierKey = KEY.parse().unwrap();
    let leaves: Vec<Digest> = LEAVES.iter().map(|leaf| leaf_hash(leaf.as_bytes())).collect();
    let (mut tree, mut roots) = (Frontier::new(), Vec::new());
    for size in 0..=LEAVES.len() {
        let bytes = std::fs::read(folder.join(format!("checkpoint.{size}"))).unwrap();
        let note = Note::parse(&bytes).unwrap();
        let (checkpoint, _) = Checkpoint::open(&note, &key).unwrap();
        assert_eq!(checkpoint, Checkpoint::new("example.com/log/testdata", size as u64, tree.root()));
        assert_eq!(note.to_string().as_bytes(), bytes, "written as it was read");
        roots.push(tree.root());
        if let Some(&leaf) = leaves.get(size) {
            tree.append(leaf);
            let tile = std::fs::read(folder.join(format!("tile/0/000.p/{}", size + 1))).unwrap();
            let ours: Vec<u8> = leaves[..=size].iter().flat_map(|leaf| *leaf.as_bytes()).collect();
            assert_eq!(tile, ours, "tile of width {}", size + 1);
        }
    }
    let mut proofs = 0;
    for new in 1..=leaves.len() as u64 {
        let tiles = tiles_of(&leaves[..usize::try_from(new).unwrap()]);
        for old in 1..=new {
            let proof = prove(proof::consistency(0..old, new).unwrap(), &tiles);
            let (old_root, new_root) = (roots[usize::try_from(old).unwrap()], roots[usize::try_from(new).unwrap()]);
            verify_consistency(old, new, &proof, &old_root, &new_root).unwrap();
            proofs += 1;
        }
    }
    println!("16 signed checkpoints, 15 tiles, {proofs} consistency proofs between them");
}

#[test]
fn the_published_note_is_verified_and_an_altered_one_is_not() {
    let Some(folder) = common::shared("vectors/signed-note") else { return };
    let key: VerifierKey = std::fs::read_to_string(folder.join("c2sp-example.vkey")).unwrap().parse().unwrap();
    let bytes = std::fs::read(folder.join("c2sp-example.note")).unwrap();
    Note::parse(&bytes).unwrap().verify(&key).unwrap();
    let mut refused = 0;
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let outcome = Note::parse(&altered).and_then(|note| note.verify(&key));
        assert!(outcome.is_err(), "bit {bit} flipped");
        refused += u32::from(matches!(outcome, Err(NoteError::Signature { .. })));
    }
    println!("1 note, each of its {} bits flipped; {refused} times it was the signature that told", bytes.len() * 8);
}

/// All tiles over some leaves, also those that aren't full.
fn tiles_of(leaves: &[Digest]) -> Tiles {
    let (mut tiles, mut level, mut hashes) = (Tiles::new(), 0, leaves.to_vec());
    while !hashes.is_empty() {
        let mut above = Vec::new();
        for (index, tile) in hashes.chunks(TILE_WIDTH).enumerate() {
            if tile.len() == TILE_WIDTH {
                above.push(naive(tile));
            }
            tiles.insert(TileId { level, index: index as u64 }, tile.to_vec());
        }
        (level, hashes) = (level + 1, above);
    }
    tiles
}

fn prove(subtrees: Vec<Range<u64>>, tiles: &Tiles) -> Vec<Digest> {
    let plan = Plan::new(subtrees);
    // Only what was asked for is handed over.
    let handed = plan.tiles().into_iter().map(|(id, width)| (id, tiles[&id][..width].to_vec())).collect();
    plan.roots(&handed).unwrap()
}

/// MTH as RFC 6962 (2.1) writes it.
fn naive(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
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
fn every_place_in_every_small_tree_is_proved() {
    let all = leaves(70);
    for size in 1..=all.len() as u64 {
        let tree = &all[..usize::try_from(size).unwrap()];
        let (root, tiles) = (naive(tree), tiles_of(tree));
        for index in 0..size {
            let path = prove(proof::inclusion(index, size).unwrap(), &tiles);
            verify_inclusion(&tree[usize::try_from(index).unwrap()], index, size, &path, &root).unwrap();
            let old = index + 1;
            let path = prove(proof::consistency(0..old, size).unwrap(), &tiles);
            verify_consistency(old, size, &path, &naive(&tree[..usize::try_from(old).unwrap()]), &root).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn proofs_hold_for_their_own_place_alone(size in 1_u64..140_000, at: prop::sample::Index, flip in 0_usize..256) {
        let all = leaves(size);
        let (root, tiles) = (naive(&all), tiles_of(&all));
        let index = at.index(all.len()) as u64;
        let leaf = all[usize::try_from(index).unwrap()];
        let path = prove(proof::inclusion(index, size).unwrap(), &tiles);
        prop_assert!(verify_inclusion(&leaf, index, size, &path, &root).is_ok());
        prop_assert!(verify_inclusion(&leaf, index ^ 1, size, &path, &root).is_err() || size == 1);
        let mut bytes = *leaf.as_bytes();
        bytes[flip / 8] ^= 1 << (flip % 8);
        prop_assert!(verify_inclusion(&Digest::from_bytes(bytes), index, size, &path, &root).is_err());

        let old = index + 1;
        let old_root = naive(&all[..usize::try_from(old).unwrap()]);
        let path = prove(proof::consistency(0..old, size).unwrap(), &tiles);
        prop_assert!(verify_consistency(old, size, &path, &old_root, &root).is_ok());
        prop_assert!(verify_consistency(old, size, &path, &Digest::from_bytes(bytes), &root).is_err());
    }
}

#[test]
fn what_cannot_be_proved_is_named() {
    let error = proof::inclusion(7, 7).unwrap_err();
    assert_eq!(error.to_string(), "index: found 7, expected less than the size 7");
    assert_eq!(proof::consistency(0..8, 7).unwrap_err().to_string(), "size: found 8, expected 1 to 7");
    assert!(matches!(proof::consistency(0..0, 7), Err(ProofError::Size { .. })));
    assert!(matches!(proof::consistency(1..3, 7), Err(ProofError::Subtree { multiple: 2, .. })));
    let zero = Digest::ZERO;
    let error = verify_inclusion(&zero, 0, 2, &[], &zero).unwrap_err();
    assert_eq!(error.to_string(), "proof: found 0 hashes, expected 1");
}
