//! Child processes in namespaces.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use os::child::Child;
use os::netns::{Netns, Place};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::scene::{is_root, play};

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn a_child_is_in_its_namespace_and_in_a_group_of_its_own() {
    if !is_root() {
        return;
    }
    play(async {
        let netns = Netns::anonymous().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Child::start(&netns, command).unwrap();
        let id = first_number(&mut child).await;
        assert_eq!(Netns::open(&Place::Pid(id.try_into().unwrap())).unwrap(), netns);
        assert_eq!(nix::unistd::getpgid(Some(Pid::from_raw(id))).unwrap(), Pid::from_raw(id));
        let status = child.end(PATIENCE).await.unwrap();
        assert_eq!(status.signal(), Some(Signal::SIGTERM as i32));
        assert!(kill(Pid::from_raw(id), None).is_err(), "it was waited for");
    });
}

#[test]
fn a_child_that_does_not_end_is_killed() {
    if !is_root() {
        return;
    }
    play(async {
        let mut command = Command::new("sh");
        let deaf = "trap '' TERM; echo $$; while :; do read line; done";
        command.args(["-c", deaf]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Child::start(&Netns::anonymous().unwrap(), command).unwrap();
        first_number(&mut child).await;
        let status = child.end(Duration::from_millis(100)).await.unwrap();
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
    });
}

#[test]
fn a_child_that_has_ended_is_told_how() {
    if !is_root() {
        return;
    }
    play(async {
        let netns = Netns::anonymous().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "exit 3"]);
        let mut child = Child::start(&netns, command).unwrap();
        assert_eq!(child.ended().await.unwrap().code(), Some(3));
        assert_eq!(child.end(PATIENCE).await.unwrap().code(), Some(3));
        let missing = Child::start(&netns, Command::new("/nonexistent")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    });
}

/// What it prints first: its process number.
async fn first_number(child: &mut Child) -> i32 {
    let mut out = child.stdout().unwrap();
    let mut text = String::new();
    while !text.ends_with('\n') {
        let mut byte = [0];
        out.read_exact(&mut byte).await.unwrap();
        text.push(char::from(byte[0]));
    }
    text.trim().parse().unwrap()
}
