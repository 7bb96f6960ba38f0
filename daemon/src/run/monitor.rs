//! What happens to a running lab from outside: devices and namespaces that vanish, addresses that
//! clash.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval};

use crate::dataplane::Report;
use crate::engine::Engine;

/// Looks after the lab until a packet thread ends, and says why it did.
pub(super) async fn watch(
    engine: Arc<Engine>,
    mut reports: UnboundedReceiver<Report>,
) -> io::Error {
    let mut round = interval(ROUND);
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            report = reports.recv() => match report {
                Some(Report::Gone(port)) => engine.device_gone(port).await,
                Some(Report::Notice(notice)) => tracing::warn!("{}", engine.say(notice).await),
                Some(Report::Failed(error)) => return error,
                None => return io::Error::other("all of them have stopped"),
            },
            _ = round.tick() => engine.look_around().await,
        }
    }
}

/// How long a namespace may be gone before it is noticed, which the kernel tells nobody, and how
/// long what it tells of devices may wait: whoever asks for a listing or a change meanwhile gets it
/// at once.
const ROUND: Duration = Duration::from_secs(1);
