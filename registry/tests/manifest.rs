//! A manifest says what it means, or says what is wrong with it.
#![allow(clippy::unwrap_used)]

use assize_registry::{Contract, EffectKind, Effective, Kind, Limits, Manifest};
use proptest::prelude::*;

const FULL: &str = r#"
[package]
name = "acme/guard"
version = "1.2.3-rc.1"
contract = "1.0.0"
kind = "action"
title = "Guards"
description = "Plans alerts."
authors = ["Jo Doe <jo@example.org>"]
license = "Apache-2.0 WITH LLVM-exception OR (MIT AND BSD-3-Clause)"

[scope]
jurisdictions = ["EU", "US-CA"]
sectors = ["employment"]
kinds = ["prompt", "agent-action"]

[effective]
from = 2025-02-02
to = 2026-03-01T00:00:00-03:00

[[references]]
title = "Regulation (EU) 2024/1689, Art. 5"
url = "https://eur-lex.europa.eu/eli/reg/2024/1689/oj"

[[references]]
title = "Lei 13.709/2018, art. 20"

[settings.schema]
type = "object"
additionalProperties = false
[settings.schema.properties.threshold]
type = "number"
maximum = 10
default = 0.5

[limits]
fuel = 20_000_000
memory_bytes = 4_194_304

[effects]
may = ["alert", "create-rule"]
"#;

const SMALL: &str = r#"
[package]
name = "acme/guard"
version = "1.0.0"
contract = "1.0.0"
kind = "risk-agent"
title = "Guards"
authors = ["Jo Doe"]
license = "MIT"
"#;

/// The refusal of `SMALL` with `more` after it.
fn refusal(more: &str) -> String {
    Manifest::parse(&format!("{SMALL}{more}")).unwrap_err().to_string()
}

/// The refusal of `SMALL` with `from` replaced by `to`.
fn refusal_of(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    Manifest::parse(&SMALL.replace(from, to)).unwrap_err().to_string()
}

#[test]
fn everything_that_is_said_is_read() {
    let manifest = Manifest::parse(FULL).unwrap();
    assert_eq!(manifest.name.as_str(), "acme/guard");
    assert_eq!(manifest.version.to_string(), "1.2.3-rc.1");
    assert_eq!((manifest.contract, manifest.kind), (Contract::V1_0_0, Kind::Action));
    assert_eq!(manifest.scope.jurisdictions, ["EU", "US-CA"]);
    assert_eq!(manifest.scope.sectors, ["employment"]);
    assert_eq!(manifest.scope.kinds, ["prompt", "agent-action"]);
    assert_eq!(manifest.effective.from().unwrap().to_string(), "2025-02-02T00:00:00.000Z");
    assert_eq!(manifest.effective.to().unwrap().to_string(), "2026-03-01T03:00:00.000Z");
    assert_eq!(manifest.references.len(), 2);
    assert_eq!(manifest.references[1].url, None);
    assert_eq!(manifest.settings_schema["properties"]["threshold"]["maximum"], 10);
    assert_eq!(manifest.settings_schema["properties"]["threshold"]["default"], 0.5);
    assert_eq!(manifest.limits, Limits { fuel: 20_000_000, memory_bytes: 4_194_304 });
    assert_eq!(manifest.may, [EffectKind::Alert, EffectKind::CreateRule]);
}

#[test]
fn what_isnt_said_doesnt_restrict_and_takes_no_settings() {
    let manifest = Manifest::parse(SMALL).unwrap();
    assert_eq!(manifest.effective, Effective::ALWAYS);
    assert_eq!(manifest.scope.applies(&["BR".to_owned()], None, "prompt"), Ok(()));
    assert_eq!(manifest.limits, Limits::default());
    assert_eq!(manifest.settings_schema["additionalProperties"], false);
    assert!(manifest.may.is_empty() && manifest.references.is_empty() && manifest.description.is_empty());
}

#[test]
fn a_manifest_survives_json() {
    for text in [FULL, SMALL] {
        let manifest = Manifest::parse(text).unwrap();
        let json = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest);
    }
    let json = serde_json::to_value(Manifest::parse(FULL).unwrap()).unwrap();
    assert_eq!(json["kind"], "action");
    assert_eq!(json["effective"]["from"], "2025-02-02T00:00:00.000Z");
    assert_eq!(json["may"], serde_json::json!(["alert", "create-rule"]));
}

#[test]
fn each_refusal_names_field_value_and_remedy() {
    let cases = [
        (
            refusal_of("acme/guard", "Acme/Guard"),
            [r#"package.name = "Acme/Guard""#, "only a to z", r#"e.g. "acme/my-agent""#],
        ),
        (refusal_of(r#""1.0.0"#, r#""1.0"#), [r#"package.version = "1.0""#, "unexpected end", r#"e.g. "1.0.0""#]),
        (
            refusal_of(r#"version = "1.0.0"#, r#"version = "1.0.0+x"#),
            [r#"package.version = "1.0.0+x""#, "build metadata", "remove the part"],
        ),
        (
            refusal_of(r#"contract = "1.0.0"#, r#"contract = "1.9.0"#),
            [r#"package.contract = "1.9.0""#, "known: 1.0.0, 1.1.0", "install a host"],
        ),
        (
            refusal_of("risk-agent", "agent"),
            [r#"package.kind = "agent""#, "known: risk-agent, compliance-rule, action", r#"write "risk-agent""#],
        ),
        (
            refusal_of(r#"license = "MIT""#, r#"license = "free as in beer""#),
            [r#"package.license = "free as in beer""#, "licence expression", "SPDX"],
        ),
        (refusal_of(r#"["Jo Doe"]"#, "[]"), ["package.authors", "missing", "name who answers"]),
        (refusal_of(r#""Guards""#, "7"), ["package.title = 7", "integer isn't a text", "one line"]),
        (refusal_of("title", "titel"), [r#"package.titel = "Guards""#, "no such field", "known here: name"]),
        (refusal("[scpoe]\n"), ["scpoe", "no such field", "known here: package, scope"]),
        (
            refusal("[scope]\njurisdictions = [\"EU\", \"Brazil\"]"),
            [r#"scope.jurisdictions[1] = "Brazil""#, "ISO 3166", r#"["EU", "BR", "US-CA"]"#],
        ),
        (refusal("[scope]\nkinds = [\"prompt\", \"prompt\"]"), ["scope.kinds[1]", "twice", "remove one"]),
        (refusal("[scope]\nsectors = \"credit\""), ["scope.sectors", "string isn't a list", r#"["employment""#]),
        (
            refusal("[limits]\nfuel = 99_999_999_999"),
            ["limits.fuel = 99999999999", "at most 10000000000", "from 1 to 10000000000"],
        ),
        (refusal("[limits]\nmemory_bytes = 0"), ["limits.memory_bytes = 0", "less than 1", "from 1 to 268435456"]),
        (refusal("[limits]\nfuel = -1"), ["limits.fuel = -1", "less than 1", "from 1"]),
        (refusal("[limits]\nfuel = 1.5"), ["limits.fuel = 1.5", "isn't a whole number", "from 1"]),
        (
            refusal("[effects]\nmay = [\"alert\"]"),
            ["effects.may = [\"alert\"]", "a risk-agent plans nothing", r#"package.kind = "action""#],
        ),
        (refusal_of("risk-agent", "action"), ["effects.may", "missing", "known: alert, webhook"]),
        (
            refusal("[[references]]\ntitle = \"x\"\nurl = \"javascript:alert(1)\""),
            ["references[0].url = \"javascript:alert(1)\"", "isn't a web address", "https://"],
        ),
        (refusal("[[references]]\nurl = \"https://example.org\""), ["references[0].title", "missing", "cite it"]),
        (refusal("[settings]\nschema = \"x\""), ["settings.schema = \"x\"", "is a table", "[settings.schema]"]),
        (
            refusal("[settings.schema.properties.x]\nmaximum = 9007199254740993"),
            ["settings.schema.properties.x.maximum = 9007199254740993", "2^53", "smaller"],
        ),
        (refusal("[settings.schema]\nx = nan"), ["settings.schema.x", "no such number", "finite"]),
        (refusal("[settings.schema]\nx = 2025-01-01"), ["settings.schema.x", "no dates", "in quotes"]),
    ];
    for (error, parts) in cases {
        for part in parts {
            assert!(error.contains(part), "{error:?} doesn't say {part:?}");
        }
    }
}

#[test]
fn a_period_is_never_guessed() {
    let cases = [
        ("from = 2025-01-01T00:00:00", "effective.from = 2025-01-01T00:00:00", "e.g. 2025-01-01T00:00:00Z"),
        ("from = 12:00:00", "effective.from = 12:00:00", "write a date"),
        ("from = \"2025-01-01\"", "effective.from = \"2025-01-01\"", "without quotes"),
        ("to = 1969-12-31", "effective.to = 1969-12-31", "1970 to 9999"),
        ("from = 2025-01-01T00:00:00.0001Z", "effective.from", "milliseconds"),
        ("from = 2025-01-02\nto = 2025-01-02", "effective.to", "holds no moment"),
    ];
    for (period, field, remedy) in cases {
        let error = refusal(&format!("[effective]\n{period}"));
        assert!(error.contains(field) && error.contains(remedy), "{error}");
    }
}

#[test]
fn what_isnt_toml_is_refused_with_its_line() {
    let error = Manifest::parse("[package]\nname = \"é\" x").unwrap_err().to_string();
    assert!(error.contains("line 2, column 12"), "{error}");
    assert!(Manifest::parse("").unwrap_err().to_string().contains("field package: it's missing"));
    let long = format!("# {}", "x".repeat(assize_registry::LONGEST_MANIFEST));
    assert!(Manifest::parse(&long).unwrap_err().to_string().contains("262144 are allowed"));
}

#[test]
fn a_schema_nested_too_deep_is_refused() {
    let keys = vec!["a"; 60].join(".");
    assert!(refusal(&format!("[settings.schema]\n{keys} = 1")).contains("deep"));
    let deeper = (0..70).fold("1".to_owned(), |inner, _| format!("{{{} = {inner}}}", vec!["a"; 70].join(".")));
    assert!(!refusal(&format!("[settings.schema]\nx = {deeper}")).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*", cut in 0..FULL.len(), at in 0..FULL.len()) {
        let _ = Manifest::parse(&text);
        let _ = Manifest::parse(FULL.split_at(cut).0);
        let (before, after) = FULL.split_at(at);
        let _ = Manifest::parse(&format!("{before}{text}{after}"));
    }
}
