//! The reader's shell: one bash a section, as root, in a world of its own.
//!
//! It is the first process of a process namespace, so that everything it has started ends with it;
//! and it ends with its input, so that nothing stays behind when the test is killed.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::page::root;
use crate::binary;
use crate::wait;
use crate::world::World;

/// Where it starts: as if in a fresh checkout, of which the examples are there.
pub(super) const HOME: &str = "/run/page";

pub(super) struct Shell<'w> {
    world: &'w World,
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    jobs: usize,
}

/// What a command came to.
pub(super) struct Outcome {
    pub(super) status: i32,
    pub(super) printed: String,
}

impl<'w> Shell<'w> {
    pub(super) fn start(world: &'w World) -> Self {
        world.run(|| copy(&root().join("examples"), &Path::new(HOME).join("examples")));
        let paths = env::var_os("PATH").unwrap_or_default();
        let own = [binary::path().parent().unwrap().into()];
        let paths = own.into_iter().chain(env::split_paths(&paths));
        let paths = env::join_paths(paths.chain(["/usr/sbin".into(), "/sbin".into()])).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["bash", "--noprofile", "--norc"]);
        command.current_dir("/").env("PATH", paths).env("LC_ALL", "C.UTF-8").env("HOME", HOME);
        command.env_remove("TAPSWITCH_SOCKET").env_remove("COLUMNS");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = world.run(|| command.spawn()).unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        let mut shell = Self { world, child, input, lines, jobs: 0 };
        // Job control, for `%1` and for `wait`; on a terminal it is on.
        let ready = shell.run(&format!("cd {HOME} && set -m"));
        assert_eq!(ready.status, 0, "{}", ready.printed);
        shell
    }

    /// Runs a command to its end.
    pub(super) fn run(&mut self, command: &str) -> Outcome {
        self.say(command, "2>&1");
        self.outcome(command)
    }

    /// Starts a command that runs on, and waits until what it has printed is as `is_enough` wants
    /// it.
    pub(super) fn begin(
        &mut self,
        command: &str,
        is_enough: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        self.jobs += 1;
        let [out, err] = ["out", "err"].map(|stream| format!("/run/job{}.{stream}", self.jobs));
        self.say(command, &format!("> {out} 2> {err}"));
        self.outcome(command);
        let read = |path: &str| self.world.run(|| fs::read_to_string(path)).unwrap_or_default();
        let begun = wait::within(DEADLINE, || is_enough(&read(&out)).then_some(()));
        begun.ok_or_else(|| format!("it printed\n{}{}", read(&out), read(&err)))
    }

    /// Runs the lines of a script, none of which may fail. What they print is the script's own
    /// business.
    pub(super) fn script(&mut self, text: &str) -> Outcome {
        self.jobs += 1;
        let [file, out] = ["sh", "out"].map(|kind| format!("/run/script{}.{kind}", self.jobs));
        self.world.run(|| fs::write(&file, text)).unwrap();
        let traced = format!("failed=; trap 'failed=$BASH_COMMAND' ERR; . {file}; trap - ERR");
        self.say(&traced, &format!("> {out} 2>&1"));
        self.outcome(text);
        let mut outcome = self.run("echo \"$failed\"; [ -z \"$failed\" ]");
        outcome.printed += &self.world.run(|| fs::read_to_string(out)).unwrap_or_default();
        outcome
    }

    fn say(&mut self, command: &str, redirect: &str) {
        let text = format!("{{ {command}\n}} {redirect} < /dev/null\nprintf '\\036%s\\n' $?\n");
        self.input.write_all(text.as_bytes()).unwrap();
    }

    fn outcome(&mut self, command: &str) -> Outcome {
        let end = Instant::now() + DEADLINE;
        let mut printed = String::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => match line.split_once(END) {
                    Some((rest, status)) => {
                        printed.push_str(rest);
                        return Outcome { status: status.parse().unwrap(), printed };
                    }
                    None => printed = printed + &line + "\n",
                },
                Err(RecvTimeoutError::Timeout) => {
                    panic!("`{command}` has not ended within {DEADLINE:?}:\n{printed}")
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the shell has ended in `{command}`:\n{printed}")
                }
            }
        }
    }
}

impl Drop for Shell<'_> {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Ahead of a command's exit status in the shell's output.
const END: char = '\u{1e}';

/// How long a command may take; the longest is a demo, on a machine that is busy with other tests.
const DEADLINE: Duration = Duration::from_secs(90);
