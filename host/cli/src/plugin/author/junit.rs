//! The outcome of fixtures as JUnit's XML, which build servers read.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::expectation::Mismatch;
use super::test::Report;

/// Writes a report.
pub(crate) fn write(report: &Report, file: &Path) -> anyhow::Result<()> {
    let failed = || format!("{} can't be written", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(file, xml(report)?).with_context(failed)
}

fn xml(report: &Report) -> Result<String, std::fmt::Error> {
    let seconds = |micros: u64| micros as f64 / 1e6;
    let micros = |outcome: &super::test::Outcome| outcome.run.as_ref().map_or(0, |run| run.duration_us);
    let total: u64 = report.fixtures.iter().map(micros).sum();
    let suite = escaped(&format!("{}@{}", report.package, report.version));
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{:.6}\"",
        report.fixtures.len(),
        report.failed,
        seconds(total)
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    writeln!(xml, "<testsuites {counts}>\n  <testsuite name=\"{suite}\" {counts}>")?;
    for outcome in &report.fixtures {
        let (name, file) = (escaped(&outcome.name), escaped(&outcome.file));
        write!(
            xml,
            "    <testcase classname=\"{}\" name=\"{file}: {name}\" file=\"fixtures/{file}\" time=\"{:.6}\"",
            escaped(&report.package),
            seconds(micros(outcome))
        )?;
        let log = outcome.run.as_ref().map(|run| run.log.join("\n")).unwrap_or_default();
        if outcome.holds && log.is_empty() {
            xml.push_str("/>\n");
            continue;
        }
        xml.push_str(">\n");
        if !outcome.holds {
            let members: Vec<_> = outcome.mismatches.iter().map(|mismatch| mismatch.member).collect();
            write!(xml, "      <failure type=\"fixture\" message=\"{}\">", escaped(&members.join(", ")))?;
            for Mismatch { member, expected, got } in &outcome.mismatches {
                xml.push_str(&escaped(&format!("{member}\n- {expected}\n+ {got}\n")));
            }
            xml.push_str("</failure>\n");
        }
        if !log.is_empty() {
            writeln!(xml, "      <system-out>{}</system-out>", escaped(&log))?;
        }
        xml.push_str("    </testcase>\n");
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    Ok(xml)
}

/// Text as XML 1.0 can hold it: what it can't is shown by its escape in Rust.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(letter),
            '\u{fffe}' | '\u{ffff}' => escaped.extend(letter.escape_unicode()),
            _ if letter.is_control() => escaped.extend(letter.escape_default()),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_breaks_the_document() {
        assert_eq!(escaped("a<b>&\"c\u{0}\u{1b}"), "a&lt;b&gt;&amp;&quot;c\\u{0}\\u{1b}");
    }
}
