//! Waiting for many descriptors at once: epoll, level-triggered, and an eventfd to end the wait
//! from another thread.
//!
//! Level-triggered, so that a worker may read a bounded batch from each queue and find the rest in
//! the next turn. A descriptor reported `gone` is reported again each turn until it is removed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// A set of descriptors that a thread sleeps on. Closing a descriptor takes it out of the set.
#[derive(Debug)]
pub struct Poller(Epoll);

/// What a descriptor is ready for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// A read will not block.
    pub readable: bool,
    /// The far side is closed, or the device behind the descriptor has been deleted: nothing will
    /// come any more.
    pub gone: bool,
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Watches `source` for input; `token` comes back with its events. `EEXIST` when it is watched
    /// already.
    pub fn add(&self, source: &impl AsFd, token: u64) -> io::Result<()> {
        Ok(self.0.add(source, EpollEvent::new(EpollFlags::EPOLLIN, token))?)
    }

    /// Stops watching `source`. `ENOENT` when it was not watched.
    pub fn remove(&self, source: &impl AsFd) -> io::Result<()> {
        Ok(self.0.delete(source)?)
    }

    /// Sleeps until a descriptor is ready or `timeout` has passed (rounded up to milliseconds;
    /// `None`: for ever), and replaces what `events` holds. A signal ends the wait with no
    /// events.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.ready = 0;
        events.ready = match self.0.wait(&mut events.slots, in_millis(timeout)) {
            Err(Errno::EINTR) => 0,
            result => result?,
        };
        Ok(())
    }
}

/// Room for the events of one wait; more wait for the next.
#[derive(Debug)]
pub struct Events {
    slots: Box<[EpollEvent]>,
    ready: usize,
}

impl Events {
    /// Room for `capacity` events (at least one), 12 bytes each.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { slots: vec![EpollEvent::empty(); capacity.max(1)].into_boxed_slice(), ready: 0 }
    }

    /// The tokens that were ready in the last wait, each once.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Readiness)> + '_ {
        self.slots.iter().take(self.ready).map(|event| (event.data(), readiness(event.events())))
    }

    /// Whether the last wait ended with nothing ready.
    pub const fn is_empty(&self) -> bool {
        self.ready == 0
    }
}

/// Ends another thread's [`Poller::wait`]. Add it to the poller under a token of its own. Clones
/// wake the same one.
#[derive(Clone, Debug)]
pub struct Waker(Arc<EventFd>);

impl Waker {
    /// A waker at rest.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(Arc::new(EventFd::from_value_and_flags(0, flags)?)))
    }

    /// Makes the waker readable until it is drained. Many calls are one event.
    pub fn wake(&self) -> io::Result<()> {
        match self.0.write(1) {
            // The counter is full, which is as awake as can be.
            Ok(_) | Err(Errno::EAGAIN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Puts the waker back to rest; the sleeping thread calls it when it sees the waker's token.
    pub fn drain(&self) -> io::Result<()> {
        match self.0.read() {
            Ok(_) | Err(Errno::EAGAIN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn readiness(flags: EpollFlags) -> Readiness {
    Readiness {
        readable: flags.contains(EpollFlags::EPOLLIN),
        gone: flags.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP),
    }
}

/// Rounded up, so that a wait never ends ahead of its deadline and spins.
fn in_millis(timeout: Option<Duration>) -> EpollTimeout {
    let Some(timeout) = timeout else {
        return EpollTimeout::NONE;
    };
    let millis = timeout.as_nanos().div_ceil(1_000_000);
    let millis = i32::try_from(millis).unwrap_or(i32::MAX);
    EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    const LONG: Option<Duration> = Some(Duration::from_secs(10));

    fn ready(poller: &Poller, timeout: Option<Duration>) -> Vec<(u64, Readiness)> {
        let mut events = Events::with_capacity(8);
        poller.wait(&mut events, timeout).unwrap();
        events.iter().collect()
    }

    #[test]
    fn input_is_reported_until_it_is_read() {
        let poller = Poller::new().unwrap();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        poller.add(&near, 7).unwrap();
        assert_eq!(ready(&poller, Some(Duration::ZERO)), []);
        far.write_all(b"x").unwrap();
        let readable = Readiness { readable: true, gone: false };
        assert_eq!(ready(&poller, LONG), [(7, readable)]);
        assert_eq!(ready(&poller, LONG), [(7, readable)]);
        near.read_exact(&mut [0]).unwrap();
        assert_eq!(ready(&poller, Some(Duration::ZERO)), []);
    }

    #[test]
    fn a_closed_far_side_is_gone() {
        let poller = Poller::new().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        poller.add(&near, 1).unwrap();
        drop(far);
        assert!(ready(&poller, LONG).iter().any(|&(token, state)| token == 1 && state.gone));
        poller.remove(&near).unwrap();
        assert_eq!(ready(&poller, Some(Duration::ZERO)), []);
        assert!(poller.remove(&near).is_err());
    }

    #[test]
    fn a_waker_ends_an_endless_wait_once() {
        let poller = Poller::new().unwrap();
        let waker = Waker::new().unwrap();
        poller.add(&waker, u64::MAX).unwrap();
        let other = waker.clone();
        let sleeper = thread::spawn(move || other.wake().and_then(|()| other.wake()));
        assert_eq!(ready(&poller, None).first().map(|&(token, _)| token), Some(u64::MAX));
        sleeper.join().unwrap().unwrap();
        waker.drain().unwrap();
        waker.drain().unwrap();
        assert_eq!(ready(&poller, Some(Duration::ZERO)), []);
    }

    #[test]
    fn waits_are_rounded_up_and_bounded() {
        assert_eq!(in_millis(Some(Duration::from_nanos(1))), EpollTimeout::from(1u8));
        assert_eq!(in_millis(Some(Duration::ZERO)), EpollTimeout::ZERO);
        assert_eq!(in_millis(Some(Duration::MAX)), EpollTimeout::MAX);
        assert_eq!(in_millis(None), EpollTimeout::NONE);
    }
}
