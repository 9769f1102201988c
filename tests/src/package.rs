//! Packages that nobody would make but a test.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::artefacts::{guest, workspace};

/// The custom section that carries a package's manifest.
const MANIFEST: &str = "assize:manifest";

/// The component with a custom section more at its end.
pub fn with_section(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    leb128(name.len(), &mut content);
    content.extend_from_slice(name.as_bytes());
    content.extend_from_slice(data);
    let mut bytes = component.to_vec();
    bytes.push(0);
    leb128(content.len(), &mut bytes);
    bytes.extend_from_slice(&content);
    bytes
}

/// The component without its manifest, as a compiler left it.
pub fn without_manifest(package: &[u8]) -> Vec<u8> {
    apart(package).0
}

/// A package's manifest, if it has one.
pub fn manifest(package: &[u8]) -> Option<String> {
    apart(package).1
}

/// A package's component and manifest.
fn apart(package: &[u8]) -> (Vec<u8>, Option<String>) {
    let mut bytes = package[..8].to_vec();
    let mut manifest = None;
    let mut at = 8;
    while at < package.len() {
        let (size, header) = read_leb128(&package[at + 1..]);
        let content = at + 1 + header;
        let end = content + size;
        let (length, header) = if package[at] == 0 { read_leb128(&package[content..]) } else { (0, 0) };
        let (name, data) = package[content + header..end].split_at(length);
        if package[at] == 0 && name == MANIFEST.as_bytes() {
            manifest = Some(String::from_utf8(data.to_vec()).unwrap());
        } else {
            bytes.extend_from_slice(&package[at..end]);
        }
        at = end;
    }
    (bytes, manifest)
}

/// The same component with another manifest.
pub fn repacked(package: &[u8], manifest: &str) -> Vec<u8> {
    with_section(&without_manifest(package), MANIFEST, manifest.as_bytes())
}

/// The echoing rule as `acme/law`, in this version, with more of a manifest (TOML; may be empty), e.g. a period.
pub fn law(version: &str, more: &str) -> Vec<u8> {
    let manifest = std::fs::read_to_string(workspace().join("tests/guests/rule-echo/assize.toml")).unwrap();
    let manifest = manifest
        .replace("test/rule-echo", "acme/law")
        .replace("version = \"1.0.0\"", &format!("version = \"{version}\""));
    repacked(&guest("rule-echo"), &format!("{manifest}\n{more}"))
}

/// The risk agent that grows its table. It is written by hand, in `tests/tables`.
pub fn table_grower() -> Vec<u8> {
    let manifest = std::fs::read_to_string(workspace().join("tests/tables/assize.toml")).unwrap();
    table_grower_with("", &manifest)
}

/// The same, with more in its core module and with a manifest of its own.
pub fn table_grower_with(more: &str, manifest: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(workspace().join("tests/tables/module.wat")).unwrap();
    let text = text.trim_end().strip_suffix(')').unwrap();
    let mut module = wat::parse_str(format!("{text} {more})")).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(workspace().join("wit/1.0.0")).unwrap();
    let world = resolve.select_world(&[package], Some("risk-agent")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    assize_registry::pack(&module, manifest).unwrap()
}

fn leb128(mut value: usize, bytes: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return;
        }
    }
}

/// A number, and how many bytes it takes.
fn read_leb128(bytes: &[u8]) -> (usize, usize) {
    let mut value = 0;
    for (n, &byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return (value, n + 1);
        }
    }
    panic!("a number without an end")
}
