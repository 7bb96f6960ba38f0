//! A panic anywhere is reported and ends the daemon in order: planted in the switch, in threads and
//! in tasks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::future::pending;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use labfile::{LabSpec, parse_spec};
use os::netns;
use os::privileges;
use tapswitch_daemon::dataplane::Threads;
use tapswitch_daemon::engine::Engine;
use tapswitch_daemon::run::{ControlSocket, RunError, Stop, runtime, serve};

/// The panics of a process are one stream, so one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a daemon ends in which `plant` has something panic; after that the test fails if it lives
/// on.
fn outcome(spec: LabSpec, plant: impl FnOnce(&Arc<Engine>)) -> Result<(), RunError> {
    let room = tempfile::tempdir().unwrap();
    let path: PathBuf = room.path().join("control.sock");
    let runtime = runtime().unwrap();
    let ended = runtime.block_on(async {
        let socket = ControlSocket::claim(&path).unwrap();
        let stop = Stop::listen().unwrap();
        let while_up = async |engine: &Arc<Engine>| {
            plant(engine);
            pending::<()>().await;
        };
        let threads = Threads { workers: 2, ..Threads::default() };
        let served = serve(socket, stop, threads, (spec, Default::default()), while_up);
        tokio::time::timeout(Duration::from_secs(60), served).await
    });
    runtime.shutdown_background();
    assert!(!path.exists());
    ended.expect("it lives on")
}

#[track_caller]
fn is_reported(outcome: Result<(), RunError>, words: &str) {
    let told = outcome.expect_err("it ends as if nothing had been").to_string();
    assert!(told.contains("panicked at") && told.contains(words), "{told}");
    assert!(told.contains("fault of tapswitch's own"), "{told}");
}

#[test]
#[cfg(debug_assertions)]
fn a_worker_that_panics_is_reported_and_the_daemon_ends() {
    let _alone = alone();
    let ended = outcome(LabSpec::default(), |engine| engine.plane().break_switch());
    is_reported(ended, "broken on purpose");
}

#[test]
fn a_thread_that_panics_is_reported_and_the_daemon_ends() {
    let _alone = alone();
    let ended = outcome(LabSpec::default(), |_| {
        let _ = std::thread::spawn(|| panic!("a planted thread")).join();
    });
    is_reported(ended, "a planted thread");
}

#[test]
fn a_task_that_panics_is_reported_and_the_daemon_ends() {
    let _alone = alone();
    let ended =
        outcome(LabSpec::default(), |_| drop(tokio::spawn(async { panic!("a planted task") })));
    is_reported(ended, "a planted task");
}

#[test]
fn what_the_daemon_waits_for_may_panic_too() {
    let _alone = alone();
    let ended = outcome(LabSpec::default(), |_| panic!("a planted wait"));
    let told = ended.unwrap_err().to_string();
    assert!(told.contains("a planted wait"), "{told}");
}

/// Where nobody may touch the switch any more, devices and namespaces go all the same.
#[test]
#[cfg(debug_assertions)]
fn a_switch_that_only_panics_leaves_no_namespace_behind() {
    if let Err(reason) = privileges::check() {
        println!("skipped: {reason}");
        return;
    }
    let _alone = alone();
    let name = format!("tapswitch-panics-{}", std::process::id());
    let text = format!("[bridge.b]\n[port.p]\nbridge = \"b\"\nnetns = \"{name}\"\n");
    let (spec, _) = parse_spec(text.as_bytes(), "lab.toml").unwrap();
    let ended = outcome(spec, |engine| {
        assert!(netns::list().unwrap().contains(&name));
        engine.plane().break_switch();
    });
    is_reported(ended, "broken on purpose");
    assert!(!netns::list().unwrap().contains(&name));
}
