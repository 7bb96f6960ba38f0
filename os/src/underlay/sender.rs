//! The sending side: sockets on different source ports, and batches spread over them.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicBool;

use super::UnderlayError;
use super::batch::{Batch, Outbound, Scratch, SendResult};
use super::lane::{Outcome, SourceSocket};
use crate::entropy;

/// How tunnel datagrams leave.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct SenderOptions {
    /// The source address; 0.0.0.0 leaves it to the route.
    pub local: Ipv4Addr,
    /// Sets DF and heeds the path MTU. Without it only the device's MTU bounds a datagram. Either
    /// way a datagram that does not fit is refused, and never fragmented here.
    pub dont_fragment: bool,
    /// UDP checksums. Without them the kernel segments nothing, and every datagram costs a send of
    /// its own.
    pub checksum: bool,
    /// How many source ports: 1 to [`MAX_LANES`].
    pub lanes: usize,
}

/// Sixteen already spread flows over more queues than most network cards have; each lane is a
/// socket.
pub const MAX_LANES: usize = 256;

/// Sockets to send from. They hear nothing.
#[derive(Debug)]
pub struct Sender {
    lanes: Box<[SourceSocket]>,
    singly: AtomicBool,
}

/// What became of the messages of one [`Sender::send`]. `sent + failed` is all of them.
#[derive(Debug, Default)]
pub struct Report {
    /// Handed to the kernel, each with all its datagrams.
    pub sent: usize,
    /// Of which a datagram was refused.
    pub failed: usize,
    /// Those among the failed that are larger than the path's or the device's MTU.
    pub too_big: usize,
    /// Why the last of them failed.
    pub error: Option<io::Error>,
}

impl Sender {
    /// Opens the sockets in the calling thread's namespace, on free ports of 49152-65535 (RFC 7348
    /// section 5, where the source port is what tells flows apart for the network below).
    /// Nothing is left open on an error.
    pub fn open(options: &SenderOptions) -> Result<Self, UnderlayError> {
        if !(1..=MAX_LANES).contains(&options.lanes) {
            return Err(UnderlayError::BadCount { count: options.lanes, most: MAX_LANES });
        }
        let mut lanes = Vec::with_capacity(options.lanes);
        for port in candidates(entropy::seed()) {
            match SourceSocket::open(options, port) {
                Ok(lane) => lanes.push(lane),
                Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {}
                Err(error) => return Err(UnderlayError::binding(options.local, port, error)),
            }
            if lanes.len() == options.lanes {
                let (lanes, singly) =
                    (lanes.into_boxed_slice(), AtomicBool::new(!options.checksum));
                return Ok(Self { lanes, singly });
            }
        }
        Err(UnderlayError::NoSourcePort)
    }

    /// Sends `messages`, those of one lane in their order, in as few system calls as it can,
    /// without blocking and, once `scratch` is warm, without allocating.
    ///
    /// Consecutive datagrams of a lane that share destination, TTL and TOS and are of one size go
    /// as one send, which the far kernel may hand on as one receive; trains that are longer
    /// than the kernel takes are cut. Where something on the way cannot segment (a device
    /// without checksum offload, IPsec), datagrams go one by one, and from then on always. When
    /// a socket's buffer is full, the rest of that lane's batch has failed: they are lost as on
    /// any full link.
    pub fn send<'a, P: IntoIterator<Item = &'a [u8]>>(
        &self,
        messages: impl IntoIterator<Item = Outbound<P>>,
        scratch: &mut Scratch,
    ) -> Report {
        let mut messages = messages.into_iter();
        let mut report = Report::default();
        let mut batch = scratch.lend();
        while batch.collect(&mut messages, self.lanes.len()) {
            batch.plan();
            self.send_batch(&mut batch, &mut report);
        }
        scratch.take_back(batch);
        report
    }

    /// The source ports, one a lane.
    pub fn ports(&self) -> impl ExactSizeIterator<Item = u16> + '_ {
        self.lanes.iter().map(|lane| lane.port)
    }

    fn send_batch(&self, batch: &mut Batch<'_>, report: &mut Report) {
        let Batch { messages, slices, trains, spare, .. } = batch;
        let mut outcome = Outcome { messages, singly: &self.singly, spare, error: None };
        for trains in trains.chunk_by(|first, second| first.lane == second.lane) {
            let lane = trains.first().and_then(|train| self.lanes.get(train.lane));
            if let Some(lane) = lane {
                lane.send(trains, slices, &mut outcome);
            }
        }
        let failed = outcome.error.is_some();
        report.error = outcome.error.or(report.error.take());
        let lost =
            |fate: &SendResult| messages.iter().filter(|message| message.fate == *fate).count();
        let too_big = if failed { lost(&SendResult::TooBig) } else { 0 };
        let others = if failed { lost(&SendResult::Failed) } else { 0 };
        report.too_big += too_big;
        report.failed += too_big + others;
        report.sent += messages.len() - too_big - others;
    }
}

/// Every dynamic port (RFC 6335 section 6) once, from a random one on, so that two senders seldom
/// meet.
fn candidates(seed: u64) -> impl Iterator<Item = u16> {
    // The remainder of a u16 fits.
    let start = (seed % u64::from(DYNAMIC)) as u16;
    (0..DYNAMIC).map(move |step| FIRST + (start + step) % DYNAMIC)
}

const FIRST: u16 = 49_152;
const DYNAMIC: u16 = u16::MAX - FIRST + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dynamic_port_is_tried_once() {
        for seed in [0, 16_383, 16_384, u64::MAX] {
            let mut ports: Vec<u16> = candidates(seed).collect();
            ports.sort_unstable();
            assert!(ports.iter().copied().eq(49_152..=65_535), "{seed}");
        }
    }
}
