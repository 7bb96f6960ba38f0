//! The command line as a whole: global options, verbs, and the words of `--help`.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::{Parser, Subcommand, value_parser};
use daemon::run::ThreadOptions;
use labfile::Poll;

use crate::commands::bridge::Bridge;
use crate::commands::compare::Compare;
use crate::commands::conntrack::Conntrack;
use crate::commands::explain::Explain;
use crate::commands::fdb::Fdb;
use crate::commands::masquerade::Masquerade;
use crate::commands::neigh::Neigh;
use crate::commands::port::Port;
use crate::commands::publish::Publish;
use crate::commands::record::Record;
use crate::commands::replay::Replay;
use crate::commands::route::Route;
use crate::commands::tunnel::Tunnel;

/// A virtual switch, router, NAT and VXLAN gateway for Linux labs, in one process and without
/// touching the host's network
///
/// `tapswitch run lab.toml` is the daemon: it opens a TAP device in each network namespace of the
/// lab and carries every frame between them. The other verbs ask it over its control socket, and
/// need no restart.
#[derive(Debug, Parser)]
#[command(name = "tapswitch", version, max_term_width = 100, after_help = AFTER)]
pub(crate) struct Args {
    /// The daemon's control socket [default: /run/tapswitch/control.sock; without root
    /// $XDG_RUNTIME_DIR/tapswitch/control.sock]
    #[arg(
        long,
        global = true,
        env = "TAPSWITCH_SOCKET",
        hide_env_values = true,
        help_heading = GLOBAL,
        value_name = "PATH"
    )]
    pub(crate) socket: Option<PathBuf>,

    /// Print JSON, for programs
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// How the daemon's packet threads work.
#[derive(Debug, clap::Args)]
pub(crate) struct ThreadArgs {
    /// Packet threads, whatever the lab says [default: one a core, at most 4]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroU16>,
    /// Processors that the threads stay on, in turn, as 0,1, whatever the lab says [default: any]
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = value_parser!(u16).range(..1024))]
    cpus: Vec<u16>,
    /// How long a thread looks for frames before it sleeps, 1us to 10ms, whatever the lab says
    /// [default: off]
    #[arg(long, value_name = "TIME")]
    poll: Option<Poll>,
}

impl From<ThreadArgs> for ThreadOptions {
    fn from(ThreadArgs { workers, cpus, poll }: ThreadArgs) -> Self {
        Self { workers, cpus, poll }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Build a lab of two hosts, a gateway and an outside host, and prove it by traffic
    ///
    /// Everything is made in namespaces of its own and removed at the end; those of an ordinary user's
    /// demo are seen by `tapswitch enter` alone. The lab stays up until
    /// Ctrl-C; the exit code is 0 only if every step succeeded.
    Demo {
        /// Containers on two hosts instead, each host with a daemon, and a VXLAN tunnel between
        /// them
        #[arg(long)]
        two_hosts: bool,
        /// Leave when the last step is done
        #[arg(long)]
        once: bool,
        /// What to log on standard error: a level, or levels by target (`warn,tapswitch_daemon=debug`)
        #[arg(long, value_name = "FILTER")]
        log: Option<String>,
        /// Packet threads [default: one a core, at most 4]
        #[arg(long, value_name = "N")]
        workers: Option<NonZeroU16>,
    },
    /// Be the daemon, in the foreground, until Ctrl-C (needs root, or
    /// `--rootless`)
    ///
    /// Prints `ready` when the ports of the lab are up. SIGHUP applies the lab file anew; Ctrl-C,
    /// SIGTERM and the end of the terminal end the daemon, whatever changes wait. At the end
    /// everything that was made is removed, and what was found is left as it was; a namespace
    /// that was made stays, and is named in the log, while a process, a device of
    /// somebody else's or another daemon is in it.
    Run {
        /// The lab to begin with; left out, an empty one
        lab: Option<PathBuf>,
        /// What to log on standard error: a level, or levels by target (`warn,tapswitch_daemon=debug`) [default: info]
        #[arg(long, value_name = "FILTER")]
        log: Option<String>,
        /// End where one port of the lab cannot be brought up
        ///
        /// Without it that port is lost, and the line says so: `ready, 14 of 15 ports: two is
        /// lost: ...`.
        #[arg(long)]
        strict: bool,
        /// Without root: in user, network and mount namespaces of this process's own
        ///
        /// The lab has all that it has as root, but nothing of the machine's own namespaces. `tapswitch
        /// enter` goes there.
        #[arg(long)]
        rootless: bool,
        #[command(flatten)]
        threads: ThreadArgs,
    },
    /// Run a command where the lab is: in a namespace of it, or a shell
    ///
    /// `tapswitch enter red ping 10.0.0.2`. With a daemon that runs as root it is `ip netns exec` without
    /// new mounts; one that runs without root has its namespaces, and their names, to itself.
    Enter {
        /// A network namespace's name as the daemon sees it; `-` or left out, the daemon's own
        netns: Option<String>,
        /// What to run [default: $SHELL]
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Make the running lab match a file, changing only what differs
    Apply {
        /// The lab file
        #[arg(required_unless_present = "empty")]
        file: Option<PathBuf>,
        /// Take everything away that is running, if FILE has nothing in it or is left out
        ///
        /// Without it a file that has nothing in it is refused, unless it says `empty = true`.
        #[arg(long)]
        empty: bool,
        /// Print what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Refuse the whole file where one port cannot be brought up
        ///
        /// Without it everything else is brought up, that port is lost, and the exit status is 1.
        #[arg(long)]
        strict: bool,
    },
    /// Validate a lab file, without root and without a daemon
    Check {
        /// The lab file
        file: PathBuf,
    },
    /// Run captures or a record through the switch in virtual time, without root and without a
    /// daemon
    ///
    /// The lab is built without devices; frames come from pcap and pcapng files (also in gzip), as
    /// if each port's far end had sent them at the time that they are stamped with. Timers run
    /// in between. It ends with the totals, what was dropped and why, and the tables as they
    /// are then. The same input gives the same output, to the byte.
    ///
    /// A record of a daemon (see `tapswitch record`) brings lab, frames and timers with it; the
    /// switch begins as it was in the daemon, does the same again, and is compared with what it
    /// was at the record's end.
    #[command(after_help = REPLAY)]
    Replay(Replay),
    /// Show the whole lab as a tree
    Show {
        /// Print it as a lab file instead
        #[arg(long)]
        toml: bool,
    },
    /// Bridges: segments with a forwarding table, and the router's addresses on them
    #[command(subcommand)]
    Bridge(Bridge),
    /// Ports: cables between the switch and namespaces
    #[command(subcommand)]
    Port(Port),
    /// Tunnels: bridges continued at other hosts, over VXLAN
    #[command(subcommand)]
    Tunnel(Tunnel),
    /// Routes between segments and to the outside
    #[command(subcommand)]
    Route(Route),
    /// Sources that leave with the switch's own address
    #[command(subcommand)]
    Masquerade(Masquerade),
    /// Inside services at an address of the switch
    #[command(subcommand)]
    Publish(Publish),
    /// Stations: which MAC address is behind which port or remote VTEP
    #[command(subcommand)]
    Fdb(Fdb),
    /// Neighbours: which MAC address an IPv4 address has (ARP)
    #[command(subcommand, visible_alias = "neighbor")]
    Neigh(Neigh),
    /// Flows that NAT tracks, as conntrack(8) shows them
    #[command(subcommand)]
    Conntrack(Conntrack),
    /// Frames and bytes that each port has carried
    Stats,
    /// Frames that ended in the switch, by port and reason
    Drops,
    /// Record everything that enters the running switch, to replay it anywhere, bit for bit
    #[command(subcommand)]
    Record(Record),
    /// Tell what would become of a frame, step by step, and why; the switch itself notices nothing
    ///
    /// Asks the running daemon, or with --lab a switch that is made from a lab file, without root.
    /// The frame lives in a copy of the switch, through the eight steps of ARCHITECTURE.md;
    /// told are what each saw and decided, which entry, route or rule decided, what leaves and
    /// where, and what to change where the frame is dropped.
    #[command(after_help = EXPLAIN)]
    Explain(Explain),
    /// Compare this switch with another one, frame by frame, without a daemon
    #[command(subcommand)]
    Compare(Compare),
    /// The versions of this command and of the daemon
    Version,
}

const GLOBAL: &str = "Global options";

const REPLAY: &str = "\
Examples:
  tapswitch replay lab.toml --in red=a.pcap -v            the fate of each frame
  tapswitch replay lab.toml --in red=a.pcap --in wan=b.pcapng --write out
  tapswitch replay lab.toml --in vx0@192.0.2.1=c.pcap     what a remote VTEP sent, inside
  tapswitch replay lab.toml --in red=a.pcap --until 400   what is left in the tables after that?
  tapswitch replay x.record                               live it again: is the end the same?
  tapswitch replay x.record --at 12.5s conntrack          who was connected then?

A capture holds what the switch receives from a port: the frames that the namespace behind it
sends, and no answers to them. A capture of both directions can be split with a filter:
  tcpdump -r both.pcap -w a.pcap ether src 02:00:00:00:00:01

tcpdump sees frames before the sender's device has finished them: with offloads, checksums are
wrong and frames are larger than the MTU, and both are replayed as they are. Switch that off
while capturing, or capture where the frames are received:
  ip netns exec red ethtool -K eth0 tx off tso off gso off";

const EXPLAIN: &str = "\
Examples:
  tapswitch explain --in red --frame 'ffffffffffff 020000000001 0806 0001 0800 0604 0001 ...'
  tapswitch explain --in red --pcap a.pcap:17                frame 17 of a capture
  tapswitch explain --in red --pcap a.pcap --lab lab.toml    all of them in turn, without a daemon
  tapswitch explain --in vx0@192.0.2.1 --frame @-            from a remote VTEP; read stdin
  tapswitch explain --in red --frame HEX --frame wan=HEX     a ping, then the answer to its ARP

Several frames are explained in turn, each in the state that the one ahead of it left the copy in;
captures go ahead of --frame. No time passes between them.

Exit codes:
  0  the last frame would pass: it leaves, waits, or is for the switch itself
  1  it would be dropped
  2  it cannot be told: a wrong frame, capture or port, or no daemon";

const AFTER: &str = "\
Examples:
  tapswitch demo                      see it work, end to end
  tapswitch check lab.toml            is the file right?
  tapswitch run lab.toml              build it, and run it until Ctrl-C
  tapswitch apply lab.toml --dry-run  what would the changed file change?
  tapswitch port list                 who is plugged in where?
  tapswitch port add red --bridge br0 --netns red --address 192.168.0.2/24
  tapswitch tunnel add vx0 --bridge br0 --vni 42 --remote 192.0.2.1
  tapswitch conntrack list --src-nat  who is masqueraded now?
  tapswitch replay lab.toml --in red=a.pcap -v   what would have become of these frames?
  tapswitch record start x.record     take down all that enters, for `tapswitch replay x.record`
  tapswitch explain --in red --pcap a.pcap:3     and why, step by step?

The control socket speaks HTTP and JSON, for whoever has no tapswitch at hand:
  curl --unix-socket /run/tapswitch/control.sock http://localhost/v1/ports

Exit codes:
  0  done
  1  the daemon refused, none answers, or a step failed; `compare`: different; `explain`: dropped
  2  wrong usage, or a wrong lab file: every problem is printed with its line and column;
     `replay`: a file that is damaged, cut off or no capture; `compare`, `explain`: it could not be
     made or told";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_options_may_follow_the_verb() {
        let args = Args::parse_from(["tapswitch", "port", "list", "--json", "--socket", "/x"]);
        assert!(args.json);
        assert_eq!(args.socket, Some(PathBuf::from("/x")));
    }

    #[test]
    fn exit_codes_are_documented() {
        let help = Args::command().render_long_help().to_string();
        for line in ["0  done", "1  the daemon refused", "2  wrong usage"] {
            assert!(help.contains(line), "{line}");
        }
    }
}
