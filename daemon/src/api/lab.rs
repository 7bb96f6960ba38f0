//! The lab as a whole: read, replaced, shown.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::body::{Whole, parse};
use super::error::ApiError;
use super::query::Asked;
use crate::engine::Engine;
use control::message::{Changes, HowToApply, Show, Version};
use labfile::{self, LabSpec};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Toml,
}

/// `GET /v1/lab`
pub(super) async fn written(
    State(engine): State<Arc<Engine>>,
    Asked(asked): Asked<Written>,
) -> Result<Response, ApiError> {
    let spec = engine.spec().await;
    match asked.format {
        Format::Json => Ok(Json(spec).into_response()),
        Format::Toml => {
            let told = |error| {
                let sentence = format!("the lab cannot be written as TOML: {error}");
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, sentence)
            };
            let text = spec.to_toml().map_err(told)?;
            Ok(([(header::CONTENT_TYPE, "application/toml")], text).into_response())
        }
    }
}

/// `PUT /v1/lab`. A body is a lab file unless it says that it is JSON: `curl -T lab.toml` says
/// nothing.
pub(super) async fn replace(
    State(engine): State<Arc<Engine>>,
    Asked(how): Asked<HowToApply>,
    body: Whole,
) -> Result<Json<Changes>, ApiError> {
    let mut wanted = wanted(&body, how.empty)?;
    if how.empty && wanted.is_bare() {
        wanted.empty = Some(true);
    }
    Ok(Json(engine.apply(wanted, how).await?))
}

/// The lab of a body. One that says nothing is a misspelt file name more often than the empty lab,
/// so that takes a word of its own.
fn wanted(body: &Whole, may_be_empty: bool) -> Result<LabSpec, ApiError> {
    let is_blank = body.bytes.trim_ascii().is_empty();
    if body.is_json && !is_blank {
        let wanted: LabSpec = parse(&body.bytes)?;
        if !wanted.is_nothing() || may_be_empty {
            return Ok(wanted);
        }
    } else if !is_blank || may_be_empty {
        let read = if may_be_empty { labfile::parse_or_empty } else { labfile::parse_spec };
        let told = |error: labfile::ConfigError| {
            ApiError::of_lab(StatusCode::BAD_REQUEST, error.to_string())
        };
        return Ok(read(&body.bytes, "body").map_err(told)?.0);
    }
    Err(ApiError::wrong(
        "the body has nothing in it, and that is not taken for the empty lab: was the file's name right? To empty the \
         lab write `empty = true`, or ask with `?empty=true`",
    ))
}

/// `GET /v1/show`
pub(super) async fn show(State(engine): State<Arc<Engine>>) -> Json<Show> {
    Json(engine.show().await)
}

/// `GET /v1/version`
pub(super) async fn version() -> Json<Version> {
    let (name, version) = ("tapswitch".to_owned(), VERSION.to_owned());
    Json(Version { name, version, pid: std::process::id() })
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
