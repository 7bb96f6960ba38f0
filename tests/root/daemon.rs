//! A running `tapswitch run`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::binary;
use crate::host::Host;
use crate::process::{Finished, Process};
use crate::wait::{self, PATIENCE};
use crate::world::World;

/// A daemon whose lab is up, in a world. Killed when dropped.
pub(crate) struct Daemon<'w> {
    world: &'w World,
    process: Process,
}

impl<'w> Daemon<'w> {
    /// Runs an example of the project, unmodified.
    pub(crate) fn example(world: &'w World, name: &str) -> Self {
        Self::run(world, &example(name))
    }

    /// Runs a lab written as text.
    pub(crate) fn with(world: &'w World, lab: &str) -> Self {
        Self::run(world, &world.file(lab))
    }

    /// Runs a lab written as text, by a shell that allows it `files` open files unless it asks for
    /// more.
    pub(crate) fn with_files(world: &'w World, lab: &str, files: u32) -> Self {
        let lab = world.file(lab);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit -S -n {files} && exec \"$0\" run \"$1\""));
        let process = world.start(shell.arg(binary::path()).arg(&lab));
        Self::await_ready(world, &lab, process)
    }

    /// Runs a lab file.
    pub(crate) fn run(world: &'w World, lab: &Path) -> Self {
        let process = world.start(Command::new(binary::path()).arg("run").arg(lab));
        Self::await_ready(world, lab, process)
    }

    /// Runs an example on a host that another daemon's lab has made, with a control socket of its
    /// own.
    pub(crate) fn example_on(world: &'w World, host: &Host, name: &str, socket: &str) -> Self {
        let lab = example(name);
        let mut command = Command::new(binary::path());
        command.arg("run").arg(&lab).args(["--socket", socket]);
        let process = world.start_on(host, &mut command);
        Self::await_ready(world, &lab, process)
    }

    /// Waits until it says that it is ready. Prints how long that took.
    fn await_ready(world: &'w World, lab: &Path, mut process: Process) -> Self {
        let start = Instant::now();
        let ready = wait::within(READY, || {
            let over = process.status().map(|status| format!("it ended: {status}"));
            over.map(Err).or_else(|| process.printed().first().cloned().map(Ok))
        });
        match ready {
            Some(Ok(line)) => assert_eq!(line, "ready"),
            Some(Err(why)) => panic!("{}: {why}", lab.display()),
            None => panic!("{}: not ready within {READY:?}", lab.display()),
        }
        println!("{}: ready after {} ms", lab.display(), start.elapsed().as_millis());
        Self { world, process }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal that is not its end.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Whether its log has a line with this text.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        self.process.logged().iter().any(|line| line.contains(text))
    }

    /// Waits until its log has a line with this text.
    pub(crate) fn until_logged(&self, text: &str) {
        wait::until(text, || self.has_logged(text).then_some(()));
    }

    /// Makes the lab match a text; what that printed.
    #[track_caller]
    pub(crate) fn apply(&self, lab: &str) -> String {
        self.world.tapswitch_on(&["apply"], &self.world.file(lab)).ok()
    }

    /// Makes the lab match a file; what that printed.
    #[track_caller]
    pub(crate) fn apply_file(&self, arguments: &[&str], lab: &Path) -> String {
        self.world.tapswitch_on(&[&["apply"], arguments].concat(), lab).ok()
    }

    /// Everything that the daemon tells of its lab, less the counters that traffic moves.
    #[track_caller]
    pub(crate) fn lab(&self) -> String {
        let show = self.world.json(&["show"]);
        let parts = ["ports", "routes", "masquerade", "publish"];
        parts.map(|part| format!("{part}: {}\n", show[part])).concat()
    }

    /// The same with the tunnels, without how long a far end has been silent.
    #[track_caller]
    pub(crate) fn lab_and_tunnels(&self) -> String {
        let mut shown = self.world.json(&["show"]);
        let tunnels = &mut shown["tunnels"];
        for state in tunnels.as_array_mut().into_iter().flatten().map(|row| &mut row["state"]) {
            if state.as_str().is_some_and(|state| state.starts_with("silent: ")) {
                *state = "silent".into();
            }
        }
        format!("{}tunnels: {tunnels}\n", self.lab())
    }

    /// Waits until its state of a port is as `holds` wants it.
    pub(crate) fn until_port(&self, port: &str, holds: impl Fn(&str) -> bool) -> String {
        wait::until(&format!("port {port} to change its state"), || {
            let rows = self.world.rows(&["port", "list"]);
            let row = rows.iter().find(|row| row["name"] == port)?;
            let state = row["state"].as_str()?;
            holds(state).then(|| state.to_owned())
        })
    }

    /// Ends it by a signal. It must succeed and have printed nothing but `ready`.
    #[track_caller]
    pub(crate) fn stop(self, signal: Signal) -> Finished {
        self.process.signal(signal);
        let finished = self.process.finish(PATIENCE);
        assert!(finished.status.success(), "{}\n{}", finished.status, finished.err);
        assert_eq!(finished.out, "ready\n");
        finished
    }
}

/// The path of an example.
pub(crate) fn example(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Two seconds are promised; a machine that is busy with other tests gets more.
const READY: Duration = Duration::from_secs(10);
