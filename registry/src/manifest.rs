//! What a package says of itself: `assize.toml`.

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fields::{Fields, ManifestError};
use crate::spelling::{WORD, is_jurisdiction, is_word};
use crate::{Contract, EffectKind, Effective, Kind, Limits, PackageName, Scope, nesting, schema};

/// Longest manifest, in bytes. It's parsed at each inspection and kept with the component for ever.
pub const LONGEST_MANIFEST: usize = 256 << 10;

/// What a package says of itself, checked. Written as `assize.toml`, carried in the component, kept as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `namespace/name`.
    pub name: PackageName,
    /// Without build metadata: a version names its bytes, and 1.0.0+a could not be told from 1.0.0+b by a range.
    pub version: Version,
    /// The contract that it was built against.
    pub contract: Contract,
    /// What it is for.
    pub kind: Kind,
    /// One line for lists.
    pub title: String,
    /// What it does, for people who decide whether to activate it. May be empty.
    pub description: String,
    /// At least one.
    pub authors: Vec<String>,
    /// An SPDX licence expression, e.g. `Apache-2.0 OR MIT`.
    pub license: String,
    /// Where it applies.
    pub scope: Scope,
    /// When it applies.
    pub effective: Effective,
    /// The norms and texts behind it.
    pub references: Vec<Reference>,
    /// JSON Schema of its settings. A package that declares none takes none.
    pub settings_schema: Value,
    /// What one call may use.
    pub limits: Limits,
    /// What it may plan. Only actions plan.
    pub may: Vec<EffectKind>,
}

/// A norm or text that a package rests on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// As lawyers cite it.
    pub title: String,
    /// Where to read it: an address with `https://` or `http://`.
    pub url: Option<String>,
}

impl Manifest {
    /// Reads `assize.toml`.
    ///
    /// # Errors
    /// The first field that is missing, unknown or wrong, with the value that stands there and what to write instead.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        if text.len() > LONGEST_MANIFEST {
            return Err(ManifestError::TooLong { size: text.len(), limit: LONGEST_MANIFEST });
        }
        nesting::check(text)?;
        let table = text.parse::<toml::Table>().map_err(|error| syntax_error(text, &error))?;
        let known = ["package", "scope", "effective", "references", "settings", "limits", "effects"];
        let mut root = Fields::open("", table, &known)?;
        let known = ["name", "version", "contract", "kind", "title", "description", "authors", "license"];
        let remedy = r#"begin with [package] and name = "namespace/name""#;
        let mut package = root.table("package", &known)?.ok_or_else(|| root.missing("package", remedy))?;
        let kind = package.parsed("kind", r#"write "risk-agent", "compliance-rule" or "action""#)?;
        Ok(Self {
            name: package.parsed("name", r#"write namespace and name in lower case, e.g. "acme/my-agent""#)?,
            version: version(&mut package)?,
            contract: package.parsed("contract", CONTRACT_REMEDY)?,
            kind,
            title: package.required("title", r#"write one line for lists, e.g. "Flags prompt injection""#)?,
            description: package.text("description", "say what it does, or remove the field")?.unwrap_or_default(),
            authors: authors(&mut package)?,
            license: license(&mut package)?,
            scope: scope(&mut root)?,
            effective: effective(&mut root)?,
            references: references(&mut root)?,
            settings_schema: settings_schema(&mut root)?,
            limits: limits(&mut root)?,
            may: may(&mut root, kind)?,
        })
    }
}

const CONTRACT_REMEDY: &str =
    r#"write "1.1.0" or "1.0.0", as the component was built, or install a host that knows the contract"#;

fn syntax_error(text: &str, error: &toml::de::Error) -> ManifestError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    ManifestError::Syntax {
        line: before.matches('\n').count() + 1,
        column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        message: error.message().to_owned(),
    }
}

fn version(package: &mut Fields) -> Result<Version, ManifestError> {
    let remedy = r#"write a semantic version (semver.org), e.g. "1.0.0""#;
    let version: Version = package.parsed("version", remedy)?;
    if version.build.is_empty() {
        return Ok(version);
    }
    let (problem, remedy) =
        ("a version with build metadata isn't one version", "remove the part from the plus sign on");
    Err(package.refuse("version", version.to_string(), problem, remedy))
}

fn authors(package: &mut Fields) -> Result<Vec<String>, ManifestError> {
    let remedy = r#"name who answers for it, e.g. authors = ["Jo Doe <jo@example.org>"]"#;
    let authors = package.list("authors", remedy, Ok)?;
    if authors.is_empty() { Err(package.missing("authors", remedy)) } else { Ok(authors) }
}

/// SPDX 2.3, annex D, as far as its form goes: identifiers joined by `AND`, `OR` and `WITH`, in balanced parentheses.
fn is_license_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let (mut depth, mut operand_next) = (0_usize, true);
    for token in spaced.split_whitespace() {
        let operator = matches!(token, "AND" | "OR" | "WITH");
        match token {
            "(" if operand_next => depth += 1,
            ")" if !operand_next && depth > 0 => depth -= 1,
            "(" | ")" => return false,
            _ if operator == operand_next => return false,
            _ if operator => operand_next = true,
            _ if token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.+:".contains(&byte)) => {
                operand_next = false;
            }
            _ => return false,
        }
    }
    depth == 0 && !operand_next
}

fn license(package: &mut Fields) -> Result<String, ManifestError> {
    let remedy = r#"write an SPDX expression, e.g. "Apache-2.0" or "MIT OR Apache-2.0" (spdx.org/licenses)"#;
    let license = package.required("license", remedy)?;
    if is_license_expression(&license) {
        return Ok(license);
    }
    Err(package.refuse("license", license, "it isn't a licence expression", remedy))
}

fn word(text: String) -> Result<String, String> {
    if is_word(&text) { Ok(text) } else { Err(WORD.to_owned()) }
}

fn scope(root: &mut Fields) -> Result<Scope, ManifestError> {
    let Some(mut scope) = root.table("scope", &["jurisdictions", "sectors", "kinds"])? else {
        return Ok(Scope::default());
    };
    let jurisdiction =
        |text: String| if is_jurisdiction(&text) { Ok(text) } else { Err("it isn't an ISO 3166 code".to_owned()) };
    Ok(Scope {
        jurisdictions: scope.list("jurisdictions", r#"write e.g. ["EU", "BR", "US-CA"]"#, jurisdiction)?,
        sectors: scope.list("sectors", r#"write e.g. ["employment", "credit"]"#, word)?,
        kinds: scope.list("kinds", r#"write e.g. ["prompt", "content", "agent-action"]"#, word)?,
    })
}

fn effective(root: &mut Fields) -> Result<Effective, ManifestError> {
    let Some(mut period) = root.table("effective", &["from", "to"])? else {
        return Ok(Effective::ALWAYS);
    };
    let (from, to) = (period.moment("from")?, period.moment("to")?);
    Effective::new(from, to)
        .map_err(|error| period.refuse("to", error.to.to_string(), error, "write an end after the beginning, or none"))
}

fn references(root: &mut Fields) -> Result<Vec<Reference>, ManifestError> {
    let reference = |mut reference: Fields| {
        let title = reference.required("title", r#"cite it, e.g. "Regulation (EU) 2024/1689, Art. 5""#)?;
        let remedy = "write a whole address that begins with https://, or remove it";
        let url = reference.text("url", remedy)?;
        match url {
            Some(url) if !is_address(&url) => Err(reference.refuse("url", url, "it isn't a web address", remedy)),
            url => Ok(Reference { title, url }),
        }
    };
    root.tables("references", &["title", "url"])?.into_iter().map(reference).collect()
}

/// Pages show references as links: only what a browser opens as a page may be one (no `javascript:`).
fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control() || "\"<>\\".contains(letter))
}

fn settings_schema(root: &mut Fields) -> Result<Value, ManifestError> {
    let declared = match root.table("settings", &["schema"])? {
        Some(mut settings) => settings.take("schema").map(|schema| (settings.at("schema"), schema)),
        None => None,
    };
    match declared {
        Some((field, schema)) => schema::from_toml(&field, schema),
        None => Ok(schema::none()),
    }
}

fn limits(root: &mut Fields) -> Result<Limits, ManifestError> {
    let Some(mut limits) = root.table("limits", &["fuel", "memory_bytes"])? else {
        return Ok(Limits::default());
    };
    let default = Limits::default();
    Ok(Limits {
        fuel: limits.number("fuel", Limits::MOST.fuel, "units of fuel")?.unwrap_or(default.fuel),
        memory_bytes: limits
            .number("memory_bytes", Limits::MOST.memory_bytes, "bytes")?
            .unwrap_or(default.memory_bytes),
    })
}

fn may(root: &mut Fields, kind: Kind) -> Result<Vec<EffectKind>, ManifestError> {
    let remedy = format!("list what it may plan, e.g. may = [\"alert\"] (known: {})", EffectKind::WORDS.join(", "));
    let may = match root.table("effects", &["may"])? {
        Some(mut effects) => {
            effects.list("may", &remedy, |text| text.parse::<EffectKind>().map_err(|error| error.to_string()))?
        }
        None => Vec::new(),
    };
    match (kind, may.is_empty()) {
        (Kind::Action, true) => Err(root.missing("effects.may", &remedy)),
        (Kind::Action, false) | (_, true) => Ok(may),
        (_, false) => {
            let words: Vec<_> = may.iter().map(|effect| toml::Value::from(effect.as_str())).collect();
            let problem = format!("a {kind} plans nothing");
            Err(root.refuse("effects.may", words, problem, "remove it, or write package.kind = \"action\""))
        }
    }
}
