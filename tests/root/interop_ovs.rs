//! Open vSwitch's userspace datapath as the far end, on a machine of its own with a run directory
//! of its own.

use std::path::PathBuf;
use std::process::Command;

use crate::daemon::Daemon;
use crate::ethtool::switch_offload_off;
use crate::process::{Process, locate};
use crate::transfer::WHOLE;
use crate::underlay::{has_ip, lab, no_wrong_checksums, pair, tcp_both_ways};
use crate::wait;
use crate::world::{World, skip};

#[test]
fn open_vswitch_is_the_far_end() {
    with_open_vswitch("");
}

/// Open vSwitch fills outer checksums in when it is asked to, and is asked to here; we do not.
#[test]
fn open_vswitch_is_the_far_end_with_checksums_of_one_side() {
    with_open_vswitch("checksum = \"zero\"");
}

fn with_open_vswitch(keys: &str) {
    if !has_ip() {
        return;
    }
    let Some(programs) = Programs::find() else {
        return skip("there is no Open vSwitch to build a tunnel to");
    };
    let Some([one, two]) = pair(1500) else { return };
    // It reads frames as they are on a wire: whole, and with their checksums.
    for world in [&one, &two] {
        switch_offload_off(&world.here(), "u0");
    }
    let ovs = OpenVswitch::start(&two, programs);
    ovs.set("add-br br-phy -- set bridge br-phy datapath_type=netdev");
    ovs.set("add-port br-phy u0");
    let far = two.here();
    far.ip("address flush dev u0");
    far.ip("address add 192.168.10.2/24 dev br-phy");
    far.ip("link set br-phy up");
    ovs.set("add-br br0 -- set bridge br0 datapath_type=netdev");
    let options = "options:remote_ip=192.168.10.1 options:key=42";
    let checksum = if keys.is_empty() { "" } else { " options:csum=true" };
    ovs.set(&format!("add-port br0 vx0 -- set Interface vx0 type=vxlan {options}{checksum}"));
    // The bridge's own device is the host behind it. Open vSwitch does not know the path's MTU.
    far.ip("link set br0 mtu 1450 up");
    far.ip("address add 10.1.0.2/16 dev br0");

    let daemon = Daemon::with(&one, &lab(1, &[2], keys));
    let near = one.host("c1");
    near.ping_at_last("10.1.0.2");
    far.ping("10.1.0.1");
    far.ping("10.1.255.1");
    tcp_both_ways((&near, "10.1.0.1"), (&far, "10.1.0.2"), WHOLE / 4);
    no_wrong_checksums(&[&near, &far, &one.here()]);
    let stations = one.rows(&["fdb", "list"]);
    let mac = far.link("br0").mac.to_string();
    let row = stations.iter().find(|row| row["mac"] == *mac).unwrap();
    assert_eq!(row["remote"], "192.168.10.2");
    drop(daemon);
}

/// Where its programs are.
struct Programs {
    tool: PathBuf,
    database: PathBuf,
    switch: PathBuf,
    control: PathBuf,
}

impl Programs {
    fn find() -> Option<Self> {
        Some(Self {
            tool: locate("ovsdb-tool")?,
            database: locate("ovsdb-server")?,
            switch: locate("ovs-vswitchd")?,
            control: locate("ovs-vsctl")?,
        })
    }
}

/// Its database and its switch, at work on a machine whose `/run` nobody else sees.
struct OpenVswitch<'w> {
    world: &'w World,
    programs: Programs,
    _switch: Process,
    _database: Process,
}

impl<'w> OpenVswitch<'w> {
    fn start(world: &'w World, programs: Programs) -> Self {
        let command = |program: &PathBuf, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments);
            for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
                command.env(variable, ROOM);
            }
            world.start(&mut command)
        };
        world.run(|| std::fs::create_dir(ROOM)).unwrap();
        let create = ["create", DATABASE, "/usr/share/openvswitch/vswitch.ovsschema"];
        command(&programs.tool, &create).finish(wait::PATIENCE).ok();
        let remote = format!("--remote=p{SOCKET}");
        let database = command(&programs.database, &[DATABASE, &remote]);
        let path = SOCKET.trim_start_matches("unix:");
        wait::until("the database", || world.run(|| std::fs::exists(path).unwrap()).then_some(()));
        let db = format!("--db={SOCKET}");
        command(&programs.control, &[&db, "--no-wait", "init"]).finish(wait::PATIENCE).ok();
        let switch = command(&programs.switch, &["--disable-system", SOCKET]);
        Self { world, programs, _switch: switch, _database: database }
    }

    /// A command of `ovs-vsctl`, done when the switch has done it.
    #[track_caller]
    fn set(&self, words: &str) {
        let mut command = Command::new(&self.programs.control);
        command.arg(format!("--db={SOCKET}")).args(["--timeout=15", "--"]).args(words.split(' '));
        self.world.start(&mut command).finish(wait::PATIENCE).ok();
    }
}

const ROOM: &str = "/run/ovs";
const DATABASE: &str = "/run/ovs/conf.db";
const SOCKET: &str = "unix:/run/ovs/db.sock";
