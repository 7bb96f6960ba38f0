//! Ctrl-C as an error: a signal sets a flag, every wait looks at it, and the way out is the usual
//! one, which cleans up.

use std::fmt;
use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Somebody asked this program to end.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; everything it made has been removed")
    }
}

impl std::error::Error for Interrupted {}

static ASKED: AtomicBool = AtomicBool::new(false);

/// Turns SIGINT, SIGTERM and SIGHUP into [`Interrupted`] from here on.
pub(crate) fn listen() -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let context = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    drop(context);
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
        });
        ASKED.store(true, Ordering::Relaxed);
    };
    thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}

/// Fails once somebody has asked.
pub(crate) fn check() -> Result<(), Interrupted> {
    if ASKED.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
}

/// How the program called `name` ends, its error told: 130 where somebody asked, as shells have it.
pub(crate) fn exit_code(name: &str, result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Ctrl-C may have struck a child of ours first, whose end is then no failure.
        Err(_) if check().is_err() => {
            eprintln!("{name}: {Interrupted}");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for `span`, or until somebody asks.
pub(crate) fn pause(span: Duration) -> Result<(), Interrupted> {
    let end = Instant::now() + span;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(SLICE));
    }
}

/// How late a Ctrl-C is noticed at most.
const SLICE: Duration = Duration::from_millis(50);
