//! `assize plugin inspect`: what a package says of itself, and what it asks of its host.

use assize_registry::Package;
use serde_json::Value;

use crate::output::{self, bytes, clean};

/// Shows all of it.
pub(super) fn show(package: &Package, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(package);
    }
    let manifest = &package.manifest;
    let everywhere = |list: &[String]| if list.is_empty() { "all".to_owned() } else { clean(&list.join(", ")) };
    let scope = &manifest.scope;
    let may = manifest.may.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    let mut table = output::list();
    let rows = [
        ("package", format!("{}@{}", manifest.name, manifest.version)),
        ("digest", package.digest.to_string()),
        ("title", clean(&manifest.title)),
        ("description", clean(&manifest.description)),
        ("kind", package.kind.to_string()),
        ("contract", format!("assize:plugin@{}", package.contract)),
        ("size", format!("{} ({} bytes)", bytes(package.size), package.size)),
        ("in force", manifest.effective.to_string()),
        ("jurisdictions", everywhere(&scope.jurisdictions)),
        ("sectors", everywhere(&scope.sectors)),
        ("kinds of case", everywhere(&scope.kinds)),
        (
            "references",
            clean(&manifest.references.iter().map(|norm| norm.title.as_str()).collect::<Vec<_>>().join("; ")),
        ),
        ("authors", clean(&manifest.authors.join(", "))),
        ("licence", clean(&manifest.license)),
        ("settings", settings(&manifest.settings_schema)),
        ("limits", format!("fuel {}, memory {}", manifest.limits.fuel, bytes(manifest.limits.memory_bytes))),
        ("may plan", may),
        ("exports", clean(&package.exports.join(", "))),
        ("parts", format!("{} core modules, {} functions", package.core_modules, package.functions)),
        ("memory at start", bytes(package.memory_bytes)),
    ];
    for (name, value) in rows {
        if !value.is_empty() {
            table.add_row([name.to_owned(), value]);
        }
    }
    output::print(&table, "")?;
    if package.imports.is_empty() {
        return output::line("\nimports nothing: it gets its settings and the case, and answers");
    }
    output::line("")?;
    let mut table = output::table(["import", "why it can do no harm"]);
    for import in &package.imports {
        table.add_row([clean(&import.name), import.why.to_owned()]);
    }
    output::print(&table, "")?;
    output::line("\nNothing else can be imported: a package that asks for more is refused when it is published.")
}

/// The names of the settings that it takes.
fn settings(schema: &Value) -> String {
    let names =
        schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    if names.is_empty() && schema.get("additionalProperties") == Some(&Value::Bool(false)) {
        "none".to_owned()
    } else {
        clean(&names)
    }
}
