//! Open vSwitch's two daemons, private to one comparison, in a directory of their own.
//!
//! A system-wide Open vSwitch is neither asked nor touched: database, sockets and logs are in the
//! directory, and the datapath is the dummy one, which has no devices and needs no privilege.
//! However this process ends, the daemons end with it (see [`os::child`]): they are not detached,
//! and make no processes of their own. When one of them ends ahead of us, whoever waits for it is
//! told at once.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use os::child::{Program, first_to_end};

use super::room::Room;
use crate::error::CompareError;

/// Both daemons and their directory. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Daemons {
    vsctl: PathBuf,
    // In the order of their end.
    vswitchd: Program,
    database: Program,
    room: Room,
}

impl Daemons {
    /// Starts both and waits until they answer.
    pub(super) fn start() -> Result<Self, CompareError> {
        let [tool, server, vsctl, vswitchd] =
            ["ovsdb-tool", "ovsdb-server", "ovs-vsctl", "ovs-vswitchd"].map(program);
        let (tool, server, vsctl, vswitchd) = (tool?, server?, vsctl?, vswitchd?);
        let room = Room::make()?;
        let inside = |name: &str| room.path(name).display().to_string();
        let (socket, control) = (inside("db.sock"), inside(CONTROL));
        let mut create = Command::new(tool);
        create.args(["create", &inside("conf.db"), &schema()?]);
        finish("ovsdb-tool", create, &[])?;
        let arguments = [
            inside("conf.db"),
            format!("--remote=punix:{socket}"),
            format!("--unixctl={}", inside("db.ctl")),
            "-vconsole:off".to_owned(),
            format!("--log-file={}", inside("db.log")),
        ];
        let mut database = daemon(&room, DATABASE, &server, &arguments)?;
        await_socket(DATABASE, &mut database, Path::new(&socket), &inside("db.log"))?;
        let arguments = [
            "--enable-dummy=override".to_owned(),
            "--disable-system".to_owned(),
            format!("--unixctl={control}"),
            "-vconsole:off".to_owned(),
            format!("--log-file={}", inside("v.log")),
            format!("unix:{socket}"),
        ];
        let mut vswitchd = daemon(&room, VSWITCHD, &vswitchd, &arguments)?;
        await_socket(VSWITCHD, &mut vswitchd, Path::new(&control), &inside("v.log"))?;
        let mut daemons = Self { vsctl, vswitchd, database, room };
        // Without installed flows every frame passes the whole pipeline, and the same frame always
        // meets the same tables, however busy the machine is.
        let settings = ["flow-limit=0", "n-handler-threads=1", "n-revalidator-threads=1"];
        let settings = settings.map(|setting| format!("other_config:{setting}"));
        let mut arguments = vec!["--no-wait", "init", "--", "set", "Open_vSwitch", "."];
        arguments.extend(settings.iter().map(String::as_str));
        daemons.vsctl(&arguments)?;
        Ok(daemons)
    }

    /// A file in the directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.room.path(name)
    }

    /// The control socket of the switch.
    pub(super) fn control(&self) -> PathBuf {
        self.path(CONTROL)
    }

    /// Changes the configuration and waits until the switch has taken it.
    pub(super) fn vsctl(&mut self, arguments: &[&str]) -> Result<String, CompareError> {
        let mut command = Command::new(&self.vsctl);
        let socket = self.path("db.sock");
        command.arg(format!("--db=unix:{}", socket.display())).arg("--timeout=20").args(arguments);
        let both = [(DATABASE, &self.database), (VSWITCHD, &self.vswitchd)];
        let printed = finish("ovs-vsctl", command, &both);
        printed.map_err(|error| self.ended().unwrap_or(error))
    }

    /// Whether one of them has ended, which nobody asked for: why something else has just failed.
    /// One that is ending is waited for, since its sockets close ahead of it.
    pub(super) fn ended(&mut self) -> Option<CompareError> {
        first_to_end(&[&self.vswitchd, &self.database], ENDING).ok()??;
        let both = [(VSWITCHD, &mut self.vswitchd), (DATABASE, &mut self.database)];
        both.into_iter().find_map(|(name, program)| ended(name, program))
    }
}

fn daemon(
    room: &Room,
    name: &'static str,
    program: &Path,
    arguments: &[String],
) -> Result<Program, CompareError> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/");
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
        command.env(variable, room.path(""));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Program::start(command).map_err(|error| failed(name, error))
}

fn ended(name: &'static str, program: &mut Program) -> Option<CompareError> {
    let status = program.status().ok().flatten()?;
    Some(CompareError::Program { program: name, wrong: format!("it has ended: {status}") })
}

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

/// Waits until somebody answers at a socket.
fn await_socket(
    name: &'static str,
    daemon: &mut Program,
    path: &Path,
    log: &str,
) -> Result<(), CompareError> {
    let deadline = Instant::now() + PATIENCE;
    let mut has_ended = None;
    while Instant::now() < deadline && has_ended.is_none() {
        if UnixStream::connect(path).is_ok() {
            return Ok(());
        }
        has_ended = ended(name, daemon);
        thread::sleep(PAUSE);
    }
    let log = fs::read_to_string(log).unwrap_or_default();
    let last = log.lines().last().unwrap_or("its log is empty");
    let wrong = match has_ended {
        Some(CompareError::Program { wrong, .. }) => format!("{wrong}: {last}"),
        _ => format!("it did not begin to answer within {} s: {last}", PATIENCE.as_secs()),
    };
    Err(CompareError::Program { program: name, wrong })
}

/// Runs a program to its end, unless one of those `behind` it ends first; what it printed, which is
/// little.
fn finish(
    name: &'static str,
    mut command: Command,
    behind: &[(&'static str, &Program)],
) -> Result<String, CompareError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = Program::start(command).map_err(|error| failed(name, error))?;
    let all: Vec<&Program> =
        [&program].into_iter().chain(behind.iter().map(|(_, program)| *program)).collect();
    match first_to_end(&all, PATIENCE + PATIENCE).map_err(|error| failed(name, error))? {
        Some(0) => {}
        Some(other) => {
            let dead = behind.get(other - 1).map_or(name, |(name, _)| *name);
            return Err(CompareError::Program { program: dead, wrong: "it has ended".to_owned() });
        }
        None => return Err(failed(name, io::ErrorKind::TimedOut.into())),
    }
    let (mut printed, mut said) = (String::new(), String::new());
    let (out, err) = program.output();
    let read = out.map_or(Ok(0), |mut out| out.read_to_string(&mut printed));
    let read = read.and_then(|_| err.map_or(Ok(0), |mut err| err.read_to_string(&mut said)));
    let status = read.and_then(|_| program.status()).map_err(|error| failed(name, error))?;
    match status {
        Some(status) if status.success() => Ok(printed),
        _ => Err(CompareError::Program { program: name, wrong: said.trim().to_owned() }),
    }
}

fn failed(program: &'static str, error: io::Error) -> CompareError {
    CompareError::Program { program, wrong: error.to_string() }
}

const DATABASE: &str = "ovsdb-server";
const VSWITCHD: &str = "ovs-vswitchd";
const CONTROL: &str = "v.ctl";
/// Where Debian, and a build from source, put daemons.
const BINARIES: [&str; 5] =
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/share/openvswitch/bin"];
const SCHEMAS: [&str; 2] =
    ["/usr/share/openvswitch/vswitch.ovsschema", "/usr/local/share/openvswitch/vswitch.ovsschema"];
/// How long a daemon may take to begin to answer, on a very busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a program that has closed its sockets may take to be gone.
const ENDING: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(10);
