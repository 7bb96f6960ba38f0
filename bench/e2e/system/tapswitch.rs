//! This switch: the built binary with a lab file of two ports, in several shapes.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::{Running, Surroundings};
use crate::process::Process;
use crate::room::Room;

/// A lab between two rooms, as a lab file in which `NEAR` and `FAR` stand for their namespaces.
pub(super) struct Shape {
    lab: &'static str,
    /// Lines for both ports, where the lab says `PORT`.
    port: &'static str,
    /// Lines ahead of the lab.
    switch: &'static str,
}

/// Two ports of one bridge.
pub(super) const BRIDGED: Shape = Shape {
    lab: r#"
[bridge.br0]

[port.near]
bridge = "br0"
netns = "NEAR"
address = "192.168.76.2/23"
PORT

[port.far]
bridge = "br0"
netns = "FAR"
address = "192.168.77.2/23"
PORT
"#,
    port: "",
    switch: "",
};

/// The same, one thread.
pub(super) const ONE_WORKER: Shape = Shape { switch: "[switch]\nworkers = 1\n", ..BRIDGED };

/// The same, without offload: every segment is a frame of its own.
pub(super) const PLAIN: Shape = Shape { port: "offload = false", ..BRIDGED };

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
    ..BRIDGED
};

impl Shape {
    fn text(&self, near: &str, far: &str) -> String {
        let lab = self.lab.replace("NEAR", near).replace("FAR", far).replace("PORT", self.port);
        format!("{}{lab}", self.switch)
    }
}

/// Whether the binary has been built.
pub(super) fn missing(surroundings: &Surroundings) -> Option<String> {
    let path = &surroundings.tapswitch;
    let remedy = "build it with `cargo build --release`, or say where it is with --tapswitch";
    (!path.is_file()).then(|| format!("{} is missing: {remedy}", path.display()))
}

/// Runs the binary on a lab of this shape. It makes the devices; the namespaces are ours and stay ours.
pub(super) fn build(surroundings: &Surroundings, shape: &Shape) -> Result<Running> {
    let near = Room::new("a")?;
    let far = Room::new("b")?;
    let (process, directory) = start(surroundings, &shape.text(near.name(), far.name()))?;
    Ok(Running { processes: vec![process], near, far, _rest: Box::new(directory) })
}

/// Runs the binary on a lab file of this text, in the calling thread's namespace, and waits until it is ready. The
/// directory holds its files.
pub(super) fn start(surroundings: &Surroundings, text: &str) -> Result<(Process, TempDir)> {
    let directory = tempfile::Builder::new().prefix("tapswitch-e2e-").tempdir()?;
    let lab = directory.path().join("lab.toml");
    fs::write(&lab, text).with_context(|| format!("cannot write {}", lab.display()))?;
    let mut command = Command::new(&surroundings.tapswitch);
    command.arg("run").arg(&lab).arg("--socket").arg(directory.path().join("control.sock"));
    Ok((Process::start("tapswitch", command)?, directory))
}
