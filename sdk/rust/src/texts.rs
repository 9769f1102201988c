//! Walks a JSON document and collects its strings with their pointers, in one pass over the text.

use crate::Text;
use core::fmt;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt::Write as _;

/// All string values of the document `json`.
pub(crate) fn of(json: &str) -> Result<Vec<Text<'_>>, serde_json::Error> {
    let (mut found, mut pointer) = (Vec::new(), String::new());
    let mut document = serde_json::Deserializer::from_str(json);
    Walk { found: &mut found, pointer: &mut pointer }.deserialize(&mut document)?;
    document.end()?;
    Ok(found)
}

/// Visits the value at `pointer`.
struct Walk<'w, 'de> {
    found: &'w mut Vec<Text<'de>>,
    pointer: &'w mut String,
}

impl<'de> Walk<'_, 'de> {
    fn keep(self, text: Cow<'de, str>) {
        self.found.push(Text { pointer: self.pointer.clone(), text });
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, document: D) -> Result<(), D::Error> {
        document.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.keep(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.keep(Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let parent = self.pointer.len();
        for index in 0_usize.. {
            // Writing to a String can't fail.
            let _ = write!(self.pointer, "/{index}");
            let more = items.next_element_seed(Walk { found: &mut *self.found, pointer: &mut *self.pointer })?;
            self.pointer.truncate(parent);
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let parent = self.pointer.len();
        while let Some(Key(key)) = members.next_key::<Key<'de>>()? {
            crate::members::push(self.pointer, &key);
            members.next_value_seed(Walk { found: &mut *self.found, pointer: &mut *self.pointer })?;
            self.pointer.truncate(parent);
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// An object's key, borrowed from the document where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn every_string_has_its_pointer() {
        let texts = of(r#"{"a": "x", "b/c": ["y", 3, {"d~": "z\n"}], "e": null, "f": true, "g": 1.5}"#).unwrap();
        let seen: Vec<_> = texts.iter().map(|text| (text.pointer.as_str(), text.text.as_ref())).collect();
        assert_eq!(seen, [("/a", "x"), ("/b~1c/0", "y"), ("/b~1c/2/d~0", "z\n")]);
    }

    #[test]
    fn a_bare_string_has_the_empty_pointer() {
        assert_eq!(of("\"x\"").unwrap()[0].pointer, "");
    }

    #[test]
    fn what_follows_the_document_is_refused() {
        assert!(of("{} {}").is_err());
        assert!(of("").is_err());
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(of(&deep).is_err());
    }
}
