//! Bodies, parsed strictly: what two readers could read differently doesn't come in.

mod place;
mod strict;

use std::time::Duration;

use assize_sandbox::json;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::app::SharedApp;
use crate::problem::Problem;

/// A JSON body: UTF-8, no duplicate keys, no integer beyond 2^53 − 1, no field that has no name or isn't known; with its
/// exact bytes.
pub(crate) struct StrictJson<T> {
    pub(crate) value: T,
    pub(crate) bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<SharedApp> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &SharedApp) -> Result<Self, Problem> {
        let bytes = read(request.into_body(), app.config.max_body).await?;
        let value = parse(&bytes)?;
        Ok(Self { value, bytes })
    }
}

/// Reads a struct from a body: an object, and so is each struct inside.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = json::check(bytes).map_err(|error| Problem::bad_request(&error).at(pointer(&error.pointer)))?;
    if !text.trim_start().starts_with('{') {
        return Err(Problem::bad_request("the body must be a JSON object").at("body"));
    }
    strict::read(text).map_err(|error| unread(text, &error))
}

/// For a body to arrive: 64 MiB, the largest component, at 2 Mbit/s.
const LONGEST: Duration = Duration::from_mins(5);

/// Reads a body of limited length, in limited time.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let arrived = tokio::time::timeout(LONGEST, axum::body::to_bytes(body, limit)).await;
    arrived.map_err(|_| Problem::too_slow(LONGEST))?.map_err(|error| {
        use std::error::Error as _;
        let too_long = error.source().is_some_and(|source| source.to_string().contains("length limit"));
        if too_long { Problem::too_large(limit) } else { Problem::bad_request(format!("the body breaks off: {error}")) }
    })
}

fn pointer(pointer: &str) -> String {
    if pointer.is_empty() { "body".to_owned() } else { pointer.to_owned() }
}

/// Longest text of an error, in characters: serde repeats what it was sent.
const LONGEST_ERROR: usize = 1_000;

/// What was found wrong in a text, and with which field.
fn unread(text: &str, error: &serde_json::Error) -> Problem {
    let said = error.to_string();
    // Where it found a wrong token, and not a wrong value, it tells the place behind the token's first byte.
    let column = error.column().saturating_sub(usize::from(error.is_syntax()));
    let path = place::path(text, error.line(), column);
    // One that is missing is missed at the end of its object.
    let missing = said.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let field = missing.map_or_else(|| path.clone(), |name| place::member(&path, name));
    let field = if field.is_empty() { "body".to_owned() } else { field };
    Problem::bad_request(cut(&said)).at(cut(&field))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_ERROR) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Query parameters, with a problem where they don't fit.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<SharedApp> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, app).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::bad_request(error.body_text()).at("query")),
        }
    }
}

/// Names that stand in the address, with a problem where they can't be read.
pub(crate) struct Path<T>(pub(crate) T);

/// Longest path of an address, in bytes: that of the longest names has half of them. Answers repeat what they don't find.
const LONGEST_PATH: usize = 2_048;

impl<T: DeserializeOwned + Send> FromRequestParts<SharedApp> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let length = parts.uri.path().len();
        if length > LONGEST_PATH {
            let detail = format!("the address has a path of {length} bytes, and none is longer than {LONGEST_PATH}");
            return Err(Problem::bad_request(detail).at("path"));
        }
        match axum::extract::Path::<T>::from_request_parts(parts, app).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::bad_request(error.body_text()).at("path")),
        }
    }
}

/// Turns a parse error of a field into a problem that names it.
pub(crate) fn parsed<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| Problem::invalid(field, error))
}

#[cfg(test)]
mod tests {
    use assize_kernel::Policy;

    use super::*;

    /// What a body's refusal says, and of which field.
    fn refused(body: &str) -> (String, String) {
        let problem = serde_json::to_value(parse::<Policy>(body.as_bytes()).unwrap_err()).unwrap();
        assert_eq!(problem["status"], 400);
        let text = |member: &str| problem[member].as_str().unwrap().to_owned();
        (text("detail"), text("field"))
    }

    #[test]
    fn a_body_is_an_object_and_so_is_what_has_fields() {
        for body in ["[]", " [1]", "null", "5", "\"x\"", "true"] {
            assert_eq!(refused(body), ("the body must be a JSON object".to_owned(), "body".to_owned()));
        }
        for (body, field) in [
            (r#"{"thresholds":{"production":[1,2,3]}}"#, "thresholds.production"),
            (r#"{"limits":[5,5]}"#, "limits"),
            (r#"{"admission":[]}"#, "admission"),
            (r#"{"bindings":[{"name":"a","plugin":"x/y"},["b","x/y"]]}"#, "bindings[1]"),
        ] {
            let (detail, named) = refused(body);
            assert!(detail.starts_with("invalid type: sequence, expected a JSON object at line 1"), "{detail}");
            assert_eq!(named, field);
        }
        let policy: Policy = parse(br#" {"bindings":[{"name":"a","plugin":"x/y","settings":{ "b" : [1] }}]}"#).unwrap();
        assert_eq!(policy.bindings[0].settings.get(), r#"{ "b" : [1] }"#, "to the byte");
    }

    #[test]
    fn the_field_is_named_by_its_path_and_never_by_its_value() {
        for (body, field) in [
            (r#"{"title":5}"#, "title"),
            (r#"{"treshholds":{}}"#, "treshholds"),
            (r#"{"thresholds":{"moon":{}}}"#, "thresholds.moon"),
            (r#"{"thresholds":{"production":{"block":"high"}}}"#, "thresholds.production.block"),
            (r#"{"on_failure":"allow"}"#, "on_failure"),
            (r#"{"bindings":[{"name":"a","plugin":"x/y","mode":"dark"}]}"#, "bindings[0].mode"),
            (r#"{"bindings":[{"name":"a","plugin":"x/y","mode":5}]}"#, "bindings[0].mode"),
            (r#"{"bindings":[{"name":"a","plugin":"x/y","mode":[1]}]}"#, "bindings[0].mode"),
            (r#"{"bindings":[{"name":"a","plugin":"x/y","version":"`weight`"}]}"#, "bindings[0].version"),
            (r#"{"bindings":[{"name":"a"}]}"#, "bindings[0].plugin"),
            (r#"{"bindings":[{"name":"a","plugin":"x/y","colour":"red"}]}"#, "bindings[0].colour"),
        ] {
            assert_eq!(refused(body).1, field, "{body}");
        }
    }

    #[test]
    fn a_refusal_repeats_no_more_than_is_read_by_a_person() {
        let (detail, field) = refused(&format!(r#"{{"{}":1}}"#, "x".repeat(100_000)));
        assert!(detail.len() < 1_100 && field.len() < 1_100);
    }
}
