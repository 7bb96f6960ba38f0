//! Connections that nobody uses.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::super::serve::{IDLE, MOST};
use super::running;

/// On a clock that runs ahead while nobody has anything to do.
#[tokio::test(start_paused = true)]
async fn connections_that_say_nothing_are_closed_and_keep_nobody_out() {
    let running = running();
    let connect = || UnixStream::connect(&running.socket);
    let started = Instant::now();
    let mut idle = connect().await.unwrap();
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(started.elapsed().as_secs(), IDLE.as_secs());
    // Half a head is nothing, and one more than may be waits for its turn.
    let mut others = Vec::new();
    let started = Instant::now();
    for _ in 0..=MOST {
        let mut other = connect().await.unwrap();
        other.write_all(b"GET /v1/version HT").await.unwrap();
        others.push(other);
    }
    running.client.version().await.unwrap();
    assert!(started.elapsed() >= IDLE, "the one more has waited: {:?}", started.elapsed());
    // A head without an end is refused before it fills memory.
    let mut long = connect().await.unwrap();
    let written = long.write_all(&[b'a'; 1 << 20]).await;
    let mut answer = Vec::new();
    let read = long.read_to_end(&mut answer).await;
    assert!(written.is_err() || read.is_err() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
}
