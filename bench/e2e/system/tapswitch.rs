//! This switch: the built binary with a lab file, in several shapes.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::{Running, Surroundings, WIDE, seats};
use crate::process::Process;
use crate::room::Room;

/// A lab between rooms, as a lab file in which `NEAR` and `FAR` stand for the namespaces of the
/// first two.
pub(super) struct Shape {
    lab: &'static str,
    /// Whether each room gets a port of the bridge, as the lab itself has none.
    seated: bool,
    /// Lines for each of those ports.
    port: &'static str,
    /// Lines ahead of the lab.
    switch: &'static str,
}

/// Ports of one bridge.
pub(super) const BRIDGED: Shape =
    Shape { lab: "\n[bridge.br0]\n", seated: true, port: "", switch: "" };

/// The same, one thread.
pub(super) const ONE_WORKER: Shape = Shape { switch: "[switch]\nworkers = 1\n", ..BRIDGED };

/// The same, and a worker looks for frames for a while before it sleeps.
pub(super) const POLLING: Shape = Shape { switch: "[switch]\npoll = \"200us\"\n", ..BRIDGED };

/// The same, without offload: every segment is a frame of its own.
pub(super) const PLAIN: Shape = Shape { port: "offload = false\n", ..BRIDGED };

/// Two bridges with the router between them.
pub(super) const ROUTED: Shape = Shape {
    lab: r#"
[bridge.br0]
router = "192.168.76.1/24"

[bridge.br1]
router = "192.168.77.1/24"

[port.near]
bridge = "br0"
netns = "NEAR"
address = "192.168.76.2/24"

[port.far]
bridge = "br1"
netns = "FAR"
address = "192.168.77.2/24"
"#,
    seated: false,
    ..BRIDGED
};

/// A bridge whose hosts leave by a routed port, under the router's address.
pub(super) const MASQUERADED: Shape = Shape {
    lab: r#"
[bridge.br0]
router = "192.168.76.1/24"

[port.near]
bridge = "br0"
netns = "NEAR"
address = "192.168.76.2/24"

[port.far]
router = "192.168.77.1/24"
netns = "FAR"
address = "192.168.77.2/24"

[[masquerade]]
source = "192.168.76.0/24"
out = "far"
"#,
    seated: false,
    ..BRIDGED
};

impl Shape {
    fn text(&self, rooms: &[Room]) -> String {
        let name = |seat: usize| rooms.get(seat).map_or("", Room::name);
        let lab = self.lab.replace("NEAR", name(0)).replace("FAR", name(1));
        let mut text = format!("{}{lab}", self.switch);
        for (seat, room) in rooms.iter().enumerate().filter(|_| self.seated) {
            let netns = room.name();
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "\n[port.seat{seat}]\nbridge = \"br0\"\nnetns = \"{netns}\"\n{}",
                self.port
            );
            if seat < ADDRESSED {
                let address = seats::address(seat);
                let _ = writeln!(text, "address = \"{address}/{WIDE}\"");
            }
        }
        text
    }
}

/// Whether the binary has been built.
pub(super) fn missing(surroundings: &Surroundings) -> Option<String> {
    let path = &surroundings.tapswitch;
    let remedy = "build it with `cargo build --release`, or say where it is with --tapswitch";
    (!path.is_file()).then(|| format!("{} is missing: {remedy}", path.display()))
}

/// Runs the binary on a lab of this shape. It makes the devices; the namespaces are ours and stay
/// ours.
pub(super) fn build(surroundings: &Surroundings, shape: &Shape, seats: usize) -> Result<Running> {
    let rooms = seats::rooms(seats)?;
    let (process, directory) = start(surroundings, &shape.text(&rooms))?;
    Running::seated(vec![process], rooms, directory)
}

/// Ports of one bridge, all but two of which do nothing.
pub(super) fn build_crowd(surroundings: &Surroundings, seats: usize) -> Result<Running> {
    let rooms = seats::rooms(seats)?;
    rooms.iter().try_for_each(Room::silence)?;
    let (process, directory) = start(surroundings, &BRIDGED.text(&rooms))?;
    Running::seated(vec![process], rooms, directory)
}

/// Runs the binary on a lab file of this text, in the calling thread's namespace, and waits until
/// it is ready. The directory holds its files.
pub(super) fn start(surroundings: &Surroundings, text: &str) -> Result<(Process, TempDir)> {
    let directory = tempfile::Builder::new().prefix("tapswitch-e2e-").tempdir()?;
    let lab = directory.path().join("lab.toml");
    fs::write(&lab, text).with_context(|| format!("cannot write {}", lab.display()))?;
    let mut command = Command::new(&surroundings.tapswitch);
    command.arg("run").arg(&lab).arg("--socket").arg(directory.path().join("control.sock"));
    Ok((Process::start("tapswitch", command, "ready")?, directory))
}

/// Seats that have an address, and so may have a load; the others are bystanders.
const ADDRESSED: usize = 64;
