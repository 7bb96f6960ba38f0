//! What would become of a frame: the switch is asked and not changed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::body;
use super::error::ApiError;
use crate::engine::Engine;
use control::explain::{Question, Story};
use offline::explain::ExplainError;

/// `POST /v1/explain`
pub(super) async fn explain(
    State(engine): State<Arc<Engine>>,
    body::Json(question): body::Json<Question>,
) -> Result<Json<Vec<Story>>, ApiError> {
    Ok(Json(engine.explain(&question).await?))
}

impl From<ExplainError> for ApiError {
    fn from(error: ExplainError) -> Self {
        let status =
            if error.is_unknown() { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        Self::new(status, error.to_string())
    }
}
