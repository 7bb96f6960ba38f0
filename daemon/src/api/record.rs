//! Records: begun, ended, asked after.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use os::new_file::NewFileError;

use super::body;
use super::error::ApiError;
use crate::engine::Engine;
use crate::record::RecordError;
use control::record::{RecordSpec, RecordStatus};

/// `GET /v1/record`
pub(super) async fn status(State(engine): State<Arc<Engine>>) -> Json<RecordStatus> {
    Json(engine.record_status())
}

/// `POST /v1/record`
pub(super) async fn start(
    State(engine): State<Arc<Engine>>,
    body::Json(wanted): body::Json<RecordSpec>,
) -> Result<Json<RecordStatus>, ApiError> {
    Ok(Json(engine.start_record(wanted).await?))
}

/// `DELETE /v1/record`
pub(super) async fn stop(
    State(engine): State<Arc<Engine>>,
) -> Result<Json<RecordStatus>, ApiError> {
    Ok(Json(engine.stop_record()?))
}

impl From<RecordError> for ApiError {
    fn from(error: RecordError) -> Self {
        let status = match &error {
            RecordError::Relative { .. }
            | RecordError::TooSmall { .. }
            | RecordError::NoTime { .. } => StatusCode::BAD_REQUEST,
            RecordError::Busy { .. }
            | RecordError::Idle
            | RecordError::Exists { .. }
            | RecordError::Outgrown { .. } => StatusCode::CONFLICT,
            RecordError::Unwritable { error, .. } if !matches!(error, NewFileError::Refused(_)) => {
                StatusCode::CONFLICT
            }
            RecordError::Unwritable { .. } | RecordError::Thread(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self::new(status, error.to_string())
    }
}
