//! Proofs are served from stored nodes, for every place and every size that the log has had.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use assize_ledger::proof::{verify_consistency, verify_inclusion};
use assize_ledger::{Frontier, Note, VerifierKey};
use assize_store::StoreError;
use common::database::Database;
use common::record;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_entry_is_proved_against_every_kind_of_size() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    record(&store, 0, 1_100).await;
    let size = store.head().await.unwrap().unwrap().size;
    let (mut tree, mut roots, mut leaves) = (Frontier::new(), vec![Frontier::new().root()], Vec::new());
    for seq in 0..size {
        let leaf = store.entry_hash(seq).await.unwrap().unwrap();
        tree.append(leaf);
        leaves.push(leaf);
        roots.push(tree.root());
    }
    assert_eq!(store.entry_hash(size).await.unwrap(), None);
    let sizes = [1, 2, 3, 255, 256, 257, 511, 512, 700, 768, 1_000, 1_024, size - 1, size];
    for new in sizes {
        let root = roots[usize::try_from(new).unwrap()];
        assert_eq!(store.root_at(new).await.unwrap(), root);
        for seq in (0..new).step_by(61).chain([new - 1]) {
            let proof = store.inclusion_proof(seq, new).await.unwrap();
            verify_inclusion(&leaves[usize::try_from(seq).unwrap()], seq, new, &proof, &root).unwrap();
        }
        for old in sizes.into_iter().filter(|old| *old <= new) {
            let proof = store.consistency_proof(old, new).await.unwrap();
            verify_consistency(old, new, &proof, &roots[usize::try_from(old).unwrap()], &root).unwrap();
        }
    }
    for refused in [
        store.inclusion_proof(5, size + 1).await,
        store.inclusion_proof(5, 5).await,
        store.consistency_proof(7, 6).await,
        store.consistency_proof(0, 6).await,
    ] {
        assert!(matches!(refused, Err(StoreError::Proof(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_checkpoint_is_kept_as_it_was_signed() {
    let Some(database) = Database::new() else { return };
    let store = database.open().await;
    assert_eq!(store.checkpoint().await.unwrap(), None);
    common::introduce_key(&store).await;
    common::checkpoint(&store).await;
    record(&store, 0, 5).await;
    common::checkpoint(&store).await;
    common::checkpoint(&store).await;
    let all = store.checkpoints(0, 10).await.unwrap();
    assert_eq!(all.iter().map(|row| row.size).collect::<Vec<_>>(), [2, 7]);
    assert_eq!(store.checkpoint().await.unwrap().as_ref(), all.last());
    assert_eq!(store.checkpoint_from(3).await.unwrap().as_ref(), all.last());
    let keys = store.log_keys().await.unwrap();
    let key: VerifierKey = keys[0].key.parse().unwrap();
    Note::parse(&all[0].note).unwrap().verify(&key).unwrap();
}
