//! Panics: none ends unnoticed. A part of the daemon that panics is reported, and the daemon ends
//! in order.
//!
//! # Theory of operation
//! A panic ends a thread or a task and nothing else, and the runtime of the control plane swallows
//! it. So the one place that sees every panic, the process's hook, tells whoever [`watch`]es; that
//! is [`serve`](crate::run::serve), which then takes the lab down and ends with an error. The hook
//! stays for the life of the process. What `serve` itself waits for goes through [`caught`], so
//! that the taking down is still done.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::pin;
use std::sync::OnceLock;
use std::task::Poll;
use std::thread;

use tokio::sync::watch;

use crate::log;

/// What panicked, where, and with which words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; this is a fault of tapswitch's own: please report it")]
pub struct Panicked(String);

/// News of panics in this process, from now on.
pub(crate) struct Panics(watch::Receiver<Option<Panicked>>);

/// Watches for panics. The first call replaces the process's hook; without a log the old one is
/// still called, for its words on standard error.
pub(crate) fn watch() -> Panics {
    let hook = HOOK.get_or_init(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let panicked = Panicked(words(info));
            if !log::alarm(&format!("{panicked}{}", trace())) {
                before(info);
            }
            if let Some(hook) = HOOK.get() {
                hook.send_replace(Some(panicked));
            }
        }));
        watch::Sender::new(None)
    });
    let mut news = hook.subscribe();
    news.mark_unchanged();
    Panics(news)
}

static HOOK: OnceLock<watch::Sender<Option<Panicked>>> = OnceLock::new();

impl Panics {
    /// Waits for the next panic.
    pub(crate) async fn next(&mut self) -> Panicked {
        loop {
            // The sender lives for ever.
            let _ = self.0.changed().await;
            if let Some(panicked) = self.0.borrow_and_update().clone() {
                return panicked;
            }
        }
    }
}

/// Waits for `future`, and for its panic too: the hook has reported that.
///
/// # Errors
/// The panic.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        // The future is never polled again after a panic.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(cause) => Poll::Ready(Err(Panicked(format!("a panic: {}", text(&*cause))))),
        }
    })
    .await
}

fn words(info: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let place = info.location().map(|place| format!(" at {place}")).unwrap_or_default();
    format!("thread {thread} panicked{place}: {}", text(info.payload()))
}

fn text(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let owned = || payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(owned).unwrap_or("no words")
}

/// The stack, if it was asked for with `RUST_BACKTRACE`.
fn trace() -> String {
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => format!("\n{trace}"),
        _ => String::new(),
    }
}
