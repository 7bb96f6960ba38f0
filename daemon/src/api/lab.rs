//! The lab as a whole: read, replaced, shown.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::body::{Whole, parse};
use super::error::ApiError;
use super::message::{Changes, Show, Version};
use super::query::{Asked, DryRun};
use crate::config::{self, LabSpec};
use crate::engine::Engine;

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

/// `PUT /v1/lab`. A body is a lab file unless it says that it is JSON: `curl -T lab.toml` says nothing.
pub(super) async fn replace(
    State(engine): State<Arc<Engine>>,
    Asked(DryRun { dry_run }): Asked<DryRun>,
    body: Whole,
) -> Result<Json<Changes>, ApiError> {
    let wanted: LabSpec = if body.is_json {
        parse(&body.bytes)?
    } else {
        let told = |error: config::ConfigError| ApiError::wrong(error.to_string());
        config::parse_spec(&body.bytes, "body").map_err(told)?.0
    };
    let changes = engine.apply(wanted, dry_run).await?;
    Ok(Json(Changes { changes }))
}

/// `GET /v1/show`
pub(super) async fn show(State(engine): State<Arc<Engine>>) -> Json<Show> {
    let spec = engine.spec().await;
    Json(Show {
        version: VERSION.to_owned(),
        bridges: engine.bridges().await,
        ports: engine.ports().await,
        tunnels: engine.tunnels().await,
        routes: engine.routes().await,
        masquerade: spec.masquerade,
        publish: spec.publish,
        warnings: engine.warnings().await,
    })
}

/// `GET /v1/version`
pub(super) async fn version() -> Json<Version> {
    let (name, version) = ("tapswitch".to_owned(), VERSION.to_owned());
    Json(Version { name, version, pid: std::process::id() })
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
