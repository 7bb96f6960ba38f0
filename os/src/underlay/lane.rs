//! One sending socket: its source port, its options, and what becomes of each train given to it.

use std::io::{self, IoSlice};
use std::mem;
use std::net::{SocketAddr, SocketAddrV4};
use std::num::NonZeroU8;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::SenderOptions;
use super::batch::{Message, SendResult, Spare, recycled};
use super::train::Train;
use super::{is_passing, mmsg, option};

/// A socket bound to a source port of its own.
#[derive(Debug)]
pub(super) struct SourceSocket {
    socket: Socket,
    pub(super) port: u16,
}

/// What a socket does unless a message says otherwise, so that most messages say nothing.
pub(super) const TTL: NonZeroU8 = NonZeroU8::new(64).unwrap();
pub(super) const TOS: u8 = 0;

impl SourceSocket {
    /// `EADDRINUSE` when somebody has the port.
    pub(super) fn open(options: &SenderOptions, port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        let discovery = match options.dont_fragment {
            true => libc::IP_PMTUDISC_DO,
            // Clears DF, and still refuses what is larger than the device's MTU in place of
            // fragmenting it.
            false => libc::IP_PMTUDISC_INTERFACE,
        };
        setsockopt(&socket, option::MtuDiscover, &discovery)?;
        setsockopt(&socket, option::NoCheck, &!options.checksum)?;
        socket.set_ttl_v4(u32::from(TTL.get()))?;
        socket.set_tos_v4(u32::from(TOS))?;
        if setsockopt(&socket, sockopt::SndBufForce, &SEND_BUFFER).is_err() {
            socket.set_send_buffer_size(SEND_BUFFER)?;
        }
        // Nothing is read from it, so what strangers send to it should not take memory.
        socket.set_recv_buffer_size(0)?;
        let address = SocketAddrV4::new(options.local, port);
        socket.bind(&SocketAddr::V4(address).into())?;
        Ok(Self { socket, port })
    }

    /// Sends the trains in order. `false` when the socket's buffer is full: then the rest was not
    /// tried. Messages that failed are marked; the error of the last is in `outcome`.
    pub(super) fn send(
        &self,
        trains: &[Train],
        slices: &[IoSlice<'_>],
        outcome: &mut Outcome<'_>,
    ) -> bool {
        let mut rest = trains;
        let mut retried = false;
        while let Some((first, others)) = rest.split_first() {
            if first.is_segmented() && outcome.singly.load(Ordering::Relaxed) {
                if !self.send_singly(first, slices, outcome) {
                    return outcome.give_up(others);
                }
                rest = others;
                continue;
            }
            let error = match mmsg::send(self.socket.as_fd(), run(rest, outcome, slices)) {
                Ok(count) => {
                    rest = rest.get(count.max(1)..).unwrap_or_default();
                    retried = false;
                    continue;
                }
                Err(error) => error,
            };
            let verdict = Verdict::on(&error, first);
            if verdict == Verdict::Again && !mem::replace(&mut retried, true) {
                continue;
            }
            match verdict {
                Verdict::Full => {
                    outcome.error = Some(error);
                    return outcome.give_up(rest);
                }
                Verdict::Cut => {
                    let went_on = self.send_singly(first, slices, outcome);
                    // A train with a piece beyond the MTU is refused too, and says nothing about
                    // the next.
                    let unable = !is(&error, libc::EMSGSIZE) && !outcome.has_failed(first);
                    if unable {
                        outcome.singly.store(true, Ordering::Relaxed);
                    }
                    if !went_on {
                        return outcome.give_up(others);
                    }
                }
                Verdict::TooBig => outcome.fail(first, SendResult::TooBig, error),
                Verdict::Again | Verdict::Failed => outcome.fail(first, SendResult::Failed, error),
            }
            (rest, retried) = (others, false);
        }
        true
    }

    /// Sends the pieces of a train as datagrams of their own.
    fn send_singly(
        &self,
        train: &Train,
        slices: &[IoSlice<'_>],
        outcome: &mut Outcome<'_>,
    ) -> bool {
        let mut pieces = mem::take(&mut outcome.spare.pieces);
        let mut cut: Vec<IoSlice<'_>> = mem::take(&mut outcome.spare.cut);
        train.cut_up(slices, outcome.messages, &mut pieces, &mut cut);
        // The pieces are not segmented, so this goes no deeper.
        let went_on = self.send(&pieces, &cut, outcome);
        outcome.spare.pieces = pieces;
        outcome.spare.cut = recycled(cut);
        went_on
    }
}

/// 4 MiB, which the kernel doubles for its bookkeeping: 60 super-frames may wait for the device.
/// Sixteen lanes could hold 128 MiB, if all of them stalled.
const SEND_BUFFER: usize = 4 << 20;

/// What is known after sending, and what is needed on the way.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) messages: &'a mut [Message],
    /// Whether trains must be cut up, because something on the way out cannot segment.
    pub(super) singly: &'a AtomicBool,
    pub(super) spare: &'a mut Spare,
    pub(super) error: Option<io::Error>,
}

impl Outcome<'_> {
    fn mark(&mut self, train: &Train, fate: SendResult) {
        let marked = self.messages.get_mut(train.messages.clone()).unwrap_or_default();
        marked.iter_mut().for_each(|message| message.fate = fate);
    }

    fn fail(&mut self, train: &Train, fate: SendResult, error: io::Error) {
        self.mark(train, fate);
        self.error = Some(error);
    }

    /// Marks trains that are not tried, and is `false`.
    fn give_up(&mut self, trains: &[Train]) -> bool {
        trains.iter().for_each(|train| self.mark(train, SendResult::Failed));
        false
    }

    fn has_failed(&self, train: &Train) -> bool {
        let carried = self.messages.get(train.messages.clone()).unwrap_or_default();
        carried.iter().any(|message| message.fate != SendResult::Sent)
    }
}

/// The trains up to the first that must be cut up.
fn run<'x>(
    trains: &[Train],
    outcome: &Outcome<'_>,
    slices: &'x [IoSlice<'_>],
) -> impl ExactSizeIterator<Item = mmsg::Departure<'x>> {
    let singly = outcome.singly.load(Ordering::Relaxed);
    let end = trains.iter().take(mmsg::MOST).position(|train| singly && train.is_segmented());
    let run = end.and_then(|end| trains.get(..end)).unwrap_or(trains);
    run.iter().map(move |train| train.departure(slices))
}

/// What a refusal means for the first train of a call.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// The buffer is full, and stays so for this batch.
    Full,
    /// Maybe an old piece of news and no refusal at all.
    Again,
    /// The pieces may pass one by one.
    Cut,
    /// Larger than the path takes.
    TooBig,
    /// This train is lost.
    Failed,
}

impl Verdict {
    fn on(error: &io::Error, train: &Train) -> Self {
        let segmented = train.is_segmented();
        match error.raw_os_error() {
            Some(libc::EAGAIN) => Self::Full,
            Some(libc::EMSGSIZE | libc::EINVAL | libc::EIO | libc::EOPNOTSUPP) if segmented => {
                Self::Cut
            }
            Some(libc::EMSGSIZE) => Self::TooBig,
            _ if is_passing(error) => Self::Again,
            _ => Self::Failed,
        }
    }
}

fn is(error: &io::Error, errno: i32) -> bool {
    error.raw_os_error() == Some(errno)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]
mod tests {
    use super::*;
    use crate::underlay::batch::{Batch, Outbound};
    use std::net::{Ipv4Addr, UdpSocket};
    use std::num::NonZeroU16;
    use std::time::Duration;

    /// A socket that lost its checksums unnoticed refuses trains, as a way out that cannot segment
    /// does.
    #[test]
    fn a_way_out_that_cannot_segment_is_remembered_and_loses_nothing() {
        let ear = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        ear.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let SocketAddr::V4(to) = ear.local_addr().unwrap() else { unreachable!("bound to IPv4") };
        let local = Ipv4Addr::LOCALHOST;
        let options = SenderOptions { local, dont_fragment: true, checksum: true, lanes: 1 };
        let lane = (49_152..).find_map(|port| SourceSocket::open(&options, port).ok()).unwrap();
        setsockopt(&lane.socket, option::NoCheck, &true).unwrap();

        let bytes: Vec<u8> = (0..100).collect();
        let message = |len: usize, segment: u16| {
            let (segment, parts) = (NonZeroU16::new(segment), [bytes.get(..len).unwrap()]);
            Outbound { lane: 0, to, ttl: TTL, tos: 1, segment, parts }
        };
        let mut batch = Batch::default();
        batch.collect(&mut [message(3, 0), message(100, 30), message(7, 0)].into_iter(), 1);
        batch.plan();
        let Batch { mut messages, slices, trains, mut spare, .. } = batch;
        let singly = AtomicBool::new(false);
        for _ in 0..2 {
            let mut outcome = Outcome {
                messages: &mut messages,
                singly: &singly,
                spare: &mut spare,
                error: None,
            };
            assert!(lane.send(&trains, &slices, &mut outcome));
            assert!(outcome.error.is_none() && singly.load(Ordering::Relaxed));
            for wanted in [3, 30, 30, 30, 10, 7] {
                assert_eq!(ear.recv(&mut [0; 200]).unwrap(), wanted);
            }
        }
        assert!(messages.iter().all(|message| message.fate == SendResult::Sent));
    }

    #[test]
    fn a_refusal_is_of_the_batch_of_the_train_or_of_nothing() {
        let mut batch = Batch::default();
        let message = |segment: u16| Outbound {
            lane: 0,
            to: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9),
            ttl: TTL,
            tos: 0,
            segment: NonZeroU16::new(segment),
            parts: [&[0u8; 10][..]],
        };
        batch.collect(&mut [message(0), message(3)].into_iter(), 1);
        batch.plan();
        let [single, train] = &batch.trains[..] else { panic!("{:?}", batch.trains) };
        let on = |errno, train| Verdict::on(&io::Error::from_raw_os_error(errno), train);
        for (errno, alone, joined) in [
            (libc::EAGAIN, Verdict::Full, Verdict::Full),
            (libc::EMSGSIZE, Verdict::TooBig, Verdict::Cut),
            (libc::EINVAL, Verdict::Failed, Verdict::Cut),
            (libc::EIO, Verdict::Failed, Verdict::Cut),
            (libc::ECONNREFUSED, Verdict::Again, Verdict::Again),
            (libc::EPERM, Verdict::Failed, Verdict::Failed),
            (libc::ENOBUFS, Verdict::Failed, Verdict::Failed),
        ] {
            assert_eq!((on(errno, single), on(errno, train)), (alone, joined), "{errno}");
        }
    }
}
