//! Ethernet addresses and device names made from names, so that a lab has the same ones on every
//! run and every machine.

use packet::{Ipv4Net, Mac};

use super::device::Device;
use super::name::Name;

/// What an address is for; the same name in two roles has two addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The switch's own on a bridge.
    Bridge,
    /// The switch's own on a routed port.
    Router,
    /// The far end's device.
    Port,
}

/// A locally administered address, 02 and five bytes of a hash of role, name and first IPv4
/// address.
///
/// The IPv4 address keeps two hosts apart whose labs use the same names and that a tunnel joins:
/// both have a "br0", but not the same router. Among 1,000 names two meet about once in two million
/// labs; the check then asks for one to be written.
pub(crate) fn mac(role: Role, name: &str, addresses: &[Ipv4Net]) -> Mac {
    let salt = match role {
        Role::Bridge => b'b',
        Role::Router => b'r',
        Role::Port => b'p',
    };
    let address = addresses.first().map(|net| net.addr().octets());
    let salted = [&[salt][..], name.as_bytes(), address.as_ref().map_or(&[][..], |octets| octets)];
    let [a, b, c, d, e, ..] = hash(&salted.concat()).to_be_bytes();
    Mac([0x02, a, b, c, d, e])
}

/// The near end of a port's veth pair: "ts-red", or "ts-" and twelve hexadecimal digits of a hash
/// where the name has no room. Two ports may, in theory, derive one device; the check refuses that.
pub(crate) fn veth(port: &Name) -> Device {
    match port.as_str() {
        short if short.len() <= ROOM => Device::near_end(short),
        long => Device::near_end(&format!("{:016x}", hash(&[&b"v"[..], long.as_bytes()].concat()))),
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hash = OFFSET;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    // FNV leaves its high bits poorly mixed for short names: fold and multiply once more
    // (MurmurHash3's finalizer).
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// Bytes of a device's name behind "ts-".
const ROOM: usize = 12;

/// 64-bit FNV-1a (draft-eastlake-fnv, section 2): fixed for all time, unlike the standard library's
/// hasher.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn addresses_never_change_between_releases() {
        assert_eq!(mac(Role::Bridge, "br0", &[]).to_string(), "02:e7:82:c8:d5:74");
    }

    #[test]
    fn the_same_name_at_another_address_has_another_mac_address() {
        let net = |text: &str| text.parse::<Ipv4Net>().unwrap();
        let here = mac(Role::Bridge, "br0", &[net("10.1.0.1/16")]);
        assert_ne!(here, mac(Role::Bridge, "br0", &[net("10.2.0.1/16")]));
        assert_eq!(here, mac(Role::Bridge, "br0", &[net("10.1.0.1/8"), net("10.2.0.1/16")]));
    }

    #[test]
    fn the_near_end_of_a_pair_is_called_as_its_port_while_there_is_room() {
        let near = |text: &str| veth(&text.parse().unwrap()).to_string();
        assert_eq!(near("red"), "ts-red");
        assert_eq!(near("web.1_a-twel"), "ts-web.1_a-twel");
        assert_eq!(near("thirteenchars"), "ts-d892cbfd8a32");
        assert_ne!(near("thirteenchart"), near("thirteenchars"));
        for text in ["a".repeat(63), "red".into(), "a.b".into()] {
            let device = near(&text);
            assert_eq!(device.parse::<Device>().map(|device| device.to_string()), Ok(device));
        }
    }

    #[test]
    fn names_and_roles_have_distinct_addresses() {
        let mut seen = BTreeSet::new();
        for number in 0..10_000 {
            let name = format!("c{number}");
            for role in [Role::Bridge, Role::Router, Role::Port] {
                let mac = mac(role, &name, &[]);
                assert!(mac.is_station());
                assert!(seen.insert(mac), "{name}");
            }
        }
    }
}
