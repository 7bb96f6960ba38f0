//! A lab without root: an ordinary user's demo and daemon, and the way in.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::binary;
use crate::daemon::Daemon;
use crate::process::{Finished, Process};
use crate::traffic::lab;
use crate::wait::{self, PATIENCE};
use crate::world::{World, world};

#[test]
fn an_ordinary_user_sees_the_demo() {
    let Some(world) = world() else { return };
    let user = User::of(&world);
    for arguments in [&["demo", "--once"][..], &["demo", "--once", "--two-hosts"]] {
        let told = user.start(arguments).finish(2 * PATIENCE).ok();
        assert!(told.contains("\nok ("), "{told}");
        assert!(world.names().is_empty(), "the machine's own namespaces");
        assert!(user.left().is_empty(), "{:?}", user.left());
    }
}

#[test]
fn an_ordinary_user_s_daemon_is_asked_and_entered_from_outside() {
    let Some(world) = world() else { return };
    let user = User::of(&world);
    world.run(|| fs::write(LAB, lab(true, 1500))).unwrap();
    let daemon = user.start(&["run", "--rootless", LAB]);
    wait::until("the lab", || daemon.printed().first().filter(|line| *line == "ready").cloned());
    assert!(world.names().is_empty(), "the machine's own namespaces");
    assert_eq!(user.left(), ["control.sock"]);
    assert!(user.tapswitch(&["port", "list"]).ok().contains("192.168.0.2/24"));
    for (command, expected) in [
        (&["red", "ip", "-br", "address"][..], "192.168.0.2/24"),
        (&["-", "ip", "netns", "list"], "red"),
        (&["-", "ip", "-br", "address", "show", "lo"], "127.0.0.1/8"),
        (&["-", "id", "-u"], "0\n"),
        // It asks the daemon that it entered, and not root's.
        (&["blue", BINARY, "port", "list"], "192.168.0.3/24"),
    ] {
        let said = user.tapswitch(&[&["enter"], command].concat()).ok();
        assert!(said.contains(expected), "{command:?}: {said}");
    }
    let said = user.tapswitch(&["enter", "nowhere", "true"]).sentence();
    assert!(said.contains("there is no namespace `nowhere`"), "{said}");
    let said = user.tapswitch(&["enter", "red", "/no/such"]).sentence();
    assert!(said.contains("cannot run /no/such"), "{said}");
    let status = user.tapswitch(&["enter", "red", "sh", "-c", "exit 7"]).status;
    assert_eq!(status.code(), Some(7));
    let socket = format!("{RUNTIME}/tapswitch/control.sock");
    let said = world.tapswitch(&["--socket", &socket, "show"]).sentence();
    assert!(said.contains("is user 65534, and neither root nor you"), "{said}");
    daemon.signal(Signal::SIGTERM);
    daemon.finish(PATIENCE).ok();
    assert!(user.left().is_empty(), "{:?}", user.left());
}

#[test]
fn a_machine_that_forbids_it_is_told_with_the_remedy() {
    let Some(world) = world() else { return };
    let user = User::of(&world);
    // Somebody with capabilities in a namespace of users, and a number that is not root's.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" run --rootless";
    let mut shell = user.command("unshare");
    shell.args(["--user", "--map-user=1000", "--keep-caps", "sh", "-c", script, BINARY]);
    let said = world.start(&mut shell).finish(PATIENCE).sentence();
    assert!(said.contains("user.max_user_namespaces is 0; raise it"), "{said}");
    let said = user.tapswitch(&["run"]).sentence();
    assert!(said.contains("use sudo or `run --rootless`"), "{said}");
}

#[test]
fn root_enters_a_namespace_of_the_lab_too() {
    let Some(world) = world() else { return };
    let said = world.tapswitch(&["run", "--rootless"]).sentence();
    assert!(said.contains("--rootless is for ordinary users"), "{said}");
    let said = world.tapswitch(&["enter", "red", "true"]).sentence();
    assert!(said.contains("no tapswitch daemon answers"), "{said}");
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    let said = world.tapswitch(&["enter", "red", "ip", "-br", "address"]).ok();
    assert!(said.contains("192.168.0.2/24"), "{said}");
    let user = User::of(&world);
    let mut command = user.command(BINARY);
    command.args(["--socket", "/run/tapswitch/control.sock", "enter", "red", "true"]);
    let said = world.start(&mut command).finish(PATIENCE).sentence();
    assert!(said.contains("root's alone"), "{said}");
}

/// An ordinary user of a world, who may open `/dev/net/tun` as on most machines.
struct User<'w>(&'w World);

impl<'w> User<'w> {
    fn of(world: &'w World) -> Self {
        world.hide("/dev/net");
        world.hide("/mnt");
        world.run(|| {
            let all = Mode::from_bits_truncate(0o666);
            mknod("/dev/net/tun", SFlag::S_IFCHR, all, makedev(10, 200)).unwrap();
            fs::set_permissions("/dev/net/tun", Permissions::from_mode(0o666)).unwrap();
            // Where the binary was built is perhaps nobody else's to look into.
            File::create(BINARY).unwrap();
            let bound = MsFlags::MS_BIND;
            mount(Some(binary::path()), BINARY, None::<&str>, bound, None::<&str>).unwrap();
            fs::create_dir_all(RUNTIME).unwrap();
            chown(RUNTIME, Some(USER), Some(USER)).unwrap();
        });
        Self(world)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.uid(USER).gid(USER).current_dir("/");
        command.env("XDG_RUNTIME_DIR", RUNTIME).env_remove("TAPSWITCH_SOCKET");
        command
    }

    fn start(&self, arguments: &[&str]) -> Process {
        self.0.start(self.command(BINARY).args(arguments))
    }

    fn tapswitch(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish(PATIENCE)
    }

    /// What is in the directory of sockets.
    fn left(&self) -> Vec<String> {
        self.0.run(|| {
            let Ok(found) = fs::read_dir(format!("{RUNTIME}/tapswitch")) else { return Vec::new() };
            found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        })
    }
}

/// `nobody`: an ordinary user on every machine.
const USER: u32 = 65534;
const RUNTIME: &str = "/run/user/65534";
/// Below no `/run`, which is the user's own in there.
const BINARY: &str = "/mnt/tapswitch";
const LAB: &str = "/mnt/lab.toml";
