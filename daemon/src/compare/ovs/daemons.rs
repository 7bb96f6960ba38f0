//! Open vSwitch's two daemons, private to one comparison, in a directory of their own.
//!
//! A system-wide Open vSwitch is neither asked nor touched: database, sockets and logs are in the directory, and the
//! datapath is the dummy one, which has no devices and needs no privilege. Each daemon runs under a shell that waits
//! for the end of its standard input, which is ours: however this process ends, the daemons end and the directory
//! goes.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use crate::compare::error::CompareError;

/// Both daemons and their directory. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Daemons {
    directory: PathBuf,
    vsctl: PathBuf,
    // In the order of their end.
    _vswitchd: Supervised,
    _database: Supervised,
}

impl Daemons {
    /// Starts both and waits until they answer.
    pub(super) fn start() -> Result<Self, CompareError> {
        let [tool, server, vsctl, vswitchd] =
            ["ovsdb-tool", "ovsdb-server", "ovs-vsctl", "ovs-vswitchd"].map(program);
        let (tool, server, vsctl, vswitchd) = (tool?, server?, vsctl?, vswitchd?);
        let directory = private_directory()?;
        let inside = |name: &str| directory.join(name).display().to_string();
        let (socket, control) = (inside("db.sock"), inside(CONTROL));
        let mut create = Command::new(tool);
        create.args(["create", &inside("conf.db"), &schema()?]);
        finish("ovsdb-tool", create)?;
        let arguments = [
            inside("conf.db"),
            format!("--remote=punix:{socket}"),
            format!("--unixctl={}", inside("db.ctl")),
            "-vconsole:off".to_owned(),
            format!("--log-file={}", inside("db.log")),
        ];
        let database = Supervised::start(&directory, "ovsdb-server", &server, &arguments)?;
        await_socket("ovsdb-server", Path::new(&socket), &inside("db.log"))?;
        let arguments = [
            "--enable-dummy=override".to_owned(),
            "--disable-system".to_owned(),
            format!("--unixctl={control}"),
            "-vconsole:off".to_owned(),
            format!("--log-file={}", inside("v.log")),
            format!("unix:{socket}"),
        ];
        let vswitchd = Supervised::start(&directory, "ovs-vswitchd", &vswitchd, &arguments)?;
        await_socket("ovs-vswitchd", Path::new(&control), &inside("v.log"))?;
        let daemons = Self { directory, vsctl, _vswitchd: vswitchd, _database: database };
        // Without installed flows every frame passes the whole pipeline, and the same frame always meets the same
        // tables, however busy the machine is.
        let settings = ["flow-limit=0", "n-handler-threads=1", "n-revalidator-threads=1"];
        let settings = settings.map(|setting| format!("other_config:{setting}"));
        let mut arguments = vec!["--no-wait", "init", "--", "set", "Open_vSwitch", "."];
        arguments.extend(settings.iter().map(String::as_str));
        daemons.vsctl(&arguments)?;
        Ok(daemons)
    }

    /// A file in the directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The control socket of the switch.
    pub(super) fn control(&self) -> PathBuf {
        self.path(CONTROL)
    }

    /// Changes the configuration and waits until the switch has taken it.
    pub(super) fn vsctl(&self, arguments: &[&str]) -> Result<String, CompareError> {
        let mut command = Command::new(&self.vsctl);
        let socket = self.path("db.sock");
        command.arg(format!("--db=unix:{}", socket.display())).arg("--timeout=20").args(arguments);
        finish("ovs-vsctl", command)
    }
}

/// A daemon that ends when its shell's standard input does.
#[derive(Debug)]
struct Supervised(Child);

impl Supervised {
    fn start(
        directory: &Path,
        name: &'static str,
        program: &Path,
        arguments: &[String],
    ) -> Result<Self, CompareError> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SUPERVISOR, "tapswitch-compare"]).arg(directory).arg(program);
        command.args(arguments).current_dir("/");
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
            command.env(variable, directory);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: Ctrl-C at the terminal reaches us, and the end of our pipe the daemons.
        command.process_group(0);
        let child = command.spawn().map_err(|error| failed(name, error))?;
        Ok(Self(child))
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.0.try_wait() {
                Ok(None) => thread::sleep(PAUSE),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        // The shell does not return: better to leave its daemon than to hang here.
        let _ = self.0.kill();
    }
}

/// Waits for the end of our pipe, then ends the daemon and removes the directory ($1).
const SUPERVISOR: &str = r#"
directory=${1:?}; shift
"$@" & child=$!
read -r _
kill "$child" 2>/dev/null
wait "$child" 2>/dev/null
rm -rf -- "$directory"
"#;

/// A program by its name, also where only root's PATH leads.
fn program(name: &'static str) -> Result<PathBuf, CompareError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(BINARIES.map(PathBuf::from));
    let mut files = places.map(|place| place.join(name));
    files.find(|file| file.is_file()).ok_or(CompareError::Missing(name))
}

fn schema() -> Result<String, CompareError> {
    let found = SCHEMAS.iter().find(|file| Path::new(file).is_file());
    found.map(|file| (*file).to_owned()).ok_or(CompareError::Missing("vswitch.ovsschema"))
}

/// A directory that nobody else can enter. Short, since a socket's path has 107 bytes at most.
fn private_directory() -> Result<PathBuf, CompareError> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let base = env::temp_dir();
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("tapswitch-compare-{}-{number}", process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < MANY => {}
            Err(error) => return Err(CompareError::File { path, error }),
        }
    }
}

/// Waits until somebody answers at a socket.
fn await_socket(name: &'static str, path: &Path, log: &str) -> Result<(), CompareError> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if UnixStream::connect(path).is_ok() {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
    let log = fs::read_to_string(log).unwrap_or_default();
    let last = log.lines().last().unwrap_or("its log is empty");
    let wrong = format!("it did not begin to answer within {} s: {last}", PATIENCE.as_secs());
    Err(CompareError::Program { program: name, wrong })
}

/// Runs a program to its end; what it printed.
fn finish(name: &'static str, mut command: Command) -> Result<String, CompareError> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| failed(name, error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let wrong = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(CompareError::Program { program: name, wrong })
}

fn failed(program: &'static str, error: io::Error) -> CompareError {
    CompareError::Program { program, wrong: error.to_string() }
}

const CONTROL: &str = "v.ctl";
/// Where Debian, and a build from source, put daemons.
const BINARIES: [&str; 5] =
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/share/openvswitch/bin"];
const SCHEMAS: [&str; 2] =
    ["/usr/share/openvswitch/vswitch.ovsschema", "/usr/local/share/openvswitch/vswitch.ovsschema"];
/// How long a daemon may take to begin or to end, on a very busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);
/// Directories of one process id that may be left from before.
const MANY: u32 = 1000;
