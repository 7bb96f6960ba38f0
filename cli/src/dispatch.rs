//! Who runs which verb.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use client::Client;
use control::message::HowToApply;
use daemon::log;
use daemon::run::{self, RunOptions, privileges, rootless};
use demo::{self, DemoOptions, Tables};
use labfile::printable;

use crate::args::{Args, Verb};
use crate::commands::lab;
use crate::context::{Context, block_on};
use crate::output;
use crate::render::{counters, tables, tree};

/// Does what was typed.
pub(crate) fn run(args: Args) -> Result<()> {
    let socket = |name: &str| args.socket.clone().unwrap_or_else(|| directory().join(name));
    let asked = args.socket.clone().unwrap_or_else(asked);
    let context = Context { client: Client::new(asked), json: args.json };
    match args.verb {
        Verb::Demo { two_hosts, once, log, workers } => {
            let socket = socket(DEMO_SOCKET);
            let is_rootless = privileges::are_missing();
            if is_rootless {
                rootless::enter(&socket)?;
            }
            log::start(log.as_deref(), "warn")?;
            let (stations, neighbors, flows) = (tables::stations, tables::neighbors, tables::flows);
            let tables = Tables { stations, neighbors, flows, tunnels: tables::tunnels };
            let options = DemoOptions { once, socket, workers, log, tables, is_rootless };
            Ok(if two_hosts { demo::two_hosts(&options) } else { demo::run(&options) }?)
        }
        Verb::Run { lab, log, strict, rootless, threads } => {
            let socket = socket(SOCKET);
            if rootless {
                ensure!(
                    rootless::is_ordinary(),
                    "--rootless is for ordinary users: leave it out as root"
                );
                rootless::enter(&socket)?;
            }
            log::start(log.as_deref(), "info")?;
            Ok(run::run(&RunOptions { lab, socket, threads: threads.into(), strict })?)
        }
        Verb::Enter { netns, command } => enter(&context, netns, &command),
        Verb::Check { file } => lab::check(&file),
        Verb::Replay(replay) => replay.run(args.json),
        Verb::Compare(verb) => verb.run(args.json),
        Verb::Explain(verb) => verb.run(&context),
        verb => block_on(ask(verb, &context)),
    }
}

/// The verbs that need a daemon.
async fn ask(verb: Verb, context: &Context) -> Result<()> {
    match verb {
        Verb::Apply { file, empty, dry_run, strict } => {
            let how = HowToApply { dry_run, empty, strict };
            lab::apply(context, file.as_deref(), how).await
        }
        Verb::Show { toml: true } => output::text(&context.client.lab().await?.to_toml()?),
        Verb::Show { toml: false } => context.list(&context.client.show().await?, tree::show),
        Verb::Bridge(verb) => verb.run(context).await,
        Verb::Port(verb) => verb.run(context).await,
        Verb::Tunnel(verb) => verb.run(context).await,
        Verb::Route(verb) => verb.run(context).await,
        Verb::Masquerade(verb) => verb.run(context).await,
        Verb::Publish(verb) => verb.run(context).await,
        Verb::Fdb(verb) => verb.run(context).await,
        Verb::Neigh(verb) => verb.run(context).await,
        Verb::Conntrack(verb) => verb.run(context).await,
        Verb::Stats => context.list(&context.client.stats().await?, counters::stats),
        Verb::Drops => context.list(&context.client.drops().await?, |drops| counters::drops(drops)),
        Verb::Record(verb) => verb.run(context).await,
        Verb::Version => version(context).await,
        // They were run before, without a daemon.
        Verb::Demo { .. }
        | Verb::Run { .. }
        | Verb::Enter { .. }
        | Verb::Check { .. }
        | Verb::Replay(_)
        | Verb::Explain(_)
        | Verb::Compare(_) => Ok(()),
    }
}

/// Becomes a command, or a shell, where the daemon is.
fn enter(context: &Context, netns: Option<String>, command: &[OsString]) -> Result<()> {
    let pid = block_on(async { Ok(context.client.pid().await?) })?;
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let (program, arguments): (&OsStr, _) = match command {
        [program, arguments @ ..] => (program, arguments),
        [] => (&shell, &[][..]),
    };
    let socket = std::path::absolute(context.client.socket())?;
    let netns = netns.filter(|name| name != "-");
    let never =
        rootless::join(pid, netns.as_deref(), program, arguments, ("TAPSWITCH_SOCKET", &socket))?;
    match never {}
}

/// A missing daemon is no failure here: the question has an answer without one.
async fn version(context: &Context) -> Result<()> {
    let daemon = context.client.version().await;
    if context.json {
        return output::json(&serde_json::json!({ "command": VERSION, "daemon": daemon.ok() }));
    }
    let socket: &Path = context.client.socket();
    let daemon = match daemon {
        Ok(daemon) => {
            format!("daemon {} (pid {}) at {}", daemon.version, daemon.pid, printable::path(socket))
        }
        Err(error) => error.to_string(),
    };
    output::text(&format!("tapswitch {VERSION}\n{daemon}"))
}

/// Where control sockets are made.
fn directory() -> PathBuf {
    if rootless::is_ordinary() { rootless::runtime_directory() } else { ROOTS.into() }
}

/// Where the daemon is asked that nobody has named: one's own, or where there is none root's, which
/// may be there and closed.
fn asked() -> PathBuf {
    let [own, roots] = [directory(), ROOTS.into()].map(|directory: PathBuf| directory.join(SOCKET));
    let is_missing =
        |path: &Path| path.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if is_missing(&own) && !is_missing(&roots) { roots } else { own }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Where root's control sockets are.
const ROOTS: &str = "/run/tapswitch";
/// The daemon's.
const SOCKET: &str = "control.sock";
/// The demo has a daemon of its own, which may run beside another.
const DEMO_SOCKET: &str = "demo.sock";
