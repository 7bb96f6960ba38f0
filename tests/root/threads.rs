//! Where packet threads run, and when they look for frames instead of sleeping.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::daemon::Daemon;
use crate::traffic::lab;
use crate::wait;
use crate::world::{World, world};

#[test]
fn workers_stay_on_their_processors_and_poll_only_while_frames_come() {
    let Some(world) = world() else { return };
    let cpus = os::affinity::allowed().unwrap();
    let (first, last) = (cpus[0], cpus[cpus.len() - 1]);
    let switch = format!("[switch]\nworkers = 3\ncpus = [{last}, {first}]\npoll = \"10ms\"\n");
    let daemon = Daemon::with(&world, &(switch + &lab(true, 1500)));
    let workers = workers(&daemon);
    let places: Vec<String> =
        workers.iter().map(|worker| status(worker, "Cpus_allowed_list")).collect();
    assert_eq!(places, [last, first, last].map(|cpu| cpu.to_string()));
    let red = world.host("red");
    red.ping("192.168.0.3");
    red.ping("203.0.113.254");
    // Answers follow questions within the limit.
    wait::until("a poll that meets a frame", || {
        red.ping("192.168.0.3");
        (counted(&world, "polls_with_frames") > 0).then_some(())
    });
    // A worker that went on polling would use all of this time.
    let (mut since, mut before) = (Instant::now(), ticks(&workers));
    wait::until("workers that sleep", || {
        let now = ticks(&workers);
        if now > before + 2 {
            (since, before) = (Instant::now(), now);
        }
        (since.elapsed() > IDLE).then_some(())
    });
    assert!(counted(&world, "polled_us") > 0);
    red.ping("192.168.0.3");
    daemon.stop(Signal::SIGTERM);
}

#[test]
fn idle_workers_sleep_until_something_comes() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(true, 1500));
    world.host("red").ping("192.168.0.3");
    let workers = workers(&daemon);
    let wake_ups = || {
        let of =
            |worker: &PathBuf| status(worker, "voluntary_ctxt_switches").parse::<u64>().unwrap();
        workers.iter().map(of).sum::<u64>()
    };
    let (mut since, mut before) = (Instant::now(), wake_ups());
    wait::until("workers that nothing wakes", || {
        let now = wake_ups();
        if now > before {
            (since, before) = (Instant::now(), now);
        }
        (since.elapsed() > IDLE).then_some(())
    });
    world.host("red").ping("192.168.0.3");
    daemon.stop(Signal::SIGTERM);
}

#[test]
fn without_the_setting_workers_never_poll() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &lab(true, 1500));
    world.host("red").ping("192.168.0.3");
    assert_eq!(counted(&world, "polls"), 0);
    let text = "[switch]\npoll = \"200us\"\n".to_owned() + &lab(true, 1500);
    let printed = daemon.apply(&text);
    assert!(printed.contains("! polling changes when the daemon is started again"), "{printed}");
    world.host("red").ping("192.168.0.3");
    assert_eq!(counted(&world, "polls"), 0);
    daemon.stop(Signal::SIGTERM);
}

#[test]
fn a_processor_that_is_not_there_is_refused_ahead_of_everything() {
    let Some(world) = world() else { return };
    let file = world.file("[switch]\ncpus = [0,\n  1023]\n[bridge.b]\n");
    let refused = world.tapswitch_on(&["run"], &file);
    assert_eq!(refused.status.code(), Some(2));
    let sentence = refused.sentence();
    assert!(sentence.contains(":3:3: switch: processor 1023 of `cpus` is not there"), "{sentence}");
    assert!(sentence.contains("this process may use "), "{sentence}");
    let refused = world.tapswitch(&["run", "--cpus", "0,1023"]);
    assert_eq!(refused.status.code(), Some(2));
    let sentence = refused.sentence();
    assert!(sentence.contains("processor 1023 of `--cpus` is not there"), "{sentence}");
    assert!(!world.run(|| fs::exists("/run/tapswitch")).unwrap());
}

/// Directories of the workers' threads below /proc, by number.
fn workers(daemon: &Daemon<'_>) -> Vec<PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.id())).unwrap();
    let mut workers: Vec<(String, PathBuf)> = tasks
        .map(|task| task.unwrap().path())
        .map(|task| (fs::read_to_string(task.join("comm")).unwrap(), task))
        .filter(|(name, _)| name.starts_with("worker-"))
        .collect();
    workers.sort();
    workers.into_iter().map(|(_, task)| task).collect()
}

/// A line of a thread's `status`.
fn status(task: &std::path::Path, key: &str) -> String {
    let text = fs::read_to_string(task.join("status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim_start_matches(':').trim().to_owned()
}

/// Processor time of all of them so far, in hundredths of a second: the fields 14 and 15 of
/// proc_pid_stat(5).
fn ticks(tasks: &[PathBuf]) -> u64 {
    let of = |task: &PathBuf| {
        let text = fs::read_to_string(task.join("stat")).unwrap();
        let (_, fields) = text.rsplit_once(')').unwrap();
        let fields = fields.split_whitespace().skip(11).take(2);
        fields.map(|field| field.parse::<u64>().unwrap()).sum::<u64>()
    };
    tasks.iter().map(of).sum()
}

/// A count of all workers together.
fn counted(world: &World, key: &str) -> u64 {
    let stats = world.json(&["stats"]);
    let workers = stats["workers"].as_array().unwrap();
    workers.iter().map(|worker| worker.get(key).and_then(Value::as_u64).unwrap()).sum()
}

/// Fifty ticks, in which processor time is told, and as many of the longest polls.
const IDLE: Duration = Duration::from_millis(500);
