//! The network card of a simulated host: what smoltcp sends and receives, with or without offload.

use core::num::{NonZeroU16, NonZeroUsize};
use std::collections::VecDeque;

use packet::{Frame, Offload, SegmentKind, Span};
use smoltcp::phy::{self, Checksum, DeviceCapabilities, Medium, PacketMeta};
use smoltcp::time::Instant;

use crate::wire::pseudo;

/// The largest super-frame: an IPv4 packet of 65,535 bytes behind Ethernet.
const MAX_SUPER_FRAME: usize = 65_535 + 14;

/// A card with a queue each way.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) mtu: usize,
    pub(crate) offload: bool,
    pub(crate) received: VecDeque<Vec<u8>>,
    sent: VecDeque<(Vec<u8>, Option<NonZeroU16>)>,
}

impl Device {
    pub(crate) const fn new(mtu: usize, offload: bool) -> Self {
        Self { mtu, offload, received: VecDeque::new(), sent: VecDeque::new() }
    }

    /// The next frame that the host sends, with what it leaves to the switch.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let (bytes, size) = self.sent.pop_front()?;
        let mut frame = Frame::copied_from(&bytes);
        if self.offload {
            leave_checksum(&mut frame, size);
        }
        Some(frame)
    }
}

/// Puts the pseudo-header's sum where a TCP or UDP checksum belongs, as Linux does towards virtio.
fn leave_checksum(frame: &mut Frame, size: Option<NonZeroU16>) {
    let bytes = frame.bytes_mut();
    if bytes.get(12..14) != Some(&[8, 0]) {
        return;
    }
    let offset: u16 = match bytes[23] {
        6 => 16,
        17 => 6,
        _ => return,
    };
    let start = 14 + usize::from(bytes[14] & 15) * 4;
    let address = |at: usize| {
        let octets: [u8; 4] = *bytes[at..].first_chunk().expect("smoltcp writes whole headers");
        octets.into()
    };
    let sum = pseudo(address(26), address(30), bytes[23], bytes.len() - start);
    let field = start + usize::from(offset);
    bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    let span = Span { start: start as u16, offset };
    frame.set_offload(match size {
        None => Offload::Checksum(span),
        Some(size) => Offload::Segment { kind: SegmentKind::Tcp4 { ecn: false }, size, span },
    });
}

impl phy::Device for Device {
    type RxToken<'a> = Received;
    type TxToken<'a> = Send<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Received, Send<'_>)> {
        let bytes = self.received.pop_front()?;
        Some((Received(bytes), Send { queue: &mut self.sent, size: None }))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Send<'_>> {
        Some(Send { queue: &mut self.sent, size: None })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ethernet;
        caps.max_transmission_unit = self.mtu + 14;
        if self.offload {
            // Received checksums may be partial; the lab has judged them on their way here.
            caps.checksum.tcp = Checksum::None;
            caps.checksum.udp = Checksum::None;
            caps.segmentation.tcpv4 = NonZeroUsize::new(MAX_SUPER_FRAME);
        }
        caps
    }
}

/// A frame for the host.
#[derive(Debug)]
pub(crate) struct Received(Vec<u8>);

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

/// Room for a frame from the host.
#[derive(Debug)]
pub(crate) struct Send<'a> {
    queue: &'a mut VecDeque<(Vec<u8>, Option<NonZeroU16>)>,
    size: Option<NonZeroU16>,
}

impl phy::TxToken for Send<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut bytes = vec![0; len];
        let result = write(&mut bytes);
        self.queue.push_back((bytes, self.size));
        result
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.size = meta.segmentation_offload_size;
    }
}
