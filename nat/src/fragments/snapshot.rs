//! Datagrams in pieces as bytes and back, in the order in which they began.

use ahash::RandomState;
use packet::snapshot::{Damaged, ensure};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fragments::datagram::{Datagram, Key};
use crate::fragments::{MEMORY, MEMORY_PER_SOURCE, Reassembly, Waiting};

/// A datagram, and how many fragments of its source came behind its latest.
type Snapshot<D> = (Key, u32, D);

impl Serialize for Reassembly {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let kept = self.order.values().filter_map(|key| {
            let waiting = self.datagrams.get(key)?;
            let behind = self.heard(key.source).wrapping_sub(waiting.heard);
            Some((*key, behind, &waiting.datagram))
        });
        writer.collect_seq(kept.collect::<Vec<Snapshot<&Datagram>>>())
    }
}

impl<'de> Deserialize<'de> for Reassembly {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let kept: Vec<Snapshot<Datagram>> = Vec::deserialize(reader)?;
        Self::of(kept).map_err(D::Error::custom)
    }
}

impl Reassembly {
    fn of(kept: Vec<Snapshot<Datagram>>) -> Result<Self, Damaged> {
        let mut read = Self::new(RandomState::with_seeds(0, 0, 0, 0));
        for (key, behind, datagram) in kept {
            datagram.check()?;
            let is_new = !read.datagrams.contains_key(&key);
            ensure(is_new, "a datagram in pieces is kept twice")?;
            // Only differences count.
            read.heard.insert(key.source, 0);
            read.insert(
                key,
                Waiting { birth: read.births, heard: behind.wrapping_neg(), datagram },
            );
            let is_fair = read.sources.held(key.source) <= MEMORY_PER_SOURCE;
            ensure(is_fair && read.sources.bytes() <= MEMORY, "too many datagrams are in pieces")?;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use packet::fields::Fields;
    use packet::{EtherType, Ethernet, Frame, Instant, Ipv4, Mac, PortId, Protocol};

    use super::*;

    /// A datagram of which the first `len` bytes have come.
    fn kept(source: [u8; 4], identification: u16, len: usize) -> Snapshot<Datagram> {
        let mut frame = Frame::copied_from(&vec![0; 34 + len]);
        Ethernet::emit(&mut frame, Mac::ZERO, Mac::ZERO, EtherType::IPV4);
        let fields = Fields {
            source: source.into(),
            destination: [203, 0, 113, 254].into(),
            protocol: Protocol::UDP,
            ttl: 64,
            traffic_class: 0,
            identification,
            dont_fragment: false,
        };
        assert!(fields.emit(&mut frame));
        frame.bytes_mut()[20] |= 0x20;
        let sum = packet::checksum::of(
            &[&frame.bytes()[14..24], &[0; 2], &frame.bytes()[26..34]].concat(),
        );
        frame.bytes_mut()[24..26].copy_from_slice(&sum.to_be_bytes());
        let packet = Ipv4::in_frame(frame).unwrap();
        let mut datagram = Datagram::new(PortId::new(1), Instant::from_secs(30));
        assert!(!datagram.add(&packet).unwrap());
        (Key::of(&packet), 0, datagram)
    }

    #[test]
    fn more_datagrams_than_memory_allows_are_not_read() {
        let of = |sources: u8, each: u16| {
            let all = (0..sources).flat_map(|source| {
                (0..each).map(move |number| kept([10, 0, 0, source], number, 32_000))
            });
            Reassembly::of(all.collect()).map(|read| read.datagrams.len())
        };
        assert_eq!(of(1, 20), Ok(20));
        assert_eq!(of(4, 20), Ok(80));
        let refused = Err(Damaged("too many datagrams are in pieces"));
        assert_eq!(of(1, 40), refused, "of one source");
        assert_eq!(of(8, 20), refused, "of all");
        let twice = vec![kept([10, 0, 0, 1], 1, 8), kept([10, 0, 0, 1], 1, 16)];
        assert!(Reassembly::of(twice).is_err());
    }
}
