//! Open vSwitch's userspace datapath on each of two hosts, with a VXLAN port between them.
//!
//! Each host has a database and a switch of its own, in a directory of their own: a system-wide Open vSwitch is neither
//! needed nor touched, nor is the kernel's openvswitch module. Tunnels of the userspace datapath leave through a
//! second bridge, which holds the underlay device and has its address. The inner end is an internal port, which is a
//! TAP device here, moved into the inner namespace: no offload is promised to it, so every checksum is whole.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::hosts::{Host, Hosts, INNER_MTU, OUTER_WIDE, UNDERLAY, VNI};
use super::iproute::{self, ip};
use super::{Running, Surroundings, WIDE};
use crate::process::Process;

/// Whether it is installed.
pub(super) fn missing(surroundings: &Surroundings) -> Option<String> {
    let lacks = |name: &&str| Command::new(name).arg("--version").output().is_err();
    let first = ["ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl"].into_iter().find(lacks);
    let words = "is missing: install the Debian package openvswitch-switch";
    first.map(|name| format!("`{name}` {words}")).or_else(|| iproute::missing(surroundings))
}

/// Both hosts, each with its database and its switch.
pub(super) fn build() -> Result<Running> {
    let hosts = Hosts::new()?;
    let mut switches = Vec::new();
    let mut rest = Vec::new();
    for host in hosts.both() {
        let directory = tempfile::Builder::new().prefix("tapswitch-e2e-").tempdir()?;
        let ovs = Private { directory: &directory };
        // A child is born where the thread is that makes it.
        let (switch, database) = host.room.run(|| ovs.start())??;
        switches.push(switch);
        ovs.equip(host)?;
        rest.push((database, directory));
    }
    Ok(hosts.running(switches, rest))
}

/// An Open vSwitch that keeps everything in one directory.
struct Private<'a> {
    directory: &'a TempDir,
}

impl Private<'_> {
    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.stdout(Stdio::null());
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
            command.env(variable, self.path());
        }
        command
    }

    /// The switch and its database, in this order.
    fn start(&self) -> Result<(Process, Process)> {
        let database = self.path().join("conf.db");
        let socket = self.path().join("db.sock");
        succeed(self.command("ovsdb-tool").arg("create").arg(&database).arg(SCHEMA))?;
        let mut server = self.command("ovsdb-server");
        server.arg(&database).arg(format!("--remote=punix:{}", socket.display()));
        let server = Process::spawn("ovsdb-server", server)?;
        self.configure(&["--no-wait", "init"])?;
        let mut switch = self.command("ovs-vswitchd");
        switch.arg("--disable-system").arg(format!("unix:{}", socket.display()));
        Ok((Process::spawn("ovs-vswitchd", switch)?, server))
    }

    /// Makes the bridges and hands the inner room its end.
    fn equip(&self, host: &Host) -> Result<()> {
        let add = |bridge| ["--", "add-br", bridge, "--", "set", "bridge", bridge, NETDEV, ALONE];
        self.configure(&[&add("br-phy")[..], &["--", "add-port", "br-phy", UNDERLAY]].concat())?;
        let room = host.room.name();
        let address = format!("{}/{OUTER_WIDE}", host.address);
        ip(&["-n", room, "address", "flush", "dev", UNDERLAY])?;
        ip(&["-n", room, "address", "add", &address, "dev", "br-phy"])?;
        ip(&["-n", room, "link", "set", "br-phy", "up"])?;
        let remote = format!("options:remote_ip={}", host.remote);
        let key = format!("options:key={VNI}");
        let tunnel = ["--", "add-port", "br0", "vx0", "--", "set", "interface", "vx0"];
        let inner = ["--", "add-port", "br0", "eth0", "--", "set", "interface", "eth0"];
        let arguments = [&add("br0")[..], &tunnel, &["type=vxlan", &remote, &key], &inner];
        self.configure(&[&arguments.concat()[..], &["type=internal"]].concat())?;
        ip(&["-n", room, "link", "set", "eth0", "netns", host.inner.name()])?;
        ip(&["-n", host.inner.name(), "link", "set", "eth0", "mtu", INNER_MTU])?;
        host.inner.configure("eth0", packet::Ipv4Net::new(host.inner_address, WIDE)?)
    }

    /// Runs `ovs-vsctl`, which waits until the switch has done what it is told, but not for ever.
    fn configure(&self, arguments: &[&str]) -> Result<()> {
        let mut command = self.command("ovs-vsctl");
        command.arg(format!("--db=unix:{}", self.path().join("db.sock").display()));
        succeed(command.args(["--retry", "--timeout=5"]).args(arguments))
    }
}

fn succeed(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{name}` failed: {}", words.trim());
    Ok(())
}

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
/// The datapath that runs in ovs-vswitchd itself.
const NETDEV: &str = "datapath_type=netdev";
/// A switch that learns, without a controller.
const ALONE: &str = "fail_mode=standalone";
