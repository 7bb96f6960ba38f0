//! A refusal: one sentence, and the status that tells its kind.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use switch::ChangeError;

use super::message::Refusal;
use crate::engine::EngineError;

/// What a request gets that is not granted.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    sentence: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: printable(sentence.into()) }
    }

    pub(super) fn wrong(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    pub(super) fn unknown(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, sentence)
    }

    /// The same with what to do about it.
    pub(super) fn and(self, remedy: &str) -> Self {
        Self::new(self.status, format!("{}; {remedy}", self.sentence))
    }

    /// For requests that only take `what` away: when the rest is no valid lab, the request was right and the rest is
    /// in its way.
    pub(super) fn of_removal(what: &str, error: EngineError) -> Self {
        match error {
            EngineError::Config(_) => {
                Self::new(StatusCode::CONFLICT, format!("{what} is still needed: {error}"))
            }
            other => other.into(),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let status = match &error {
            EngineError::Config(_) | EngineError::Empties(_) => StatusCode::BAD_REQUEST,
            EngineError::Unknown(_) => StatusCode::NOT_FOUND,
            EngineError::Conflict(_) => StatusCode::CONFLICT,
            EngineError::Tunnel { .. } | EngineError::Narrow { .. } => StatusCode::CONFLICT,
            EngineError::Port { error, .. } if error.is_contradiction() => StatusCode::CONFLICT,
            EngineError::Port { .. } | EngineError::Attach { .. } => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            EngineError::Switch(refusal) => {
                return Self::new(of_switch(*refusal), refusal.to_string());
            }
        };
        Self::new(status, error.to_string())
    }
}

/// The sentence without what a terminal would obey: it may repeat what a request said.
fn printable(sentence: String) -> String {
    let obeyed = |c: char| c.is_control() && c != '\n';
    if !sentence.contains(obeyed) {
        return sentence;
    }
    let mut shown = String::new();
    for c in sentence.chars() {
        match obeyed(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

const fn of_switch(refusal: ChangeError) -> StatusCode {
    match refusal {
        ChangeError::NoBridge(_)
        | ChangeError::NoPort(_)
        | ChangeError::NoInterface(_)
        | ChangeError::NoRoute(_)
        | ChangeError::NoStation(_)
        | ChangeError::NoNeighbor(_) => StatusCode::NOT_FOUND,
        ChangeError::NotAStation(_) | ChangeError::TooSmall => StatusCode::BAD_REQUEST,
        ChangeError::BridgeInUse(_)
        | ChangeError::SegmentTaken(_)
        | ChangeError::Overlap(_, _)
        | ChangeError::NotAMember(_, _)
        | ChangeError::NotUnderlay(_)
        | ChangeError::FarEndTaken(_, _)
        | ChangeError::UnderlayInUse(_, _)
        | ChangeError::Full => StatusCode::CONFLICT,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(Refusal { error: self.sentence })).into_response()
    }
}
