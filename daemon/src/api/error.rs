//! A refusal: one sentence, and the status that tells its kind.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use switch::ChangeError;

use crate::engine::EngineError;
use control::message::Refusal;
use labfile::printable;

/// What a request gets that is not granted.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    sentence: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, sentence: impl AsRef<str>) -> Self {
        Self { status, sentence: printable::line(sentence.as_ref()).into_owned() }
    }

    /// As a wrong lab is told: a line a problem.
    pub(super) fn of_lab(status: StatusCode, problems: impl AsRef<str>) -> Self {
        Self { status, sentence: printable::lines(problems.as_ref()).into_owned() }
    }

    pub(super) fn wrong(sentence: impl AsRef<str>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    pub(super) fn unknown(sentence: impl AsRef<str>) -> Self {
        Self::new(StatusCode::NOT_FOUND, sentence)
    }

    /// The same with what to do about it.
    pub(super) fn and(self, remedy: &str) -> Self {
        Self::new(self.status, format!("{}; {remedy}", self.sentence))
    }

    /// For requests that only take `what` away: when the rest is no valid lab, the request was
    /// right and the rest is in its way.
    pub(super) fn of_removal(what: &str, error: EngineError) -> Self {
        match error {
            EngineError::Config(_) => {
                Self::of_lab(StatusCode::CONFLICT, format!("{what} is still needed: {error}"))
            }
            other => other.into(),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let status = match &error {
            EngineError::Config(problems) => {
                return Self::of_lab(StatusCode::BAD_REQUEST, problems.to_string());
            }
            EngineError::Empties(_) => StatusCode::BAD_REQUEST,
            EngineError::Unknown(_) => StatusCode::NOT_FOUND,
            EngineError::Conflict(_) => StatusCode::CONFLICT,
            EngineError::Tunnel { .. } | EngineError::Narrow { .. } => StatusCode::CONFLICT,
            EngineError::Port { error, .. } if error.is_contradiction() => StatusCode::CONFLICT,
            EngineError::Port { .. } | EngineError::Attach { .. } => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            EngineError::Ending => StatusCode::SERVICE_UNAVAILABLE,
            EngineError::Switch(refusal) => {
                return Self::new(of_switch(*refusal), refusal.to_string());
            }
        };
        Self::new(status, error.to_string())
    }
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
        | ChangeError::VtepTaken(_, _)
        | ChangeError::UnderlayInUse(_, _)
        | ChangeError::Full => StatusCode::CONFLICT,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(Refusal { error: self.sentence })).into_response()
    }
}
