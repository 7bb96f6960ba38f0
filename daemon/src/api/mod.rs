//! The control API: HTTP/1 and JSON over a unix socket, for the command line and for `curl
//! --unix-socket`.
//!
//! | method and path | meaning |
//! |---|---|
//! | `GET /v1/version` | who answers |
//! | `GET /v1/show` | everything that runs, in one answer |
//! | `GET /v1/lab[?format=toml]` | the running lab as it would be written |
//! | `PUT /v1/lab[?dry_run=true&empty=true]` | makes the running lab what the body says: a lab file, or the same as JSON; a body that says nothing is refused without `empty=true` |
//! | `GET /v1/bridges`, `/v1/ports`, `/v1/tunnels` | what runs |
//! | `GET POST PUT PATCH DELETE /v1/bridges/NAME`, `/v1/ports/NAME`, `/v1/tunnels/NAME` | one of them; POST refuses a name in use, PATCH changes the keys it gets and forgets those that are null, DELETE of a bridge takes its ports along with `?ports=true` |
//! | `POST /v1/bridges/NAME/renumber[?dry_run=true]` | moves a subnet of the bridge with all that belongs to it |
//! | `GET POST PUT /v1/routes`, `/v1/publish` | the rules; POST refuses a destination in use, PUT replaces it |
//! | `DELETE /v1/routes?to=`, `/v1/publish?listen=` | one of them; or `?index=`, which counts from 1 |
//! | `GET POST[?at=] PUT?index= DELETE?index= /v1/masquerade` | the rules, first match wins; DELETE takes `?source=&out=` too |
//! | `GET /v1/fdb[?bridge=]` | stations |
//! | `POST /v1/fdb` | binds a station to a port, or to a remote VTEP of a tunnel |
//! | `DELETE /v1/fdb[?bridge=&port=]` | forgets what was learned |
//! | `DELETE /v1/fdb/MAC?bridge=[&vlan=]` | forgets one station, learned or bound |
//! | `GET /v1/neighbors` | neighbours |
//! | `POST /v1/neighbors` | binds a neighbour to a MAC address |
//! | `DELETE /v1/neighbors`, `/v1/neighbors/ADDRESS[?interface=]` | forgets those that were learned, or one |
//! | `GET /v1/conntrack[?proto=&src=&dst=&sport=&dport=&rule=&port=&src_nat=&dst_nat=&any_nat=]` | flows |
//! | `DELETE /v1/conntrack` with the same | ends the flows that are meant, all without a query; `{"ended": 2, "flows": [...]}` |
//! | `GET /v1/stats`, `/v1/drops` | counters |
//! | `GET /v1/unknown-vteps` | who sends datagrams that no tunnel wants |
//! | `GET POST DELETE /v1/record` | how far the record is; begins one; ends it |
//! | `POST /v1/explain` | what would become of frames, `{"in": "red", "frames": ["hex", ...]}`, and why; changes nothing |
//!
//! A change is answered by `{"changes": ["+ port red ...", ...]}`, and every refusal by `{"error":
//! "a sentence"}` with a status that tells its kind: 400 a wrong request, 404 no such thing, 409 in
//! the way of what is there, 413 too much, 500 the machine refused, 503 the daemon is ending. Every
//! edit of the lab goes the one way of [`Engine::edit`], so a verb earns the same check
//! and the same sentence as a file.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::Response;
use axum::routing::{get, post, put};

use crate::engine::Engine;

mod body;
mod error;
mod explain;
pub mod flows;
mod lab;
mod named;
mod query;
mod record;
mod rules;
mod serve;
mod tables;
#[cfg(test)]
mod tests;
mod visible;

use error::ApiError;
pub use serve::serve;

/// Largest body of a request: as large as a lab file may be.
pub const MAX_BODY: usize = labfile::MAX_BYTES;

/// The API around an engine.
pub fn router(engine: Arc<Engine>) -> Router {
    let rules = Router::new()
        .route(
            "/routes",
            get(rules::routes)
                .post(rules::add_route)
                .put(rules::set_route)
                .delete(rules::delete_route),
        )
        .route(
            "/masquerade",
            get(rules::masquerade)
                .post(rules::add_masquerade)
                .put(rules::set_masquerade)
                .delete(rules::delete_masquerade),
        )
        .route(
            "/publish",
            get(rules::publish)
                .post(rules::add_publish)
                .put(rules::set_publish)
                .delete(rules::delete_publish),
        );
    let tables = Router::new()
        .route(
            "/fdb",
            get(tables::stations).post(tables::bind_station).delete(tables::flush_stations),
        )
        .route("/fdb/{mac}", axum::routing::delete(tables::forget_station))
        .route(
            "/neighbors",
            get(tables::neighbors).post(tables::bind_neighbor).delete(tables::flush_neighbors),
        )
        .route("/neighbors/{address}", axum::routing::delete(tables::forget_neighbor))
        .route("/conntrack", get(flows::list).delete(flows::end))
        .route("/stats", get(tables::stats))
        .route("/drops", get(tables::drops))
        .route("/unknown-vteps", get(tables::unknown_vteps))
        .route("/explain", post(explain::explain));
    let whole = Router::new()
        .route("/version", get(lab::version))
        .route("/show", get(lab::show))
        .route("/record", get(record::status).post(record::start).delete(record::stop))
        .route("/lab", put(lab::replace).get(lab::written))
        .merge(named::router())
        .merge(rules)
        .merge(tables);
    Router::new()
        .nest("/v1", whole)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(map_response(visible::visible))
        .layer(from_fn(to_the_end))
        .with_state(engine)
}

/// Answers a request on a task of its own, which goes on when the client hangs up: a change that is
/// given up halfway would leave half a lab.
async fn to_the_end(request: Request, next: Next) -> Result<Response, ApiError> {
    tokio::spawn(next.run(request)).await.map_err(|failed| {
        let sentence = format!("the answer cannot be given: {failed}");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, sentence)
    })
}

async fn no_such_path(uri: Uri) -> ApiError {
    let sentence = format!(
        "there is nothing at {}: the paths are /v1/lab, show, bridges, ports, tunnels, routes, masquerade, publish, \
         fdb, neighbors, conntrack, stats, drops, unknown-vteps, record, explain and version",
        uri.path()
    );
    ApiError::new(StatusCode::NOT_FOUND, sentence)
}

async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    let sentence = format!("{} does not understand {method}", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, sentence)
}
