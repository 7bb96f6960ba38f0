//! Answers, whose JSON and TOML hide nothing: `curl` prints them as they come.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use http_body_util::BodyExt;

use labfile::printable;

/// The same answer for every program that reads it.
pub(super) async fn visible(answer: Response) -> Response {
    let (parts, body) = answer.into_parts();
    // Every body is whole in memory, and reading it cannot fail.
    let Ok(body) = body.collect().await else { return Response::from_parts(parts, Body::empty()) };
    let bytes = body.to_bytes();
    let body = match std::str::from_utf8(&bytes) {
        Ok(text) => match printable::json(text) {
            Cow::Borrowed(_) => Body::from(bytes),
            Cow::Owned(text) => Body::from(text),
        },
        Err(_) => Body::from(bytes),
    };
    Response::from_parts(parts, body)
}
