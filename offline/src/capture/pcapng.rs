//! The pcapng format (draft-ietf-opsawg-pcapng): blocks, each with its type and its length around
//! it. Sections begin with a block that says the byte order, and count their interfaces anew.

use std::io::{Read, Take};

use super::Packet;
use super::bytes::{Order, array, array_unless_end, packet, skip};
use super::error::Fault;
use super::pcap::{ETHERNET, NANOS};

/// The section that is being read.
#[derive(Debug)]
pub(super) struct PcapNg {
    order: Order,
    interfaces: Vec<Interface>,
}

/// What an interface says of its packets.
#[derive(Copy, Clone, Debug)]
struct Interface {
    link_type: u16,
    /// Bytes of a packet that are captured; 0 for all.
    snap_length: u32,
    /// Parts of a second: 10 to the power of minus so much, or 2 with the highest bit set.
    resolution: u8,
    /// Seconds to add to every time.
    offset: i64,
    fcs: u8,
}

/// A block's body, which ends where the block's length says.
type Body<'a> = Take<&'a mut dyn Read>;

impl PcapNg {
    /// Reads the first section's header.
    pub(super) fn open(from: &mut dyn Read) -> Result<Self, Fault> {
        let [_type, length]: [[u8; 4]; 2] = [array(from)?, array(from)?];
        let mut section = Self { order: Order::Little, interfaces: Vec::new() };
        section.begin(length, from)?;
        Ok(section)
    }

    /// The next packet; none at the end.
    pub(super) fn next(&mut self, from: &mut dyn Read) -> Result<Option<Packet>, Fault> {
        loop {
            let Some(kind) = array_unless_end(from)? else { return Ok(None) };
            let (kind, length) = (self.order.u32(kind), array(from)?);
            if kind == SECTION_HEADER {
                self.begin(length, from)?;
                continue;
            }
            let length = self.order.u32(length);
            let least = match kind {
                INTERFACE => 8,
                PACKET | ENHANCED_PACKET => 20,
                SIMPLE_PACKET => 4,
                _ => 0,
            };
            let mut body = body(length, least, from)?;
            let packet = match kind {
                INTERFACE => self.describe(&mut body).map(|()| None),
                SIMPLE_PACKET => self.simple(&mut body).map(Some),
                PACKET => self.packet(&mut body, false).map(Some),
                ENHANCED_PACKET => self.packet(&mut body, true).map(Some),
                _ => Ok(None),
            }?;
            self.end(length, body)?;
            if packet.is_some() {
                return Ok(packet);
            }
        }
    }

    /// A section's header, behind its type and its length, whose byte order it says itself.
    fn begin(&mut self, length: [u8; 4], from: &mut dyn Read) -> Result<(), Fault> {
        let order = match u32::from_le_bytes(array(from)?) {
            BYTE_ORDER => Order::Little,
            order if order.swap_bytes() == BYTE_ORDER => Order::Big,
            _ => return Err("a section says no byte order".into()),
        };
        let length = order.u32(length);
        *self = Self { order, interfaces: Vec::new() };
        let mut body = body(length.saturating_sub(4), 12, from)?;
        let [major, minor] = [order.u16(array(&mut body)?), order.u16(array(&mut body)?)];
        // Versions 1.0 and 1.2 are the same.
        if !matches!((major, minor), (1, 0 | 2)) {
            return Err(format!(
                "it is pcapng of version {major}.{minor}, and only version 1.0 is known"
            )
            .into());
        }
        self.end(length, body)
    }

    fn describe(&mut self, body: &mut Body<'_>) -> Result<(), Fault> {
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err("a section describes too many interfaces".into());
        }
        let order = self.order;
        let [link_type, _reserved] = [order.u16(array(body)?), order.u16(array(body)?)];
        let snap_length = order.u32(array(body)?);
        let (resolution, offset, fcs) = (MICROSECONDS, 0, 0);
        let mut interface = Interface { link_type, snap_length, resolution, offset, fcs };
        self.options(body, |code, value| match (code, value) {
            (IF_TSRESOL, &[resolution]) => interface.resolution = resolution,
            // Bytes; the older drafts had bits.
            (IF_FCSLEN, &[fcs]) => interface.fcs = if fcs < 16 { fcs } else { fcs / 8 },
            (IF_TSOFFSET, value) => {
                let offset = value.try_into().map(|offset| order.u64(offset).cast_signed());
                interface.offset = offset.unwrap_or(interface.offset);
            }
            _ => {}
        })?;
        self.interfaces.push(interface);
        Ok(())
    }

    /// An enhanced packet block, or the packet block that it replaced.
    fn packet(&self, body: &mut Body<'_>, is_enhanced: bool) -> Result<Packet, Fault> {
        let number = match is_enhanced {
            true => self.order.u32(array(body)?),
            false => {
                let [number, _dropped] =
                    [self.order.u16(array(body)?), self.order.u16(array(body)?)];
                number.into()
            }
        };
        let [high, low, captured, length] = self.order.words(body)?;
        let interface = self.interface(number)?;
        let bytes = within(body, captured)?;
        let mut fcs = interface.fcs;
        self.options(body, |code, value| {
            if let (EPB_FLAGS, Ok(flags)) = (code, value.try_into()) {
                let said = (self.order.u32(flags) >> 5 & 0xf) as u8;
                fcs = if said == 0 { fcs } else { said };
            }
        })?;
        let at = interface.since_1970(u64::from(high) << 32 | u64::from(low));
        Ok(Packet { at, bytes, captured, length, fcs: fcs.into() })
    }

    /// A packet of the first interface, without a time, cut off at the interface's snap length.
    fn simple(&self, body: &mut Body<'_>) -> Result<Packet, Fault> {
        let length = self.order.u32(array(body)?);
        let interface = self.interface(0)?;
        let captured = match interface.snap_length {
            0 => length,
            snap_length => length.min(snap_length),
        };
        let bytes = within(body, captured)?;
        Ok(Packet { at: None, bytes, captured, length, fcs: interface.fcs.into() })
    }

    fn interface(&self, number: u32) -> Result<Interface, Fault> {
        let known = usize::try_from(number).ok().and_then(|number| self.interfaces.get(number));
        let interface = *known.ok_or("a packet names an interface that is not described")?;
        match u32::from(interface.link_type) {
            ETHERNET => Ok(interface),
            other => Err(Fault::LinkType(other)),
        }
    }

    /// Options, to their end, to the block's, or to one that would reach beyond it. None of
    /// interest is long.
    fn options(&self, body: &mut Body<'_>, mut see: impl FnMut(u16, &[u8])) -> Result<(), Fault> {
        while body.limit() >= 4 {
            let [code, length] = [self.order.u16(array(body)?), self.order.u16(array(body)?)];
            let padded = u64::from(length).next_multiple_of(4);
            if code == END || u64::from(length) > body.limit() {
                break;
            }
            let mut value = [0; 8];
            let kept = value.get_mut(..usize::from(length)).filter(|value| !value.is_empty());
            let read = kept.as_ref().map_or(0, |value| value.len() as u64);
            if let Some(value) = kept {
                body.read_exact(value)?;
                see(code, value);
            }
            let left = body.limit();
            skip(body, (padded - read).min(left))?;
        }
        Ok(())
    }

    /// Reads past what is left of a block; behind it stands its length once more.
    fn end(&self, length: u32, mut body: Body<'_>) -> Result<(), Fault> {
        let left = body.limit();
        skip(&mut body, left)?;
        match self.order.u32(array(body.into_inner())?) {
            again if again == length => Ok(()),
            again => {
                Err(format!("a block has {length} bytes at its begin and {again} at its end")
                    .into())
            }
        }
    }
}

impl Interface {
    /// A time in this interface's units, in nanoseconds; none when it does not fit.
    fn since_1970(self, time: u64) -> Option<u64> {
        let power = u32::from(self.resolution & !BINARY);
        let second = match self.resolution & BINARY {
            0 => 10u128.checked_pow(power),
            _ => 2u128.checked_pow(power),
        };
        // Of units that small, 64 bits hold less than a nanosecond. Each factor is less than 2^64.
        let nanos = second.map_or(0, |second| u128::from(time) * u128::from(NANOS) / second);
        let shift = i128::from(self.offset) * i128::from(NANOS);
        u64::try_from(i128::try_from(nanos).ok()? + shift).ok()
    }
}

/// The body of a block of so many bytes in all, of which there must be so many. A length without
/// the padding stands for one with it, as Wireshark has it.
fn body(length: u32, least: u64, from: &mut dyn Read) -> Result<Body<'_>, Fault> {
    let padded = u64::from(length).next_multiple_of(4);
    match padded.checked_sub(AROUND) {
        Some(len) if len >= least => Ok(from.take(len)),
        _ => Err("a block is too short for what it is".into()),
    }
}

/// A packet that must not reach beyond its block.
fn within(body: &mut Body<'_>, captured: u32) -> Result<Vec<u8>, Fault> {
    if u64::from(captured) > body.limit() {
        return Err("a packet is longer than the block that holds it".into());
    }
    let bytes = packet(body, captured)?;
    let padding = u64::from(captured).next_multiple_of(4) - u64::from(captured);
    let left = body.limit();
    skip(body, padding.min(left))?;
    Ok(bytes)
}

/// Block types (draft-ietf-opsawg-pcapng section 11.1).
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Bytes of a block around its body: its type, and its length twice.
const AROUND: u64 = 12;
/// Options (sections 4.1, 4.2 and 4.3). A packet block's flags have the number of an enhanced
/// one's.
const END: u16 = 0;
const EPB_FLAGS: u16 = 2;
const IF_TSRESOL: u16 = 9;
const IF_FCSLEN: u16 = 13;
const IF_TSOFFSET: u16 = 14;
/// The resolution of an interface that does not say: 10^-6 s. With the highest bit it is a power of
/// 2.
const MICROSECONDS: u8 = 6;
const BINARY: u8 = 0x80;
/// Interfaces of one section, 24 bytes each: 1.5 MiB.
const MAX_INTERFACES: usize = 1 << 16;
