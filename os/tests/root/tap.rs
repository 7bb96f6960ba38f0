//! TAP devices: made, refused, deleted under their queues.
#![allow(unsafe_code, reason = "an ioctl of its own")]

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::thread;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use os::netns::{self, Netns};
use os::poller::{Events, Poller};
use os::privileges::{self, PrivilegeError};
use os::sysctl::{self, SysctlError};
use os::tap::{self, Options, Received, TapError};
use packet::{Frame, Pool};

use crate::scene::{Host, Name, is_root, play};

const BOTH: [bool; 2] = [true, false];

fn eth0(offload: bool) -> Options<'static> {
    Options { name: "eth0", queues: 2, offload }
}

#[test]
fn queues_belong_to_one_device_in_the_namespace() {
    if !is_root() {
        return;
    }
    let netns = Netns::anonymous().unwrap();
    for (offload, count) in [(true, 2), (false, 1)] {
        let queues = tap::open(&netns, &eth0(offload)).unwrap();
        assert_eq!(queues.len(), count);
        let mut frame = Pool::new(1).take();
        for queue in &queues {
            assert_eq!(queue.offloads(), offload);
            assert_eq!(queue.device().unwrap(), "eth0");
            assert_eq!(queue.read(&mut frame).unwrap(), Received::Empty);
        }
        let devices =
            netns.run(|| fs::read_to_string("/proc/thread-self/net/dev")).unwrap().unwrap();
        assert_eq!(devices.matches("eth0:").count(), 1, "{devices}");
        drop(queues);
        let devices =
            netns.run(|| fs::read_to_string("/proc/thread-self/net/dev")).unwrap().unwrap();
        assert_eq!(devices.matches("eth0:").count(), 0, "{devices}");
    }
}

#[test]
fn a_device_that_is_there_is_never_joined() {
    if !is_root() {
        return;
    }
    nix::ioctl_write_int_bad!(
        /// Lets a device outlive its queues.
        set_persist,
        libc::TUNSETPERSIST
    );
    let netns = Netns::anonymous().unwrap();
    for first in BOTH {
        let queues = tap::open(&netns, &eth0(first)).unwrap();
        for second in BOTH {
            let error = tap::open(&netns, &eth0(second)).unwrap_err();
            assert!(matches!(error, TapError::NameTaken { .. }), "{first} {second}: {error}");
            let loopback = Options { name: "lo", ..eth0(second) };
            let error = tap::open(&netns, &loopback).unwrap_err();
            assert!(matches!(error, TapError::NameTaken { .. }), "lo {second}: {error}");
        }
        let raw = queues.first().unwrap().as_fd().as_raw_fd();
        // SAFETY: `queues` keeps the descriptor open; the argument is a flag by value.
        unsafe { set_persist(raw, 1) }.unwrap();
        drop(queues);
        for second in BOTH {
            let error = tap::open(&netns, &eth0(second)).unwrap_err();
            assert!(matches!(error, TapError::NameTaken { .. }), "left over: {error}");
        }
        play(async {
            let links = os::links::Links::open(&netns).await.unwrap();
            let left = links.find("eth0").await.unwrap().unwrap();
            links.delete(left.index).await.unwrap();
            links.delete(left.index).await.unwrap();
        });
    }
}

#[test]
fn the_missing_driver_is_named() {
    if !is_root() {
        return;
    }
    let netns = Netns::anonymous().unwrap();
    // A thread with a file tree of its own, in which /dev/net is empty.
    let blind = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).unwrap();
        let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        mount(Some("none"), "/dev/net", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        assert!(matches!(privileges::check(), Err(PrivilegeError::NoTun)));
        for offload in BOTH {
            let error = tap::open(&netns, &eth0(offload)).unwrap_err();
            assert!(error.to_string().contains("modprobe tun"), "{error}");
        }
    });
    blind.join().unwrap();
}

#[test]
fn a_device_that_is_down_loses_frames_and_one_that_is_deleted_is_gone() {
    if !is_root() {
        return;
    }
    play(async {
        for offload in BOTH {
            let host = Host::new(offload, 1).await;
            let queue = host.queues.first().unwrap();
            let poller = Poller::new().unwrap();
            poller.add(queue, 5).unwrap();
            let mut frame = Frame::copied_from(&[0xff; 60]);
            let error = queue.write(&mut frame).unwrap_err();
            assert!(tap::is_down(&error) && !tap::is_gone(&error), "{error}");
            host.up("192.0.2.1/24", 1500).await;
            queue.write(&mut frame).unwrap();
            assert_eq!(frame.bytes(), [0xff; 60]);

            host.links.delete(host.device.index).await.unwrap();
            let mut events = Events::with_capacity(4);
            poller.wait(&mut events, Some(Duration::from_secs(10))).unwrap();
            let gone = events.iter().any(|(token, state)| token == 5 && state.gone);
            assert!(gone, "the poller says so");
            let error = queue.write(&mut frame).unwrap_err();
            assert!(tap::is_gone(&error) && !tap::is_down(&error), "{error}");
            let error = queue.read(&mut Pool::new(1).take()).unwrap_err();
            assert!(tap::is_gone(&error), "{error}");
            assert!(tap::is_gone(&queue.device().unwrap_err()));
        }
    });
}

/// An open queue keeps the namespace, so the place is what tells.
#[test]
fn a_queue_survives_the_removal_of_its_namespaces_name() {
    if !is_root() {
        return;
    }
    let name = Name::new();
    let netns = Netns::create(&name.0).unwrap();
    let queues = tap::open(&netns, &eth0(true)).unwrap();
    netns::remove(&name.0).unwrap();
    assert!(!netns.still_exists());
    let mut frame = Pool::new(1).take();
    for queue in &queues {
        assert_eq!(queue.read(&mut frame).unwrap(), Received::Empty);
    }
}

#[test]
fn a_frame_without_a_buffer_is_refused_and_the_queue_goes_on() {
    if !is_root() {
        return;
    }
    let netns = Netns::anonymous().unwrap();
    for offload in BOTH {
        let queues = tap::open(&netns, &eth0(offload)).unwrap();
        let queue = queues.first().unwrap();
        let error = queue.read(&mut Frame::default()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(queue.read(&mut Pool::new(1).take()).unwrap(), Received::Empty);
    }
}

#[test]
fn a_setting_reaches_its_namespace_only() {
    if !is_root() {
        return;
    }
    let path = "net/ipv4/ip_default_ttl";
    let (red, blue) = (Netns::anonymous().unwrap(), Netns::anonymous().unwrap());
    sysctl::set_in(&red, path, "77").unwrap();
    let value = |netns: &Netns| {
        netns.run(|| fs::read_to_string(format!("/proc/sys/{path}"))).unwrap().unwrap()
    };
    assert_eq!(value(&red).trim(), "77");
    assert_eq!(value(&blue).trim(), "64");
    let error = sysctl::set_in(&red, "net/ipv4/conf/eth9/forwarding", "1").unwrap_err();
    assert!(matches!(error, SysctlError::Missing { .. }), "{error}");
    let error = sysctl::set_in(&red, path, "many").unwrap_err();
    assert!(matches!(error, SysctlError::Refused { .. }), "{error}");
}
