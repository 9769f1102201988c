//! One function a target.

use std::io::Cursor;

use assize_ledger::{Bundle, Checkpoint, Entry, ExportCheck, Note, entry_hash, export_lines, verify_export};
use assize_registry::{Manifest, SettingsSchema, inspect};
use serde_json::Value;

use crate::contract::Case;
use crate::json;

/// All of them, by name.
pub const ALL: [(&str, fn(&[u8])); 7] = [
    ("manifest", manifest),
    ("entry", entry),
    ("checkpoint", checkpoint),
    ("case", case),
    ("bundle", bundle),
    ("export", export),
    ("package", package),
];

/// A package's manifest: what is taken keeps its meaning as JSON, and what is refused says why.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Manifest::parse(text) {
        Ok(manifest) => {
            let json = serde_json::to_string(&manifest).expect("a manifest is JSON");
            let again: Manifest = serde_json::from_str(&json).expect("its own JSON");
            assert_eq!(again, manifest);
            // May be refused, and says so.
            drop(SettingsSchema::compile(&manifest.settings_schema));
        }
        Err(error) => assert!(error.to_string().len() > 10, "{error:?}"),
    }
}

/// An entry: what can be read is written back byte for byte, and hashes as it did.
pub fn entry(bytes: &[u8]) {
    match Entry::decode(bytes) {
        Ok(entry) => {
            let written = entry.encode().expect("what was read can be written");
            assert_eq!(written, bytes);
            assert_eq!(entry_hash(&written), entry_hash(bytes));
        }
        Err(error) => assert!(!error.field().is_empty()),
    }
}

/// A checkpoint and the signed note around it: one text for each, and one reading of each text.
pub fn checkpoint(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(checkpoint) = Checkpoint::parse(text)
    {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        drop(Checkpoint::parse(note.text()));
    }
}

/// A case: what the strict reader lets in, every reader reads alike, and a case keeps its documents' exact bytes.
pub fn case(bytes: &[u8]) {
    let Ok(text) = json::check(bytes) else { return };
    let value: Value = serde_json::from_str(text).expect("the strict reader let in what isn't JSON");
    assert!(all_are_safe(&value), "an integer that a double can't hold: {text}");
    // Whoever keeps the last of two equal keys and whoever keeps the first agree: as many members as colons outside strings.
    assert_eq!(members(&value), colons(text), "a key that stands there twice: {text}");
    let Ok(case) = serde_json::from_str::<Case>(text) else { return };
    let written = serde_json::to_string(&case).expect("a case is JSON");
    let again: Case = serde_json::from_str(&written).expect("its own JSON");
    assert_eq!((again.payload.get(), again.context.get()), (case.payload.get(), case.context.get()));
    assert_eq!(serde_json::to_string(&again).expect("a case is JSON"), written);
}

fn all_are_safe(value: &Value) -> bool {
    const MOST: u64 = (1 << 53) - 1;
    match value {
        Value::Number(number) => {
            // A fraction or exponent is a double by intent.
            number.as_u64().is_none_or(|number| number <= MOST)
                && number.as_i64().is_none_or(|number| number.unsigned_abs() <= MOST)
        }
        Value::Array(items) => items.iter().all(all_are_safe),
        Value::Object(members) => members.values().all(all_are_safe),
        _ => true,
    }
}

fn members(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(members).sum(),
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        _ => 0,
    }
}

fn colons(text: &str) -> usize {
    let (mut count, mut inside, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b':' if !inside => count += 1,
            _ => {}
        }
    }
    count
}

/// The items of a file, in the frame that a file of items has.
fn framed(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).expect("what fits in memory")
}

/// A case bundle: bytes as the file, and as what the file's frame holds. What can be read is written as it was.
pub fn bundle(bytes: &[u8]) {
    drop(Bundle::read(bytes));
    let Ok(read) = Bundle::read(framed(bytes).as_slice()) else { return };
    let written = read.write(Vec::new()).expect("what was read can be written");
    let unpacked = zstd::decode_all(Cursor::new(written)).expect("what was just packed");
    assert!(unpacked == bytes, "a bundle that can be written in two ways");
}

/// An export: bytes as the file, and as what the file's frame holds. Nothing that isn't one passes.
pub fn export(bytes: &[u8]) {
    for file in [bytes.to_vec(), framed(bytes)] {
        drop(verify_export(file.as_slice(), &ExportCheck::default(), |_, _| {}));
        drop(export_lines(file.as_slice(), file.as_slice(), &mut Vec::new()));
    }
}

/// A package: whatever the bytes, a verdict, and a reason where it's a refusal.
pub fn package(bytes: &[u8]) {
    match inspect(bytes) {
        Ok(package) => {
            let exported = format!("assize:plugin/{}@{}", package.kind.interface(), package.contract);
            assert!(package.exports.contains(&exported), "{exported} isn't among {:?}", package.exports);
            assert_eq!((package.manifest.kind, package.manifest.contract), (package.kind, package.contract));
        }
        Err(error) => assert!(error.to_string().len() > 20, "{error:?}"),
    }
}
