//! Namespaces: made, found, entered, removed.

use std::fs;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;
use os::netns::{self, Netns, NetnsError, Place};

use crate::scene::{Name, is_root};

fn is_mounted(name: &str) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts
        .lines()
        .any(|line| line.contains(&format!(" /run/netns/{name} ")) && line.contains("nsfs"))
}

/// The inode number of the namespace that the calling thread is in.
fn here() -> String {
    fs::read_link("/proc/thread-self/ns/net").unwrap().display().to_string()
}

/// What `ip netns list` prints, on a machine that has it.
fn ip_netns() -> Option<String> {
    let output = Command::new("ip").args(["netns", "list"]).output().ok()?;
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_made_namespace_is_visible_by_name_until_it_is_removed() {
    if !is_root() {
        return;
    }
    let name = Name::new();
    let made = Netns::create(&name.0).unwrap();
    assert!(is_mounted(&name.0));
    assert!(netns::list().unwrap().contains(&name.0));
    assert!(made.still_exists());
    assert!(ip_netns().is_none_or(|names| names.contains(&name.0)));
    assert_eq!(Netns::open(&Place::Name(name.0.clone())).unwrap(), made);
    let path = Place::Path(format!("/run/netns/{}", name.0).into());
    assert_eq!(Netns::open(&path).unwrap(), made);

    netns::remove(&name.0).unwrap();
    assert!(!is_mounted(&name.0));
    assert!(!netns::list().unwrap().contains(&name.0));
    assert!(ip_netns().is_none_or(|names| !names.contains(&name.0)));
    assert!(!made.still_exists());
    let error = Netns::open(&Place::Name(name.0.clone())).unwrap_err();
    assert!(matches!(error, NetnsError::NoSuchName { .. }), "{error}");
    let error = netns::remove(&name.0).unwrap_err();
    assert!(matches!(error, NetnsError::NoSuchName { .. }), "{error}");
}

#[test]
fn a_name_is_made_once_and_then_found() {
    if !is_root() {
        return;
    }
    let name = Name::new();
    let (first, made) = Netns::ensure(&name.0).unwrap();
    assert!(made);
    let (second, made) = Netns::ensure(&name.0).unwrap();
    assert!(!made);
    assert_eq!(first, second);
    let error = Netns::create(&name.0).unwrap_err();
    assert!(matches!(error, NetnsError::AlreadyExists { .. }), "{error}");
}

/// The two share one directory, so each finds and removes what the other made.
#[test]
fn a_namespace_made_by_ip_is_found_and_removed() {
    if !is_root() {
        return;
    }
    let name = Name::new();
    let Ok(status) = Command::new("ip").args(["netns", "add", &name.0]).status() else {
        println!("skipped: there is no `ip` to compare with");
        return;
    };
    assert!(status.success());
    let (netns, made) = Netns::ensure(&name.0).unwrap();
    assert!(!made && netns.still_exists());
    netns::remove(&name.0).unwrap();
    assert!(!netns.still_exists());

    let ours = Netns::create(&name.0).unwrap();
    assert!(Command::new("ip").args(["netns", "del", &name.0]).status().unwrap().success());
    assert!(!ours.still_exists());
}

#[test]
fn a_name_given_to_another_namespace_is_not_the_first_one() {
    if !is_root() {
        return;
    }
    let name = Name::new();
    let first = Netns::create(&name.0).unwrap();
    netns::remove(&name.0).unwrap();
    let second = Netns::create(&name.0).unwrap();
    assert_ne!(first, second);
    assert!(!first.still_exists());
    assert!(second.still_exists());
}

#[test]
fn many_threads_make_many_names_at_once() {
    if !is_root() {
        return;
    }
    let names: Vec<Name> = (0..8).map(|_| Name::new()).collect();
    thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| Netns::create(&name.0).unwrap());
        }
    });
    assert!(names.iter().all(|name| is_mounted(&name.0)));
}

#[test]
fn what_is_not_a_network_namespace_is_refused() {
    if !is_root() {
        return;
    }
    for path in ["/proc/version", "/proc/self/ns/mnt", "/"] {
        let error = Netns::open(&Place::Path(path.into())).unwrap_err();
        assert!(matches!(error, NetnsError::NotANamespace { .. }), "{path}: {error}");
    }
    let error = Netns::open(&Place::Path("/nowhere/at/all".into())).unwrap_err();
    assert_eq!(error.to_string(), "there is no namespace at /nowhere/at/all: check the path");

    let name = Name::new();
    let made = Netns::create(&name.0).unwrap();
    netns::remove(&name.0).unwrap();
    drop(made);
    fs::write(format!("/run/netns/{}", name.0), "").unwrap();
    let error = Netns::ensure(&name.0).unwrap_err();
    assert!(error.to_string().contains(&format!("ip netns del {}", name.0)), "{error}");
    netns::remove(&name.0).unwrap();
}

#[test]
fn a_process_leads_to_its_namespace_while_it_lives() {
    if !is_root() {
        return;
    }
    let (say, hear) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let process = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        say.send((gettid().as_raw().unsigned_abs(), here())).unwrap();
        stopped.recv().unwrap();
    });
    let (pid, theirs) = hear.recv().unwrap();
    let netns = Netns::open(&Place::Pid(pid)).unwrap();
    assert_eq!(theirs, format!("net:[{}]", netns.inode()));
    assert_eq!(netns.run(here).unwrap(), theirs);
    assert!(netns.still_exists());

    stop.send(()).unwrap();
    process.join().unwrap();
    assert!(!netns.still_exists());
    let error = Netns::open(&Place::Pid(pid)).unwrap_err();
    assert!(error.to_string().starts_with(&format!("there is no process {pid}")), "{error}");
}

#[test]
fn entering_a_namespace_leaves_the_caller_where_it_was() {
    if !is_root() {
        return;
    }
    let before = here();
    let current = Netns::open(&Place::Current).unwrap();
    assert_eq!(before, format!("net:[{}]", current.inode()));
    let netns = Netns::anonymous().unwrap();
    assert_ne!(netns, current);
    assert_eq!(netns.run(here).unwrap(), format!("net:[{}]", netns.inode()));
    assert_eq!(here(), before);
    assert!(netns.still_exists());
    let panicked = thread::spawn(move || netns.run(|| panic!("on purpose"))).join();
    assert!(panicked.is_err());
}
