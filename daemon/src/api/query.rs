//! What a request says behind its path: names in the path, and the query, each refused with a
//! sentence.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use packet::VlanId;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// The query, whose keys are all known.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let told = |error: axum::extract::rejection::QueryRejection| {
            let text = error.body_text();
            let why = text.trim_start_matches("Failed to deserialize query string: ");
            ApiError::wrong(format!(
                "the query {:?} is wrong: {why}",
                parts.uri.query().unwrap_or("")
            ))
        };
        Query::try_from_uri(&parts.uri).map(|Query(asked)| Self(asked)).map_err(told)
    }
}

/// The last part of the path, as text.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let told = |_| ApiError::wrong("the name in the path is not UTF-8");
        let Path(name) = Path::from_request_parts(parts, state).await.map_err(told)?;
        Ok(Self(name))
    }
}

/// A VLAN of the request; 0 for frames without one.
pub(super) fn vlan(number: u16) -> Result<VlanId, ApiError> {
    match number {
        0 => Ok(VlanId::UNTAGGED),
        number => VlanId::new(number)
            .ok_or_else(|| ApiError::wrong(format!("vlan {number} is not between 1 and 4094"))),
    }
}

/// A text of the request as the value that it must be.
pub(super) fn value<T: FromStr>(what: &str, text: &str) -> Result<T, ApiError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| ApiError::wrong(format!("{what} {text:?}: {error}")))
}
