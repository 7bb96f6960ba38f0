//! VDE2: `vde_switch`, and for each room a `vde_plug2tap` between the switch and a TAP device in
//! it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::net::if_::if_nametoindex;

use super::{Running, Surroundings, seats};
use crate::interrupt;
use crate::process::Process;
use crate::room::Room;

/// Whether it is installed.
pub(super) fn missing(_: &Surroundings) -> Option<String> {
    let lacks = |name: &&str| Command::new(name).arg("--help").output().is_err();
    let first = ["vde_switch", "vde_plug2tap"].into_iter().find(lacks);
    first.map(|name| format!("`{name}` is missing: install the Debian package vde2"))
}

/// The switch, a plug for each room, and what they meet at in a directory of their own.
pub(super) fn build(seats: usize) -> Result<Running> {
    let rooms = seats::rooms(seats)?;
    let directory = tempfile::Builder::new().prefix("tapswitch-e2e-").tempdir()?;
    let control = directory.path().join("control");
    let mut command = Command::new("vde_switch");
    command.arg("-s").arg(&control).stdout(Stdio::null());
    let mut processes = vec![Process::spawn("vde_switch", command)?];
    let door = control.join("ctl");
    wait_for("vde_switch's socket", || Ok(door.exists()))?;
    for (seat, room) in rooms.iter().enumerate() {
        processes.push(plug(room, &control)?);
        seats::configure(room, seat)?;
    }
    Running::seated(processes, rooms, directory)
}

/// A plug makes the TAP device where it is born.
fn plug(room: &Room, control: &Path) -> Result<Process> {
    let mut command = Command::new("vde_plug2tap");
    command.arg("-s").arg(control).arg("eth0").stdout(Stdio::null());
    let process = room.run(|| Process::spawn("vde_plug2tap", command))??;
    wait_for("vde_plug2tap's device", || room.run(|| if_nametoindex("eth0").is_ok()))?;
    Ok(process)
}

fn wait_for(what: &str, is_there: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + THERE_WITHIN;
    while !is_there()? {
        ensure!(Instant::now() < deadline, "{what} was not there in time");
        interrupt::pause(Duration::from_millis(5))?;
    }
    Ok(())
}

const THERE_WITHIN: Duration = Duration::from_secs(3);
