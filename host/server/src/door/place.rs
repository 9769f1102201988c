//! Where in a body an error is: a field's path in place of a line and a column.

/// A step into a document.
enum Step {
    /// Of an object; none before its name is read.
    Member(Option<String>),
    /// Of an array, from 0.
    Item(usize),
}

/// The path of what was read last, or is read next, at this line (from 1) and column (bytes before it) of a valid document:
/// e.g. `bindings[0].mode`. Empty for the whole.
pub(super) fn path(text: &str, line: usize, column: usize) -> String {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut rest = text.get(..start.saturating_add(column)).unwrap_or(text);
    let mut steps: Vec<Step> = Vec::new();
    while let Some(first) = rest.chars().next() {
        let mut read = first.len_utf8();
        match (first, steps.last_mut()) {
            ('{', _) => steps.push(Step::Member(None)),
            ('[', _) => steps.push(Step::Item(0)),
            ('}' | ']', _) => drop(steps.pop()),
            (',', Some(Step::Item(index))) => *index += 1,
            (',', Some(Step::Member(name))) => *name = None,
            ('"', step) => {
                let literal = string(rest);
                read = literal.len();
                if let Some(Step::Member(name @ None)) = step {
                    *name = Some(serde_json::from_str(literal).unwrap_or_default());
                }
            }
            _ => {}
        }
        rest = rest.get(read..).unwrap_or_default();
    }
    steps.iter().fold(String::new(), |path, step| match step {
        Step::Member(None) => path,
        Step::Member(Some(name)) => member(&path, name),
        Step::Item(index) => format!("{path}[{index}]"),
    })
}

/// The path of a field of what is at a path.
pub(super) fn member(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The literal that a text begins with, its quotes included.
fn string(text: &str) -> &str {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.and_then(|(end, _)| text.get(..=end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path at the place that a bar marks.
    fn at(marked: &str) -> String {
        let before = marked.split('|').next().unwrap();
        let (line, column) = (before.split('\n').count(), before.rsplit('\n').next().unwrap().len());
        path(&marked.replace('|', ""), line, column)
    }

    #[test]
    fn a_place_is_told_by_its_path() {
        for (marked, path) in [
            ("|[]", ""),
            (r#"{"kind":5|}"#, "kind"),
            (r#"{"kind"|:5}"#, "kind"),
            (r#"{"kind":5}|"#, ""),
            (r#"{"a":{"b":[1,{"c":2|}]}}"#, "a.b[1].c"),
            (r#"{"a":{"b":[1,{"c":2}|]}}"#, "a.b[1]"),
            (r#"{"a":[{"b":1},|[2]]}"#, "a[1]"),
            ("{\n  \"ü\": {},\n  \"a\": [\n    \"x\", true|\n  ]\n}", "a[1]"),
            (r#"{"a":"],}\"[{","b":[]|}"#, "b"),
            (r#"{"a\"b":1|}"#, "a\"b"),
        ] {
            assert_eq!(at(marked), path, "{marked}");
        }
    }
}
