//! An Open vSwitch of one's own: a database and a switch that keep everything in a directory, which
//! goes with them.
//!
//! A system-wide Open vSwitch is neither needed nor touched, nor is the kernel's openvswitch
//! module: the datapath is the one that runs in ovs-vswitchd itself.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::{Surroundings, iproute};
use crate::process::Process;
use crate::room::Room;

/// The database of a private Open vSwitch, and the way to talk to its switch.
pub(super) struct Instance {
    _database: Process,
    directory: TempDir,
}

impl Instance {
    /// A switch that lives in `room`, and its database. `settings` are set ahead of the switch's
    /// start, as `other_config:NAME=VALUE`.
    pub(super) fn start(room: &Room, settings: &[&str]) -> Result<(Process, Self)> {
        let directory = tempfile::Builder::new().prefix("tapswitch-e2e-").tempdir()?;
        let database = directory.path().join("conf.db");
        succeed(command(&directory, "ovsdb-tool").arg("create").arg(&database).arg(SCHEMA))?;
        let mut server = command(&directory, "ovsdb-server");
        server.arg(&database).arg(format!("--remote=p{}", socket(&directory)));
        // A child is born where the thread is that makes it.
        let server = room.run(|| Process::spawn("ovsdb-server", server))??;
        let instance = Self { _database: server, directory };
        instance.configure(&["--no-wait", "init"])?;
        for setting in settings {
            instance.configure(&["--no-wait", "set", "open_vswitch", ".", setting])?;
        }
        let mut switch = command(&instance.directory, "ovs-vswitchd");
        switch.arg("--disable-system").arg(socket(&instance.directory));
        let switch = room.run(|| Process::spawn("ovs-vswitchd", switch))??;
        Ok((switch, instance))
    }

    /// Runs `ovs-vsctl`, which waits until the switch has done what it is told, but not for ever.
    /// What it prints.
    pub(super) fn configure(&self, arguments: &[&str]) -> Result<String> {
        let mut command = command(&self.directory, "ovs-vsctl");
        command.arg(format!("--db={}", socket(&self.directory)));
        succeed(command.args(["--retry", "--timeout=5"]).args(arguments))
    }
}

/// Whether it is installed.
pub(super) fn missing(surroundings: &Surroundings) -> Option<String> {
    let lacks = |name: &&str| Command::new(name).arg("--version").output().is_err();
    let first = ["ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl"].into_iter().find(lacks);
    let words = "is missing: install the Debian package openvswitch-switch";
    first.map(|name| format!("`{name}` {words}")).or_else(|| iproute::missing(surroundings))
}

/// Whether the kernel and this Open vSwitch know AF_XDP, and why not. The switch says so only while
/// it runs.
pub(super) fn lacks_afxdp() -> Option<String> {
    if let Err(error) = Socket::new(Domain::from(libc::AF_XDP), Type::RAW, None) {
        return Some(format!("this kernel opens no AF_XDP socket: {error}"));
    }
    match interface_types() {
        Ok(types) if types.contains(AFXDP) => None,
        Ok(_) => Some("this Open vSwitch was built without AF_XDP: install one that has it".into()),
        Err(error) => Some(format!("Open vSwitch does not say whether it has AF_XDP: {error:#}")),
    }
}

fn interface_types() -> Result<String> {
    let room = Room::new("question")?;
    let (_switch, instance) = Instance::start(&room, &[])?;
    // Any change that is waited for: the switch has written down what it can do by then.
    instance.configure(&["set", "open_vswitch", ".", "external_ids:asked=yes"])?;
    instance.configure(&["get", "open_vswitch", ".", "iface_types"])
}

fn socket(directory: &TempDir) -> String {
    format!("unix:{}", directory.path().join("db.sock").display())
}

fn command(directory: &TempDir, name: &str) -> Command {
    let mut command = Command::new(name);
    command.stdout(Stdio::null());
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
        command.env(variable, directory.path());
    }
    command
}

fn succeed(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdout(Stdio::piped()).output();
    let output = output.with_context(|| format!("cannot run {name}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{name}` failed: {}", words.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
/// The datapath that runs in ovs-vswitchd itself.
pub(super) const NETDEV: &str = "datapath_type=netdev";
/// A switch that learns, without a controller.
pub(super) const ALONE: &str = "fail_mode=standalone";
/// The type of a port that is read and written through AF_XDP by the switch's main thread.
pub(super) const AFXDP: &str = "afxdp-nonpmd";
