//! A port that epoll does not take is taken back whole: planted behind the first worker that
//! watches it.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use control::message::HowToApply;
use labfile::{LabSpec, parse_spec};
use os::links::Links;
use os::netns::{self, Netns, Place};
use os::privileges;
use tapswitch_daemon::dataplane::{Dataplane, Threads};
use tapswitch_daemon::engine::Engine;
use tapswitch_daemon::run::runtime;

const STRICT: HowToApply = HowToApply { dry_run: false, empty: false, strict: true };

fn spec(text: &str) -> LabSpec {
    parse_spec(text.as_bytes(), "lab.toml").unwrap().0
}

fn engine() -> Engine {
    let threads = Threads { workers: 2, ..Threads::default() };
    // Nobody hears its reports.
    let (reports, _) = tokio::sync::mpsc::unbounded_channel();
    Engine::new(Dataplane::start(&threads, 7, reports).unwrap())
}

/// Has a lab applied whose port is refused, and applied again, in a network with a way to
/// 192.0.2.0/24.
fn refused_and_mended(
    lab: &str,
    told: &str,
    refused: impl FnOnce() + Send,
    mended: impl AsyncFnOnce(&Engine) + Send,
) {
    if let Err(reason) = privileges::check() {
        println!("skipped: {reason}");
        return;
    }
    let own = Netns::anonymous().unwrap();
    let test = async || {
        let links = Links::open(&own).await.unwrap();
        links.loopback_up().await.unwrap();
        let lo = links.find("lo").await.unwrap().unwrap();
        links.add_route("192.0.2.0/24".parse().unwrap(), None, lo.index).await.unwrap();
        let engine = engine();
        engine.plane().refuse_next_watch();
        let error = engine.apply(spec(lab), STRICT).await.unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("cannot be watched"), "{error}");
        for port in engine.ports().await {
            assert!(port.state.starts_with("lost: it cannot be watched"), "{}", port.state);
        }
        refused();
        engine.apply(spec(lab), STRICT).await.unwrap();
        mended(&engine).await;
        engine.shut_down().await;
    };
    own.run(|| runtime().unwrap().block_on(test())).unwrap();
}

#[test]
fn a_device_that_cannot_be_watched_is_up_after_the_next_apply() {
    let name = format!("tapswitch-unwatched-{}", std::process::id());
    let lab = format!("[bridge.b]\n[port.p]\nbridge = \"b\"\nnetns = \"{name}\"\n");
    let deleted = || assert!(device_names(&name).iter().all(|device| device == "lo"));
    refused_and_mended(&lab, "port p", deleted, async |engine| {
        let states: Vec<_> = engine.ports().await.into_iter().map(|port| port.state).collect();
        assert_eq!(states, ["up"]);
    });
    assert!(!netns::list().unwrap().contains(&name));
}

fn device_names(netns: &str) -> Vec<String> {
    let netns = Netns::open(&Place::Name(netns.to_owned())).unwrap();
    let links = netns.run(|| std::fs::read_to_string("/proc/thread-self/net/dev").unwrap());
    let links = links.unwrap();
    let rows = links.lines().skip(2).filter_map(|row| row.split_once(':'));
    rows.map(|(name, _)| name.trim().to_owned()).collect()
}

#[test]
fn a_udp_port_that_cannot_be_watched_is_listened_at_after_the_next_apply() {
    let lab = "[bridge.b]\n[tunnel.vx0]\nbridge = \"b\"\nvni = 42\nport = 4791\nremotes = \"192.0.2.1\"\n";
    let bind = || std::net::UdpSocket::bind("0.0.0.0:4791").map_err(|error| error.kind());
    let refused = || assert!(bind().is_ok());
    refused_and_mended(lab, "4791", refused, async |_| {
        assert_eq!(bind().unwrap_err(), std::io::ErrorKind::AddrInUse);
    });
}
