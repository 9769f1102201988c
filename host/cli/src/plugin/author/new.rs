//! `assize plugin new`: a project's folder, of a language's template.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use assize_registry::{Kind, Manifest, PackageName};
use serde::Serialize;

use super::kit;
use super::language::{Language, Place, crate_name};
use crate::output::{self, Ended, Usage};

/// Make a project folder of a language's template.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The plugin's name, namespace/name
    name: String,
    /// The language: rust, python, typescript, javascript, go or c
    #[arg(long, value_name = "LANGUAGE")]
    lang: String,
    /// What it is for: risk-agent, rule (compliance-rule) or action
    #[arg(long, default_value = "risk-agent", value_name = "WORLD")]
    world: String,
    /// The folder to make [default: the name, without its namespace]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Made<'a> {
    name: &'a str,
    language: &'a str,
    kind: Kind,
    folder: &'a Path,
    files: Vec<&'a str>,
    /// What a build needs that isn't here, and the commands that install it.
    missing: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, json: bool) -> anyhow::Result<Ended> {
    let name = arguments
        .name
        .parse::<PackageName>()
        .map_err(|error| Usage(format!("{error}; write namespace and name in lower case, e.g. acme/my-agent")))?;
    let language = Language::named(&arguments.lang)?;
    let kind = kind(&arguments.world)?;
    let folder = arguments.dir.clone().unwrap_or_else(|| PathBuf::from(name.name()));
    let own: BTreeMap<String, String> = kit::template(language, kind)
        .into_iter()
        .map(|(file, text)| (file.to_owned(), filled_in(text, &name, kind)))
        .collect();
    if let Some(manifest) = own.get("assize.toml") {
        // What is made here would be taken, before anything is made.
        Manifest::parse(manifest).context("the template's manifest, filled in")?;
    }
    let mut files = own;
    files.extend(kit::library(language).into_iter().map(|(file, text)| (file, text.to_owned())));
    write(&folder, &files)?;

    let missing = Place::new(&folder, language)?.require(language).err().map(|missing| missing.to_string());
    if json {
        let own = files.keys().map(String::as_str).filter(|file| !file.starts_with(kit::FOLDER)).collect();
        output::json(&Made {
            name: name.as_str(),
            language: language.name,
            kind,
            folder: &folder,
            files: own,
            missing,
        })?;
        return Ok(Ended::Fine);
    }
    let shown = folder.display();
    output::line(format_args!("{name}, a {kind} in {}, is in {shown}:", language.title))?;
    for file in files.keys().filter(|file| !file.starts_with(kit::FOLDER)) {
        output::line(format_args!("  {file}"))?;
    }
    output::line(format_args!("  {}/   the kit's library and the contract; part of the project", kit::FOLDER))?;
    if let Some(missing) = missing {
        output::line(format_args!("\n{missing}"))?;
    }
    output::line(format_args!("\nNext: cd {shown} && assize plugin test"))?;
    Ok(Ended::Fine)
}

/// The kind whose world this is.
fn kind(world: &str) -> Result<Kind, Usage> {
    match world {
        // As people say it.
        "rule" => Ok(Kind::ComplianceRule),
        _ => world.parse().map_err(|_| Usage(format!("--world {world:?}: write risk-agent, rule or action"))),
    }
}

/// A template's text, its blanks filled in.
fn filled_in(text: &str, name: &PackageName, kind: Kind) -> String {
    text.replace("{{namespace}}", name.namespace())
        .replace("{{crate}}", &crate_name(name.name()))
        .replace("{{name}}", name.name())
        .replace("{{assize}}", &format!("./{}", kit::FOLDER))
        .replace("{{world}}", kind.as_str())
        .replace("{{export}}", kind.interface())
}

/// Makes the folder with all of it, or nothing: it is made beside its place first.
fn write(folder: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<()> {
    if folder.exists() {
        bail!("{} is there already; name another folder with --dir, or move it away", folder.display());
    }
    let parent = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let failed = |path: &Path| format!("{} can't be written", path.display());
    fs::create_dir_all(parent).with_context(|| failed(parent))?;
    let making = tempfile::Builder::new().prefix(".assize-new-").tempdir_in(parent).with_context(|| failed(parent))?;
    for (name, text) in files {
        let path = making.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| failed(parent))?;
        }
        let mut file = fs::File::create(&path).with_context(|| failed(&path))?;
        file.write_all(text.as_bytes()).with_context(|| failed(&path))?;
    }
    readable(making.path())?;
    // Refused by the system where another was quicker, unless that one's folder is empty.
    fs::rename(making.path(), folder).with_context(|| failed(folder))?;
    // It isn't there any more.
    drop(making.keep());
    Ok(())
}

/// Temporary folders are for their owner alone; a project isn't.
#[cfg(unix)]
fn readable(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?)
}

#[cfg(not(unix))]
fn readable(_: &Path) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_blank_stays_in_any_template() {
        let name: PackageName = "acme/my-agent".parse().unwrap();
        for language in Language::all() {
            for &kind in Kind::ALL {
                for (file, text) in kit::template(language, kind) {
                    let filled = filled_in(text, &name, kind);
                    assert!(!filled.contains("{{"), "{} {kind} {file}: {filled}", language.name);
                }
            }
        }
    }
}
