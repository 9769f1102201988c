//! Structs are read from objects alone.
//!
//! What serde derives takes an array of a struct's values as well, in the order of its fields. Without their names nobody sees
//! that one is unknown, there twice or meant for another: an empty array would be a policy that says nothing. So what is read
//! passes through here, at every depth, and a struct is asked for as a map.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Reads a whole text.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde::Deserialize::deserialize(Strict(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// Passes on whatever one side asks of the other, with itself around what is inside.
struct Strict<T>(T);

macro_rules! pass_on {
    ($($method:ident($($name:ident: $kind:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($name,)* Strict(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Object(visitor))
    }

    pass_on! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        // A `RawValue` asks for one, too, by a name of its own.
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! show {
    ($($method:ident($kind:ty);)*) => {$(
        fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.0.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    show! {
        visit_bool(bool);
        visit_i8(i8);
        visit_i16(i16);
        visit_i32(i32);
        visit_i64(i64);
        visit_i128(i128);
        visit_u8(u8);
        visit_u16(u16);
        visit_u32(u32);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_f64(f64);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Strict(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(members))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(Strict(variant))
    }
}

/// What reads a struct, shown nothing but an object.
struct Object<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(members))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(inner))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Strict(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Strict<A> {
    type Error = A::Error;
    type Variant = Strict<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.0.variant_seed(Strict(seed))?;
        Ok((value, Strict(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Strict(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(length, Strict(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, Object(visitor))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        a: u64,
        b: Option<i32>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Way {
        Plain,
        Around(Inner),
        With { inner: Inner },
        Pair(u8, char),
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(default)]
        inner: Inner,
        maybe: Option<Inner>,
        #[serde(default)]
        list: Vec<Inner>,
        #[serde(default)]
        named: BTreeMap<u16, Inner>,
        #[serde(default)]
        ways: Vec<Way>,
        #[serde(default)]
        pair: (f64, String),
        #[serde(default)]
        any: serde_json::Value,
        large: Option<u128>,
        raw: Option<Box<RawValue>>,
    }

    fn refusal(text: &str) -> String {
        read::<Outer>(text).unwrap_err().to_string()
    }

    #[test]
    fn an_array_in_the_place_of_an_object_is_refused_at_every_depth() {
        // That this is needed: without it, they are read.
        assert!(serde_json::from_str::<Inner>("[]").is_ok());
        assert!(read::<Inner>("[]").is_err());
        for text in [
            "[]",
            r#"{"inner":[1,2]}"#,
            r#"{"maybe":[1]}"#,
            r#"{"list":[{"a":1},[]]}"#,
            r#"{"named":{"7":[1,2]}}"#,
            r#"{"ways":[{"around":[1,2]}]}"#,
            r#"{"ways":[{"with":[{}]}]}"#,
            r#"{"ways":[{"with":{"inner":[1]}}]}"#,
        ] {
            assert!(refusal(text).contains("invalid type: sequence, expected a JSON object"), "{text}");
        }
        assert!(refusal("null").contains("expected a JSON object"));
        assert!(refusal(r#"{"inner":null}"#).contains("expected a JSON object"));
    }

    #[test]
    fn everything_else_is_read_as_ever() {
        let text = r#"{ "inner": {"a": 1, "b": -2}, "maybe": null, "list": [{}, {"a": 3}], "named": {"7": {"a": 4}},
            "ways": ["plain", {"around": {"a": 5}}, {"with": {"inner": {"a": 6}}}, {"pair": [7, "x"]}],
            "pair": [0.1, "\u00fc"], "any": {"x": [1, {"y": null}]}, "large": 340282366920938463463374607431768211455,
            "raw": { "kept":  [1, 1.50, "\u00fc"] } }"#;
        let outer: Outer = read(text).unwrap();
        let a = |a| Inner { a, b: None };
        assert_eq!(outer.inner, Inner { a: 1, b: Some(-2) });
        assert_eq!(outer.maybe, None);
        assert_eq!(outer.list, [a(0), a(3)]);
        assert_eq!(outer.named, BTreeMap::from([(7, a(4))]));
        assert_eq!(outer.ways, [Way::Plain, Way::Around(a(5)), Way::With { inner: a(6) }, Way::Pair(7, 'x')]);
        assert_eq!(outer.pair, (0.1, "ü".to_owned()));
        assert_eq!(outer.any, serde_json::json!({ "x": [1, { "y": null }] }));
        assert_eq!(outer.large, Some(u128::MAX));
        assert_eq!(outer.raw.unwrap().get(), r#"{ "kept":  [1, 1.50, "\u00fc"] }"#, "to the byte");
    }

    #[test]
    fn errors_say_what_they_said() {
        for text in [r#"{"inner":{"c":1}}"#, r#"{"inner":{"a":-1}}"#, r#"{"ways":["x"]}"#, r#"{"pair":[1]}"#, "{} x"] {
            let plain = serde_json::from_str::<Outer>(text).unwrap_err().to_string();
            assert_eq!(refusal(text), plain);
        }
    }
}
