//! The loops, as children of this program: each moves frames between two TAP devices in its own
//! way, for ever.

use std::fs::File;
use std::thread;

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl;
use nix::sys::signal::Signal;

use super::bare_loop;

mod multishot;
mod ring;
mod system_calls;
mod uring;

/// What the child is told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Name of one namespace
    near: String,
    /// Name of the other
    far: String,
    /// Which loop
    #[arg(value_parser = PossibleValuesParser::new(WAYS.iter().map(|way| way.name)))]
    way: String,
}

struct Way {
    name: &'static str,
    /// Flags of linux/if_tun.h that its devices have beside the usual ones.
    flags: libc::c_int,
    /// Returns with an error or not at all.
    carry: fn(&File, &File) -> Result<()>,
}

const WAYS: [Way; 8] = [
    Way { name: "vectored", flags: 0, carry: system_calls::vectored },
    Way { name: "napi", flags: libc::IFF_NAPI, carry: bare_loop::shuttle },
    Way {
        name: "napi-frags",
        flags: libc::IFF_NAPI | libc::IFF_NAPI_FRAGS,
        carry: system_calls::in_pages,
    },
    Way { name: "uring", flags: 0, carry: uring::carry },
    Way { name: "uring-multi", flags: 0, carry: multishot::carry },
    Way { name: "busy-read", flags: 0, carry: system_calls::busy_read },
    Way { name: PINNED, flags: 0, carry: bare_loop::shuttle },
    Way { name: "busy-epoll", flags: 0, carry: system_calls::busy_epoll },
];

/// The one with a thread for each core.
const PINNED: &str = "pinned";

/// The child's life: open both devices, say so, move frames until a signal ends it.
pub(crate) fn child(options: &Options) -> Result<()> {
    // Should the parent be killed, nobody else would end this process.
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    if options.way == PINNED {
        return pinned(options);
    }
    let way = WAYS.iter().find(|way| way.name == options.way).context("no such way")?;
    let near = bare_loop::open(&options.near, 1, way.flags)?;
    let far = bare_loop::open(&options.far, 1, way.flags)?;
    let (Some(near), Some(far)) = (near.first(), far.first()) else { bail!("no queue") };
    println!("ready");
    (way.carry)(near, far)
}

/// A queue and a thread for each core, each thread kept on its core.
fn pinned(options: &Options) -> Result<()> {
    let cpus = os::affinity::allowed()?;
    let queues = bare_loop::queues();
    let near = bare_loop::open(&options.near, queues, 0)?;
    let far = bare_loop::open(&options.far, queues, 0)?;
    println!("ready");
    thread::scope(|scope| {
        let pairs = near.iter().zip(&far).zip(cpus.iter().cycle());
        let work = |((near, far), cpu): ((&File, &File), &usize)| {
            os::affinity::pin(*cpu)?;
            bare_loop::shuttle(near, far)
        };
        let threads: Vec<_> = pairs.map(|pair| scope.spawn(move || work(pair))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(cause) => std::panic::resume_unwind(cause),
        })
    })
}

/// Lets reads wait: io_uring answers EAGAIN at once otherwise.
fn let_wait(file: &File) -> Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    fcntl(file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(())
}
