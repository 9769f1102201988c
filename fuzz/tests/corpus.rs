//! Each target over its corpus, with any compiler: real ones, and what once went wrong.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use assize_fuzz::targets::ALL;

#[test]
fn every_target_holds_for_its_corpus() {
    for (name, target) in ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        for file in &files {
            let bytes = fs::read(file).unwrap();
            println!("{}", file.display());
            target(&bytes);
            // And damaged: cut short, and with each of its first bytes changed.
            for at in 0..bytes.len().min(256) {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0x11;
                target(&damaged);
                target(&bytes[..at]);
            }
        }
        println!("{name}: {} files hold", files.len());
    }
}

/// The real ones in the corpus are taken: else nothing beyond the first refusal would ever be reached.
#[test]
fn the_corpus_reaches_what_lies_behind_the_door() {
    let corpus = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let taken = |name: &str, takes: &dyn Fn(&[u8]) -> bool| {
        let files = fs::read_dir(corpus(name)).unwrap();
        assert!(files.into_iter().any(|file| takes(&fs::read(file.unwrap().path()).unwrap())), "{name}");
    };
    taken("manifest", &|bytes| {
        assize_registry::Manifest::parse(std::str::from_utf8(bytes).unwrap_or_default()).is_ok()
    });
    taken("entry", &|bytes| assize_ledger::Entry::decode(bytes).is_ok());
    taken("checkpoint", &|bytes| assize_ledger::Note::parse(bytes).is_ok());
    taken("package", &|bytes| assize_registry::inspect(bytes).is_ok());
    taken("bundle", &|bytes| assize_ledger::Bundle::read(zstd::encode_all(bytes, 1).unwrap().as_slice()).is_ok());
}
