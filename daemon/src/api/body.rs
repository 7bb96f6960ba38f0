//! The body of a request, read to a limit, and JSON in it.
//!
//! A body over the limit is read to its end and thrown away, within limits of its own: a sender
//! that is still writing when the connection is closed would see a broken pipe and never the
//! sentence.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::MAX_BODY;
use super::error::ApiError;

/// A whole body of at most [`MAX_BODY`] bytes.
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    /// Whether it says of itself that it is JSON.
    pub(super) is_json: bool,
}

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        // A sender that asks first is told at once, and keeps the body to itself.
        if asks_first(request.headers()) && request.body().size_hint().lower() > MAX_BODY as u64 {
            return Err(too_large());
        }
        let bytes = timeout(PATIENCE, read(request.into_body())).await;
        let late = || ApiError::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
        Ok(Self { bytes: bytes.map_err(|_| late())??, is_json })
    }
}

/// A body that is JSON of a known shape.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Whole { bytes, .. } = Whole::from_request(request, state).await?;
        parse(&bytes).map(Self)
    }
}

/// JSON of a known shape, or a sentence.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let told =
        |error| ApiError::wrong(format!("the body is not the JSON that belongs here: {error}"));
    serde_json::from_slice(bytes).map_err(told)
}

async fn read(mut body: Body) -> Result<Bytes, ApiError> {
    let (mut kept, mut total) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let broken = |error| ApiError::wrong(format!("the body cannot be read: {error}"));
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        total += data.len();
        if total <= MAX_BODY {
            kept.extend_from_slice(&data);
        } else if total > MAX_DISCARDED {
            return Err(too_large());
        }
    }
    if total > MAX_BODY { Err(too_large()) } else { Ok(kept.into()) }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("json"))
}

fn asks_first(headers: &HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|expected| expected == "100-continue")
}

fn too_large() -> ApiError {
    let sentence = format!(
        "the body is larger than {MAX_BODY} bytes, which is the most that this daemon reads"
    );
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, sentence)
}

/// Bytes read only to be polite to their sender.
const MAX_DISCARDED: usize = 64 << 20;
/// How long a sender may take over a body.
const PATIENCE: Duration = Duration::from_secs(10);
