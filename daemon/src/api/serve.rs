//! Connections to the control socket: so many at a time, and none that says nothing for long.
//!
//! A connection costs memory for as long as it is open, so it is closed when no whole head of a
//! request has come for [`IDLE`], between two requests too. Beyond [`MOST`] connections a further
//! one waits in the socket's queue until one of them ends.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// Answers requests until `finished`, and then those that have begun. What cannot be accepted is
/// tried again.
pub async fn serve(listener: UnixListener, router: Router, finished: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(MOST));
    let requests = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(MAX_HEAD);
    let mut finished = pin!(finished);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            Ok((place, listener.accept().await?.0))
        };
        let next: io::Result<_> = tokio::select! {
            biased;
            () = &mut finished => break,
            next = next => next,
        };
        match next {
            Ok((place, stream)) => {
                let service = TowerToHyperService::new(router.clone());
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                let connection = requests.watch(connection);
                tokio::spawn(async move {
                    // How it ends is its client's affair.
                    let _ = connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("a control connection cannot be taken: {error}");
                sleep(AGAIN).await;
            }
        }
    }
    drop(listener);
    requests.shutdown().await;
}

/// Connections at a time, each of some 25 KiB.
pub(super) const MOST: usize = 256;
/// How long a connection may be open without the head of a request.
pub(super) const IDLE: Duration = Duration::from_secs(10);
/// Bytes of a head, and of a body at a time.
const MAX_HEAD: usize = 64 << 10;
/// Until descriptors may be there again.
const AGAIN: Duration = Duration::from_secs(1);
