//! A number that is the inner flow's, for the outer source port (RFC 7348 section 5) to be chosen
//! by.
//!
//! Routers between the tunnel's ends spread flows over equal paths by the outer ports alone, so one
//! flow has to keep to one port and different flows should not. It is no defence: whoever picks
//! inner addresses can pick collisions, and gains one slow path.

use packet::{Ip, Protocol};

/// The inner flow of a frame of `bytes`: equal for all frames of a flow, spread evenly over all 32
/// bits.
///
/// IPv4 and IPv6: addresses, protocol, and ports where TCP, UDP or SCTP follows at once. All
/// fragments of a datagram are one flow, without ports. Anything else: both stations and the
/// EtherType. Tags in the bytes are looked behind. Costs about 5 ns.
#[inline]
pub fn flow_hash(bytes: &[u8]) -> u32 {
    match Ip::in_frame(bytes) {
        Some((_, Ip::V4(ip))) => {
            let ports = if ip.is_fragment() { 0 } else { ports(ip.protocol(), ip.payload()) };
            let last = u64::from(ip.protocol().0) << 32 | u64::from(ports);
            mix([u64::from_be_bytes(*ip.addresses()), last])
        }
        Some((_, Ip::V6(ip))) => {
            // A fragment's next header is the fragment header, in the first as in the others.
            let ports = ports(ip.next_header(), ip.payload());
            let last = u64::from(ip.next_header().0) << 32 | u64::from(ports);
            let (words, _) = ip.addresses().as_chunks::<8>();
            let [a, b, c, d] = *words else { return stations(bytes) };
            let [a, b, c, d] = [a, b, c, d].map(u64::from_be_bytes);
            mix([a, b, c, d, last])
        }
        None => stations(bytes),
    }
}

/// Both ports, or zero for a protocol that has none there.
fn ports(protocol: Protocol, behind: &[u8]) -> u32 {
    match (protocol, behind.first_chunk()) {
        (Protocol::TCP | Protocol::UDP | Protocol::SCTP, Some(ports)) => u32::from_be_bytes(*ports),
        _ => 0,
    }
}

fn stations(bytes: &[u8]) -> u32 {
    let mut first = [0; 16];
    for (place, byte) in first.iter_mut().zip(bytes.iter().take(14)) {
        *place = *byte;
    }
    let number = u128::from_be_bytes(first);
    mix([(number >> 64) as u64, number as u64])
}

/// One wide multiplication a word, its halves folded: every bit of the input reaches the low ones.
#[inline]
fn mix<const N: usize>(words: [u64; N]) -> u32 {
    // The fractions of pi, which have no pattern (as in Blowfish); the second is odd and far from a
    // power of two.
    const SEED: u64 = 0x243f_6a88_85a3_08d3;
    const FACTOR: u64 = 0x1319_8a2e_0370_7345;
    let hash = words.iter().fold(SEED, |hash, word| {
        let product = u128::from(hash ^ word) * u128::from(FACTOR);
        (product >> 64) as u64 ^ product as u64
    });
    (hash >> 32) as u32 ^ hash as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ipv4_frame(source: u32, ports: u32, protocol: u8, fragment: u16) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        bytes.extend([8, 0, 0x45, 0, 0, 40, 0, 7]);
        bytes.extend(fragment.to_be_bytes());
        bytes.extend([64, protocol, 0, 0]);
        bytes.extend(source.to_be_bytes());
        bytes.extend([10, 0, 0, 2]);
        bytes.extend(ports.to_be_bytes());
        bytes.resize(60, 0x55);
        bytes
    }

    fn ipv6_frame(next_header: u8, ports: u32) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, next_header, 64]);
        bytes.extend([0xfd; 32]);
        bytes.extend(ports.to_be_bytes());
        bytes.resize(80, 0x55);
        bytes
    }

    /// VX4.
    #[test]
    fn what_differs_within_a_flow_does_not_matter() {
        for protocol in [6, 17] {
            for mut bytes in [ipv4_frame(1, 2, protocol, 0), ipv6_frame(protocol, 2)] {
                let before = flow_hash(&bytes);
                let (length, behind) = if bytes[12] == 8 { (17, 38) } else { (19, 58) };
                bytes[length] = 99;
                bytes[behind] = 99;
                assert_eq!(flow_hash(&bytes), before);
                bytes.splice(12..12, [0x81, 0, 0, 5]);
                assert_eq!(flow_hash(&bytes), before, "behind a tag");
            }
        }
    }

    /// VX4.
    #[test]
    fn fragments_of_a_datagram_are_one_flow() {
        let first = flow_hash(&ipv4_frame(1, 2, 17, 0x2000));
        assert_eq!(first, flow_hash(&ipv4_frame(1, 0xdead_beef, 17, 0x2001)));
        assert_eq!(first, flow_hash(&ipv4_frame(1, 0x1234_5678, 17, 0x0100)));
        assert_eq!(flow_hash(&ipv6_frame(44, 1)), flow_hash(&ipv6_frame(44, 2)));
    }

    /// VX4.
    #[test]
    fn flows_that_differ_by_one_are_spread_over_few_ports() {
        let count = 4096;
        let families: [fn(u32) -> Vec<u8>; 4] = [
            |n| ipv4_frame(n, 80, 6, 0),
            |n| ipv4_frame(1, n << 16 | 80, 6, 0),
            |n| ipv6_frame(17, n),
            |n| n.to_be_bytes().repeat(4),
        ];
        for (family, frame) in families.into_iter().enumerate() {
            for ports in [4, 8, 7] {
                let mut taken = vec![0; ports];
                for n in 0..count {
                    taken[flow_hash(&frame(n)) as usize % ports] += 1;
                }
                let fair = count as usize / ports;
                let even = taken.iter().all(|&n| n > fair * 4 / 5 && n < fair * 6 / 5);
                assert!(even, "family {family} over {ports}: {taken:?}");
            }
        }
    }

    /// What makes a flow, read by hand: what kind of flow it is, then its fields.
    fn flow_of(bytes: &[u8]) -> Vec<u8> {
        let tagged = |at: usize| {
            matches!(bytes.get(at..at + 2), Some([0x81 | 0x91..=0x93, 0] | [0x88, 0xa8]))
        };
        let at = [12, 16, 20].into_iter().find(|at| !tagged(*at)).unwrap_or(12);
        let packet = bytes.get(at + 2..).unwrap_or(&[]);
        let ports = |protocol: u8, from: usize| match packet.get(from..from + 4) {
            Some(ports) if [6, 17, 132].contains(&protocol) => ports.to_vec(),
            _ => vec![0; 4],
        };
        let first = packet.first().copied().unwrap_or(0);
        let header = usize::from(first & 15) * 4;
        match (bytes.get(at..at + 2), first >> 4) {
            (Some([8, 0]), 4) if (20..=packet.len()).contains(&header) => {
                let whole = packet[6] & 0x3f == 0 && packet[7] == 0;
                let from = if whole { header } else { packet.len() };
                [&[4, packet[9]], &packet[12..20], &ports(packet[9], from)].concat()
            }
            (Some([0x86, 0xdd]), 6) if packet.len() >= 40 => {
                [&[6, packet[6]], &packet[8..40], &ports(packet[6], 40)].concat()
            }
            _ => [&[0], &bytes[..bytes.len().min(14)]].concat(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// VX4: frames have one hash exactly when they are of one flow, whatever their bytes are.
        #[test]
        fn equal_flows_and_no_others_have_equal_hashes(
            family in 0u8..3, tags in 0usize..4, header in any::<[u8; 12]>(), len in 0usize..90,
            protocol in prop_oneof![Just(6u8), Just(17), Just(132), Just(1), Just(44)],
            fragment in prop_oneof![4 => Just(0u16), 1 => Just(0x4000), 1 => any::<u16>()],
            words in 5u8..8, changes in prop::collection::vec((0usize..90, any::<u8>()), 0..3)
        ) {
            let mut bytes = [&header[..], &[0x81, 0, 0, 5].repeat(tags)].concat();
            match family {
                0 => {
                    bytes.extend([8, 0, 0x40 | words, 0, 0, 40, 0, 7]);
                    bytes.extend(fragment.to_be_bytes());
                    bytes.extend([64, protocol]);
                }
                1 => bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, protocol]),
                _ => bytes.extend([8, 6]),
            }
            bytes.resize(90, 0x55);
            let mut other = bytes.clone();
            changes.into_iter().for_each(|(at, byte)| other[at] = byte);
            let (bytes, other) = (&bytes[..len], &other[..len]);
            let same = flow_hash(bytes) == flow_hash(other);
            prop_assert_eq!(same, flow_of(bytes) == flow_of(other), "{:x?} {:x?}", bytes, other);
        }
    }
}
