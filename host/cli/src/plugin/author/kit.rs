//! The kits, as they are in this binary.

use std::collections::BTreeMap;

use assize_registry::Kind;

use super::language::Language;

/// Names and contents of all files under `sdk/` and `wit/`, in the order of the names.
static FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/kits.rs"));

/// The folder of a project that the kit is written to, so that it builds without a copy of the repository.
pub(crate) const FOLDER: &str = "assize-kit";

/// A file of a kit, by its name in the repository.
pub(crate) fn file(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, content)| *content)
}

/// All files below a folder, named from there.
fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let folder = format!("{folder}/");
    FILES.iter().filter_map(move |(name, content)| Some((name.strip_prefix(folder.as_str())?, *content)))
}

/// The library of a language as a project carries it, named from the project's folder.
pub(crate) fn library(language: &Language) -> Vec<(String, &'static str)> {
    let kit = format!("sdk/{}", language.kit);
    let own = below(&kit).filter(|(name, _)| {
        let top = name.split('/').next().unwrap_or_default();
        !top.starts_with("template") && !["README.md", "generate.sh"].contains(&top)
    });
    let mut files: Vec<_> = own.map(|(name, content)| (format!("{FOLDER}/{kit}/{name}"), content)).collect();
    files.extend(below("wit").map(|(name, content)| (format!("{FOLDER}/wit/{name}"), content)));
    files.extend(file("LICENSE").map(|content| (format!("{FOLDER}/LICENSE"), content)));
    files
}

/// A language's template for plugins of a kind, its blanks still in it.
pub(crate) fn template(language: &Language, kind: Kind) -> BTreeMap<&'static str, &'static str> {
    let mut files = BTreeMap::new();
    for part in parts(language, kind) {
        let folder = format!("sdk/{}/{part}", language.kit);
        if below(&folder).any(|(name, _)| name.starts_with("fixtures/")) {
            // Another kind's fixtures ask for other answers.
            files.retain(|name: &&str, _| !name.starts_with("fixtures/"));
        }
        files.extend(below(&folder));
    }
    files.retain(|name, _| !language.left_out.contains(name));
    files
}

/// The folders that a template is laid together from, the later over the earlier. Risk agents are what the plain one makes.
fn parts(language: &Language, kind: Kind) -> Vec<String> {
    let mut parts = Vec::new();
    for base in ["template"].into_iter().chain(language.variant) {
        parts.push(base.to_owned());
        if kind != Kind::RiskAgent {
            parts.push(format!("{base}-{kind}"));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_has_a_manifest_that_is_taken() {
        for language in Language::all() {
            for &kind in Kind::ALL {
                let files = template(language, kind);
                let manifest = files["assize.toml"].replace("{{namespace}}", "acme").replace("{{name}}", "my-agent");
                let manifest = assize_registry::Manifest::parse(&manifest);
                assert_eq!(manifest.unwrap().kind, kind, "{}", language.name);
                assert!(files.keys().any(|name| name.starts_with("fixtures/")), "{} {kind}", language.name);
                assert!(files.contains_key("policy.json"), "{} {kind}", language.name);
            }
        }
    }

    #[test]
    fn the_rust_kit_stands_by_itself() {
        let manifest = file("sdk/rust/Cargo.toml").unwrap();
        assert!(!manifest.contains("workspace"), "{manifest}");
        assert!(manifest.contains("wit-bindgen"), "{manifest}");
    }
}
