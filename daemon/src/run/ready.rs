//! The line that tells whoever started the daemon that the lab is up.

use std::io::{self, Write};
use std::thread;

use labfile::printable;

use crate::engine::Engine;

/// `ready`, and what is not.
pub(super) async fn readiness(engine: &Engine) -> String {
    let (lost, ports) = engine.lost().await;
    if lost.is_empty() {
        return "ready".to_owned();
    }
    let up = ports - lost.len();
    let lost: Vec<String> =
        lost.iter().map(|lost| printable::line(&lost.to_string()).into_owned()).collect();
    format!("ready, {up} of {ports} ports: {}", lost.join("; "))
}

/// Says so on a thread of its own: the reader of standard output may have stopped.
pub(super) fn say_ready(line: String) {
    let say = move || {
        let mut out = io::stdout().lock();
        if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
            tracing::warn!("nobody hears that the lab is ready: {error}");
        }
    };
    if let Err(error) = thread::Builder::new().name("ready".into()).spawn(say) {
        tracing::warn!("nobody can be told that the lab is ready: {error}");
    }
}
