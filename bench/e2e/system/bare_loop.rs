//! The bare loop: frames read from one TAP device are written to the other, and nothing else is
//! done to them.
//!
//! No switch that moves frames between TAP devices by `read` and `write` can be faster, so this is
//! what 1.00 means. It runs as a child process, so that its CPU time is read in the same way as
//! everybody's.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use os::netns::{Netns, Place};

use super::tap;
use super::{FAR, NEAR, Running, Surroundings, WIDE};
use crate::process::Process;
use crate::room::Room;

/// What the child is told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Name of one namespace
    near: String,
    /// Name of the other
    far: String,
    /// Queues of each device, and threads
    queues: usize,
}

/// As many queues as this switch has workers when nobody says how many.
pub(super) fn queues() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(4)
}

/// The loop with so many queues on each side and a thread for each.
pub(super) fn build(surroundings: &Surroundings, queues: usize) -> Result<Running> {
    join(surroundings, "__loop", &queues.to_string())
}

/// Two namespaces with a device each, which this program holds as its own child in `role`.
pub(super) fn join(surroundings: &Surroundings, role: &str, option: &str) -> Result<Running> {
    let near = Room::new("a")?;
    let far = Room::new("b")?;
    let mut command = Command::new(&surroundings.myself);
    command.args([role, near.name(), far.name(), option]);
    let process = Process::start("loop", command, "ready")?;
    near.configure(DEVICE, packet::Ipv4Net::new(NEAR, WIDE)?)?;
    far.configure(DEVICE, packet::Ipv4Net::new(FAR, WIDE)?)?;
    Ok(Running { processes: vec![process], near, far, others: Vec::new(), _rest: Box::new(()) })
}

/// The child's life: open both devices, say so, move frames until a signal ends it.
pub(crate) fn child(options: &Options) -> Result<()> {
    // Should the parent be killed, nobody else would end this process.
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    let near = open(&options.near, options.queues, 0)?;
    let far = open(&options.far, options.queues, 0)?;
    println!("ready");
    thread::scope(|scope| {
        let pairs = near.iter().zip(&far);
        let threads: Vec<_> =
            pairs.map(|(near, far)| scope.spawn(move || shuttle(near, far))).collect();
        for thread in threads {
            match thread.join() {
                Ok(result) => result?,
                Err(cause) => std::panic::resume_unwind(cause),
            }
        }
        Ok(())
    })
}

/// The queues of a new device in a namespace; `more` are flags of linux/if_tun.h.
pub(super) fn open(namespace: &str, queues: usize, more: libc::c_int) -> Result<Vec<File>> {
    let netns = Netns::open(&Place::Name(namespace.into()))?;
    let opened = netns.run(|| tap::open(DEVICE, queues, more))?;
    opened.with_context(|| format!("cannot open a TAP device in {netns}"))
}

/// Moves frames between two queues, both ways, for ever.
pub(super) fn shuttle(near: &File, far: &File) -> Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(near, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    epoll.add(far, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
    let mut buffer = vec![0; tap::HEADER_LEN + packet::frame::MAX_FRAME];
    let mut events = [EpollEvent::empty(); 2];
    loop {
        let count = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => continue,
            result => result?,
        };
        for event in events.iter().take(count) {
            match event.data() {
                0 => carry(near, far, &mut buffer)?,
                _ => carry(far, near, &mut buffer)?,
            }
        }
    }
}

/// Moves what waits in `from` to `to`, up to a bound, so that the other way gets its turn.
fn carry(mut from: &File, mut to: &File, buffer: &mut [u8]) -> Result<()> {
    for _ in 0..BATCH {
        let count = match from.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            result => result.context("cannot read from the device")?,
        };
        // What the far kernel will not have (its device is down, say) is lost, as on a cable.
        let _ = to.write(buffer.get(..count).unwrap_or_default());
    }
    Ok(())
}

const DEVICE: &str = "eth0";
/// Frames moved one way before looking at the other.
const BATCH: usize = 64;
