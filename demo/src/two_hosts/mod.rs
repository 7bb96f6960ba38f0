//! `tapswitch demo --two-hosts`: containers on two hosts, joined by a VXLAN tunnel.
//!
//! # Theory of operation
//! Three daemons take part, each a child process with a control socket of its own: one is the
//! network between the hosts, and makes them as namespaces; the other two are the hosts', and run
//! inside. This process only starts them, plays the container engine, and proves what came of it.
//! What is made is noted on the [`Stage`] before anything else happens, so that whatever ends the
//! story (its end, a signal, a failure, a daemon that dies) finds all of it there to take away: the
//! hosts' daemons first, then the containers on docker0, then the network between the hosts.

use std::path::PathBuf;
use std::time::Instant;

use os::netns::{self, Netns, Place};
use os::privileges;
use packet::Mac;

use super::steps::Score;
use super::story::{self, say};
use super::{DemoError, DemoOptions, names, names_are_free};
use ::daemon::run::{RunError, Stop, runtime};
use client::Client;
use control::message::{HowToApply, LabBody};
use labfile::{self, Lab};

mod daemon;
mod docker;
mod files;
mod outer;
mod scene;

use daemon::{Daemon, first_to_die};
use docker::{Container, D1, D2, Docker};
use files::{
    FILES, HOST1, HOST2, LabFile, ROUTED_UNDERLAY, Room, STRETCHED1, STRETCHED2, UNDERLAY,
};
use scene::{ACROSS, Containers, STRETCHED, Stretched};

/// Builds the lab, proves it, shows it, and takes it away.
///
/// # Errors
/// See [`DemoError`]; none only if every step succeeded.
pub fn run(options: &DemoOptions) -> Result<(), DemoError> {
    privileges::check().map_err(RunError::from)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(build_and_tell(options));
    // A probe that Ctrl-C has overtaken may still wait for its deadline.
    runtime.shutdown_background();
    outcome
}

async fn build_and_tell(options: &DemoOptions) -> Result<(), DemoError> {
    let mut stop = Stop::listen().map_err(RunError::Process)?;
    let labs = FILES.iter().map(lab).collect::<Result<Vec<Lab>, _>>()?;
    names_are_free(&[D1.name, D2.name])?;
    labs.iter().try_for_each(|lab| names_are_free(&names(lab)))?;
    let mut stage = Stage::new(options, Room::make(&options.socket)?);
    say(INTRODUCTION);
    let mut outcome = Err(DemoError::Interrupted);
    let ended = tokio::select! {
        biased;
        () = stop.requested() => Ok(()),
        ended = stage.play(&mut outcome) => ended,
    };
    stage.clear().await;
    say("\nBoth hosts are gone, and all that was made for them.");
    ended.and(outcome)
}

fn lab(file: &LabFile) -> Result<Lab, DemoError> {
    Ok(labfile::parse(file.text.as_bytes(), file.name).map_err(RunError::from)?)
}

/// What stands, and is to be taken away.
struct Stage<'o> {
    options: &'o DemoOptions,
    room: Room,
    /// In the order of their start.
    daemons: Vec<Daemon>,
    /// Namespaces of containers that no daemon has made.
    containers: Vec<&'static str>,
    score: Score,
}

impl<'o> Stage<'o> {
    const fn new(options: &'o DemoOptions, room: Room) -> Self {
        let score = Score { steps: 0, failed: 0 };
        Self { options, room, daemons: Vec::new(), containers: Vec::new(), score }
    }

    /// The whole story; `outcome` is what came of the proofs. An error is one of building the lab,
    /// or a daemon's end.
    async fn play(&mut self, outcome: &mut Result<(), DemoError>) -> Result<(), DemoError> {
        self.score.begin("two hosts on one network: the underlay");
        self.start("the underlay", None, UNDERLAY, self.options.socket.clone()).await?;
        self.score.begin("docker0 on host1, with a container d1, for a TAP of the switch to join");
        self.first_docker().await?;
        self.score.begin("docker0 on host2, with a container d2, and a veth pair to the switch");
        self.second_docker().await?;
        self.score.begin("each host runs a switch, with a tunnel to the other");
        self.start("host1", Some("host1"), HOST1, self.room.at("host1.sock")).await?;
        self.start("host2", Some("host2"), HOST2, self.room.at("host2.sock")).await?;
        let clients: Vec<Client> =
            self.daemons.iter().map(|daemon| daemon.client().clone()).collect();
        let Self { options, daemons, score, .. } = self;
        tokio::select! {
            biased;
            died = first_to_die(daemons) => Err(died),
            told = tell(options, &clients, score, outcome) => told,
        }
    }

    /// Starts a daemon, here or in a host, and waits until its lab is up.
    async fn start(
        &mut self,
        who: &'static str,
        host: Option<&str>,
        file: LabFile,
        socket: PathBuf,
    ) -> Result<(), DemoError> {
        let enter =
            host.map(|host| format!("nsenter --net=/run/netns/{host} ")).unwrap_or_default();
        let command = format!("{enter}tapswitch run {}", file.name);
        story::command(&command, &format!("--socket {}", socket.display()));
        let netns = match host {
            Some(host) => open(host)?,
            None => Netns::open(&Place::Current)?,
        };
        let lab = self.room.at(file.name);
        let daemon = Daemon::start(who, &netns, (&lab, &socket), self.options)?;
        self.daemons.push(daemon);
        match self.daemons.last_mut() {
            Some(daemon) => daemon.ready().await,
            None => Ok(()),
        }
    }

    async fn first_docker(&mut self) -> Result<(), DemoError> {
        let started = Instant::now();
        let host = open("host1")?;
        say("$ ip -n host1 link add docker0 up type bridge");
        let docker = Docker::make(&host).await?;
        self.plug(&docker, &D1, "host1").await?;
        say(&format!("ok ({})", story::time(started.elapsed())));
        Ok(())
    }

    async fn second_docker(&mut self) -> Result<(), DemoError> {
        let started = Instant::now();
        let host = open("host2")?;
        say("$ ip -n host2 link add docker0 up type bridge");
        let docker = Docker::make(&host).await?;
        self.plug(&docker, &D2, "host2").await?;
        let pair = "ip -n host2 link add veth_sw0 up mtu 1450";
        story::command(pair, "type veth peer name veth_d0 mtu 1450");
        say("$ ip -n host2 link set veth_d0 up master docker0");
        docker.cable("veth_sw0").await?;
        say(&format!("ok ({})", story::time(started.elapsed())));
        Ok(())
    }

    async fn plug(
        &mut self,
        docker: &Docker<'_>,
        container: &Container,
        host: &str,
    ) -> Result<(), DemoError> {
        let Container { name, cable, address, gateway } = container;
        let netns = Netns::create(name)?;
        self.containers.push(name);
        say(&format!("$ ip netns add {name}"));
        story::command(
            &format!("ip -n {host} link add {cable} up mtu 1450 master docker0"),
            &format!("type veth peer name eth0 mtu 1450 netns {name}"),
        );
        say(&format!("$ ip -n {name} link set eth0 up"));
        say(&format!("$ ip -n {name} address add {address} dev eth0"));
        say(&format!("$ ip -n {name} route add default via {gateway}"));
        docker.plug(container, &netns).await
    }

    /// Takes everything away, the last made first.
    async fn clear(mut self) {
        while self.daemons.len() > UNDERLAY_ALONE
            && let Some(daemon) = self.daemons.pop()
        {
            daemon.end().await;
        }
        for name in self.containers.drain(..) {
            if let Err(error) = netns::remove(name) {
                tracing::warn!("namespace {name} stays: {error}");
            }
        }
        for host in ["host1", "host2"] {
            // There is none when the story ended before.
            let Ok(netns) = open(host) else { continue };
            if let Err(error) = docker::unmake(&netns).await {
                tracing::warn!("docker0 of {host} stays: {error}");
            }
        }
        while let Some(daemon) = self.daemons.pop() {
            daemon.end().await;
        }
    }
}

/// Everything that is proven and shown once the daemons are up; does not end by itself unless that
/// was asked for.
async fn tell(
    options: &DemoOptions,
    clients: &[Client],
    score: &mut Score,
    outcome: &mut Result<(), DemoError>,
) -> Result<(), DemoError> {
    let [underlay, host1, host2] = clients else { return Ok(()) };
    score.prove(&Containers::enter()?, &ACROSS).await;
    show(options, host1).await?;
    say(SECOND_HALF);
    score.begin("a router comes between the hosts, while everything runs");
    apply(underlay, ROUTED_UNDERLAY).await?;
    score.begin("one subnet takes the place of two");
    apply(host1, STRETCHED1).await?;
    apply(host2, STRETCHED2).await?;
    score.prove(&Stretched::enter(mac_of_s2()?)?, &STRETCHED).await;
    show(options, host1).await?;
    *outcome = score.verdict();
    if !options.once {
        let commands = ["tapswitch show", "tapswitch fdb list", "ip netns exec s1 ping 10.5.0.3"];
        story::farewell(host1.socket(), options.is_rootless, &commands);
        say("Beside that socket are host2.sock, of the other host, and the lab files.");
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// What a host knows of its tunnels, and who is behind them.
async fn show(options: &DemoOptions, host: &Client) -> Result<(), DemoError> {
    let socket = host.socket().display();
    let tunnels = (options.tables.tunnels)(&host.tunnels().await?);
    story::listing(&format!("tunnel list --socket {socket}"), &tunnels);
    let stations = (options.tables.stations)(&host.stations(None).await?);
    story::listing(&format!("fdb list --socket {socket}"), &stations);
    Ok(())
}

async fn apply(client: &Client, file: LabFile) -> Result<(), DemoError> {
    let command = format!("tapswitch apply {}", file.name);
    story::command(&command, &format!("--socket {}", client.socket().display()));
    let body = LabBody::Toml(file.text.as_bytes().to_vec());
    let how = HowToApply { strict: true, ..HowToApply::default() };
    for line in client.apply(body, how).await?.changes {
        story::step(&line);
    }
    Ok(())
}

/// Derived from its name and address, as its daemon does it.
fn mac_of_s2() -> Result<Mac, DemoError> {
    let lab = lab(&STRETCHED2)?;
    Ok(lab.ports.values().next().map_or(Mac::ZERO, |s2| s2.mac))
}

fn open(host: &str) -> Result<Netns, DemoError> {
    Ok(Netns::open(&Place::Name(host.to_owned()))?)
}

/// The daemon that has made the hosts goes last.
const UNDERLAY_ALONE: usize = 1;

const INTRODUCTION: &str = "\
Two hosts, each with containers of its own, and a VXLAN tunnel between them.

     host1, 192.168.10.163                          host2, 192.168.10.164

     c1 10.1.0.2 ------.                            .------ c2 10.2.0.2
     d1 10.1.0.10       sw0 == vx0 (VNI 42) == vx0 sw0       d2 10.2.0.10
      |                |                            |                |
     docker0 --- TAP --+                            +-- veth --- docker0
     ovs_sw0 ----------'                            '---------- ovs_sw0
     10.100.0.1                                              10.100.0.2

Each host is a network namespace with a daemon inside, each container another
namespace. Nothing else on this machine is touched.";

const SECOND_HALF: &str = "
The second half: the hosts are on two networks with a router between them, and
one subnet, 10.5.0.0/24, is stretched over that.";
