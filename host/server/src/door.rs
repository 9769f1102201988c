//! Bodies, parsed strictly: what two readers could read differently doesn't come in.

use std::time::Duration;

use assize_sandbox::json;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::app::SharedApp;
use crate::problem::Problem;

/// A JSON body: UTF-8, no duplicate keys, no integer beyond 2^53 − 1, no field that isn't known; with its exact bytes.
pub(crate) struct StrictJson<T> {
    pub(crate) value: T,
    pub(crate) bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<SharedApp> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &SharedApp) -> Result<Self, Problem> {
        let bytes = read(request.into_body(), app.config.max_body).await?;
        let text = json::check(&bytes).map_err(|error| Problem::bad_request(&error).at(pointer(&error.pointer)))?;
        let value = serde_json::from_str(text).map_err(|error| field_of(&error))?;
        Ok(Self { value, bytes })
    }
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

/// serde names the field between backticks.
fn field_of(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let problem = Problem::bad_request(&text);
    match text.split('`').nth(1) {
        Some(field) => problem.at(field),
        None => problem.at("body"),
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

/// Turns a parse error of a field into a problem that names it.
pub(crate) fn parsed<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| Problem::invalid(field, error))
}
