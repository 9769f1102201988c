//! Walks the members of a JSON value by their names.

use serde_json::Value;
use std::fmt::Write as _;

/// Calls `visit` with the JSON pointer (RFC 6901), name and value of every member of every object within `value`, outer ones
/// first.
pub fn visit(value: &Value, mut visit: impl FnMut(&str, &str, &Value)) {
    walk(value, &mut String::new(), &mut visit);
}

fn walk(value: &Value, pointer: &mut String, visit: &mut impl FnMut(&str, &str, &Value)) {
    let parent = pointer.len();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                push(pointer, name);
                visit(pointer, name, member);
                walk(member, pointer, visit);
                pointer.truncate(parent);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                // Writing to a String can't fail.
                let _ = write!(pointer, "/{index}");
                walk(item, pointer, visit);
                pointer.truncate(parent);
            }
        }
        _ => {}
    }
}

/// Adds a member's name to a pointer.
pub(crate) fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    for character in name.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::visit;
    use serde_json::json;

    #[test]
    fn every_member_is_visited_with_a_pointer_that_leads_to_it() {
        let value = json!({"a/b": [{"c~": 1}, 2], "d": {"e": null}});
        let mut names = Vec::new();
        visit(&value, |pointer, name, member| {
            assert_eq!(value.pointer(pointer), Some(member));
            names.push(name.to_owned());
        });
        assert_eq!(names, ["a/b", "c~", "d", "e"]);
    }
}
